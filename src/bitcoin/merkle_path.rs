//! Merkle paths in the form of BRC-74 (BUMP): the proof that transactions are in a block.
//!
//! Every [`MerklePath`] is whole: it was climbed to its one root when it was made, so that leaves
//! that disagree, hashes that are missing and nodes that belong nowhere never get past the reader.
//! What a path cannot tell is whether the block exists; the caller compares the root with a header.

use std::collections::{BTreeMap, BTreeSet};

use crate::bitcoin::Transaction;
use crate::bitcoin::codec::{Reader, write_varint};
use crate::bitcoin::merkle_tree::{
    Leaf, MerklePathError, Node, Place, Tree, check_leaf_size, check_tree_height, climb,
};
use crate::crypto::sha256d;
use crate::types::{Digest, Txid};

/// Offset, flags and nothing else: a duplicate.
const LEAST_LEAF_SIZE: usize = 2;

/// A BUMP (BRC-74): the nodes that lead from transactions of one block to its Merkle root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerklePath {
    block_height: u32,
    levels: Vec<Vec<Leaf>>,
    root: [u8; 32],
    depth: usize,
}

impl MerklePath {
    /// Reads a whole path; left-over bytes are an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, MerklePathError> {
        let mut reader = Reader::new(bytes);
        let path = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(path)
    }

    /// Reads a path off the front of `reader`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, MerklePathError> {
        let height = reader.varint()?;
        let block_height =
            u32::try_from(height).map_err(|_| MerklePathError::BlockHeight(height))?;
        let tree_height = usize::from(reader.u8()?);
        // Checked before reading on: hostile counts must not cost work.
        check_tree_height(tree_height)?;
        let levels = (0..tree_height)
            .map(|level| {
                let count = reader.count(LEAST_LEAF_SIZE)?;
                (0..count).map(|_| read_leaf(reader, level)).collect()
            })
            .collect::<Result<_, MerklePathError>>()?;
        Self::from_levels(block_height, levels)
    }

    /// Makes a path of its levels, refusing whatever does not lead to one root.
    pub(super) fn from_levels(
        block_height: u32,
        mut levels: Vec<Vec<Leaf>>,
    ) -> Result<Self, MerklePathError> {
        check_tree_height(levels.len())?;
        for (level, leaves) in levels.iter_mut().enumerate() {
            leaves.sort_unstable_by_key(|leaf| leaf.offset);
            if let Some(pair) = leaves.windows(2).find(|pair| pair[0].offset == pair[1].offset) {
                return Err(MerklePathError::RepeatedOffset(Place {
                    level,
                    offset: pair[0].offset,
                }));
            }
        }
        if levels.first().is_none_or(Vec::is_empty) {
            return Err(MerklePathError::NoLeaf);
        }
        let tree = climb(&levels)?;
        Ok(Self { block_height, levels, root: tree.root, depth: tree.levels.len() })
    }

    /// Returns the path as bytes; the leaves of a level stand in the order of their offsets.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 34 * self.levels.len());
        write_varint(&mut out, u64::from(self.block_height));
        out.push(u8::try_from(self.levels.len()).expect("a tree has at most 32 levels"));
        for leaves in &self.levels {
            write_varint(&mut out, leaves.len() as u64);
            for leaf in leaves {
                write_varint(&mut out, leaf.offset);
                let (flags, hash) = match &leaf.node {
                    Node::Hash(hash) => (0, &hash[..]),
                    Node::Duplicate => (1, &[][..]),
                    Node::Txid(hash) => (2, &hash[..]),
                };
                out.push(flags);
                out.extend_from_slice(hash);
            }
        }
        out
    }

    /// Returns the height of the block that the path says it belongs to.
    pub const fn block_height(&self) -> u32 {
        self.block_height
    }

    /// Returns the root that all leaves lead to, bytes as hashed.
    pub const fn root(&self) -> Digest {
        Digest::from_bytes(self.root)
    }

    /// Returns how many levels lie between the transactions and the root. All paths of one block
    /// agree: a deeper one pretends that a transaction is an inner node.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the root that the path gives for `txid`, bytes as hashed.
    pub fn compute_root(&self, txid: &Txid) -> Result<Digest, MerklePathError> {
        if self.contains(txid) { Ok(self.root()) } else { Err(MerklePathError::UnknownTxid(*txid)) }
    }

    /// Returns the root that the path gives for a whole transaction, refusing the sizes that
    /// [`check_leaf_size`] refuses.
    pub fn compute_root_of(&self, transaction: &Transaction) -> Result<Digest, MerklePathError> {
        let bytes = transaction.to_bytes();
        check_leaf_size(bytes.len())?;
        self.compute_root(&Txid::from_bytes(sha256d(&bytes)))
    }

    /// Returns the transactions that the path was made for.
    pub fn txids(&self) -> Vec<Txid> {
        let flagged = |leaf: &Leaf| match leaf.node {
            Node::Txid(hash) => Some(Txid::from_bytes(hash)),
            Node::Hash(_) | Node::Duplicate => None,
        };
        self.levels[0].iter().filter_map(flagged).collect()
    }

    /// Says whether `txid` is a leaf of the path, made for it or not.
    pub fn contains(&self, txid: &Txid) -> bool {
        self.offset_of(txid).is_some()
    }

    /// Returns the place of `txid` in its block, if the path knows it.
    pub fn offset_of(&self, txid: &Txid) -> Option<u64> {
        let is_it = |leaf: &&Leaf| leaf.hash() == Some(txid.as_bytes());
        self.levels[0].iter().find(is_it).map(|leaf| leaf.offset)
    }

    /// Joins two paths of one block into one that proves what both prove, without the nodes that
    /// can be computed.
    pub fn combine(&self, other: &Self) -> Result<Self, MerklePathError> {
        if self.block_height != other.block_height || self.root != other.root {
            return Err(MerklePathError::DifferentBlocks);
        }
        let mut levels: Vec<BTreeMap<u64, Node>> =
            vec![BTreeMap::new(); self.levels.len().max(other.levels.len())];
        for path in [self, other] {
            for (leaves, joined) in path.levels.iter().zip(&mut levels) {
                for leaf in leaves {
                    let place = joined.entry(leaf.offset).or_insert(leaf.node);
                    if matches!(leaf.node, Node::Txid(_)) {
                        *place = leaf.node;
                    }
                }
            }
        }
        let bottom: Vec<u64> = levels[0].keys().copied().collect();
        for (level, nodes) in levels.iter_mut().enumerate().skip(1) {
            let computed: BTreeSet<u64> = bottom.iter().map(|offset| offset >> level).collect();
            nodes.retain(|offset, _| !computed.contains(offset));
        }
        let to_leaves = |nodes: BTreeMap<u64, Node>| {
            nodes.into_iter().map(|(offset, node)| Leaf { offset, node }).collect()
        };
        Self::from_levels(self.block_height, levels.into_iter().map(to_leaves).collect())
    }

    /// Returns the levels as they are given, lowest first.
    pub(super) fn levels(&self) -> &[Vec<Leaf>] {
        &self.levels
    }

    /// Returns all nodes that are given or follow, lowest level first.
    pub(super) fn tree(&self) -> Result<Tree, MerklePathError> {
        climb(&self.levels)
    }
}

fn read_leaf(reader: &mut Reader<'_>, level: usize) -> Result<Leaf, MerklePathError> {
    let offset = reader.varint()?;
    let node = match (reader.u8()?, level) {
        (0, _) => Node::Hash(reader.array()?),
        (1, _) => Node::Duplicate,
        (2, 0) => Node::Txid(reader.array()?),
        _ => return Err(MerklePathError::Flags(Place { level, offset })),
    };
    Ok(Leaf { offset, node })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::{combined_merkle_path, merkle_path_of, merkle_root};

    fn txids(count: u8) -> Vec<Txid> {
        (0..count).map(|seed| Txid::from_bytes([seed; 32])).collect()
    }

    const fn given(offset: u64, seed: u8) -> Leaf {
        Leaf { offset, node: Node::Hash([seed; 32]) }
    }

    const fn duplicate(offset: u64) -> Leaf {
        Leaf { offset, node: Node::Duplicate }
    }

    fn refusal(levels: Vec<Vec<Leaf>>) -> MerklePathError {
        MerklePath::from_levels(1, levels).unwrap_err()
    }

    const fn at(level: usize, offset: u64) -> Place {
        Place { level, offset }
    }

    #[test]
    fn joining_the_paths_of_a_block_gives_its_compound_path() {
        for count in 2..=20 {
            let txids = txids(count);
            let path = |index| merkle_path_of(&txids, index, 3).unwrap();
            let joined = (1..txids.len())
                .fold(path(0), |joined, index| joined.combine(&path(index)).unwrap());
            let every: Vec<usize> = (0..txids.len()).collect();
            assert_eq!(joined, combined_merkle_path(&txids, &every, 3).unwrap());
            assert_eq!(joined.combine(&path(1)), Ok(joined));
        }
    }

    #[test]
    fn paths_of_different_blocks_are_not_joined() {
        let path = merkle_path_of(&txids(5), 1, 3).unwrap();
        for other in
            [merkle_path_of(&txids(5), 2, 4).unwrap(), merkle_path_of(&txids(6), 2, 3).unwrap()]
        {
            assert_eq!(path.combine(&other), Err(MerklePathError::DifferentBlocks));
        }
    }

    #[test]
    fn a_lone_level_with_all_leaves_climbs_to_the_root() {
        let leaves = (0..4).map(|seed| given(u64::from(seed), seed)).collect();
        let path = MerklePath::from_levels(1, vec![leaves]).unwrap();
        assert_eq!(path.root(), merkle_root(&txids(4)).unwrap());
        assert_eq!(path.depth(), 2);
        let cut = merkle_path_of(&txids(4), 3, 1).unwrap();
        assert_eq!(path.combine(&cut).unwrap().txids(), [Txid::from_bytes([3; 32])]);
    }

    #[test]
    fn nodes_that_lead_nowhere_are_refused() {
        use MerklePathError as E;
        assert_eq!(refusal(vec![]), E::TreeHeight(0));
        assert_eq!(refusal(vec![vec![given(0, 1)]; 33]), E::TreeHeight(33));
        assert_eq!(refusal(vec![vec![]]), E::NoLeaf);
        assert_eq!(refusal(vec![vec![given(1, 1)]]), E::MissingHash(at(0, 0)));
        assert_eq!(refusal(vec![vec![given(0, 1)], vec![]]), E::MissingHash(at(0, 1)));
        assert_eq!(refusal(vec![vec![given(0, 1), given(0, 1)]]), E::RepeatedOffset(at(0, 0)));
        assert_eq!(refusal(vec![vec![given(0, 1), given(1, 1)]]), E::EqualSiblings(at(0, 0)));
        let pair = vec![given(2, 1), given(3, 2)];
        assert_eq!(refusal(vec![pair.clone()]), E::MissingHash(at(1, 0)));
        assert_eq!(refusal(vec![pair.clone(), vec![given(1, 3)]]), E::StrayOffset(at(1, 1)));
        assert_eq!(refusal(vec![pair, vec![given(3, 3)]]), E::StrayOffset(at(1, 3)));
        let highest = vec![given(u64::MAX - 1, 1), given(u64::MAX, 2)];
        assert!(matches!(refusal(vec![highest]), E::MissingHash(_)));
    }

    #[test]
    fn duplicates_stand_only_at_the_end_of_a_level() {
        use MerklePathError as E;
        let start = vec![given(0, 1), duplicate(1)];
        assert!(MerklePath::from_levels(1, vec![start.clone()]).is_ok());
        assert_eq!(refusal(vec![vec![duplicate(0)]]), E::MisplacedDuplicate(at(0, 0)));
        assert_eq!(refusal(vec![vec![duplicate(1)]]), E::MisplacedDuplicate(at(0, 1)));
        let twice = vec![given(0, 1), duplicate(1), duplicate(3)];
        assert_eq!(refusal(vec![twice]), E::MisplacedDuplicate(at(0, 3)));
        let middle = vec![given(0, 1), duplicate(1), given(2, 2), given(3, 3)];
        assert_eq!(refusal(vec![middle]), E::MisplacedDuplicate(at(0, 2)));
        let above = refusal(vec![start, vec![given(1, 2)]]);
        assert_eq!(above, E::MisplacedDuplicate(at(1, 1)));
    }

    #[test]
    fn a_given_node_must_be_what_its_children_hash_to() {
        let mut levels = combined_merkle_path(&txids(4), &[0, 1, 2, 3], 1).unwrap().levels;
        levels[1].push(given(0, 9));
        assert_eq!(refusal(levels), MerklePathError::Mismatch(at(1, 0)));
    }

    #[test]
    fn bytes_beyond_the_format_are_refused() {
        let good = merkle_path_of(&txids(3), 0, 7).unwrap().to_bytes();
        assert!(MerklePath::parse(&good).is_ok());
        let with = |index: usize, byte: u8| {
            let mut bad = good.clone();
            bad[index] = byte;
            MerklePath::parse(&bad).unwrap_err()
        };
        assert_eq!(with(1, 33), MerklePathError::TreeHeight(33));
        assert_eq!(with(1, 0), MerklePathError::TreeHeight(0));
        assert_eq!(with(4, 3), MerklePathError::Flags(at(0, 0)));
        // The upper level begins after height, tree height, count and two leaves of 34 bytes.
        assert_eq!(with(73, 2), MerklePathError::Flags(at(1, 1)));
        let mut longer = good.clone();
        longer.push(0);
        assert!(matches!(MerklePath::parse(&longer), Err(MerklePathError::Codec(_))));
        let tall_block = [&[0xff, 0, 0, 0, 0, 1, 0, 0, 0][..], &good[1..]].concat();
        let height = MerklePathError::BlockHeight(1 << 32);
        assert_eq!(MerklePath::parse(&tall_block), Err(height));
    }

    #[test]
    fn sizes_that_are_no_transaction_are_refused() {
        for size in [0, 60, 64] {
            assert_eq!(check_leaf_size(size), Err(MerklePathError::LeafSize(size)));
        }
        for size in [61, 63, 65, 1 << 20] {
            assert_eq!(check_leaf_size(size), Ok(()));
        }
    }
}
