//! Registering many products from a file: read and checked row by row, then registered in the
//! background.
//!
//! Every row is checked by the code that checks a single registration. A row and what became of it
//! are stored in the same transaction as the registration itself, so a crash at any moment neither
//! registers a row twice nor leaves one out, and the report is true.

mod csv;
mod intake;
mod report;
mod rows;
mod run;

use std::time::Duration;

use tokio::sync::watch;

use crate::service::registration::{RegistrationError, RegistrationService, Wake};
use crate::storage::imports::{import, import_rows, imports};
use crate::storage::{Store, StoreError, WriteTx};
use crate::types::{ImportId, Timestamp};

pub use crate::storage::{ImportState, RowFault, RowOutcome, StoredImport, StoredImportRow};
pub use intake::Intake;
pub use report::ReportPage;
pub use rows::{FileFault, ImportFormat};
pub use run::Step;

/// The most rows of a file.
pub const MAX_ROWS: u32 = 100_000;
/// The longest file in bytes.
pub const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;
/// The most imports or rows on one page.
pub const MAX_PAGE: usize = 500;
/// How long an import is kept after its last step.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// An import that was not taken or not moved on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[from] FileFault),
    /// The file has more than [`MAX_ROWS`] rows.
    #[error("the file has more than {MAX_ROWS} rows")]
    TooManyRows,
    /// There is no such import.
    #[error("there is no such import")]
    NotFound,
    /// Some rows are not acceptable, and nobody said to leave them out.
    #[error("{bad} rows are not acceptable")]
    BadRows {
        /// How many.
        bad: u32,
    },
    /// It is at a stage at which that cannot be done.
    #[error("the import is {}", .0.as_str())]
    WrongState(ImportState),
    /// A row could not be registered for a reason that is not its own.
    #[error("the row could not be registered")]
    Registration(#[source] RegistrationError),
    /// The store does not work.
    #[error("the store did not take it")]
    Store(#[from] StoreError),
}

/// Where those who watch hear of imports; the last one that moved.
pub type ImportNews = watch::Sender<Option<StoredImport>>;

/// Takes files of products and registers them.
#[derive(Clone)]
pub struct ImportService {
    /// The store.
    pub store: Store,
    /// Checks and registers each row.
    pub registration: RegistrationService,
    /// Has the background go on.
    pub wake: Wake,
    /// Told of every step.
    pub news: ImportNews,
}

impl ImportService {
    /// Watches imports: what is seen is the last one that moved, as it was then.
    pub fn watch(&self) -> watch::Receiver<Option<StoredImport>> {
        self.news.subscribe()
    }

    /// Returns an import.
    pub fn get(&self, id: ImportId) -> Result<StoredImport, ImportError> {
        self.store.read(|tx| import(tx, id))?.ok_or(ImportError::NotFound)
    }

    /// Returns imports that came before `before`, newest first, and whether there are more.
    pub fn list(
        &self,
        before: Option<ImportId>,
        limit: usize,
    ) -> Result<(Vec<StoredImport>, bool), StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut found = self.store.read(|tx| imports(tx, before, limit + 1))?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        Ok((found, has_more))
    }

    /// Returns rows from number `from` and the number to go on with. With `only_bad` a page has only
    /// those that cannot be registered, and may have fewer rows than asked for and still go on.
    pub fn rows(
        &self,
        id: ImportId,
        from: u32,
        limit: usize,
        only_bad: bool,
    ) -> Result<(Vec<StoredImportRow>, Option<u32>), ImportError> {
        const MOST_SCANNED: usize = 5_000;
        self.get(id)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let most = if only_bad { MOST_SCANNED } else { limit };
        let found = self.store.read(|tx| import_rows(tx, id, from, most + 1))?;
        let mut rows = Vec::new();
        for (scanned, (number, row)) in found.into_iter().enumerate() {
            if rows.len() == limit || scanned == most {
                return Ok((rows, Some(number)));
            }
            if !only_bad || matches!(row.outcome, RowOutcome::Bad { .. }) {
                rows.push(row);
            }
        }
        Ok((rows, None))
    }

    /// Has the good rows of a checked import registered. One that runs already runs on.
    ///
    /// # Errors
    ///
    /// [`ImportError::BadRows`] if there are bad ones that are not to be skipped.
    pub async fn start(
        &self,
        id: ImportId,
        skips_bad: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<StoredImport, ImportError> {
        let actor = actor.to_owned();
        let begin = move |tx: &mut WriteTx<'_>, old: StoredImport| match old.state {
            ImportState::Running => Ok(old),
            ImportState::Checked if old.bad > 0 && !skips_bad => {
                Err(ImportError::BadRows { bad: old.bad })
            }
            ImportState::Checked => {
                tx.append_audit(now, &actor, "import.start", &id.to_string())?;
                let actor = actor.clone();
                let state = ImportState::Running;
                Ok(StoredImport { state, actor, started_at: Some(now), ..old })
            }
            ImportState::Receiving
            | ImportState::Done
            | ImportState::Cancelled
            | ImportState::Forgetting => Err(ImportError::WrongState(old.state)),
        };
        let started = self.change(id, begin).await?;
        (self.wake)();
        Ok(started)
    }

    /// Stops an import before its next row. What was registered stays registered.
    pub async fn cancel(
        &self,
        id: ImportId,
        actor: &str,
        now: Timestamp,
    ) -> Result<StoredImport, ImportError> {
        let actor = actor.to_owned();
        self.change(id, move |tx, old| match old.state {
            ImportState::Cancelled => Ok(old),
            ImportState::Checked | ImportState::Running => {
                tx.append_audit(now, &actor, "import.cancel", &id.to_string())?;
                let (state, forgotten_at) = (ImportState::Cancelled, now.plus(KEPT_FOR));
                Ok(StoredImport { state, ended_at: Some(now), forgotten_at, ..old })
            }
            ImportState::Receiving | ImportState::Done | ImportState::Forgetting => {
                Err(ImportError::WrongState(old.state))
            }
        })
        .await
    }

    /// Puts what `change` makes of an import in its place.
    async fn change(
        &self,
        id: ImportId,
        change: impl Fn(&mut WriteTx<'_>, StoredImport) -> Result<StoredImport, ImportError>
        + Send
        + 'static,
    ) -> Result<StoredImport, ImportError> {
        let changed = self
            .store
            .write(move |tx| {
                let old = import(tx, id)?.ok_or(ImportError::NotFound)?;
                let new = change(tx, old.clone())?;
                if new != old {
                    tx.put_import(&new)?;
                }
                Ok::<_, ImportError>(new)
            })
            .await?;
        self.news.send_replace(Some(changed.clone()));
        Ok(changed)
    }
}
