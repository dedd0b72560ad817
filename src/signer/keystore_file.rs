//! The keystore's file: written whole or not at all, never over another, readable by its owner
//! only.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::crypto::random_bytes;
use crate::signer::KeystoreError;

/// Five keys need less than 2 KiB; anything near this is no keystore.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Writes `bytes` to a new file at `path`: after a crash it is there whole or not at all.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let name = format!(".keystore-{}.tmp", hex::encode(random_bytes::<8>()));
    let temporary = folder.join(name);
    let written = write_synced(&temporary, bytes).and_then(|()| {
        // Unlike a rename, a link fails if the name is taken.
        std::fs::hard_link(&temporary, path)
    });
    // The file has its final name by now, or has failed: either way this name has done its work.
    let removed = std::fs::remove_file(&temporary);
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(KeystoreError::AlreadyExists { path: path.to_path_buf() });
        }
        Err(source) => return Err(write_error(path, source)),
    }
    removed.map_err(|source| write_error(path, source))?;
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| write_error(path, source))
}

/// Reads the file at `path`, refusing one that others may read or that is no keystore by its size.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, KeystoreError> {
    let read_error = |source| KeystoreError::Read { path: path.to_path_buf(), source };
    // Opening a pipe would wait for its writer, so the kind is looked at first.
    if !std::fs::metadata(path).map_err(read_error)?.is_file() {
        return Err(KeystoreError::NotAKeystore);
    }
    let file = File::open(path).map_err(read_error)?;
    let metadata = file.metadata().map_err(read_error)?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeystoreError::ReadableByOthers { path: path.to_path_buf(), mode });
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(read_error)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(KeystoreError::NotAKeystore);
    }
    Ok(bytes)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write_error(path: &Path, source: Error) -> KeystoreError {
    KeystoreError::Write { path: path.to_path_buf(), source }
}
