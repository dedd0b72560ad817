//! Codes sent to mailboxes, guesses at them, and mails that wait, each against its indexes.

use redb::ReadableTable;

use crate::auth::email_code::{ClientHash, CodeRequestId, MailboxHash};
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::codec::decode;
use crate::storage::{
    EmailGuesses, StoreError, StoredEmailCode, StoredMail, Tables, email_codes, mails,
};

/// Checks codes against their indexes.
pub(super) fn check_email_codes(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let table = tables.email_codes();
    each_row(table, "e-mail code", report, |key, it: StoredEmailCode, report| {
        let subject = Row("e-mail code", hex::encode(key));
        report.expect(key == it.request.to_bytes(), "row", &subject, "under another key");
        let place = (it.mailbox.to_bytes(), it.created_at.as_millis(), key);
        let is_listed = tables.email_codes_by_mailbox().get(place)?.is_some();
        report.expect(is_listed, "index", &subject, "is not listed under its mailbox");
        let expiry = (it.expires_at().as_millis(), key);
        let expires = tables.email_codes_by_expiry().get(expiry)?.is_some();
        report.expect(expires, "I9", &subject, "would never expire");
        Ok(())
    })?;
    for row in tables.email_codes_by_mailbox().iter()? {
        let (mailbox, at, request) = row?.0.value();
        let stored = readable(email_codes::email_code(tables, CodeRequestId::from_bytes(request)))?;
        let holds = stored
            .is_some_and(|it| (it.mailbox.to_bytes(), it.created_at.as_millis()) == (mailbox, at));
        let subject = Row("e-mail code by mailbox", hex::encode(request));
        report.expect(holds, "index", subject, "names no such code");
    }
    for row in tables.email_codes_by_expiry().iter()? {
        let (at, request) = row?.0.value();
        let stored = readable(email_codes::email_code(tables, CodeRequestId::from_bytes(request)))?;
        let holds = stored.is_some_and(|it| it.expires_at().as_millis() == at);
        let subject = Row("e-mail code", hex::encode(request));
        report.expect(holds, "I9", subject, "expires without being there");
    }
    Ok(())
}

/// Checks counts of guesses against their index.
pub(super) fn check_email_guesses(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let name = |mailbox: [u8; 16], client: [u8; 16]| {
        let (mailbox, client) = (MailboxHash::from_bytes(mailbox), ClientHash::from_bytes(client));
        Row("guesses", (mailbox.to_string(), hex::encode(client.to_bytes())))
    };
    each_row(tables.email_guesses(), "guesses", report, |key, it: EmailGuesses, report| {
        let (mailbox, client) = key;
        let expiry = (it.expires_at.as_millis(), mailbox, client);
        let expires = tables.email_guesses_by_expiry().get(expiry)?.is_some();
        report.expect(expires, "I9", name(mailbox, client), "would never expire");
        Ok(())
    })?;
    for row in tables.email_guesses_by_expiry().iter()? {
        let (at, mailbox, client) = row?.0.value();
        let bytes = tables.email_guesses().get((mailbox, client))?;
        let stored = bytes.map(|bytes| decode::<EmailGuesses>(bytes.value(), "guesses"));
        let holds = readable(stored.transpose())?.is_some_and(|it| it.expires_at.as_millis() == at);
        report.expect(holds, "I9", name(mailbox, client), "expires without being there");
    }
    Ok(())
}

/// Checks mails against their index.
pub(super) fn check_mails(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.mails(), "mail", report, |key, it: StoredMail, report| {
        let subject = Row("mail", hex::encode(key));
        report.expect(key == it.request.to_bytes(), "row", &subject, "under another key");
        let is_due = tables.mails_by_due().get((it.due_at.as_millis(), key))?.is_some();
        report.expect(is_due, "index", &subject, "is not listed as due");
        Ok(())
    })?;
    for row in tables.mails_by_due().iter()? {
        let (at, request) = row?.0.value();
        let stored = readable(mails::mail(tables, CodeRequestId::from_bytes(request)))?;
        let holds = stored.is_some_and(|it| it.due_at.as_millis() == at);
        let subject = Row("mail by due", hex::encode(request));
        report.expect(holds, "index", subject, "names no such mail");
    }
    Ok(())
}
