//! The process and the machine below it: version, store, disk, and what the doctor finds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::storage::{SCHEMA_VERSION, STORE_FILE, Store};
use crate::types::Timestamp;

/// What the doctor found stays true so long: it may read the whole store.
const EXAMINED_FOR: Duration = Duration::from_secs(30);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemFinding {
    /// What was looked at.
    pub check: String,
    /// `ok`, `warn` or `fail`.
    pub level: &'static str,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// Whoever examines the machine, without asking the network.
#[async_trait]
pub trait Doctor: Send + Sync {
    /// Looks at everything once.
    async fn examine(&self) -> Vec<SystemFinding>;
}

/// What was found, and when.
pub type Examined = Option<(Timestamp, Arc<[SystemFinding]>)>;

/// Tells how the machine is.
#[derive(Clone)]
pub struct SystemService {
    /// The store.
    pub store: Store,
    /// When the process started.
    pub started_at: Timestamp,
    /// The folder of the store, if it is in one.
    pub data_dir: Option<PathBuf>,
    /// Examines the machine.
    pub doctor: Option<Arc<dyn Doctor>>,
    /// What was found last; whoever asks meanwhile waits for it.
    pub examined: Arc<Mutex<Examined>>,
}

impl SystemService {
    /// Returns the version of the store's schema.
    pub const fn schema_version(&self) -> u32 {
        SCHEMA_VERSION
    }

    /// Returns the bytes of the store's file; nothing if it is in memory.
    pub fn store_bytes(&self) -> Option<u64> {
        store_bytes(self.data_dir.as_deref())
    }

    /// Returns what the doctor finds, at most 30 seconds old, and when that was; nothing where there
    /// is no doctor.
    pub async fn findings(&self, now: Timestamp) -> Examined {
        let doctor = self.doctor.as_ref()?;
        let mut examined = self.examined.lock().await;
        let is_fresh =
            examined.as_ref().is_some_and(|(at, _)| *at <= now && now.since(*at) < EXAMINED_FOR);
        if !is_fresh {
            *examined = Some((now, doctor.examine().await.into()));
        }
        examined.clone()
    }
}

/// Returns the bytes of the store's file in `data_dir`.
pub(in crate::service) fn store_bytes(data_dir: Option<&Path>) -> Option<u64> {
    let file = data_dir?.join(STORE_FILE);
    std::fs::metadata(file).ok().map(|found| found.len())
}
