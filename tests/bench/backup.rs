//! What a backup costs those who write meanwhile, how much memory it takes, and how long 100,000 records
//! take to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use patchproof::crypto::SecretKey;
use patchproof::storage::backup::{
    BackupKey, BackupLock, Present, RestoreSource, make_backup, stage,
};
use patchproof::storage::{Store, StoreError, StoreOptions};
use patchproof::types::{BlockHash, Timestamp};

use crate::Figure;
use crate::processes::scratch;
use crate::store::fill;

const RECORDS: u32 = 100_000;
/// Between two writes: 200 a second.
const PACE: Duration = Duration::from_millis(5);
const UNDISTURBED: Duration = Duration::from_secs(10);
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

#[expect(clippy::disallowed_methods, reason = "rest is what is compared with")]
fn rest() {
    std::thread::sleep(UNDISTURBED);
}

/// Measures all of it on one store.
pub(crate) fn measure() -> Vec<Figure> {
    let (from, to) = (scratch(), scratch());
    fill(from.path(), RECORDS, BlockHash::from_bytes([1; 32]));
    let store = Store::open(StoreOptions::in_directory(from.path())).unwrap();
    let quiet = p99(&store, |stop| {
        rest();
        stop.store(true, Ordering::SeqCst);
    });
    let secret = SecretKey::from_bytes(&[5; 32]).unwrap();
    let lock = BackupLock::Recipient(secret.public_key());
    let path = to.path().join("it.backup");
    let before = resident();
    let (mut most, mut took, mut bytes) = (before, Duration::ZERO, 0);
    let busy = p99(&store, |stop| {
        let begun = Instant::now();
        let made = store.read_apart(|tx| {
            Ok::<_, StoreError>(make_backup(tx, &path, &lock, NOW, &mut |_| {
                most = most.max(resident());
                true
            }))
        });
        bytes = made.unwrap().unwrap().bytes;
        took = begun.elapsed();
        stop.store(true, Ordering::SeqCst);
    });
    let begun = Instant::now();
    let source = RestoreSource::open(&path, || Ok(BackupKey::Identity(secret.clone()))).unwrap();
    let staged = stage(source, to.path(), NOW).unwrap();
    assert!(staged.rows_of("records-1") >= u64::from(RECORDS));
    Present::lock(to.path()).unwrap().replace(staged, NOW).unwrap();
    let restored = begun.elapsed();
    vec![
        Figure {
            name: "p99 of a write while a backup is made".to_owned(),
            value: format!("{:.1} ms", busy.as_secs_f64() * 1e3),
            beside: format!("{:.1} ms without one", quiet.as_secs_f64() * 1e3),
            ratio: Some(busy.as_secs_f64() / quiet.as_secs_f64()),
        },
        Figure {
            name: format!("backup of {RECORDS} records, read again"),
            value: format!("{:.1} s, {} MiB", took.as_secs_f64(), bytes >> 20),
            beside: format!("{} MiB more memory, at most 64", (most - before) >> 20),
            ratio: None,
        },
        Figure {
            name: format!("restore of {RECORDS} records with its check"),
            value: format!("{:.1} s", restored.as_secs_f64()),
            beside: "at most 30 s".to_owned(),
            ratio: None,
        },
    ]
}

#[expect(clippy::disallowed_methods, reason = "an even pace is what is wanted")]
fn wait(left: Duration) {
    std::thread::sleep(left);
}

/// Writes at an even pace until `meanwhile` says stop, and returns the 99th percentile.
fn p99(store: &Store, meanwhile: impl FnOnce(&AtomicBool)) -> Duration {
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (stop, store) = (Arc::clone(&stop), store.clone());
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut took = Vec::new();
            let begun = Instant::now();
            while !stop.load(Ordering::SeqCst) {
                let turn = u32::try_from(took.len()).unwrap();
                wait((PACE * turn).saturating_sub(begun.elapsed()));
                let one = Instant::now();
                let write = store.write(|tx| {
                    tx.append_audit(NOW, "bench", "thing.done", "thing")?;
                    Ok::<_, StoreError>(())
                });
                runtime.block_on(write).unwrap();
                took.push(one.elapsed());
            }
            took
        }
    });
    meanwhile(&stop);
    let mut took = writer.join().unwrap();
    took.sort_unstable();
    took[(took.len() * 99 / 100).min(took.len() - 1)]
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    kib * 1024
}
