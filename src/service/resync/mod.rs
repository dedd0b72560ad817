//! Asking the chain about everything that a restored store holds, before the fence falls.
//!
//! The lists of our addresses say which outputs are unspent. About every other output that counts as
//! unspent here the network is asked who spends it; the spender is believed only with its bytes, and
//! followed on to what it pays us. What is found is stored: outputs are marked spent or set aside, and
//! transactions that the backup did not know are kept as findings. One that carries the commitment of a
//! record that waits here becomes that record's transaction. Any other that commits to something, or moves
//! the custody of a product, is a conflict: the fence then waits for an operator who has read them.

mod ancestry;
mod note;
mod search;
mod standing;

use std::sync::Arc;

use serde::Serialize;

use crate::chain::{ChainError, ChainTracker, UtxoSource};
use crate::service::anchoring::AnchoringService;
use crate::service::fence::Fence;
use crate::service::funding::{FundingError, FundingService};
use crate::service::headers::TrustAnchors;
use crate::service::keys::Keyring;
use crate::storage::fence::{fence, finding_count, findings};
use crate::storage::headers::chain_head;
use crate::storage::{Store, StoreError, StoredFence, Tables, WriteTx};
use crate::types::Timestamp;

pub use standing::{JudgedFinding, Standing};

/// Who acts, in the audit trail.
pub(super) const ACTOR: &str = "resync";
/// The most findings that a status lists.
const MOST_LISTED: usize = 1_000;

/// Why a resync is not at its end.
#[derive(Debug, thiserror::Error)]
pub enum ResyncError {
    /// The network did not answer.
    #[error("the network endpoint did not answer")]
    Chain(#[from] ChainError),
    /// Our headers do not reach the network's tip yet.
    #[error("our headers end at {ours:?}, the network's at {theirs}")]
    Behind {
        /// Our height.
        ours: Option<u32>,
        /// The network's.
        theirs: u32,
    },
    /// The network would not say who spends some outputs.
    #[error("the network does not say whether {0} of our outputs are spent")]
    Unknown(usize),
    /// The pool could not be brought up to date.
    #[error("the network's lists could not be taken in")]
    Funding(#[from] FundingError),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a fence stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The chain has not been asked about everything.
    #[error("the resync with the chain is not at its end: {0}")]
    NotResynced(String),
    /// There is none.
    #[error("the store is not fenced")]
    NotFenced,
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The fence, and what the chain knew that the backup did not.
#[derive(Debug, Clone)]
pub struct RestoreStatus {
    /// The fence, if it is up.
    pub fence: Option<StoredFence>,
    /// Why it is up, and how far the resync is.
    pub reason: Option<String>,
    /// How many findings there are.
    pub found: u64,
    /// The first of them.
    pub findings: Vec<JudgedFinding>,
}

/// What a finished resync came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resynced {
    /// Transactions that the backup did not know.
    pub found: usize,
    /// Those of them that have become transactions of records.
    pub adopted: usize,
    /// Those of them for which the fence waits.
    pub conflicts: usize,
}

/// Brings a restored store to agree with the chain.
#[derive(Clone)]
pub struct ResyncService {
    /// The store.
    pub store: Store,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Asks about transactions.
    pub tracker: Arc<dyn ChainTracker>,
    /// Lists outputs.
    pub source: Arc<dyn UtxoSource>,
    /// What our chain of headers hangs on.
    pub anchors: TrustAnchors,
    /// Takes money in.
    pub funding: FundingService,
    /// Takes leases back.
    pub anchoring: AnchoringService,
    /// The fence.
    pub fence: Fence,
}

impl ResyncService {
    /// Asks the chain about everything, stores what it says, and lets the fence fall where there is no
    /// conflict.
    pub async fn round(&self, now: Timestamp) -> Result<Resynced, ResyncError> {
        let outcome = self.ask_everything(now).await;
        match &outcome {
            Err(error) => self.fence.note(format!("fenced: {error}; asked again")),
            Ok(Resynced { conflicts: 0, .. }) => self.fence.fall(),
            Ok(Resynced { conflicts, .. }) => self.fence.note(format!(
                "fenced: the chain knows {conflicts} transactions with records or products that the \
                 backup does not know; read them with `patchproof restore status`, then run \
                 `patchproof restore release`"
            )),
        }
        outcome
    }

    async fn ask_everything(&self, now: Timestamp) -> Result<Resynced, ResyncError> {
        let theirs = self.tracker.tip().await?.height;
        let ours = self.store.read(chain_head)?.map(|head| head.height);
        if ours.is_none_or(|ours| ours < theirs) {
            return Err(ResyncError::Behind { ours, theirs });
        }
        let found = self.search().await?;
        self.note_all(found, now).await?;
        self.adopt_all(now).await?;
        self.fence
            .note("fenced: the unspent outputs that the network lists are taken in".to_owned());
        self.funding.sync(ACTOR, now).await?;
        let service = self.clone();
        Ok(self.store.write(move |tx| service.finish(tx, now)).await?)
    }

    /// Says whether the store is fenced and what was found.
    pub fn status(&self) -> Result<RestoreStatus, StoreError> {
        self.store.read(|tx| {
            let listed = findings(tx, MOST_LISTED)?.into_iter();
            Ok(RestoreStatus {
                fence: fence(tx)?,
                reason: self.fence.reason(),
                found: finding_count(tx)?,
                findings: listed.map(|it| self.judge(tx, it)).collect::<Result<_, _>>()?,
            })
        })
    }

    /// Takes the fence away on the word of somebody who has read the findings.
    pub async fn release(&self, actor: &str, now: Timestamp) -> Result<(), ReleaseError> {
        let (actor, reason) = (actor.to_owned(), self.fence.reason().unwrap_or_default());
        self.store
            .write(move |tx| {
                let fence = fence(tx)?.ok_or(ReleaseError::NotFenced)?;
                if fence.resynced_at.is_none() {
                    return Err(ReleaseError::NotResynced(reason.clone()));
                }
                tx.append_audit(now, &actor, "restore.release", "fence")?;
                Ok(tx.lift_fence()?)
            })
            .await?;
        self.fence.fall();
        Ok(())
    }

    fn finish(&self, tx: &mut WriteTx<'_>, now: Timestamp) -> Result<Resynced, StoreError> {
        let all = findings(tx, usize::MAX)?;
        let mut resynced = Resynced { found: all.len(), adopted: 0, conflicts: 0 };
        for finding in all {
            match self.judge(tx, finding)?.standing {
                Standing::Adopted(_) => resynced.adopted += 1,
                Standing::Conflict(_) => resynced.conflicts += 1,
                Standing::Money | Standing::Waiting(..) => {}
            }
        }
        let Resynced { found, adopted, conflicts } = resynced;
        let subject =
            format!("{found} unknown transactions, {adopted} adopted, {conflicts} conflicts");
        tx.append_audit(now, ACTOR, "restore.resynced", &subject)?;
        match fence(tx)? {
            Some(_) if conflicts == 0 => tx.lift_fence()?,
            Some(fence) => tx.put_fence(&StoredFence { resynced_at: Some(now), ..fence })?,
            None => {}
        }
        Ok(resynced)
    }
}

/// Says whether the store is fenced, by its own row.
pub(super) fn is_fenced(tables: &impl Tables) -> Result<bool, StoreError> {
    Ok(fence(tables)?.is_some())
}
