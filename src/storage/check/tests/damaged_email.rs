//! Damage to codes sent to mailboxes, to counts of guesses and to mails.

use super::*;
use crate::auth::email_code::{CODE_TTL, ClientHash, CodeRequestId, MailboxHash};
use crate::storage::codec::encode;
use crate::storage::{EmailGuesses, StoredEmailCode, StoredMail};

const REQUEST: CodeRequestId = CodeRequestId::from_bytes([0xa1; 16]);
const MAILBOX: MailboxHash = MailboxHash::from_bytes([0xb2; 16]);
const CLIENT: ClientHash = ClientHash::from_bytes([0xc3; 16]);
const OTHER: [u8; 16] = [0xd4; 16];

fn code() -> StoredEmailCode {
    StoredEmailCode {
        request: REQUEST,
        mailbox: MAILBOX,
        client: CLIENT,
        code: Digest::from_bytes([4; 32]),
        attempts: 0,
        created_at: NOW,
    }
}

fn mail() -> StoredMail {
    let sealed = vec![1, 2, 3];
    StoredMail { request: REQUEST, sealed, attempts: 0, due_at: NOW, expires_at: NOW }
}

/// Adds one of each, each put twice: what was there before must leave no trace.
pub(super) fn add_mail(tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
    tx.put_email_code(&StoredEmailCode { created_at: Timestamp::from_millis(1), ..code() })?;
    tx.put_email_code(&code())?;
    tx.put_mail(&StoredMail { due_at: Timestamp::from_millis(1), ..mail() })?;
    tx.put_mail(&mail())?;
    for count in [1, 2] {
        let mut guesses = EmailGuesses::begin(Timestamp::from_millis(count), CODE_TTL);
        guesses.count = 1;
        tx.put_email_guesses(MAILBOX, CLIENT, &guesses)?;
    }
    Ok(())
}

fn sample() -> Sample {
    Sample::of(vec![(Way::Final, None)])
}

fn name(id: [u8; 16]) -> String {
    hex::encode(id)
}

#[test]
fn a_code_and_its_indexes_are_one_to_one() {
    let (request, mailbox, at) = (REQUEST.to_bytes(), MAILBOX.to_bytes(), NOW.as_millis());
    let over = NOW.plus(CODE_TTL).as_millis();
    let found = sample().damaged(move |tx| {
        tx.tables.email_codes_by_mailbox.remove((mailbox, at, request))?;
        tx.tables.email_codes_by_mailbox.insert((mailbox, at, OTHER), ())?;
        tx.tables.email_codes_by_expiry.remove((over, request))?;
        tx.tables.email_codes_by_expiry.insert((over + 1, request), ())?;
        Ok(())
    });
    let code = Row("e-mail code", name(request)).to_string();
    let expected = [
        violation("index", &code, "is not listed under its mailbox"),
        violation("I9", &code, "would never expire"),
        violation("index", Row("e-mail code by mailbox", name(OTHER)), "names no such code"),
        violation("I9", &code, "expires without being there"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_code_and_a_mail_lie_under_their_own_request() {
    let found = sample().damaged(|tx| {
        tx.tables.email_codes.insert(OTHER, encode(&code()).as_slice())?;
        tx.tables.mails.insert(OTHER, encode(&mail()).as_slice())?;
        Ok(())
    });
    let code = Row("e-mail code", name(OTHER)).to_string();
    let mail = Row("mail", name(OTHER)).to_string();
    let expected = [
        violation("row", &code, "under another key"),
        violation("index", &code, "is not listed under its mailbox"),
        violation("I9", &code, "would never expire"),
        violation("row", &mail, "under another key"),
        violation("index", &mail, "is not listed as due"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_count_of_guesses_and_its_end_are_one_to_one() {
    let (mailbox, client) = (MAILBOX.to_bytes(), CLIENT.to_bytes());
    let over = Timestamp::from_millis(2).plus(CODE_TTL).as_millis();
    let found = sample().damaged(move |tx| {
        tx.tables.email_guesses_by_expiry.remove((over, mailbox, client))?;
        tx.tables.email_guesses_by_expiry.insert((over, mailbox, OTHER), ())?;
        Ok(())
    });
    let expected = [
        violation("I9", Row("guesses", (name(mailbox), name(client))), "would never expire"),
        violation(
            "I9",
            Row("guesses", (name(mailbox), name(OTHER))),
            "expires without being there",
        ),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_mail_and_its_index_are_one_to_one() {
    let (request, at) = (REQUEST.to_bytes(), NOW.as_millis());
    let found = sample().damaged(move |tx| {
        tx.tables.mails_by_due.remove((at, request))?;
        tx.tables.mails_by_due.insert((at + 1, request), ())?;
        Ok(())
    });
    let expected = [
        violation("index", Row("mail", name(request)), "is not listed as due"),
        violation("index", Row("mail by due", name(request)), "names no such mail"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_code_that_logged_in_twice_shows() {
    let found = sample().damaged(|tx| {
        for _ in 0..2 {
            tx.append_audit(NOW, "email:x", "login.email:0a", "email:x")?;
        }
        Ok(())
    });
    assert_eq!(found, [violation("I9", "login.email:0a", "happened more than once")]);
}
