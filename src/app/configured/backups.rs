//! How backups are made and what they are locked with, from the configuration.

use anyhow::Context;
use zeroize::Zeroizing;

use crate::config::BackupSettings;
use crate::service::backups::BackupPlan;
use crate::storage::backup::BackupLock;

/// Returns how backups are made.
pub(super) fn backup_plan(settings: &BackupSettings) -> anyhow::Result<BackupPlan> {
    Ok(BackupPlan {
        folder: settings.directory.clone(),
        interval: settings.interval,
        keep: settings.keep,
        lock: backup_lock(settings)?,
    })
}

/// Returns what backups are locked with; nothing where that is not configured.
pub fn backup_lock(settings: &BackupSettings) -> anyhow::Result<Option<BackupLock>> {
    if let Some(passphrase) = &settings.passphrase {
        let passphrase = Zeroizing::new(passphrase.expose().to_owned());
        return Ok(Some(BackupLock::Passphrase(passphrase)));
    }
    let recipient = settings.recipient.as_deref().map(str::parse).transpose();
    Ok(recipient.context("BACKUP_RECIPIENT is no public key")?.map(BackupLock::Recipient))
}
