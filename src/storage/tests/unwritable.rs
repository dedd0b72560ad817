//! Reading where nothing can be written.

use std::path::Path;
use std::process::Command;

use redb::{ReadableDatabase, ReadableTableMetadata};

use crate::storage::tables::ReadTables;
use crate::storage::{Store, StoreError, StoreOptions, Tables};

#[track_caller]
fn run(program: &str, arguments: &[&str], path: &Path) {
    let status = Command::new(program).args(arguments).arg(path).status();
    let is_done = status.is_ok_and(|status| status.success());
    assert!(is_done, "this test mounts a tmpfs: run it as root, with {program} installed");
}

#[test]
fn a_file_system_that_became_read_only_is_still_read() {
    let directory = tempfile::tempdir().unwrap();
    run("mount", &["-t", "tmpfs", "-o", "size=16m", "tmpfs"], directory.path());
    let options = StoreOptions::in_directory(directory.path());
    Store::open(options.clone()).unwrap().close();
    run("mount", &["-o", "remount,ro"], directory.path());
    assert!(matches!(options.open_database(), Err(StoreError::Failed(_))));
    let view = options.open_view().unwrap();
    let tables = ReadTables::new(view.begin_read().unwrap());
    assert_eq!(tables.meta().len().unwrap(), 1);
    drop((tables, view));
    run("umount", &[], directory.path());
}
