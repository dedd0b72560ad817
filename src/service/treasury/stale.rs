//! Taking back what jobs hold that have signed nothing for a while.
//!
//! Age alone frees nothing: a signed transaction may be mined at any time, and its inputs stay with it
//! until it is proved dead, when they return by themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::anchor::lifecycle::Stage;
use crate::service::treasury::TreasuryService;
use crate::storage::jobs::job;
use crate::storage::utxos::list_utxos;
use crate::storage::{StageName, StoreError, Tables};
use crate::types::{OutPoint, RecordId, Satoshis, Timestamp};
use crate::wallet::utxo::{Utxo, UtxoState, UtxoStatus};

/// The most held outputs that are looked at.
const MOST_LOOKED_AT: usize = 10_000;

/// Which leases count as stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleLimits {
    /// How long the job has been at its stage at least.
    pub older_than: Duration,
    /// The most outputs to take back.
    pub limit: usize,
}

/// What becomes of a held output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleLease {
    /// The output.
    pub outpoint: OutPoint,
    /// Its amount.
    pub value: Satoshis,
    /// The job that holds it.
    pub job: RecordId,
    /// Whether it is taken back.
    pub is_freed: bool,
    /// Why, or why not.
    pub reason: String,
}

impl TreasuryService {
    /// Takes back the outputs of stale leases, unless it is a dry run, and says of every held output
    /// what becomes of it.
    pub async fn unlock_stale(
        &self,
        limits: StaleLimits,
        actor: &str,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<Vec<StaleLease>, StoreError> {
        if dry_run {
            return self.store.read(|tx| judge_all(tx, limits, now));
        }
        let (service, actor) = (self.clone(), actor.to_owned());
        let (judged, applied) = self
            .store
            .write(move |tx| {
                let judged = judge_all(tx, limits, now)?;
                let freed = judged.iter().filter(|it| it.is_freed);
                let jobs: BTreeSet<RecordId> = freed.map(|it| it.job).collect();
                let mut applied = Vec::new();
                for id in jobs {
                    applied.push(service.anchoring.revoke_lease_in(tx, id, now)?);
                    tx.append_audit(now, &actor, "utxo.unlock-stale", &id.to_string())?;
                }
                Ok::<_, StoreError>((judged, applied))
            })
            .await?;
        applied.iter().for_each(|it| self.anchoring.announce(it));
        Ok(judged)
    }
}

fn judge_all(
    tables: &impl Tables,
    limits: StaleLimits,
    now: Timestamp,
) -> Result<Vec<StaleLease>, StoreError> {
    let mut judged = Vec::new();
    let mut freed = 0;
    for held in list_utxos(tables, UtxoStatus::Locked, MOST_LOOKED_AT)? {
        let UtxoState::Locked { by } = held.state else { continue };
        let (is_stale, reason) = judge(tables, by, limits.older_than, now)?;
        let is_freed = is_stale && freed < limits.limit;
        freed += usize::from(is_freed);
        let reason = if is_stale && !is_freed { "the limit is reached".into() } else { reason };
        judged.push(lease_of(&held, by, is_freed, reason));
    }
    Ok(judged)
}

fn lease_of(held: &Utxo, by: RecordId, is_freed: bool, reason: String) -> StaleLease {
    StaleLease { outpoint: held.outpoint, value: held.value, job: by, is_freed, reason }
}

fn judge(
    tables: &impl Tables,
    by: RecordId,
    older_than: Duration,
    now: Timestamp,
) -> Result<(bool, String), StoreError> {
    let Some(job) = job(tables, by)? else {
        return Ok((false, "its job is missing; run patchproof check".into()));
    };
    let age = now.since(job.stage_since);
    let stage = StageName::of(&job.stage).as_str();
    Ok(match &job.stage {
        Stage::Reserved | Stage::Held { txid: None, .. } if age >= older_than => {
            (true, format!("nothing was signed for it in {} minutes", age.as_secs() / 60))
        }
        Stage::Reserved | Stage::Held { txid: None, .. } => {
            (false, format!("its job has been {stage} for {} minutes only", age.as_secs() / 60))
        }
        Stage::Signed { txid } | Stage::Held { txid: Some(txid), .. } => {
            (false, format!("{txid} is signed, spends it and may still be mined"))
        }
        Stage::Accepted
        | Stage::Seen { .. }
        | Stage::Mined { .. }
        | Stage::Final { .. }
        | Stage::Failed { .. } => {
            (false, format!("its job is {stage} and should hold nothing; run patchproof check"))
        }
    })
}
