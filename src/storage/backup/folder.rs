//! The folder of backups: each is written under another name, read again as a whole, and only then
//! called a backup.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::Serialize;

use crate::storage::Tables;
use crate::storage::backup::pace::{Paced, SteadyFile};
use crate::storage::backup::write::BackupReceipt;
use crate::storage::backup::{
    BackupError, BackupHeader, BackupLock, BackupManifest, BackupProgress, read_header,
    write_backup,
};
use crate::types::Timestamp;

const PREFIX: &str = "patchproof-";
const SUFFIX: &str = ".backup";
const UNFINISHED: &str = ".unfinished";

/// A backup that was made and read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MadeBackup {
    /// Its file.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// What is in it.
    pub manifest: BackupManifest,
}

/// A backup in a folder, as its head describes it; that may be anybody's word until it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBackup {
    /// The name of its file.
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its head, or why it cannot be read.
    pub header: Result<BackupHeader, String>,
}

/// Makes a backup at `path`, which must not exist; nothing is there before it has proved good. Takes its
/// time, for the sake of those who write meanwhile.
pub fn make_backup(
    tables: &impl Tables,
    path: &Path,
    lock: &BackupLock,
    now: Timestamp,
    report: &mut dyn FnMut(BackupProgress) -> bool,
) -> Result<MadeBackup, BackupError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    if path.exists() {
        return Err(BackupError::Io(io::ErrorKind::AlreadyExists.into()));
    }
    // What a crash has left under this name is good for nothing.
    drop(fs::remove_file(&unfinished));
    let made = make_unfinished(tables, &unfinished, lock, now, report)
        .inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
    fs::rename(&unfinished, path).map_err(BackupError::Io)?;
    let synced = File::open(folder_of(path)).and_then(|it| it.sync_all());
    synced.map_err(BackupError::Io)?;
    let bytes = fs::metadata(path).map_err(BackupError::Io)?.len();
    Ok(MadeBackup { path: path.to_owned(), bytes, manifest: made.manifest })
}

fn make_unfinished(
    tables: &impl Tables,
    path: &Path,
    lock: &BackupLock,
    now: Timestamp,
    report: &mut dyn FnMut(BackupProgress) -> bool,
) -> Result<BackupReceipt, BackupError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let sink = BufWriter::new(SteadyFile::new(file.map_err(BackupError::Io)?));
    let (mut sink, receipt) = write_backup(tables, sink, lock, now, report)?;
    sink.flush().map_err(BackupError::Io)?;
    let file = &sink.get_ref().file;
    file.sync_all().map_err(BackupError::Io)?;
    give_to_owner(file, folder_of(path)).map_err(BackupError::Io)?;
    receipt.verify(Paced::new(File::open(path).map_err(BackupError::Io)?))?;
    Ok(receipt)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Opens a file or folder, and none that a link of that name leads to.
pub(super) fn open_itself(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Gives what root has made to whom its folder belongs: the service is another user, and could not open it.
/// Goes by what is open, since a name in somebody else's folder may lead elsewhere a moment later.
pub(super) fn give_to_owner(made: &File, folder: &Path) -> io::Result<()> {
    let (it, folder) = (made.metadata()?, fs::metadata(folder)?);
    let is_alone = it.is_dir() || it.nlink() == 1;
    if it.uid() == 0 && folder.uid() != 0 && is_alone {
        fchown(made, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}

/// Returns a name for a backup in `folder`, which is made if it is not there.
pub fn new_backup_path(folder: &Path, now: Timestamp) -> Result<PathBuf, BackupError> {
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(BackupError::Io)?;
        let made = open_itself(folder).and_then(|it| give_to_owner(&it, folder_of(folder)));
        made.map_err(BackupError::Io)?;
    }
    let time: String =
        now.to_string().chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    let path = |more: &str| folder.join(format!("{PREFIX}{time}{more}{SUFFIX}"));
    let mut paths = std::iter::once(path("")).chain((2..1000).map(|n: u32| path(&format!("-{n}"))));
    let free = paths.find(|path| !path.exists());
    free.ok_or_else(|| BackupError::Io(io::ErrorKind::AlreadyExists.into()))
}

/// Lists the backups of a folder, newest first; none where there is no folder.
pub fn list_backups(folder: &Path) -> Result<Vec<ListedBackup>, BackupError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(BackupError::Io(error)),
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry.map_err(BackupError::Io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_backup_name(&name) {
            continue;
        }
        let header = File::open(entry.path()).map_err(BackupError::Io).and_then(read_header);
        let bytes = entry.metadata().map_err(BackupError::Io)?.len();
        listed.push(ListedBackup { name, bytes, header: header.map_err(|it| it.to_string()) });
    }
    // The time is in the name, in the order of its digits.
    listed.sort_unstable_by(|one, other| other.name.cmp(&one.name));
    Ok(listed)
}

/// Says whether a file of this name in the folder counts as a backup; no such name leads elsewhere.
pub fn is_backup_name(name: &str) -> bool {
    let inner = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    inner.is_some_and(|it| {
        !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Removes all but the newest `keep` backups of a folder, and returns the names of those that went.
pub fn prune_backups(folder: &Path, keep: usize) -> Result<Vec<String>, BackupError> {
    let mut gone = Vec::new();
    for old in list_backups(folder)?.into_iter().skip(keep) {
        fs::remove_file(folder.join(&old.name)).map_err(BackupError::Io)?;
        gone.push(old.name);
    }
    Ok(gone)
}
