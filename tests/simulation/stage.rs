//! One simulated run: the world, the system in it, and what is in hand.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use patchproof::service::batches::Route;
use patchproof::service::headers::FollowError;
use patchproof::storage::untold::untold_change;
use patchproof::storage::{FailureSwitch, StoreError, StoreOptions};
use patchproof::types::RecordId;

use crate::gates::Work;
use crate::model::Model;
use crate::net::Net;
use crate::random::{Random, mix_all};
use crate::system::{Setup, System};
use crate::weather::Weather;

/// Something that must never happen, and did.
#[derive(Debug, Clone)]
pub(crate) struct Violation(pub(crate) String);

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(crate) type Verdict<T = ()> = Result<T, Violation>;

/// Ends the run with a violation unless `holds`.
pub(crate) fn ensure(holds: bool, text: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation(text())) }
}

/// What a piece of work is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// These jobs, which nobody else works on meanwhile.
    Jobs(Vec<RecordId>),
    /// The chain, which one hand follows.
    ChainRound,
    /// A batch that is formed; of two rounds the second waits for the first.
    BatchRound,
    /// The pool's outputs as the network lists them.
    Sync,
}

/// Work that was stopped at its gate.
pub(crate) struct InHand {
    pub(crate) task: Task,
    pub(crate) work: Work<Result<(), StoreError>>,
}

pub(crate) struct Stage {
    pub(crate) seed: u64,
    pub(crate) random: Random,
    pub(crate) setup: Setup,
    pub(crate) net: Arc<Net>,
    pub(crate) options: StoreOptions,
    pub(crate) switch: FailureSwitch,
    pub(crate) system: Option<System>,
    pub(crate) in_hand: Vec<InHand>,
    pub(crate) model: Model,
    pub(crate) full_until: Option<u64>,
    pub(crate) step: u64,
    pub(crate) deepest_reorganisation: u32,
    /// Records that an operator had taken up again since the last check.
    pub(crate) recovered: BTreeSet<RecordId>,
    pub(crate) crashes: u64,
    /// What was done, for whoever reads about a violation.
    pub(crate) diary: Vec<String>,
}

impl Stage {
    /// Sets up a run with everything chosen by the seed.
    pub(crate) async fn of_seed(seed: u64) -> Self {
        Self::new(seed, Setup::of_seed(seed), Weather::new(seed)).await
    }

    async fn new(seed: u64, setup: Setup, weather: Weather) -> Self {
        let net = Net::new(weather);
        let options = StoreOptions::in_memory();
        let switch = options.failure_switch();
        let system = System::open(&options, &net, &setup).await;
        Self {
            seed,
            random: Random::new(mix_all(&[seed, 3])),
            setup,
            net,
            options,
            switch,
            system: Some(system),
            in_hand: Vec::new(),
            model: Model::default(),
            full_until: None,
            step: 0,
            deepest_reorganisation: 0,
            recovered: BTreeSet::new(),
            crashes: 0,
            diary: Vec::new(),
        }
    }

    pub(crate) fn system(&self) -> &System {
        self.system.as_ref().expect("the process runs between steps")
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.diary.push(format!("{:>4} {text}", self.step));
    }

    pub(crate) const fn is_storage_full(&self) -> bool {
        self.full_until.is_some()
    }

    /// Ends the process at once and starts it anew on what it left.
    pub(crate) async fn crash(&mut self) {
        self.crashes += 1;
        self.switch.set_full(false);
        self.full_until = None;
        self.in_hand.clear();
        if let Some(store) = self.system.take().map(|system| system.store) {
            // Two processes never have the store open at a time.
            store.close();
        }
        self.net.clock.advance_ms(1);
        if self.setup.changes_route && self.random.chance(500) {
            self.setup.route = match self.setup.route {
                Route::Direct => Route::Batch,
                Route::Batch => Route::Direct,
            };
            self.note(format!("registrations go {:?} from now on", self.setup.route));
        }
        let system = System::open(&self.options, &self.net, &self.setup).await;
        let noted = system.anchoring.note_interruption(self.net.clock.tick()).await;
        noted.expect("a store that opens takes writes");
        self.system = Some(system);
    }

    /// Judges an error of the store: only a full disk is one that may happen.
    pub(crate) fn judge_store(&self, error: &StoreError, doing: &str) -> Verdict {
        ensure(error.is_unavailable() && self.is_storage_full(), || {
            format!("{doing}: the store answered {error:?}")
        })
    }

    pub(crate) fn is_busy(&self, id: RecordId) -> bool {
        self.in_hand.iter().any(|held| match &held.task {
            Task::Jobs(ids) => ids.contains(&id),
            Task::ChainRound | Task::BatchRound | Task::Sync => false,
        })
    }

    /// Drives work; what stops at its gate stays in hand.
    pub(crate) async fn drive(&mut self, mut held: InHand, doing: &str) -> Verdict {
        let done = held.work.drive(&self.net.gates, &self.system().store).await;
        match done {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => self.judge_store(&error, doing),
            None => {
                self.note(format!("{doing} waits"));
                self.in_hand.push(held);
                Ok(())
            }
        }
    }

    /// Lets work in hand go on to its end.
    pub(crate) async fn resume(&mut self, index: usize) -> Verdict {
        let held = self.in_hand.remove(index);
        held.work.open();
        let before = self.in_hand.len();
        // A second round waits until the first is done, or gone.
        let is_second = held.task == Task::BatchRound
            && self.in_hand.iter().any(|other| other.task == Task::BatchRound);
        self.drive(held, "resumed work").await?;
        ensure(self.in_hand.len() == before || is_second, || {
            "work waits for nothing, for ever".into()
        })
    }

    /// Follows the chain and tells the records, as the worker does.
    pub(crate) fn chain_round(&self, closes_at: Option<u64>) -> InHand {
        let now = self.net.clock.tick();
        let (headers, anchoring) = (self.system().headers.clone(), self.system().anchoring.clone());
        let store = self.system().store.clone();
        let work = Work::new(closes_at, async move {
            match headers.follow().await {
                Err(FollowError::Store(error)) => return Err(error),
                Ok(_)
                | Err(
                    FollowError::Chain(_)
                    | FollowError::Header { .. }
                    | FollowError::Disconnected(_)
                    | FollowError::Contradicted(_),
                ) => {}
            }
            let Some(change) = store.read(untold_change)? else { return Ok(()) };
            anchoring.follow_chain(change.lowest, now).await?;
            anchoring.look_for_mined(now).await?;
            store.write(move |tx| tx.clear_untold(&change)).await
        });
        InHand { task: Task::ChainRound, work }
    }
}
