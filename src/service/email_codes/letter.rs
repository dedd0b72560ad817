//! The letter that carries a code.

use crate::auth::email_code::{CODE_TTL, EmailCode, LongCode, Mailbox};
use crate::crypto::random_bytes;
use crate::mail::Letter;
use crate::types::Timestamp;

/// Writes the letter. It has no address to follow: people who expect links in such letters follow
/// those of others.
pub(super) fn code_letter(
    mailbox: &Mailbox,
    code: &EmailCode,
    long_code: &LongCode,
    now: Timestamp,
) -> Letter {
    let minutes = CODE_TTL.as_secs() / 60;
    let text = format!(
        "Your code is {}\r\n\r\n\
         It is good for {minutes} minutes and can be used once. Type it where you asked for it and \
         nowhere else; nobody who works for us will ask you for it.\r\n\r\n\
         If it is not accepted, because somebody else tried codes for this mailbox, type this one \
         in its place:\r\n\r\n{}\r\n\r\n\
         If you did not ask for a code, you need not do anything: without this letter nobody can log \
         in.\r\n",
        code.expose(),
        long_code.expose().as_str()
    );
    Letter {
        to: mailbox.expose().to_owned(),
        // Not in the subject: previews on locked screens show it.
        subject: "Your login code".to_owned(),
        text,
        written_at: now,
        id: hex::encode(random_bytes::<16>()),
    }
}
