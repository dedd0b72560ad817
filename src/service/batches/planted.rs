//! Defects that the simulation must find, compiled in for tests only.

use crate::anchor::lifecycle::Job;
use crate::service::batches::form::{NewBatch, form_in};
use crate::service::batches::{BatchError, BatchService};
use crate::storage::StoreError;
use crate::storage::batches::batch_leaves;
use crate::types::{RecordId, Timestamp};

impl BatchService {
    /// What a crash between the two must not leave behind.
    pub(super) async fn form_in_two_steps(
        &self,
        id: RecordId,
        most: usize,
        actor: String,
        now: Timestamp,
    ) -> Result<Option<u64>, BatchError> {
        let new = NewBatch { id, most, log: None, covered: Vec::new(), actor, now };
        let size = self.store.write(move |tx| form_in(tx, &new)).await?;
        self.store
            .write(move |tx| {
                for leaf in batch_leaves(tx, id, 0..size)? {
                    tx.forget_batch_waiting(leaf.record)?;
                }
                Ok::<_, StoreError>(())
            })
            .await?;
        Ok((size > 0).then_some(size))
    }

    /// Has records go the way that registrations go now.
    pub(super) async fn send_directly(
        &self,
        waiting: Vec<RecordId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store
            .write(move |tx| {
                waiting.iter().try_for_each(|record| {
                    tx.forget_batch_waiting(*record)?;
                    tx.put_job(&Job::new(*record, now))
                })
            })
            .await
    }
}
