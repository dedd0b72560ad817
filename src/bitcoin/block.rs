//! The Merkle tree over all transactions of a block: its root, and the paths cut out of it.
//!
//! A lone node is paired with itself, so [a, b, c] and [a, b, c, c] have one root (CVE-2012-2459).
//! Lists in which that could matter are refused: no block holds a transaction twice.

use std::collections::BTreeSet;

use crate::bitcoin::MerklePath;
use crate::bitcoin::merkle_tree::{Leaf, MerklePathError, Node, merkle_node};
use crate::types::{Digest, Txid};

/// Why a list of transactions has no Merkle root or path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The list is empty.
    #[error("a block has at least one transaction")]
    Empty,
    /// The wanted transaction is not in the list.
    #[error("index {index} lies outside {count} transactions")]
    OutOfRange {
        /// The place asked for.
        index: usize,
        /// The number of transactions.
        count: usize,
    },
    /// Two neighbours are equal, so that a shorter list has the same root.
    #[error("the list shares its root with a shorter one: nodes {index} and {} of level {level} are equal", index + 1)]
    Ambiguous {
        /// The level, 0 for transactions.
        level: usize,
        /// The place of the left one.
        index: usize,
    },
    /// The path could not be made.
    #[error("the list gives no path")]
    Path(#[from] MerklePathError),
}

/// Returns the Merkle root of a block's transactions in block order, bytes as hashed.
pub fn merkle_root(txids: &[Txid]) -> Result<Digest, MerkleError> {
    let mut row: Vec<[u8; 32]> = txids.iter().map(|txid| txid.to_bytes()).collect();
    let mut level = 0;
    while row.len() > 1 {
        row = row_above(&row, level)?;
        level += 1;
    }
    row.first().map(|root| Digest::from_bytes(*root)).ok_or(MerkleError::Empty)
}

/// Returns the path of the transaction at `index` of a block.
pub fn merkle_path_of(
    txids: &[Txid],
    index: usize,
    height: u32,
) -> Result<MerklePath, MerkleError> {
    combined_merkle_path(txids, &[index], height)
}

/// Returns one path for the transactions at all `indices` of a block, with no node that can be
/// computed from below.
pub fn combined_merkle_path(
    txids: &[Txid],
    indices: &[usize],
    height: u32,
) -> Result<MerklePath, MerkleError> {
    let count = txids.len();
    if let Some(index) = indices.iter().find(|index| **index >= count) {
        return Err(MerkleError::OutOfRange { index: *index, count });
    }
    let mut row: Vec<[u8; 32]> = txids.iter().map(|txid| txid.to_bytes()).collect();
    let mut known: BTreeSet<usize> = indices.iter().copied().collect();
    let proven = known.iter().map(|index| leaf(*index, Node::Txid(row[*index])));
    let mut levels: Vec<Vec<Leaf>> = vec![proven.collect()];
    while row.len() > 1 {
        let level = levels.len() - 1;
        let siblings = known.iter().map(|index| index ^ 1).filter(|index| !known.contains(index));
        levels[level].extend(siblings.map(|index| leaf(index, node_at(&row, index))));
        row = row_above(&row, level)?;
        known = known.iter().map(|index| index >> 1).collect();
        if row.len() > 1 {
            levels.push(Vec::new());
        }
    }
    Ok(MerklePath::from_levels(height, levels)?)
}

const fn leaf(index: usize, node: Node) -> Leaf {
    Leaf { offset: index as u64, node }
}

fn node_at(row: &[[u8; 32]], index: usize) -> Node {
    row.get(index).map_or(Node::Duplicate, |hash| Node::Hash(*hash))
}

/// Hashes a row in pairs, refusing equal neighbours.
fn row_above(row: &[[u8; 32]], level: usize) -> Result<Vec<[u8; 32]>, MerkleError> {
    let pairs = row.chunks(2).enumerate();
    pairs
        .map(|(place, pair)| match pair {
            [left, right] if left == right => {
                Err(MerkleError::Ambiguous { level, index: 2 * place })
            }
            [left, right] => Ok(merkle_node(left, right)),
            [lone, ..] => Ok(merkle_node(lone, lone)),
            [] => Err(MerkleError::Empty),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txids(seeds: &[u8]) -> Vec<Txid> {
        seeds.iter().map(|seed| Txid::from_bytes([*seed; 32])).collect()
    }

    #[test]
    fn a_lone_transaction_is_the_root() {
        let txids = txids(&[3]);
        assert_eq!(merkle_root(&txids), Ok(Digest::from_bytes([3; 32])));
        let path = merkle_path_of(&txids, 0, 5).unwrap();
        assert_eq!(path.compute_root(&txids[0]), Ok(Digest::from_bytes([3; 32])));
        assert_eq!((path.depth(), path.block_height()), (0, 5));
    }

    #[test]
    fn lists_that_share_a_root_with_a_shorter_one_are_refused() {
        let short = merkle_root(&txids(&[1, 2, 3])).unwrap();
        let third = merkle_node(&[3; 32], &[3; 32]);
        let left = merkle_node(&[1; 32], &[2; 32]);
        assert_eq!(short.to_bytes(), merkle_node(&left, &third));
        for (list, level, index) in [
            (&[1u8, 2, 3, 3][..], 0, 2),
            (&[1, 1], 0, 0),
            (&[1, 2, 3, 4, 5, 6, 5, 6], 1, 2),
            (&[1, 2, 3, 4, 1, 2, 3, 4], 2, 0),
        ] {
            let expected = MerkleError::Ambiguous { level, index };
            assert_eq!(merkle_root(&txids(list)), Err(expected));
            assert_eq!(merkle_path_of(&txids(list), 0, 1), Err(expected));
        }
    }

    #[test]
    fn empty_lists_and_places_outside_are_refused() {
        assert_eq!(merkle_root(&[]), Err(MerkleError::Empty));
        let outside = Err(MerkleError::OutOfRange { index: 2, count: 2 });
        assert_eq!(merkle_path_of(&txids(&[1, 2]), 2, 1), outside);
        let nothing = combined_merkle_path(&txids(&[1, 2]), &[], 1);
        assert_eq!(nothing, Err(MerkleError::Path(MerklePathError::NoLeaf)));
    }

    #[test]
    fn every_subset_of_a_small_block_has_one_path() {
        for count in 1..=9u8 {
            let txids = txids(&(0..count).collect::<Vec<_>>());
            let root = merkle_root(&txids).unwrap();
            for subset in 1..1usize << count {
                let chosen: Vec<usize> =
                    (0..txids.len()).filter(|index| subset >> index & 1 == 1).collect();
                let path = combined_merkle_path(&txids, &chosen, 1).unwrap();
                assert_eq!(path.root(), root);
                let wanted: Vec<Txid> = chosen.iter().map(|index| txids[*index]).collect();
                assert_eq!(path.txids(), wanted);
            }
        }
    }
}
