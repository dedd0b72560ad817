//! The store as commands open it: for looking beside a running server, for changing alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::Surroundings;
use crate::cli::desk::Place;
use crate::config;
use crate::storage::{ReadTx, Store, StoreError, StoreOptions, StoreReader};

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

/// Opens the store of a place for changing it, where nobody answers on its control socket.
pub(super) fn open_for_changes(place: &Place) -> anyhow::Result<Store> {
    let Place { data_dir, socket } = place;
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
