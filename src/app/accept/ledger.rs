//! How many connections there are, and from whom.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::accept::{ConnectionLimits, counted_address};
use crate::config::AddressRange;
use crate::http::edge::ClientAddress;

/// The count of all open connections.
#[derive(Debug)]
pub(super) struct Ledger {
    total: usize,
    per_address: usize,
    per_proxy: usize,
    proxies: Vec<AddressRange>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    ledger: Arc<Ledger>,
    address: Option<IpAddr>,
}

impl Ledger {
    /// Starts with no connections.
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        Self {
            total: limits.total,
            per_address: limits.per_address,
            per_proxy: limits.per_proxy,
            proxies: limits.proxies.clone(),
            counts: Mutex::default(),
        }
    }

    /// Starts with no handshakes under way.
    pub(super) fn of_handshakes(limits: &ConnectionLimits) -> Self {
        Self {
            total: limits.handshakes,
            per_address: limits.handshakes_per_address,
            per_proxy: limits.handshakes,
            proxies: limits.proxies.clone(),
            counts: Mutex::default(),
        }
    }

    /// Lets a connection in if there is room for it.
    pub(super) fn enter(self: &Arc<Self>, from: ClientAddress) -> Option<Seat> {
        let address = counted_address(from);
        let mut counts = self.counts();
        if counts.total >= self.total {
            return None;
        }
        if let Some(address) = address {
            let count = counts.by_address.entry(address).or_default();
            if *count >= self.limit_of(from) {
                return None;
            }
            *count += 1;
        }
        counts.total += 1;
        drop(counts);
        Some(Seat { ledger: Arc::clone(self), address })
    }

    fn limit_of(&self, from: ClientAddress) -> usize {
        match from {
            ClientAddress::Local
            | ClientAddress::Operator { .. }
            | ClientAddress::Stranger { .. } => self.total,
            ClientAddress::Network(address)
                if address.is_loopback()
                    || self.proxies.iter().any(|range| range.contains(address)) =>
            {
                self.per_proxy
            }
            ClientAddress::Network(_) => self.per_address,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // The counts are whole after every statement, so a panic elsewhere cannot spoil them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.ledger.counts();
        counts.total = counts.total.saturating_sub(1);
        let Some(address) = self.address else {
            return;
        };
        if let Some(count) = counts.by_address.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> ClientAddress {
        ClientAddress::Network(address.parse().unwrap())
    }

    fn ledger() -> Arc<Ledger> {
        let proxies = ["192.0.2.9", "198.51.100.0/24"].map(|text| text.parse().unwrap()).into();
        let limits = ConnectionLimits {
            total: 6,
            per_address: 2,
            per_proxy: 4,
            proxies,
            ..ConnectionLimits::default()
        };
        Arc::new(Ledger::new(&limits))
    }

    #[test]
    fn one_address_has_only_its_share() {
        let ledger = ledger();
        let first = ledger.enter(from("192.0.2.1"));
        let second = ledger.enter(from("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(ledger.enter(from("192.0.2.1")).is_none());
        assert!(ledger.enter(from("192.0.2.2")).is_some());
        drop(first);
        assert!(ledger.enter(from("192.0.2.1")).is_some());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let ledger = ledger();
        let _seats = ["2001:db8::1", "2001:db8::2"].map(|text| ledger.enter(from(text)).unwrap());
        assert!(ledger.enter(from("2001:db8::3")).is_none());
        assert!(ledger.enter(from("2001:db8:0:1::3")).is_some());
    }

    #[test]
    fn proxies_and_this_machine_have_a_larger_share() {
        for address in ["192.0.2.9", "198.51.100.77", "127.0.0.1", "::1"] {
            let ledger = ledger();
            let seats: Vec<_> = (0..6).filter_map(|_| ledger.enter(from(address))).collect();
            assert_eq!(seats.len(), 4, "{address}");
        }
    }

    #[test]
    fn the_total_holds_for_everyone_and_nothing_is_kept_afterwards() {
        let ledger = ledger();
        let seats: Vec<_> = (0..9).filter_map(|_| ledger.enter(ClientAddress::Local)).collect();
        assert_eq!(seats.len(), 6);
        assert!(ledger.enter(from("192.0.2.1")).is_none());
        drop(seats);
        drop(ledger.enter(from("192.0.2.1")));
        assert!(ledger.counts().by_address.is_empty());
        assert_eq!(ledger.counts().total, 0);
    }
}
