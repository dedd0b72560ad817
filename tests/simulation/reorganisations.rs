//! What must hold when blocks go: no record goes back by itself after a reorganisation that is too
//! deep, and outputs know how many unmined transactions they stand upon.

use std::collections::BTreeSet;

use patchproof::anchor::lifecycle::{DEEPEST_FOLLOWED, Job, Stage as Step};
use patchproof::storage::TransactionState;
use patchproof::types::{BlockHash, RecordId, Txid};

use crate::safety::Memory;
use crate::snapshot::Snapshot;
use crate::stage::{Stage, Verdict, ensure};

impl Stage {
    /// A record whose block left with too many others waits for an operator.
    pub(crate) fn check_depths(&mut self, snapshot: &Snapshot, memory: &Memory) -> Verdict {
        let recovered = std::mem::take(&mut self.recovered);
        for (id, before) in &memory.jobs {
            // What becomes of a record in a batch is its batch's matter.
            let job_of_its_own = snapshot.carriers.contains(id).then_some(before);
            let Some((txid, block)) = job_of_its_own.and_then(block_of) else { continue };
            let depth = snapshot.stale_blocks.get(&block).copied().unwrap_or(0);
            let now = &snapshot.jobs[id];
            let went_back = matches!(now.stage, Step::Signed { .. } | Step::Seen { .. });
            if depth <= DEEPEST_FOLLOWED || !went_back || recovered.contains(id) {
                continue;
            }
            // It may have been in another block since, and come back from there.
            let only_there = blocks_of(&snapshot.stale_proofs, txid)
                .all(|gone| gone == block || memory.stale_proofs.contains(&(txid, gone)));
            ensure(!only_there, || {
                format!("record {id} went back by itself from a reorganisation of depth {depth}")
            })?;
        }
        Ok(())
    }

    /// Notes that an operator has the work on a record taken up again.
    pub(crate) fn note_recovered(&mut self, id: RecordId) {
        self.recovered.insert(id);
    }
}

fn block_of(job: &Job) -> Option<(Txid, BlockHash)> {
    match &job.stage {
        Step::Mined { txid, block, .. } | Step::Final { txid, block, .. } => Some((*txid, *block)),
        Step::Accepted
        | Step::Reserved
        | Step::Signed { .. }
        | Step::Seen { .. }
        | Step::Held { .. }
        | Step::Failed { .. } => None,
    }
}

fn blocks_of(
    stale: &BTreeSet<(Txid, BlockHash)>,
    wanted: Txid,
) -> impl Iterator<Item = BlockHash> + '_ {
    stale.iter().filter(move |(txid, _)| *txid == wanted).map(|(_, block)| *block)
}

/// What a transaction that is in no block makes stands upon one transaction more than what it spends.
pub(crate) fn check_chain_depths(snapshot: &Snapshot) -> Verdict {
    for (txid, transaction) in snapshot.live() {
        if matches!(snapshot.transactions[txid].0.state, TransactionState::Mined { .. }) {
            continue;
        }
        let spent = transaction.inputs.iter().filter_map(|it| snapshot.utxos.get(&it.previous));
        let below = spent.map(|utxo| utxo.chain_depth).max().unwrap_or(0);
        let made = snapshot.utxos.values().filter(|utxo| utxo.outpoint.txid == *txid);
        for utxo in made {
            ensure(utxo.chain_depth > below, || {
                format!("{} stands upon more than {}", utxo.outpoint, utxo.chain_depth)
            })?;
        }
    }
    Ok(())
}
