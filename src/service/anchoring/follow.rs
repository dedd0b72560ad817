//! Tells records what happened to the chain of headers: blocks that left it, blocks buried deep
//! enough to be final.

use crate::anchor::lifecycle::{Event, FINAL_CONFIRMATIONS, Job, Stage};
use crate::service::anchoring::AnchoringService;
use crate::service::anchoring::observe::confirmations;
use crate::storage::headers::{best_hash_at, chain_head, stale_depth};
use crate::storage::jobs::{expect_job, jobs_at_heights};
use crate::storage::{StoreError, Tables};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{RecordId, Timestamp};

/// Records told in one storage transaction.
const BATCH: usize = 256;

impl AnchoringService {
    /// Takes records back whose blocks left the best chain, from `lowest_changed` upwards, and makes
    /// final those that are buried. Safe to call again after a crash at any point.
    pub async fn follow_chain(
        &self,
        lowest_changed: u32,
        now: Timestamp,
    ) -> Result<FollowSummary, StoreError> {
        let (orphaned, buried) = self.store.read(|tx| {
            let orphaned = orphaned_from(tx, lowest_changed)?;
            // A chain that contradicts a checkpoint makes nothing final.
            let is_trusted = !self.anchors.is_contradicted(tx)?;
            let buried = if is_trusted { newly_final(tx, lowest_changed)? } else { Vec::new() };
            Ok::<_, StoreError>((orphaned, buried))
        })?;
        self.doubt_outside_spends(now).await?;
        let summary = FollowSummary { orphaned: orphaned.len(), finalised: buried.len() };
        for chunk in orphaned.chunks(BATCH) {
            self.tell(chunk.to_vec(), now).await?;
        }
        for chunk in buried.chunks(BATCH) {
            self.tell(chunk.to_vec(), now).await?;
        }
        Ok(summary)
    }

    async fn tell(&self, ids: Vec<RecordId>, now: Timestamp) -> Result<(), StoreError> {
        let service = self.clone();
        self.store
            .write(move |tx| {
                for id in &ids {
                    // Looked at again inside the transaction: it may have moved since.
                    let job = expect_job(tx, *id)?;
                    if let Some(event) = event_for(tx, &job)? {
                        service.apply_in(tx, *id, &[event], now)?;
                    }
                }
                Ok(())
            })
            .await
    }
}

/// How many records a change of the chain concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FollowSummary {
    /// Taken back.
    pub orphaned: usize,
    /// Made final.
    pub finalised: usize,
}

fn event_for(tables: &impl Tables, job: &Job) -> Result<Option<Event>, StoreError> {
    let (block, height) = match &job.stage {
        Stage::Mined { block, height, .. } | Stage::Final { block, height, .. } => {
            (*block, *height)
        }
        Stage::Accepted
        | Stage::Reserved
        | Stage::Signed { .. }
        | Stage::Seen { .. }
        | Stage::Held { .. }
        | Stage::Failed { .. } => return Ok(None),
    };
    let is_on_chain = best_hash_at(tables, height)? == Some(block);
    #[cfg(feature = "planted-bugs")]
    let is_on_chain = is_on_chain || Defect::IgnoreReorganisations.is_planted();
    if !is_on_chain {
        // Every block that leaves is written down with the depth, in the same transaction.
        let depth = stale_depth(tables, block)?.unwrap_or(1);
        return Ok(Some(Event::BlockOrphaned { depth }));
    }
    Ok(Some(Event::Buried { confirmations: confirmations(tables, height)? }))
}

fn orphaned_from(tables: &impl Tables, lowest: u32) -> Result<Vec<RecordId>, StoreError> {
    let mut orphaned = Vec::new();
    for job in jobs_at_heights(tables, lowest..=u32::MAX)? {
        if matches!(event_for(tables, &job)?, Some(Event::BlockOrphaned { .. })) {
            orphaned.push(job.id);
        }
    }
    Ok(orphaned)
}

/// Records that the change has buried deep enough: those below the top by the needed depth, down to
/// where the chain was when it last changed.
fn newly_final(tables: &impl Tables, lowest_changed: u32) -> Result<Vec<RecordId>, StoreError> {
    let top = chain_head(tables)?.map_or(0, |head| head.height);
    let Some(highest) = (top + 1).checked_sub(FINAL_CONFIRMATIONS) else { return Ok(Vec::new()) };
    let lowest = lowest_changed.saturating_sub(FINAL_CONFIRMATIONS);
    let jobs = jobs_at_heights(tables, lowest.min(highest)..=highest)?;
    Ok(jobs
        .into_iter()
        .filter(|job| matches!(job.stage, Stage::Mined { .. }))
        .map(|job| job.id)
        .collect())
}
