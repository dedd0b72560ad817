//! Rows of codes sent to mailboxes and of their mails on disk, by example.

use crate::auth::email_code::{ClientHash, CodeRequestId, MailboxHash};
use crate::storage::tests::stored_format::{NOW, assert_format};
use crate::storage::{EmailGuesses, StoredEmailCode, StoredMail};
use crate::types::Digest;

#[test]
fn format_of_a_code() {
    let code = StoredEmailCode {
        request: CodeRequestId::from_bytes([1; 16]),
        mailbox: MailboxHash::from_bytes([2; 16]),
        client: ClientHash::from_bytes([3; 16]),
        code: Digest::from_bytes([4; 32]),
        attempts: 5,
        created_at: NOW,
    };
    assert_format(
        &code,
        &[
            "01010101010101010101010101010101010202020202020202020202020202020203030303030303",
            "03030303030303030304040404040404040404040404040404040404040404040404040404040404",
            "040580a0abfef962",
        ],
    );
}

#[test]
fn format_of_guesses() {
    let guesses = EmailGuesses { count: 300, since: NOW, expires_at: NOW };
    assert_format(&guesses, &["01ac0280a0abfef96280a0abfef962"]);
}

#[test]
fn format_of_a_mail() {
    let mail = StoredMail {
        request: CodeRequestId::from_bytes([1; 16]),
        sealed: vec![1, 2, 3],
        attempts: 2,
        due_at: NOW,
        expires_at: NOW,
    };
    assert_format(&mail, &["0101010101010101010101010101010101030102030280a0abfef96280a0abfef962"]);
}
