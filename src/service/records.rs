//! Records that need an operator: which there are, and taking them up again.

use crate::anchor::lifecycle::{Job, Stage};
use crate::patch::record::Purpose;
use crate::service::anchoring::{AnchoringService, Recovery, judge_recovery};
use crate::service::registration::Wake;
use crate::storage::batches::{batch_leaf, waiting_for_batch};
use crate::storage::jobs::{expect_job, job, jobs_in_stage};
use crate::storage::records::record;
use crate::storage::{BatchPlace, Store, StoreError, Tables};
use crate::types::{RecordId, Timestamp, Txid};

pub use crate::storage::StageName;

/// The most records on one page, and recovered in one go.
pub const MAX_RECORDS: usize = 500;

/// A record and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSummary {
    /// The record.
    pub id: RecordId,
    /// The product's tag.
    pub uid: String,
    /// What it is about.
    pub purpose: Purpose,
    /// The work on it.
    pub job: Job,
    /// Whether that can be taken up again.
    pub recovery: Recovery,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// The records, oldest first.
    pub items: Vec<RecordSummary>,
    /// The record to continue after.
    pub next: Option<RecordId>,
}

/// Which records to take up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoverySelection {
    /// This one.
    One(RecordId),
    /// All of a stage, at most [`MAX_RECORDS`].
    Stage(StageName),
}

impl RecordSummary {
    /// Returns the transaction that carries the record, or the last one that did.
    pub fn txid(&self) -> Option<Txid> {
        self.job.txid().or_else(|| self.job.dead.last().copied())
    }

    /// Says what is wrong with it.
    pub fn problem(&self) -> Option<String> {
        match &self.job.stage {
            Stage::Failed { reason } => Some(reason.clone()),
            Stage::Held { reason, .. } => {
                self.job.problem.clone().or_else(|| Some(reason.advice().to_owned()))
            }
            Stage::Accepted
            | Stage::Reserved
            | Stage::Signed { .. }
            | Stage::Seen { .. }
            | Stage::Mined { .. }
            | Stage::Final { .. } => self.job.problem.clone(),
        }
    }
}

/// Returns a page of the records of a stage, oldest first; those that wait for a batch are accepted.
pub fn list_records(
    tables: &impl Tables,
    stage: StageName,
    after: Option<RecordId>,
    limit: usize,
) -> Result<RecordPage, StoreError> {
    let most = limit.saturating_add(1);
    let mut jobs = jobs_in_stage(tables, stage, after, most)?;
    if stage == StageName::Accepted {
        for id in waiting_for_batch(tables, after, most)? {
            jobs.push(expect_job(tables, id)?);
        }
        jobs.sort_unstable_by_key(|job| job.id);
        jobs.truncate(most);
    }
    let has_more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = if has_more { jobs.last().map(|job| job.id) } else { None };
    let items = jobs.into_iter().filter_map(|job| summary(tables, job).transpose());
    Ok(RecordPage { items: items.collect::<Result<_, _>>()?, next })
}

/// Returns a job with its record; nothing if the job is not a record's. A batch is told as its first
/// record: what is done for that one is done for all.
fn summary(tables: &impl Tables, job: Job) -> Result<Option<RecordSummary>, StoreError> {
    let first = batch_leaf(tables, BatchPlace { batch: job.id, index: 0 })?;
    let job = Job { id: first.map_or(job.id, |leaf| leaf.record), ..job };
    let Some(record) = record(tables, job.id)? else { return Ok(None) };
    let recovery = judge_recovery(tables, &job)?;
    let (uid, purpose) = (record.uid.into(), record.purpose);
    Ok(Some(RecordSummary { id: job.id, uid, purpose, job, recovery }))
}

/// Lists records and takes them up again.
#[derive(Clone)]
pub struct RecordsService {
    /// The store.
    pub store: Store,
    /// Carries records to the chain.
    pub anchoring: AnchoringService,
    /// Wakes the pipeline.
    pub wake: Wake,
}

impl RecordsService {
    /// Returns a page of the records of a stage, oldest first.
    pub fn list(
        &self,
        stage: StageName,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<RecordPage, StoreError> {
        self.store.read(|tx| list_records(tx, stage, after, limit))
    }

    /// Takes up again what can be, and returns every record looked at with what was decided;
    /// nothing if the one that was named does not exist. A dry run changes nothing.
    pub async fn recover(
        &self,
        selection: RecoverySelection,
        is_dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<RecordSummary>>, StoreError> {
        let mut records = match self.store.read(|tx| select(tx, selection))? {
            Some(records) => records,
            None => return Ok(None),
        };
        if is_dry_run {
            return Ok(Some(records));
        }
        for record in &mut records {
            if record.recovery != Recovery::Possible {
                continue;
            }
            // What holds now may not have held when the list was read.
            record.recovery = self.anchoring.recover(record.id, actor, now).await?;
        }
        (self.wake)();
        Ok(Some(records))
    }
}

fn select(
    tables: &impl Tables,
    selection: RecoverySelection,
) -> Result<Option<Vec<RecordSummary>>, StoreError> {
    match selection {
        RecoverySelection::One(id) => {
            let Some(job) = job(tables, id)? else { return Ok(None) };
            Ok(summary(tables, job)?.map(|record| vec![record]))
        }
        RecoverySelection::Stage(stage) => {
            Ok(Some(list_records(tables, stage, None, MAX_RECORDS)?.items))
        }
    }
}
