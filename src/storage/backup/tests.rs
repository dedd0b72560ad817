//! A backup holds every row; whatever is done to the file, it is refused for a reason, and nothing is
//! left of it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use zeroize::Zeroizing;

use super::*;
use crate::crypto::SecretKey;
use crate::storage::audit::audit_lines;
use crate::storage::fence::fence;
use crate::storage::{
    IdentityClaim, SCHEMA_VERSION, STORE_FILE, Store, StoreError, StoreOptions, check,
};
use crate::types::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn passphrase(text: &str) -> BackupKey {
    BackupKey::Passphrase(Zeroizing::new(text.to_owned()))
}

/// A key whose use costs nothing, for tests that open thousands of files.
fn recipient() -> (BackupLock, BackupKey) {
    let secret = SecretKey::from_bytes(&[5; 32]).unwrap();
    (BackupLock::Recipient(secret.public_key()), BackupKey::Identity(secret))
}

fn store_in(directory: &Path, network: &'static str) -> Store {
    let store = Store::open(StoreOptions::in_directory(directory)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fill = store.write(move |tx| {
        tx.bind_identity(&[IdentityClaim { what: "network", value: network.into() }])?;
        for number in 0u8..9 {
            tx.append_audit(NOW, "tester", "thing.done", &format!("thing {number}"))?;
        }
        Ok::<_, StoreError>(())
    });
    runtime.block_on(fill).unwrap();
    store
}

fn backup_of(store: &Store, lock: &BackupLock) -> (Vec<u8>, BackupManifest) {
    let made = store.read(|tx| write_backup(tx, Vec::new(), lock, NOW, &mut |_| true));
    let (bytes, receipt) = made.unwrap();
    receipt.verify(&bytes[..]).unwrap();
    (bytes, receipt.manifest)
}

fn write(directory: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = directory.join("it.backup");
    fs::File::create(&path).unwrap().write_all(bytes).unwrap();
    path
}

fn staged(directory: &Path, bytes: &[u8], key: &BackupKey) -> Result<Staged, BackupError> {
    let path = write(directory, bytes);
    stage(RestoreSource::open(&path, || Ok(key.clone()))?, directory, NOW)
}

/// The names of what lies in a folder, beside the backup itself.
fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "it.backup").collect()
}

#[test]
fn a_restored_store_has_every_row_and_is_fenced() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = store_in(from.path(), "regtest");
    for (lock, key) in
        [(BackupLock::Passphrase(Zeroizing::new("right".into())), passphrase("right")), recipient()]
    {
        let (bytes, manifest) = backup_of(&store, &lock);
        assert_eq!(manifest.schema, SCHEMA_VERSION);
        assert_eq!(manifest.rows_of("audit-1"), 9);
        assert_eq!(BackupReader::open(&bytes[..], &key).unwrap().verify().unwrap(), manifest);
        let staged = staged(to.path(), &bytes, &key).unwrap();
        assert!(staged.report.is_clean(), "{:#?}", staged.report.violations);
        assert_eq!((staged.taken_at, staged.rows_of("audit-1")), (NOW, 9));
        let present = Present::lock(to.path()).unwrap();
        present.refuse_foreign(&staged).unwrap();
        present.replace(staged, NOW).unwrap();
        let restored = Store::open(StoreOptions::in_directory(to.path())).unwrap();
        assert!(restored.read(check).unwrap().is_clean());
        let mark = restored.read(fence).unwrap().unwrap();
        assert_eq!((mark.restored_at, mark.taken_at, mark.resynced_at), (NOW, NOW, None));
        let (_, again) = backup_of(&restored, &lock);
        let differing = manifest.tables.iter().filter(|(name, it)| again.tables[*name] != **it);
        let differing: Vec<&String> = differing.map(|(name, _)| name).collect();
        assert_eq!(differing, ["meta-1"], "the fence is all that is new");
        restored.close();
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused_and_leaves_nothing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = store_in(from.path(), "regtest");
    let (lock, key) = recipient();
    let (bytes, _) = backup_of(&store, &lock);
    assert!(bytes.len() < 8_000, "{} bytes: small enough to try them all", bytes.len());
    let reasons = |bytes: &[u8]| match BackupReader::open(bytes, &key) {
        Err(error) => error.to_string(),
        Ok(reader) => reader.verify().unwrap_err().to_string(),
    };
    let mut seen = BTreeSet::new();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        seen.insert(reasons(&changed));
        seen.insert(reasons(&bytes[..place]));
    }
    seen.insert(reasons(&[&bytes[..], b"x"].concat()));
    seen.insert(reasons(&[&bytes[..], &bytes[..]].concat()));
    assert!(seen.iter().any(|it| it.contains("no backup")), "{seen:#?}");
    assert!(seen.iter().any(|it| it.contains("cut off in its header")), "{seen:#?}");
    assert!(seen.iter().any(|it| it.contains("header of the backup is damaged")), "{seen:#?}");
    assert!(seen.iter().any(|it| it.contains("newer program")), "{seen:#?}");
    assert!(seen.iter().any(|it| it.contains("damaged or cut off in its part 0")), "{seen:#?}");
    for place in [3, 19, 40, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[place] ^= 0x80;
        assert!(staged(to.path(), &changed, &key).is_err(), "byte {place}");
        assert!(staged(to.path(), &bytes[..place], &key).is_err(), "{place} bytes");
        assert_eq!(names(to.path()), BTreeSet::new(), "nothing stays");
    }
}

#[test]
fn a_wrong_key_is_told_from_damage() {
    let from = tempfile::tempdir().unwrap();
    let store = store_in(from.path(), "regtest");
    let locked = BackupLock::Passphrase(Zeroizing::new("right".into()));
    let (bytes, _) = backup_of(&store, &locked);
    let (lock, identity) = recipient();
    let refused = |bytes: &[u8], key: &BackupKey| {
        BackupReader::open(bytes, key).err().map(|error| error.to_string()).unwrap()
    };
    assert!(refused(&bytes, &passphrase("wrong")).contains("the passphrase does not open"));
    assert!(refused(&bytes, &identity).contains("locked with a passphrase"));
    let (bytes, _) = backup_of(&store, &lock);
    let other = BackupKey::Identity(SecretKey::from_bytes(&[6; 32]).unwrap());
    assert!(refused(&bytes, &other).contains("the key does not open"));
    assert!(refused(&bytes, &passphrase("right")).contains("locked to the key 0"));
}

#[test]
fn a_store_of_others_is_not_replaced_and_the_own_one_keeps_another_name() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lock, key) = recipient();
    let (bytes, _) = backup_of(&store_in(from.path(), "regtest"), &lock);
    store_in(to.path(), "main").close();
    let staging = staged(to.path(), &bytes, &key).unwrap();
    let refused = Present::lock(to.path()).unwrap().refuse_foreign(&staging).unwrap_err();
    assert!(refused.to_string().contains("network regtest; here it is main"), "{refused}");
    drop(staging);
    fs::remove_file(to.path().join(STORE_FILE)).unwrap();
    store_in(to.path(), "regtest").close();
    let staging = staged(to.path(), &bytes, &key).unwrap();
    let present = Present::lock(to.path()).unwrap();
    assert_eq!(present.beyond(&staging).unwrap(), Some(Beyond::default()));
    let copy = present.replace(staging, NOW).unwrap().safety_copy.unwrap();
    // The way back is the same command, and as careful.
    let source = RestoreSource::open(&copy, || Err(BackupError::NotABackup)).unwrap();
    let back = stage(source, to.path(), NOW).unwrap();
    assert!(back.report.is_clean() && back.program.is_none());
    assert_eq!(back.rows_of("audit-1"), 9);
    let held = Store::open(StoreOptions::in_directory(to.path())).unwrap();
    assert!(matches!(Present::lock(to.path()), Err(BackupError::InUse)));
    held.close();
}

#[test]
fn what_root_makes_for_the_service_is_the_services() {
    let (from, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = store_in(from.path(), "regtest");
    let (lock, key) = recipient();
    let to = place.path();
    if rustix::process::geteuid().is_root() {
        chown(to, Some(4711), Some(4712)).unwrap();
    }
    let owner = |path: &Path| fs::symlink_metadata(path).map(|it| (it.uid(), it.gid())).unwrap();
    let path = new_backup_path(&to.join("backups"), NOW).unwrap();
    store.read(|tx| make_backup(tx, &path, &lock, NOW, &mut |_| true)).unwrap();
    let staged = stage(RestoreSource::open(&path, || Ok(key)).unwrap(), to, NOW).unwrap();
    Present::lock(to).unwrap().replace(staged, NOW).unwrap();
    for made in [to.join("backups"), path, to.join(STORE_FILE)] {
        assert_eq!(owner(&made), owner(to), "{}", made.display());
    }
}

#[test]
fn a_backup_and_a_copy_of_a_newer_schema_are_refused_for_that_and_leave_nothing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let newer = SCHEMA_VERSION + 1;
    let is_newer = |error: &BackupError| {
        matches!(error, BackupError::NewerSchema { found, known }
            if (*found, *known) == (newer, SCHEMA_VERSION))
    };
    let (lock, key) = recipient();
    let (header, keys) =
        BackupHeader::new(&lock, newer, std::collections::BTreeMap::new(), NOW).unwrap();
    let mut bytes = Vec::new();
    header.write(&keys, &mut bytes).unwrap();
    let refused = staged(to.path(), &bytes, &key).err().unwrap();
    assert!(is_newer(&refused), "{refused}");
    assert!(refused.to_string().contains("use a newer program"), "{refused}");
    assert_eq!(names(to.path()), BTreeSet::new());

    let store = store_in(from.path(), "regtest");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let raise = store.write(move |tx| {
        tx.tables.meta.insert("schema", newer.to_le_bytes().as_slice())?;
        tx.is_dirty = true;
        Ok::<_, StoreError>(())
    });
    runtime.block_on(raise).unwrap();
    store.close();
    let source = RestoreSource::open(&from.path().join(STORE_FILE), || Ok(key)).unwrap();
    let refused = stage(source, to.path(), NOW).err().unwrap();
    assert!(is_newer(&refused), "{refused}");
    assert_eq!(names(to.path()), BTreeSet::new());
}

#[test]
fn a_staged_store_that_waits_is_put_in_place_once_whatever_was_killed_in_between() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lock, key) = recipient();
    let (bytes, _) = backup_of(&store_in(from.path(), "regtest"), &lock);
    let directory = to.path();
    drop(store_in(directory, "regtest"));
    let later = Timestamp::from_millis(NOW.as_millis() + 60_000);
    let waiting = || {
        let it = staged(directory, &bytes, &key).unwrap();
        it.note(later, "ada", "it.backup").unwrap();
        it.mark_next(directory).unwrap();
    };
    assert!(!next_waits(directory) && take_next(directory, NOW).unwrap().is_none());
    waiting();
    assert!(next_waits(directory));
    // Killed when the present file had its second name already.
    let place = directory.join(STORE_FILE);
    let copy = directory.join("patchproof.redb.before-restore-earlier");
    fs::hard_link(&place, &copy).unwrap();
    assert_eq!(take_next(directory, later).unwrap().unwrap().safety_copy, Some(copy));
    assert!(!next_waits(directory) && take_next(directory, later).unwrap().is_none());
    let store = Store::open(StoreOptions::in_directory(directory)).unwrap();
    let mark = store.read(fence).unwrap().unwrap();
    assert_eq!((mark.restored_at, mark.taken_at), (later, NOW));
    assert!(store.read(check).unwrap().is_clean());
    let newest = store.read(|tx| audit_lines(tx, u64::MAX, 1, 1, |_| true)).unwrap();
    let line = newest.0.first().unwrap();
    assert_eq!((line.entry.actor.as_str(), line.entry.action.as_str()), ("ada", "restore.done"));
    // Nobody puts another in place under a store that is open.
    let (path, again) = (directory.join("kept"), directory.join("patchproof.redb-next"));
    fs::copy(&place, &path).unwrap();
    fs::rename(&path, &again).unwrap();
    assert!(matches!(take_next(directory, later), Err(BackupError::InUse)));
    drop(store);
    // A restore by the command takes the turn of the one that waits.
    let it = staged(directory, &bytes, &key).unwrap();
    Present::lock(directory).unwrap().replace(it, later).unwrap();
    assert!(!next_waits(directory));
}

#[test]
fn a_staging_tells_how_far_it_is_and_ends_when_it_is_told_to() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lock, key) = recipient();
    let (bytes, _) = backup_of(&store_in(from.path(), "regtest"), &lock);
    let path = write(to.path(), &bytes);
    let mut told = Vec::new();
    let mut run = |stops: &dyn Fn(StagingProgress) -> bool| {
        let source = RestoreSource::open(&path, || Ok(key.clone())).unwrap();
        stage_watched(source, to.path(), NOW, &mut |progress| {
            told.push(progress);
            !stops(progress)
        })
    };
    for stops in [|_| true, |it: StagingProgress| it.is_checking] {
        let ended = run(&stops).err().unwrap();
        let is_interrupted = matches!(&ended, BackupError::Io(error)
            if error.kind() == std::io::ErrorKind::Interrupted);
        assert!(is_interrupted, "{ended}");
        assert!(names(to.path()).is_empty());
    }
    drop(run(&|_| false).unwrap());
    let length = u64::try_from(bytes.len()).unwrap();
    assert!(told.iter().any(|it| !it.is_checking && it.bytes == length && it.total == length));
}
