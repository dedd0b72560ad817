//! Runs seeds, side by side, and says how to run one again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use patchproof::anchor::lifecycle::{Job, Stage as Step};

use crate::random::mix_all;
use crate::safety::Memory;
use crate::snapshot::Snapshot;
use crate::stage::{Stage, Verdict};

/// How many things happen in a run before the world is healed.
const STEPS: u64 = 150;
/// How many runs go side by side.
const THREADS: u64 = 2;
/// How many steps lie between two checks.
const CHECK_EVERY: u64 = 8;

/// What became of a run.
pub(crate) struct Outcome {
    /// Says everything that the seed decided and what came of it.
    pub(crate) digest: u64,
    pub(crate) totals: Totals,
}

/// A run that broke a promise.
pub(crate) struct Broken {
    pub(crate) seed: u64,
    pub(crate) reason: String,
    pub(crate) diary: Vec<String>,
}

/// Runs one seed.
pub(crate) fn run_seed(seed: u64) -> Result<Outcome, Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut stage = Stage::of_seed(seed).await;
        match run(&mut stage).await {
            Ok(()) => Ok(outcome(&stage)),
            Err(violation) => {
                let reason = format!("step {}: {violation}", stage.step);
                Err(Broken { seed, reason, diary: stage.diary })
            }
        }
    })
}

async fn run(stage: &mut Stage) -> Verdict {
    let mut memory = Memory::default();
    stage.open_for_business().await?;
    while stage.step < STEPS {
        stage.act().await?;
        if stage.step.is_multiple_of(CHECK_EVERY) {
            stage.check_safety(&mut memory)?;
        }
    }
    stage.finish(&mut memory).await
}

impl Stage {
    /// Gives the system a chain and some money to begin with.
    async fn open_for_business(&mut self) -> Verdict {
        for _ in 0..12 {
            self.mine()?;
        }
        for n in 0..6 {
            self.pay_pool(3_000 + 211 * n, 1);
        }
        self.mine()?;
        self.sync(None).await?;
        let round = self.chain_round(None);
        self.drive(round, "following the chain").await
    }
}

fn outcome(stage: &Stage) -> Outcome {
    let broadcasts = stage.net.traffic().broadcasts;
    let text: Vec<u64> = stage.diary.iter().flat_map(|line| line.bytes().map(u64::from)).collect();
    let height = u64::from(stage.net.node().height());
    let mempool = u64::try_from(stage.net.node().accepted().len()).unwrap();
    Outcome {
        digest: mix_all(&[mix_all(&text), broadcasts, height, mempool]),
        totals: Totals::of(stage),
    }
}

/// Runs the seeds from `first` on until one breaks a promise; returns that one, if any.
pub(crate) fn run_seeds(first: u64, count: u64) -> Result<Totals, Broken> {
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let results: Vec<Result<Totals, Broken>> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..THREADS).map(|_| scope.spawn(|| run_share(&next, first + count, &stop))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    results
        .into_iter()
        .try_fold(Totals::default(), |all, result| result.map(|some| all.plus(&some)))
}

fn run_share(next: &AtomicU64, end: u64, stop: &AtomicBool) -> Result<Totals, Broken> {
    let mut totals = Totals::default();
    while !stop.load(Ordering::SeqCst) {
        let seed = next.fetch_add(1, Ordering::SeqCst);
        if seed >= end {
            break;
        }
        match run_seed(seed) {
            Ok(outcome) => totals = totals.plus(&outcome.totals),
            Err(broken) => {
                stop.store(true, Ordering::SeqCst);
                return Err(broken);
            }
        }
    }
    Ok(totals)
}

/// What runs did; a simulation in which little happens proves little.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) seeds: u64,
    pub(crate) faults: u64,
    pub(crate) broadcasts: u64,
    pub(crate) crashes: u64,
    pub(crate) reorganisations: u64,
    /// Records by how they ended.
    pub(crate) records: u64,
    pub(crate) failed: u64,
    pub(crate) held: u64,
    /// Records that needed a second transaction.
    pub(crate) replaced: u64,
    /// Transfers whose starting point was double-spent.
    pub(crate) uprooted: u64,
    /// Batches, records in them, and transfers upon those.
    pub(crate) batches: u64,
    pub(crate) members: u64,
    pub(crate) followers: u64,
    /// Maintenance operations, and those of them that ended in a final block.
    pub(crate) operations: u64,
    pub(crate) operations_final: u64,
}

impl Totals {
    fn of(stage: &Stage) -> Self {
        let snapshot = Snapshot::take(stage).unwrap_or_else(|error| panic!("{error}"));
        let count = |wanted: &dyn Fn(&Job) -> bool| {
            let records = snapshot.jobs.values().filter(|job| snapshot.is_record(job.id));
            u64::try_from(records.filter(|job| wanted(job)).count()).unwrap()
        };
        let is_operation = |id| !snapshot.is_record(id) && !snapshot.is_batch(id);
        let operations = || snapshot.jobs.values().filter(|job| is_operation(job.id));
        let are_final = operations().filter(|job| matches!(job.stage, Step::Final { .. }));
        Self {
            seeds: 1,
            faults: stage.net.weather().struck(),
            broadcasts: stage.net.traffic().broadcasts,
            crashes: stage.crashes,
            reorganisations: stage.net.node().reorganisations(),
            records: count(&|_| true),
            failed: count(&|job| matches!(job.stage, Step::Failed { .. })),
            held: count(&|job| matches!(job.stage, Step::Held { .. })),
            replaced: count(&|job| !job.dead.is_empty() && job.txid().is_some()),
            uprooted: count(
                &|job| matches!(&job.stage, Step::Failed { reason } if reason.contains("sign again")),
            ),
            batches: u64::try_from(snapshot.batches.len()).unwrap(),
            members: u64::try_from(snapshot.members.len()).unwrap(),
            followers: count(&|job| {
                let previous = snapshot.records[&job.id].previous;
                previous.is_some_and(|previous| snapshot.members.contains_key(&previous))
            }),
            operations: u64::try_from(operations().count()).unwrap(),
            operations_final: u64::try_from(are_final.count()).unwrap(),
        }
    }

    const fn plus(mut self, other: &Self) -> Self {
        self.seeds += other.seeds;
        self.faults += other.faults;
        self.broadcasts += other.broadcasts;
        self.crashes += other.crashes;
        self.reorganisations += other.reorganisations;
        self.records += other.records;
        self.failed += other.failed;
        self.held += other.held;
        self.replaced += other.replaced;
        self.uprooted += other.uprooted;
        self.batches += other.batches;
        self.members += other.members;
        self.followers += other.followers;
        self.operations += other.operations;
        self.operations_final += other.operations_final;
        self
    }
}

impl Broken {
    /// Says what happened and how to see it again.
    pub(crate) fn report(&self) -> String {
        let diary = self.diary.join("\n");
        let seed = self.seed;
        format!(
            "{diary}\n\nseed {seed}, {}\nrun it again: SIMULATION_SEED={seed} cargo test --test simulation",
            self.reason
        )
    }
}
