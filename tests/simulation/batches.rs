//! Batches: forming them, by request and by themselves, and what must hold of them at any moment.

use std::collections::BTreeMap;
use std::time::Duration;

use patchproof::service::batches::{BatchError, BatchOutcome};
use patchproof::service::verification::CustodyEvent;
use patchproof::storage::batches::batches_before;
use patchproof::storage::{StoreError, StoredBatch};
use patchproof::types::{Clock, Digest, RecordId};

use crate::actions::broken;
use crate::gates::Work;
use crate::snapshot::Snapshot;
use crate::stage::{InHand, Stage, Task, Verdict, ensure};
use crate::tree::{path_of, root_of};

/// Rounds after which nothing may be due any more when everything works.
const MOST_ROUNDS: u32 = 64;

impl Stage {
    /// Forms a batch by request, or by itself if it is time; whoever asks may go away.
    pub(crate) async fn form_some_batch(&mut self) -> Verdict {
        if self.random.chance(300) {
            let limit = self.setup.batch_of;
            return if self.is_batch_due()? { self.form_batch(limit, None).await } else { Ok(()) };
        }
        let limit = self.random.between(1, 8);
        if self.random.chance(200) {
            let polls = self.random.between(1, 4);
            let work = self.batch_round(limit, None);
            work.abandon(&self.net.gates, &self.system().store, polls).await;
            self.note(format!("somebody asks for a batch of {limit} and goes away"));
            return self.take_stock();
        }
        // The signer is all that a round asks.
        let closes_at = self.random.chance(300).then_some(1);
        self.form_batch(limit, closes_at).await
    }

    /// Forms batches as the worker does, until none is due.
    pub(crate) async fn form_due_batches(&mut self) -> Verdict {
        for _ in 0..MOST_ROUNDS {
            if !self.is_batch_due()? {
                return Ok(());
            }
            self.form_batch(self.setup.batch_of, None).await?;
        }
        ensure(false, || "a batch is due and none is formed, for ever".into())
    }

    fn is_batch_due(&self) -> Verdict<bool> {
        let now = self.net.clock.now();
        let due = self.system().batches.due_at(now);
        let due = due.map_err(|error| broken("when a batch is due", error))?;
        Ok(due.is_some_and(|at| at <= now))
    }

    async fn form_batch(&mut self, limit: u64, closes_at: Option<u64>) -> Verdict {
        let work = self.batch_round(limit, closes_at);
        let doing = format!("forming a batch of {limit}");
        self.note(doing.clone());
        self.drive(InHand { task: Task::BatchRound, work }, &doing).await?;
        self.take_stock()
    }

    fn batch_round(&self, limit: u64, closes_at: Option<u64>) -> Work<Result<(), StoreError>> {
        let (service, now) = (self.system().batches.clone(), self.net.clock.tick());
        let net = self.net.clone();
        Work::new(closes_at, async move {
            match service.anchor(limit, Duration::ZERO, "operator", now).await {
                Ok(BatchOutcome::Formed(batch)) => {
                    if batch.size == 0 || batch.size > limit {
                        let offence = format!("a batch of {} was formed of {limit}", batch.size);
                        net.traffic().offences.push(offence);
                    }
                    Ok(())
                }
                Ok(BatchOutcome::Nothing) | Err(BatchError::Signer(_)) => Ok(()),
                Err(BatchError::Store(error)) => Err(error),
            }
        })
    }

    /// Looks what batches there are.
    pub(crate) fn take_stock_of_batches(&mut self) -> Verdict {
        let found = self.system().store.read(|tx| batches_before(tx, None, 1_000));
        let found = found.map_err(|error: StoreError| broken("batches", error))?;
        // Oldest first; they come newest first.
        for batch in found.into_iter().rev() {
            if !self.model.places.contains_key(&batch.id) {
                self.note(format!("batch {} has {}", self.model.batches.len(), batch.size));
                self.model.add_batch(batch);
            }
        }
        Ok(())
    }

    /// Returns what a commitment or a root on chain belongs to.
    pub(crate) fn carried_by(&self, digest: &Digest) -> Option<RecordId> {
        let record = self.model.by_commitment.get(digest).map(|place| &self.model.known[*place]);
        let batch = || self.model.batches.iter().find(|batch| batch.root == *digest);
        record
            .filter(|record| !record.is_batched)
            .map_or_else(|| batch().map(|batch| batch.id), |record| Some(record.id))
    }

    /// Every record keeps its route and its place, and says what its batch says; every batch stays as
    /// it was formed.
    pub(crate) fn check_batches(&mut self, snapshot: &Snapshot) -> Verdict {
        // Work in hand may have formed one.
        self.take_stock_of_batches()?;
        let mut leaves: BTreeMap<RecordId, BTreeMap<u64, Digest>> = BTreeMap::new();
        for (number, known) in self.model.known.iter_mut().enumerate() {
            let id = known.id;
            let place = snapshot.members.get(&id).copied();
            let (has_job, waits) =
                (snapshot.carriers.contains(&id), snapshot.waiting.contains(&id));
            let routes = [has_job, waits, place.is_some()].into_iter().filter(|it| *it).count();
            ensure(routes == 1, || format!("record {number} has {routes} ways to the chain"))?;
            ensure(has_job != known.is_batched, || format!("record {number} changed its way"))?;
            ensure(known.place.is_none() || known.place == place, || {
                format!("record {number} left its place {:?} for {place:?}", known.place)
            })?;
            known.place = place;
            let Some(place) = place else { continue };
            leaves.entry(place.batch).or_default().insert(place.index, known.commitment);
            let (own, batch) = (&snapshot.jobs[&id], &snapshot.jobs[&place.batch]);
            let says_the_same = own.stage == batch.stage
                && (own.was_seen, &own.dead) == (batch.was_seen, &batch.dead)
                && snapshot.records[&id].txid == batch.txid();
            ensure(says_the_same, || {
                format!("record {number} is {:?}, its batch {:?}", own.stage, batch.stage)
            })?;
        }
        for (number, batch) in self.model.batches.iter().enumerate() {
            let is_kept = snapshot.batches.get(&batch.id) == Some(batch);
            ensure(is_kept, || format!("batch {number} is gone or was changed"))?;
            check_tree(number, batch, &leaves.remove(&batch.id).unwrap_or_default())?;
        }
        ensure(leaves.is_empty(), || "records are in a batch that there is not".into())
    }

    /// What strangers are given for a record in a batch proves it under the root on chain.
    pub(crate) fn check_inclusions(&self, snapshot: &Snapshot, events: &[CustodyEvent]) -> Verdict {
        for event in events {
            let id = event.stored.id;
            let carried = snapshot.members.get(&id).filter(|_| event.stored.txid.is_some());
            let Some(place) = carried else {
                ensure(event.inclusion.is_none(), || format!("{id} is proved to be in a batch"))?;
                continue;
            };
            let name = self.model.name(id);
            let Some(inclusion) = &event.inclusion else {
                return ensure(false, || format!("{name} is not proved to be in its batch"));
            };
            let batch = &snapshot.batches[&place.batch];
            let leaves = self.leaves_of(place.batch);
            let proof = &inclusion.proof;
            let holds = inclusion.root == batch.root
                && (proof.leaf_index, proof.tree_size) == (place.index, batch.size)
                && proof.path == path_of(usize::try_from(place.index).unwrap(), &leaves);
            ensure(holds, || format!("{name} is proved by {inclusion:?}"))?;
        }
        Ok(())
    }

    fn leaves_of(&self, batch: RecordId) -> Vec<Digest> {
        let members = self.model.known.iter().filter_map(|known| {
            let place = known.place.filter(|place| place.batch == batch)?;
            Some((place.index, known.commitment))
        });
        members.collect::<BTreeMap<u64, Digest>>().into_values().collect()
    }
}

/// The root of a batch is the one over its members, in their places.
fn check_tree(number: usize, batch: &StoredBatch, leaves: &BTreeMap<u64, Digest>) -> Verdict {
    let is_whole = leaves.keys().copied().eq(0..batch.size);
    ensure(is_whole, || format!("batch {number} of {} has {:?}", batch.size, leaves.keys()))?;
    let commitments: Vec<Digest> = leaves.values().copied().collect();
    ensure(root_of(&commitments) == batch.root, || {
        format!("batch {number} has another root than the one over its records")
    })
}
