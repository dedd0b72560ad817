//! Jobs: how far each record has come, and which are due.

use redb::ReadableTable;

use crate::anchor::lifecycle::{Job, Stage};
use crate::storage::batches::{job_of_batch, waits_for_batch};
use crate::storage::codec::{decode, encode};
use crate::storage::records::record;
use crate::storage::{StoreChange, StoreError, Tables, WriteTx};
use crate::types::{RecordId, Timestamp};

/// The stages as names and index keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StageName {
    /// See [`Stage::Accepted`].
    Accepted,
    /// See [`Stage::Reserved`].
    Reserved,
    /// See [`Stage::Signed`].
    Signed,
    /// See [`Stage::Seen`].
    Seen,
    /// See [`Stage::Mined`].
    Mined,
    /// See [`Stage::Final`].
    Final,
    /// See [`Stage::Held`].
    Held,
    /// See [`Stage::Failed`].
    Failed,
}

impl StageName {
    /// All of them, in the order of a record's way.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Reserved,
        Self::Signed,
        Self::Seen,
        Self::Mined,
        Self::Final,
        Self::Held,
        Self::Failed,
    ];

    /// Returns the name of a stage.
    pub const fn of(stage: &Stage) -> Self {
        match stage {
            Stage::Accepted => Self::Accepted,
            Stage::Reserved => Self::Reserved,
            Stage::Signed { .. } => Self::Signed,
            Stage::Seen { .. } => Self::Seen,
            Stage::Mined { .. } => Self::Mined,
            Stage::Final { .. } => Self::Final,
            Stage::Held { .. } => Self::Held,
            Stage::Failed { .. } => Self::Failed,
        }
    }

    /// Returns the name used in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Reserved => "reserved",
            Self::Signed => "signed",
            Self::Seen => "seen",
            Self::Mined => "mined",
            Self::Final => "final",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }

    /// Returns the number used in index keys.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Reserved => 1,
            Self::Signed => 2,
            Self::Seen => 3,
            Self::Mined => 4,
            Self::Final => 5,
            Self::Held => 6,
            Self::Failed => 7,
        }
    }
}

/// Returns the height under which a job's transaction is indexed.
pub(super) const fn height_of(stage: &Stage) -> Option<u32> {
    match stage {
        Stage::Mined { height, .. } | Stage::Final { height, .. } => Some(*height),
        Stage::Accepted
        | Stage::Reserved
        | Stage::Signed { .. }
        | Stage::Seen { .. }
        | Stage::Held { .. }
        | Stage::Failed { .. } => None,
    }
}

impl WriteTx<'_> {
    /// Stores a job and its indexes.
    pub fn put_job(&mut self, job: &Job) -> Result<(), StoreError> {
        self.is_dirty = true;
        let id = job.id.to_bytes();
        let before = self
            .tables
            .jobs
            .insert(id, encode(job).as_slice())?
            .map(|bytes| decode::<Job>(bytes.value(), "job"))
            .transpose()?;
        let told = |job: &Job| (StageName::of(&job.stage), job.txid());
        if before.as_ref().map(told) != Some(told(job)) {
            let (stage, txid) = told(job);
            self.changes.push(StoreChange::Job { id: job.id, stage, txid });
        }
        self.reindex_due(before.as_ref(), job)?;
        self.reindex_stage(before.as_ref(), job)
    }

    fn reindex_due(&mut self, before: Option<&Job>, job: &Job) -> Result<(), StoreError> {
        let old = before.and_then(|job| job.due);
        if old == job.due {
            return Ok(());
        }
        let id = job.id.to_bytes();
        if let Some(old) = old {
            self.tables.jobs_by_due.remove((old.as_millis(), id))?;
        }
        if let Some(due) = job.due {
            self.tables.jobs_by_due.insert((due.as_millis(), id), ())?;
        }
        Ok(())
    }

    fn reindex_stage(&mut self, before: Option<&Job>, job: &Job) -> Result<(), StoreError> {
        let id = job.id.to_bytes();
        let new = StageName::of(&job.stage);
        let old = before.map(|before| StageName::of(&before.stage));
        if old != Some(new) {
            if let Some(old) = old {
                self.tables.jobs_by_stage.remove((old.code(), id))?;
                self.count(old, |count| count.saturating_sub(1))?;
            }
            self.tables.jobs_by_stage.insert((new.code(), id), ())?;
            self.count(new, |count| count + 1)?;
        }
        let old_height = before.and_then(|before| height_of(&before.stage));
        let new_height = height_of(&job.stage);
        if old_height != new_height {
            if let Some(height) = old_height {
                self.tables.jobs_by_height.remove((height, id))?;
            }
            if let Some(height) = new_height {
                self.tables.jobs_by_height.insert((height, id), ())?;
            }
        }
        Ok(())
    }

    fn count(
        &mut self,
        stage: StageName,
        change: impl FnOnce(u64) -> u64,
    ) -> Result<(), StoreError> {
        let count = self.tables.job_totals.get(stage.code())?.map_or(0, |count| count.value());
        self.tables.job_totals.insert(stage.code(), change(count))?;
        Ok(())
    }
}

/// Returns a job. That of a record in a batch is the batch's, under the record's own name; a record
/// that waits for a batch rests accepted. Neither is stored under that name, nor ever due.
pub fn job(tables: &impl Tables, id: RecordId) -> Result<Option<Job>, StoreError> {
    if let Some(bytes) = tables.jobs().get(id.to_bytes())? {
        return decode(bytes.value(), "job").map(Some);
    }
    let carried = match job_of_batch(tables, id)? {
        Some(job) => Job { id, due: None, ..job },
        None if waits_for_batch(tables, id)? => {
            Job { due: None, ..Job::new(id, Timestamp::from_millis(0)) }
        }
        None => return Ok(None),
    };
    let Some(found) = record(tables, id)? else { return Ok(None) };
    let is_new = carried.stage == Stage::Accepted;
    let stage_since = if is_new { found.accepted_at } else { carried.stage_since };
    Ok(Some(Job { accepted_at: found.accepted_at, stage_since, ..carried }))
}

/// Returns a job that must exist.
pub fn expect_job(tables: &impl Tables, id: RecordId) -> Result<Job, StoreError> {
    job(tables, id)?.ok_or(StoreError::Missing { entity: "job" })
}

/// Returns jobs that are due at `now`, longest due first, at most `limit`.
pub fn due_jobs(
    tables: &impl Tables,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<RecordId>, StoreError> {
    tables
        .jobs_by_due()
        .range(..=(now.as_millis(), [0xffu8; 16]))?
        .take(limit)
        .map(|row| Ok(RecordId::from_bytes(row?.0.value().1)))
        .collect()
}

/// Returns jobs that are due later than `after`, at most `limit`.
pub fn jobs_due_after(
    tables: &impl Tables,
    after: Timestamp,
    limit: usize,
) -> Result<Vec<RecordId>, StoreError> {
    let start = std::ops::Bound::Excluded((after.as_millis(), [0xffu8; 16]));
    tables
        .jobs_by_due()
        .range((start, std::ops::Bound::Unbounded))?
        .take(limit)
        .map(|row| Ok(RecordId::from_bytes(row?.0.value().1)))
        .collect()
}

/// Returns when the next job is due, if any is.
pub fn next_due(tables: &impl Tables) -> Result<Option<Timestamp>, StoreError> {
    let first = tables.jobs_by_due().first()?;
    Ok(first.map(|(key, _)| Timestamp::from_millis(key.value().0)))
}

/// Returns jobs of one stage in the order of their records, at most `limit`, after `after`.
pub fn jobs_in_stage(
    tables: &impl Tables,
    stage: StageName,
    after: Option<RecordId>,
    limit: usize,
) -> Result<Vec<Job>, StoreError> {
    let code = stage.code();
    let start = after.map_or(std::ops::Bound::Included((code, [0u8; 16])), |after| {
        std::ops::Bound::Excluded((code, after.to_bytes()))
    });
    let end = std::ops::Bound::Included((code, [0xffu8; 16]));
    tables
        .jobs_by_stage()
        .range((start, end))?
        .take(limit)
        .map(|row| expect_job(tables, RecordId::from_bytes(row?.0.value().1)))
        .collect()
}

/// Returns jobs of one stage, newest record first, at most `limit`, before `before`.
pub fn jobs_in_stage_before(
    tables: &impl Tables,
    stage: StageName,
    before: Option<RecordId>,
    limit: usize,
) -> Result<Vec<Job>, StoreError> {
    let code = stage.code();
    let end = before.map_or([0xff; 16], RecordId::to_bytes);
    tables
        .jobs_by_stage()
        .range((code, [0u8; 16])..(code, end))?
        .rev()
        .take(limit)
        .map(|row| expect_job(tables, RecordId::from_bytes(row?.0.value().1)))
        .collect()
}

/// Returns the jobs whose transactions lie in blocks of these heights.
pub fn jobs_at_heights(
    tables: &impl Tables,
    heights: std::ops::RangeInclusive<u32>,
) -> Result<Vec<Job>, StoreError> {
    if heights.is_empty() {
        return Ok(Vec::new());
    }
    let range = (*heights.start(), [0u8; 16])..=(*heights.end(), [0xffu8; 16]);
    tables
        .jobs_by_height()
        .range(range)?
        .map(|row| expect_job(tables, RecordId::from_bytes(row?.0.value().1)))
        .collect()
}

/// Returns how many jobs each stage has, without counting them anew.
pub fn job_totals(tables: &impl Tables) -> Result<Vec<(StageName, u64)>, StoreError> {
    StageName::ALL
        .into_iter()
        .map(|stage| {
            let count = tables.job_totals().get(stage.code())?;
            Ok((stage, count.map_or(0, |count| count.value())))
        })
        .collect()
}
