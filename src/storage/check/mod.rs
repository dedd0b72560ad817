//! Whether everything stored agrees with everything else: the check behind `patchproof check`,
//! which tests also run on every store they leave behind.
//!
//! It reads one unchanging view and changes nothing. It holds at any moment between transactions,
//! also while jobs are under way; it trusts no index and no total, and recomputes what it can:
//! commitments, transaction identifiers, sums, links.
//!
//! | name | what must hold |
//! |---|---|
//! | I1 | no output is an input of two live transactions of ours |
//! | I2 | whatever was accepted is there: product, events without a gap, a job for each |
//! | I3 | one record, at most one live transaction; dead ones are listed |
//! | I4 | job, transaction, lease and custody head say the same |
//! | I5 | inputs are outputs and fee, for each transaction and for all; the fee is capped, and counted for its day |
//! | I6 | the bytes kept are the transaction they are kept as |
//! | I7 | the events of a product are one linked list, and its owner is the newest's |
//! | batch | leaves, members and roots of a batch are one tree; its transaction commits to the root |
//! | log | every event is in the log of all commitments once; the log is what was signed |
//! | I9 | nonces, login challenges, e-mail codes and idempotency keys count once |
//! | I15 | the audit trail is unbroken |
//! | import | the counts of an import are those of its rows; what it registered is there, once |
//! | chain | headers link and their work grows; proofs prove, those of the past did |
//! | index | every index row has its entity, and the other way round; totals are right |
//! | row | rows can be read and lie under their own key |

mod accounts;
mod batches;
mod chain;
mod claims;
mod custody;
mod email;
mod imports;
mod jobs;
mod ledger;
mod log;
mod money;
mod once;
mod restored;
#[cfg(test)]
mod tests;
mod treasury;

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use redb::ReadableTable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::storage::codec::decode;
use crate::storage::tables::count_rows;
use crate::storage::{StoreError, Tables, records};
use crate::types::RecordId;

pub use ledger::Ledger;

/// The most violations that a report lists; it counts all.
const MOST_LISTED: usize = 1000;

/// Something stored that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    /// The name of what should hold.
    pub invariant: &'static str,
    /// The row that breaks it.
    pub subject: String,
    /// How.
    pub detail: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CheckReport {
    /// Rows by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Where all money that ever came in is now.
    pub ledger: Ledger,
    /// How many violations there are.
    pub violation_count: u64,
    /// The first thousand of them.
    pub violations: Vec<Violation>,
}

impl CheckReport {
    /// Says whether nothing is wrong.
    pub const fn is_clean(&self) -> bool {
        self.violation_count == 0
    }

    fn add(&mut self, invariant: &'static str, subject: impl Display, detail: impl Into<String>) {
        self.violation_count += 1;
        if self.violations.len() < MOST_LISTED {
            let subject = subject.to_string();
            self.violations.push(Violation { invariant, subject, detail: detail.into() });
        }
    }

    /// Notes a violation unless `holds`.
    fn expect(
        &mut self,
        holds: bool,
        invariant: &'static str,
        subject: impl Display,
        detail: &str,
    ) {
        if !holds {
            self.add(invariant, subject, detail);
        }
    }
}

/// What must hold of everything that is stored.
type Rule<T> = fn(&T, &mut CheckReport) -> Result<(), StoreError>;

/// Counts all rows, so that a caller knows how long a check would take.
pub fn count_all_rows(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(count_rows(tables)?.values().sum())
}

/// Checks everything that is stored.
pub fn check(tables: &impl Tables) -> Result<CheckReport, StoreError> {
    Ok(check_watched(tables, &mut || true)?.unwrap_or_default())
}

/// Checks everything that is stored, a rule after the other, as long as `goes_on` says so; none where
/// it did not.
pub fn check_watched<T: Tables>(
    tables: &T,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Option<CheckReport>, StoreError> {
    let mut report = CheckReport { rows: count_rows(tables)?, ..CheckReport::default() };
    let rules: [Rule<T>; 30] = [
        custody::check_patches,
        custody::check_records,
        custody::check_erasures,
        jobs::check_jobs,
        jobs::check_leases,
        batches::check_batches,
        log::check_log,
        money::check_money,
        treasury::check_operations,
        treasury::check_fees,
        chain::check_chain,
        chain::check_proofs,
        chain::check_stale_proofs,
        restored::check_restored,
        once::check_challenges,
        once::check_idempotency,
        claims::check_claims,
        imports::check_imports,
        once::check_contents,
        once::check_svd_keys,
        once::check_api_keys,
        accounts::check_accounts,
        accounts::check_browser_keys,
        accounts::check_sessions,
        accounts::check_setup_links,
        email::check_email_codes,
        email::check_email_guesses,
        email::check_mails,
        once::check_settings,
        once::check_audit,
    ];
    for rule in rules {
        if !goes_on() {
            return Ok(None);
        }
        rule(tables, &mut report)?;
    }
    Ok(Some(report))
}

/// Checks that every record whose acceptance was acknowledged, as somebody else wrote down, exists.
pub fn check_acknowledged(
    tables: &impl Tables,
    ids: impl Iterator<Item = RecordId>,
) -> Result<CheckReport, StoreError> {
    let mut report = CheckReport { rows: count_rows(tables)?, ..CheckReport::default() };
    for id in ids {
        if readable(records::record(tables, id))?.is_none() {
            report.add("I2", id, "was acknowledged and is not stored");
        }
    }
    Ok(report)
}

/// Calls `visit` for every row that can be read, and reports those that cannot.
fn each_row<K: redb::Key + 'static, T: DeserializeOwned>(
    table: &impl ReadableTable<K, &'static [u8]>,
    name: &'static str,
    report: &mut CheckReport,
    mut visit: impl FnMut(K::SelfType<'_>, T, &mut CheckReport) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for row in table.iter()? {
        let (key, bytes) = row?;
        match decode(bytes.value(), name) {
            Ok(entity) => visit(key.value(), entity, report)?,
            Err(_) => report.add("row", Row(name, key.value()), "cannot be read"),
        }
    }
    Ok(())
}

/// Takes a row that cannot be read for one that is not there: the walk over its own table reports
/// it, whoever refers to it reports that it is missing.
fn readable<T>(looked_up: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match looked_up {
        Err(StoreError::Corrupt { .. }) => Ok(None),
        other => other,
    }
}

/// Names a row by its key.
struct Row<K>(&'static str, K);

impl<K: Debug> Display for Row<K> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:?}", self.0, self.1)
    }
}
