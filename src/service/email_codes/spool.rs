//! Mails that wait: each is sent until somebody takes it or its code is over.
//!
//! A mail is deleted when it was taken, was refused for good, or is of no use any more. One whose
//! answer was lost is sent again and may arrive twice, as the same message.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;

use crate::auth::email_code::{CodeRequestId, EmailKeys};
use crate::mail::{Letter, MailError, Mailer};
use crate::storage::mails::{due_mails, mail, next_mail_due};
use crate::storage::{Store, StoreError, StoredMail};
use crate::telemetry::Metrics;
use crate::types::{Clock, Timestamp};

/// Mails that are looked at together.
const BATCH: usize = 32;
/// Mails that are on their way together.
const AT_ONCE: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Sends what waits.
#[derive(Clone)]
pub struct MailSpool {
    /// The store.
    pub store: Store,
    /// Opens mails.
    pub keys: EmailKeys,
    /// Sends them.
    pub mailer: Arc<dyn Mailer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Mails that were taken though the store could not note it; they must not be sent again.
    pub sent: Arc<Mutex<HashSet<CodeRequestId>>>,
}

/// How a round went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryReport {
    /// Mails that were taken.
    pub sent: usize,
    /// Why a mail was not taken and has to wait, of the last such one.
    pub trouble: Option<String>,
    /// When the next mail is due.
    pub next_due: Option<Timestamp>,
}

/// What became of one mail.
enum Fate {
    Sent,
    Refused,
    Expired,
    Unreadable,
    Deferred(String),
}

impl Fate {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Unreadable => "unreadable",
            Self::Deferred(_) => "deferred",
        }
    }
}

/// Encrypts a letter, bound to its request.
pub(super) fn seal(keys: &EmailKeys, request: CodeRequestId, letter: &Letter) -> Vec<u8> {
    let plain = zeroize::Zeroizing::new(
        serde_json::to_vec(letter).expect("a letter has only strings and numbers"),
    );
    keys.spool().seal(&plain, &request.to_bytes())
}

impl MailSpool {
    /// Sends what is due, each mail once.
    pub async fn deliver(&self) -> Result<DeliveryReport, StoreError> {
        let now = self.clock.now();
        let due = self.store.read(|tx| due_mails(tx, now, BATCH))?;
        let fates: Vec<Result<Fate, StoreError>> = stream::iter(due)
            .map(|mail| self.handle(mail))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut report = DeliveryReport::default();
        for fate in fates {
            match fate? {
                Fate::Sent => report.sent += 1,
                Fate::Deferred(reason) => report.trouble = Some(reason),
                Fate::Refused | Fate::Expired | Fate::Unreadable => {}
            }
        }
        report.next_due = self.store.read(next_mail_due)?;
        Ok(report)
    }

    async fn handle(&self, mail: StoredMail) -> Result<Fate, StoreError> {
        let request = mail.request;
        let was_sent = self.sent().contains(&request);
        let fate = if was_sent { Fate::Sent } else { self.attempt(&mail).await };
        if !was_sent {
            self.metrics.count_mail(fate.as_str());
        }
        match &fate {
            Fate::Deferred(reason) => {
                tracing::warn!(reason, attempts = mail.attempts + 1, "a mail waits");
                self.put_off(mail).await?;
            }
            Fate::Sent => {
                // Remembered before it is stored: a disk that fails now must not have it sent again.
                self.sent().insert(request);
                self.forget(request).await?;
                self.sent().remove(&request);
            }
            Fate::Refused | Fate::Expired | Fate::Unreadable => self.forget(request).await?,
        }
        Ok(fate)
    }

    async fn attempt(&self, mail: &StoredMail) -> Fate {
        if self.clock.now() >= mail.expires_at {
            tracing::warn!(attempts = mail.attempts, "a mail was not sent while its code was good");
            return Fate::Expired;
        }
        let plain = self.keys.spool().open(&mail.sealed, &mail.request.to_bytes());
        let plain = plain.map(zeroize::Zeroizing::new).ok();
        let letter = plain.and_then(|plain| serde_json::from_slice::<Letter>(&plain).ok());
        let Some(letter) = letter else {
            tracing::error!("a mail does not open: was MASTER_SECRET changed? It is deleted");
            return Fate::Unreadable;
        };
        match self.mailer.send(&letter).await {
            Ok(()) => Fate::Sent,
            Err(MailError::Deferred(reason)) => Fate::Deferred(reason),
            Err(MailError::Refused(code)) => {
                tracing::info!(code, "a mail was refused for good");
                Fate::Refused
            }
        }
    }

    async fn forget(&self, request: CodeRequestId) -> Result<(), StoreError> {
        self.store.write(move |tx| tx.remove_mail(request)).await
    }

    /// Has a mail tried again later; not if its code was used or replaced meanwhile.
    async fn put_off(&self, tried: StoredMail) -> Result<(), StoreError> {
        let pause = FIRST_PAUSE.saturating_mul(1 << tried.attempts.min(16)).min(LONGEST_PAUSE);
        let due_at = self.clock.now().plus(pause).min(tried.expires_at);
        self.store
            .write(move |tx| {
                let Some(waiting) = mail(tx, tried.request)? else { return Ok(()) };
                let attempts = tried.attempts.saturating_add(1);
                tx.put_mail(&StoredMail { attempts, due_at, ..waiting })
            })
            .await
    }

    fn sent(&self) -> MutexGuard<'_, HashSet<CodeRequestId>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
