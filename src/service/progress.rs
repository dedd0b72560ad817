//! Lets a request wait for its record to reach the network, without polling.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::types::RecordId;

/// The most requests that wait at a time; beyond it requests answer at once.
const MAX_WAITING: usize = 10_000;

type Waiting = HashMap<RecordId, Vec<oneshot::Sender<()>>>;

/// Where requests wait for their records.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Waiting>>);

/// A place in the queue for one record.
#[derive(Debug)]
pub struct ProgressWaiter {
    progress: Progress,
    id: RecordId,
    receiver: Option<oneshot::Receiver<()>>,
}

impl Progress {
    /// Takes a place; do so before the record can move, or its news may be missed.
    pub fn watch(&self, id: RecordId) -> ProgressWaiter {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = (waiting.len() < MAX_WAITING).then(|| {
            let (sender, receiver) = oneshot::channel();
            waiting.entry(id).or_default().push(sender);
            receiver
        });
        ProgressWaiter { progress: self.clone(), id, receiver }
    }

    /// Says whether a request waits for a record.
    pub fn is_watched(&self, id: RecordId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    /// Tells all who wait for a record that it reached the network or failed.
    pub fn announce(&self, id: RecordId) {
        let waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        for waiter in waiters.unwrap_or_default() {
            // A request that gave up has dropped its end.
            let _gone = waiter.send(());
        }
    }
}

impl ProgressWaiter {
    /// Waits for news, at most `longest`.
    pub async fn wait(mut self, longest: Duration) {
        if let Some(receiver) = self.receiver.take() {
            // Both ways of ending mean: look at the store now.
            drop(tokio::time::timeout(longest, receiver).await);
        }
    }
}

impl Drop for ProgressWaiter {
    fn drop(&mut self) {
        // Only then does the sender know that nobody waits.
        self.receiver.take();
        let mut waiting = self.progress.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(senders) = waiting.get_mut(&self.id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_given_back_however_the_request_ends() {
        let progress = Progress::default();
        let (one, two) = (RecordId::from_bytes([1; 16]), RecordId::from_bytes([2; 16]));
        drop(progress.watch(one));
        assert!(!progress.is_watched(one));
        let waiter = progress.watch(one);
        let other = progress.watch(two);
        assert!(progress.is_watched(one) && progress.is_watched(two));
        progress.announce(one);
        waiter.wait(Duration::from_secs(3600)).await;
        other.wait(Duration::ZERO).await;
        assert!(!progress.is_watched(one) && !progress.is_watched(two));
    }
}
