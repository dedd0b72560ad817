//! Letters over SMTP (RFC 5321), encrypted unless the server is this machine.
//!
//! Port 465 is TLS from the first byte (RFC 8314); on every other port STARTTLS is demanded before
//! anything but a greeting is said. What the server says is reduced to its code.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::mail::{Letter, MailError, Mailer};

/// The port on which TLS begins with the first byte.
const IMPLICIT_TLS_PORT: u16 = 465;
/// Answers that are about us and not about the letter (RFC 4954, RFC 3207): they may be others once
/// an operator has looked.
const ABOUT_US: [u16; 5] = [454, 530, 534, 535, 538];

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS, or nothing is sent.
    StartTls,
    /// None: for this machine only.
    Plain,
}

/// Where and as whom letters are sent.
#[derive(Clone)]
pub struct SmtpConfig {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User and password, if it asks for them.
    pub credentials: Option<(String, String)>,
    /// Certificates in PEM form that are trusted instead of the system's.
    pub trusted_pem: Option<Vec<u8>>,
    /// Whom letters are from: an address, or a name and one in angle brackets.
    pub from: String,
    /// How long each step of an exchange may take.
    pub timeout: Duration,
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        formatter.debug_struct("SmtpConfig").field("host", host).field("port", port).finish()
    }
}

/// A configuration that no letter can be sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmtpConfigError {
    /// The sender is no address.
    #[error("the sender is not an e-mail address")]
    Sender,
    /// The trusted certificates cannot be read.
    #[error("the trusted certificates are not certificates in PEM form")]
    Certificates,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls,
}

impl SmtpConfig {
    /// Says how the connection is protected. Only this machine may be spoken to in the open, and only
    /// if no certificate was named for it.
    pub fn security(&self) -> SmtpSecurity {
        if self.port == IMPLICIT_TLS_PORT {
            SmtpSecurity::Implicit
        } else if is_this_machine(&self.host) && self.trusted_pem.is_none() {
            SmtpSecurity::Plain
        } else {
            SmtpSecurity::StartTls
        }
    }

    fn tls(&self) -> Result<Tls, SmtpConfigError> {
        let parameters = || -> Result<TlsParameters, SmtpConfigError> {
            let mut builder = TlsParameters::builder(self.host.clone());
            if let Some(pem) = &self.trusted_pem {
                let trusted =
                    Certificate::from_pem(pem).map_err(|_| SmtpConfigError::Certificates)?;
                builder =
                    builder.certificate_store(CertificateStore::None).add_root_certificate(trusted);
            }
            builder.build().map_err(|_| SmtpConfigError::Tls)
        };
        Ok(match self.security() {
            SmtpSecurity::Implicit => Tls::Wrapper(parameters()?),
            SmtpSecurity::StartTls => Tls::Required(parameters()?),
            SmtpSecurity::Plain => Tls::None,
        })
    }
}

/// Sends letters over SMTP.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    longest: Duration,
}

impl SmtpMailer {
    /// Sets the client up; connects to nothing yet.
    pub fn new(config: &SmtpConfig) -> Result<Self, SmtpConfigError> {
        let from: Mailbox = config.from.parse().map_err(|_| SmtpConfigError::Sender)?;
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.clone())
                .port(config.port)
                .tls(config.tls()?)
                .timeout(Some(config.timeout))
                .hello_name(ClientId::Domain(from.email.domain().to_owned()));
        if let Some((user, password)) = &config.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        // An exchange has some eight steps, each with its own patience.
        Ok(Self { transport: builder.build(), from, longest: config.timeout.saturating_mul(3) })
    }

    /// Does all that a letter needs but the letter: connects, TLS, greeting, password. Says in words of
    /// ours what went wrong.
    pub async fn try_connection(&self) -> Result<(), String> {
        let said = match tokio::time::timeout(self.longest, self.transport.test_connection()).await
        {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => return Err("it ended the connection".to_owned()),
            Ok(Err(error)) => reduced(&error),
            Err(_) => return Err("no answer in time".to_owned()),
        };
        Err(match said {
            MailError::Deferred(reason) => reason,
            MailError::Refused(code) => format!("the mail server answered {code}"),
        })
    }

    fn message(&self, letter: &Letter) -> Option<Message> {
        let millis = u64::try_from(letter.written_at.as_millis()).ok()?;
        let id = format!("<{}@{}>", letter.id, self.from.email.domain());
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, letter.to.parse().ok()?))
            .subject(letter.subject.clone())
            .date(UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(id))
            .header(AutoSubmitted)
            .header(header::ContentType::TEXT_PLAIN);
        message.body(letter.text.clone()).ok()
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let message =
            self.message(letter).ok_or_else(|| MailError::Refused("no message".into()))?;
        let sending = self.transport.send(message);
        match tokio::time::timeout(self.longest, sending).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(reduced(&error)),
            Err(_) => Err(MailError::Deferred("no answer in time".into())),
        }
    }

    async fn would_take(&self) -> Result<(), String> {
        self.try_connection().await
    }
}

/// Says what went wrong without a word of the server's.
fn reduced(error: &lettre::transport::smtp::Error) -> MailError {
    let code = error.status().map(u16::from);
    match code {
        Some(code) if ABOUT_US.contains(&code) => {
            MailError::Deferred(format!("the mail server does not let us in ({code})"))
        }
        Some(code) if error.is_permanent() => MailError::Refused(code.to_string()),
        Some(code) => MailError::Deferred(format!("the mail server answered {code}")),
        None if error.is_timeout() => MailError::Deferred("no answer in time".into()),
        None if is_about_tls(error) => {
            MailError::Deferred("no TLS with a trusted certificate".into())
        }
        None if error.is_client() => MailError::Deferred(
            "the mail server lacks something: STARTTLS or a way to log in".into(),
        ),
        None if error.is_response() => MailError::Deferred("an answer that is not SMTP".into()),
        None => MailError::Deferred("no connection".into()),
    }
}

/// Says whether TLS is what failed; while a connection is made, the error says so only within.
fn is_about_tls(error: &lettre::transport::smtp::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if within.is_some_and(|within| within.is::<rustls::Error>()) || error.is::<rustls::Error>()
        {
            return true;
        }
        cause = error.source();
    }
    error.is_tls()
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_loopback)
}

/// Tells machines that answer letters not to answer this one (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;

    fn config(host: &str, port: u16) -> SmtpConfig {
        SmtpConfig {
            host: host.to_owned(),
            port,
            credentials: None,
            trusted_pem: None,
            from: "PatchProof <codes@shop.example>".to_owned(),
            timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_open() {
        use SmtpSecurity::{Implicit, Plain, StartTls};
        for (host, port, expected) in [
            ("mail.shop.example", 587, StartTls),
            ("mail.shop.example", 25, StartTls),
            ("mail.shop.example", 465, Implicit),
            ("10.0.0.1", 25, StartTls),
            ("localhost.shop.example", 25, StartTls),
            ("127.0.0.1.shop.example", 25, StartTls),
            ("localhost", 25, Plain),
            ("127.0.0.2", 1025, Plain),
            ("::1", 25, Plain),
            ("[::1]", 25, Plain),
            ("localhost", 465, Implicit),
        ] {
            assert_eq!(config(host, port).security(), expected, "{host}:{port}");
        }
        let named = SmtpConfig { trusted_pem: Some(Vec::new()), ..config("localhost", 25) };
        assert_eq!(named.security(), StartTls);
    }

    #[test]
    fn a_letter_is_the_same_message_each_time() {
        let mailer = SmtpMailer::new(&config("localhost", 25)).unwrap();
        let letter = Letter {
            to: "ada@shop.example".into(),
            subject: "Your code".into(),
            text: "12345678\r\n".into(),
            written_at: Timestamp::from_secs(1_790_000_000),
            id: "0a1b".into(),
        };
        let text = String::from_utf8(mailer.message(&letter).unwrap().formatted()).unwrap();
        assert_eq!(text.as_bytes(), mailer.message(&letter).unwrap().formatted());
        for line in [
            "From: PatchProof <codes@shop.example>",
            "To: ada@shop.example",
            "Subject: Your code",
            "Message-ID: <0a1b@shop.example>",
            "Auto-Submitted: auto-generated",
            "Date: Mon, 21 Sep 2026 14:13:20 +0000",
            "12345678",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from\n{text}");
        }
        assert_eq!(format!("{letter:?}"), "***");
    }

    #[test]
    fn what_cannot_work_is_said_at_the_start() {
        let bad = SmtpConfig { from: "nobody".into(), ..config("localhost", 25) };
        assert_eq!(SmtpMailer::new(&bad).err(), Some(SmtpConfigError::Sender));
        let pem = Some(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----".to_vec());
        let bad = SmtpConfig { trusted_pem: pem, ..config("mail.shop.example", 587) };
        assert!(SmtpMailer::new(&bad).is_err());
    }
}
