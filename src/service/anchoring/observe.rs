//! Looking for transactions in blocks, and for those who spend our inputs. Claims become facts
//! only with a Merkle path that ends in a header of our own best chain.

use crate::anchor::lifecycle::{Effect, Event, FINAL_CONFIRMATIONS, Sighting, Spender};
use crate::bitcoin::MerklePath;
use crate::chain::{ChainError, SpendStatus, TransactionStatus};
use crate::service::anchoring::{AnchoringService, LOOK_BATCH};
use crate::storage::headers::{best_hash_at, chain_head, header};
use crate::storage::transactions::{expect_transaction, transaction};
use crate::storage::utxos::utxo;
use crate::storage::{
    StageName, StoreError, StoredTransaction, Tables, TransactionOrigin, TransactionState,
};
use crate::types::{BlockHash, OutPoint, RecordId, Satoshis, Timestamp, Txid};
use crate::wallet::utxo::UtxoState;

/// A transaction's place in our best chain, proved.
struct Proved {
    block: BlockHash,
    height: u32,
    confirmations: u32,
    path: MerklePath,
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
                .filter_map(|id| match crate::storage::jobs::expect_job(tx, *id) {
                    Ok(job) => job.txid().map(|txid| Ok((*id, txid))),
                    Err(error) => Some(Err(error)),
                })
                .collect::<Result<Vec<_>, StoreError>>()
        })?;
        self.look(&wanted, now).await
    }

    /// Looks for given transactions and applies what is found, including what must follow at once.
    pub(super) async fn look(
        &self,
        wanted: &[(RecordId, Txid)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
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
                self.report(*id, *txid, finding, now).await?;
            }
        }
        Ok(())
    }

    /// Looks for all transactions that wait for a block; only news is written down.
    pub async fn look_for_mined(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut after = None;
        let mut found = 0;
        loop {
            let jobs = self.store.read(|tx| {
                crate::storage::jobs::jobs_in_stage(tx, StageName::Seen, after, LOOK_BATCH)
            })?;
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
                        self.report(id, txid, proved, now).await.map(|()| 1)
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
    async fn prove(&self, txid: Txid) -> Result<Result<Proved, String>, StoreError> {
        let (path, block) = match self.tracker.merkle_path(txid).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Err("there is no Merkle path yet".into())),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let root = match path.compute_root(&txid) {
            Ok(root) => root,
            Err(error) => return Ok(Err(error.to_string())),
        };
        self.store.read(|tx| {
            let Some(stored) = header(tx, block)? else {
                return Ok(Err("its block is not in our chain of headers yet".into()));
            };
            if best_hash_at(tx, stored.height)? != Some(block) {
                return Ok(Err("its block is not on the best chain".into()));
            }
            if stored.header.merkle_root != root || stored.height != path.block_height() {
                return Ok(Err("the Merkle path does not end in its block".into()));
            }
            let confirmations = confirmations(tx, stored.height)?;
            Ok(Ok(Proved { block, height: stored.height, confirmations, path }))
        })
    }

    /// Applies a finding, and sends again what the network has lost.
    async fn report(
        &self,
        id: RecordId,
        txid: Txid,
        finding: Finding,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match finding {
            Finding::Proved(proved) => self.report_proved(id, txid, *proved, now).await,
            Finding::Other(sighting) => {
                let events = vec![Event::Woken, Event::Looked(sighting)];
                let applied = self.apply(id, events, now).await?;
                if applied.effects.contains(&Effect::Send { txid }) {
                    let sent = self.send(txid).await?;
                    self.apply(id, vec![sent], now).await?;
                }
                Ok(())
            }
        }
    }

    async fn report_proved(
        &self,
        id: RecordId,
        txid: Txid,
        proved: Proved,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let service = self.clone();
        let applied = self
            .store
            .write(move |tx| {
                // The chain may have moved on since the path was checked.
                if best_hash_at(tx, proved.height)? != Some(proved.block) {
                    let late = Event::Looked(Sighting::Unproved("its block has gone".into()));
                    return service.apply_in(tx, id, &[late], now);
                }
                tx.put_proof(txid, &proved.path)?;
                let mined = Sighting::Mined { block: proved.block, height: proved.height };
                let buried = Event::Buried { confirmations: proved.confirmations };
                service.apply_in(tx, id, &[Event::Looked(mined), buried], now)
            })
            .await?;
        self.announce(&applied);
        Ok(())
    }

    /// Finds out who spends the inputs of a transaction.
    pub(super) async fn find_spender(
        &self,
        txid: Txid,
        now: Timestamp,
    ) -> Result<Event, StoreError> {
        let inputs: Vec<OutPoint> = self
            .store
            .read(|tx| expect_transaction(tx, txid)?.parse())?
            .inputs
            .iter()
            .map(|input| input.previous)
            .collect();
        let mut found = Spender::Nobody;
        for outpoint in inputs {
            let Ok(SpendStatus::SpentBy(other)) = self.tracker.spender(outpoint).await else {
                continue;
            };
            if other == txid {
                continue;
            }
            if self.is_final_killer(txid, other, now).await? {
                return Ok(Event::SpenderFound(Spender::OtherFinal(other)));
            }
            found = Spender::Other(other);
        }
        Ok(Event::SpenderFound(found))
    }

    /// Says whether `other` is buried for good, so that `txid` is dead, and keeps the evidence.
    /// A transaction whose own outputs are in use already is never given up by itself.
    async fn is_final_killer(
        &self,
        txid: Txid,
        other: Txid,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Ok(proved) = self.prove(other).await? else { return Ok(false) };
        if proved.confirmations < FINAL_CONFIRMATIONS {
            return Ok(false);
        }
        let Ok(Some(killer)) = self.tracker.transaction(other).await else { return Ok(false) };
        self.store
            .write(move |tx| {
                if has_used_outputs(tx, txid)? {
                    return Ok(false);
                }
                if transaction(tx, other)?.is_none() {
                    tx.put_transaction(&StoredTransaction {
                        txid: other,
                        raw: killer.to_bytes(),
                        origin: TransactionOrigin::External,
                        state: TransactionState::Mined {
                            block: proved.block,
                            height: proved.height,
                        },
                        fee: Satoshis::ZERO,
                        stored_at: now,
                    })?;
                    tx.put_proof(other, &proved.path)?;
                }
                Ok(true)
            })
            .await
    }
}

fn has_used_outputs(tables: &impl Tables, txid: Txid) -> Result<bool, StoreError> {
    let count = expect_transaction(tables, txid)?.parse()?.outputs.len();
    for vout in 0..u32::try_from(count).unwrap_or(u32::MAX) {
        let used = utxo(tables, OutPoint::new(txid, vout))?.is_some_and(|output| {
            matches!(output.state, UtxoState::Locked { .. } | UtxoState::Spent { .. })
        });
        if used {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns how many blocks of the best chain lie on a height, that one included.
pub(super) fn confirmations(tables: &impl Tables, height: u32) -> Result<u32, StoreError> {
    let top = chain_head(tables)?.map_or(0, |head| head.height);
    Ok((top + 1).saturating_sub(height))
}
