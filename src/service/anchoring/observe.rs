//! Looking for transactions in blocks. Claims become facts only with a Merkle path that ends in a
//! header of our own best chain.

use crate::anchor::lifecycle::{Effect, Event, Job, Sighting, Stage};
use crate::bitcoin::MerklePath;
use crate::chain::{ChainError, ChainTracker, TransactionStatus};
use crate::service::anchoring::apply::Applied;
use crate::service::anchoring::{AnchoringService, LOOK_BATCH};
use crate::service::headers::TrustAnchors;
use crate::storage::headers::{best_hash_at, chain_head, header};
use crate::storage::jobs::{expect_job, jobs_in_stage};
use crate::storage::{StageName, Store, StoreError, Tables};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{BlockHash, RecordId, Timestamp, Txid};

const CONTRADICTED: &str =
    "our headers contradict a checkpoint, and prove nothing until that is settled";

/// A transaction's place in our best chain, proved.
pub(in crate::service) struct Proved {
    pub(in crate::service) block: BlockHash,
    pub(in crate::service) height: u32,
    pub(in crate::service) confirmations: u32,
    pub(in crate::service) path: MerklePath,
}

/// What looking at one transaction brought.
enum Finding {
    Proved(Box<Proved>),
    Other(Sighting),
}

impl AnchoringService {
    /// Looks for the transactions of records that are due.
    pub async fn look_due(&self, ids: &[RecordId], now: Timestamp) -> Result<(), StoreError> {
        let wanted = self.store.read(|tx| {
            ids.iter()
                .filter_map(|id| match expect_job(tx, *id) {
                    Ok(job) => job.txid().map(|txid| Ok((*id, txid))),
                    Err(error) => Some(Err(error)),
                })
                .collect::<Result<Vec<_>, StoreError>>()
        })?;
        for (id, effect) in self.look(&wanted, now).await? {
            self.carry_out(id, effect, now).await?;
        }
        Ok(())
    }

    /// Looks for given transactions, applies what is found, and returns what must follow at once.
    pub(super) async fn look(
        &self,
        wanted: &[(RecordId, Txid)],
        now: Timestamp,
    ) -> Result<Vec<(RecordId, Effect)>, StoreError> {
        let mut effects = Vec::new();
        for chunk in wanted.chunks(LOOK_BATCH) {
            let txids: Vec<Txid> = chunk.iter().map(|(_, txid)| *txid).collect();
            let statuses = self.tracker.statuses(&txids).await;
            for (place, (id, txid)) in chunk.iter().enumerate() {
                let status = match &statuses {
                    Ok(statuses) => statuses.get(place).copied().ok_or_else(|| {
                        ChainError::Malformed("fewer statuses than asked for".into())
                    }),
                    Err(error) => Err(error.clone()),
                };
                let finding = match status {
                    Ok(status) => self.examine(*txid, status).await?,
                    Err(error) => Finding::Other(Sighting::Unproved(error.to_string())),
                };
                let applied = self.report(*id, *txid, finding, now).await?;
                effects.extend(applied.effects.into_iter().map(|effect| (*id, effect)));
            }
        }
        Ok(effects)
    }

    /// Looks for all transactions that wait for a block; only news is written down.
    pub async fn look_for_mined(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut after = None;
        let mut found = 0;
        loop {
            let jobs =
                self.store.read(|tx| jobs_in_stage(tx, StageName::Seen, after, LOOK_BATCH))?;
            let Some(last) = jobs.last() else { return Ok(found) };
            after = Some(last.id);
            let wanted: Vec<(RecordId, Txid)> =
                jobs.iter().filter_map(|job| job.txid().map(|txid| (job.id, txid))).collect();
            let txids: Vec<Txid> = wanted.iter().map(|(_, txid)| *txid).collect();
            let statuses = match self.tracker.statuses(&txids).await {
                Ok(statuses) => statuses,
                Err(error) => {
                    tracing::debug!(%error, "transactions could not be looked for");
                    return Ok(found);
                }
            };
            let mined = wanted
                .into_iter()
                .zip(statuses)
                .filter(|(_, status)| matches!(status, TransactionStatus::Mined { .. }));
            let looks = mined.map(|((id, txid), status)| async move {
                match self.examine(txid, status).await? {
                    proved @ Finding::Proved(_) => {
                        self.report(id, txid, proved, now).await.map(|_| 1)
                    }
                    Finding::Other(_) => Ok::<usize, StoreError>(0),
                }
            });
            found += futures_util::future::try_join_all(looks).await?.into_iter().sum::<usize>();
        }
    }

    /// Turns an endpoint's claim into a finding.
    async fn examine(&self, txid: Txid, status: TransactionStatus) -> Result<Finding, StoreError> {
        match status {
            TransactionStatus::Unknown => Ok(Finding::Other(Sighting::Missing)),
            TransactionStatus::InMempool => Ok(Finding::Other(Sighting::InMempool)),
            TransactionStatus::Mined { .. } => match self.prove(txid).await? {
                Ok(proved) => Ok(Finding::Proved(Box::new(proved))),
                Err(reason) => Ok(Finding::Other(Sighting::Unproved(reason))),
            },
        }
    }

    /// Fetches the Merkle path of a transaction and checks it against our own header.
    pub(super) async fn prove(&self, txid: Txid) -> Result<Result<Proved, String>, StoreError> {
        prove(&self.store, &self.anchors, self.tracker.as_ref(), txid).await
    }

    /// Applies a finding.
    async fn report(
        &self,
        id: RecordId,
        txid: Txid,
        finding: Finding,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        match finding {
            Finding::Proved(proved) => self.report_proved(id, txid, *proved, now).await,
            Finding::Other(sighting) => {
                let events = vec![Event::Woken, Event::Looked(sighting)];
                self.apply_about(id, txid, events, now).await
            }
        }
    }

    async fn report_proved(
        &self,
        id: RecordId,
        txid: Txid,
        proved: Proved,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let service = self.clone();
        let applied = self
            .store
            .write(move |tx| {
                // The chain may have moved on since the path was checked.
                let is_best = best_hash_at(tx, proved.height)? == Some(proved.block);
                if !is_best || service.anchors.is_contradicted(tx)? {
                    let late = Event::Looked(Sighting::Unproved("its block has gone".into()));
                    return service.apply_about_in(tx, id, txid, &[late], now);
                }
                let mined = Sighting::Mined { block: proved.block, height: proved.height };
                let buried = Event::Buried { confirmations: proved.confirmations };
                let events = [Event::Looked(mined), buried];
                let applied = service.apply_about_in(tx, id, txid, &events, now)?;
                if is_in_block(&expect_job(tx, id)?, txid, proved.block) {
                    tx.put_proof(txid, &proved.path)?;
                }
                Ok::<_, StoreError>(applied)
            })
            .await?;
        self.announce(&applied);
        Ok(applied)
    }
}

/// Fetches the Merkle path of a transaction and checks it against our own header.
pub(in crate::service) async fn prove(
    store: &Store,
    anchors: &TrustAnchors,
    tracker: &dyn ChainTracker,
    txid: Txid,
) -> Result<Result<Proved, String>, StoreError> {
    let (path, block) = match tracker.merkle_path(txid).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Err("there is no Merkle path yet".into())),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let root = match path.compute_root(&txid) {
        Ok(root) => root,
        Err(error) => return Ok(Err(error.to_string())),
    };
    store.read(|tx| {
        if anchors.is_contradicted(tx)? {
            return Ok(Err(CONTRADICTED.into()));
        }
        let Some(stored) = header(tx, block)? else {
            return Ok(Err("its block is not in our chain of headers yet".into()));
        };
        if best_hash_at(tx, stored.height)? != Some(block) {
            return Ok(Err("its block is not on the best chain".into()));
        }
        #[cfg(feature = "planted-bugs")]
        let root =
            if Defect::TrustMerklePath.is_planted() { stored.header.merkle_root } else { root };
        if stored.header.merkle_root != root || stored.height != path.block_height() {
            return Ok(Err("the Merkle path does not end in its block".into()));
        }
        let confirmations = confirmations(tx, stored.height)?;
        Ok(Ok(Proved { block, height: stored.height, confirmations, path }))
    })
}

/// Says whether a job's transaction is this one, in this block.
fn is_in_block(job: &Job, wanted: Txid, place: BlockHash) -> bool {
    match &job.stage {
        Stage::Mined { txid, block, .. } | Stage::Final { txid, block, .. } => {
            (*txid, *block) == (wanted, place)
        }
        Stage::Accepted
        | Stage::Reserved
        | Stage::Signed { .. }
        | Stage::Seen { .. }
        | Stage::Held { .. }
        | Stage::Failed { .. } => false,
    }
}

/// Returns how many blocks of the best chain lie on a height, that one included.
pub(super) fn confirmations(tables: &impl Tables, height: u32) -> Result<u32, StoreError> {
    let top = chain_head(tables)?.map_or(0, |head| head.height);
    Ok((top + 1).saturating_sub(height))
}
