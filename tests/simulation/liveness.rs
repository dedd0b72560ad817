//! After the storm: once everything works again, every record ends, and the pool is as it should.

use std::collections::BTreeSet;

use patchproof::anchor::lifecycle::{FINAL_CONFIRMATIONS, HeldReason, Stage as Step};
use patchproof::simnet::Standing;
use patchproof::types::{Clock, OutPoint, Txid};
use patchproof::wallet::utxo::{OutputPurpose, UtxoState};

use crate::safety::Memory;
use crate::snapshot::Snapshot;
use crate::stage::{Stage, Verdict, Violation, ensure};

/// Rounds of a block each within which every record must end.
const MOST_ROUNDS: u32 = 60;
/// How many rounds lie between two checks.
const CHECK_EVERY: u32 = 4;

impl Stage {
    /// Heals the world and lets the system finish.
    pub(crate) async fn finish(&mut self, memory: &mut Memory) -> Verdict {
        self.heal().await?;
        for round in 0..MOST_ROUNDS {
            self.step += 1;
            self.net.weather().next_step();
            self.net.clock.advance_ms(50);
            if round % 8 == 0 {
                (0..4).for_each(|n| self.pay_pool(6_000 + 101 * (round + n), 1));
                self.recover_held().await?;
            }
            while !self.in_hand.is_empty() {
                self.resume(0).await?;
            }
            for _ in 0..4 {
                self.net.clock.advance_ms(6);
                self.form_due_batches().await?;
                self.do_all_due_work().await?;
            }
            let now = self.net.clock.now();
            self.net.node().mine(now);
            let chain_round = self.chain_round(None);
            self.drive(chain_round, "following the chain").await?;
            self.sync(None).await?;
            if round % CHECK_EVERY == 0 {
                self.check_safety(memory)?;
            }
            if round >= FINAL_CONFIRMATIONS && self.unfinished()?.is_empty() {
                self.note(format!("everything has ended after {round} rounds"));
                break;
            }
        }
        self.check_safety(memory)?;
        self.check_ended()?;
        self.check_pool()
    }

    async fn heal(&mut self) -> Verdict {
        self.note("everything works again");
        self.switch.set_full(false);
        self.full_until = None;
        self.net.weather().clear();
        self.net.set_min_fee(None);
        self.settle().await;
        self.net.deliver_late();
        self.take_stock()
    }

    /// Returns the places of records that have not ended.
    fn unfinished(&self) -> Verdict<Vec<usize>> {
        let snapshot = Snapshot::take(self)?;
        let open = self.model.known.iter().enumerate().filter(|(_, known)| {
            let stage = &snapshot.jobs[&known.id].stage;
            !matches!(stage, Step::Final { .. } | Step::Failed { .. })
                && !self.is_beyond_help(&snapshot, stage)
        });
        Ok(open.map(|(place, _)| place).collect())
    }

    /// Says whether a held record waits for something that no program can decide.
    fn is_beyond_help(&self, snapshot: &Snapshot, stage: &Step) -> bool {
        let Step::Held { txid: Some(txid), reason } = stage else { return false };
        match reason {
            HeldReason::InputSpentElsewhere => self.is_doomed(snapshot, *txid),
            // The operator has it taken up again, which is all that it needs.
            HeldReason::DeepReorganisation
            | HeldReason::Signer
            | HeldReason::FeeTooLow
            | HeldReason::Refused => false,
        }
    }

    /// Says whether a transaction can never be mined, because it or one it stands upon was spent
    /// elsewhere for good.
    fn is_doomed(&self, snapshot: &Snapshot, txid: Txid) -> bool {
        let Some((_, transaction)) = snapshot.transactions.get(&txid) else { return false };
        transaction.inputs.iter().any(|input| {
            let spender = self.net.node().spender(&input.previous);
            let is_taken = spender.is_some_and(|spender| spender != txid);
            let is_there = self.net.node().transaction(&input.previous.txid).is_some();
            is_taken || !is_there || self.is_doomed(snapshot, input.previous.txid)
        })
    }

    fn check_ended(&self) -> Verdict {
        let snapshot = Snapshot::take(self)?;
        if let Some(place) = self.unfinished()?.into_iter().next() {
            let job = &snapshot.jobs[&self.model.known[place].id];
            let standing = job.txid().map(|txid| self.net.node().standing(&txid));
            return Err(Violation(format!(
                "record {place} never ends: {:?}, {:?}; the network says {standing:?}",
                job.stage, job.problem
            )));
        }
        let node = self.net.node();
        for (place, known) in self.model.known.iter().enumerate() {
            if let Step::Final { txid, block, height } = &snapshot.jobs[&known.id].stage {
                let holds = node.block_at(*height).is_some_and(|best| best.hash() == *block)
                    && matches!(node.standing(txid), Some(Standing::Mined(_)));
                ensure(holds, || format!("record {place} is final in a block that is gone"))?;
            }
        }
        Ok(())
    }

    /// What the pool has is what the network says that its keys have.
    fn check_pool(&self) -> Verdict {
        let snapshot = Snapshot::take(self)?;
        let mut ours: BTreeSet<OutPoint> = BTreeSet::new();
        for (outpoint, utxo) in &snapshot.utxos {
            let is_unspent = !matches!(utxo.state, UtxoState::Spent { .. });
            if utxo.purpose == OutputPurpose::Pool && is_unspent {
                ours.insert(*outpoint);
            }
        }
        let theirs: BTreeSet<OutPoint> =
            self.pool_on_network().into_iter().map(|(outpoint, _)| outpoint).collect();
        if let Some(missing) = theirs.difference(&ours).next() {
            let stored = snapshot.utxos.get(missing).map(|utxo| &utxo.state);
            return Err(Violation(format!("{missing} is unspent; the pool has it as {stored:?}")));
        }
        for outpoint in ours.difference(&theirs) {
            let node = self.net.node();
            let spender = node.spender(outpoint);
            let is_foreign = spender.is_some_and(|spender| !self.is_ours(&node, &spender));
            drop(node);
            // A record that waits for an operator keeps its outputs.
            let is_held = self.is_doomed(&snapshot, outpoint.txid);
            ensure(is_foreign || is_held, || {
                let state = &snapshot.utxos[outpoint].state;
                format!("the pool has {outpoint} as {state:?}; the network: {spender:?}")
            })?;
        }
        Ok(())
    }
}
