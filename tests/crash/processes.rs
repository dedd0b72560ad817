//! The processes: network and signer live on, the server dies and comes back.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ledger::Ledger;

const BINARY: &str = env!("CARGO_BIN_EXE_patchproof");
/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that is killed when dropped.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Everything around the server.
pub(crate) struct World {
    directory: TempDir,
    chain: String,
    signer: String,
    _processes: Vec<Process>,
    /// Speaks HTTP to all of them.
    pub(crate) client: Client,
}

/// Names and values of the environment.
pub(crate) type Variables<'a> = &'a [(&'static str, &'static str)];

/// A server that is alive.
pub(crate) struct Server {
    process: Process,
    /// Where it listens.
    pub(crate) base: String,
}

/// The API key of the test's server.
pub(crate) const API_KEY: &str = "crash-suite-api-key-0123456789abcdef";
/// The token secret of the test's server.
pub(crate) const JWT_SECRET: &str = "crash-suite-jwt-secret-0123456789abcdef";

fn spawn(command: &mut Command) -> (Process, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.find("http://").map(|at| line[at..].trim().to_owned()))
        .expect("the process says where it listens");
    std::thread::spawn(move || lines.for_each(drop));
    let url = url.split_whitespace().next().unwrap().trim_end_matches('/').to_owned();
    (Process(child), url)
}

impl World {
    /// Starts network and signer.
    pub(crate) async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (simnet, chain) = spawn(
            Command::new(BINARY)
                .args(["simnet", "--listen", "127.0.0.1:0", "--mine-every", "1s"])
                .args(["--data".as_ref(), at("simnet.journal").as_os_str()]),
        );
        let (signer, signer_url) = spawn(
            Command::new(BINARY)
                .args(["signer", "--init", "--init-passphrase", "--listen", "127.0.0.1:0"])
                .args(["--keystore".as_ref(), at("keystore").as_os_str()])
                .args(["--passphrase-file".as_ref(), at("passphrase").as_os_str()]),
        );
        let chain = chain.split("/v1").next().unwrap().to_owned();
        let client = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let _processes = vec![simnet, signer];
        Self { directory, chain, signer: signer_url, _processes, client }
    }

    /// Returns where the test keeps its files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns where the server keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Returns the address of the network's controls.
    pub(crate) fn chain(&self) -> &str {
        &self.chain
    }

    /// Starts the server on the same data and waits until it answers.
    pub(crate) async fn serve(&self, more: Variables<'_>) -> Server {
        let mut command = Command::new(BINARY);
        let command = self.environment(command.arg("serve")).envs(more.iter().copied());
        let (process, base) = spawn(command);
        self.until(|| async {
            let answer = self.client.get(format!("{base}/health")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        Server { process, base }
    }

    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("PATCHPROOF_CONFIG", "/dev/null")
            .env("NODE_ENV", "development")
            .env("BIND", "127.0.0.1")
            .env("PORT", "0")
            .env("PATCHPROOF_DATA_DIR", self.data())
            .env("API_KEY", API_KEY)
            .env("API_KEY_MAX", "1000000000")
            .env("PUBLIC_API_MAX", "1000000000")
            .env("JWT_SECRET", JWT_SECRET)
            .env("MASTER_SECRET", "crash-suite-master-secret-0123456789")
            .env("KMS_SIGN_URL", format!("{}/sign", self.signer))
            .env("ISSUER_KEY_IDENTIFIER", "issuer")
            .env("CUSTODY_KEY_IDENTIFIER", "custody")
            .env("UTXO_FUNDING_KEY_IDENTIFIER", "funding")
            .env("UTXO_CHANGE_KEY_IDENTIFIER", "change")
            .env("WOC_NETWORK", "test")
            .env("MAX_FEE_PER_DAY_SATS", "0")
            .env("WOC_BASE_URL", format!("{}/v1/bsv/test", self.chain))
            .env("ARC_URL", &self.chain)
            .env("CHAIN_PROFILE", "simulated")
            .env("UTXO_MAX_CHAIN_DEPTH", "200")
            .env("REGISTRATION_WAIT_MS", "300")
            .env("LOG_LEVEL", "error")
    }

    /// Gives the pool money, beside the running server.
    pub(crate) async fn fund(&self, server: &Server) {
        let health = self.get(&format!("{}/v1/admin/utxo-health", server.base)).await;
        let address = health["funding"]["address"].as_str().unwrap().to_owned();
        let request = json!({ "address": address, "satoshis": 20_000, "count": 400 });
        self.post(&format!("{}/sim/mine", self.chain), &json!({})).await;
        self.post(&format!("{}/sim/faucet", self.chain), &request).await;
        self.post(&format!("{}/sim/mine", self.chain), &json!({})).await;
        let mut sync = Command::new(BINARY);
        let sync = self.environment(sync.args(["utxo", "sync"]));
        assert!(sync.stdout(Stdio::null()).status().unwrap().success(), "utxo sync");
    }

    /// Reads JSON with the API key.
    pub(crate) async fn get(&self, url: &str) -> Value {
        let answer = self.client.get(url).header("x-api-key", API_KEY).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Sends JSON without a key, as the network's controls take it.
    pub(crate) async fn post(&self, url: &str, body: &Value) -> Value {
        let answer = self.client.post(url).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// Mines until every acknowledged record is final.
    pub(crate) async fn settle(&self, server: &Server, ledger: &Ledger) {
        for entry in ledger.entries() {
            let url = format!("{}/v1/patches/pending/{}/{}", server.base, entry.kind, entry.id);
            self.until(|| async {
                let pending = self.get(&url).await;
                assert_ne!(pending["status"], "failed", "{entry:?}: {pending}");
                if pending["stage"] == "final" {
                    return Some(());
                }
                self.post(&format!("{}/sim/mine", self.chain), &json!({})).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
                None
            })
            .await;
        }
    }

    /// Asks again and again until there is an answer, within the test's patience.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
        &self,
        mut ask: impl FnMut() -> F,
    ) -> T {
        let asking = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("it did not happen in time")
    }
}

impl Server {
    /// Kills it without warning and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(mut self) {
        let pid = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.process.0.wait().unwrap();
        assert!(status.success(), "the server stopped with {status}");
    }
}
