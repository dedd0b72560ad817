//! The labels that are there from the start, so that the first of a kind counts as a rise.
//!
//! A series that begins with 1 has risen by nothing, as Prometheus reckons: the first transaction that
//! is refused would set off no alert.

use crate::telemetry::Metrics;

/// What may come of sending a transaction.
const BROADCASTS: [&str; 7] =
    ["accepted", "already_known", "unknown", "conflict", "invalid", "fee_too_low", "orphan"];
/// How records are anchored.
const MODES: [&str; 2] = ["direct", "batch"];
/// What may become of a mail.
const MAILS: [&str; 5] = ["sent", "refused", "expired", "unreadable", "deferred"];
/// What may become of a code.
const CODES: [&str; 5] = ["requested", "accepted", "refused", "crowded", "over-budget"];

impl Metrics {
    /// Makes every series of a closed list, at zero.
    pub(super) fn start_at_zero(self) -> Self {
        let of = |name: &'static str, value: &'static str| [(name, value.to_owned())];
        for result in BROADCASTS {
            drop(self.broadcasts.get_or_create(&of("result", result)));
        }
        for mode in MODES {
            drop(self.anchored.get_or_create(&of("mode", mode)));
        }
        for result in MAILS {
            drop(self.mails.get_or_create(&of("result", result)));
        }
        for result in CODES {
            drop(self.email_codes.get_or_create(&of("result", result)));
        }
        // One that every process has, so that the family is there before the first request.
        drop(self.http_latency("GET", "/metrics", "2xx"));
        self
    }
}
