//! What the operator committed to on chain, for everybody to watch: every transaction that carries a
//! commitment or the root of a batch, newest first.
//!
//! Nothing in it names a product or a record. Not even a page's cursor does: it is a transaction,
//! because with a record's identifier anybody may ask which product it is of.

use std::cmp::Reverse;

use crate::anchor::lifecycle::{Job, Stage};
use crate::patch::record::Purpose;
use crate::service::pending::{PendingService, PendingStatus};
use crate::storage::batches::{StoredBatch, batch, batches_before};
use crate::storage::headers::{chain_head, header};
use crate::storage::jobs::{expect_job, jobs_in_stage_before};
use crate::storage::records::record;
use crate::storage::transactions::transaction;
use crate::storage::{StageName, Store, StoreError, Tables, TransactionOrigin};
use crate::types::{BlockHash, Digest, RecordId, Timestamp, Txid};

/// The most anchors on one page.
pub const MAX_PAGE: usize = 200;
/// The most transactions that one page looks at; those that move money only are passed over.
const MAX_SCANNED: usize = 2_000;
/// The stages of what the network has taken.
const ON_NETWORK: [StageName; 3] = [StageName::Seen, StageName::Mined, StageName::Final];

/// What a transaction commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorKind {
    /// One registration.
    Registration,
    /// One transfer.
    Transfer,
    /// Many registrations, by the root of their tree.
    Batch,
}

impl AnchorKind {
    /// Returns the word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Transfer => "transfer",
            Self::Batch => "batch",
        }
    }
}

/// The block that an anchor's transaction is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchorBlock {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// The time in its header.
    pub time: Timestamp,
    /// Blocks from it to the top of the best chain, itself included.
    pub confirmations: u32,
}

/// A transaction that the network took, with what it commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// What it carries.
    pub kind: AnchorKind,
    /// What stands on chain: a record's commitment, or the root of a batch (RFC 9162).
    pub commitment: Digest,
    /// How many records that is.
    pub size: u64,
    /// The transaction.
    pub txid: Txid,
    /// The word that clients of its records are told.
    pub status: PendingStatus,
    /// Its block, once it is in one.
    pub block: Option<AnchorBlock>,
}

/// A page of anchors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorPage {
    /// The anchors, newest first.
    pub items: Vec<Anchor>,
    /// The transaction to continue after.
    pub next: Option<Txid>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum AnchorListError {
    /// The transaction to continue after is not in the list, or not any more.
    #[error("the transaction to continue after is not in the list")]
    UnknownCursor,
    /// The store does not work.
    #[error("the anchors cannot be read")]
    Store(#[from] StoreError),
}

/// Lists what was committed to.
#[derive(Clone)]
pub struct AnchorListService {
    /// The store.
    pub store: Store,
    /// Knows statuses.
    pub pending: PendingService,
}

impl AnchorListService {
    /// Returns a page of anchors, of batches alone if that is asked for. A page may have fewer than
    /// `limit` although more follow.
    ///
    /// # Errors
    ///
    /// [`AnchorListError::UnknownCursor`] if the transaction `after` left the list: the list is then
    /// to be read anew.
    pub fn list(
        &self,
        only_batches: bool,
        after: Option<Txid>,
        limit: usize,
    ) -> Result<AnchorPage, AnchorListError> {
        self.store.read(|tx| {
            let before = after.map(|txid| job_of(tx, txid)).transpose()?;
            if before == Some(None) {
                return Ok(Err(AnchorListError::UnknownCursor));
            }
            let (before, limit) = (before.flatten(), limit.clamp(1, MAX_PAGE));
            let jobs = if only_batches {
                batches_on_network(tx, before, limit + 1)?
            } else {
                jobs_on_network(tx, before, MAX_SCANNED)?
            };
            self.page(tx, &jobs, limit).map(Ok)
        })?
    }

    fn page(
        &self,
        tables: &impl Tables,
        jobs: &[Job],
        limit: usize,
    ) -> Result<AnchorPage, StoreError> {
        let (mut items, mut last) = (Vec::new(), None);
        for job in jobs {
            if items.len() == limit {
                return Ok(AnchorPage { items, next: last });
            }
            items.extend(self.anchor(tables, job)?);
            last = job.txid();
        }
        let next = last.filter(|_| jobs.len() == MAX_SCANNED);
        Ok(AnchorPage { items, next })
    }

    /// Returns what a job's transaction commits to; nothing if it moves money only.
    fn anchor(&self, tables: &impl Tables, job: &Job) -> Result<Option<Anchor>, StoreError> {
        let Some(txid) = job.txid() else { return Ok(None) };
        let top = chain_head(tables)?.map_or(0, |head| head.height);
        let (kind, commitment, size) = match (record(tables, job.id)?, batch(tables, job.id)?) {
            (_, Some(StoredBatch { root, size, .. })) => (AnchorKind::Batch, root, size),
            (Some(record), None) => (kind_of(record.purpose), record.commitment, 1),
            (None, None) => return Ok(None),
        };
        let (status, block) = (self.pending.status_of(job, top), block_of(tables, job, top)?);
        Ok(Some(Anchor { kind, commitment, size, txid, status, block }))
    }
}

const fn kind_of(purpose: Purpose) -> AnchorKind {
    match purpose {
        Purpose::RegisterPatch => AnchorKind::Registration,
        Purpose::TransferOwnership => AnchorKind::Transfer,
    }
}

fn block_of(tables: &impl Tables, job: &Job, top: u32) -> Result<Option<AnchorBlock>, StoreError> {
    let (Stage::Mined { block, height, .. } | Stage::Final { block, height, .. }) = job.stage
    else {
        return Ok(None);
    };
    let Some(stored) = header(tables, block)? else { return Ok(None) };
    let time = Timestamp::from_secs(i64::from(stored.header.time));
    let confirmations = (top + 1).saturating_sub(height);
    Ok(Some(AnchorBlock { hash: block, height, time, confirmations }))
}

/// Returns what the network has taken, newest first. Each stage has its own order, so the newest of
/// all are among the newest of each.
fn jobs_on_network(
    tables: &impl Tables,
    before: Option<RecordId>,
    limit: usize,
) -> Result<Vec<Job>, StoreError> {
    let mut jobs = Vec::new();
    for stage in ON_NETWORK {
        jobs.extend(jobs_in_stage_before(tables, stage, before, limit)?);
    }
    jobs.sort_unstable_by_key(|job| Reverse(job.id));
    jobs.truncate(limit);
    Ok(jobs)
}

/// Returns the batches that the network has taken, newest first.
fn batches_on_network(
    tables: &impl Tables,
    mut before: Option<RecordId>,
    limit: usize,
) -> Result<Vec<Job>, StoreError> {
    let mut jobs = Vec::new();
    loop {
        let batches = batches_before(tables, before, limit)?;
        for batch in &batches {
            let job = expect_job(tables, batch.id)?;
            jobs.extend(job.is_on_network().then_some(job));
        }
        before = batches.last().map(|batch| batch.id);
        if batches.len() < limit || jobs.len() >= limit {
            jobs.truncate(limit);
            return Ok(jobs);
        }
    }
}

/// Returns the job whose present transaction this is.
fn job_of(tables: &impl Tables, txid: Txid) -> Result<Option<RecordId>, StoreError> {
    let Some(stored) = transaction(tables, txid)? else { return Ok(None) };
    let id = match stored.origin {
        TransactionOrigin::Record(id)
        | TransactionOrigin::Batch(id)
        | TransactionOrigin::Treasury(id) => id,
        TransactionOrigin::External => return Ok(None),
    };
    Ok((expect_job(tables, id)?.txid() == Some(txid)).then_some(id))
}
