//! Whom a limit counts for: 16 bytes, however long what a client sent.

use std::net::IpAddr;

use crate::auth::Bearer;
use crate::crypto::sha256;
use crate::http::edge::ClientAddress;

/// Whom a limit counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey(u128);

impl LimitKey {
    /// Counts for a text: a key's identifier, a mailbox.
    pub fn of_text(text: &str) -> Self {
        let mut short = [0u8; 16];
        short.copy_from_slice(&sha256(text.as_bytes())[..16]);
        Self(u128::from_be_bytes(short))
    }

    /// Counts for whom a token was issued to. Tokens that were taken back count apart from those issued
    /// since: who has stolen one uses up nothing of the person's.
    pub fn of_bearer(bearer: &Bearer) -> Self {
        Self::of_text(&format!("{} {}", bearer.epoch, bearer.subject.id))
    }

    /// Counts for where a request comes from: an IPv4 address, or the 64 bits of an IPv6 address that
    /// one customer of a provider is given.
    pub fn of_client(client: Option<&ClientAddress>) -> Self {
        match client {
            Some(ClientAddress::Network(address)) => Self::of_address(*address),
            // One machine, this one.
            Some(
                ClientAddress::Local
                | ClientAddress::Operator { .. }
                | ClientAddress::Stranger { .. },
            )
            | None => Self(0),
        }
    }

    /// Counts for 16 bytes that stand for somebody.
    pub const fn of_bytes(bytes: &[u8; 16]) -> Self {
        Self(u128::from_be_bytes(*bytes))
    }

    /// Returns the 16 bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    fn of_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() & !u128::from(u64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> LimitKey {
        LimitKey::of_client(Some(&ClientAddress::Network(address.parse().unwrap())))
    }

    #[test]
    fn an_ipv4_address_counts_alone_and_an_ipv6_address_with_its_network() {
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn g5_a_text_of_any_length_is_sixteen_bytes() {
        assert_eq!(size_of::<LimitKey>(), 16);
        assert_ne!(LimitKey::of_text(&"a".repeat(900_016)), LimitKey::of_text("a"));
    }
}
