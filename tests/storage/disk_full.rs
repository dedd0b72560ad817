//! A disk that is really full. Needs root, because it mounts a small file system of its own.

use std::path::Path;
use std::process::Command;

use patchproof::storage::{Store, StoreError, StoreHealth, StoreOptions};
use tempfile::TempDir;

use crate::{assert_indexes_hold, content, has};

/// A file system in memory of a certain size, gone when dropped.
struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let disk = Self { directory: tempfile::tempdir().unwrap() };
        disk.run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        disk
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn remount(&self, options: &str) {
        self.run("mount", &["-o", &format!("remount,{options}")]);
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) {
        let status = Command::new(program).args(arguments).arg(self.path()).status();
        let is_done = status.is_ok_and(|status| status.success());
        assert!(is_done, "this test mounts a tmpfs: run it as root, with {program} installed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}

async fn write(store: &Store, uid: String) -> Result<(), StoreError> {
    store.write(move |tx| tx.put_content(&uid, &content(3000))).await
}

/// Writes until the disk is full and returns how many writes were answered.
async fn fill(store: &Store, from: u32) -> u32 {
    let mut next = from;
    loop {
        match write(store, format!("uid-{next}")).await {
            Ok(()) => next += 1,
            Err(error) => {
                assert!(matches!(error, StoreError::Full), "{error}");
                return next;
            }
        }
    }
}

#[tokio::test]
async fn a_store_on_a_full_disk_reads_on_and_recovers_with_all_that_was_answered() {
    let disk = SmallDisk::mount("6m");
    let options = StoreOptions::in_directory(disk.path()).with_cache_bytes(0);
    let store = Store::open(options.clone()).unwrap();
    let mut answered = fill(&store, 0).await;
    assert!(answered > 100, "{answered}");
    for size in ["7m", "9m"] {
        assert_eq!(store.health(), StoreHealth::Full);
        assert!((0..answered).all(|number| has(&store, &format!("uid-{number}"))));
        disk.remount(&format!("size={size}"));
        let more = fill(&store, answered).await;
        assert!(more > answered, "nothing fits into the new space");
        answered = more;
    }
    drop(store);
    let store = Store::open(options).unwrap();
    assert!((0..answered).all(|number| has(&store, &format!("uid-{number}"))));
    disk.remount("size=64m");
    write(&store, "last".into()).await.unwrap();
    assert_eq!(store.health(), StoreHealth::Writable);
    assert_indexes_hold(&store);
}
