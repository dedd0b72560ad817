//! The nodes of a block's Merkle tree that a path gives, and the climb from them to the root.
//!
//! The climb is where a path is judged: it ends in one root or says what is wrong. It costs no more
//! than the nodes that were given.

use std::collections::BTreeMap;
use std::fmt;

use crate::bitcoin::codec::CodecError;
use crate::crypto::sha256d;
use crate::types::Txid;

/// The tallest tree that is read. The format allows 64 levels, but 2^32 transactions are more than
/// any block holds, so a taller tree is an attack.
pub(super) const MAX_TREE_HEIGHT: usize = 32;
/// Below this size nothing is a transaction that a node would take.
const LEAST_TRANSACTION_SIZE: usize = 61;
/// Two hashes side by side, the input of every inner node of the tree.
const INNER_NODE_SIZE: usize = 64;

/// One place of a Merkle tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The level, 0 for transactions.
    pub level: usize,
    /// The place in the level, from 0.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "level {}, offset {}", self.level, self.offset)
    }
}

/// Why bytes, JSON or a TSC proof are no Merkle path, or a path does not answer a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerklePathError {
    /// The bytes do not follow the format.
    #[error("the bytes of the path are malformed")]
    Codec(#[from] CodecError),
    /// The block height does not fit 32 bits.
    #[error("the block height {0} cannot exist")]
    BlockHeight(u64),
    /// The tree has no level or more than 32.
    #[error("a tree of {0} levels cannot exist")]
    TreeHeight(usize),
    /// The lowest level has no leaf.
    #[error("the lowest level has no leaf")]
    NoLeaf,
    /// Flags that are unknown, or a leaf that is both a hash and a duplicate, or neither.
    #[error("the leaf at {0} has flags that do not fit")]
    Flags(Place),
    /// One place is given twice.
    #[error("the path gives {0} twice")]
    RepeatedOffset(Place),
    /// A node that no leaf needs on its way to the root.
    #[error("no leaf needs the node at {0}")]
    StrayOffset(Place),
    /// A node that is needed is neither given nor computable.
    #[error("the node at {0} is missing")]
    MissingHash(Place),
    /// A node is given with another hash than its children have.
    #[error("the leaves disagree about the node at {0}")]
    Mismatch(Place),
    /// A duplicate that does not follow the last node of its level.
    #[error("the duplicate at {0} follows no last node")]
    MisplacedDuplicate(Place),
    /// Two equal siblings that are not marked as duplicate: one transaction would have two places
    /// (CVE-2012-2459).
    #[error("the node at {0} equals the one after it")]
    EqualSiblings(Place),
    /// The path is not about this transaction.
    #[error("the path does not hold transaction {0}")]
    UnknownTxid(Txid),
    /// The bytes bound to a leaf could be an inner node of the tree, or are too few for a
    /// transaction.
    #[error("{0} bytes are no transaction that a Merkle path can prove")]
    LeafSize(usize),
    /// The paths are of different blocks.
    #[error("the paths are of different blocks")]
    DifferentBlocks,
    /// A TSC proof about something else than the transaction asked for.
    #[error("the proof is about another transaction")]
    TscSubject,
    /// A node of a TSC proof that is neither 64 hexadecimal digits nor `*`.
    #[error("node {0} of the proof is no hash")]
    TscNode(usize),
}

/// Refuses a size that no proven transaction may have.
///
/// 64 bytes are what an inner node hashes: whoever gets such a "transaction" into a block has a
/// node that is a transaction too. Fewer than 61 bytes are malformed for every node.
pub fn check_leaf_size(size: usize) -> Result<(), MerklePathError> {
    if size < LEAST_TRANSACTION_SIZE || size == INNER_NODE_SIZE {
        return Err(MerklePathError::LeafSize(size));
    }
    Ok(())
}

/// Returns the hash of the node above `left` and `right`.
pub(super) fn merkle_node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut both = [0u8; INNER_NODE_SIZE];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    sha256d(&both)
}

/// What a path says about one place of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    /// The hash of a sibling.
    Hash([u8; 32]),
    /// The hash of a transaction that the path is for.
    Txid([u8; 32]),
    /// The level ended here: the node before counts twice.
    Duplicate,
}

/// One place of the tree that the path gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) offset: u64,
    pub(super) node: Node,
}

/// The hashes of all places that a path gives or that follow from it, without the root's level.
pub(super) struct Tree {
    pub(super) levels: Vec<BTreeMap<u64, [u8; 32]>>,
    pub(super) root: [u8; 32],
}

impl Leaf {
    /// Returns the hash unless the leaf is a duplicate.
    pub(super) const fn hash(&self) -> Option<&[u8; 32]> {
        match &self.node {
            Node::Hash(hash) | Node::Txid(hash) => Some(hash),
            Node::Duplicate => None,
        }
    }
}

pub(super) const fn check_tree_height(height: usize) -> Result<(), MerklePathError> {
    if height == 0 || height > MAX_TREE_HEIGHT {
        return Err(MerklePathError::TreeHeight(height));
    }
    Ok(())
}

/// Computes everything that follows from the given nodes, up to the one root.
pub(super) fn climb(levels: &[Vec<Leaf>]) -> Result<Tree, MerklePathError> {
    // A lone level is either a block of one transaction or holds all leaves of a small block.
    let least_height = if levels.len() == 1 { 0 } else { levels.len() };
    let mut filled = Vec::with_capacity(levels.len());
    let mut computed = BTreeMap::new();
    let mut last_node = u64::MAX;
    for level in 0..=MAX_TREE_HEIGHT {
        let given = levels.get(level).map_or(&[][..], Vec::as_slice);
        let (nodes, duplicate) = fill_level(level, computed, given, last_node)?;
        if let (1, Some(root)) = (nodes.len(), nodes.get(&0))
            && level >= least_height
        {
            return Ok(Tree { levels: filled, root: *root });
        }
        computed = pair_up(level, &nodes, duplicate)?;
        filled.push(nodes);
        last_node = duplicate.map_or(last_node, |offset| offset - 1) >> 1;
    }
    Err(MerklePathError::TreeHeight(MAX_TREE_HEIGHT + 1))
}

/// Adds the given nodes of a level to the computed ones; also returns the place of a duplicate.
///
/// A duplicate ends its level and so all levels above: nothing but a duplicate comes after
/// `last_node`.
fn fill_level(
    level: usize,
    computed: BTreeMap<u64, [u8; 32]>,
    given: &[Leaf],
    last_node: u64,
) -> Result<(BTreeMap<u64, [u8; 32]>, Option<u64>), MerklePathError> {
    let has_sibling = |leaf: &&Leaf| computed.contains_key(&(leaf.offset ^ 1));
    if let Some(stray) = given.iter().find(|leaf| level > 0 && !has_sibling(leaf)) {
        return Err(MerklePathError::StrayOffset(Place { level, offset: stray.offset }));
    }
    let mut nodes = computed;
    let mut duplicate = None;
    for leaf in given {
        let offset = leaf.offset;
        if duplicate.is_some() || (offset > last_node && leaf.hash().is_some()) {
            return Err(MerklePathError::MisplacedDuplicate(Place { level, offset }));
        }
        let hash = if let Some(hash) = leaf.hash() {
            *hash
        } else {
            duplicate = Some(offset);
            node_before_end(&nodes, offset)
                .ok_or(MerklePathError::MisplacedDuplicate(Place { level, offset }))?
        };
        if nodes.insert(offset, hash).is_some_and(|before| before != hash) {
            return Err(MerklePathError::Mismatch(Place { level, offset }));
        }
    }
    Ok((nodes, duplicate))
}

/// Returns the last node if `offset` is the odd place right after it.
fn node_before_end(nodes: &BTreeMap<u64, [u8; 32]>, offset: u64) -> Option<[u8; 32]> {
    let (last, hash) = nodes.last_key_value()?;
    (offset % 2 == 1 && *last == offset - 1).then_some(*hash)
}

/// Hashes the nodes of a level in pairs.
fn pair_up(
    level: usize,
    nodes: &BTreeMap<u64, [u8; 32]>,
    duplicate: Option<u64>,
) -> Result<BTreeMap<u64, [u8; 32]>, MerklePathError> {
    let mut parents = BTreeMap::new();
    for (offset, hash) in nodes {
        let offset = *offset;
        let sibling = nodes
            .get(&(offset ^ 1))
            .ok_or(MerklePathError::MissingHash(Place { level, offset: offset ^ 1 }))?;
        if offset % 2 == 1 {
            continue;
        }
        if hash == sibling && duplicate != Some(offset ^ 1) {
            return Err(MerklePathError::EqualSiblings(Place { level, offset }));
        }
        parents.insert(offset >> 1, merkle_node(hash, sibling));
    }
    Ok(parents)
}
