//! Runs seeds, side by side, and says how to run one again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::random::mix_all;
use crate::safety::Memory;
use crate::stage::{Stage, Verdict};

/// How many things happen in a run before the world is healed.
const STEPS: u64 = 150;
/// How many runs go side by side.
const THREADS: u64 = 2;
/// How many steps lie between two checks.
const CHECK_EVERY: u64 = 4;

/// What became of a run.
pub(crate) struct Outcome {
    /// Says everything that the seed decided and what came of it.
    pub(crate) digest: u64,
    pub(crate) records: usize,
    pub(crate) broadcasts: u64,
    pub(crate) faults: u64,
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
        records: stage.model.known.len(),
        broadcasts,
        faults: stage.net.weather().struck(),
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
            Ok(outcome) => totals.add(&outcome),
            Err(broken) => {
                stop.store(true, Ordering::SeqCst);
                return Err(broken);
            }
        }
    }
    Ok(totals)
}

/// What many runs did.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) seeds: u64,
    pub(crate) records: usize,
    pub(crate) broadcasts: u64,
    pub(crate) faults: u64,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.records += outcome.records;
        self.broadcasts += outcome.broadcasts;
        self.faults += outcome.faults;
    }

    const fn plus(mut self, other: &Self) -> Self {
        self.seeds += other.seeds;
        self.records += other.records;
        self.broadcasts += other.broadcasts;
        self.faults += other.faults;
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
