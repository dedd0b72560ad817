//! What a job carries to the chain: a record of custody, a batch of them, or a maintenance operation
//! of the pool. They share lifecycle, leases, signing and sending; only records move custody, and
//! those of a batch have theirs read from its job.

use crate::anchor::lifecycle::{Event, Stage};
use crate::service::anchoring::AnchoringService;
use crate::service::anchoring::apply::Applied;
use crate::storage::batches::batch;
use crate::storage::jobs::expect_job;
use crate::storage::records::record;
use crate::storage::treasury_operations::expect_treasury_operation;
use crate::storage::{StoreError, StoredBatch, StoredRecord, Tables, TreasuryOperation, WriteTx};
use crate::types::{RecordId, Timestamp};

/// What a job is about.
pub(super) enum Subject {
    /// A custody event.
    Record(Box<StoredRecord>),
    /// A maintenance operation.
    Operation(TreasuryOperation),
    /// Many registrations under one root; what becomes of them is read from the batch's job.
    Batch(StoredBatch),
}

/// Returns what a job is about.
pub(super) fn subject_of(tables: &impl Tables, id: RecordId) -> Result<Subject, StoreError> {
    if let Some(found) = record(tables, id)? {
        return Ok(Subject::Record(Box::new(found)));
    }
    match batch(tables, id)? {
        Some(found) => Ok(Subject::Batch(found)),
        None => Ok(Subject::Operation(expect_treasury_operation(tables, id)?)),
    }
}

/// Jobs of one stage, by what they are about.
#[derive(Default)]
pub(super) struct Subjects {
    pub(super) records: Vec<StoredRecord>,
    pub(super) operations: Vec<TreasuryOperation>,
    pub(super) batches: Vec<StoredBatch>,
}

impl AnchoringService {
    /// Takes back what a job holds for which nothing is signed: a record or a batch begins anew,
    /// an operation fails. Call [`Self::announce`] once it is stored.
    pub(in crate::service) fn revoke_lease_in(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecordId,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let event = match subject_of(tx, id)? {
            Subject::Record(_) | Subject::Batch(_) => Event::LeaseRevoked,
            Subject::Operation(_) => Event::PlanVoid("an operator took back its outputs".into()),
        };
        self.apply_in(tx, id, &[event], now)
    }

    /// Returns what those of the jobs are about that are at this stage.
    pub(super) fn subjects_in(
        &self,
        ids: &[RecordId],
        stage: &Stage,
    ) -> Result<Subjects, StoreError> {
        self.store.read(|tx| {
            let mut found = Subjects::default();
            for id in ids {
                if expect_job(tx, *id)?.stage != *stage {
                    continue;
                }
                match subject_of(tx, *id)? {
                    Subject::Record(it) => found.records.push(*it),
                    Subject::Operation(it) => found.operations.push(it),
                    Subject::Batch(it) => found.batches.push(it),
                }
            }
            Ok(found)
        })
    }
}
