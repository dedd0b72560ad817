//! The state of the product on one page, as its operators look at it.

mod alerts;
pub mod history;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::service::readiness::ReadinessService;
use crate::service::runway::{Runway, RunwayService};
use crate::service::system::store_bytes;
use crate::storage::batches::waiting_count;
use crate::storage::headers::{chain_head, header};
use crate::storage::jobs::job_totals;
use crate::storage::mails::mail_count;
use crate::storage::utxos::pool_totals;
use crate::storage::{StageName, Store, StoreError, Tables, UtxoTotal};
use crate::telemetry::{Lag, Metrics};
use crate::types::{BlockHash, Timestamp};
use crate::wallet::utxo::UtxoStatus;

pub use alerts::{Alert, AlertBook, Severity};

/// The newest block of our chain of headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainNow {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// The time in its header.
    pub at: Timestamp,
    /// How long ago that was.
    pub age: Duration,
}

/// Logins since the process started, by key and by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoginCounts {
    /// Begun.
    pub begun: u64,
    /// Completed.
    pub completed: u64,
    /// Refused: a wrong signature or code, too late, or used before.
    pub failed: u64,
}

/// The disk of the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskNow {
    /// Bytes that can still be written.
    pub free: u64,
    /// Bytes that it has.
    pub total: u64,
}

/// The state of the product on one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// When it was looked at.
    pub at: Timestamp,
    /// Jobs by stage; a batch counts once, as does an operation of the pool.
    pub stages: Vec<(StageName, u64)>,
    /// Records that wait for a batch.
    pub waiting_for_batch: u64,
    /// Pool outputs by status, of all keys together.
    pub pool: BTreeMap<&'static str, UtxoTotal>,
    /// How long the pool lasts, and what waits.
    pub runway: Runway,
    /// The newest block; none before the first.
    pub chain: Option<ChainNow>,
    /// How long records took lately; none before the first of this process.
    pub lag: Option<Lag>,
    /// Logins since the start.
    pub logins: LoginCounts,
    /// Mails that wait.
    pub mails_waiting: u64,
    /// The disk; none where the store is not in a folder.
    pub disk: Option<DiskNow>,
    /// What an operator should look into, the worst first.
    pub alerts: Vec<Alert>,
}

/// Looks at everything.
#[derive(Clone)]
pub struct OverviewService {
    /// The store.
    pub store: Store,
    /// Tells what works.
    pub readiness: ReadinessService,
    /// Tells how long the pool lasts.
    pub runway: RunwayService,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// The folder of the store, if it is in one.
    pub data_dir: Option<PathBuf>,
    /// Since when each alert holds.
    pub alerts: AlertBook,
}

impl OverviewService {
    /// Looks at everything once.
    pub fn look(&self, now: Timestamp) -> Result<Overview, StoreError> {
        // Views of their own: one read must not begin another.
        let runway = self.runway.look(now)?;
        let mut overview = self.store.read(|tx| {
            Ok::<_, StoreError>(Overview {
                at: now,
                stages: job_totals(tx)?,
                waiting_for_batch: waiting_count(tx)?,
                pool: pool(tx)?,
                runway,
                chain: chain(tx, now)?,
                lag: self.metrics.anchoring_lag.lag(),
                logins: self.logins(),
                mails_waiting: mail_count(tx)?,
                disk: self.disk(),
                alerts: Vec::new(),
            })
        })?;
        let found = alerts::found(&overview, &self.readiness, now);
        overview.alerts = self.alerts.dated(found, now);
        Ok(overview)
    }

    fn logins(&self) -> LoginCounts {
        LoginCounts {
            begun: self.metrics.logins_begun.get(),
            completed: self.metrics.jwt_success.get(),
            failed: self.metrics.logins_failed.get(),
        }
    }

    /// Returns the bytes of the store's file; nothing if it is in memory.
    pub fn store_bytes(&self) -> Option<u64> {
        store_bytes(self.data_dir.as_deref())
    }

    /// Returns the room on the disk of the data folder.
    pub fn disk(&self) -> Option<DiskNow> {
        let found = rustix::fs::statvfs(self.data_dir.as_ref()?).ok()?;
        Some(DiskNow {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

impl Overview {
    /// Says whether it says the same as another but for the time.
    pub fn says_the_same(&self, other: &Self) -> bool {
        // Compared with its time set to the other's, so that a new member is not forgotten here.
        Self { at: other.at, ..self.clone() } == *other
    }

    /// Returns how many jobs are in a stage.
    pub fn in_stage(&self, stage: StageName) -> u64 {
        self.stages.iter().find(|(name, _)| *name == stage).map_or(0, |(_, count)| *count)
    }
}

fn pool(tables: &impl Tables) -> Result<BTreeMap<&'static str, UtxoTotal>, StoreError> {
    let none = UtxoTotal { count: 0, satoshis: 0 };
    let mut pool: BTreeMap<_, _> =
        UtxoStatus::ALL.into_iter().map(|status| (status.as_str(), none)).collect();
    for ((_, status), total) in pool_totals(tables)? {
        let sum = pool.entry(status.as_str()).or_insert(none);
        sum.count = sum.count.saturating_add(total.count);
        sum.satoshis = sum.satoshis.saturating_add(total.satoshis);
    }
    Ok(pool)
}

fn chain(tables: &impl Tables, now: Timestamp) -> Result<Option<ChainNow>, StoreError> {
    let Some(head) = chain_head(tables)? else { return Ok(None) };
    let Some(newest) = header(tables, head.hash)? else { return Ok(None) };
    let at = Timestamp::from_secs(i64::from(newest.header.time));
    Ok(Some(ChainNow { height: head.height, hash: head.hash, at, age: now.since(at) }))
}
