//! What a client sees that waits for its record.

use crate::anchor::lifecycle::{Job, Stage};
use crate::patch::record::Purpose;
use crate::storage::headers::chain_head;
use crate::storage::jobs::expect_job;
use crate::storage::records::record;
use crate::storage::{Store, StoreError, StoredRecord};
use crate::types::{RecordId, Timestamp, Txid};

/// The word clients wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingStatus {
    /// Accepted; nothing is signed yet.
    Pending,
    /// Signed and on its way, or back on its way.
    Anchoring,
    /// The network has it, as deep as the operator asks for.
    Confirmed,
    /// Refused for good.
    Failed,
}

impl PendingStatus {
    /// All of them, in the order of a record's way.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Anchoring, Self::Confirmed, Self::Failed];

    /// Returns the word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Anchoring => "anchoring",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }
}

/// A record on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingView {
    /// The record.
    pub record: StoredRecord,
    /// Its job.
    pub job: Job,
    /// The word.
    pub status: PendingStatus,
    /// The transaction, once the network has taken it.
    pub txid: Option<Txid>,
    /// When it moved last.
    pub updated_at: Timestamp,
}

/// Tells how far records have come.
#[derive(Clone)]
pub struct PendingService {
    /// The store.
    pub store: Store,
    /// Confirmations from which a record counts as confirmed; 0: once the network has it.
    pub confirmed_at_depth: u32,
}

impl PendingService {
    /// Returns a record of this kind.
    pub fn find(&self, id: RecordId, purpose: Purpose) -> Result<Option<PendingView>, StoreError> {
        Ok(self.get(id)?.filter(|view| view.record.purpose == purpose))
    }

    /// Returns a record of any kind.
    pub fn get(&self, id: RecordId) -> Result<Option<PendingView>, StoreError> {
        self.store.read(|tx| {
            let Some(found) = record(tx, id)? else { return Ok(None) };
            let job = expect_job(tx, id)?;
            let top = chain_head(tx)?.map_or(0, |head| head.height);
            let status = self.status_of(&job, top);
            let txid = job.txid().filter(|_| job.is_on_network());
            let updated_at = job.stage_since;
            Ok(Some(PendingView { record: found, job, status, txid, updated_at }))
        })
    }

    /// Returns the word for a job under a best chain of this height.
    pub fn status_of(&self, job: &Job, top: u32) -> PendingStatus {
        status_of(job, top, self.confirmed_at_depth)
    }
}

/// Returns the word for a job under a best chain of this height, where a record counts as confirmed
/// from `confirmed_at_depth` confirmations.
pub fn status_of(job: &Job, top: u32, confirmed_at_depth: u32) -> PendingStatus {
    let depth = match &job.stage {
        Stage::Accepted => return PendingStatus::Pending,
        Stage::Reserved | Stage::Signed { .. } | Stage::Held { .. } => {
            return PendingStatus::Anchoring;
        }
        Stage::Failed { .. } => return PendingStatus::Failed,
        Stage::Seen { .. } => 0,
        Stage::Mined { height, .. } | Stage::Final { height, .. } => {
            (top + 1).saturating_sub(*height)
        }
    };
    if depth >= confirmed_at_depth { PendingStatus::Confirmed } else { PendingStatus::Anchoring }
}
