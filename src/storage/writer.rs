//! The writer thread: takes what is queued, runs it in one transaction, commits once.
//!
//! While a commit is on its way to the disk the next group gathers, so groups grow with the load by
//! themselves and a lone write never waits for company. An operation that fails after it wrote
//! something poisons the group: the transaction is dropped and each operation runs again alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use redb::{Database, Durability, WriteTransaction};
use tokio::sync::oneshot;

use crate::storage::tables::WriteTables;
use crate::storage::{Shared, StoreError, StoreHealth, StoreOptions, WriteTx};

/// The most operations in one transaction.
const MAX_GROUP: usize = 256;

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

type Group = Vec<Box<dyn Operation>>;

/// The queue in front of the writer thread.
pub(super) struct Writer {
    queue: Mutex<Option<Sender<Box<dyn Operation>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(shared: Arc<Shared>, options: StoreOptions) -> Result<Self, StoreError> {
        let (queue, operations) = channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || WriterThread { shared, options }.run(&operations))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Queues an operation.
    pub(super) fn submit(&self, operation: Box<dyn Operation>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match queue.as_ref() {
            Some(queue) => queue.send(operation).err().map(|refused| refused.0),
            None => Some(operation),
        };
        if let Some(operation) = refused {
            operation.finish(Err(StoreError::Closed));
        }
    }

    /// Lets the thread finish what is queued and waits for it.
    pub(super) fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may be one that an operation held: then the thread itself is here.
        if let Some(thread) = thread.filter(|it| it.thread().id() != std::thread::current().id()) {
            drop(thread.join());
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

struct WriterThread {
    shared: Arc<Shared>,
    options: StoreOptions,
}

/// What became of a group's transaction.
enum GroupOutcome {
    Committed,
    /// An operation failed after writing: each must run alone.
    Poisoned,
    Failed(StoreError),
}

/// What running a group's operations did to their transaction.
struct GroupRun {
    is_poisoned: bool,
    is_dirty: bool,
    touched_shards: Vec<usize>,
    touched_chain: bool,
}

fn run_group(transaction: &WriteTransaction, group: &mut Group) -> Result<GroupRun, StoreError> {
    let mut open = WriteTx {
        tables: WriteTables::open(transaction)?,
        is_dirty: false,
        touched_shards: Vec::new(),
        touched_chain: false,
    };
    let mut is_dirty = false;
    let mut is_poisoned = false;
    for operation in group.iter_mut() {
        open.is_dirty = false;
        let is_good = operation.run(&mut open);
        is_dirty |= open.is_dirty;
        is_poisoned = !is_good && open.is_dirty;
        if is_poisoned {
            break;
        }
    }
    let WriteTx { touched_shards, touched_chain, .. } = open;
    Ok(GroupRun { is_poisoned, is_dirty, touched_shards, touched_chain })
}

impl WriterThread {
    fn run(&self, operations: &Receiver<Box<dyn Operation>>) {
        while let Ok(first) = operations.recv() {
            let mut group = vec![first];
            while group.len() < MAX_GROUP {
                match operations.try_recv() {
                    Ok(operation) => group.push(operation),
                    Err(_) => break,
                }
            }
            self.process(group);
        }
        self.shared.database.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn process(&self, mut group: Group) {
        if let Err(error) = self.ensure_open() {
            return self.answer_failure(group, &error);
        }
        match self.attempt(&mut group) {
            GroupOutcome::Committed => group.into_iter().for_each(|op| op.finish(Ok(()))),
            GroupOutcome::Failed(error) => self.answer_failure(group, &error),
            GroupOutcome::Poisoned if group.len() == 1 => {
                // Alone and failed: nothing was committed, its own error is the answer.
                group.into_iter().for_each(|op| op.finish(Ok(())));
            }
            GroupOutcome::Poisoned => group.into_iter().for_each(|op| self.process(vec![op])),
        }
    }

    /// Runs a group in one transaction and commits it.
    fn attempt(&self, group: &mut Group) -> GroupOutcome {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return GroupOutcome::Failed(StoreError::Closed);
        };
        match self.attempt_in(database, group) {
            Ok(outcome) => outcome,
            Err(error) => GroupOutcome::Failed(error),
        }
    }

    fn attempt_in(
        &self,
        database: &Database,
        group: &mut Group,
    ) -> Result<GroupOutcome, StoreError> {
        let mut transaction = database.begin_write()?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        let run = run_group(&transaction, group)?;
        if run.is_poisoned || !run.is_dirty {
            transaction.abort()?;
        } else {
            transaction.commit()?;
        }
        if run.is_poisoned {
            return Ok(GroupOutcome::Poisoned);
        }
        self.publish(&run.touched_shards, run.touched_chain);
        Ok(GroupOutcome::Committed)
    }

    /// Tells readers what is no longer true, before any caller hears that its write is done.
    fn publish(&self, shards: &[usize], chain: bool) {
        for shard in shards {
            self.shared.generations[*shard].fetch_add(1, Ordering::AcqRel);
        }
        if chain {
            self.shared.chain_generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn answer_failure(&self, group: Group, error: &StoreError) {
        let is_full = matches!(error, StoreError::Full);
        self.shared.set_health(if is_full { StoreHealth::Full } else { StoreHealth::Failing });
        tracing::error!(%error, operations = group.len(), "the store refused a write");
        for operation in group {
            operation.finish(Err(if is_full {
                StoreError::Full
            } else {
                StoreError::Failed(error.to_string())
            }));
        }
    }

    /// After a failure the file must be opened anew before anything is written (redb refuses
    /// until then); readers wait for the short moment this takes.
    fn ensure_open(&self) -> Result<(), StoreError> {
        if self.shared.health.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let mut slot = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        slot.take();
        match self.options.open_database() {
            Ok(database) => {
                *slot = Some(database);
                self.shared.set_health(StoreHealth::Writable);
                tracing::info!("the store was opened again after a failure");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
