//! What an operator is told about our chain of headers.

use crate::anchor::lifecycle::{HeldReason, Stage};
use crate::service::headers::{Anchored, ChainTrust, HeaderService};
use crate::service::readiness::HeadersObservation;
use crate::storage::jobs::{job_totals, jobs_in_stage};
use crate::storage::{StageName, StoreError, Tables};

/// Held records looked at to see why they are.
const MOST_HELD: usize = 1_000;

impl HeaderService {
    /// Says what there is to know and to look into about the chain of headers.
    pub fn observe(&self) -> Result<HeadersObservation, StoreError> {
        self.store.read(|tx| {
            let trust = self.anchors.judge(tx)?;
            let held = held_by_reorganisation(tx)?;
            Ok(HeadersObservation {
                contradiction: contradiction(&trust),
                alarm: (held > 0).then(|| {
                    format!(
                        "{held} records are held after a reorganisation deeper than 7 blocks; make \
                         sure that the network endpoint tells the truth, then recover them"
                    )
                }),
                warning: warning(&trust),
            })
        })
    }
}

fn contradiction(trust: &ChainTrust) -> Option<String> {
    let judged = trust.contradiction()?;
    let voucher = judged.voucher.as_str();
    Some(format!(
        "our chain of headers has another block than the one that is vouched for ({voucher}) at \
         height {}; nothing counts as mined until that is settled",
        judged.checkpoint.height
    ))
}

fn warning(trust: &ChainTrust) -> Option<String> {
    let lowest = trust.lowest.filter(|_| trust.anchored == Some(Anchored::FirstContact))?;
    let way = match trust.backfill_target() {
        Some(target) => format!("it is being linked down to the checkpoint at {}", target.height),
        None => "give a checkpoint: HEADER_CHECKPOINTS".to_owned(),
    };
    Some(format!(
        "the chain of headers is trusted on first contact: nothing vouches for its block at height \
         {lowest}; {way}"
    ))
}

fn held_by_reorganisation(tables: &impl Tables) -> Result<usize, StoreError> {
    let are_none = job_totals(tables)?.contains(&(StageName::Held, 0));
    if are_none {
        return Ok(0);
    }
    let held = jobs_in_stage(tables, StageName::Held, None, MOST_HELD)?;
    let deep = held.iter().filter(|job| {
        matches!(job.stage, Stage::Held { reason: HeldReason::DeepReorganisation, .. })
    });
    Ok(deep.count())
}
