//! Files that earlier programs wrote: they are completed when they are opened, read before anything is
//! written, and found whole.

use redb::{ReadableDatabase, TableDefinition, TableHandle};

use super::sample::new_record;
use super::*;
use crate::storage::erasures::records_naming;
use crate::storage::log::{log_head, log_leaves, log_size};
use crate::storage::records::expect_record;
use crate::storage::{ErasedRecord, ReadTx, StoreReader, StoredRecord};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta-1");

/// Tables that were added to the schema while its version was still 1.
const ADDED: [&str; 16] = [
    "records-by-party-1",
    "erased-records-1",
    "erasures-due-1",
    "erased-persons-1",
    "email-codes-1",
    "email-codes-by-mailbox-1",
    "email-codes-by-expiry-1",
    "email-guesses-1",
    "email-guesses-by-expiry-1",
    "mails-1",
    "mails-by-due-1",
    "mail-hours-1",
    "log-1",
    "log-places-1",
    "log-nodes-1",
    "log-checkpoints-1",
];

/// Makes the file of a store one that a program wrote which did not know these tables.
fn age(options: &StoreOptions, version: u32, tables: &[&str]) {
    let database = options.open_database().unwrap();
    let transaction = database.begin_write().unwrap();
    for name in tables {
        let table: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(name);
        assert!(transaction.delete_table(table).unwrap(), "{name} was there");
    }
    let version = version.to_le_bytes();
    transaction.open_table(META).unwrap().insert("schema", version.as_slice()).unwrap();
    transaction.commit().unwrap();
}

fn names(options: &StoreOptions) -> Vec<String> {
    let database = options.open_database().unwrap();
    let read = database.begin_read().unwrap();
    read.list_tables().unwrap().map(|table| table.name().to_owned()).collect()
}

fn parties(store: &Store) -> Vec<([u8; 20], [u8; 16])> {
    let rows = |tx: &ReadTx| -> Result<_, StoreError> {
        let rows = tx.records_by_party().iter()?;
        rows.map(|row| Ok(row?.0.value())).collect()
    };
    store.read(rows).unwrap()
}

#[test]
fn a_file_without_the_newer_tables_is_completed_before_anybody_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let sample = Sample::whole_in(options.clone());
    let (whole, expected) = (sample.report(), parties(&sample.store));
    assert!(whole.is_clean() && expected.len() > 10, "{}", expected.len());
    sample.store.close();
    drop(sample);
    let all = names(&options);
    age(&options, 1, &ADDED);
    assert_eq!(names(&options).len() + ADDED.len(), all.len());
    // Who may only look does not complete it, and says who does.
    let refused = StoreReader::open(&options).err().unwrap().to_string();
    assert!(refused.contains("start the server once to bring it to 3"), "{refused}");

    let store = Store::open(options.clone()).unwrap();
    let report = store.read(check).unwrap();
    assert!(report.is_clean(), "{:#?}", report.violations);
    assert_eq!(report.rows["mails-1"], 0);
    assert_eq!(parties(&store), expected, "transfers are found by both their owners again");
    let (owner, record) = expected[0];
    let named = store.read(|tx| records_naming(tx, &owner)).unwrap();
    assert!(named.iter().any(|id| id.to_bytes() == record));
    assert_eq!(store.commit_count(), 0, "nothing was written for that");
    StoreReader::open(&options).unwrap().read(check).unwrap();
    store.close();
    drop(store);
    assert_eq!(names(&options), all);
    assert!(directory.path().join("patchproof.v1.bak").exists(), "the way back");
}

#[test]
fn a_table_that_is_new_within_a_version_is_made_as_well() {
    let options = StoreOptions::in_memory();
    Store::open(options.clone()).unwrap().close();
    let database = options.open_database().unwrap();
    let transaction = database.begin_write().unwrap();
    let newest: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("mail-hours-1");
    assert!(transaction.delete_table(newest).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let store = Store::open(options).unwrap();
    assert_eq!(store.read(check).unwrap().rows["mail-hours-1"], 0);
}

#[test]
fn an_owner_who_was_erased_is_not_found_again() {
    let options = StoreOptions::in_memory();
    let sample = Sample::whole_in(options.clone());
    let gone = parties(&sample.store)[0];
    let found = sample.damaged(move |tx| {
        let record = expect_record(tx, RecordId::from_bytes(gone.1))?;
        let erased =
            ErasedRecord { erased_at: NOW, facts: Vec::new(), owner_mark: [1; 32], seal: [2; 32] };
        tx.erase_record(&record, &gone.0, &erased)
    });
    drop(found);
    let expected = parties(&sample.store);
    assert!(!expected.contains(&gone));
    sample.store.close();
    drop(sample);
    age(&options, 1, &ADDED[..1]);
    let store = Store::open(options).unwrap();
    assert_eq!(parties(&store), expected);
}

/// A file of version 2 with more events than one block of the log, accepted in another order than that
/// of their identifiers.
#[test]
fn events_of_before_the_log_are_put_into_it_in_the_order_of_their_acceptance() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let sample = Sample::whole_in(options.clone());
    let grow = sample.store.write(|tx| {
        for number in 0..300u16 {
            let [high, low] = number.to_be_bytes();
            let (id, uid) = ([high, low, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], number % 9);
            tx.put_record(&StoredRecord {
                id: RecordId::from_bytes(id),
                uid: crate::patch::tag::UidTag::parse(&format!("OLD-{uid:03}")).unwrap(),
                position: u32::from(number),
                commitment: Digest::from_bytes(sha256(&number.to_le_bytes())),
                accepted_at: Timestamp::from_millis(NOW.as_millis() - i64::from(number)),
                ..new_record(99, None)
            })?;
        }
        Ok::<_, StoreError>(())
    });
    sample.runtime.block_on(grow).unwrap();
    let of_log = |found: Vec<Violation>| -> Vec<Violation> {
        found
            .into_iter()
            .filter(|it| it.invariant == "log" || it.subject.contains("leaf"))
            .collect()
    };
    assert_eq!(of_log(sample.report().violations), []);
    let before = sample.store.read(log_size).unwrap();
    sample.store.close();
    drop(sample);
    age(&options, 2, &ADDED[12..]);

    let store = Store::open(options).unwrap();
    store
        .read(|tx| {
            assert_eq!(log_size(tx)?, before);
            let leaves = log_leaves(tx, 0..before)?;
            let mut order = Vec::new();
            for leaf in &leaves {
                let record = expect_record(tx, leaf.record)?;
                assert_eq!(record.commitment, leaf.commitment);
                order.push((record.accepted_at, record.id));
            }
            assert!(order.is_sorted() && order[0].0 < NOW);
            log_head(tx, before)?;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(of_log(store.read(check).unwrap().violations), []);
    assert!(directory.path().join("patchproof.v2.bak").exists(), "the way back");
}
