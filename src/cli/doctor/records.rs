//! Records that wait, and those that have stopped.

use std::time::Duration;

use crate::cli::doctor::finding::Findings;
use crate::cli::store::ReadStore;
use crate::service::records::{StageName, list_records};
use crate::storage::jobs::job_totals;
use crate::storage::{ReadTx, StoreError};
use crate::types::Timestamp;

const LATE: Duration = Duration::from_secs(3600);
const WAITING: [StageName; 3] = [StageName::Accepted, StageName::Reserved, StageName::Signed];

struct Waiting {
    held: u64,
    failed: u64,
    pending: u64,
    oldest: Option<(Timestamp, Option<String>)>,
}

/// Looks at records that are not on the chain.
pub(super) fn examine(store: &ReadStore, now: Timestamp, findings: &mut Findings) {
    const CHECK: &str = "records";
    let waiting = match store.read(read) {
        Ok(waiting) => waiting,
        Err(error) => return findings.fail(CHECK, error.to_string(), "restore a backup"),
    };
    let Waiting { held, failed, pending, oldest } = waiting;
    match oldest {
        None => findings.ok(CHECK, "none waits for the network"),
        Some((since, problem)) if now.since(since) > LATE => {
            let minutes = now.since(since).as_secs() / 60;
            let why = problem.map(|problem| format!(" ({problem})")).unwrap_or_default();
            findings.warn(
                CHECK,
                format!("{pending} wait for the network, the oldest for {minutes} minutes{why}"),
                "see whether the server runs, and what is said of signer, network and pool",
            );
        }
        Some(_) => findings.ok(CHECK, format!("{pending} wait for the network, none for long")),
    }
    if held > 0 {
        findings.warn(
            "held records",
            format!("{held} have stopped until somebody acts"),
            "patchproof records list says why; then patchproof records recover --all",
        );
    }
    if failed > 0 {
        findings.warn(
            "failed records",
            format!("{failed} were refused for good"),
            "patchproof records list says why; patchproof records recover --stage failed takes up \
             those that can be",
        );
    }
}

fn read(tx: &ReadTx) -> Result<Waiting, StoreError> {
    let totals = job_totals(tx)?;
    let count = |stage: StageName| {
        totals.iter().filter(|(it, _)| *it == stage).map(|(_, count)| count).sum::<u64>()
    };
    let mut oldest: Option<(Timestamp, Option<String>)> = None;
    for stage in WAITING {
        for record in list_records(tx, stage, None, 1)?.items {
            let accepted = record.job.accepted_at;
            if oldest.as_ref().is_none_or(|(since, _)| accepted < *since) {
                oldest = Some((accepted, record.problem()));
            }
        }
    }
    let pending = WAITING.into_iter().map(count).sum();
    Ok(Waiting { held: count(StageName::Held), failed: count(StageName::Failed), pending, oldest })
}
