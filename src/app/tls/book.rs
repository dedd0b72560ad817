//! What is known of the certificate in use, told to metrics, `/ready` and the overview.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::CertificateFacts;
use crate::service::readiness::Observations;
use crate::telemetry::Metrics;
use crate::types::{Clock, Timestamp};

/// The longest time before its end at which a certificate is complained of.
const LONGEST_WARNING: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is good for a while.
    Good,
    /// It should have been renewed by now.
    EndsSoon,
    /// It is over.
    Over,
    /// It is not valid yet, or this machine's clock is wrong.
    NotYet,
}

/// Judges a certificate: two weeks before its end, or a quarter of its life if that is shorter, a
/// new one should be there.
pub fn standing(facts: &CertificateFacts, now: Timestamp) -> Standing {
    let warning = (facts.not_after.since(facts.not_before) / 4).min(LONGEST_WARNING);
    if now < facts.not_before {
        Standing::NotYet
    } else if now >= facts.not_after {
        Standing::Over
    } else if now.plus(warning) >= facts.not_after {
        Standing::EndsSoon
    } else {
        Standing::Good
    }
}

/// What is known of the certificate in use.
pub struct CertificateBook {
    metrics: Arc<Metrics>,
    observations: Observations,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<CertificateFacts>>,
}

impl CertificateBook {
    /// Starts without a certificate.
    pub fn new(metrics: Arc<Metrics>, observations: Observations, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, observations, clock, held: Mutex::default() }
    }

    /// Notes which certificate is in use from now on.
    pub(super) fn holds(&self, facts: CertificateFacts) {
        let (until, names) = (facts.not_after, facts.names.join(", "));
        tracing::info!(%until, names, "the certificate in use");
        self.metrics.tls.set_expiry(facts.not_after.as_secs());
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts);
        self.observations.note_warning("certificate renewal", None);
        self.look();
    }

    /// Notes that there is no new one, and why. What is in use goes on.
    pub(super) fn failed(&self, source: &'static str, reason: &str) {
        tracing::warn!(reason, "there is no new certificate; what is in use goes on");
        self.metrics.tls.count_failure(source);
        let warning = format!("there is no new certificate: {reason}");
        self.observations.note_warning("certificate renewal", Some(warning));
    }

    /// Looks how long the one in use is still good.
    pub(super) fn look(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let warning = match held {
            None => Some("there is no certificate yet: nobody can come in over HTTPS".to_owned()),
            Some(facts) => complaint(&facts, self.clock.now()),
        };
        if let (Some(text), true) =
            (warning.clone(), self.observations.note_warning("certificate", warning))
        {
            tracing::warn!("{text}");
        }
    }

    /// Returns how long the one in use is meant to stay: two thirds of its life.
    pub(super) fn until_renewal(&self) -> Duration {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map_or(Duration::ZERO, |facts| {
            let third = facts.not_after.since(facts.not_before) / 3;
            facts.not_after.minus(third).since(self.clock.now())
        })
    }
}

fn complaint(facts: &CertificateFacts, now: Timestamp) -> Option<String> {
    let (from, until) = (facts.not_before, facts.not_after);
    match standing(facts, now) {
        Standing::Good => None,
        Standing::EndsSoon => Some(format!("the certificate ends at {until}: renew it")),
        Standing::Over => Some(format!("the certificate ended at {until}: renew it")),
        Standing::NotYet => Some(format!("the certificate is valid from {from} only")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn after(days: i64, life: i64) -> Standing {
        let facts = CertificateFacts {
            names: Vec::new(),
            not_before: Timestamp::from_secs(0),
            not_after: Timestamp::from_secs(life * DAY),
        };
        standing(&facts, Timestamp::from_secs(days * DAY))
    }

    #[test]
    fn a_certificate_should_be_renewed_two_weeks_or_a_quarter_of_its_life_before_its_end() {
        assert_eq!([after(75, 90), after(76, 90)], [Standing::Good, Standing::EndsSoon]);
        assert_eq!([after(350, 365), after(351, 365)], [Standing::Good, Standing::EndsSoon]);
        assert_eq!([after(5, 8), after(6, 8)], [Standing::Good, Standing::EndsSoon]);
        assert_eq!([after(-1, 90), after(90, 90)], [Standing::NotYet, Standing::Over]);
    }

    #[test]
    fn what_is_wrong_is_told_and_taken_back() {
        let clock = Arc::new(crate::types::ManualClock::new(Timestamp::from_secs(0)));
        let (metrics, seen) = (Arc::new(Metrics::new()), Observations::default());
        let book =
            CertificateBook::new(Arc::clone(&metrics), seen.clone(), Arc::clone(&clock) as _);
        book.look();
        assert!(seen.warnings()[0].contains("no certificate yet"), "{:?}", seen.warnings());
        let until = |days| CertificateFacts {
            names: vec!["a.example".into()],
            not_before: Timestamp::from_secs(0),
            not_after: Timestamp::from_secs(days * DAY),
        };
        book.holds(until(90));
        assert_eq!(seen.warnings(), Vec::<String>::new());
        assert!(metrics.prometheus().contains("tls_certificate_expiry_timestamp_seconds 7776000"));
        book.failed("files", "planted");
        assert!(seen.warnings()[0].contains("planted"));
        assert!(metrics.prometheus().contains(r#"failures_total{source="files"} 1"#));
        clock.advance(Duration::from_secs(80 * 86_400));
        book.look();
        assert_eq!(seen.warnings().len(), 2, "{:?}", seen.warnings());
        book.holds(until(170));
        assert_eq!(seen.warnings(), Vec::<String>::new());
    }
}
