//! Registering many products from a file: read and checked row by row, then registered in the
//! background.
//!
//! Every row is checked by the code that checks a single registration. A row and what became of it
//! are stored in the same transaction as the registration itself, so a crash at any moment neither
//! registers a row twice nor leaves one out, and the report is true.

mod csv;
mod erase;
mod intake;
mod report;
mod rows;
mod run;

use std::time::Duration;

use crate::service::once::Keep;
use crate::service::registration::{RegistrationError, RegistrationService, Wake};
use crate::storage::imports::{import, import_rows, imports};
use crate::storage::{Store, StoreError, Tables, WriteTx};
use crate::types::{ImportId, Timestamp};

pub use crate::storage::{ImportState, RowFault, RowOutcome, StoredImport, StoredImportRow};
pub use erase::erase_row;
pub use intake::{Intake, Start};
pub use report::{Report, ReportPage};
pub use rows::{FileFault, ImportFormat};
pub use run::Step;

/// The most rows of a file.
pub const MAX_ROWS: u32 = 100_000;
/// The longest file in bytes.
pub const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;
/// The most imports or rows on one page.
pub const MAX_PAGE: usize = 500;
/// The most imports that are kept.
pub const MAX_KEPT: usize = 200;
/// The most bytes of the files of all imports that are kept.
pub const MAX_KEPT_BYTES: u64 = 512 * 1024 * 1024;
/// The longest name of a file in characters.
pub const MAX_NAME: usize = 200;
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
    /// As many imports, or bytes of them, are kept as may be.
    #[error("{kept} imports of {bytes} bytes are kept already")]
    Full {
        /// Imports that are kept.
        kept: usize,
        /// Bytes of their files.
        bytes: u64,
    },
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

/// Which rows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFilter {
    /// All of them.
    All,
    /// Those that are good and were not registered.
    Waiting,
    /// Those that were registered.
    Registered,
    /// Those that cannot be registered.
    Bad,
}

impl RowFilter {
    const fn fits(self, outcome: &RowOutcome) -> bool {
        matches!(
            (self, outcome),
            (Self::All, _)
                | (Self::Waiting, RowOutcome::Good(_))
                | (Self::Registered, RowOutcome::Registered(_))
                | (Self::Bad, RowOutcome::Bad { .. })
        )
    }
}

/// Takes files of products and registers them.
#[derive(Clone)]
pub struct ImportService {
    /// The store.
    pub store: Store,
    /// Checks and registers each row.
    pub registration: RegistrationService,
    /// Has the background go on.
    pub wake: Wake,
}

impl ImportService {
    /// Returns an import.
    pub fn get(&self, id: ImportId) -> Result<StoredImport, ImportError> {
        self.store.read(|tx| expect_import(tx, id))
    }

    /// Returns imports that came before `before`, newest first, and the one to go on after, if there
    /// are more.
    pub fn list(
        &self,
        before: Option<ImportId>,
        limit: usize,
    ) -> Result<(Vec<StoredImport>, Option<ImportId>), StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut found = self.store.read(|tx| imports(tx, before, limit + 1))?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(|last| last.id);
        found.retain(|it| it.state != ImportState::Forgetting);
        Ok((found, next))
    }

    /// Returns rows from number `from` and the number to go on with. With a filter a page may have fewer
    /// rows than asked for and still go on.
    pub fn rows(
        &self,
        id: ImportId,
        from: u32,
        limit: usize,
        filter: RowFilter,
    ) -> Result<(Vec<StoredImportRow>, Option<u32>), ImportError> {
        const MOST_SCANNED: usize = 5_000;
        self.get(id)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let most = if filter == RowFilter::All { limit } else { MOST_SCANNED };
        let found = self.store.read(|tx| import_rows(tx, id, from, most + 1))?;
        let mut rows = Vec::new();
        for (scanned, (number, row)) in found.into_iter().enumerate() {
            if rows.len() == limit || scanned == most {
                return Ok((rows, Some(number)));
            }
            if filter.fits(&row.outcome) {
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
        keep: Keep<StoredImport>,
        now: Timestamp,
    ) -> Result<StoredImport, ImportError> {
        let actor = actor.to_owned();
        let begin = move |tx: &mut WriteTx<'_>, old: StoredImport| {
            let started = match old.state {
                ImportState::Running => old,
                ImportState::Checked if old.bad > 0 && !skips_bad => {
                    return Err(ImportError::BadRows { bad: old.bad });
                }
                ImportState::Checked => set_off(tx, old, &actor, now)?,
                ImportState::Receiving
                | ImportState::Done
                | ImportState::Cancelled
                | ImportState::Forgetting => return Err(ImportError::WrongState(old.state)),
            };
            keep.put(tx, &started)?;
            Ok(started)
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

    /// Forgets an import that does not run, and what its rows said with it. What was registered stays
    /// registered.
    pub async fn forget(
        &self,
        id: ImportId,
        actor: &str,
        now: Timestamp,
    ) -> Result<StoredImport, ImportError> {
        let actor = actor.to_owned();
        self.change(id, move |tx, old| match old.state {
            ImportState::Checked | ImportState::Done | ImportState::Cancelled => {
                tx.append_audit(now, &actor, "import.forget", &id.to_string())?;
                let (state, forgotten_at) = (ImportState::Forgetting, Timestamp::from_millis(0));
                Ok(StoredImport { state, forgotten_at, ..old })
            }
            ImportState::Receiving | ImportState::Running | ImportState::Forgetting => {
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
        self.store
            .write(move |tx| {
                let old = expect_import(tx, id)?;
                let new = change(tx, old.clone())?;
                if new != old {
                    tx.put_import(&new)?;
                }
                Ok::<_, ImportError>(new)
            })
            .await
    }
}

/// Has a checked import run, on the word of `actor`.
fn set_off(
    tx: &mut WriteTx<'_>,
    checked: StoredImport,
    actor: &str,
    now: Timestamp,
) -> Result<StoredImport, StoreError> {
    tx.append_audit(now, actor, "import.start", &checked.id.to_string())?;
    let (state, actor) = (ImportState::Running, actor.to_owned());
    Ok(StoredImport { state, actor, started_at: Some(now), ..checked })
}

/// Returns an import that is not being forgotten.
fn expect_import(tables: &impl Tables, id: ImportId) -> Result<StoredImport, ImportError> {
    let found = import(tables, id)?.filter(|it| it.state != ImportState::Forgetting);
    found.ok_or(ImportError::NotFound)
}

/// Says whether so many more imports, and bytes of them, may be kept.
fn expect_room(tables: &impl Tables, more: usize, more_bytes: u64) -> Result<(), ImportError> {
    let mut all = imports(tables, None, usize::MAX)?;
    all.retain(|it| it.state != ImportState::Forgetting);
    let (kept, bytes) = (all.len(), all.iter().map(|it| it.bytes).sum::<u64>());
    if kept + more > MAX_KEPT || bytes.saturating_add(more_bytes) > MAX_KEPT_BYTES {
        return Err(ImportError::Full { kept, bytes });
    }
    Ok(())
}
