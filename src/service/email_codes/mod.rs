//! Logins by a code sent to a mailbox: codes drawn and sent, presented, counted.
//!
//! The code, its mail and its audit line are stored in one transaction. A try is counted in the
//! transaction that compares, so that nobody learns an outcome that was not counted. Whoever asks,
//! and for whichever mailbox, gets the same answer. docs/EMAIL_CODES.md has the states.

mod letter;
mod spool;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::email_code::{
    CODE_TTL, ClientHash, CodeRequestId, EmailCode, EmailKeys, GUESS_DAY, LongCode, MAX_GUESSES,
    MAX_GUESSES_OF_ALL, MAX_LIVE_CODES, Mailbox, MailboxHash, is_live, is_same_code,
};
use crate::auth::token::{Grant, TokenError, TokenKeys};
use crate::auth::{Subject, TokenScope};
use crate::crypto::random_bytes;
use crate::service::persons::Persons;
use crate::service::registration::Wake;
use crate::storage::email_codes::{email_code, email_codes_of, email_guesses};
use crate::storage::mails::mail_hour;
use crate::storage::{
    EmailGuesses, MailHour, Store, StoreError, StoredEmailCode, StoredMail, WriteTx,
};
use crate::telemetry::Metrics;
use crate::types::Timestamp;

use letter::code_letter;

pub use spool::{DeliveryReport, MailSpool};

/// How long a token from a code is valid (B9).
pub const EMAIL_TOKEN_TTL: Duration = Duration::from_secs(15 * 60);

/// A code that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EmailCodeError {
    /// Wrong, unknown, expired, used or tried too often: nobody is told which.
    #[error("the code was not accepted")]
    NotAccepted,
    /// The token cannot be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

/// What somebody presents to log in.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The mailbox.
    pub mailbox: Mailbox,
    /// The code, as it was typed.
    pub code: EmailCode,
    /// The request that it was sent for; older clients do not name it.
    pub request: Option<CodeRequestId>,
    /// Where it comes from: the 16 bytes that limits count.
    pub client_block: [u8; 16],
}

/// What became of a request for a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// A code is on its way.
    Sent,
    /// The mailbox has as many codes as it may have, all asked for from elsewhere.
    Crowded,
    /// The mails of this hour are used up.
    OverBudget {
        /// Whether this is the first that was withheld.
        is_first: bool,
    },
}

/// Logs people in by codes.
#[derive(Clone)]
pub struct EmailCodeService {
    /// The store.
    pub store: Store,
    /// What is kept of codes and mailboxes, and how.
    pub keys: EmailKeys,
    /// Signs tokens.
    pub tokens: Arc<TokenKeys>,
    /// The most mails in an hour, to all mailboxes together.
    pub max_mails_per_hour: u64,
    /// Says that a mail waits.
    pub wake: Wake,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Knows how often tokens were taken back.
    pub persons: Persons,
}

impl EmailCodeService {
    /// Draws a code and has it sent; returns what names the request, whatever became of it.
    pub async fn request(
        &self,
        mailbox: &Mailbox,
        client_block: &[u8; 16],
        now: Timestamp,
    ) -> Result<CodeRequestId, EmailCodeError> {
        let request = CodeRequestId::from_bytes(random_bytes());
        let code = EmailCode::draw(random_bytes::<4>);
        let hash = self.keys.mailbox(mailbox);
        let row = StoredEmailCode {
            request,
            mailbox: hash,
            client: self.keys.client(client_block),
            code: self.keys.code(request, hash, &code),
            attempts: 0,
            created_at: now,
        };
        let letter = code_letter(mailbox, &code, &self.keys.long_code(request, hash), now);
        let mail = StoredMail {
            request,
            sealed: spool::seal(&self.keys, request, &letter),
            attempts: 0,
            due_at: now,
            expires_at: row.expires_at(),
        };
        let most = self.max_mails_per_hour;
        let taken = self.store.write(move |tx| take(tx, &row, &mail, most, now)).await?;
        self.note(taken, hash);
        Ok(request)
    }

    /// Checks a code and returns a token; a code is good once.
    pub async fn submit(
        &self,
        presented: Presented,
        now: Timestamp,
    ) -> Result<String, EmailCodeError> {
        let mailbox = self.keys.mailbox(&presented.mailbox);
        let (keys, persons) = (self.keys.clone(), self.persons.clone());
        let epoch = self
            .store
            .write(move |tx| {
                let code = &presented.code;
                let is_right = match (code.as_long(), presented.request) {
                    (Some(long), _) => try_long(tx, &keys, mailbox, &long, now)?,
                    (None, Some(request)) => try_named(tx, &keys, request, mailbox, code, now)?,
                    (None, None) => {
                        let client = keys.client(&presented.client_block);
                        try_unnamed(tx, &keys, (mailbox, client), code, now)?
                    }
                };
                let epoch = || persons.epoch(tx, &mailbox.subject());
                is_right.then(epoch).transpose()
            })
            .await?;
        let Some(epoch) = epoch else {
            self.metrics.count_email_code("refused");
            self.metrics.logins_failed.inc();
            return Err(EmailCodeError::NotAccepted);
        };
        self.metrics.count_email_code("accepted");
        self.metrics.jwt_success.inc();
        let subject = Subject { id: mailbox.subject(), scope: TokenScope::Email };
        let jti = hex::encode(random_bytes::<16>());
        let grant = Grant { subject, epoch, jti, svd_proof: None, ttl: EMAIL_TOKEN_TTL };
        Ok(self.tokens.grant(&grant, now)?)
    }

    fn note(&self, taken: Taken, mailbox: MailboxHash) {
        match taken {
            Taken::Sent => {
                self.metrics.count_email_code("requested");
                self.metrics.logins_begun.inc();
                tracing::info!(%mailbox, "a code is to be sent");
                (self.wake)();
            }
            Taken::Crowded => {
                self.metrics.count_email_code("crowded");
                tracing::info!(%mailbox, "no code is sent: the mailbox has enough that are good");
            }
            Taken::OverBudget { is_first } => {
                self.metrics.count_email_code("over-budget");
                if is_first {
                    let most = self.max_mails_per_hour;
                    tracing::warn!(
                        most,
                        "the mails of this hour are used up: no codes are sent until the next \
                         (MAIL_MAX_PER_HOUR)"
                    );
                }
            }
        }
    }
}

/// Stores a code and its mail, if there is room for both. Either way something is written, so that the
/// time taken does not tell.
fn take(
    tx: &mut WriteTx<'_>,
    code: &StoredEmailCode,
    mail: &StoredMail,
    most: u64,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let hour = mail_hour(tx, now)?;
    let withheld = MailHour { withheld: hour.withheld.saturating_add(1), ..hour };
    if hour.taken >= most {
        tx.count_mail(now, withheld)?;
        return Ok(Taken::OverBudget { is_first: hour.withheld == 0 });
    }
    let live = live_codes(tx, code.mailbox, now)?;
    if live.len() >= MAX_LIVE_CODES {
        // Only who asked for a code may have it replaced: a stranger's request voids nothing.
        let Some(own) = live.iter().find(|it| it.client == code.client) else {
            tx.count_mail(now, withheld)?;
            return Ok(Taken::Crowded);
        };
        tx.remove_email_code(own.request)?;
        tx.remove_mail(own.request)?;
    }
    tx.put_email_code(code)?;
    tx.put_mail(mail)?;
    tx.count_mail(now, MailHour { taken: hour.taken.saturating_add(1), ..hour })?;
    tx.append_audit(now, "anybody", "email.request", &code.mailbox.subject())?;
    Ok(Taken::Sent)
}

/// Returns the codes of a mailbox that may still be tried, oldest first.
fn live_codes(
    tx: &WriteTx<'_>,
    mailbox: MailboxHash,
    now: Timestamp,
) -> Result<Vec<StoredEmailCode>, StoreError> {
    let mut codes = email_codes_of(tx, mailbox)?;
    codes.retain(|code| is_live(code.created_at, code.attempts, now));
    Ok(codes)
}

/// Tries a code for the request that it was sent for, and says whether it is right. A request that is unknown, or another mailbox's, changes nothing.
fn try_named(
    tx: &mut WriteTx<'_>,
    keys: &EmailKeys,
    request: CodeRequestId,
    mailbox: MailboxHash,
    presented: &EmailCode,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let kept = email_code(tx, request)?.filter(|it| it.mailbox == mailbox);
    let Some(mut kept) = kept.filter(|it| is_live(it.created_at, it.attempts, now)) else {
        return Ok(false);
    };
    kept.attempts = kept.attempts.saturating_add(1);
    tx.put_email_code(&kept)?;
    if !is_same_code(&kept.code, &keys.code(request, mailbox, presented)) {
        return Ok(false);
    }
    accept(tx, &kept, now)
}

/// Tries the long code of a letter against every letter of a mailbox that is not over, however often
/// its digits were tried. Tries are not counted, because guessing 128 bits is hopeless: so nobody can
/// use them up, and whoever reads the mailbox gets in whoever had the letter sent.
fn try_long(
    tx: &mut WriteTx<'_>,
    keys: &EmailKeys,
    mailbox: MailboxHash,
    presented: &LongCode,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut right = None;
    for kept in email_codes_of(tx, mailbox)? {
        let is_right = keys.long_code(kept.request, mailbox).is_same(presented);
        if is_right && is_live(kept.created_at, 0, now) {
            right = Some(kept);
        }
    }
    right.map_or(Ok(false), |kept| accept(tx, &kept, now))
}

/// Tries a code against every code of a mailbox, for clients that do not name the request. Wrong ones
/// count for the client, and together for all clients, and never for a code: nobody can use up the
/// tries of whoever asked.
fn try_unnamed(
    tx: &mut WriteTx<'_>,
    keys: &EmailKeys,
    (mailbox, client): (MailboxHash, ClientHash),
    presented: &EmailCode,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let count = |tx: &WriteTx<'_>, client, window| -> Result<EmailGuesses, StoreError> {
        let known = email_guesses(tx, mailbox, client, now)?;
        Ok(known.unwrap_or_else(|| EmailGuesses::begin(now, window)))
    };
    let mut own = count(tx, client, CODE_TTL)?;
    let mut all = count(tx, ClientHash::ALL, GUESS_DAY)?;
    if own.count >= MAX_GUESSES || all.count >= MAX_GUESSES_OF_ALL {
        return Ok(false);
    }
    let live = live_codes(tx, mailbox, now)?;
    // Every code is compared, wherever the right one lies.
    let right = live.iter().fold(None, |right, it| {
        let is_right = is_same_code(&it.code, &keys.code(it.request, mailbox, presented));
        if is_right { Some(it) } else { right }
    });
    if let Some(kept) = right {
        return accept(tx, kept, now);
    }
    own.count = own.count.saturating_add(1);
    tx.put_email_guesses(mailbox, client, &own)?;
    if !live.is_empty() {
        all.count = all.count.saturating_add(1);
        tx.put_email_guesses(mailbox, ClientHash::ALL, &all)?;
    }
    Ok(false)
}

/// Uses a code up, with its mail.
fn accept(
    tx: &mut WriteTx<'_>,
    code: &StoredEmailCode,
    now: Timestamp,
) -> Result<bool, StoreError> {
    tx.remove_email_code(code.request)?;
    tx.remove_mail(code.request)?;
    let name = code.mailbox.subject();
    tx.append_audit(now, &name, &format!("login.email:{}", code.request), &name)?;
    Ok(true)
}
