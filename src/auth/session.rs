//! The rules of sessions and one-time links: what a browser holds, and until when it opens anything.
//!
//! Both are 256 bits at random of which only SHA-256 is kept: whoever has the store can present
//! neither.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::crypto::sha256;
use crate::types::{Digest, Timestamp};

/// After how long without use a session ends.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long after the login it ends at the latest.
pub const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);
/// How often at most it is noted that a session was used.
pub const NOTE_USE_EVERY: Duration = Duration::from_secs(60);
/// How long a one-time link is good.
pub const LINK_TTL: Duration = Duration::from_secs(30 * 60);
/// The most sessions of one account; the one used longest ago goes when there would be more.
pub const MAX_SESSIONS: usize = 20;

/// The digits that name a session in lists.
const ID_BYTES: usize = 8;

/// 32 random bytes that open something: a session, or a one-time link. Never printed by accident.
#[derive(Clone)]
pub struct Ticket(Zeroizing<[u8; 32]>);

impl Ticket {
    /// Wraps 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what somebody presents: 64 lower-case hexadecimal digits, in no other form.
    pub fn parse(text: &str) -> Option<Self> {
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut bytes = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(text, bytes.as_mut_slice()).ok().filter(|()| is_lower)?;
        Some(Self(bytes))
    }

    /// Writes it down, for the one time that it is handed out.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// Returns what is kept of it: SHA-256.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(sha256(self.0.as_slice()))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Names a session in lists and addresses: the first 8 bytes of the hash of its ticket, which open
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; ID_BYTES]);

impl SessionId {
    /// Names the session whose ticket has this hash.
    pub fn of(digest: &Digest) -> Self {
        let mut short = [0u8; ID_BYTES];
        short.copy_from_slice(&digest.as_bytes()[..ID_BYTES]);
        Self(short)
    }

    /// Reads 16 lower-case hexadecimal digits; nothing else names a session.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; ID_BYTES];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let id = Self(bytes);
        (id.to_string() == text).then_some(id)
    }
}

/// 16 lower-case hexadecimal digits.
impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// Returns when a session ends that began and was used last at these times, if it is not used again.
pub fn ends_at(began: Timestamp, used: Timestamp) -> Timestamp {
    used.plus(IDLE).min(began.plus(ABSOLUTE))
}

/// Says whether such a session still opens anything.
pub fn is_live(began: Timestamp, used: Timestamp, now: Timestamp) -> bool {
    now < ends_at(began, used)
}

/// Says whether a use of a session at `now` is to be noted, when the last one was noted at `used`.
pub fn is_use_noted(used: Timestamp, now: Timestamp) -> bool {
    now.since(used) >= NOTE_USE_EVERY
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn later(secs: u64) -> Timestamp {
        BEGAN.plus(Duration::from_secs(secs))
    }

    #[test]
    fn a_session_ends_by_rest_and_by_age() {
        assert!(is_live(BEGAN, BEGAN, BEGAN));
        assert!(is_live(BEGAN, BEGAN, later(1_799)));
        assert!(!is_live(BEGAN, BEGAN, later(1_800)));
        assert!(is_live(BEGAN, later(1_000), later(2_799)));
        // Whoever never rests has to log in again after half a day.
        assert!(is_live(BEGAN, later(43_199), later(43_199)));
        assert!(!is_live(BEGAN, later(43_199), later(43_200)));
        assert_eq!(ends_at(BEGAN, later(43_000)), later(43_200));
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        assert!(!is_use_noted(BEGAN, later(59)));
        assert!(is_use_noted(BEGAN, later(60)));
        assert!(!is_use_noted(later(60), BEGAN), "a clock that was set back");
    }

    #[test]
    fn a_ticket_is_read_back_in_one_form_and_never_printed() {
        let ticket = Ticket::new([0xcd; 32]);
        let text = ticket.expose();
        assert_eq!(Ticket::parse(&text).unwrap().digest(), ticket.digest());
        assert_eq!(format!("{ticket:?}"), "***");
        for bad in [text.to_uppercase(), text[1..].to_owned(), format!("{}0", *text), String::new()]
        {
            assert!(Ticket::parse(&bad).is_none(), "{bad}");
        }
        let id = SessionId::of(&ticket.digest());
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        assert!(!text.contains(&id.to_string()));
        assert_eq!(SessionId::parse("ABABABABABABABAB"), None);
    }
}
