//! Shows letters in the log instead of sending them: for a developer who has no mail server.
//!
//! Never put together in production, where a missing mail server keeps the process from starting.

use async_trait::async_trait;

use crate::mail::{Letter, MailError, Mailer};

/// What such lines of the log are filed under.
pub const NOT_SENT: &str = "patchproof::mail_not_sent";

/// Shows letters in the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShownMailer;

#[async_trait]
impl Mailer for ShownMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        tracing::info!(
            target: NOT_SENT,
            to = letter.to,
            subject = letter.subject,
            text = letter.text,
            "SMTP_HOST is not set: shown here instead of being sent"
        );
        Ok(())
    }

    async fn would_take(&self) -> Result<(), String> {
        Ok(())
    }
}
