//! What an operator should see before the money ends: days left, what waits, what is locked and why.

use std::collections::BTreeMap;

use crate::anchor::lifecycle::Job;
use crate::service::anchoring::FeeCaps;
use crate::storage::fees::{day_of, fees_on, first_day};
use crate::storage::jobs::{job, jobs_in_stage};
use crate::storage::records::record;
use crate::storage::utxos::{list_utxos, pool_totals};
use crate::storage::{StageName, Store, StoreError, Tables};
use crate::types::{RecordId, Satoshis, Timestamp};
use crate::wallet::policy::PoolPolicySource;
use crate::wallet::runway::{NoRunway, RATE_DAYS, days_left};
use crate::wallet::utxo::{UtxoState, UtxoStatus};

/// The most records or outputs that are looked at one by one.
const MOST_LOOKED_AT: usize = 2_000;
/// Days left below which an operator is warned.
pub const SHORT_RUNWAY_DAYS: u64 = 7;

/// What an operator should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runway {
    /// Whole days at the present rate, or why nobody can say.
    pub days_left: Result<u64, NoRunway>,
    /// Satoshis that are not spent, whatever their state.
    pub value: u64,
    /// Satoshis let go in fees in the seven days before today.
    pub spent_last_days: u64,
    /// Satoshis of fees signed for today.
    pub fees_today: u64,
    /// The most that may be; none for no limit.
    pub fee_cap_per_day: Option<u64>,
    /// Whether the cap of the day has no room for another record.
    pub is_capped: bool,
    /// Seconds since the oldest record was accepted that the network has not taken; none if there
    /// is none.
    pub oldest_unanchored_secs: Option<u64>,
    /// Satoshis held by jobs, by the name of their stage.
    pub locked: BTreeMap<&'static str, u64>,
    /// Records that found nothing to pay with; counted up to two thousand.
    pub waiting_for_money: u64,
}

impl Runway {
    /// Says whether the money ends soon.
    pub fn is_short(&self) -> bool {
        self.days_left.is_ok_and(|days| days < SHORT_RUNWAY_DAYS)
    }
}

/// Tells how long the pool lasts.
#[derive(Clone)]
pub struct RunwayService {
    /// The store.
    pub store: Store,
    /// The caps in force.
    pub caps: FeeCaps,
    /// What the operator decides about the pool.
    pub policy: PoolPolicySource,
}

impl RunwayService {
    /// Looks at the store.
    pub fn look(&self, now: Timestamp) -> Result<Runway, StoreError> {
        self.store.read(|tx| {
            let today = day_of(now);
            let next_fee = self.policy.current().anchor_cost().get();
            let mut spent = 0u64;
            for day in today.saturating_sub(RATE_DAYS)..today {
                spent = spent.saturating_add(fees_on(tx, day)?.total());
            }
            let value = unspent(tx)?;
            let worth = Satoshis::new(value).unwrap_or(Satoshis::MAX);
            Ok(Runway {
                days_left: days_left(worth, spent, first_day(tx)?, today),
                value,
                spent_last_days: spent,
                fees_today: fees_on(tx, today)?.total(),
                is_capped: self.caps.reached(tx, next_fee, now)?.is_some(),
                fee_cap_per_day: self.caps.per_day.map(Satoshis::get),
                oldest_unanchored_secs: oldest(tx)?.map(|at| now.since(at).as_secs()),
                locked: locked(tx)?,
                waiting_for_money: waiting(tx)?,
            })
        })
    }
}

fn unspent(tables: &impl Tables) -> Result<u64, StoreError> {
    let totals = pool_totals(tables)?;
    let unspent = totals.iter().filter(|((_, status), _)| *status != UtxoStatus::Spent);
    Ok(unspent.fold(0, |sum, (_, total)| total.satoshis.saturating_add(sum)))
}

/// Identifiers sort by time, so the first record of each stage is its oldest.
fn oldest(tables: &impl Tables) -> Result<Option<Timestamp>, StoreError> {
    let mut oldest: Option<Timestamp> = None;
    for stage in [StageName::Accepted, StageName::Reserved, StageName::Signed, StageName::Held] {
        let first = first_record(tables, stage)?.map(|job| job.accepted_at);
        oldest = oldest.into_iter().chain(first).min();
    }
    Ok(oldest)
}

fn first_record(tables: &impl Tables, stage: StageName) -> Result<Option<Job>, StoreError> {
    for job in jobs_in_stage(tables, stage, None, 64)? {
        // Operations wait for nobody.
        if record(tables, job.id)?.is_some() {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

fn locked(tables: &impl Tables) -> Result<BTreeMap<&'static str, u64>, StoreError> {
    let mut stages: BTreeMap<RecordId, &'static str> = BTreeMap::new();
    let mut locked: BTreeMap<&'static str, u64> = BTreeMap::new();
    for held in list_utxos(tables, UtxoStatus::Locked, MOST_LOOKED_AT)? {
        let UtxoState::Locked { by } = held.state else { continue };
        let stage = match stages.get(&by) {
            Some(stage) => stage,
            None => {
                let stage =
                    job(tables, by)?.map_or("missing", |it| StageName::of(&it.stage).as_str());
                stages.insert(by, stage);
                stage
            }
        };
        let sum = locked.entry(stage).or_default();
        *sum = sum.saturating_add(held.value.get());
    }
    Ok(locked)
}

fn waiting(tables: &impl Tables) -> Result<u64, StoreError> {
    let accepted = jobs_in_stage(tables, StageName::Accepted, None, MOST_LOOKED_AT)?;
    let waiting = accepted.iter().filter(|job| job.waits_for_money).count();
    Ok(u64::try_from(waiting).unwrap_or(u64::MAX))
}
