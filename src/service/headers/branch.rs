//! Taking headers into the store: work, links and the fall of work are checked here, for headers
//! that were fetched and for headers out of a file alike.

use crate::bitcoin::{BlockHeader, DIFFICULTY_WINDOW, HeaderError, Work, WorkWindow};
use crate::service::headers::anchors::Approval;
use crate::service::headers::{Advance, FollowError, TrustAnchors};
use crate::storage::headers::{best_header_at, change_to, header, lowest_header};
use crate::storage::{StoreError, StoredHeader, Tables, WriteTx};

/// What came of a branch that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It became the best one, or did not for want of work.
    Advance(Advance),
    /// It has more work and is not believed: it has another block than the one that is vouched for.
    Refused {
        /// That block's height.
        height: u32,
    },
}

impl Taken {
    pub(super) const fn into_advance(self) -> Result<Advance, FollowError> {
        match self {
            Self::Advance(advance) => Ok(advance),
            Self::Refused { height } => Err(FollowError::Contradicted(height)),
        }
    }
}

impl TrustAnchors {
    fn own_work(&self, header: &BlockHeader, height: u32) -> Result<Work, FollowError> {
        header.check_work(self.profile).map_err(|source| FollowError::Header { height, source })
    }

    /// Stores headers that build on one that is stored, or begin the chain, and makes them the best
    /// chain if they are.
    pub(super) fn take_branch(
        &self,
        tx: &mut WriteTx<'_>,
        headers: &[BlockHeader],
        first: u32,
    ) -> Result<Taken, FollowError> {
        let unchanged = Taken::Advance(Advance::Unchanged);
        let Some(lowest) = headers.first() else { return Ok(unchanged) };
        let mut below = header(tx, lowest.previous)?;
        match &below {
            Some(below) if below.height.checked_add(1) == Some(first) => {}
            None if lowest_header(tx)?.is_none() => {
                self.refuse_contradiction(tx, headers, first)?
            }
            Some(_) | None => return Err(FollowError::Disconnected(first)),
        }
        let mut window = self.window_below(tx, below.as_ref())?;
        for (height, at) in (first..).zip(headers) {
            if below.as_ref().is_some_and(|below| below.header.hash() != at.previous) {
                return Err(FollowError::Disconnected(height));
            }
            let own = self.own_work(at, height)?;
            if self.bounds_work_at(height) && !window.allows(own) {
                let source = HeaderError::WorkDropped;
                return Err(FollowError::Header { height, source });
            }
            window.push(own);
            let stored = match header(tx, at.hash())? {
                Some(known) => known,
                None => {
                    let beginning =
                        if first == 0 { Work::default() } else { Work::UNKNOWN_BEGINNING };
                    let before = below.as_ref().map_or(beginning, |below| below.chain_work);
                    let chain_work = before.plus(own);
                    let new = StoredHeader { header: *at, height, chain_work };
                    tx.put_header(&new)?;
                    new
                }
            };
            below = Some(stored);
        }
        below.map_or(Ok(unchanged), |tip| self.consider(tx, &tip))
    }

    /// Makes the branch that ends in a stored header the best chain if it is.
    pub(super) fn consider(
        &self,
        tx: &mut WriteTx<'_>,
        tip: &StoredHeader,
    ) -> Result<Taken, FollowError> {
        let unchanged = Taken::Advance(Advance::Unchanged);
        let hash = tip.header.hash();
        let change = change_to(tx, hash)?;
        let Some(lowest) = change.lowest() else { return Ok(unchanged) };
        match self.approve(tx, &change, tip.chain_work)? {
            Approval::Worse => Ok(unchanged),
            Approval::Refused { height } => Ok(Taken::Refused { height }),
            Approval::Better => {
                tx.set_best_chain(hash)?;
                let depth = change.depth();
                Ok(Taken::Advance(Advance::Changed { lowest, tip: tip.height, depth }))
            }
        }
    }

    /// Puts headers below the lowest one of the best chain, which must build on the last of them.
    pub(super) fn take_below(
        &self,
        tx: &mut WriteTx<'_>,
        headers: &[BlockHeader],
    ) -> Result<(), FollowError> {
        let Some(lowest) = lowest_header(tx)? else { return Err(FollowError::Disconnected(0)) };
        let mut above = lowest;
        for header in headers.iter().rev() {
            let too_low = FollowError::Disconnected(above.height);
            let Some(height) = above.height.checked_sub(1) else { return Err(too_low) };
            if above.header.previous != header.hash() {
                return Err(too_low);
            }
            self.own_work(header, height)?;
            let own_above = self.own_work(&above.header, above.height)?;
            let chain_work = above.chain_work.without(own_above);
            let corrupt = FollowError::Store(StoreError::Corrupt { entity: "header" });
            let chain_work = chain_work.ok_or(corrupt)?;
            above = StoredHeader { header: *header, height, chain_work };
            tx.put_header_below(&above)?;
        }
        self.check_window_above(tx, above.height, lowest.height)
    }

    /// Compares the work of headers whose whole window has come to be known with it.
    fn check_window_above(
        &self,
        tables: &impl Tables,
        lowest: u32,
        known_before: u32,
    ) -> Result<(), FollowError> {
        let window_size = u32::try_from(DIFFICULTY_WINDOW).unwrap_or(u32::MAX);
        let mut window = WorkWindow::default();
        for height in lowest..known_before.saturating_add(window_size) {
            let Some(stored) = best_header_at(tables, height)? else { break };
            let own = self.own_work(&stored.header, height)?;
            if self.bounds_work_at(height) && !window.allows(own) {
                let source = HeaderError::WorkDropped;
                return Err(FollowError::Header { height, source });
            }
            window.push(own);
        }
        Ok(())
    }

    /// Collects the work of the headers that end in `below`.
    fn window_below(
        &self,
        tables: &impl Tables,
        below: Option<&StoredHeader>,
    ) -> Result<WorkWindow, FollowError> {
        let mut works = Vec::with_capacity(DIFFICULTY_WINDOW);
        let mut at = below.copied();
        while let Some(stored) = at.filter(|_| works.len() < DIFFICULTY_WINDOW) {
            works.push(self.own_work(&stored.header, stored.height)?);
            at = header(tables, stored.header.previous)?;
        }
        let mut window = WorkWindow::default();
        works.into_iter().rev().for_each(|work| window.push(work));
        Ok(window)
    }
}
