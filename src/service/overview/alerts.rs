//! What an operator should look into, each under a stable code and with what to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::chain::BreakerState;
use crate::service::overview::Overview;
use crate::service::readiness::{AMPLE_FREE, LEAST_FREE, ReadinessService};
use crate::storage::{StageName, StoreHealth};
use crate::types::Timestamp;

const MIB: u64 = 1024 * 1024;
/// A record that the network has not taken for so long waits for something.
const LONG_UNANCHORED_SECS: u64 = 15 * 60;

/// How bad it is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something does not work.
    Critical,
    /// It works, and will not for ever.
    Warning,
    /// Worth knowing.
    Notice,
}

impl Severity {
    /// Returns the word for answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// Something that an operator should look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What kind it is; stable.
    pub code: &'static str,
    /// What it is about, where there may be several of a kind.
    pub subject: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter.
    pub text: String,
    /// What to do.
    pub remedy: &'static str,
    /// Since when it has been noticed by this process.
    pub since: Timestamp,
}

type Key = (&'static str, Option<String>);

/// Since when each alert holds; clones share it.
#[derive(Debug, Clone, Default)]
pub struct AlertBook(Arc<Mutex<BTreeMap<Key, Timestamp>>>);

impl AlertBook {
    /// Dates what was found, forgets what was not, and puts the worst first.
    pub(super) fn dated(&self, mut found: Vec<Alert>, now: Timestamp) -> Vec<Alert> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = BTreeMap::new();
        for alert in &mut found {
            let key = (alert.code, alert.subject.clone());
            alert.since = book.get(&key).copied().unwrap_or(now);
            held.insert(key, alert.since);
        }
        *book = held;
        drop(book);
        found.sort_by_key(|alert| alert.severity);
        found
    }
}

/// Collects what was found.
struct Finder {
    now: Timestamp,
    found: Vec<Alert>,
}

impl Finder {
    fn add(&mut self, code: &'static str, severity: Severity, text: String, remedy: &'static str) {
        let since = self.now;
        self.found.push(Alert { code, subject: None, severity, text, remedy, since });
    }

    fn about(mut self, subject: String) -> Self {
        if let Some(newest) = self.found.last_mut() {
            newest.subject = Some(subject);
        }
        self
    }
}

/// Returns what there is to look into, not dated yet.
pub(super) fn found(
    overview: &Overview,
    readiness: &ReadinessService,
    now: Timestamp,
) -> Vec<Alert> {
    let mut finder = Finder { now, found: Vec::new() };
    store(&mut finder, readiness, overview);
    finder = outside(finder, readiness);
    money(&mut finder, overview);
    records(&mut finder, overview);
    warned(finder, readiness).found
}

fn store(finder: &mut Finder, readiness: &ReadinessService, overview: &Overview) {
    let remedy = "make room on its disk; what was accepted is safe and can be read";
    match readiness.store_health() {
        StoreHealth::Writable => {}
        StoreHealth::Full => {
            let text = "the disk is full: nothing new is accepted".to_owned();
            finder.add("storage-full", Severity::Critical, text, remedy);
        }
        StoreHealth::Failing => {
            let text = "the store cannot be written to: nothing new is accepted".to_owned();
            finder.add("storage-failing", Severity::Critical, text, "look at its disk and the log");
        }
    }
    if let Some(reason) = readiness.fence.reason() {
        let text = format!("the restored store sends nothing: {reason}");
        finder.add("fenced", Severity::Critical, text, "read `patchproof restore status`");
    }
    let Some(disk) = overview.disk else { return };
    if disk.free < AMPLE_FREE {
        let severity = if disk.free < LEAST_FREE { Severity::Critical } else { Severity::Warning };
        let text = format!("{} MiB are free on the disk of the store", disk.free / MIB);
        finder.add("disk-low", severity, text, "make room, or move the data folder");
    }
}

/// Signer, network and headers, as last seen.
fn outside(mut finder: Finder, readiness: &ReadinessService) -> Finder {
    let seen = &readiness.observations;
    if let Some(failure) = seen.signer().failure {
        let text = format!("the signer: {failure}");
        let remedy = "start the signer or mend the way to it; records wait and none is lost";
        finder.add("signer-away", Severity::Critical, text, remedy);
    }
    if let Some(failure) = seen.network().failure {
        let text = format!("the network: {failure}");
        let remedy = "look at the endpoints; records wait and none is lost";
        finder.add("network-away", Severity::Critical, text, remedy);
    }
    for endpoint in readiness.endpoints.snapshot(finder.now) {
        if endpoint.state == BreakerState::Open {
            let name = endpoint.name.as_str();
            let why = endpoint.failure.unwrap_or_else(|| "it asked for a pause".to_owned());
            let remedy = "it is tried again by itself; if it stays so, look at its address and key";
            let text = format!("{name} is left alone: {why}");
            finder.add("endpoint-open", Severity::Warning, text, remedy);
            finder = finder.about(name.to_owned());
        }
    }
    let headers = seen.headers();
    if let Some(text) = headers.contradiction {
        let remedy = "find out whether the checkpoint or the network endpoint is wrong";
        finder.add("headers-contradiction", Severity::Critical, text, remedy);
    }
    if let Some(text) = headers.alarm {
        let remedy =
            "make sure that the network endpoint tells the truth, then recover the records";
        finder.add("deep-reorganisation", Severity::Critical, text, remedy);
    }
    if let Some(text) = headers.warning {
        let remedy = "set HEADER_CHECKPOINTS, or add a checkpoint that you know to be true";
        finder.add("headers-unvouched", Severity::Notice, text, remedy);
    }
    finder
}

fn money(finder: &mut Finder, overview: &Overview) {
    let runway = &overview.runway;
    if runway.value == 0 {
        let text = "the pool is empty: no record can be anchored".to_owned();
        finder.add("pool-empty", Severity::Critical, text, "fund the pool's address");
    } else if let Some(days) = runway.days_left.ok().filter(|_| runway.is_short()) {
        let text = format!("the pool lasts {days} more days at the rate of the last seven");
        finder.add("runway-low", Severity::Warning, text, "fund the pool's address");
    }
    if runway.waiting_for_money > 0 {
        let text = format!("{} records find nothing to pay with", runway.waiting_for_money);
        finder.add("records-unpaid", Severity::Warning, text, "fund the pool or have it split");
    }
    if runway.is_capped {
        let text = format!("fees of {} satoshis are signed for today", runway.fees_today);
        let remedy = "what is new waits until tomorrow, or raise MAX_FEE_PER_DAY_SATS";
        finder.add("fee-cap", Severity::Warning, text, remedy);
    }
}

fn records(finder: &mut Finder, overview: &Overview) {
    let held = overview.in_stage(StageName::Held);
    if held > 0 {
        let text = format!("{held} records wait for an operator");
        finder.add("records-held", Severity::Warning, text, "see why each does, then recover them");
    }
    let oldest = overview.runway.oldest_unanchored_secs.unwrap_or(0);
    if oldest > LONG_UNANCHORED_SECS {
        let text = format!("the oldest record has waited {} minutes for the network", oldest / 60);
        finder.add("anchoring-late", Severity::Warning, text, "look at signer, network and pool");
    }
}

/// What was warned of elsewhere; money is judged here, from newer numbers.
fn warned(mut finder: Finder, readiness: &ReadinessService) -> Finder {
    for (subject, text) in readiness.observations.warned() {
        if subject == "backup" {
            let remedy = "make one now; if that fails, look at BACKUP_DIR and its disk";
            finder.add("backup-late", Severity::Warning, text, remedy);
        } else if !matches!(subject, "runway" | "fee cap") {
            finder.add("trouble", Severity::Warning, text, "see the log for more");
            finder = finder.about(subject.to_owned());
        }
    }
    for (number, text) in readiness.warnings.iter().enumerate() {
        let remedy = "change the configuration if that is not what you want";
        finder.add("configuration", Severity::Notice, text.clone(), remedy);
        finder = finder.about(number.to_string());
    }
    finder
}
