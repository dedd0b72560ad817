//! What commits changed, for whoever watches; while nobody does, nothing is kept.
//!
//! A change is told after its commit and before its caller is answered. The queue is bounded: a
//! watcher that falls behind is told so and has to read everything anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::storage::claims::ClaimId;
use crate::storage::{StageName, Store};
use crate::types::{ImportId, RecordId, Txid};

/// The most changes that wait for the watcher; of 72 bytes each.
const MOST_WAITING: usize = 16_384;

/// Something that a commit changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreChange {
    /// A job came to another stage or has another transaction.
    Job {
        /// The job: a record's, a batch's or an operation's.
        id: RecordId,
        /// Its stage.
        stage: StageName,
        /// Its transaction, if it has one.
        txid: Option<Txid>,
    },
    /// A record was accepted that waits for a batch.
    Waiting(RecordId),
    /// A claim was filed or came to another state.
    Claim(ClaimId),
    /// A setting was changed or taken back.
    Settings,
    /// An import came to another state or went on.
    Import(ImportId),
}

/// What was changed since the last time that somebody asked.
#[derive(Debug, Default)]
pub struct Changes {
    /// The changes, in the order of their commits.
    pub made: Vec<StoreChange>,
    /// Whether more was changed than could be kept.
    pub is_lossy: bool,
}

/// Where changes wait for the watcher.
#[derive(Default)]
pub(super) struct ChangeQueue {
    is_watched: AtomicBool,
    waiting: Mutex<Changes>,
    wake: Notify,
}

impl ChangeQueue {
    /// Tells the watcher, if there is one.
    pub(super) fn tell(&self, made: &[StoreChange]) {
        if made.is_empty() || !self.is_watched.load(Ordering::Acquire) {
            return;
        }
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.made.len().saturating_add(made.len()) > MOST_WAITING {
                *waiting = Changes { made: Vec::new(), is_lossy: true };
            } else {
                waiting.made.extend_from_slice(made);
            }
        }
        self.wake.notify_one();
    }

    fn take(&self) -> Changes {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    /// Begins or ends to keep what commits change. Every commit that a reader does not see when this
    /// returns will be told.
    pub fn watch_changes(&self, is_watched: bool) {
        self.shared.changes.is_watched.store(is_watched, Ordering::Release);
        if !is_watched {
            drop(self.shared.changes.take());
        }
    }

    /// Waits for changes; for one watcher.
    pub async fn changes(&self) -> Changes {
        loop {
            let changes = self.shared.changes.take();
            if changes.is_lossy || !changes.made.is_empty() {
                return changes;
            }
            self.shared.changes.wake.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn nothing_is_kept_for_nobody_and_no_more_than_fits_for_somebody() {
        let queue = ChangeQueue::default();
        queue.tell(&[StoreChange::Settings]);
        assert!(queue.take().made.is_empty());
        queue.is_watched.store(true, Ordering::Release);
        queue.tell(&[]);
        assert!(queue.wake.notified().now_or_never().is_none(), "nobody is woken for nothing");
        for _ in 0..MOST_WAITING {
            queue.tell(&[StoreChange::Settings]);
        }
        let full = queue.take();
        assert_eq!((full.made.len(), full.is_lossy), (MOST_WAITING, false));
        for _ in 0..=MOST_WAITING {
            queue.tell(&[StoreChange::Settings]);
        }
        let lossy = queue.take();
        assert_eq!((lossy.made.len(), lossy.is_lossy), (0, true));
        assert!(size_of::<StoreChange>() <= 72, "{}", size_of::<StoreChange>());
    }
}
