//! A signer, a network and a data directory, for commands and the server to work with.

use serde_json::json;

use crate::program::{Finished, Running, ask, get, run};

/// A signer, a network, and an empty data directory.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) signer: Running,
    pub(crate) simnet: Running,
}

impl World {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (keystore, passphrase) = (file("keystore.json"), file("passphrase"));
        let listen = format!("unix:{}", file("signer.sock"));
        let options = ["--keystore", &keystore, "--passphrase-file", &passphrase];
        let arguments =
            [&["signer", "--init", "--init-passphrase", "--listen", &listen][..], &options];
        let signer = Running::start(&arguments.concat(), &[]);
        let simnet = Running::start(&["simnet", "--listen", "127.0.0.1:0"], &[]);
        std::fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder, signer, simnet }
    }

    /// Runs a command with the environment of the world's server.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.with_environment(|variables| run(arguments, variables))
    }

    pub(crate) fn utxo(&self, arguments: &[&str]) -> Finished {
        self.run(&[&["utxo"][..], arguments].concat())
    }

    pub(crate) fn with_environment<T>(&self, act: impl FnOnce(&[(&str, &str)]) -> T) -> T {
        let data_dir = self.folder.path().join("data");
        let base_url = format!("{}/v1/bsv/test", self.simnet.url);
        act(&[
            ("PORT", "0"),
            ("PATCHPROOF_DATA_DIR", data_dir.to_str().unwrap()),
            ("KMS_SIGN_URL", &self.signer.url),
            ("ISSUER_KEY_IDENTIFIER", "issuer"),
            ("UTXO_FUNDING_KEY_IDENTIFIER", "funding"),
            ("WOC_NETWORK", "test"),
            ("WOC_BASE_URL", &base_url),
            ("CHAIN_PROFILE", "simulated"),
            ("LOG_LEVEL", "error"),
        ])
    }

    /// Starts the server.
    pub(crate) fn serve(&self) -> Running {
        self.serve_with(&[])
    }

    /// Starts the server with more in its environment.
    pub(crate) fn serve_with(&self, more: &[(&str, &str)]) -> Running {
        let server = self
            .with_environment(|variables| Running::start(&["serve"], &[variables, more].concat()));
        assert!(server.url.starts_with("listening on http://127.0.0.1:"), "{}", server.url);
        server
    }

    /// Returns a file of the data directory.
    pub(crate) fn data_file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// Has the faucet pay outputs of 10,000 satoshis to the funding key, and mines a block.
    pub(crate) fn fund(&self, count: u32) -> String {
        let keys = get(&self.signer.url, "/keys");
        let mut keys = keys.as_array().unwrap().iter();
        let funding = keys.find(|key| key["keyIdentifier"] == "funding").unwrap();
        let address = &funding["addressTest"];
        let body = json!({ "address": address, "satoshis": 10_000, "count": count }).to_string();
        let (status, paid) = ask(&self.simnet.url, "POST", "/sim/faucet", "", &body);
        assert_eq!(status, 200, "{paid}");
        assert_eq!(ask(&self.simnet.url, "POST", "/sim/mine", "", "{}").0, 200);
        paid["txid"].as_str().unwrap().to_owned()
    }
}
