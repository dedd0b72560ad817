//! A queued write: a closure, where its result goes, and what it is told of the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::storage::{StoreError, WriteTx};

/// A queued write.
pub(super) trait Operation: Send {
    /// Runs it; true if it wants to be committed.
    fn run(&mut self, transaction: &mut WriteTx<'_>) -> bool;
    /// Answers the caller: with its own result, or with what went wrong in the store.
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Queued<F, T, E> {
    operation: F,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

/// Wraps a closure; the receiver gets its result once it is on disk.
pub(super) fn queued<T, E, F>(operation: F) -> (Box<dyn Operation>, oneshot::Receiver<Result<T, E>>)
where
    F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (answer, receiver) = oneshot::channel();
    (Box::new(Queued { operation, result: None, answer }), receiver)
}

impl<F, T, E> Operation for Queued<F, T, E>
where
    F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, transaction: &mut WriteTx<'_>) -> bool {
        // A panic in one operation must not take the writer, and so everybody's writes, with it.
        let result = catch_unwind(AssertUnwindSafe(|| (self.operation)(transaction)))
            .unwrap_or_else(|_| {
                transaction.is_dirty = true;
                Err(StoreError::Panicked.into())
            });
        let is_good = result.is_ok();
        self.result = Some(result);
        is_good
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let result = match (outcome, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Closed.into()),
            (Err(error), _) => Err(error.into()),
        };
        // A caller that has gone away no longer wants the answer; what is stored stays stored.
        drop(self.answer.send(result));
    }
}
