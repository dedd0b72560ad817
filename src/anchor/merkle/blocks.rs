//! A tree too large to hold in memory or to build anew for each proof: hashed in blocks of 256, and
//! what is kept of it is the root of each block.
//!
//! It is the same RFC 9162 tree. At the height of a block's root the tree over the roots has the
//! same shape as the tree over the leaves, because a subtree that is not full is always the last
//! one. So a proof takes one block of each height: for a million leaves, three.

use rs_merkle::MerkleTree;

use crate::anchor::merkle::{InclusionProof, MAX_TREE_SIZE, Rfc9162Hasher, TreeError, leaf_hash};
use crate::types::Digest;

/// How many levels of the tree one block spans.
const LEVELS: u32 = 8;
/// The hashes of one full block.
const BLOCK: usize = 1 << LEVELS;

/// The root of a block, which proofs need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubtreeRoot {
    /// Which blocks: 1 for those over leaves, 2 for those over the roots of these, and so on.
    pub height: u8,
    /// Its place among them, from 0.
    pub place: u64,
    /// The hash.
    pub hash: Digest,
}

/// A tree over commitments that are given one after another.
#[derive(Debug, Default)]
pub struct BlockTree {
    size: u64,
    levels: Vec<Level>,
}

/// The block of one height that is not full yet.
#[derive(Debug, Default)]
struct Level {
    open: Vec<[u8; 32]>,
    closed: u64,
}

impl BlockTree {
    /// Adds a commitment as the next leaf; the roots of the blocks that it fills go to `keep`.
    ///
    /// Whoever calls this sees to it that no commitment comes twice.
    pub fn push(
        &mut self,
        commitment: &Digest,
        keep: &mut impl FnMut(SubtreeRoot),
    ) -> Result<(), TreeError> {
        if self.size == MAX_TREE_SIZE {
            return Err(TreeError::OutOfRange { index: self.size, size: MAX_TREE_SIZE });
        }
        self.size += 1;
        self.add(0, leaf_hash(commitment), keep);
        Ok(())
    }

    /// Returns the number of leaves so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Closes the blocks that are not full, and returns the root of the tree.
    pub fn finish(mut self, keep: &mut impl FnMut(SubtreeRoot)) -> Result<Digest, TreeError> {
        let mut height = 0;
        while height + 1 < self.levels.len() {
            if !self.levels[height].open.is_empty() {
                self.close(height, keep);
            }
            height += 1;
        }
        let top = self.levels.last().ok_or(TreeError::Empty)?;
        Ok(Digest::from_bytes(root_of(&top.open)))
    }

    fn add(&mut self, height: usize, hash: [u8; 32], keep: &mut impl FnMut(SubtreeRoot)) {
        if self.levels.len() == height {
            self.levels.push(Level::default());
        }
        let level = &mut self.levels[height];
        // A block is closed by the hash after it: the last one may be the whole tree.
        if level.open.len() == BLOCK {
            self.close(height, keep);
        }
        self.levels[height].open.push(hash);
    }

    fn close(&mut self, height: usize, keep: &mut impl FnMut(SubtreeRoot)) {
        let level = &mut self.levels[height];
        let hash = root_of(&level.open);
        level.open.clear();
        let place = level.closed;
        level.closed += 1;
        let above = u8::try_from(height + 1).expect("a tree of 2^32 leaves has four heights");
        keep(SubtreeRoot { height: above, place, hash: Digest::from_bytes(hash) });
        self.add(height + 1, hash, keep);
    }
}

/// Returns the proof of leaf `index` in a tree of `size` leaves.
///
/// `read` gives the hashes of a height, by their places: of height 0 the leaves as
/// [`leaf_hash`] makes them, of the others the roots that were kept. It is asked for at most 256 of
/// each.
pub fn prove_by_blocks<E: From<TreeError>>(
    index: u64,
    size: u64,
    mut read: impl FnMut(u8, std::ops::Range<u64>) -> Result<Vec<[u8; 32]>, E>,
) -> Result<InclusionProof, E> {
    let out_of_range = TreeError::OutOfRange { index, size };
    if index >= size || size > MAX_TREE_SIZE {
        return Err(out_of_range.into());
    }
    let mut path = Vec::new();
    let (mut place, mut count) = (index, size);
    for height in 0.. {
        if count == 1 {
            break;
        }
        let start = place >> LEVELS << LEVELS;
        let hashes = read(height, start..count.min(start + (1 << LEVELS)))?;
        let within = usize::try_from(place - start).map_err(|_| out_of_range)?;
        if within >= hashes.len() {
            return Err(out_of_range.into());
        }
        let tree = MerkleTree::<Rfc9162Hasher>::from_leaves(&hashes);
        let siblings = tree.proof(&[within]);
        path.extend(siblings.proof_hashes().iter().copied().map(Digest::from_bytes));
        place >>= LEVELS;
        count = count.div_ceil(1 << LEVELS);
    }
    Ok(InclusionProof { leaf_index: index, tree_size: size, path })
}

fn root_of(hashes: &[[u8; 32]]) -> [u8; 32] {
    let tree = MerkleTree::<Rfc9162Hasher>::from_leaves(hashes);
    tree.root().expect("a block has at least one hash")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use rs_merkle::Hasher;

    use super::*;
    use crate::anchor::merkle::{CommitmentTree, verify_inclusion};
    use crate::crypto::sha256;

    fn commitments(count: u64) -> Vec<Digest> {
        (0..count).map(|n| Digest::from_bytes(sha256(&n.to_le_bytes()))).collect()
    }

    /// A tree as it is kept: leaves, roots of blocks, root.
    struct Kept {
        leaves: Vec<Digest>,
        roots: BTreeMap<(u8, u64), [u8; 32]>,
        root: Digest,
    }

    impl Kept {
        fn of(leaves: Vec<Digest>) -> Self {
            let mut roots = BTreeMap::new();
            let mut keep = |it: SubtreeRoot| {
                assert!(roots.insert((it.height, it.place), it.hash.to_bytes()).is_none());
            };
            let mut tree = BlockTree::default();
            for leaf in &leaves {
                tree.push(leaf, &mut keep).unwrap();
            }
            let root = tree.finish(&mut keep).unwrap();
            Self { leaves, roots, root }
        }

        fn prove(&self, index: u64) -> InclusionProof {
            prove_by_blocks(index, self.leaves.len() as u64, |height, places| {
                assert!(places.end - places.start <= 256);
                Ok::<_, TreeError>(match height {
                    0 => places
                        .map(|it| leaf_hash(&self.leaves[usize::try_from(it).unwrap()]))
                        .collect(),
                    _ => places.map(|it| self.roots[&(height, it)]).collect(),
                })
            })
            .unwrap()
        }
    }

    #[test]
    fn it_is_the_same_tree_as_that_of_all_leaves_at_once() {
        for size in (1..=600).chain([65_535, 65_536, 65_537, 66_000]) {
            let kept = Kept::of(commitments(size));
            let whole = CommitmentTree::build(&kept.leaves).unwrap();
            assert_eq!(kept.root, whole.root(), "{size}");
            let step = (size / 11).max(1);
            for index in (0..size).step_by(usize::try_from(step).unwrap()) {
                assert_eq!(kept.prove(index), whole.prove(index).unwrap(), "{index} of {size}");
            }
            assert_eq!(kept.prove(size - 1), whole.prove(size - 1).unwrap(), "last of {size}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        /// Sizes are drawn up to a million.
        #[test]
        fn leaves_of_trees_of_any_size_verify_and_their_neighbours_do_not(
            size in 1u64..=1_000_000,
            picks in proptest::collection::vec(any::<u64>(), 8),
        ) {
            let kept = Kept::of(commitments(size));
            for pick in picks {
                let index = pick % size;
                let proof = kept.prove(index);
                let leaf = &kept.leaves[usize::try_from(index).unwrap()];
                prop_assert_eq!(verify_inclusion(leaf, &proof, &kept.root), Ok(()));
                let other = (index + 1) % size;
                if other != index {
                    let stranger = &kept.leaves[usize::try_from(other).unwrap()];
                    prop_assert!(verify_inclusion(stranger, &proof, &kept.root).is_err());
                    let moved = InclusionProof { leaf_index: other, ..proof };
                    prop_assert!(verify_inclusion(leaf, &moved, &kept.root).is_err());
                }
            }
        }
    }

    /// The leaves and roots that implementations of RFC 6962 and RFC 9162 test themselves with.
    #[test]
    fn roots_are_those_that_other_implementations_find() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let hashes: Vec<[u8; 32]> =
            leaves.iter().map(|leaf| Rfc9162Hasher::hash(&hex::decode(leaf).unwrap())).collect();
        for (size, root) in (1..).zip(roots) {
            assert_eq!(hex::encode(root_of(&hashes[..size])), root, "{size}");
        }
    }

    #[test]
    fn nothing_has_no_root_and_no_leaf_lies_outside() {
        assert_eq!(BlockTree::default().finish(&mut |_| {}), Err(TreeError::Empty));
        let outside = prove_by_blocks(3, 3, |_, _| Ok::<_, TreeError>(Vec::new()));
        assert_eq!(outside, Err(TreeError::OutOfRange { index: 3, size: 3 }));
    }
}
