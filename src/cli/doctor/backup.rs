//! Backups: whether they can be made, and how old the newest is.

use std::time::Duration;

use crate::cli::Surroundings;
use crate::cli::desk::Place;
use crate::cli::doctor::finding::Findings;
use crate::config::BackupConfig;
use crate::storage::backup::list_backups;

const CHECK: &str = "backup";
/// How much later than planned a backup is overdue.
const GRACE: Duration = Duration::from_secs(2 * 3600);

/// Looks at the folder of backups.
pub(super) fn examine(place: Option<&Place>, surroundings: &Surroundings, findings: &mut Findings) {
    let named = place.map(|place| place.data_dir.clone());
    let config = match BackupConfig::load(&surroundings.environment, named) {
        Ok(config) => config.backup,
        Err(_) => {
            let finding = "not looked at: the configuration does not say where backups are";
            return findings.warn(CHECK, finding, "mend the configuration first");
        }
    };
    let backups = match list_backups(&config.directory) {
        Ok(backups) => backups,
        Err(error) => {
            let finding = format!("{}: {error}", config.directory.display());
            return findings.fail(CHECK, finding, "make the folder readable, or set BACKUP_DIR");
        }
    };
    let newest = backups.iter().find_map(|it| it.header.as_ref().ok()).map(|it| it.taken_at());
    let age = newest.map(|newest| surroundings.clock.now().since(newest));
    let has_key = config.passphrase.is_some() || config.recipient.is_some();
    let late = config.interval.unwrap_or(Duration::MAX).saturating_add(GRACE);
    match (has_key, age) {
        (false, _) => findings.warn(
            CHECK,
            "none are made",
            "set BACKUP_PASSPHRASE or BACKUP_RECIPIENT, and BACKUP_DIR to another disk",
        ),
        (true, None) => findings.warn(CHECK, "there is none yet", "run patchproof backup"),
        (true, Some(age)) if age > late => findings.warn(
            CHECK,
            format!("the newest is {} hours old", age.as_secs() / 3600),
            "run patchproof backup; if the server runs, see in its log why it makes none",
        ),
        (true, Some(age)) => {
            let hours = age.as_secs() / 3600;
            findings.ok(CHECK, format!("{} backups, the newest {hours} hours old", backups.len()));
        }
    }
}
