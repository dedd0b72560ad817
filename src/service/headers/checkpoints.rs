//! Checkpoints that operators add and remove while the product runs, or between runs.

use crate::service::headers::{ChainTrust, TrustAnchors};
use crate::service::once::Keep;
use crate::storage::{Store, StoreError};
use crate::types::{Checkpoint, Timestamp};

impl TrustAnchors {
    /// Stores that an operator vouches for a block, in place of another at its height, and returns
    /// what the chain hangs on then.
    pub async fn vouch(
        &self,
        store: &Store,
        checkpoint: Checkpoint,
        actor: &str,
        keep: Keep<ChainTrust>,
        now: Timestamp,
    ) -> Result<ChainTrust, StoreError> {
        let (anchors, actor) = (self.clone(), actor.to_owned());
        store
            .write(move |tx| {
                tx.put_checkpoint(checkpoint)?;
                tx.append_audit(now, &actor, "checkpoint.add", &checkpoint.to_string())?;
                let trust = anchors.judge(tx)?;
                keep.put(tx, &trust)?;
                Ok(trust)
            })
            .await
    }

    /// Removes a stored checkpoint, and returns what the chain hangs on then; nothing if there is none
    /// at this height.
    pub async fn disown(
        &self,
        store: &Store,
        height: u32,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<ChainTrust>, StoreError> {
        let (anchors, actor) = (self.clone(), actor.to_owned());
        store
            .write(move |tx| {
                if !tx.remove_checkpoint(height)? {
                    return Ok(None);
                }
                tx.append_audit(now, &actor, "checkpoint.remove", &height.to_string())?;
                anchors.judge(tx).map(Some)
            })
            .await
    }
}
