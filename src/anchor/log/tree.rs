//! Roots and proofs of the growing tree, made of blocks of 256, and the check of consistency.
//!
//! What is kept are the leaves and the root of every full block: of 256 leaves (height 1), of 256 of
//! those (height 2), and so on. Every proof is a list of subtrees ([RFC 9162] sections 2.1.3.1 and
//! 2.1.4.1); a subtree that is full is folded from at most 128 kept hashes, the one at the right edge
//! is split until its parts are full. So a proof of any size that the log ever had is made of what is
//! kept now.
//!
//! [RFC 9162]: https://www.rfc-editor.org/rfc/rfc9162

use std::ops::Range;

use crate::anchor::log::LogHead;
use crate::anchor::merkle::{InclusionProof, MAX_TREE_SIZE, TreeError};
use crate::crypto::sha256_parts;
use crate::types::Digest;

/// How many levels of the tree one block spans.
pub const LEVELS: u32 = 8;
/// The hashes of one full block.
pub const BLOCK: u64 = 1 << LEVELS;

/// Two heads that are not those of one log that only grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConsistencyError {
    /// A size is 0, too large, or the new one is below the old.
    #[error("the sizes are not those of a log that grew")]
    OutOfRange,
    /// The path has not exactly the hashes that the two sizes demand.
    #[error("the path has the wrong length for these sizes")]
    WrongLength,
    /// The path does not lead to the old root: what was there has been changed.
    #[error("the path leads to another root of the earlier size")]
    WrongOldRoot,
    /// The path does not lead to the new root.
    #[error("the path leads to another root of the later size")]
    WrongNewRoot,
}

/// Returns the root over the first `size` leaves.
///
/// `read` gives the hashes of a height by their places: of height 0 the leaves as
/// [`leaf_hash`](crate::anchor::merkle::leaf_hash) makes them, of the others the roots of full blocks.
/// It is asked for at most 128 at a time, or 256 where a whole block is meant.
pub fn root<E: From<TreeError>>(
    size: u64,
    mut read: impl FnMut(u8, Range<u64>) -> Result<Vec<[u8; 32]>, E>,
) -> Result<Digest, E> {
    if size == 0 {
        return Err(TreeError::Empty.into());
    }
    check_size(size)?;
    Ok(Digest::from_bytes(subtree(0..size, &mut read)?))
}

/// Returns the proof of leaf `index` in the tree over the first `size` leaves; `read` as for [`root`].
pub fn prove_inclusion<E: From<TreeError>>(
    index: u64,
    size: u64,
    mut read: impl FnMut(u8, Range<u64>) -> Result<Vec<[u8; 32]>, E>,
) -> Result<InclusionProof, E> {
    if index >= size {
        return Err(TreeError::OutOfRange { index, size }.into());
    }
    check_size(size)?;
    let path = hashes(inclusion_ranges(index, size), &mut read)?;
    Ok(InclusionProof { leaf_index: index, tree_size: size, path })
}

/// Returns the path that leads from the tree over the first `from` leaves to that over the first `to`;
/// empty where they are the same. `read` as for [`root`].
pub fn prove_consistency<E: From<TreeError>>(
    from: u64,
    to: u64,
    mut read: impl FnMut(u8, Range<u64>) -> Result<Vec<[u8; 32]>, E>,
) -> Result<Vec<Digest>, E> {
    if from == 0 {
        return Err(TreeError::Empty.into());
    }
    if from > to {
        return Err(TreeError::OutOfRange { index: from, size: to }.into());
    }
    check_size(to)?;
    hashes(consistency_ranges(from, to), &mut read)
}

/// Checks that the log with the head `new` begins with all of that with the head `old`
/// (RFC 9162 section 2.1.4.2, with exact path length).
pub fn verify_consistency(
    old: &LogHead,
    new: &LogHead,
    path: &[Digest],
) -> Result<(), ConsistencyError> {
    if old.size == 0 || old.size > new.size || new.size > MAX_TREE_SIZE {
        return Err(ConsistencyError::OutOfRange);
    }
    if old.size == new.size {
        return match (path.is_empty(), old.root == new.root) {
            (false, _) => Err(ConsistencyError::WrongLength),
            (true, false) => Err(ConsistencyError::WrongNewRoot),
            (true, true) => Ok(()),
        };
    }
    let mut rest = path.iter().map(Digest::as_bytes);
    // A full old tree is a subtree of the new one, and its root is not repeated in the path.
    let first = if old.size.is_power_of_two() { Some(old.root.as_bytes()) } else { rest.next() };
    let first = first.ok_or(ConsistencyError::WrongLength)?;
    let (mut place, mut last) = (old.size - 1, new.size - 1);
    let shift = place.trailing_ones();
    (place, last) = (place >> shift, last >> shift);
    let (mut old_root, mut new_root) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(ConsistencyError::WrongLength);
        }
        if place & 1 == 1 || place == last {
            old_root = node(sibling, &old_root);
            new_root = node(sibling, &new_root);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new_root = node(&new_root, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    match (last == 0, old_root == *old.root.as_bytes(), new_root == *new.root.as_bytes()) {
        (false, _, _) => Err(ConsistencyError::WrongLength),
        (true, false, _) => Err(ConsistencyError::WrongOldRoot),
        (true, true, false) => Err(ConsistencyError::WrongNewRoot),
        (true, true, true) => Ok(()),
    }
}

/// Folds the hashes of a full subtree, a power of two of them, into its root.
pub fn fold(mut hashes: Vec<[u8; 32]>) -> Option<[u8; 32]> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    while hashes.len() > 1 {
        hashes = hashes.chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect();
    }
    hashes.pop()
}

/// Returns the hash of an inner node.
pub fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256_parts(&[&[1], left, right])
}

fn check_size(size: u64) -> Result<(), TreeError> {
    if size > MAX_TREE_SIZE {
        return Err(TreeError::OutOfRange { index: size, size: MAX_TREE_SIZE });
    }
    Ok(())
}

fn hashes<E: From<TreeError>>(
    ranges: Vec<Range<u64>>,
    read: &mut impl FnMut(u8, Range<u64>) -> Result<Vec<[u8; 32]>, E>,
) -> Result<Vec<Digest>, E> {
    ranges.into_iter().map(|range| Ok(Digest::from_bytes(subtree(range, read)?))).collect()
}

/// Returns the root over the leaves of a range that is a subtree of an RFC 9162 tree.
fn subtree<E: From<TreeError>>(
    range: Range<u64>,
    read: &mut impl FnMut(u8, Range<u64>) -> Result<Vec<[u8; 32]>, E>,
) -> Result<[u8; 32], E> {
    let size = range.end - range.start;
    if !size.is_power_of_two() {
        let middle = range.start + split(size);
        let left = subtree(range.start..middle, read)?;
        return Ok(node(&left, &subtree(middle..range.end, read)?));
    }
    let level = size.trailing_zeros();
    let height = level / LEVELS;
    let (start, count) = (range.start >> (height * LEVELS), 1 << (level % LEVELS));
    let missing = TreeError::OutOfRange { index: range.start, size: range.end };
    let kept = read(u8::try_from(height).map_err(|_| missing)?, start..start + count)?;
    if kept.len() as u64 != count {
        return Err(missing.into());
    }
    Ok(fold(kept).ok_or(missing)?)
}

/// Returns where a tree of `size` leaves, more than one, is split: the largest power of two below.
const fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

fn inclusion_ranges(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

fn consistency_ranges(from: u64, to: u64) -> Vec<Range<u64>> {
    let (mut start, mut end) = (0, to);
    let mut ranges = Vec::new();
    while end > from {
        let middle = start + split(end - start);
        if from <= middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    // Whoever checks has the root of the old tree; any other last subtree must be given.
    if start > 0 {
        ranges.push(start..end);
    }
    ranges.reverse();
    ranges
}

#[cfg(test)]
mod tests;
