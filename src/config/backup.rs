//! Backups: where they go, how often, how many stay, and what they are locked with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::secret::Secret;
use crate::config::secrets::read_foreign;
use crate::config::variable::{Kind, Variable};

pub(super) const BACKUP_DIR: Variable = Variable::new(
    "BACKUP_DIR",
    Kind::Path,
    "/var/backups/patchproof",
    "The folder of backups. Without it backups in PATCHPROOF_DATA_DIR, which does not survive its disk.",
);

pub(super) const BACKUP_INTERVAL_HOURS: Variable = Variable::new(
    "BACKUP_INTERVAL_HOURS",
    Kind::Integer { least: 0, most: 720 },
    "24",
    "How often the server makes a backup, once BACKUP_PASSPHRASE or BACKUP_RECIPIENT is set. 0 never \
     does so by itself.",
)
.or("24");

pub(super) const BACKUP_KEEP: Variable = Variable::new(
    "BACKUP_KEEP",
    Kind::Integer { least: 1, most: 1_000 },
    "14",
    "How many backups stay in BACKUP_DIR; the oldest goes when a new one has proved good.",
)
.or("14");

pub(super) const BACKUP_PASSPHRASE: Variable = Variable::new(
    "BACKUP_PASSPHRASE",
    Kind::Secret,
    "/etc/patchproof/backup_passphrase",
    "The passphrase that backups are locked with. Keep it elsewhere too: without it nothing opens them.",
);

pub(super) const BACKUP_RECIPIENT: Variable = Variable::new(
    "BACKUP_RECIPIENT",
    Kind::Text,
    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "The public key, from backup keygen, that backups are locked to instead of a passphrase: the server \
     then cannot read its own backups.",
);

/// How backups are made.
#[derive(Debug, Clone)]
pub struct BackupSettings {
    /// Where they go.
    pub directory: PathBuf,
    /// How often the server makes one; none where it does not.
    pub interval: Option<Duration>,
    /// How many stay.
    pub keep: usize,
    /// What they are locked with.
    pub passphrase: Option<Secret>,
    /// The public key, 33 bytes in hex, that they are locked to.
    pub recipient: Option<String>,
}

impl BackupSettings {
    /// Reads how backups are made.
    pub(super) fn read(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        let directory = reader.text(&BACKUP_DIR).map(PathBuf::from);
        let hours = reader.integer(&BACKUP_INTERVAL_HOURS).unwrap_or_default();
        let keep = reader.number(&BACKUP_KEEP);
        let passphrase = read_foreign(reader, &BACKUP_PASSPHRASE);
        let recipient = reader.parsed(&BACKUP_RECIPIENT, |text| {
            let is_key = text.len() == 66
                && text.bytes().all(|it| it.is_ascii_hexdigit())
                && (text.starts_with("02") || text.starts_with("03"));
            is_key.then(|| text.to_ascii_lowercase())
        });
        if passphrase.is_some() && recipient.is_some() {
            reader.problem(&BACKUP_RECIPIENT, "not set where BACKUP_PASSPHRASE is: one of them");
        }
        Self {
            directory: directory.unwrap_or_else(|| data_dir.join("backups")),
            interval: Some(Duration::from_secs(hours * 3600)).filter(|it| !it.is_zero()),
            keep,
            passphrase,
            recipient,
        }
    }
}
