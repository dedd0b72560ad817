//! The store: one redb file, one writer thread that groups commits, any number of readers.
//!
//! One closure is one storage transaction: state, index, job and audit line commit together or not
//! at all. A closure cannot wait for anything and may run twice. When a write is answered it is on
//! disk (two-phase commit, fsync). After an I/O error the store opens its file anew so that reads
//! go on, refuses writes as long as they fail, and says so.

pub mod accounts;
pub mod api_keys;
pub mod audit;
mod backend;
pub mod backup;
pub mod batches;
pub mod browser_keys;
pub mod challenges;
mod changes;
mod check;
pub mod claims;
mod codec;
pub mod contents;
pub mod email_codes;
pub mod erasures;
mod error;
pub mod fees;
pub mod fence;
pub mod headers;
pub mod idempotency;
pub mod identity;
pub mod imports;
pub mod jobs;
mod lazy;
pub mod log;
pub mod mails;
mod migrations;
mod open;
mod operation;
pub mod outside_spends;
mod overlay;
pub mod patches;
mod reader;
pub mod records;
pub mod sessions;
pub mod settings;
pub mod setup_links;
pub mod stale_proofs;
pub mod svd_keys;
mod tables;
#[cfg(test)]
mod tests;
pub mod token_epochs;
pub mod transactions;
pub mod treasury_operations;
pub mod untold;
pub mod used_challenges;
pub mod utxos;
mod writer;

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, ReadableDatabase};

pub use accounts::{LinkedKey, StoredAccount};
pub use api_keys::{ApiKeyPage, StoredApiKey};
pub use audit::{AuditEntry, AuditLine, AuditState};
pub use backend::FailureSwitch;
pub use batches::{BatchLeaf, BatchPlace, StoredBatch};
pub use browser_keys::BrowserKey;
pub use challenges::Challenge;
pub use changes::{Changes, StoreChange};
pub use check::{
    CheckReport, Ledger, Violation, check, check_acknowledged, check_watched, count_all_rows,
};
pub use contents::StoredContent;
pub use email_codes::{EmailGuesses, StoredEmailCode};
pub use erasures::{ErasedPerson, ErasedRecord};
pub use error::{KeptCopy, StoreError};
pub use fees::DayFees;
pub use fence::{FoundCommitment, StoredFence, StoredFinding};
pub use headers::{ChainHead, StoredHeader};
pub use idempotency::{IdempotencyRow, IdempotencyState, StoredAnswer};
pub use identity::IdentityClaim;
pub use imports::{
    ImportFields, ImportState, RowFault, RowOutcome, RowTexts, StoredImport, StoredImportRow,
};
pub use jobs::StageName;
pub use log::{LogCheckpoint, LogLeaf};
pub use mails::{MailHour, StoredMail};
pub use migrations::NEWEST as SCHEMA_VERSION;
use open::{FILE_NAME, NEXT_NAME, STAGING_NAME};
pub use open::{FILE_NAME as STORE_FILE, StoreOptions};
pub use patches::{Patch, PatchOrder, PatchPage, PatchWalk};
pub use reader::StoreReader;
pub use records::StoredRecord;
pub use sessions::{LoginMethod, StoredSession};
pub use settings::StoredSetting;
pub use setup_links::SetupLink;
pub use stale_proofs::StaleProof;
pub use svd_keys::SvdKey;
pub use tables::Tables;
pub use transactions::{StoredTransaction, TransactionOrigin, TransactionState};
pub use treasury_operations::TreasuryOperation;
pub use utxos::{PoolTotals, UtxoTotal};

use crate::telemetry::StoreMeters;
use crate::types::Digest;
use changes::ChangeQueue;
use operation::queued;
use tables::{ReadTables, WriteTables};
use writer::Writer;

/// Shards of the counters that tell readers whether what they remember of a product is still true.
const GENERATION_SHARDS: usize = 4096;

/// Whether the store can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreHealth {
    /// It can.
    Writable,
    /// The disk is full.
    Full,
    /// The disk fails.
    Failing,
}

/// What a walk through everything keeps in memory: it reads each page once.
const WALK_CACHE_BYTES: usize = 8 * 1024 * 1024;

/// A handle to the store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    writer: Arc<Writer>,
    options: Arc<StoreOptions>,
}

struct Shared {
    database: RwLock<Option<Database>>,
    health: AtomicU8,
    commits: AtomicU64,
    writes: AtomicU64,
    meters: StoreMeters,
    generations: Vec<AtomicU64>,
    chain_generation: AtomicU64,
    credential_generation: AtomicU64,
    changes: ChangeQueue,
}

/// A read transaction: one unchanging view of everything.
pub struct ReadTx {
    tables: ReadTables,
}

/// A write transaction shared by the operations of one group.
pub struct WriteTx<'txn> {
    tables: WriteTables<'txn>,
    is_dirty: bool,
    touched_shards: Vec<usize>,
    touched_chain: bool,
    touched_credentials: bool,
    /// What whoever watches is told once it is committed.
    changes: Vec<StoreChange>,
    /// Number and previous hash of the next audit line, once this transaction has appended one.
    audit_end: Option<(u64, Digest)>,
    /// Number of leaves of the log, once this transaction has appended one.
    log_end: Option<u64>,
}

impl Store {
    /// Opens or creates the store, brings its schema up to date and starts the writer thread.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let database = options.open_database()?;
        migrations::migrate(&database, &options)?;
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            health: AtomicU8::new(0),
            commits: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            meters: StoreMeters::default(),
            generations: (0..GENERATION_SHARDS).map(|_| AtomicU64::new(0)).collect(),
            chain_generation: AtomicU64::new(0),
            credential_generation: AtomicU64::new(0),
            changes: ChangeQueue::default(),
        });
        let writer = Arc::new(Writer::start(Arc::clone(&shared), options.clone())?);
        Ok(Self { shared, writer, options: Arc::new(options) })
    }

    /// Runs `operation` in a write transaction and answers once it is on disk.
    ///
    /// If it returns an error nothing of it is stored. It may run more than once.
    pub async fn write<T, E, F>(&self, operation: F) -> Result<T, E>
    where
        F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (operation, answer) = queued(operation);
        self.writer.submit(operation);
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Runs `read` on one unchanging view. It must not call this method itself: between the two a
    /// failed store may want to open its file anew, which waits for readers.
    pub fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(StoreError::Closed)?;
        let transaction = database.begin_read().map_err(StoreError::from)?;
        let tables = ReadTables::new(transaction);
        read(&ReadTx { tables })
    }

    /// Runs `read`, which walks far and takes its time, on one unchanging view through a handle of its
    /// own: the pages that others have in memory stay there, and a store that fails meanwhile is opened
    /// anew without waiting for it. A store that is in no file is read as by [`Self::read`].
    pub fn read_apart<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.options.file().is_none() {
            return self.read(read);
        }
        let options = StoreOptions::clone(&self.options).with_cache_bytes(WALK_CACHE_BYTES);
        StoreReader::open(&options)?.read(read)
    }

    /// Says whether the store can be written to.
    pub fn health(&self) -> StoreHealth {
        self.shared.health()
    }

    /// Returns what the writer measures of its own work.
    pub fn meters(&self) -> StoreMeters {
        self.shared.meters.clone()
    }

    /// Returns how many commits the writer has made; fewer than writes, because it groups them.
    pub fn commit_count(&self) -> u64 {
        self.shared.commits.load(Ordering::Acquire)
    }

    /// Returns how many writes those commits carried.
    pub fn write_count(&self) -> u64 {
        self.shared.writes.load(Ordering::Acquire)
    }

    /// Returns a number that changes, before a write is answered, whenever the write touched the
    /// product `uid` (or, rarely, another): what was computed under the same number is still true.
    pub fn patch_generation(&self, uid: &str) -> u64 {
        self.shared.generations[shard_of(uid)].load(Ordering::Acquire)
    }

    /// Returns a number that changes whenever the best chain of headers changes.
    pub fn chain_generation(&self) -> u64 {
        self.shared.chain_generation.load(Ordering::Acquire)
    }

    /// Returns a number that changes, before a write is answered and whether or not anybody waits for
    /// the answer, whenever an API key or a login key changes.
    pub fn credential_generation(&self) -> u64 {
        self.shared.credential_generation.load(Ordering::Acquire)
    }

    /// Waits until what is queued is written, then stops the writer thread; later writes answer
    /// [`StoreError::Closed`].
    pub fn close(&self) {
        self.writer.stop();
    }
}

impl Shared {
    fn health(&self) -> StoreHealth {
        match self.health.load(Ordering::Acquire) {
            0 => StoreHealth::Writable,
            1 => StoreHealth::Full,
            _ => StoreHealth::Failing,
        }
    }

    fn set_health(&self, health: StoreHealth) {
        let code = match health {
            StoreHealth::Writable => 0,
            StoreHealth::Full => 1,
            StoreHealth::Failing => 2,
        };
        self.health.store(code, Ordering::Release);
    }
}

impl<'txn> WriteTx<'txn> {
    /// Begins on a transaction in which nothing was written yet.
    fn over(transaction: &'txn redb::WriteTransaction) -> Self {
        Self {
            tables: WriteTables::new(transaction),
            is_dirty: false,
            touched_shards: Vec::new(),
            touched_chain: false,
            touched_credentials: false,
            changes: Vec::new(),
            audit_end: None,
            log_end: None,
        }
    }

    /// Notes that what readers remember of a product is no longer true.
    pub(super) fn touch_patch(&mut self, uid: &str) {
        self.is_dirty = true;
        self.touched_shards.push(shard_of(uid));
    }
}

fn shard_of(uid: &str) -> usize {
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    uid.hash(&mut hasher);
    usize::try_from(hasher.finish() % (GENERATION_SHARDS as u64)).unwrap_or(0)
}
