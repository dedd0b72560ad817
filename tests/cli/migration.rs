//! A migration that is killed: the file is of the one version or the other, and its copy is whole.

use std::fs;
use std::path::Path;
use std::time::Instant;

use redb::{Database, ReadableDatabase, TableDefinition};
use serde_json::json;

use crate::program::{ask, get, run_and_kill};
use crate::world::World;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta-1");

/// Makes a file of the version before the newest, which lacks nothing but its number.
fn age(store: &Path) {
    let database = Database::open(store).unwrap();
    let transaction = database.begin_write().unwrap();
    let older = 2u32.to_le_bytes();
    transaction.open_table(META).unwrap().insert("schema", older.as_slice()).unwrap();
    transaction.commit().unwrap();
}

fn version(store: &Path) -> u32 {
    let database = Database::open(store).unwrap();
    let transaction = database.begin_read().unwrap();
    let meta = transaction.open_table(META).unwrap();
    u32::from_le_bytes(meta.get("schema").unwrap().unwrap().value().try_into().unwrap())
}

#[test]
fn a_migration_that_is_killed_at_any_moment_leaves_the_one_version_or_the_other() {
    const MOMENTS: u32 = 20;
    let world = World::start();
    world.fund(6);
    world.utxo(&["sync"]).expect(0);
    let server = world.serve();
    let socket = format!("unix://{}", world.data_file("control.sock").display());
    let owner = get(&world.signer.url, "/keys")[0]["addressTest"].clone();
    for number in 0..5 {
        let uid = format!("TAG-{number}");
        let body = json!({ "product": { "uid_tag_id": uid }, "auth": { "owner": owner } });
        let (status, answer) = ask(&socket, "POST", "/v1/patches", "", &body.to_string());
        assert_eq!(status, 201, "{answer}");
    }
    assert!(server.stop().success());
    let rows = || world.run(&["check", "--json"]).expect(0).json()["rows"].clone();
    let (store, kept) = (world.data_file("patchproof.redb"), world.folder.path().join("kept"));
    let copy = world.data_file("patchproof.v2.bak");
    let before = rows();
    age(&store);
    fs::copy(&store, &kept).unwrap();
    // A command that opens the store to write.
    let writing = ["utxo", "sync"];
    let begun = Instant::now();
    world.run(&writing).expect(0);
    let whole = begun.elapsed();
    assert_eq!((version(&store), rows()["log-1"].clone()), (3, before["log-1"].clone()));

    let mut outcomes = [0u32; 2];
    for moment in 1..=MOMENTS {
        for path in [&store, &copy] {
            let _ = fs::remove_file(path);
        }
        fs::copy(&kept, &store).unwrap();
        let after = whole * moment / (MOMENTS - 2);
        world.with_environment(|variables| run_and_kill(after, &writing, variables));
        let found = version(&store);
        assert!(found == 2 || found == 3, "{found}");
        if found == 3 {
            assert_eq!(version(&copy), 2, "the copy has its name once it is whole");
        }
        outcomes[usize::from(found == 3)] += 1;
        // Whoever comes next goes on from there.
        world.run(&writing).expect(0);
        assert_eq!((version(&store), version(&copy)), (3, 2));
        let now = rows();
        for table in ["log-1", "records-1", "patches-1", "transactions-1", "jobs-1"] {
            assert_eq!(now[table], before[table], "{table}, killed after {after:?}");
        }
    }
    assert!(outcomes[0] > 0, "none was killed before its end: {outcomes:?}");
}
