//! The mail client against a mail server of another make, with real certificates and passwords.
//!
//! `tests/mail/run` installs the server, makes the certificates and runs these tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "the script says where the certificates are")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use patchproof::app::configured;
use patchproof::config::{Config, Environment};
use patchproof::mail::{Letter, MailError, Mailer, SmtpConfig, SmtpMailer, SmtpSecurity};
use patchproof::types::Timestamp;
use serde_json::Value;

const TO: &str = "ada@shop.example";
const PASSWORD: &str = "correct horse battery staple";

fn certificate(name: &str) -> PathBuf {
    let folder = std::env::var("MAIL_TEST_CERTIFICATES").expect("started by tests/mail/run");
    PathBuf::from(folder).join(name)
}

/// The mail server, for as long as it lives.
struct Server {
    child: Child,
    port: u16,
    lines: BufReader<ChildStdout>,
    _stdin: ChildStdin,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::with_certificate("server", arguments)
    }

    fn with_certificate(name: &str, arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/server.py");
        let mut command = Command::new("python3");
        command.arg(script).args(arguments);
        command.arg("--certificate").arg(certificate(&format!("{name}.pem")));
        command.arg("--key").arg(certificate(&format!("{name}.key")));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        let port = port.trim().parse().expect("the server starts and says its port");
        Self { child, port, lines, _stdin: stdin }
    }

    /// Returns the next letter that was taken.
    fn letter(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Ends the server and returns how many letters it took that nobody asked for.
    fn end(mut self) -> usize {
        drop(self.child.kill());
        drop(self.child.wait());
        self.lines.by_ref().lines().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn config(host: &str, port: u16) -> SmtpConfig {
    SmtpConfig {
        host: host.to_owned(),
        port,
        credentials: None,
        trusted_pem: Some(std::fs::read(certificate("trusted.pem")).unwrap()),
        from: "Shop <codes@shop.example>".to_owned(),
        timeout: Duration::from_secs(20),
    }
}

fn letter() -> Letter {
    Letter {
        to: TO.to_owned(),
        subject: "Your login code".to_owned(),
        text: "Your code is 01234567\r\n.\r\n..and more\r\n".to_owned(),
        written_at: Timestamp::from_secs(1_790_000_000),
        id: "0a1b2c".to_owned(),
    }
}

async fn send(config: &SmtpConfig) -> Result<(), MailError> {
    SmtpMailer::new(config).unwrap().send(&letter()).await
}

#[track_caller]
fn deferred(result: &Result<(), MailError>, reason: &str) {
    let Err(MailError::Deferred(said)) = result else { unreachable!("{result:?}") };
    assert!(said.contains(reason), "{said}");
    assert!(!said.contains("ada") && !said.contains("horse"), "{said}");
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn a_letter_arrives_over_starttls_as_it_was_written() {
    for host in ["localhost", "127.0.0.1"] {
        let mut server = Server::start(&["--tls", "starttls"]);
        let config = config(host, server.port);
        assert_eq!(config.security(), SmtpSecurity::StartTls);
        assert_eq!(send(&config).await, Ok(()));
        let taken = server.letter();
        assert_eq!(taken["tls"], true, "{taken}");
        assert_eq!(
            (taken["from"].as_str(), &taken["to"][0]),
            (Some("codes@shop.example"), &TO.into())
        );
        let text = taken["text"].as_str().unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(body.trim_end(), "Your code is 01234567\r\n.\r\n..and more");
        assert!(text.contains("Message-ID: <0a1b2c@shop.example>\r\n"), "{text}");
    }
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn a_letter_arrives_over_tls_from_the_first_byte_on_port_465() {
    let mut server = Server::start(&["--tls", "implicit", "--host", "127.0.0.77", "--port", "465"]);
    let config = config("127.0.0.77", server.port);
    assert_eq!(config.security(), SmtpSecurity::Implicit);
    assert_eq!(send(&config).await, Ok(()));
    assert_eq!(server.letter()["tls"], true);
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn nothing_is_said_to_a_server_without_tls() {
    let server = Server::start(&["--tls", "none"]);
    deferred(&send(&config("localhost", server.port)).await, "STARTTLS");
    assert_eq!(server.end(), 0);
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn this_machine_may_be_spoken_to_in_the_open() {
    let mut server = Server::start(&["--tls", "none"]);
    let open = SmtpConfig { trusted_pem: None, ..config("localhost", server.port) };
    assert_eq!(open.security(), SmtpSecurity::Plain);
    assert_eq!(send(&open).await, Ok(()));
    assert_eq!(server.letter()["tls"], false);
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn a_certificate_of_another_authority_or_for_another_name_is_not_trusted() {
    for name in ["stranger", "elsewhere"] {
        let server = Server::with_certificate(name, &["--tls", "starttls"]);
        deferred(
            &send(&config("localhost", server.port)).await,
            "no TLS with a trusted certificate",
        );
        assert_eq!(server.end(), 0, "{name}");
    }
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn a_password_is_sent_over_tls_and_a_wrong_one_waits_for_an_operator() {
    let arguments = ["--tls", "starttls", "--user", "codes", "--password", PASSWORD];
    let mut server = Server::start(&arguments);
    let with = |password: &str| SmtpConfig {
        credentials: Some(("codes".to_owned(), password.to_owned())),
        ..config("localhost", server.port)
    };
    assert_eq!(send(&with(PASSWORD)).await, Ok(()));
    let wrong = with("incorrect horse");
    let unknown = config("localhost", server.port);
    assert_eq!(server.letter()["user"], "codes");
    deferred(&send(&wrong).await, "does not let us in (535)");
    deferred(&send(&unknown).await, "does not let us in (530)");
    assert_eq!(server.end(), 0);
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn what_is_put_off_may_be_tried_again_and_what_is_refused_may_not() {
    let server = Server::start(&["--tls", "starttls", "--answer", "451"]);
    deferred(&send(&config("localhost", server.port)).await, "answered 451");
    let server = Server::start(&["--tls", "starttls", "--answer", "550"]);
    let refused = send(&config("localhost", server.port)).await;
    assert_eq!(refused, Err(MailError::Refused("550".to_owned())));
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn a_server_that_was_away_and_comes_back_gets_the_letter_from_the_same_client() {
    let server = Server::start(&["--tls", "starttls"]);
    let port = server.port;
    let mailer = SmtpMailer::new(&config("localhost", port)).unwrap();
    assert_eq!(server.end(), 0);
    deferred(&mailer.send(&letter()).await, "no connection");
    let mut server = Server::start(&["--tls", "starttls", "--port", &port.to_string()]);
    assert_eq!(mailer.send(&letter()).await, Ok(()));
    assert_eq!(server.letter()["tls"], true);
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn variables_of_the_environment_become_a_client_that_sends() {
    let arguments = ["--tls", "starttls", "--user", "codes", "--password", PASSWORD];
    let mut server = Server::start(&arguments);
    let port = server.port.to_string();
    let trusted = certificate("trusted.pem");
    let environment: Environment = [
        ("ISSUER_KEY_IDENTIFIER", "issuer"),
        ("UTXO_FUNDING_KEY_IDENTIFIER", "funding"),
        ("SMTP_HOST", "localhost"),
        ("SMTP_PORT", port.as_str()),
        ("SMTP_USER", "codes"),
        ("SMTP_PASS", PASSWORD),
        ("SMTP_CA_FILE", trusted.to_str().unwrap()),
        ("EMAIL_FROM", "Shop <codes@shop.example>"),
    ]
    .into_iter()
    .collect();
    let config = Config::load(&environment, || [7; 32]).unwrap();
    let mailer: Arc<dyn Mailer> = configured::mailer(&config.mail).unwrap().unwrap();
    assert_eq!(mailer.send(&letter()).await, Ok(()));
    let taken = server.letter();
    assert_eq!((&taken["tls"], &taken["user"]), (&true.into(), &"codes".into()), "{taken}");
    // A command sends none.
    let config = Config::load_for_command(&environment, || [7; 32]).unwrap();
    assert!(configured::mailer(&config.mail).unwrap().is_none());
}

#[tokio::test]
#[ignore = "started by tests/mail/run"]
async fn a_connection_is_tried_with_tls_and_password_and_nothing_is_sent() {
    let arguments = ["--tls", "starttls", "--user", "codes", "--password", PASSWORD];
    let server = Server::start(&arguments);
    let with = |password: &str| SmtpConfig {
        credentials: Some(("codes".to_owned(), password.to_owned())),
        ..config("localhost", server.port)
    };
    let tried = async |config: &SmtpConfig| SmtpMailer::new(config).unwrap().try_connection().await;
    assert_eq!(tried(&with(PASSWORD)).await, Ok(()));
    let wrong = tried(&with("incorrect horse")).await.unwrap_err();
    assert!(wrong.contains("does not let us in (535)"), "{wrong}");
    assert_eq!(server.end(), 0);
    let server = Server::with_certificate("stranger", &["--tls", "starttls"]);
    let strange = tried(&config("localhost", server.port)).await.unwrap_err();
    assert_eq!(strange, "no TLS with a trusted certificate");
    assert_eq!(server.end(), 0);
    let server = Server::start(&["--tls", "none"]);
    let open = tried(&config("localhost", server.port)).await.unwrap_err();
    assert!(open.contains("STARTTLS"), "{open}");
}
