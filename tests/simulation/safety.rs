//! What must hold at every moment, whatever goes wrong: checked against the network's own truth.

use std::collections::{BTreeMap, BTreeSet};

use patchproof::anchor::lifecycle::{FINAL_CONFIRMATIONS, Job, Stage as Step};
use patchproof::anchor::payload::Payload;
use patchproof::service::verification::Verdict as Authenticity;
use patchproof::simnet::Standing;
use patchproof::storage::patches::patch;
use patchproof::storage::{Patch, StoreError, TransactionOrigin, check};
use patchproof::types::{BlockHash, Digest, OutPoint, RecordId, Satoshis, Txid};
use patchproof::wallet::utxo::{Utxo, UtxoState};

use crate::actions::broken;
use crate::reorganisations::check_chain_depths;
use crate::snapshot::Snapshot;
use crate::stage::{Stage, Verdict, ensure};

/// What was stored when it was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    utxos: BTreeMap<OutPoint, Utxo>,
    pub(crate) jobs: BTreeMap<RecordId, Job>,
    pub(crate) stale_proofs: BTreeSet<(Txid, BlockHash)>,
}

impl Stage {
    /// Checks every promise that holds at any moment.
    pub(crate) fn check_safety(&mut self, memory: &mut Memory) -> Verdict {
        let offence = self.net.traffic().offences.first().cloned();
        ensure(offence.is_none(), || offence.unwrap_or_default())?;
        if self.is_storage_full() {
            return Ok(());
        }
        let snapshot = Snapshot::take(self)?;
        self.check_records(&snapshot)?;
        self.check_sent_bytes(&snapshot)?;
        self.check_one_transaction_each(&snapshot)?;
        self.check_stages(&snapshot)?;
        check_spends(&snapshot)?;
        check_sums(&snapshot)?;
        check_utxo_steps(&snapshot, memory)?;
        check_chain_depths(&snapshot)?;
        self.check_depths(&snapshot, memory)?;
        self.check_batches(&snapshot)?;
        self.check_custody(&snapshot)?;
        memory.utxos = snapshot.utxos;
        memory.jobs = snapshot.jobs;
        memory.stale_proofs = snapshot.stale_proofs;
        self.check_store()
    }

    /// What is stored agrees with itself.
    fn check_store(&self) -> Verdict {
        let report = self.system().store.read(check);
        let report = report.map_err(|error: StoreError| broken("the check", error))?;
        ensure(report.is_clean(), || format!("{:?}", report.violations))
    }

    /// Whatever a client was told of is there, unchanged.
    fn check_records(&mut self, snapshot: &Snapshot) -> Verdict {
        for known in &mut self.model.known {
            let record = snapshot.records.get(&known.id);
            ensure(record.is_some_and(|record| record.commitment == known.commitment), || {
                format!("record {} is gone or was changed", known.id)
            })?;
            let job = &snapshot.jobs[&known.id];
            let Some(txid) = record.and_then(|record| record.txid) else { continue };
            if known.txids.last() == Some(&txid) {
                continue;
            }
            // The same lease makes the same transaction again.
            known.txids.retain(|old| *old != txid);
            for old in &known.txids {
                ensure(job.dead.contains(old) && !snapshot.is_live(old), || {
                    format!("{old} was replaced by {txid} without being dead")
                })?;
            }
            known.txids.push(txid);
        }
        Ok(())
    }

    /// What was sent is what is stored, and was stored before it was sent.
    fn check_sent_bytes(&self, snapshot: &Snapshot) -> Verdict {
        for (txid, raw) in &self.net.traffic().sent {
            let stored = snapshot.transactions.get(txid).map(|(stored, _)| &stored.raw);
            ensure(stored == Some(raw), || format!("{txid} was sent, and other bytes are stored"))?;
        }
        Ok(())
    }

    /// On chain and in the mempool together there is one transaction at most for each record and
    /// each batch.
    fn check_one_transaction_each(&self, snapshot: &Snapshot) -> Verdict {
        let is_deep = self.deepest_reorganisation >= FINAL_CONFIRMATIONS;
        let mut live: BTreeMap<Digest, Vec<Txid>> = BTreeMap::new();
        let node = self.net.node();
        for txid in node.accepted() {
            if matches!(node.standing(txid), Some(Standing::Mined(_) | Standing::InMempool)) {
                let known = node.transaction(txid).map(|known| known.transaction());
                let outputs = known.into_iter().flat_map(|known| &known.outputs);
                for output in outputs {
                    match Payload::from_script(&output.locking_script) {
                        Some(
                            Payload::Register(digest)
                            | Payload::Transfer(digest)
                            | Payload::Batch { root: digest, .. },
                        ) => live.entry(digest).or_default().push(*txid),
                        None => {}
                    }
                }
            }
        }
        for (digest, txids) in live {
            ensure(txids.len() == 1 || is_deep, || {
                format!("{} live transactions carry one record: {txids:?}", txids.len())
            })?;
            let Some(id) = self.carried_by(&digest) else {
                return ensure(false, || format!("{txids:?} carries what nobody asked for"));
            };
            let job = &snapshot.jobs[&id];
            let is_given_up =
                matches!(job.stage, Step::Failed { .. }) || job.dead.contains(&txids[0]);
            ensure(!is_given_up || is_deep, || {
                format!("{} gave up {}, which lives", self.model.name(id), txids[0])
            })?;
        }
        Ok(())
    }

    /// A record that is said to be in a block is in it.
    fn check_stages(&self, snapshot: &Snapshot) -> Verdict {
        let node = self.net.node();
        for (id, job) in &snapshot.jobs {
            if let Step::Mined { txid, block, height } | Step::Final { txid, block, height } =
                &job.stage
            {
                let block = node.block(block).filter(|block| block.height() == *height);
                let holds = block.is_some_and(|block| {
                    block.submitted().iter().any(|known| known.txid() == *txid)
                });
                ensure(holds, || format!("record {id} is said to be in a block and is not"))?;
            }
            let rests = matches!(
                job.stage,
                Step::Mined { .. }
                    | Step::Final { .. }
                    | Step::Failed { .. }
                    | Step::Held { txid: None, .. }
            );
            // A record in a batch moves with that, one that waits when a batch is formed.
            let is_moved = !snapshot.carriers.contains(id);
            ensure(rests || is_moved || job.due.is_some(), || {
                format!("record {id} is never due again")
            })?;
        }
        Ok(())
    }

    /// The chain of custody of each product is one line, and its owner is the one it leads to.
    fn check_custody(&self, snapshot: &Snapshot) -> Verdict {
        for (number, product) in self.model.products.iter().enumerate() {
            let uid = product.uid.as_str();
            let found: Option<Patch> = self
                .system()
                .store
                .read(|tx| patch(tx, uid))
                .map_err(|error: StoreError| broken("a product", error))?;
            let known: Vec<_> =
                self.model.known.iter().filter(|known| known.product == number).collect();
            ensure(found.is_some() != known.is_empty(), || format!("{uid} is there or is not"))?;
            let Some(found) = found else { continue };
            let head = &self.model.known[self.model.place(found.head)];
            ensure(head.owner == found.owner, || {
                format!("{uid} belongs to {}, its newest event says {}", found.owner, head.owner)
            })?;
            let was_seen = snapshot.jobs[&found.head].was_seen;
            ensure(found.current_txid.is_none() || was_seen, || {
                format!("custody of {uid} moved on before the network took anything")
            })?;
            let verified = self
                .system()
                .verification
                .verify(&product.uid)
                .map_err(|error| broken("verification", error))?;
            let is_sound =
                matches!(verified.verdict, Authenticity::Authentic | Authenticity::Pending);
            ensure(is_sound, || format!("{uid} is {:?}", verified.verdict))?;
            ensure(verified.events.len() == known.len(), || {
                format!("{uid} shows {} of {} events", verified.events.len(), known.len())
            })?;
            self.check_inclusions(snapshot, &verified.events)?;
            self.check_rivals(snapshot, &known)?;
        }
        Ok(())
    }

    /// Of several transfers of one state, one at most is alive.
    fn check_rivals(&self, snapshot: &Snapshot, events: &[&crate::model::Known]) -> Verdict {
        let mut alive: BTreeMap<Txid, usize> = BTreeMap::new();
        for event in events {
            let is_failed = matches!(snapshot.jobs[&event.id].stage, Step::Failed { .. });
            if let Some(from) = event.from.filter(|_| !is_failed) {
                *alive.entry(from).or_default() += 1;
            }
        }
        ensure(alive.values().all(|count| *count == 1), || "one state was handed on twice".into())
    }
}

/// No output is spent by two transactions that live; the pool says the same as the transactions.
fn check_spends(snapshot: &Snapshot) -> Verdict {
    let mut spenders: BTreeMap<OutPoint, Txid> = BTreeMap::new();
    for (txid, transaction) in snapshot.live() {
        for input in &transaction.inputs {
            let rival = spenders.insert(input.previous, *txid);
            ensure(rival.is_none(), || format!("{} is spent twice", input.previous))?;
        }
    }
    for (outpoint, utxo) in &snapshot.utxos {
        let spender = spenders.get(outpoint);
        let holds = match utxo.state {
            UtxoState::Unconfirmed | UtxoState::Available => spender.is_none(),
            UtxoState::Locked { by } => {
                let txid = snapshot.jobs.get(&by).and_then(|job| job.txid());
                spender.is_none_or(|spender| txid == Some(*spender))
            }
            UtxoState::Spent { by } => {
                spender == Some(&by)
                    || snapshot
                        .transactions
                        .get(&by)
                        .is_some_and(|(stored, _)| stored.origin == TransactionOrigin::External)
            }
        };
        ensure(holds, || format!("{outpoint} is {:?}, its spender is {spender:?}", utxo.state))?;
    }
    Ok(())
}

/// For each of our transactions: inputs are outputs and fee, and what comes back is in the pool.
fn check_sums(snapshot: &Snapshot) -> Verdict {
    for (txid, transaction) in snapshot.live() {
        let inputs = transaction.inputs.iter().map(|input| {
            let made = snapshot.transactions.get(&input.previous.txid);
            let vout = usize::try_from(input.previous.vout).unwrap();
            made.map_or(Satoshis::ZERO, |(_, made)| made.outputs[vout].value)
        });
        let inputs = Satoshis::sum(inputs).unwrap().get();
        let outputs = transaction.output_total().unwrap().get();
        let fee = snapshot.transactions[txid].0.fee.get();
        ensure(inputs == outputs + fee, || {
            format!("{txid} takes {inputs}, makes {outputs} and pays {fee}")
        })?;
        for (vout, output) in (0u32..).zip(&transaction.outputs) {
            let pays_a_key = output.locking_script.as_public_key_hash().is_some();
            let is_kept = snapshot.utxos.contains_key(&OutPoint::new(*txid, vout));
            ensure(pays_a_key == is_kept, || format!("{txid}:{vout} is not in the pool"))?;
        }
    }
    Ok(())
}

/// An output only becomes free again when what was to spend it is dead or never was.
fn check_utxo_steps(snapshot: &Snapshot, memory: &Memory) -> Verdict {
    for (outpoint, before) in &memory.utxos {
        let Some(now) = snapshot.utxos.get(outpoint) else {
            ensure(!snapshot.is_live(&outpoint.txid), || format!("{outpoint} vanished"))?;
            continue;
        };
        let is_free = matches!(now.state, UtxoState::Unconfirmed | UtxoState::Available);
        if let UtxoState::Spent { by } = before.state {
            // What somebody else spent in a block that left is set aside, and not more than that.
            let is_doubted = now.state == UtxoState::Unconfirmed && snapshot.is_unmined_guest(&by);
            ensure(!(is_free && snapshot.is_live(&by)) || is_doubted, || {
                format!("{outpoint} is free again, although {by} lives")
            })?;
        }
        ensure(before.value == now.value, || format!("{outpoint} changed its amount"))?;
    }
    Ok(())
}
