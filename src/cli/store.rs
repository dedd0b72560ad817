//! The store as commands open it: for looking beside a running server, for changing alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep};

use crate::cli::Surroundings;
use crate::cli::desk::Place;
use crate::config;
use crate::storage::backup::{BackupError, Swapped, clear_staging, next_waits, take_next};
use crate::storage::{ReadTx, Store, StoreError, StoreOptions, StoreReader};
use crate::types::{Clock, Timestamp};

/// How long a server that begins anew waits for its store.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// A store that is only looked at.
pub(super) enum ReadStore {
    /// Beside whoever writes to it.
    Beside(StoreReader),
    /// Alone, where a crash left something to be put right first.
    Alone(Store),
}

impl ReadStore {
    /// Opens the store in `data_dir`, which must be there.
    pub(super) fn open(data_dir: &Path) -> anyhow::Result<Self> {
        let options = StoreOptions::in_directory(data_dir);
        // A slip in the path must not look like an empty store.
        if !options.is_present() {
            bail!("there is no store in {}", data_dir.display());
        }
        let opened = match StoreReader::open(&options) {
            Ok(reader) => Ok(Self::Beside(reader)),
            Err(error @ StoreError::TooNew { .. }) => Err(error),
            Err(_) => Store::open(options).map(Self::Alone),
        };
        opened.with_context(|| unopened(data_dir))
    }

    /// Runs `read` on one unchanging view.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTx) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Beside(reader) => reader.read(read),
            Self::Alone(store) => store.read(read),
        }
    }
}

/// Opens the store of a server. A restored one that waits takes its place first.
pub(super) fn open_for_serving(data_dir: &Path, now: Timestamp) -> anyhow::Result<Store> {
    let taken = take_next(data_dir, now).with_context(|| {
        format!("the restored store that waits in {} is not put in place", data_dir.display())
    })?;
    if let Some(Swapped { safety_copy: Some(copy) }) = taken {
        tracing::info!(former = %copy.display(), "a restored store has taken the place of the former");
    }
    let store = Store::open(StoreOptions::in_directory(data_dir))
        .with_context(|| format!("the store in {}", data_dir.display()))?;
    // What a restore has left that was killed; nobody else has one under way, the store is ours.
    if let Err(error) = clear_staging(data_dir) {
        tracing::warn!(%error, "what a restore has left is still there");
    }
    Ok(store)
}

/// Does the same for a server that has just closed its store: somebody else may have it for a moment.
pub(super) async fn open_again(data_dir: &Path, clock: &dyn Clock) -> anyhow::Result<Store> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let opened = open_for_serving(data_dir, clock.now());
        if !opened.as_ref().is_err_and(is_in_use) || Instant::now() >= deadline {
            return opened;
        }
        sleep(PAUSE).await;
    }
}

fn is_in_use(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(StoreError::InUse))
            || matches!(cause.downcast_ref(), Some(BackupError::InUse))
    })
}

/// Opens the store of a place for changing it, where nobody answers on its control socket.
pub(super) fn open_for_changes(place: &Place) -> anyhow::Result<Store> {
    let Place { data_dir, socket } = place;
    if next_waits(data_dir) {
        bail!(
            "a restored store waits to take the place of the one in {}, where changes would be lost; \
             start the server, which puts it in place",
            data_dir.display()
        );
    }
    Store::open(StoreOptions::in_directory(data_dir)).map_err(|error| {
        let is_used = matches!(error, StoreError::InUse);
        let hint = if is_used {
            format!(
                ": a process works on it, but nobody answers on the control socket {}. Either it \
                 is starting or stopping, or it has another CONTROL_SOCKET than this command, or \
                 it is older than this command; stop it, or try again",
                socket.display()
            )
        } else {
            String::new()
        };
        anyhow::Error::new(error).context(format!("{}{hint}", unopened(data_dir)))
    })
}

fn unopened(data_dir: &Path) -> String {
    format!("the store in {} cannot be opened", data_dir.display())
}

/// Returns the folder that was named, or else configured.
pub(super) fn data_dir(
    named: Option<PathBuf>,
    surroundings: &Surroundings,
) -> anyhow::Result<PathBuf> {
    match named {
        Some(folder) => Ok(folder),
        None => Ok(config::data_dir(&surroundings.environment)?),
    }
}
