//! Backups of the running product: made one at a time, on a schedule and on request, kept for a while,
//! listed, handed out and removed.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::storage::backup::{
    BackupError, BackupLock, BackupProgress, KeyKind, MadeBackup, is_backup_name, list_backups,
    make_backup, new_backup_path, prune_backups,
};
use crate::storage::{Store, StoreError};
use crate::types::Timestamp;

/// Who acts where nobody asked, in the audit trail.
pub const SCHEDULER: &str = "scheduler";
/// How much later than planned a backup is overdue: with a backup a day, after 26 hours.
const GRACE: Duration = Duration::from_secs(2 * 3600);
/// How long the schedule waits after a backup that failed.
const RETRY: Duration = Duration::from_secs(15 * 60);

/// What an operator decides about backups.
#[derive(Debug, Clone, Default)]
pub struct BackupPlan {
    /// Where they go.
    pub folder: PathBuf,
    /// How often one is made; none for only on request.
    pub interval: Option<Duration>,
    /// How many stay.
    pub keep: usize,
    /// What they are locked with; none are made without it.
    pub lock: Option<BackupLock>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum BackupsError {
    /// There is nothing to lock them with.
    #[error("set BACKUP_PASSPHRASE or BACKUP_RECIPIENT: a backup is always encrypted")]
    NoKey,
    /// One is being made.
    #[error("a backup is being made")]
    Running,
    /// There is no backup of this name.
    #[error("there is no backup of this name")]
    NotFound,
    /// It could not be made, listed or removed.
    #[error("the folder of backups does not work: {0}")]
    Failed(String),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BackupError> for BackupsError {
    fn from(error: BackupError) -> Self {
        if let BackupError::Store(store) = error {
            return Self::Store(store);
        }
        // What the system says is worth more than that it said something.
        if let BackupError::Io(io) = error {
            return Self::Failed(io.to_string());
        }
        Self::Failed(error.to_string())
    }
}

/// A backup that is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningBackup {
    /// Since when.
    pub started_at: Timestamp,
    /// Rows written.
    pub rows: u64,
    /// Rows there are.
    pub total: u64,
}

/// A backup in the folder, as its own head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupEntry {
    /// The name of its file.
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// When the view that it shows was opened.
    pub taken_at: Option<Timestamp>,
    /// Schema version of what is in it.
    pub schema: Option<u32>,
    /// Version of the program that made it.
    pub program: Option<String>,
    /// `passphrase` or `identity`: what opens it.
    pub lock: Option<&'static str>,
    /// Why its head cannot be read.
    pub problem: Option<String>,
}

/// How backups are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackupsStatus {
    /// The one that is being made.
    pub running: Option<RunningBackup>,
    /// When the newest good one was true.
    pub newest: Option<Timestamp>,
    /// Its bytes.
    pub bytes: u64,
    /// When one failed that no good one has followed, and why.
    pub failure: Option<(Timestamp, String)>,
    /// How many have failed since the start of the process.
    pub failures: u64,
}

#[derive(Debug, Default)]
struct State {
    status: Mutex<BackupsStatus>,
    stops: AtomicBool,
}

/// Makes and keeps backups.
#[derive(Clone)]
pub struct BackupService {
    store: Store,
    /// What the operator decided.
    pub plan: Arc<BackupPlan>,
    state: Arc<State>,
    since: Timestamp,
}

impl BackupService {
    /// Looks at what is in the folder; `since` is the start of the process.
    pub fn new(store: Store, plan: BackupPlan, since: Timestamp) -> Self {
        let it = Self { store, plan: Arc::new(plan), state: Arc::default(), since };
        if let Err(error) = it.list() {
            tracing::warn!(%error, "the folder of backups could not be read");
        }
        it
    }

    /// Begins to make a backup and answers at once; [`Self::status`] says how far it is.
    pub fn start(&self, actor: &str, now: Timestamp) -> Result<(), BackupsError> {
        let turn = self.begin(now)?;
        let (service, actor) = (self.clone(), actor.to_owned());
        tokio::spawn(async move { service.finish(turn, &actor, now).await.map(drop) });
        Ok(())
    }

    /// Makes a backup, reads it again, and removes the oldest beyond those that stay.
    pub async fn run(&self, actor: &str, now: Timestamp) -> Result<MadeBackup, BackupsError> {
        let turn = self.begin(now)?;
        self.finish(turn, actor, now).await
    }

    fn begin(&self, now: Timestamp) -> Result<Turn, BackupsError> {
        if self.plan.lock.is_none() {
            return Err(BackupsError::NoKey);
        }
        let mut status = self.lock();
        if status.running.is_some() {
            return Err(BackupsError::Running);
        }
        status.running = Some(RunningBackup { started_at: now, rows: 0, total: 0 });
        Ok(Turn(Arc::clone(&self.state)))
    }

    async fn finish(
        &self,
        turn: Turn,
        actor: &str,
        now: Timestamp,
    ) -> Result<MadeBackup, BackupsError> {
        let outcome = self.make(now).await;
        drop(turn);
        match &outcome {
            Ok(made) => {
                {
                    let mut status = self.lock();
                    status.newest = Some(now);
                    status.bytes = made.bytes;
                    status.failure = None;
                }
                let (actor, name) = (actor.to_owned(), file_name(made));
                tracing::info!(backup = %name, bytes = made.bytes, "a backup was made");
                let noted = self.store.write(move |tx| {
                    tx.append_audit(now, &actor, "backup.made", &name)?;
                    Ok::<_, StoreError>(())
                });
                noted.await?;
            }
            Err(error) => {
                tracing::error!(%error, "no backup was made");
                let mut status = self.lock();
                status.failure = Some((now, error.to_string()));
                status.failures += 1;
            }
        }
        outcome
    }

    /// Does the work on a thread where it may take its time.
    async fn make(&self, now: Timestamp) -> Result<MadeBackup, BackupsError> {
        let service = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            let lock = service.plan.lock.as_ref().ok_or(BackupsError::NoKey)?;
            let path = new_backup_path(&service.plan.folder, now)?;
            let mut report = |progress: BackupProgress| {
                if let Some(running) = &mut service.lock().running {
                    (running.rows, running.total) = (progress.rows, progress.total);
                }
                !service.state.stops.load(Ordering::SeqCst)
            };
            let made = service.store.read_apart(|tx| {
                Ok::<_, StoreError>(make_backup(tx, &path, lock, now, &mut report))
            })??;
            for gone in prune_backups(&service.plan.folder, service.plan.keep.max(1))? {
                tracing::info!(backup = %gone, "an old backup was removed");
            }
            Ok(made)
        });
        made.await.unwrap_or_else(|error| Err(BackupsError::Failed(error.to_string())))
    }

    /// Has a backup that is being made end without a result.
    pub fn stop(&self) {
        self.state.stops.store(true, Ordering::SeqCst);
    }

    /// Says how backups are.
    pub fn status(&self) -> BackupsStatus {
        self.lock().clone()
    }

    /// Lists the backups in the folder, newest first.
    pub fn list(&self) -> Result<Vec<BackupEntry>, BackupsError> {
        if self.plan.folder.as_os_str().is_empty() {
            return Ok(Vec::new());
        }
        let entries: Vec<BackupEntry> = list_backups(&self.plan.folder)?
            .into_iter()
            .map(|it| {
                let (header, problem) = match it.header {
                    Ok(header) => (Some(header), None),
                    Err(problem) => (None, Some(problem)),
                };
                BackupEntry {
                    name: it.name,
                    bytes: it.bytes,
                    taken_at: header.as_ref().map(|header| header.taken_at()),
                    schema: header.as_ref().map(|header| header.schema),
                    lock: header.as_ref().map(|header| lock_of(&header.key)),
                    program: header.map(|header| header.program),
                    problem,
                }
            })
            .collect();
        let newest = entries.iter().find(|it| it.taken_at.is_some());
        let mut status = self.lock();
        status.newest = newest.and_then(|it| it.taken_at);
        status.bytes = newest.map_or(0, |it| it.bytes);
        drop(status);
        Ok(entries)
    }

    /// Says whether the server has what opens the backups that it makes.
    pub fn opens(&self) -> bool {
        self.plan.lock.as_ref().is_some_and(|lock| lock.key().is_some())
    }

    /// Opens a backup for handing it out, with its bytes.
    pub fn open(&self, name: &str) -> Result<(File, u64), BackupsError> {
        let path = self.path_of(name)?;
        let file = File::open(path).map_err(|error| of_file(&error))?;
        let bytes = file.metadata().map_err(|error| BackupsError::Failed(error.to_string()))?.len();
        Ok((file, bytes))
    }

    /// Removes a backup.
    pub async fn delete(
        &self,
        name: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), BackupsError> {
        let path = self.path_of(name)?;
        self.note("backup.delete", name, actor, now).await?;
        std::fs::remove_file(path).map_err(|error| of_file(&error))?;
        self.list().map(drop)
    }

    /// Writes a line of the audit trail about a backup that is there.
    pub async fn note(
        &self,
        action: &'static str,
        name: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), BackupsError> {
        if !self.path_of(name)?.is_file() {
            return Err(BackupsError::NotFound);
        }
        let (name, actor) = (name.to_owned(), actor.to_owned());
        let noted = self.store.write(move |tx| {
            tx.append_audit(now, &actor, action, &name)?;
            Ok::<_, StoreError>(())
        });
        Ok(noted.await?)
    }

    /// Returns when the schedule wants the next one; nothing where there is no schedule.
    pub fn due_at(&self) -> Option<Timestamp> {
        let interval = self.plan.lock.as_ref().and(self.plan.interval)?;
        let status = self.lock();
        let due = status.newest.map_or(self.since, |newest| newest.plus(interval));
        Some(match &status.failure {
            Some((at, _)) => due.max(at.plus(RETRY)),
            None => due,
        })
    }

    /// Says what an operator should know: that there was no backup for longer than planned.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let interval = self.plan.lock.as_ref().and(self.plan.interval)?;
        let status = self.lock();
        let last = status.newest.unwrap_or(self.since);
        let is_late = now.since(last) > interval.saturating_add(GRACE);
        let why = status.failure.as_ref().map(|(_, why)| format!(": {why}")).unwrap_or_default();
        is_late.then(|| format!("the newest backup is of {last}, which is too long ago{why}"))
    }

    fn path_of(&self, name: &str) -> Result<PathBuf, BackupsError> {
        if is_backup_name(name) {
            Ok(self.plan.folder.join(name))
        } else {
            Err(BackupsError::NotFound)
        }
    }

    fn lock(&self) -> MutexGuard<'_, BackupsStatus> {
        self.state.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the word for what opens a backup.
const fn lock_of(key: &KeyKind) -> &'static str {
    match key {
        KeyKind::Passphrase { .. } => "passphrase",
        KeyKind::Recipient { .. } => "identity",
    }
}

fn of_file(error: &std::io::Error) -> BackupsError {
    if error.kind() == std::io::ErrorKind::NotFound {
        BackupsError::NotFound
    } else {
        BackupsError::Failed(error.to_string())
    }
}

fn file_name(made: &MadeBackup) -> String {
    made.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// One backup at a time: gives the turn back however it ends.
struct Turn(Arc<State>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.status.lock().unwrap_or_else(PoisonError::into_inner).running = None;
    }
}
