//! What backups are locked and opened with, from the environment and from files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use zeroize::Zeroizing;

use crate::config::{BackupConfig, Environment};
use crate::storage::backup::BackupKey;

/// What opens a backup.
#[derive(Debug, Args)]
pub(in crate::cli) struct KeyArguments {
    /// File of the secret key that backup keygen wrote; BACKUP_PASSPHRASE without it
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl KeyArguments {
    /// Reads what was given.
    pub(in crate::cli) fn read(&self, environment: &Environment) -> anyhow::Result<BackupKey> {
        if let Some(file) = &self.identity {
            return read_identity(file);
        }
        let config = BackupConfig::load(environment, None)?;
        match config.backup.passphrase {
            Some(passphrase) => {
                Ok(BackupKey::Passphrase(Zeroizing::new(passphrase.expose().to_owned())))
            }
            None => bail!(
                "nothing to open the backup with: set BACKUP_PASSPHRASE (or BACKUP_PASSPHRASE_FILE), or \
                 name the file of the secret key with --identity"
            ),
        }
    }
}

fn read_identity(file: &Path) -> anyhow::Result<BackupKey> {
    let text = fs::read_to_string(file).map(Zeroizing::new);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    match BackupKey::of_identity(&text) {
        Some(key) => Ok(key),
        None => bail!("{} holds no secret key of backup keygen", file.display()),
    }
}
