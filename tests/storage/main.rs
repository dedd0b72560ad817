//! The store as its callers see it: what an answer promises, what a failure leaves behind, and that
//! neither a power cut nor a full disk takes back what was answered.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod disk_full;
mod failures;
mod grouping;
mod model;
mod opening;
mod power_cut;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;

use patchproof::storage::{
    CheckReport, Store, StoreError, StoredContent, WriteTx, check, contents,
};
use patchproof::types::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A write under way.
type Pending<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>>>>;

/// Queues a write without waiting for its answer, which must not be there at once.
async fn queue<T: Send + 'static>(
    store: &Store,
    operation: impl FnMut(&mut WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Pending<T> {
    try_queue(store, operation).await.expect("the writer is held back")
}

/// Queues a write, or returns nothing if it is answered at once.
async fn try_queue<T: Send + 'static>(
    store: &Store,
    operation: impl FnMut(&mut WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Option<Pending<T>> {
    let store = store.clone();
    let mut pending: Pending<T> = Box::pin(async move { store.write(operation).await });
    let is_pending = poll_fn(|context| Poll::Ready(pending.as_mut().poll(context).is_pending()));
    is_pending.await.then_some(pending)
}

/// Occupies the writer until it is let go, so that what is queued meanwhile becomes one group.
struct HeldWriter {
    go: Sender<()>,
    held: Pending<()>,
}

impl HeldWriter {
    async fn hold(store: &Store) -> Self {
        Self::try_hold(store).await.expect("the store can be written to")
    }

    /// Returns nothing if the store fails before it comes to this.
    async fn try_hold(store: &Store) -> Option<Self> {
        let (started, has_started) = channel();
        let (go, may_go): (Sender<()>, Receiver<()>) = channel();
        let held = try_queue(store, move |_| {
            started.send(()).unwrap();
            may_go.recv().unwrap();
            Ok(())
        })
        .await?;
        has_started.recv().ok()?;
        Some(Self { go, held })
    }

    async fn let_go(self) {
        self.try_let_go().await.unwrap();
    }

    /// Fails if the store does while the writer is held.
    async fn try_let_go(self) -> Result<(), StoreError> {
        self.go.send(()).unwrap();
        self.held.await
    }
}

fn content(size: usize) -> StoredContent {
    let content_type = "application/octet-stream".into();
    StoredContent { version: 1, content_type, sealed: vec![7; size], put_at: NOW }
}

fn put(tx: &mut WriteTx<'_>, uid: &str) -> Result<(), StoreError> {
    tx.put_content(uid, &content(100))
}

async fn write(store: &Store, uid: &str) -> Result<(), StoreError> {
    let uid = uid.to_owned();
    store.write(move |tx| put(tx, &uid)).await
}

#[track_caller]
fn has(store: &Store, uid: &str) -> bool {
    store.read(|tx| contents::content(tx, uid)).unwrap().is_some()
}

/// Checks what must hold of rows that need not make sense together.
#[track_caller]
fn assert_indexes_hold(store: &Store) {
    let report: CheckReport = store.read(check).unwrap();
    let wrong: Vec<_> = report
        .violations
        .into_iter()
        .filter(|it| ["index", "row", "I9", "I15"].contains(&it.invariant))
        .collect();
    assert_eq!(wrong, []);
}
