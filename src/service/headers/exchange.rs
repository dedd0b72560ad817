//! Headers out of the store into a file, and back: where an endpoint is slow, a file is quick.
//!
//! Taking in checks what following does, and that the file hangs together with our own chain.

use crate::bitcoin::{BlockHeader, HeaderFile, HeaderFileError};
use crate::service::headers::{Advance, FollowError, TrustAnchors};
use crate::storage::headers::{best_header_at, chain_head, header, lowest_header};
use crate::storage::{Store, StoreError, Tables};

/// Headers stored in one transaction.
const BATCH: usize = 2_000;

/// A file whose headers were not taken in, or not all of them: what was taken in is in order.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("this is no file of headers")]
    File(#[from] HeaderFileError),
    /// Nothing in it meets our chain.
    #[error(
        "the file's headers do not meet our chain, which reaches from height {lowest} to {tip}"
    )]
    Apart {
        /// Our lowest height.
        lowest: u32,
        /// Our highest height.
        tip: u32,
    },
    /// A header is not valid.
    #[error("a header of the file was not taken in")]
    Header(#[from] FollowError),
    /// The store does not work.
    #[error("the headers could not be stored")]
    Store(#[from] StoreError),
}

/// What a file brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Headers in the file.
    pub read: usize,
    /// Headers that were new below our lowest one.
    pub below: usize,
    /// Headers that were new elsewhere.
    pub above: usize,
    /// The lowest height at which the best chain changed, where it did.
    pub changed_from: Option<u32>,
}

/// Returns the best chain's headers from `first`, or the lowest, to the tip; nothing if there are none.
pub fn export_headers(
    tables: &impl Tables,
    first: Option<u32>,
) -> Result<Option<HeaderFile>, StoreError> {
    let (Some(lowest), Some(tip)) = (lowest_header(tables)?, chain_head(tables)?) else {
        return Ok(None);
    };
    let first_height = first.unwrap_or(0).max(lowest.height);
    let mut headers = Vec::new();
    for height in first_height..=tip.height {
        let stored = best_header_at(tables, height)?;
        headers.push(stored.ok_or(StoreError::Missing { entity: "header" })?.header);
    }
    Ok((!headers.is_empty()).then_some(HeaderFile { first_height, headers }))
}

/// Takes in the headers of a file: those below our lowest one, and branches above it.
pub async fn import_headers(
    store: &Store,
    anchors: &TrustAnchors,
    bytes: &[u8],
) -> Result<Imported, ImportError> {
    let file = HeaderFile::parse(bytes)?;
    let plan = store.read(|tx| plan(tx, &file))?;
    let mut imported =
        Imported { read: file.headers.len(), below: plan.below.len(), ..Imported::default() };
    // The topmost first: each builds the bridge for the next.
    for chunk in plan.below.rchunks(BATCH) {
        let (anchors, chunk) = (anchors.clone(), chunk.to_vec());
        store.write(move |tx| anchors.take_below(tx, &chunk)).await?;
    }
    let mut height = plan.first_above;
    for chunk in plan.above.chunks(BATCH) {
        let (anchors, chunk, first) = (anchors.clone(), chunk.to_vec(), height);
        height = height.saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        imported.above += chunk.len();
        let taken = store.write(move |tx| anchors.take_branch(tx, &chunk, first)).await?;
        if let Advance::Changed { lowest, .. } = taken.into_advance()? {
            imported.changed_from = Some(imported.changed_from.map_or(lowest, |at| at.min(lowest)));
        }
    }
    Ok(imported)
}

/// Which headers of a file are new, and where.
struct Plan {
    /// Those below our lowest header.
    below: Vec<BlockHeader>,
    /// Those that build on a stored one, or begin the chain.
    above: Vec<BlockHeader>,
    first_above: u32,
}

fn plan(tables: &impl Tables, file: &HeaderFile) -> Result<Plan, ImportError> {
    let headers = &file.headers;
    let (lowest, tip) = (lowest_header(tables)?, chain_head(tables)?);
    let (Some(lowest), Some(tip)) = (lowest, tip) else {
        let above = headers.clone();
        return Ok(Plan { below: Vec::new(), above, first_above: file.first_height });
    };
    let reach = lowest.height.saturating_sub(file.first_height);
    let count = headers.len().min(usize::try_from(reach).unwrap_or(usize::MAX));
    let (below, rest) = headers.split_at(count);
    // The rest builds on what lies below and will be stored by then.
    let meets = match (below.last(), rest.first()) {
        (Some(last), _) => last.hash() == lowest.header.previous,
        (None, Some(first)) => {
            header(tables, first.previous)?.is_some() || header(tables, first.hash())?.is_some()
        }
        (None, None) => false,
    };
    if !meets {
        return Err(ImportError::Apart { lowest: lowest.height, tip: tip.height });
    }
    // What is stored already needs no second look.
    let mut known = 0;
    while let Some(next) = rest.get(known) {
        if header(tables, next.hash())?.is_none() {
            break;
        }
        known += 1;
    }
    let skipped = u32::try_from(count + known).unwrap_or(u32::MAX);
    Ok(Plan {
        below: below.to_vec(),
        above: rest[known..].to_vec(),
        first_above: file.first_height.saturating_add(skipped),
    })
}
