//! RFC 9162 Merkle trees over commitments: built with `rs_merkle`, verified by our own routine.
//!
//! A leaf is H(0x00 ‖ commitment), a node H(0x01 ‖ left ‖ right), a lone node is promoted. The
//! library's own verification takes inner nodes for leaves and surplus hashes for proof, so it is
//! never asked. The tree size must come from the chain, not from the proof: a path alone does not
//! fix index and size (leaf 2 of 3 also verifies as leaf 1 of 2).

mod blocks;

use rs_merkle::{Hasher, MerkleTree};
use serde::{Deserialize, Serialize};

use crate::crypto::sha256_parts;
use crate::types::Digest;

pub use blocks::{BlockTree, SubtreeRoot, prove_by_blocks};

/// The largest tree this product builds or believes in.
pub const MAX_TREE_SIZE: u64 = 1 << 32;

/// Why a tree or proof is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A tree of nothing.
    #[error("a tree has at least one leaf")]
    Empty,
    /// The same commitment twice: one of them would be provable at two places.
    #[error("a commitment occurs twice")]
    Duplicate,
    /// No such leaf.
    #[error("leaf {index} lies outside a tree of {size}")]
    OutOfRange {
        /// The leaf asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
}

/// A proof that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InclusionError {
    /// The index is not below the tree size, or the size is out of bounds.
    #[error("the leaf index does not lie in the tree")]
    OutOfRange,
    /// The path has not exactly the hashes that index and size demand.
    #[error("the path has the wrong length for this leaf and tree size")]
    WrongLength,
    /// The path leads to another root.
    #[error("the path leads to another root")]
    WrongRoot,
    /// The proof is of a tree of another size than the one that stands on chain.
    #[error("the proof is of a tree of another size")]
    WrongSize,
}

/// Where a leaf stands in a tree and the hashes that lead to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The leaf's place, from 0.
    pub leaf_index: u64,
    /// The number of leaves.
    pub tree_size: u64,
    /// The sibling hashes from the leaf upwards.
    pub path: Vec<Digest>,
}

#[derive(Clone)]
struct Rfc9162Hasher;

impl Hasher for Rfc9162Hasher {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        sha256_parts(&[&[0], data])
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        right.map_or(*left, |right| sha256_parts(&[&[1], left, right]))
    }
}

/// A tree over commitments.
pub struct CommitmentTree {
    tree: MerkleTree<Rfc9162Hasher>,
    size: u64,
}

impl CommitmentTree {
    /// Builds the tree over distinct `commitments` in their order.
    pub fn build(commitments: &[Digest]) -> Result<Self, TreeError> {
        if commitments.is_empty() {
            return Err(TreeError::Empty);
        }
        let mut seen = std::collections::HashSet::with_capacity(commitments.len());
        if !commitments.iter().all(|commitment| seen.insert(commitment)) {
            return Err(TreeError::Duplicate);
        }
        let leaves: Vec<[u8; 32]> = commitments.iter().map(leaf_hash).collect();
        Ok(Self { tree: MerkleTree::from_leaves(&leaves), size: commitments.len() as u64 })
    }

    /// Returns the root.
    pub fn root(&self) -> Digest {
        Digest::from_bytes(self.tree.root().expect("a built tree has a leaf, so it has a root"))
    }

    /// Returns the number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the proof of leaf `index`.
    pub fn prove(&self, index: u64) -> Result<InclusionProof, TreeError> {
        let out_of_range = TreeError::OutOfRange { index, size: self.size };
        if index >= self.size {
            return Err(out_of_range);
        }
        let place = usize::try_from(index).map_err(|_| out_of_range)?;
        let proof = self.tree.proof(&[place]);
        let path = proof.proof_hashes().iter().copied().map(Digest::from_bytes).collect();
        Ok(InclusionProof { leaf_index: index, tree_size: self.size, path })
    }
}

/// Returns the hash of a leaf.
pub fn leaf_hash(commitment: &Digest) -> [u8; 32] {
    Rfc9162Hasher::hash(commitment.as_bytes())
}

/// Checks that `commitment` is the leaf that `proof` says in the tree with `root`.
pub fn verify_inclusion(
    commitment: &Digest,
    proof: &InclusionProof,
    root: &Digest,
) -> Result<(), InclusionError> {
    if included_root(commitment, proof)? == *root { Ok(()) } else { Err(InclusionError::WrongRoot) }
}

/// Returns the root of the tree in which `commitment` is the leaf that `proof` says
/// (RFC 9162 section 2.1.3.2, with exact path length).
pub fn included_root(
    commitment: &Digest,
    proof: &InclusionProof,
) -> Result<Digest, InclusionError> {
    if proof.leaf_index >= proof.tree_size || proof.tree_size > MAX_TREE_SIZE {
        return Err(InclusionError::OutOfRange);
    }
    let mut place = proof.leaf_index;
    let mut last = proof.tree_size - 1;
    let mut hash = leaf_hash(commitment);
    for sibling in &proof.path {
        if last == 0 {
            return Err(InclusionError::WrongLength);
        }
        if place & 1 == 1 || place == last {
            hash = sha256_parts(&[&[1], sibling.as_bytes(), &hash]);
            // A promoted node skips the levels on which it stands alone.
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = sha256_parts(&[&[1], &hash, sibling.as_bytes()]);
        }
        place >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(Digest::from_bytes(hash)) } else { Err(InclusionError::WrongLength) }
}

/// Checks that `commitment` is the leaf that `proof` says in the tree whose `root` and `tree_size`
/// stand on chain. A proof that claims another size is refused, also where its path would fit.
pub fn verify_on_chain(
    commitment: &Digest,
    proof: &InclusionProof,
    root: &Digest,
    tree_size: u64,
) -> Result<(), InclusionError> {
    if proof.tree_size != tree_size {
        return Err(InclusionError::WrongSize);
    }
    verify_inclusion(commitment, proof, root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sha256;

    fn commitments(count: u64) -> Vec<Digest> {
        (0..count).map(|n| Digest::from_bytes(sha256(&n.to_le_bytes()))).collect()
    }

    #[test]
    fn every_leaf_of_every_size_to_257_verifies_and_no_other_does() {
        for size in 1..=257u64 {
            let leaves = commitments(size);
            let tree = CommitmentTree::build(&leaves).unwrap();
            for index in 0..size {
                let proof = tree.prove(index).unwrap();
                let leaf = &leaves[usize::try_from(index).unwrap()];
                assert_eq!(verify_inclusion(leaf, &proof, &tree.root()), Ok(()), "{index}/{size}");
                let stranger = Digest::from_bytes([0xee; 32]);
                assert!(verify_inclusion(&stranger, &proof, &tree.root()).is_err());
            }
        }
    }

    #[test]
    fn every_mutation_of_a_proof_fails() {
        // Each size, and of the large ones the leaves where the tree has its edges.
        for size in 1..=257u64 {
            let leaves = commitments(size);
            let tree = CommitmentTree::build(&leaves).unwrap();
            let is_looked_at = |index: &u64| size <= 40 || [0, size / 2, size - 1].contains(index);
            for index in (0..size).filter(is_looked_at) {
                let leaf = &leaves[usize::try_from(index).unwrap()];
                for mutant in mutants(&tree.prove(index).unwrap()) {
                    assert!(
                        verify_on_chain(leaf, &mutant, &tree.root(), size).is_err(),
                        "{mutant:?} of {size}"
                    );
                }
            }
        }
    }

    /// All wrong proofs next to `proof`.
    fn mutants(proof: &InclusionProof) -> Vec<InclusionProof> {
        let mut mutants = Vec::new();
        for index in (0..proof.tree_size).filter(|index| *index != proof.leaf_index) {
            mutants.push(InclusionProof { leaf_index: index, ..proof.clone() });
        }
        for place in 0..proof.path.len() {
            let mut flipped = proof.clone();
            let mut bytes = flipped.path[place].to_bytes();
            bytes[31] ^= 1;
            flipped.path[place] = Digest::from_bytes(bytes);
            mutants.push(flipped);
            let mut missing = proof.clone();
            missing.path.remove(place);
            mutants.push(missing);
            let mut doubled = proof.clone();
            doubled.path.insert(place, doubled.path[place]);
            mutants.push(doubled);
        }
        for size in [proof.tree_size - 1, proof.tree_size + 1, proof.tree_size * 2] {
            mutants.push(InclusionProof { tree_size: size, ..proof.clone() });
        }
        let mut extra = proof.clone();
        extra.path.push(Digest::from_bytes([0; 32]));
        mutants.push(extra);
        mutants.push(InclusionProof { leaf_index: proof.tree_size, ..proof.clone() });
        mutants
    }

    #[test]
    fn an_inner_node_is_not_a_leaf() {
        let leaves = commitments(4);
        let tree = CommitmentTree::build(&leaves).unwrap();
        let node = Digest::from_bytes(Rfc9162Hasher::concat_and_hash(
            &leaf_hash(&leaves[0]),
            Some(&leaf_hash(&leaves[1])),
        ));
        let path = vec![*tree.prove(0).unwrap().path.last().unwrap()];
        let proof = InclusionProof { leaf_index: 0, tree_size: 2, path };
        assert!(verify_inclusion(&node, &proof, &tree.root()).is_err());
    }

    #[test]
    fn duplicated_tails_have_another_root_and_are_not_built() {
        let three = commitments(3);
        let root = CommitmentTree::build(&three).unwrap().root();
        let mut four = three.clone();
        four.push(three[2]);
        assert!(matches!(CommitmentTree::build(&four), Err(TreeError::Duplicate)));
        assert!(matches!(CommitmentTree::build(&[]), Err(TreeError::Empty)));
        assert_ne!(root, CommitmentTree::build(&commitments(4)).unwrap().root());
    }
}
