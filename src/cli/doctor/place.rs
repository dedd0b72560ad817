//! The data folder, its disk, and files with secrets.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tokio::time::Instant;

use crate::cli::desk::Place;
use crate::cli::doctor::finding::Findings;
use crate::config::{Config, Origin};
use crate::crypto::random_bytes;
use crate::service::readiness::{Judged, judge_disk};

const OPEN_TO_OTHERS: u32 = 0o077;
const WRITABLE_BY_ALL: u32 = 0o002;
/// Parts of the names of files that nobody else should read.
const PRIVATE: [&str; 4] = [".redb", "keystore", "secret", "passphrase"];
/// A commit syncs twice and a registration waits for it.
const SLOW_SYNC_MS: u128 = 50;
const PROBES: usize = 5;

/// Looks at the folder and its disk.
pub(super) fn examine(place: &Place, findings: &mut Findings) {
    let folder = &place.data_dir;
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => {
            permissions("data folder", folder, &found, findings);
            private_files(folder, findings);
            disk(folder, findings);
        }
        Ok(_) => findings.fail("data folder", format!("{shown} is no folder"), "name another"),
        Err(error) => findings.fail(
            "data folder",
            format!("{shown} cannot be looked at: {error}"),
            "set PATCHPROOF_DATA_DIR, or start the server once, which makes it",
        ),
    }
}

/// Looks at who may use a file or folder.
pub(super) fn permissions(
    check: &'static str,
    path: &Path,
    found: &Metadata,
    findings: &mut Findings,
) {
    let mode = found.permissions().mode() & 0o777;
    let finding = format!("{} has mode {mode:03o}, owner {}", path.display(), found.uid());
    let remedy = format!("chmod go= {}", path.display());
    if mode & WRITABLE_BY_ALL != 0 {
        findings.fail(check, format!("{finding}: everybody may write to it"), remedy);
    } else if mode & OPEN_TO_OTHERS != 0 {
        findings.warn(check, format!("{finding}: others may look into it"), remedy);
    } else {
        findings.ok(check, finding);
    }
}

/// Looks at the files in the folder that nobody else should read: the store, keys, secrets.
fn private_files(folder: &Path, findings: &mut Findings) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_private = PRIVATE.iter().any(|part| name.contains(part));
        if let Ok(found) = entry.metadata()
            && is_private
            && found.is_file()
            && found.permissions().mode() & OPEN_TO_OTHERS != 0
        {
            permissions("private file", &entry.path(), &found, findings);
        }
    }
}

fn disk(folder: &Path, findings: &mut Findings) {
    match rustix::fs::statvfs(folder) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let Judged { condition, text, .. } = judge_disk(free);
            let remedy = "make room, or move the data folder to a larger disk";
            findings.judged("disk", condition, text, remedy);
        }
        Err(error) => findings.warn("disk", format!("not measured: {error}"), "look at the disk"),
    }
    match slowest_sync(folder) {
        Ok(slowest) if slowest > SLOW_SYNC_MS => findings.warn(
            "disk sync",
            format!("a small write takes up to {slowest} ms to reach the disk"),
            "each registration waits for that; a faster disk makes them faster",
        ),
        Ok(slowest) => {
            findings.ok("disk sync", format!("a small write reaches the disk within {slowest} ms"));
        }
        Err(error) => findings.fail(
            "disk sync",
            format!("nothing can be written to {}: {error}", folder.display()),
            "run the command as the user that the server runs as; if it is, mend the disk",
        ),
    }
}

/// Writes a small file of its own a few times, each time to the disk, and removes it.
fn slowest_sync(folder: &Path) -> io::Result<u128> {
    let path = folder.join(format!(".doctor-{}", hex::encode(random_bytes::<6>())));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let measured = measure(&mut file);
    fs::remove_file(&path)?;
    measured
}

fn measure(file: &mut File) -> io::Result<u128> {
    let mut slowest = 0;
    for _ in 0..PROBES {
        let before = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
        slowest = slowest.max(before.elapsed().as_millis());
    }
    Ok(slowest)
}

/// Looks at the files that secrets come from.
pub(super) fn examine_files(config: Option<&Config>, findings: &mut Findings) {
    let Some(config) = config else { return };
    let mut seen = BTreeSet::new();
    for variable in &config.effective {
        let path = match &variable.origin {
            Origin::File { path, .. } | Origin::Line { path, .. } => path,
            Origin::Credential(_)
            | Origin::Unset
            | Origin::Default
            | Origin::Generated
            | Origin::Environment(_) => continue,
        };
        if !seen.insert(path) {
            continue;
        }
        if let Ok(found) = fs::metadata(path) {
            permissions("secret file", path, &found, findings);
        }
    }
}
