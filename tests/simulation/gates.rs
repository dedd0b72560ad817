//! Lets work be stopped at any question to the outside and go on later, or never.
//!
//! Everything runs on one thread and the store answers in the order in which it was asked, so a
//! piece of work can be driven until it can do nothing more by itself: the same in every run.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use patchproof::storage::{Store, StoreError};

/// Where one piece of work is stopped.
#[derive(Debug)]
pub(crate) struct Gate {
    calls: AtomicU64,
    closes_at: AtomicU64,
}

impl Gate {
    /// A gate that closes at the `closes_at`th question.
    pub(crate) fn new(closes_at: Option<u64>) -> Arc<Self> {
        let closes_at = AtomicU64::new(closes_at.unwrap_or(u64::MAX));
        Arc::new(Self { calls: AtomicU64::new(0), closes_at })
    }

    fn open(&self) {
        self.closes_at.store(u64::MAX, Ordering::SeqCst);
    }

    fn is_closed_for(&self, call: u64) -> bool {
        call >= self.closes_at.load(Ordering::SeqCst)
    }
}

/// Tells the ports whose work they are doing.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<Option<Arc<Gate>>>);

impl Gates {
    fn enter(&self, gate: Option<Arc<Gate>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = gate;
    }

    /// Waits at the gate of the work that asks, if it is closed.
    pub(crate) async fn pass(&self) {
        let gate = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(gate) = gate else { return };
        let call = gate.calls.fetch_add(1, Ordering::SeqCst) + 1;
        std::future::poll_fn(|_| {
            if gate.is_closed_for(call) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

/// Work that was begun and may be stopped on its way.
pub(crate) struct Work<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    gate: Arc<Gate>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<T> Work<T> {
    pub(crate) fn new(
        closes_at: Option<u64>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        Self { future: Box::pin(future), gate: Gate::new(closes_at) }
    }

    /// Lets the work go on to its end.
    pub(crate) fn open(&self) {
        self.gate.open();
    }

    /// Drives the work until it is done or waits at its gate.
    pub(crate) async fn drive(&mut self, gates: &Gates, store: &Store) -> Option<T> {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        while woken.0.swap(false, Ordering::SeqCst) {
            gates.enter(Some(Arc::clone(&self.gate)));
            let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
            gates.enter(None);
            if let Poll::Ready(done) = polled {
                return Some(done);
            }
            settle(store).await;
        }
        None
    }

    /// Begins the work and abandons it after so many answers of the store, as when whoever asked has
    /// gone away.
    pub(crate) async fn abandon(mut self, gates: &Gates, store: &Store, polls: u64) -> Option<T> {
        for _ in 0..polls {
            // Held up, so that the store never answers within the poll that asks: how far the work
            // gets must not depend on whose thread is faster.
            let (release, is_held) = std::sync::mpsc::channel::<()>();
            let mut hold = Box::pin(store.write(move |_| {
                let _released = is_held.recv();
                Ok::<(), StoreError>(())
            }));
            let mut context = Context::from_waker(Waker::noop());
            let held = hold.as_mut().poll(&mut context).is_pending();
            gates.enter(Some(Arc::clone(&self.gate)));
            let polled = self.future.as_mut().poll(&mut context);
            gates.enter(None);
            drop(release);
            if held {
                drop(hold.await);
            }
            if let Poll::Ready(done) = polled {
                return Some(done);
            }
            settle(store).await;
        }
        None
    }
}

/// Waits until the store has answered everything that it was asked before.
pub(crate) async fn settle(store: &Store) {
    drop(store.write(|_| Ok::<(), StoreError>(())).await);
}
