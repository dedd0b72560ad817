//! A restore under way: reading on a thread where it may take its time, and the mark that makes what was
//! read the next store.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::service::restores::{
    MissingKey, RestoreJob, RestoreKey, RestoreService, RestoreState, RestoreSummary,
    RestoresError, reason,
};
use crate::storage::StoreHealth;
use crate::storage::backup::{
    BackupError, BackupLock, RestoreSource, Staged, StagingProgress, read_header, stage_watched,
};
use crate::types::Timestamp;

/// Why one ends where the store that is served cannot be written to any more.
const DISK: &str = "the disk of the store is full, or fails";

/// One restore.
pub(super) struct Job {
    pub(super) name: String,
    actor: String,
    started_at: Timestamp,
    pub(super) stage: Stage,
}

/// How far it is.
pub(super) enum Stage {
    Reading(StagingProgress),
    Ready(Box<Staged>, RestoreSummary),
    Applying(RestoreSummary),
    Failed { reason: String, missing: Option<MissingKey> },
}

impl Job {
    pub(super) fn begun(name: &str, actor: &str, now: Timestamp) -> Self {
        let stage = Stage::Reading(StagingProgress::default());
        Self { name: name.to_owned(), actor: actor.to_owned(), started_at: now, stage }
    }

    pub(super) fn told(&self, is_stopping: bool) -> RestoreJob {
        let state = match &self.stage {
            Stage::Reading(progress) => RestoreState::Reading { progress: *progress, is_stopping },
            Stage::Ready(_, summary) => RestoreState::Ready(summary.clone()),
            Stage::Applying(summary) => RestoreState::Applying(summary.clone()),
            Stage::Failed { reason, missing } => {
                RestoreState::Failed { reason: reason.clone(), missing: *missing }
            }
        };
        RestoreJob {
            name: self.name.clone(),
            actor: self.actor.clone(),
            started_at: self.started_at,
            state,
        }
    }
}

impl RestoreService {
    /// Reads a backup, and notes what came of it.
    pub(super) fn read(
        &self,
        file: &Path,
        directory: &Path,
        key: Option<RestoreKey>,
        now: Timestamp,
    ) {
        let read = self.read_into(file, directory, key, now);
        let mut slot = self.lock();
        let Some(job) = slot.as_mut() else { return };
        if self.state.stops.load(Ordering::SeqCst) {
            drop(read);
            drop(slot.take());
            return self.clear();
        }
        job.stage = match read {
            Ok((staged, summary)) => Stage::Ready(Box::new(staged), summary),
            Err(error) => {
                self.clear();
                let is_writable = self.store.health() == StoreHealth::Writable;
                let reason = if is_writable { reason(&error) } else { DISK.to_owned() };
                let backup = &job.name;
                tracing::warn!(%backup, %reason, "a backup is not restored");
                Stage::Failed { reason, missing: missing_key(&error) }
            }
        };
    }

    fn read_into(
        &self,
        file: &Path,
        directory: &Path,
        key: Option<RestoreKey>,
        now: Timestamp,
    ) -> Result<(Staged, RestoreSummary), BackupError> {
        // A copy of a store's file has another name than a backup, and is for the command.
        let header = read_header(File::open(file).map_err(BackupError::Io)?)?;
        let own = || self.plan.lock.as_ref().and_then(BackupLock::key);
        let key = key.map(|key| key.0).or_else(own);
        let source = RestoreSource::open(file, || key.ok_or_else(|| header.key.needed()))?;
        let staged = stage_watched(source, directory, now, &mut |progress| self.goes_on(progress))?;
        let lost = self.store.read_apart(|here| {
            staged.refuse_foreign(here)?;
            staged.lacks(here)
        })?;
        if !staged.report.is_clean() {
            return Err(BackupError::Unclean(staged.report.violation_count));
        }
        let summary = RestoreSummary {
            taken_at: staged.taken_at,
            program: staged.program.clone(),
            schema: staged.schema,
            products: staged.rows_of("patches-1"),
            records: staged.rows_of("records-1"),
            transactions: staged.rows_of("transactions-1"),
            rows: staged.report.rows.values().sum(),
            lost,
            compared_at: now,
        };
        Ok((staged, summary))
    }

    /// Notes how far it is, and says whether it goes on: a restore must not take the last of the disk
    /// from the store that is served.
    fn goes_on(&self, progress: StagingProgress) -> bool {
        if let Some(job) = self.lock().as_mut() {
            job.stage = Stage::Reading(progress);
        }
        !self.state.stops.load(Ordering::SeqCst) && self.store.health() == StoreHealth::Writable
    }

    /// Marks what was read as the next store, and asks for the process to begin anew.
    pub(super) async fn put_in_place(
        &self,
        name: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), RestoresError> {
        let directory = self.folder().ok_or(RestoresError::NotHere)?.to_owned();
        let staged = self.take_ready(name)?;
        let marked = match self.note("restore.apply", name, actor, now).await {
            Ok(()) => {
                let (name, actor) = (name.to_owned(), actor.to_owned());
                let mark = move || {
                    staged.note(now, &actor, &name)?;
                    staged.mark_next(&directory)
                };
                let marked = tokio::task::spawn_blocking(mark).await;
                marked.map_or_else(
                    |error| Err(error.to_string()),
                    |marked| marked.map_err(|error| reason(&error)),
                )
            }
            Err(error) => {
                drop(staged);
                Err(error.to_string())
            }
        };
        if let Err(reason) = marked {
            self.clear();
            if let Some(job) = self.lock().as_mut() {
                job.stage = Stage::Failed { reason: reason.clone(), missing: None };
            }
            return Err(RestoresError::Failed(reason));
        }
        tracing::info!(backup = %name, "a restored store takes the place of the present one");
        if let Some(renewal) = &self.renewal {
            renewal.ask();
        }
        Ok(())
    }

    fn take_ready(&self, name: &str) -> Result<Box<Staged>, RestoresError> {
        let mut slot = self.lock();
        let job = slot.as_mut().ok_or(RestoresError::NotReady)?;
        let summary = match &job.stage {
            Stage::Ready(_, summary) if job.name == name => summary.clone(),
            Stage::Ready(..) => return Err(RestoresError::Other(job.name.clone())),
            Stage::Applying(_) => return Err(RestoresError::Applying),
            Stage::Reading(_) | Stage::Failed { .. } => return Err(RestoresError::NotReady),
        };
        match std::mem::replace(&mut job.stage, Stage::Applying(summary)) {
            Stage::Ready(staged, _) => Ok(staged),
            Stage::Reading(_) | Stage::Applying(_) | Stage::Failed { .. } => {
                Err(RestoresError::NotReady)
            }
        }
    }
}

/// Says what would open the backup, if that is what it fails for.
fn missing_key(error: &BackupError) -> Option<MissingKey> {
    match error {
        BackupError::NeedsPassphrase | BackupError::WrongPassphrase => Some(MissingKey::Passphrase),
        BackupError::NeedsIdentity(_) | BackupError::WrongIdentity(_) => Some(MissingKey::Identity),
        BackupError::Io(_)
        | BackupError::NotABackup
        | BackupError::CutHeader
        | BackupError::DamagedHeader
        | BackupError::NewerFormat { .. }
        | BackupError::NewerSchema { .. }
        | BackupError::Damaged(_)
        | BackupError::Malformed(_)
        | BackupError::Mismatch(_)
        | BackupError::UnknownTable(_)
        | BackupError::Foreign { .. }
        | BackupError::Unclean(_)
        | BackupError::InUse
        | BackupError::Store(_) => None,
    }
}
