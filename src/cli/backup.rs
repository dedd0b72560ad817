//! `patchproof backup`: everything that is stored, in one encrypted file, beside a running server.

mod keygen;
mod keys;
mod list;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::app::configured::backup_lock;
use crate::cli::Surroundings;
use crate::cli::store::ReadStore;
use crate::config::BackupConfig;
use crate::storage::ReadTx;
use crate::storage::backup::{
    BackupError, BackupManifest, BackupProgress, BackupReader, MadeBackup, make_backup,
    new_backup_path, write_backup,
};
use crate::types::Timestamp;

pub(super) use keys::KeyArguments;

/// Make an encrypted backup of everything that is stored, or look at backups
///
/// Reads one view of the store, also beside a running server, and writes it to BACKUP_DIR or to the
/// file that --to names. Locked with BACKUP_PASSPHRASE or to BACKUP_RECIPIENT. The file is read again
/// before it counts.
#[derive(Debug, Args)]
pub(super) struct BackupCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    /// File to write, which must not exist; - is standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(subcommand)]
    action: Option<BackupAction>,
}

#[derive(Debug, Subcommand)]
enum BackupAction {
    /// List the backups in BACKUP_DIR
    List,
    /// Read a backup as a whole and say whether it is good
    Verify {
        /// The backup
        file: PathBuf,
        #[command(flatten)]
        key: KeyArguments,
    },
    /// Make a pair of keys: the public one for BACKUP_RECIPIENT, the secret one in a new file
    Keygen {
        /// File of the secret key; keep it away from the server
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

impl BackupCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        match self.action {
            Some(BackupAction::Keygen { out }) => return keygen::make_keys(&out, surroundings),
            Some(BackupAction::Verify { file, key }) => {
                return verify(&file, &key, surroundings);
            }
            Some(BackupAction::List) | None => {}
        }
        let config = BackupConfig::load(&surroundings.environment, self.data_dir)?;
        if self.action.is_some() {
            return list::list(&config.backup.directory, surroundings);
        }
        let to = self.to.as_deref();
        let Some(lock) = backup_lock(&config.backup)? else {
            bail!(
                "a backup holds everything, so it is always encrypted: set BACKUP_PASSPHRASE (or \
                 BACKUP_PASSPHRASE_FILE), or BACKUP_RECIPIENT from backup keygen"
            );
        };
        let now = surroundings.clock.now();
        let store = ReadStore::open(&config.data_dir)?;
        let bar = surroundings.output.bar(0, "rows");
        let mut report = |progress: BackupProgress| {
            bar.set_length(progress.total);
            bar.set_position(progress.rows);
            true
        };
        if to.is_some_and(|path| path.as_os_str() == "-") {
            let written = with_view(&store, |tx| {
                let (mut sink, receipt) =
                    write_backup(tx, io::stdout().lock(), &lock, now, &mut report)?;
                sink.flush().map_err(BackupError::Io)?;
                Ok(receipt.manifest)
            })?;
            bar.finish_and_clear();
            surroundings.output.talk(&format!("{} rows written", written.rows()));
            return Ok(ExitCode::SUCCESS);
        }
        let path = match to {
            Some(path) => path.to_owned(),
            None => new_backup_path(&config.backup.directory, now)?,
        };
        let made = with_view(&store, |tx| make_backup(tx, &path, &lock, now, &mut report))
            .with_context(|| format!("the backup {} was not made", path.display()))?;
        bar.finish_and_clear();
        show(&made, now, surroundings)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn show(made: &MadeBackup, now: Timestamp, surroundings: &Surroundings) -> io::Result<()> {
    let (output, manifest) = (&surroundings.output, &made.manifest);
    if output.is_json {
        return output.json(&json!({
            "file": made.path, "bytes": made.bytes, "takenAt": now, "rows": manifest.rows(),
            "schema": manifest.schema, "tables": manifest.tables,
        }));
    }
    let (rows, bytes) = (manifest.rows(), made.bytes);
    output.line(&made.path.display().to_string())?;
    output.talk(&format!("{rows} rows in {bytes} bytes, read again and found whole"));
    Ok(())
}

/// Runs `make` on one view of the store; its own errors come out as they are.
fn with_view<T>(
    store: &ReadStore,
    make: impl FnOnce(&ReadTx) -> Result<T, BackupError>,
) -> Result<T, BackupError> {
    store.read(|tx| Ok(make(tx)))?
}

fn verify(
    file: &std::path::Path,
    key: &KeyArguments,
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let source =
        std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let key = key.read(&surroundings.environment)?;
    let reader = BackupReader::open(source, &key)?;
    let taken_at = reader.header().taken_at();
    let manifest: BackupManifest = reader.verify()?;
    let output = &surroundings.output;
    if output.is_json {
        output.json(&json!({
            "takenAt": taken_at, "rows": manifest.rows(), "schema": manifest.schema,
            "tables": manifest.tables,
        }))?;
    } else {
        output.line(&format!("whole: {} rows as they were at {taken_at}", manifest.rows()))?;
    }
    Ok(ExitCode::SUCCESS)
}
