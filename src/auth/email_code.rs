//! The rules of codes sent to a mailbox: addresses, codes, and what is kept of either.
//!
//! A code is worth something only together with the request that it was drawn for. What is kept of
//! codes, mailboxes and clients are codes of authentication under keys derived from the master
//! secret: whoever has the store and not the secret learns neither who asked nor what was sent.
//! docs/EMAIL_CODES.md has the whole.

use std::fmt;
use std::time::Duration;

use lettre::Address;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{AeadKey, constant_time_eq, hkdf_sha256, hmac_sha256};
use crate::types::{Digest, Timestamp};

/// How long a code is good (OWASP ASVS 6.5.5 asks for 10 minutes at most).
pub const CODE_TTL: Duration = Duration::from_secs(600);
/// How often a code may be tried; the try after the last is refused whatever it says.
pub const MAX_ATTEMPTS: u32 = 5;
/// The most codes of one mailbox that are good at a time.
pub const MAX_LIVE_CODES: usize = 5;
/// How many wrong codes without a request one client may try in a mailbox within [`CODE_TTL`].
pub const MAX_GUESSES: u32 = 5;
/// How many wrong codes without a request all clients may try in a mailbox within [`GUESS_DAY`].
pub const MAX_GUESSES_OF_ALL: u32 = 100;
/// The window of [`MAX_GUESSES_OF_ALL`].
pub const GUESS_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest address (RFC 5321, section 4.5.3.1.3, without the angle brackets).
const MAX_ADDRESS_BYTES: usize = 254;
const LONG_CODE_BYTES: usize = 16;
const CODES: u32 = 100_000_000;
/// The numbers of 32 bits below this fall evenly on the codes.
const EVEN: u32 = u32::MAX / CODES * CODES;
/// How far ahead of ours the clock may be that dated a code: it is our own, before a restart.
const MAX_AHEAD: Duration = Duration::from_secs(5);
/// What the subject of a token from a mailbox begins with.
const SUBJECT_PREFIX: &str = "email:";
const CODE_PURPOSE: &[u8] = b"patchproof/email/code/v1";
const LONG_CODE_PURPOSE: &[u8] = b"patchproof/email/long-code/v1";
const IDENTIFIER_PURPOSE: &[u8] = b"patchproof/email/identifier/v1";
const SPOOL_PURPOSE: &[u8] = b"patchproof/email/spool/v1";

/// Text that is no address that mail could go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address such as ada@shop.example")]
pub struct MailboxParseError;

/// A mailbox, as mail is sent to it: the domain in lower-case ASCII, the rest as it was written.
///
/// Never printed: its [`fmt::Debug`] form is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox(Zeroizing<String>);

impl Mailbox {
    /// Reads an address; spaces around it do not count. Domains beyond ASCII are taken in their
    /// ASCII form, addresses of machines instead of domains and other letters before the `@` are not
    /// taken.
    pub fn parse(text: &str) -> Result<Self, MailboxParseError> {
        let text = text.trim();
        let address: Address = text.parse().map_err(|_| MailboxParseError)?;
        let Ok(url::Host::Domain(domain)) = url::Host::parse(address.domain()) else {
            return Err(MailboxParseError);
        };
        let normal = format!("{}@{domain}", address.user());
        let is_plain = normal.bytes().all(|byte| byte.is_ascii_graphic());
        let is_short = text.len() <= MAX_ADDRESS_BYTES && normal.len() <= MAX_ADDRESS_BYTES;
        // What the domain became must be an address as well.
        let is_address = normal.parse::<Address>().is_ok();
        let fits = is_plain && is_short && is_address;
        if fits { Ok(Self(Zeroizing::new(normal))) } else { Err(MailboxParseError) }
    }

    /// Returns the address itself, for the one place that sends.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// A mailbox as it is kept and logged: 16 bytes under our key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailboxHash([u8; 16]);

impl MailboxHash {
    /// Wraps stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns whom a token from this mailbox speaks for.
    pub fn subject(self) -> String {
        format!("{SUBJECT_PREFIX}{self}")
    }

    /// Reads the subject of such a token; nothing else is one.
    pub fn of_subject(subject: &str) -> Option<Self> {
        let mut bytes = [0u8; 16];
        hex::decode_to_slice(subject.strip_prefix(SUBJECT_PREFIX)?, &mut bytes).ok()?;
        let hash = Self(bytes);
        (hash.subject() == subject).then_some(hash)
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for MailboxHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// Where a request comes from, as it is kept: 16 bytes under our key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientHash([u8; 16]);

impl ClientHash {
    /// Stands for all clients together.
    pub const ALL: Self = Self([0; 16]);

    /// Wraps stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// A request for a code: 16 random bytes that only the requester is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CodeRequestId([u8; 16]);

impl CodeRequestId {
    /// Wraps 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Reads 32 hexadecimal digits; nothing else names a request.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for CodeRequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// A code: 8 decimal digits. Never printed by accident.
#[derive(Clone)]
pub struct EmailCode(Zeroizing<String>);

impl EmailCode {
    /// Draws a code, each of the 10^8 as likely as any other. `random` must be random; numbers that
    /// would make some codes likelier than others are drawn again.
    pub fn draw(mut random: impl FnMut() -> [u8; 4]) -> Self {
        loop {
            let number = u32::from_be_bytes(random());
            if number < EVEN {
                return Self(Zeroizing::new(format!("{:08}", number % CODES)));
            }
        }
    }

    /// Takes what somebody presents as a code; spaces in it do not count.
    pub fn presented(text: &str) -> Self {
        Self(Zeroizing::new(text.chars().filter(|letter| !letter.is_whitespace()).collect()))
    }

    /// Returns the digits, for the mail.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the long code that was presented in place of the digits, if it has the form of one.
    pub fn as_long(&self) -> Option<LongCode> {
        let digits = Zeroizing::new(self.0.replace('-', ""));
        let mut bytes = Zeroizing::new([0u8; LONG_CODE_BYTES]);
        hex::decode_to_slice(digits.as_bytes(), bytes.as_mut_slice()).ok()?;
        Some(LongCode(bytes))
    }
}

/// A code of 128 bits that a letter carries beside the digits, for an owner whose digits strangers have
/// used up the tries of. Never printed by accident.
#[derive(Clone)]
pub struct LongCode(Zeroizing<[u8; LONG_CODE_BYTES]>);

impl LongCode {
    /// Returns 32 hexadecimal digits in groups of four, for the mail.
    pub fn expose(&self) -> Zeroizing<String> {
        let groups: Vec<String> = self.0.chunks(2).map(hex::encode).collect();
        Zeroizing::new(groups.join("-"))
    }

    /// Compares two without telling by the time taken where they differ.
    pub fn is_same(&self, other: &Self) -> bool {
        constant_time_eq(self.0.as_slice(), other.0.as_slice())
    }
}

impl fmt::Debug for LongCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl fmt::Debug for EmailCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// What is derived from the master secret for codes.
#[derive(Clone)]
pub struct EmailKeys {
    code: Zeroizing<[u8; 32]>,
    long_code: Zeroizing<[u8; 32]>,
    identifier: Zeroizing<[u8; 32]>,
    spool: AeadKey,
}

impl EmailKeys {
    /// Derives the keys from the master secret.
    pub fn derive(master_secret: &[u8]) -> Self {
        let derive = |purpose| hkdf_sha256(master_secret, b"", purpose);
        Self {
            code: Zeroizing::new(derive(CODE_PURPOSE)),
            long_code: Zeroizing::new(derive(LONG_CODE_PURPOSE)),
            identifier: Zeroizing::new(derive(IDENTIFIER_PURPOSE)),
            spool: AeadKey::new(derive(SPOOL_PURPOSE)),
        }
    }

    /// Returns what is kept of a mailbox.
    pub fn mailbox(&self, mailbox: &Mailbox) -> MailboxHash {
        MailboxHash(self.short(b"mailbox", mailbox.expose().as_bytes()))
    }

    /// Returns what limits count a mailbox by. Upper and lower case are one here, though mail is sent
    /// as it was written: hardly any server tells them apart, and a limit that did would be none.
    pub fn budget(&self, mailbox: &Mailbox) -> [u8; 16] {
        let folded = Zeroizing::new(mailbox.expose().to_ascii_lowercase());
        self.short(b"budget", folded.as_bytes())
    }

    /// Returns what is kept of where a request comes from.
    pub fn client(&self, block: &[u8; 16]) -> ClientHash {
        ClientHash(self.short(b"client", block))
    }

    /// Returns what is kept of a code, bound to its request and mailbox.
    pub fn code(&self, request: CodeRequestId, mailbox: MailboxHash, code: &EmailCode) -> Digest {
        let message = Zeroizing::new([&request.0, &mailbox.0, code.0.as_bytes()].concat());
        Digest::from_bytes(hmac_sha256(self.code.as_slice(), &message))
    }

    /// Returns the long code of a request's letter. Whoever has it has read the letter: it is not in the
    /// answer to the request, is kept nowhere, and cannot be guessed.
    pub fn long_code(&self, request: CodeRequestId, mailbox: MailboxHash) -> LongCode {
        let code = hmac_sha256(self.long_code.as_slice(), &[request.0, mailbox.0].concat());
        let mut short = Zeroizing::new([0u8; LONG_CODE_BYTES]);
        short.copy_from_slice(&code[..LONG_CODE_BYTES]);
        LongCode(short)
    }

    /// Returns the key of mails that wait.
    pub const fn spool(&self) -> &AeadKey {
        &self.spool
    }

    fn short(&self, kind: &[u8], bytes: &[u8]) -> [u8; 16] {
        let code = hmac_sha256(self.identifier.as_slice(), &[kind, &[0], bytes].concat());
        let mut short = [0u8; 16];
        short.copy_from_slice(&code[..16]);
        short
    }
}

/// Says whether a code that was drawn at `created_at` and tried `attempts` times may be tried again.
/// A code that lies in the future was drawn before the clock was set back, and is as good as over.
pub fn is_live(created_at: Timestamp, attempts: u32, now: Timestamp) -> bool {
    created_at <= now.plus(MAX_AHEAD) && now < created_at.plus(CODE_TTL) && attempts < MAX_ATTEMPTS
}

/// Compares what is kept of two codes without telling by the time taken where they differ.
pub fn is_same_code(kept: &Digest, presented: &Digest) -> bool {
    constant_time_eq(kept.as_bytes(), presented.as_bytes())
}

#[cfg(test)]
mod tests;
