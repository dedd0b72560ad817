//! The keystore's file.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use patchproof::crypto::PassphraseCost;
use patchproof::signer::{KeyPurpose, Keystore, KeystoreError};
use patchproof::types::Timestamp;

const PASSPHRASE: &str = "correct horse battery";
const COST: PassphraseCost = PassphraseCost { memory_kib: 64, passes: 1, lanes: 1 };

fn created(folder: &tempfile::TempDir) -> (std::path::PathBuf, Keystore) {
    let path = folder.path().join("keys.json");
    let keystore = Keystore::create(&path, PASSPHRASE, COST, Timestamp::from_secs(7)).unwrap();
    (path, keystore)
}

#[test]
fn a_new_keystore_has_one_key_of_each_purpose_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, keystore) = created(&folder);
    let opened = Keystore::open(&path, PASSPHRASE).unwrap();
    for purpose in KeyPurpose::ALL {
        let key = opened.get(purpose.as_str()).unwrap();
        assert_eq!(key.purpose, purpose);
        assert_eq!(key.created_at, Timestamp::from_secs(7));
        assert_eq!(key.public_key(), keystore.find(purpose).unwrap().public_key());
    }
    assert_eq!(opened.keys().len(), KeyPurpose::ALL.len());
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "no other file is left");
}

#[test]
fn a_file_that_exists_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = created(&folder);
    let before = std::fs::read(&path).unwrap();
    let again = Keystore::create(&path, PASSPHRASE, COST, Timestamp::from_secs(8));
    assert!(matches!(again, Err(KeystoreError::AlreadyExists { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "no other file is left");
}

#[test]
fn only_the_right_passphrase_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = created(&folder);
    for wrong in ["", "correct horse batter", "Correct horse battery", "correct horse battery "] {
        let outcome = Keystore::open(&path, wrong);
        assert!(matches!(outcome, Err(KeystoreError::WrongPassphrase)), "{wrong:?}");
    }
    let short =
        Keystore::create(&folder.path().join("b"), "1234567", COST, Timestamp::from_secs(7));
    assert!(matches!(short, Err(KeystoreError::UnusablePassphrase)));
}

#[test]
fn any_changed_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = created(&folder);
    let bytes = std::fs::read(&path).unwrap();
    for index in 0..bytes.len() {
        // Another digit, another letter case, another kind of white space.
        for mask in [0x01, 0x20] {
            let mut changed = bytes.clone();
            changed[index] ^= mask;
            std::fs::write(&path, &changed).unwrap();
            assert!(Keystore::open(&path, PASSPHRASE).is_err(), "byte {index} mask {mask}");
        }
    }
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(Keystore::open(&path, PASSPHRASE).is_err(), "cut to {length}");
    }
    std::fs::write(&path, &bytes).unwrap();
    assert!(Keystore::open(&path, PASSPHRASE).is_ok());
}

#[test]
fn a_file_that_others_can_reach_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = created(&folder);
    for mode in [0o640, 0o604, 0o620, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = Keystore::open(&path, PASSPHRASE).unwrap_err();
        assert!(matches!(error, KeystoreError::ReadableByOthers { .. }));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn other_files_and_newer_versions_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = created(&folder);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    let outcome = Keystore::open(&path, PASSPHRASE);
    assert!(matches!(outcome, Err(KeystoreError::UnknownVersion(2))));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(Keystore::open(&path, PASSPHRASE), Err(KeystoreError::NotAKeystore)));
    assert!(matches!(Keystore::open(folder.path(), PASSPHRASE), Err(KeystoreError::NotAKeystore)));
}

#[test]
fn the_file_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let (path, keystore) = created(&folder);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("funding"));
    assert!(!format!("{keystore:?}").contains("secret_key: SecretKey(["));
}
