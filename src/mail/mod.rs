//! The edge to mailboxes: letters, whoever sends them, and what may come of it.
//!
//! Guarantees that no error holds an address, a word of a letter or a word of the server's answer,
//! which often repeats the address: only what may stand in a log.

mod shown;
mod smtp;

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::types::Timestamp;

pub use shown::{NOT_SENT, ShownMailer};
pub use smtp::{SmtpConfig, SmtpConfigError, SmtpMailer, SmtpSecurity};

/// A letter to one mailbox; printed as `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The mailbox.
    pub to: String,
    /// What it is about, in one line.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// Tells it from every other letter, and is the same each time that it is sent, so that who gets
    /// it twice can tell.
    pub id: String,
}

impl fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Why a letter was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Nothing was decided about it: it may be tried again. It may have been sent all the same.
    #[error("the letter was not taken: {0}")]
    Deferred(String),
    /// It will never be taken.
    #[error("the letter was refused for good ({0})")]
    Refused(String),
}

/// Whoever sends letters.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one; when this returns, somebody else is responsible for it.
    async fn send(&self, letter: &Letter) -> Result<(), MailError>;

    /// Says whether one would be taken, without sending any, or in words of ours why not.
    async fn would_take(&self) -> Result<(), String>;
}
