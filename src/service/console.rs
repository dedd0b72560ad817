//! What makes the console live: turns what commits changed into events, and looks at the overview
//! again while somebody listens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::service::live::{BatchMoved, ClaimMoved, Event, Feed, RecordMoved};
use crate::service::logs::{LogBuffer, LogFilter, LogLine};
use crate::service::overview::history::History;
use crate::service::overview::{Overview, OverviewService};
use crate::storage::batches::batch;
use crate::storage::claims::{ClaimId, ClaimState, claim, claims_before, shop_of_claim};
use crate::storage::imports::import;
use crate::storage::records::record;
use crate::storage::{Changes, StageName, Store, StoreChange, StoreError, Tables};
use crate::types::{ImportId, RecordId, Timestamp, Txid};

/// Numbers that change with time alone are looked at so often.
const BY_TIME: Duration = Duration::from_secs(1);
/// Looking takes at most a tenth of the time.
const REST_FACTOR: u32 = 10;
/// Claims that wait, looked up when somebody begins to listen.
const MOST_CLAIMS: usize = 1_000;

/// The most lines of the log, and bytes of them, that are told at once: of more the newest, and
/// their numbers show that some are left out.
const LINES_AT_ONCE: usize = 64;
const BYTES_AT_ONCE: usize = 64 * 1024;

/// What the console watches.
#[derive(Clone)]
pub struct ConsoleService {
    /// The store.
    pub store: Store,
    /// Tells listeners.
    pub feed: Feed,
    /// Looks at everything.
    pub overview: OverviewService,
    /// How the numbers were.
    pub history: History,
    /// The newest lines of the log.
    pub logs: LogBuffer,
}

/// What was told last; of the one task that tells.
#[derive(Debug, Default)]
pub struct Told {
    commits: u64,
    looked_at: Option<Timestamp>,
    looking_took: Duration,
    overview: Option<Arc<Overview>>,
    log: u64,
    /// Imports that moved since they were told last.
    imports: BTreeSet<ImportId>,
    /// Claims that wait, by the time at which that ends.
    waiting: BTreeSet<(Timestamp, ClaimId)>,
}

impl ConsoleService {
    /// Begins to tell: what is waited for is looked up, what was written to the log before is not told.
    pub fn begin(&self, now: Timestamp) -> Result<Told, StoreError> {
        let claims = self.store.read(|tx| claims_before(tx, None, None, MOST_CLAIMS))?;
        let waiting = claims.iter().filter(|it| it.state == ClaimState::Pending);
        let waiting = waiting.filter(|it| it.expires_at > now).map(|it| (it.expires_at, it.id));
        Ok(Told { waiting: waiting.collect(), log: self.logs.newest(), ..Told::default() })
    }

    /// Tells what commits changed.
    pub fn tell(
        &self,
        told: &mut Told,
        changes: Changes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if changes.is_lossy {
            self.feed.forget();
            return Ok(());
        }
        let events = self.store.read(|tx| {
            let mut events = Vec::with_capacity(changes.made.len());
            for change in changes.made {
                if let StoreChange::Import(id) = change {
                    told.imports.insert(id);
                }
                events.extend(event_of(tx, change, now)?);
            }
            Ok::<_, StoreError>(events)
        })?;
        for event in events {
            if let Event::Claim(moved) = &event {
                told.waiting.insert((moved.claim.expires_at, moved.claim.id));
            }
            self.feed.publish(event);
        }
        Ok(())
    }

    /// Tells of claims whose time ran out.
    pub fn tell_expired(&self, told: &mut Told, now: Timestamp) -> Result<(), StoreError> {
        while let Some((at, id)) = told.waiting.first().copied().filter(|(at, _)| *at <= now) {
            told.waiting.remove(&(at, id));
            let expired = self.store.read(|tx| claim_moved(tx, id, at))?;
            if let Some(moved) = expired.filter(|it| it.claim.state == ClaimState::Pending) {
                self.feed.publish(Event::Claim(moved));
            }
        }
        Ok(())
    }

    /// Tells how imports are that moved since the last time: one may move fifty times a second.
    pub fn tell_imports(&self, told: &mut Told) -> Result<(), StoreError> {
        for id in std::mem::take(&mut told.imports) {
            if let Some(now) = self.store.read(|tx| import(tx, id))? {
                self.feed.publish(Event::Import(now));
            }
        }
        Ok(())
    }

    /// Tells new lines of the log; those alone who are there hear them.
    pub fn tell_log(&self, told: &mut Told) {
        let (before, newest) = (told.log, self.logs.newest());
        told.log = newest;
        if newest == before || !self.feed.has_log_listeners() {
            return;
        }
        let mut lines = self.logs.lines(&LogFilter::default(), LINES_AT_ONCE);
        let mut bytes = 0;
        let is_told = |line: &&Arc<LogLine>| {
            bytes += line.text.len();
            line.number > before && bytes <= BYTES_AT_ONCE
        };
        let count = lines.iter().rev().take_while(is_told).count();
        lines.drain(..lines.len() - count);
        if let Some(last) = lines.last() {
            told.log = last.number;
            self.feed.publish(Event::Log(lines));
        }
    }

    /// Looks at the overview again if something may have changed, and tells it if something has.
    pub fn look_again(&self, told: &mut Told, now: Timestamp) -> Result<(), StoreError> {
        let commits = self.store.commit_count();
        // A clock that was set back says nothing about how long ago it was.
        let since = told.looked_at.filter(|at| *at <= now).map(|at| now.since(at));
        let is_due = since.is_none_or(|since| {
            let has_rested = since >= told.looking_took.saturating_mul(REST_FACTOR);
            has_rested && (commits != told.commits || since >= BY_TIME)
        });
        if !self.feed.has_listeners() || !is_due {
            return Ok(());
        }
        let begun = std::time::Instant::now();
        let overview = Arc::new(self.overview.look(now)?);
        told.looking_took = begun.elapsed();
        told.looked_at = Some(now);
        told.commits = commits;
        let is_news = told.overview.as_ref().is_none_or(|before| !before.says_the_same(&overview));
        if is_news {
            told.overview = Some(Arc::clone(&overview));
            self.feed.publish(Event::Overview(overview));
        }
        Ok(())
    }

    /// Keeps a sample of the numbers.
    pub fn sample(&self, now: Timestamp) -> Result<(), StoreError> {
        self.history.sample(&self.overview.look(now)?);
        Ok(())
    }
}

fn event_of(
    tables: &impl Tables,
    change: StoreChange,
    now: Timestamp,
) -> Result<Option<Event>, StoreError> {
    Ok(match change {
        StoreChange::Job { id, stage, txid } => job_moved(tables, id, stage, txid)?,
        StoreChange::Waiting(id) => job_moved(tables, id, StageName::Accepted, None)?,
        StoreChange::Claim(id) => claim_moved(tables, id, now)?.map(Event::Claim),
        StoreChange::Settings => Some(Event::Settings),
        // They are told less often than they move.
        StoreChange::Import(_) => None,
    })
}

/// Returns the event of a record or a batch; operations of the pool have none but the overview's.
fn job_moved(
    tables: &impl Tables,
    id: RecordId,
    stage: StageName,
    txid: Option<Txid>,
) -> Result<Option<Event>, StoreError> {
    if let Some(record) = record(tables, id)? {
        let uid = record.uid.into();
        return Ok(Some(Event::Record(RecordMoved { id, uid, stage, txid })));
    }
    let batch = batch(tables, id)?;
    Ok(batch.map(|batch| Event::Batch(BatchMoved { id, size: batch.size, stage, txid })))
}

fn claim_moved(
    tables: &impl Tables,
    id: ClaimId,
    at: Timestamp,
) -> Result<Option<ClaimMoved>, StoreError> {
    let Some(claim) = claim(tables, id)? else { return Ok(None) };
    let shop = shop_of_claim(tables, &claim)?;
    Ok(Some(ClaimMoved { claim, shop, at }))
}
