//! Starts the real processes, each on its own, and stops them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_patchproof");
/// The API key of the measured server.
pub(crate) const API_KEY: &str = "bench-api-key-0123456789abcdef0123456789";
/// The token secret of the measured server.
pub(crate) const JWT_SECRET: &str = "bench-jwt-secret-0123456789abcdef0123456789";

/// A process that is killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it listens, `host:port`.
    pub(crate) address: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Process {
    /// Starts a command and reads its address from its first line that has one.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the process starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split("http://").nth(1).map(str::to_owned))
            .expect("the process says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        let end = address.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(address.len());
        Self { child, address: address[..end].to_owned() }
    }

    /// Returns the resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// Makes a directory on the measured disk, where nothing is left in the way if a run is cut off.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

/// Network, signer and server, each a process of its own.
pub(crate) struct World {
    /// The simulated network.
    pub(crate) simnet: Process,
    /// The keys.
    pub(crate) signer: Process,
    directory: tempfile::TempDir,
}

impl World {
    /// Starts network and signer.
    pub(crate) fn start(mine_every: &str) -> Self {
        let directory = scratch();
        let at = |name: &str| directory.path().join(name);
        let simnet = Process::start(Command::new(BINARY).args([
            "simnet",
            "--listen",
            "127.0.0.1:0",
            "--mine-every",
            mine_every,
        ]));
        let signer = Process::start(
            Command::new(BINARY)
                .args(["signer", "--init", "--init-passphrase", "--listen", "127.0.0.1:0"])
                .args(["--keystore".as_ref(), at("keystore").as_os_str()])
                .args(["--passphrase-file".as_ref(), at("passphrase").as_os_str()]),
        );
        Self { simnet, signer, directory }
    }

    /// Returns the server's data directory.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// Runs a command of ours with the server's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).env("PATCHPROOF_CONFIG", "/dev/null").envs(self.environment());
        command
    }

    /// Returns the variables that the server is told what to do by.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("BIND", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            ("PATCHPROOF_DATA_DIR", self.data().display().to_string()),
            ("API_KEY", API_KEY.to_owned()),
            ("API_KEY_MAX", "1000000000".to_owned()),
            ("PUBLIC_API_MAX", "1000000000".to_owned()),
            ("SVD_BEGIN_MAX", "1000000000".to_owned()),
            ("SVD_COMPLETE_MAX", "1000000000".to_owned()),
            ("JWT_SECRET", JWT_SECRET.to_owned()),
            ("MASTER_SECRET", "bench-master-secret-0123456789abcdef01234".to_owned()),
            ("KMS_SIGN_URL", format!("http://{}/sign", self.signer.address)),
            ("ISSUER_KEY_IDENTIFIER", "issuer".to_owned()),
            ("CUSTODY_KEY_IDENTIFIER", "custody".to_owned()),
            ("UTXO_FUNDING_KEY_IDENTIFIER", "funding".to_owned()),
            ("UTXO_CHANGE_KEY_IDENTIFIER", "change".to_owned()),
            ("WOC_NETWORK", "test".to_owned()),
            ("WOC_BASE_URL", format!("http://{}/v1/bsv/test", self.simnet.address)),
            ("CHAIN_PROFILE", "simulated".to_owned()),
            ("UTXO_MAX_CHAIN_DEPTH", "500".to_owned()),
            ("MAX_FEE_PER_DAY_SATS", "0".to_owned()),
            ("LOG_LEVEL", "error".to_owned()),
        ]
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn serve(&self) -> Process {
        let server = Process::start(&mut self.command(&["serve"]));
        wait_ready(&server.address);
        server
    }

    /// Gives the pool `count` outputs.
    pub(crate) fn fund(&self, count: u32) {
        let server = self.serve();
        let health = get(&server.address, "/v1/admin/utxo-health");
        let address = health["funding"]["address"].as_str().unwrap().to_owned();
        drop(server);
        post(&self.simnet.address, "/sim/mine", "{}");
        let request =
            format!("{{\"address\":\"{address}\",\"satoshis\":100000,\"count\":{count}}}");
        post(&self.simnet.address, "/sim/faucet", &request);
        post(&self.simnet.address, "/sim/mine", "{}");
        let mut sync = self.command(&["utxo", "sync"]);
        assert!(sync.stdout(Stdio::null()).status().unwrap().success());
    }
}

/// Waits until a server answers, and returns how long that took.
pub(crate) fn wait_ready(address: &str) -> Duration {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if let Some((200, _)) = exchange(address, "GET", "/ready", "") {
            return begun.elapsed();
        }
        std::thread::yield_now();
    }
    panic!("{address} is not ready");
}

/// Reads text with the API key.
pub(crate) fn get_text(address: &str, path: &str) -> String {
    let (_, body) = exchange(address, "GET", path, "").expect("an answer");
    String::from_utf8(body).expect("text")
}

/// Reads JSON with the API key.
pub(crate) fn get(address: &str, path: &str) -> Value {
    let (_, body) = exchange(address, "GET", path, "").expect("an answer");
    serde_json::from_slice(&body).expect("JSON")
}

/// Sends JSON with the API key.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Value {
    post_as(address, path, body, "")
}

/// Sends JSON with the API key and with a token, unless that is empty.
pub(crate) fn post_as(address: &str, path: &str, body: &str, token: &str) -> Value {
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let more = if token.is_empty() { "" } else { &bearer };
    let (status, answer) = exchange_with(address, "POST", path, body, more).expect("an answer");
    assert!((200..300).contains(&status), "{path}: {status}");
    serde_json::from_slice(&answer).expect("JSON")
}

fn exchange(address: &str, method: &str, path: &str, body: &str) -> Option<(u16, Vec<u8>)> {
    exchange_with(address, method, path, body, "")
}

fn exchange_with(
    address: &str,
    method: &str,
    path: &str,
    body: &str,
    more: &str,
) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nx-api-key: {API_KEY}\r\nConnection: close\r\n{more}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
    Some((status, answer[split + 4..].to_vec()))
}

/// Says whether a file exists, for clear messages.
pub(crate) fn has_tool(name: &str) -> bool {
    ["/usr/bin", "/usr/local/bin", "/bin"].iter().any(|at| Path::new(at).join(name).exists())
}
