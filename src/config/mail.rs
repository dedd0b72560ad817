//! Mail: the server that takes it, and how much there may be.

use std::path::PathBuf;

use crate::config::reader::Reader;
use crate::config::secret::Secret;
use crate::config::secrets::read_foreign;
use crate::config::variable::{Kind, Required, Variable};

pub(super) const SMTP_HOST: Variable = Variable::new(
    "SMTP_HOST",
    Kind::Text,
    "mail.shop.example",
    "The mail server through which login codes are sent. Outside production codes are shown in the log \
     if it is not set.",
)
.required(Required::InProduction);

pub(super) const SMTP_PORT: Variable = Variable::new(
    "SMTP_PORT",
    Kind::Integer { least: 1, most: 65_535 },
    "587",
    "Its port. On 465 TLS begins with the first byte; on every other STARTTLS is demanded, unless the \
     server is this machine and SMTP_CA_FILE is not set.",
)
.or("587");

pub(super) const SMTP_USER: Variable = Variable::new(
    "SMTP_USER",
    Kind::Text,
    "codes@shop.example",
    "Whom we are to the mail server, if it asks.",
);

pub(super) const SMTP_PASS: Variable = Variable::new(
    "SMTP_PASS",
    Kind::Secret,
    "/etc/patchproof/smtp_pass",
    "The password of SMTP_USER.",
);

pub(super) const SMTP_CA_FILE: Variable = Variable::new(
    "SMTP_CA_FILE",
    Kind::Path,
    "/etc/patchproof/mail-ca.pem",
    "Certificates in PEM form that the mail server's must come from, instead of the system's.",
);

pub(super) const EMAIL_FROM: Variable = Variable::new(
    "EMAIL_FROM",
    Kind::Sender,
    "Shop <codes@shop.example>",
    "Whom mails are from. The mail server must be allowed to send for its domain.",
)
.required(Required::InProduction);

pub(super) const MAIL_MAX_PER_HOUR: Variable = Variable::new(
    "MAIL_MAX_PER_HOUR",
    Kind::Integer { least: 1, most: 1_000_000 },
    "600",
    "How many mails are sent in an hour of the clock, to all mailboxes together. Beyond it requests for \
     codes are answered as always and nothing is sent.",
)
.or("600");

/// How mail is sent.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// How mails leave.
    pub delivery: MailDelivery,
    /// The most mails in an hour.
    pub max_per_hour: u64,
}

/// How mails leave.
#[derive(Debug, Clone)]
pub enum MailDelivery {
    /// Through a server.
    Server(MailServer),
    /// Not at all: they are shown in the log. Never in production.
    Shown,
    /// Not from this process, which is a command's and not the server.
    Left,
}

/// A server that takes mail.
#[derive(Debug, Clone)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, Secret)>,
    /// Certificates that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Whom mails are from.
    pub from: String,
}

impl MailSettings {
    /// Reads how mail is sent; a process that does not serve sends none, and is not asked for a server.
    pub(super) fn read(reader: &mut Reader<'_>, serves: bool) -> Self {
        let host = reader.text(&SMTP_HOST);
        let port = reader.number(&SMTP_PORT);
        let user = reader.text(&SMTP_USER);
        let password = read_foreign(reader, &SMTP_PASS);
        let ca_file = reader.parsed(&SMTP_CA_FILE, |text| Some(PathBuf::from(text)));
        let from = reader.parsed(&EMAIL_FROM, |text| {
            text.parse::<lettre::message::Mailbox>().ok().map(|_| text.to_owned())
        });
        if serves {
            reader.demand(&SMTP_HOST, host.is_some());
            reader.demand(&EMAIL_FROM, from.is_some());
        }
        if user.is_some() && password.is_none() && !reader.is_faulty(&SMTP_PASS) {
            reader.problem(&SMTP_PASS, "a password, since SMTP_USER is set");
        }
        if user.is_none() && password.is_some() {
            reader.warn("SMTP_PASS is set without SMTP_USER and changes nothing");
        }
        if host.is_some() && from.is_none() && !reader.is_faulty(&EMAIL_FROM) {
            reader.problem(&EMAIL_FROM, EMAIL_FROM.kind.expected());
        }
        if host.is_none() && !reader.is_production && serves {
            reader.warn(
                "SMTP_HOST is not set: login codes are shown in the log instead of being sent",
            );
        }
        let max_per_hour = reader.integer(&MAIL_MAX_PER_HOUR).unwrap_or_default();
        let credentials = user.zip(password);
        let delivery = match host.zip(from) {
            _ if !serves => MailDelivery::Left,
            Some((host, from)) => {
                MailDelivery::Server(MailServer { host, port, credentials, ca_file, from })
            }
            None => MailDelivery::Shown,
        };
        Self { delivery, max_per_hour }
    }
}
