//! Runs the program and talks to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;

/// What a finished run left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Prepares a run with nothing in its environment but `variables`, nor in a file beneath it.
fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchproof"));
    command.args(arguments).env_clear().env("PATCHPROOF_CONFIG", "/dev/null");
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    finished(command(arguments, variables).output().unwrap())
}

fn finished(output: Output) -> Finished {
    Finished {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program, which must end by itself within this time.
#[track_caller]
pub(crate) fn run_within(
    most: Duration,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Finished {
    let mut command = command(arguments, variables);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    if let Ok(output) = ended.recv_timeout(most) {
        return finished(output.unwrap());
    }
    assert!(Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
    unreachable!("{arguments:?} was still there after {most:?}: {:?}", ended.recv())
}

/// Runs the program and kills it (SIGKILL) after this time; says whether it had ended by itself before.
pub(crate) fn run_and_kill(
    after: Duration,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> bool {
    let mut command = command(arguments, variables);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = child.stdout.take().unwrap();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(said.read_to_end(&mut Vec::new())));
    // Its output ends with it.
    drop(ended.recv_timeout(after));
    child.kill().unwrap();
    child.wait().unwrap().code().is_some()
}

/// A server that is running, told to end at the end of the test.
pub(crate) struct Running {
    child: Child,
    /// Kept open, so that the server can go on writing.
    _stdout: BufReader<ChildStdout>,
    /// The first line that it printed.
    pub(crate) url: String,
}

impl Running {
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(arguments, variables, Stdio::null())
    }

    /// Starts a server that writes its log to a file.
    pub(crate) fn start_logging(
        arguments: &[&str],
        variables: &[(&str, &str)],
        log: std::fs::File,
    ) -> Self {
        Self::spawn(arguments, variables, log.into())
    }

    fn spawn(arguments: &[&str], variables: &[(&str, &str)], log: Stdio) -> Self {
        let mut command = command(arguments, variables);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut url = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut url).unwrap();
        Self { child, _stdout: stdout, url: url.trim_end().to_owned() }
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Running {
    /// Returns the number of its process.
    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Ends the server at once.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An answer as it arrived.
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends a request to a URL that a server printed, and returns status and body, as text if it is no
/// JSON.
pub(crate) fn ask(url: &str, method: &str, path: &str, headers: &str, body: &str) -> (u16, Value) {
    let Raw { status, body, .. } = ask_raw(url, method, path, headers, body);
    (status, serde_json::from_str(&body).unwrap_or_else(|_| body.into()))
}

/// Sends a request to a URL that a server printed.
pub(crate) fn ask_raw(url: &str, method: &str, path: &str, headers: &str, body: &str) -> Raw {
    let length = body.len();
    let is_typed = headers.to_ascii_lowercase().contains("content-type:");
    let kind = if is_typed { "" } else { "Content-Type: application/json\r\n" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         {kind}Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    let answer = match url.strip_prefix("unix://") {
        Some(path) => exchange(UnixStream::connect(Path::new(path)).unwrap(), &request),
        None => {
            exchange(TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap(), &request)
        }
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) fn get(url: &str, path: &str) -> Value {
    let (status, body) = ask(url, "GET", path, "", "");
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn exchange(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
