//! A disk that is full, that fails, that comes back; and what an answer means.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::{fmt, io};

use patchproof::storage::{FailureSwitch, Store, StoreError, StoreHealth, StoreOptions};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use crate::{HeldWriter, assert_indexes_hold, content, has, put, queue, write};

/// A store in memory, small of cache so that reading needs the medium.
fn failing_store() -> (Store, FailureSwitch) {
    let options = StoreOptions::in_memory().with_cache_bytes(0);
    let switch = options.failure_switch();
    (Store::open(options).unwrap(), switch)
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_goes_on_reading() {
    let (store, switch) = failing_store();
    for number in 0..20 {
        write(&store, &format!("uid-{number}")).await.unwrap();
    }
    for _ in 0..3 {
        switch.set_full(true);
        for _ in 0..3 {
            assert!(matches!(write(&store, "refused").await, Err(StoreError::Full)));
            assert_eq!(store.health(), StoreHealth::Full);
            assert!((0..20).all(|number| has(&store, &format!("uid-{number}"))));
            assert!(!has(&store, "refused"));
        }
        switch.set_full(false);
        write(&store, "accepted").await.unwrap();
        assert_eq!(store.health(), StoreHealth::Writable);
    }
    assert_indexes_hold(&store);
}

#[tokio::test]
async fn a_failing_disk_refuses_writes_and_goes_on_reading() {
    let directory = tempfile::tempdir().unwrap();
    for options in [StoreOptions::in_memory(), StoreOptions::in_directory(directory.path())] {
        let switch = options.failure_switch();
        let store = Store::open(options.with_cache_bytes(0)).unwrap();
        write(&store, "before").await.unwrap();
        switch.set_broken(true);
        for _ in 0..3 {
            let refused = write(&store, "refused").await;
            let reason = "the storage failed: input/output error";
            assert_eq!(refused.unwrap_err().to_string(), reason);
            assert_eq!(store.health(), StoreHealth::Failing);
            assert!(has(&store, "before") && !has(&store, "refused"));
        }
        switch.set_broken(false);
        write(&store, "after").await.unwrap();
        assert_eq!(store.health(), StoreHealth::Writable);
        assert!(has(&store, "before") && has(&store, "after") && !has(&store, "refused"));
    }
}

#[tokio::test]
async fn a_whole_group_hears_of_the_failure_and_none_of_it_is_stored() {
    let (store, switch) = failing_store();
    let held = HeldWriter::hold(&store).await;
    let mut pending = Vec::new();
    for number in 0..10 {
        pending.push(queue(&store, move |tx| put(tx, &format!("uid-{number}"))).await);
    }
    switch.set_full(true);
    held.let_go().await;
    for answer in pending {
        assert!(matches!(answer.await, Err(StoreError::Full)));
    }
    assert!((0..10).all(|number| !has(&store, &format!("uid-{number}"))));
}

#[tokio::test]
async fn a_disk_that_fills_up_in_the_middle_of_an_operation_is_full() {
    let (store, switch) = failing_store();
    write(&store, "before").await.unwrap();
    switch.set_full(true);
    // Bigger than the file has room for: it must grow while the operation runs.
    let big =
        || |tx: &mut patchproof::storage::WriteTx<'_>| tx.put_content("big", &content(8 << 20));
    assert!(matches!(store.write(big()).await, Err(StoreError::Full)));
    assert_eq!(store.health(), StoreHealth::Full);
    assert!(has(&store, "before") && !has(&store, "big"));
    switch.set_full(false);
    store.write(big()).await.unwrap();
    assert!(has(&store, "before") && has(&store, "big"));
    assert_eq!(store.health(), StoreHealth::Writable);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_whatever_the_disk_does_in_between() {
    let options = StoreOptions::in_memory();
    let switch = options.failure_switch();
    let store = Store::open(options.clone()).unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..60 {
        switch.set_full(round % 3 == 1);
        switch.set_broken(round % 5 == 2);
        let uid = format!("uid-{round}");
        if write(&store, &uid).await.is_ok() {
            acknowledged.push(uid);
        }
    }
    assert_eq!(acknowledged.len(), 32);
    assert!(acknowledged.iter().all(|uid| has(&store, uid)));
    drop(store);
    switch.set_full(false);
    switch.set_broken(false);
    let store = Store::open(options).unwrap();
    assert!(acknowledged.iter().all(|uid| has(&store, uid)));
}

#[tokio::test]
async fn readers_forget_what_they_know_when_the_store_was_opened_again() {
    let (store, switch) = failing_store();
    let (patch, chain) = (store.patch_generation("any"), store.chain_generation());
    switch.set_broken(true);
    write(&store, "refused").await.unwrap_err();
    assert_ne!(store.patch_generation("any"), patch);
    assert_ne!(store.chain_generation(), chain);
}

type Hook = Box<dyn FnMut() -> io::Result<()> + Send>;

/// A medium in memory that calls a hook of the test's in place of every sync.
#[derive(Clone)]
struct HookedMedium {
    inner: Arc<InMemoryBackend>,
    hook: Arc<Mutex<Hook>>,
}

impl HookedMedium {
    fn new() -> Self {
        let hook: Hook = Box::new(|| Ok(()));
        Self { inner: Arc::new(InMemoryBackend::new()), hook: Arc::new(Mutex::new(hook)) }
    }

    fn store(&self) -> Store {
        let medium = self.clone();
        Store::open(StoreOptions::on_backend(move || Ok(Box::new(medium.clone())))).unwrap()
    }

    fn on_sync(&self, hook: impl FnMut() -> io::Result<()> + Send + 'static) {
        *self.hook.lock().unwrap() = Box::new(hook);
    }
}

impl fmt::Debug for HookedMedium {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

impl StorageBackend for HookedMedium {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        (self.hook.lock().unwrap())()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }
}

enum Seen {
    /// The medium waits to sync.
    Sync(Sender<()>),
    Answer(Result<(), StoreError>),
}

#[tokio::test]
async fn an_answer_comes_only_after_the_last_sync() {
    let medium = HookedMedium::new();
    let store = medium.store();
    let (events, seen) = channel();
    let of_medium = events.clone();
    medium.on_sync(move || {
        let (go, may_go) = channel();
        of_medium.send(Seen::Sync(go)).unwrap();
        may_go.recv().unwrap();
        Ok(())
    });
    let writing = std::thread::spawn({
        let store = store.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        move || events.send(Seen::Answer(runtime.block_on(write(&store, "one"))))
    });
    let mut syncs = 0;
    let answer = loop {
        match seen.recv().unwrap() {
            Seen::Answer(answer) => break answer,
            Seen::Sync(go) => {
                syncs += 1;
                assert!(!has(&store, "one"), "seen before sync {syncs}");
                go.send(()).unwrap();
            }
        }
    };
    answer.unwrap();
    assert!(syncs >= 2, "two phases, two syncs: {syncs}");
    assert!(has(&store, "one"));
    writing.join().unwrap().unwrap();
    medium.on_sync(|| Ok(()));
}

#[tokio::test]
async fn an_idle_store_notices_by_itself_that_the_disk_is_well_again() {
    let medium = HookedMedium::new();
    let store = medium.store();
    medium.on_sync(|| Err(io::ErrorKind::StorageFull.into()));
    assert!(matches!(write(&store, "refused").await, Err(StoreError::Full)));
    assert_eq!(store.health(), StoreHealth::Full);
    let (synced, syncs) = channel();
    medium.on_sync(move || {
        // The test listens for the first one only.
        synced.send(()).or(Ok(()))
    });
    syncs.recv().unwrap();
    // Whatever the store does on its own is done when it comes to this.
    store.write(|_| Ok::<_, StoreError>(())).await.unwrap();
    assert_eq!(store.health(), StoreHealth::Writable);
    assert!(!has(&store, "refused"));
}
