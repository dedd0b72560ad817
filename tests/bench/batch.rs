//! A batch of a million records: the root and what proofs are made of, beside the bare hashing of the
//! same tree on the same core.

use std::collections::HashMap;
use std::time::Instant;

use patchproof::anchor::merkle::{
    BlockTree, SubtreeRoot, TreeError, leaf_hash, prove_by_blocks, verify_inclusion,
};
use patchproof::crypto::{sha256, sha256_parts};
use patchproof::types::Digest;

use crate::{Figure, median};

const RECORDS: u64 = 1_000_000;
const ROUNDS: usize = 5;
const PROOFS: u64 = 1_000;

pub(crate) fn measure() -> Vec<Figure> {
    let leaves: Vec<Digest> =
        (0..RECORDS).map(|n| Digest::from_bytes(sha256(&n.to_le_bytes()))).collect();
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    let mut kept = None;
    // In turn, so that whatever else the machine does is shared by both.
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let root = bare_root(&leaves);
        bare.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let built = build(&leaves);
        ours.push(start.elapsed().as_secs_f64() * 1e3);
        assert_eq!(built.0.to_bytes(), root, "both hash the same tree");
        kept = Some(built);
    }
    let (root, roots) = kept.unwrap();
    let (bare, ours) = (median(bare), median(ours));
    let each = proofs(&leaves, &roots, &root);
    vec![
        Figure {
            name: "root and stored block roots of 1,000,000 records, one core".into(),
            value: format!("{ours:.0} ms, process at most {} MiB", peak_mib()),
            beside: format!("bare hashing of the same tree {bare:.0} ms"),
            ratio: Some(ours / bare),
        },
        Figure {
            name: "proof of one of 1,000,000 records, made and verified".into(),
            value: format!("{each:.0} µs"),
            beside: "–".into(),
            ratio: None,
        },
    ]
}

/// Hashes level by level, in place, and does nothing else.
fn bare_root(leaves: &[Digest]) -> [u8; 32] {
    let mut level: Vec<[u8; 32]> =
        leaves.iter().map(|leaf| sha256_parts(&[&[0], leaf.as_bytes()])).collect();
    while level.len() > 1 {
        let mut next = 0;
        for place in (0..level.len()).step_by(2) {
            level[next] = match level.get(place + 1) {
                Some(right) => sha256_parts(&[&[1], &level[place], right]),
                None => level[place],
            };
            next += 1;
        }
        level.truncate(next);
    }
    level[0]
}

fn build(leaves: &[Digest]) -> (Digest, Vec<SubtreeRoot>) {
    let mut roots = Vec::new();
    let mut keep = |root: SubtreeRoot| roots.push(root);
    let mut tree = BlockTree::default();
    for leaf in leaves {
        tree.push(leaf, &mut keep).unwrap();
    }
    (tree.finish(&mut keep).unwrap(), roots)
}

/// Returns the microseconds that one proof takes.
fn proofs(leaves: &[Digest], roots: &[SubtreeRoot], root: &Digest) -> f64 {
    let known: HashMap<(u8, u64), [u8; 32]> =
        roots.iter().map(|it| ((it.height, it.place), it.hash.to_bytes())).collect();
    let start = Instant::now();
    for number in 0..PROOFS {
        let index = number * 7_919_993 % RECORDS;
        let proof = prove_by_blocks(index, RECORDS, |height, places| {
            Ok::<_, TreeError>(match height {
                0 => places.map(|it| leaf_hash(&leaves[usize::try_from(it).unwrap()])).collect(),
                _ => places.map(|it| known[&(height, it)]).collect(),
            })
        });
        let leaf = &leaves[usize::try_from(index).unwrap()];
        verify_inclusion(leaf, &proof.unwrap(), root).unwrap();
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(PROOFS).unwrap())
}

/// Returns the most memory that the process ever had.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}
