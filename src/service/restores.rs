//! A restore of a backup beside the running store: read, proved, stored beside it and compared with it,
//! and, once somebody has confirmed that, put in its place by a process that begins anew.
//!
//! ```text
//! none ─▶ reading ─▶ ready ─▶ applying ─▶ (the process begins anew, its store is fenced)
//!            │         │         │
//!            └─────────┴─────────┴─▶ failed, with a reason
//! ```
//!
//! One at a time. Nothing of the running store is touched before it is confirmed, and then only by its
//! name: the restored one waits under a name of its own ([`crate::storage::backup::take_next`]). What
//! opens the backup is in memory while it is read, and nowhere else.

mod job;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::service::backups::BackupPlan;
use crate::service::restores::job::{Job, Stage};
use crate::storage::backup::{BackupError, BackupKey, Beyond, clear_staging, is_backup_name};
use crate::storage::{Store, StoreError};
use crate::types::Timestamp;

pub use crate::storage::backup::StagingProgress;

/// Asks whoever runs the process to end its work and to begin anew; clones ask the same.
#[derive(Debug, Clone)]
pub struct Renewal(watch::Sender<bool>);

impl Renewal {
    /// Makes it, with what turns true once it is asked for.
    pub fn new() -> (Self, watch::Receiver<bool>) {
        let (sender, asked) = watch::channel(false);
        (Self(sender), asked)
    }

    fn ask(&self) {
        self.0.send_replace(true);
    }
}

/// What opens a backup that the server's own passphrase does not.
pub struct RestoreKey(BackupKey);

impl RestoreKey {
    /// A passphrase.
    pub fn passphrase(text: Zeroizing<String>) -> Self {
        Self(BackupKey::Passphrase(text))
    }

    /// A secret key, as `patchproof backup keygen` wrote it; none if it is no such key.
    pub fn identity(text: &str) -> Option<Self> {
        BackupKey::of_identity(text).map(Self)
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum RestoresError {
    /// There is no backup of this name.
    #[error("there is no backup of this name")]
    NotFound,
    /// Another one is under way.
    #[error("a restore is under way; apply it or cancel it first")]
    Running,
    /// There is none, or none that can be put in place now.
    #[error("no restore is ready to be applied")]
    NotReady,
    /// Another backup was read than the one that is confirmed.
    #[error("{0} is ready to be restored, which is not what was confirmed")]
    Other(String),
    /// It is being put in place, which nobody can stop.
    #[error("the restored store is being put in place")]
    Applying,
    /// The process cannot begin anew, or its store is in no folder.
    #[error("this process cannot restore its own store; use patchproof restore")]
    NotHere,
    /// The restored store could not be marked as the next one; the present one was not touched.
    #[error("the restored store could not be put in place: {0}")]
    Failed(String),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a backup is not opened without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingKey {
    /// A passphrase, or another one.
    Passphrase,
    /// A secret key, or another one.
    Identity,
}

/// What is in a backup, beside what is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreSummary {
    /// When what is in it was true.
    pub taken_at: Timestamp,
    /// Version of the program that made it.
    pub program: Option<String>,
    /// Its schema version.
    pub schema: u32,
    /// Products.
    pub products: u64,
    /// Custody events.
    pub records: u64,
    /// Transactions.
    pub transactions: u64,
    /// All rows.
    pub rows: u64,
    /// What the store had that it has not.
    pub lost: Beyond,
    /// When they were compared.
    pub compared_at: Timestamp,
}

/// How far a restore is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreState {
    /// The backup is being read; it may have been told to end.
    Reading {
        /// How far.
        progress: StagingProgress,
        /// Whether it was told to end.
        is_stopping: bool,
    },
    /// It can be put in place.
    Ready(RestoreSummary),
    /// The process is about to begin anew with it.
    Applying(RestoreSummary),
    /// It came to nothing; the store was not touched.
    Failed {
        /// Why.
        reason: String,
        /// What would open it, if that is why.
        missing: Option<MissingKey>,
    },
}

/// A restore that is under way, or came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreJob {
    /// The name of the backup.
    pub name: String,
    /// Who wants it.
    pub actor: String,
    /// Since when.
    pub started_at: Timestamp,
    /// How far it is.
    pub state: RestoreState,
}

/// Restores backups beside the running store.
#[derive(Clone)]
pub struct RestoreService {
    store: Store,
    /// Where the store lies; none where it is in memory.
    data_dir: Option<PathBuf>,
    plan: Arc<BackupPlan>,
    renewal: Option<Renewal>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    job: Mutex<Option<Job>>,
    /// Told to end: by whoever cancels it, or since the process ends.
    stops: AtomicBool,
}

impl RestoreService {
    /// Makes it; without `renewal` or a folder nothing is restored.
    pub fn new(
        store: Store,
        data_dir: Option<PathBuf>,
        plan: Arc<BackupPlan>,
        renewal: Option<Renewal>,
    ) -> Self {
        Self { store, data_dir, plan, renewal, state: Arc::default() }
    }

    /// Says how the restore is that is under way, or came to nothing.
    pub fn status(&self) -> Option<RestoreJob> {
        self.lock().as_ref().map(|job| job.told(self.state.stops.load(Ordering::SeqCst)))
    }

    /// Returns the folder in which the present store would be kept.
    pub fn folder(&self) -> Option<&Path> {
        self.renewal.as_ref().and(self.data_dir.as_deref())
    }

    /// Begins to read a backup and answers at once; [`Self::status`] says how far it is.
    pub async fn start(
        &self,
        name: &str,
        key: Option<RestoreKey>,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), RestoresError> {
        let directory = self.folder().ok_or(RestoresError::NotHere)?.to_owned();
        let file = self.plan.folder.join(name);
        if !is_backup_name(name) || !file.is_file() {
            return Err(RestoresError::NotFound);
        }
        {
            let mut job = self.lock();
            if job.as_ref().is_some_and(|job| !matches!(job.stage, Stage::Failed { .. })) {
                return Err(RestoresError::Running);
            }
            self.state.stops.store(false, Ordering::SeqCst);
            *job = Some(Job::begun(name, actor, now));
        }
        if let Err(error) = self.note("restore.read", name, actor, now).await {
            *self.lock() = None;
            return Err(error.into());
        }
        let service = self.clone();
        tokio::task::spawn_blocking(move || service.read(&file, &directory, key, now));
        Ok(())
    }

    /// Has it end, and forgets what was read; one that came to nothing is forgotten.
    pub async fn cancel(&self, actor: &str, now: Timestamp) -> Result<(), RestoresError> {
        let name = {
            let mut job = self.lock();
            let Some(found) = job.as_ref() else { return Ok(()) };
            let name = found.name.clone();
            match found.stage {
                Stage::Applying(_) => return Err(RestoresError::Applying),
                Stage::Reading(_) => self.state.stops.store(true, Ordering::SeqCst),
                Stage::Ready(..) | Stage::Failed { .. } => {
                    drop(job.take());
                    self.clear();
                }
            }
            name
        };
        Ok(self.note("restore.cancel", &name, actor, now).await?)
    }

    /// Puts what was read of the backup `name` in the place of the store, by a process that begins anew:
    /// once this returns, that is decided and on the disk.
    pub async fn apply(
        &self,
        name: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), RestoresError> {
        let (service, name, actor) = (self.clone(), name.to_owned(), actor.to_owned());
        // Whoever asks may hang up: what was begun comes to its end.
        let applied = tokio::spawn(async move { service.put_in_place(&name, &actor, now).await });
        applied.await.unwrap_or_else(|error| Err(RestoresError::Failed(error.to_string())))
    }

    /// Has what is under way end, since the process does; what waits to take its place goes on waiting.
    pub fn stop(&self) {
        self.state.stops.store(true, Ordering::SeqCst);
        let mut job = self.lock();
        if job.as_ref().is_some_and(|job| matches!(job.stage, Stage::Ready(..))) {
            drop(job.take());
            self.clear();
        }
    }

    async fn note(
        &self,
        action: &'static str,
        name: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (name, actor) = (name.to_owned(), actor.to_owned());
        self.store.write(move |tx| tx.append_audit(now, &actor, action, &name)).await
    }

    /// Removes what was stored beside the store.
    fn clear(&self) {
        if let Some(directory) = &self.data_dir
            && let Err(error) = clear_staging(directory)
        {
            tracing::warn!(%error, "what a restore has left is still there");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Job>> {
        self.state.job.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what went wrong with what the system says, which is worth more than that it said something.
fn reason(error: &BackupError) -> String {
    if let BackupError::Io(io) = error { format!("{error}: {io}") } else { error.to_string() }
}
