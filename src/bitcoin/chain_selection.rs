//! Which branch of a tree of headers is the best one, and what changes when another becomes it.
//!
//! Pure: the tree is asked for through a function. The branch with the most work wins, the one met
//! first wins a tie (the rule of every node), and a branch that contradicts a checkpoint loses to
//! one that does not, whatever its work.

use crate::bitcoin::Work;
use crate::types::BlockHash;

/// Where a header stands in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreePlace {
    /// The header before.
    pub previous: BlockHash,
    /// Its height.
    pub height: u32,
}

/// What two branches are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Whether no checkpoint says otherwise.
    pub keeps_checkpoints: bool,
    /// The work up to its tip, counted from the same place for both.
    pub work: Work,
}

impl Claim {
    /// Says whether the branch takes the place of the one that is best now.
    #[must_use]
    pub fn beats(self, best: Self) -> bool {
        match (self.keeps_checkpoints, best.keeps_checkpoints) {
            (true, false) => true,
            (false, true) => false,
            (true, true) | (false, false) => self.work > best.work,
        }
    }
}

/// What changes when another tip becomes the best one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Switch {
    /// Headers that leave the best chain with their heights, the topmost first.
    pub disconnected: Vec<(u32, BlockHash)>,
    /// Headers that join it with their heights, the topmost first.
    pub connected: Vec<(u32, BlockHash)>,
}

impl Switch {
    /// Returns how many blocks are taken off the best chain: 0 when it only grows.
    pub fn depth(&self) -> u32 {
        u32::try_from(self.disconnected.len()).unwrap_or(u32::MAX)
    }

    /// Returns the lowest height at which the best chain changes, if it does anywhere.
    pub fn lowest(&self) -> Option<u32> {
        let ends = [self.connected.last(), self.disconnected.last()];
        ends.into_iter().flatten().map(|(height, _)| *height).min()
    }
}

/// Works out the change from the tip `old`, if there is one, to the tip `new`.
///
/// Both branches are walked down to where they meet, or to their ends if they never do. `place`
/// finds a header; one that is not found ends its branch.
pub fn switch<E>(
    old: Option<BlockHash>,
    new: BlockHash,
    place: impl Fn(BlockHash) -> Result<Option<TreePlace>, E>,
) -> Result<Switch, E> {
    let find = |hash| Ok(place(hash)?.map(|place| (hash, place)));
    let mut falling = old.map(find).transpose()?.flatten();
    let mut rising = find(new)?;
    let mut switch = Switch::default();
    loop {
        let (falls, rises) = match (falling, rising) {
            (None, None) => return Ok(switch),
            (Some((old, _)), Some((new, _))) if old == new => return Ok(switch),
            (Some((_, old)), Some((_, new))) => {
                (old.height >= new.height, new.height >= old.height)
            }
            (old, new) => (old.is_some(), new.is_some()),
        };
        if let Some((hash, place)) = falling.filter(|_| falls) {
            switch.disconnected.push((place.height, hash));
            falling = find(place.previous)?;
        }
        if let Some((hash, place)) = rising.filter(|_| rises) {
            switch.connected.push((place.height, hash));
            rising = find(place.previous)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// A tree in the order in which its headers are met: for each, which one it stands on, and its
    /// own work.
    #[derive(Debug, Clone)]
    struct Tree(Vec<(usize, u128)>);

    fn hash_of(index: usize) -> BlockHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(index as u64 + 1).to_le_bytes());
        BlockHash::from_bytes(bytes)
    }

    impl Tree {
        fn parent(&self, index: usize) -> Option<usize> {
            (index > 0).then(|| self.0[index].0 % index)
        }

        fn branch(&self, tip: usize) -> Vec<usize> {
            std::iter::successors(Some(tip), |at| self.parent(*at)).collect()
        }

        fn height(&self, index: usize) -> u32 {
            u32::try_from(self.branch(index).len()).unwrap() - 1
        }

        fn work(&self, index: usize) -> Work {
            self.branch(index).iter().fold(Work::default(), |sum, at| {
                (0..self.0[*at].1).fold(sum, |sum, _| sum.plus(Work::ONE))
            })
        }

        /// The branch with the most work, the one met first among equals.
        fn best_from_scratch(&self, met: usize) -> BTreeMap<u32, BlockHash> {
            let best = (0..met).rev().max_by_key(|index| self.work(*index)).unwrap();
            self.branch(best).into_iter().map(|at| (self.height(at), hash_of(at))).collect()
        }
    }

    fn claim(work: Work) -> Claim {
        Claim { keeps_checkpoints: true, work }
    }

    fn trees() -> impl Strategy<Value = Tree> {
        prop::collection::vec((0usize..1000, 1u128..6), 1..40).prop_map(Tree)
    }

    proptest! {
        /// Header by header, whatever tree: the best chain is the one that a look at the whole tree
        /// finds, and a switch says exactly what went and what came.
        #[test]
        fn header_by_header_leads_where_a_look_at_the_whole_tree_does(tree in trees()) {
            let mut places = HashMap::new();
            let mut best: BTreeMap<u32, BlockHash> = BTreeMap::new();
            let mut tip: Option<usize> = None;
            for index in 0..tree.0.len() {
                let previous = tree.parent(index).map_or(BlockHash::from_bytes([0; 32]), hash_of);
                places.insert(hash_of(index), TreePlace { previous, height: tree.height(index) });
                let beats = tip.is_none_or(|tip| claim(tree.work(index)).beats(claim(tree.work(tip))));
                if beats {
                    let find = |hash| Ok::<_, Infallible>(places.get(&hash).copied());
                    let change = switch(tip.map(hash_of), hash_of(index), find).unwrap();
                    let before = best.len();
                    for (height, hash) in &change.disconnected {
                        prop_assert_eq!(best.remove(height), Some(*hash));
                    }
                    prop_assert_eq!(usize::try_from(change.depth()).unwrap(), before - best.len());
                    for (height, hash) in &change.connected {
                        prop_assert_eq!(best.insert(*height, *hash), None);
                    }
                    let fork = best.len() - change.connected.len();
                    prop_assert_eq!(change.lowest(), Some(u32::try_from(fork).unwrap()));
                    tip = Some(index);
                }
                prop_assert_eq!(&best, &tree.best_from_scratch(index + 1));
            }
        }
    }

    #[test]
    fn the_branch_met_first_wins_a_tie_and_a_checkpoint_outweighs_work() {
        let (light, heavy) = (Work::ONE, Work::ONE.plus(Work::ONE));
        assert!(claim(heavy).beats(claim(light)));
        assert!(!claim(heavy).beats(claim(heavy)));
        let wrong = Claim { keeps_checkpoints: false, work: heavy };
        assert!(!wrong.beats(claim(light)));
        assert!(claim(light).beats(wrong));
        assert!(wrong.beats(Claim { keeps_checkpoints: false, work: light }));
    }

    #[test]
    fn branches_that_never_meet_replace_each_other_whole() {
        let places: HashMap<BlockHash, TreePlace> = [(0, 9, 5), (1, 0, 6), (2, 8, 4), (3, 2, 5)]
            .into_iter()
            .map(|(at, previous, height)| {
                (hash_of(at), TreePlace { previous: hash_of(previous), height })
            })
            .collect();
        let find = |hash| Ok::<_, Infallible>(places.get(&hash).copied());
        let change = switch(Some(hash_of(1)), hash_of(3), find).unwrap();
        assert_eq!(change.disconnected, [(6, hash_of(1)), (5, hash_of(0))]);
        assert_eq!(change.connected, [(5, hash_of(3)), (4, hash_of(2))]);
        assert_eq!((change.depth(), change.lowest()), (2, Some(4)));
    }
}
