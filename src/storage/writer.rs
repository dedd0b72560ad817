//! The writer thread: takes what is queued, runs it in one transaction, commits once.
//!
//! While a commit is on its way to the disk the next group gathers, so groups grow with the load by
//! themselves; under load the next group is given a moment to become as large as the last. A lone
//! write never waits for company. An operation that fails after it wrote
//! something poisons the group: the transaction is dropped, and those before it, it alone, and those
//! after it run again.
//!
//! After a failure of the medium redb answers neither writers nor readers reliably until it is
//! opened anew, so that is done before anyone hears of the failure; if the medium cannot even be
//! opened, readers get a view of it that needs no writes. An unwritable store looks by itself,
//! every [`PROBE_PERIOD`], whether it can be written to again.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::{Database, Durability, WriteTransaction};

use crate::storage::operation::Operation;
use crate::storage::{Shared, StoreChange, StoreError, StoreHealth, StoreOptions, WriteTx};
use crate::telemetry::StoreMeters;

/// The most operations in one transaction.
const MAX_GROUP: usize = 256;
/// The longest wait for a group to become as large as the last one, and the part of a commit's time
/// that it may take: where a commit is quick, waiting for company costs more than it saves, because
/// those who wait could be at work meanwhile.
const LINGER: Duration = Duration::from_millis(3);
const LINGER_PART: u32 = 4;
/// The size of a group after which the next one is waited for.
const LINGER_FROM: usize = 8;
/// How often an unwritable store looks whether it is writable again.
const PROBE_PERIOD: Duration = Duration::from_secs(1);

type Group = Vec<Box<dyn Operation>>;

/// The queue in front of the writer thread.
pub(super) struct Writer {
    meters: StoreMeters,
    queue: Mutex<Option<Sender<Box<dyn Operation>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(shared: Arc<Shared>, options: StoreOptions) -> Result<Self, StoreError> {
        let (queue, operations) = channel();
        let meters = shared.meters.clone();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || WriterThread { shared, options, is_usable: true }.run(&operations))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { meters, queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Queues an operation.
    pub(super) fn submit(&self, operation: Box<dyn Operation>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.meters.queue();
        let refused = match queue.as_ref() {
            Some(queue) => queue.send(operation).err().map(|refused| refused.0),
            None => Some(operation),
        };
        if let Some(operation) = refused {
            self.meters.take(1);
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
    /// Whether the open database is one to write to.
    is_usable: bool,
}

/// What became of a group's transaction.
enum GroupOutcome {
    /// It is on disk, or there was nothing to write.
    Done,
    /// The operation at this place failed after writing: nothing was committed.
    Poisoned(usize),
    Failed(StoreError),
}

/// A write that changes nothing anyone reads, to see whether writing works.
struct Probe;

impl Operation for Probe {
    fn run(&mut self, transaction: &mut WriteTx<'_>) -> bool {
        transaction.is_dirty = true;
        transaction.tables.meta.insert("probe", [].as_slice()).is_ok()
    }

    fn finish(self: Box<Self>, _outcome: Result<(), StoreError>) {}
}

/// What running a group's operations did to their transaction.
struct GroupRun {
    poisoned_at: Option<usize>,
    is_dirty: bool,
    touched_shards: Vec<usize>,
    touched_chain: bool,
    touched_credentials: bool,
    changes: Vec<StoreChange>,
}

fn run_group(transaction: &WriteTransaction, group: &mut Group) -> Result<GroupRun, StoreError> {
    let mut open = WriteTx::over(transaction);
    let mut is_dirty = false;
    let poisoned_at = group.iter_mut().position(|operation| {
        open.is_dirty = false;
        let is_good = operation.run(&mut open);
        is_dirty |= open.is_dirty;
        !is_good && open.is_dirty
    });
    let WriteTx { touched_shards, touched_chain, touched_credentials, changes, .. } = open;
    Ok(GroupRun {
        poisoned_at,
        is_dirty,
        touched_shards,
        touched_chain,
        touched_credentials,
        changes,
    })
}

/// What the group before was like.
struct LastGroup {
    size: usize,
    took: Duration,
}

/// Takes what is queued. After a large group it waits a moment for one as large: those who were just
/// answered come back at once, and a commit costs the same for one as for all of them. A lone
/// write, and the first of many, waits for nobody.
fn gather(
    operations: &Receiver<Box<dyn Operation>>,
    first: Box<dyn Operation>,
    last: &LastGroup,
) -> Group {
    let mut group = vec![first];
    while group.len() < MAX_GROUP {
        match operations.try_recv() {
            Ok(operation) => group.push(operation),
            Err(_) => break,
        }
    }
    if last.size < LINGER_FROM {
        return group;
    }
    let deadline = Instant::now() + LINGER.min(last.took / LINGER_PART);
    while group.len() < last.size {
        let left = deadline.saturating_duration_since(Instant::now());
        match operations.recv_timeout(left) {
            Ok(operation) => group.push(operation),
            Err(_) => break,
        }
    }
    group
}

impl WriterThread {
    fn run(mut self, operations: &Receiver<Box<dyn Operation>>) {
        let mut last = LastGroup { size: 1, took: Duration::ZERO };
        while let Some(first) = self.next(operations) {
            let group = gather(operations, first, &last);
            let (size, begun) = (group.len(), Instant::now());
            self.shared.meters.take(size - 1);
            self.process(group);
            last = LastGroup { size, took: begun.elapsed() };
        }
        self.shared.database.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits for an operation; nothing when the store is closed.
    fn next(&self, operations: &Receiver<Box<dyn Operation>>) -> Option<Box<dyn Operation>> {
        let next = if self.shared.health() == StoreHealth::Writable {
            operations.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            operations.recv_timeout(PROBE_PERIOD)
        };
        match next {
            Ok(operation) => {
                self.shared.meters.take(1);
                Some(operation)
            }
            Err(RecvTimeoutError::Timeout) => Some(Box::new(Probe)),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    fn process(&mut self, mut group: Group) {
        match self.attempt(&mut group) {
            GroupOutcome::Done => group.into_iter().for_each(|op| op.finish(Ok(()))),
            GroupOutcome::Poisoned(_) if group.len() == 1 => {
                // Alone and failed: nothing was committed, its own error is the answer.
                group.into_iter().for_each(|op| op.finish(Ok(())));
            }
            GroupOutcome::Poisoned(place) => {
                let mut poisoned = group.split_off(place);
                let after = poisoned.split_off(1);
                for part in [group, poisoned, after] {
                    if !part.is_empty() {
                        self.process(part);
                    }
                }
            }
            GroupOutcome::Failed(error) => self.fail(group, &error),
        }
    }

    /// Runs a group in one transaction and commits it.
    fn attempt(&mut self, group: &mut Group) -> GroupOutcome {
        let is_sound = self.is_usable && self.options.failure_note().failure().is_none();
        if !is_sound && let Err(error) = self.reopen() {
            return GroupOutcome::Failed(error);
        }
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return GroupOutcome::Failed(StoreError::Closed);
        };
        self.attempt_in(database, group).unwrap_or_else(|error| {
            // redb names the medium's failure once and is vague about it afterwards.
            GroupOutcome::Failed(self.options.failure_note().failure().unwrap_or(error))
        })
    }

    fn attempt_in(
        &self,
        database: &Database,
        group: &mut Group,
    ) -> Result<GroupOutcome, StoreError> {
        let begun = Instant::now();
        let mut transaction = database.begin_write()?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        let run = run_group(&transaction, group)?;
        if run.poisoned_at.is_some() || !run.is_dirty {
            transaction.abort()?;
            // An operation that failed because the medium did is no reason to try the others.
            if let Some(failure) = self.options.failure_note().failure() {
                return Err(failure);
            }
        } else {
            transaction.commit()?;
            self.shared.meters.committed(begun.elapsed());
            self.shared.commits.fetch_add(1, Ordering::AcqRel);
            self.shared.writes.fetch_add(group.len() as u64, Ordering::AcqRel);
            self.committed();
        }
        if let Some(place) = run.poisoned_at {
            return Ok(GroupOutcome::Poisoned(place));
        }
        self.publish(&run.touched_shards, run.touched_chain, run.touched_credentials);
        self.shared.changes.tell(&run.changes);
        Ok(GroupOutcome::Done)
    }

    /// Notes that the medium takes writes.
    fn committed(&self) {
        // redb writes ahead of the commit where it can; only the commit itself has to succeed.
        self.options.failure_note().forget();
        if self.shared.health() != StoreHealth::Writable {
            self.shared.set_health(StoreHealth::Writable);
            tracing::info!("the store can be written to again");
        }
    }

    /// Tells readers what is no longer true, before any caller hears that its write is done.
    fn publish(&self, shards: &[usize], chain: bool, credentials: bool) {
        for shard in shards {
            self.shared.generations[*shard].fetch_add(1, Ordering::AcqRel);
        }
        if chain {
            self.shared.chain_generation.fetch_add(1, Ordering::AcqRel);
        }
        if credentials {
            self.shared.credential_generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Makes reading possible again, then tells the callers that nothing of theirs is stored.
    fn fail(&mut self, group: Group, error: &StoreError) {
        let is_full = matches!(error, StoreError::Full);
        let health = if is_full { StoreHealth::Full } else { StoreHealth::Failing };
        if self.shared.health() != health {
            tracing::error!(%error, "the store cannot be written to");
        }
        self.shared.set_health(health);
        if self.is_usable
            && let Err(error) = self.reopen()
        {
            tracing::error!(%error, "the store cannot be opened for writing");
        }
        for operation in group {
            operation.finish(Err(error.as_unavailable()));
        }
    }

    /// Opens the database anew, or at least a view of it for readers, who wait meanwhile.
    fn reopen(&mut self) -> Result<(), StoreError> {
        let mut slot = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        slot.take();
        let opened = self.options.open_database();
        self.is_usable = opened.is_ok();
        let outcome = match opened {
            Ok(database) => {
                *slot = Some(database);
                Ok(())
            }
            Err(error) => {
                *slot = self.options.open_view().ok();
                Err(self.options.failure_note().failure().unwrap_or(error))
            }
        };
        // A commit whose failure was reported may still have reached the disk: what readers
        // remember may be out of date.
        let all: Vec<usize> = (0..self.shared.generations.len()).collect();
        self.publish(&all, true, true);
        outcome
    }
}
