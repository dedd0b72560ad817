//! `backup` and `restore`: round trips, and everything that is refused before anything is touched.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::program::Finished;
use crate::world::World;

const PASSPHRASE: (&str, &str) = ("BACKUP_PASSPHRASE", "six words that nobody else would choose");

fn run(world: &World, arguments: &[&str], more: &[(&str, &str)]) -> Finished {
    world.with_environment(|variables| crate::program::run(arguments, &[variables, more].concat()))
}

/// A world with a store in it, and a backup of that.
fn backed_up() -> (World, PathBuf) {
    let world = World::start();
    world.fund(3);
    world.utxo(&["sync"]).expect(0);
    let made = run(&world, &["backup", "--json"], &[PASSPHRASE]).expect(0).json();
    assert!(made["rows"].as_u64().unwrap() > 5, "{made}");
    let file = PathBuf::from(made["file"].as_str().unwrap());
    assert!(file.starts_with(world.data_file("backups")));
    (world, file)
}

fn rows(world: &World) -> Value {
    world.run(&["check", "--json"]).expect(0).json()["rows"].clone()
}

/// The rows of a store that was restored: a fence more, and a line of the audit trail.
fn restored(mut rows: Value) -> Value {
    for table in ["meta-1", "audit-1"] {
        rows[table] = (rows[table].as_u64().unwrap() + 1).into();
    }
    rows
}

#[test]
fn a_backup_comes_back_and_the_former_store_too() {
    let (world, file) = backed_up();
    let (path, before) = (file.to_str().unwrap(), rows(&world));
    let listed = world.run(&["backup", "list", "--json"]).expect(0).json();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 1);
    assert_eq!(listed["backups"][0]["schema"], 3);
    run(&world, &["backup", "verify", path], &[PASSPHRASE]).expect(0);
    world.fund(2);
    world.utxo(&["sync"]).expect(0);
    let after = rows(&world);
    assert_ne!(after, before);

    let dry = run(&world, &["restore", path, "--dry-run", "--json"], &[PASSPHRASE]).expect(0);
    let dry = dry.json();
    assert!(dry["lost"]["transactions"].as_u64() >= Some(1), "{dry}");
    assert_eq!(rows(&world), after, "nothing was changed");
    let unasked = run(&world, &["restore", path], &[PASSPHRASE]).expect(1);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    let told = run(&world, &["restore", path, "--yes", "--json"], &[PASSPHRASE]).expect(0).json();
    let copy = told["safetyCopy"].as_str().unwrap();
    assert_eq!(rows(&world), restored(before), "the backup's rows, the fence and who put it up");
    let told = world.run(&["audit", "list", "--json"]).expect(0).stdout;
    assert!(told.contains("restore.done") && told.contains("as it was at"), "{told}");
    let status = world.run(&["restore", "status", "--json"]).expect(0).json();
    assert_eq!(status["found"], 0);

    run(&world, &["restore", copy, "--yes"], &[]).expect(0);
    assert_eq!(rows(&world)["utxos-1"], after["utxos-1"]);
}

#[test]
fn a_server_that_runs_is_backed_up_and_not_restored_over() {
    let (world, file) = backed_up();
    let server = world.serve_with(&[PASSPHRASE]);
    let path = world.folder.path().join("beside.backup");
    let to = path.to_str().unwrap();
    run(&world, &["backup", "--to", to], &[PASSPHRASE]).expect(0);
    run(&world, &["backup", "--to", to], &[PASSPHRASE]).expect(1);
    run(&world, &["backup", "verify", to], &[PASSPHRASE]).expect(0);
    let refused = run(&world, &["restore", file.to_str().unwrap(), "--yes"], &[PASSPHRASE]);
    assert!(refused.expect(1).stderr.contains("stop the server"));
    assert!(server.stop().success());
}

#[test]
fn what_is_no_good_is_refused_with_its_reason_and_touches_nothing() {
    let (world, file) = backed_up();
    let before = rows(&world);
    let bytes = fs::read(&file).unwrap();
    let bad = world.folder.path().join("bad.backup");
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut newer = bytes.clone();
    newer[19] = 9;
    let cases: [(&[u8], &str); 5] = [
        (b"something else", "no backup of this program"),
        (&bytes[..30], "cut off in its header"),
        (&bytes[..bytes.len() - 7], "damaged or cut off"),
        (&flipped, "damaged or cut off"),
        (&newer, "use a newer program"),
    ];
    for (content, reason) in cases {
        fs::write(&bad, content).unwrap();
        let refused = run(&world, &["restore", bad.to_str().unwrap(), "--yes"], &[PASSPHRASE]);
        let refused = refused.expect(1);
        assert!(refused.stderr.contains(reason), "{reason}: {}", refused.stderr);
    }
    let path = file.to_str().unwrap();
    let wrong = [("BACKUP_PASSPHRASE", "another passphrase of six or seven words")];
    let refused = run(&world, &["restore", path, "--yes"], &wrong).expect(1);
    assert!(refused.stderr.contains("the passphrase does not open"), "{}", refused.stderr);
    let refused = run(&world, &["restore", path, "--yes"], &[]).expect(1);
    assert!(refused.stderr.contains("BACKUP_PASSPHRASE"), "{}", refused.stderr);
    // Another installation with keys of its own.
    let other = World::start();
    other.fund(1);
    other.utxo(&["sync"]).expect(0);
    let refused = run(&other, &["restore", path, "--yes"], &[PASSPHRASE]).expect(1);
    assert!(refused.stderr.contains("belongs to"), "{}", refused.stderr);
    assert_eq!(rows(&world), before);
    let left = fs::read_dir(world.data_file("")).unwrap().map(|it| it.unwrap().file_name());
    assert!(!left.into_iter().any(|it| it.to_string_lossy().contains("restor")));
}

#[test]
fn without_a_key_there_is_no_backup_and_a_public_key_is_one() {
    let world = World::start();
    world.utxo(&["sync"]).expect(0);
    let refused = world.run(&["backup"]).expect(1);
    assert!(refused.stderr.contains("always encrypted"), "{}", refused.stderr);
    let secret = world.folder.path().join("backup.key");
    let secret = secret.to_str().unwrap();
    let recipient = world.run(&["backup", "keygen", "--out", secret]).expect(0).stdout;
    let recipient = [("BACKUP_RECIPIENT", recipient.trim())];
    let made = run(&world, &["backup"], &recipient).expect(0).stdout;
    run(&world, &["backup", "verify", made.trim()], &[PASSPHRASE]).expect(1);
    run(&world, &["backup", "verify", made.trim(), "--identity", secret], &[]).expect(0);
    run(&world, &["restore", made.trim(), "--identity", secret, "--yes"], &[]).expect(0);
}

#[test]
fn a_restore_that_is_killed_at_any_moment_leaves_the_one_store_or_the_other() {
    const MOMENTS: u32 = 20;
    let world = World::start();
    world.fund(3);
    world.utxo(&["sync"]).expect(0);
    let secret = world.folder.path().join("backup.key");
    let secret = secret.to_str().unwrap();
    let recipient = world.run(&["backup", "keygen", "--out", secret]).expect(0).stdout;
    let made = run(&world, &["backup"], &[("BACKUP_RECIPIENT", recipient.trim())]).expect(0);
    let fenced = restored(rows(&world));
    world.fund(2);
    world.utxo(&["sync"]).expect(0);
    let before = rows(&world);
    assert_ne!(before, fenced);
    let (store, kept) = (world.data_file("patchproof.redb"), world.folder.path().join("kept"));
    fs::copy(&store, &kept).unwrap();
    let restore = ["restore", made.stdout.trim(), "--identity", secret, "--yes"];
    let copies = || {
        let entries = fs::read_dir(world.data_file("")).unwrap().map(|it| it.unwrap().path());
        let is_copy = |path: &PathBuf| path.to_string_lossy().contains("before-restore");
        entries.filter(is_copy).collect::<Vec<_>>()
    };

    let begun = Instant::now();
    run(&world, &restore, &[]).expect(0);
    let whole = begun.elapsed();
    assert_eq!(rows(&world), fenced);
    let mut outcomes = [0u32; 2];
    for moment in 1..=MOMENTS {
        copies().iter().for_each(|copy| fs::remove_file(copy).unwrap());
        fs::remove_file(&store).unwrap();
        fs::copy(&kept, &store).unwrap();
        let after = whole * moment / (MOMENTS - 2);
        let has_ended = world
            .with_environment(|variables| crate::program::run_and_kill(after, &restore, variables));
        let found = rows(&world);
        let is_new = found == fenced;
        assert!(is_new || found == before, "killed after {after:?}: {found}");
        assert!(is_new || !has_ended, "what has ended has come to its end");
        if is_new {
            let [copy] = copies().try_into().unwrap();
            fs::rename(copy, &store).unwrap();
            assert_eq!(rows(&world), before, "the copy is the former store");
        }
        outcomes[usize::from(is_new)] += 1;
    }
    assert!(outcomes[0] > 0, "none was killed before its end: {outcomes:?}");
    // What a killed one has left lying is no hindrance to the next, which clears it away.
    run(&world, &restore, &[]).expect(0);
    assert_eq!(rows(&world), fenced);
    let left = fs::read_dir(world.data_file("")).unwrap().map(|it| it.unwrap().file_name());
    assert!(!left.into_iter().any(|it| it.to_string_lossy().contains("restoring")));
}
