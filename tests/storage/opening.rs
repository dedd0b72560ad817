//! Opening, opening again, and who may not open.

use patchproof::bitcoin::Address;
use patchproof::patch::tag::UidTag;
use patchproof::storage::{
    IdentityClaim, Patch, Store, StoreError, StoreOptions, StoreReader, check, contents, patches,
};
use patchproof::types::{Network, RecordId};
use redb::{Database, ReadableDatabase, TableDefinition};

use crate::{NOW, assert_indexes_hold, has, write};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta-1");

fn patch(tag: &str) -> Patch {
    Patch {
        uid: UidTag::parse(tag).unwrap(),
        owner: Address::of_hash([1; 20], Network::Test),
        head: RecordId::from_bytes([1; 16]),
        pending: None,
        current_txid: None,
        events: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

#[tokio::test]
async fn a_store_that_was_never_closed_opens_again_with_all_that_was_answered() {
    let options = StoreOptions::in_memory();
    for round in 0..5 {
        let store = Store::open(options.clone()).unwrap();
        for number in 0..round * 10 {
            assert!(has(&store, &format!("uid-{number}")));
        }
        for number in round * 10..(round + 1) * 10 {
            write(&store, &format!("uid-{number}")).await.unwrap();
        }
        assert_indexes_hold(&store);
        // As in a crash: neither the thread nor the database gets to say good-bye.
        std::mem::forget(store);
    }
}

#[tokio::test]
async fn a_store_in_a_directory_opens_again_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("data/store");
    let options = StoreOptions::in_directory(&inner);
    let store = Store::open(options.clone()).unwrap();
    write(&store, "one").await.unwrap();
    drop(store);
    let store = Store::open(options).unwrap();
    assert!(has(&store, "one"));
    let file = std::fs::metadata(inner.join("patchproof.redb")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn one_file_has_one_writer() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let store = Store::open(options.clone()).unwrap();
    assert!(matches!(Store::open(options.clone()), Err(StoreError::InUse)));
    write(&store, "one").await.unwrap();
    drop(store);
    Store::open(options).unwrap();
}

#[tokio::test]
async fn a_reader_beside_the_writer_follows_its_commits() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let store = Store::open(options.clone()).unwrap();
    let reader = StoreReader::open(&options).unwrap();
    let sees = |uid: &str| reader.read(|tx| contents::content(tx, uid)).unwrap().is_some();
    for uid in ["one", "two"] {
        assert!(!sees(uid));
        write(&store, uid).await.unwrap();
        assert!(sees(uid));
    }
    assert_eq!(reader.read(check).unwrap().rows["contents-1"], 2);
    drop(store);
    assert!(sees("two"));
}

#[test]
fn a_reader_does_not_make_a_store_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    assert!(StoreReader::open(&options).is_err());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    Store::open(options.clone()).unwrap().close();
    let file = directory.path().join("patchproof.redb");
    let database = Database::create(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    let newer = 99u32.to_le_bytes();
    transaction.open_table(META).unwrap().insert("schema", newer.as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused = Store::open(options).err();
    assert!(matches!(refused, Some(StoreError::TooNew { found: 99, known: 3, .. })), "{refused:?}");
    // Where its migration has kept a copy, the way back to that is named, command and all.
    let copy = directory.path().join("patchproof.v2.bak");
    std::fs::write(&copy, "").unwrap();
    let refused = StoreReader::open(&StoreOptions::in_directory(directory.path())).err();
    assert!(matches!(refused, Some(StoreError::TooNew { .. })), "{refused:?}");
    let (folder, copy) = (directory.path().display(), copy.display());
    let command = format!("patchproof restore --data-dir {folder} {copy}");
    assert!(refused.unwrap().to_string().ends_with(&command));
    let database = Database::create(&file).unwrap();
    let meta = database.begin_read().unwrap().open_table(META).unwrap();
    let stored = redb::ReadableTable::get(&meta, "schema").unwrap().unwrap();
    assert_eq!(stored.value(), newer);
}

#[tokio::test]
async fn a_store_belongs_to_one_network_and_one_set_of_keys() {
    let store = Store::open(StoreOptions::in_memory()).unwrap();
    let claim = |value: &str| IdentityClaim { what: "network", value: value.into() };
    let bind = |claims: Vec<IdentityClaim>| store.write(move |tx| tx.bind_identity(&claims));
    bind(vec![claim("test")]).await.unwrap();
    let commits = store.commit_count();
    bind(vec![claim("test")]).await.unwrap();
    assert_eq!(store.commit_count(), commits, "nothing to write the second time");
    let refused = bind(vec![claim("main")]).await;
    assert!(matches!(refused, Err(StoreError::OtherIdentity { what: "network", .. })));
}

#[tokio::test]
async fn what_was_computed_of_a_product_is_known_to_be_old_when_its_write_is_answered() {
    let store = Store::open(StoreOptions::in_memory()).unwrap();
    let (before, other) = (store.patch_generation("TAG-1"), store.patch_generation("TAG-2"));
    store.write(|tx| tx.put_patch(&patch("TAG-1"))).await.unwrap();
    assert_ne!(store.patch_generation("TAG-1"), before);
    assert_eq!(store.patch_generation("TAG-2"), other);
    let now = store.patch_generation("TAG-1");
    let refused = store.write(|tx| {
        tx.put_patch(&patch("TAG-1"))?;
        Err::<(), _>(StoreError::Missing { entity: "thing" })
    });
    refused.await.unwrap_err();
    assert_eq!(store.patch_generation("TAG-1"), now, "nothing was written");
    assert!(store.read(|tx| patches::has_patch(tx, "TAG-1")).unwrap());
}
