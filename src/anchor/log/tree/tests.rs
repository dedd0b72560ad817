//! Trees against a literal transcription of RFC 9162, and proofs that were tampered with.

use proptest::prelude::*;

use super::*;
use crate::anchor::merkle::{leaf_hash, verify_inclusion};
use crate::crypto::sha256;

/// The definitions of RFC 9162 sections 2.1.1, 2.1.3.1 and 2.1.4.1, word for word.
mod literal {
    use crate::crypto::sha256_parts;

    fn k(n: usize) -> usize {
        let mut k = 1;
        while k * 2 < n {
            k *= 2;
        }
        k
    }

    pub(super) fn mth(d: &[Vec<u8>]) -> [u8; 32] {
        match d.len() {
            0 => sha256_parts(&[]),
            1 => sha256_parts(&[&[0], &d[0]]),
            n => sha256_parts(&[&[1], &mth(&d[..k(n)]), &mth(&d[k(n)..])]),
        }
    }

    pub(super) fn path(m: usize, d: &[Vec<u8>]) -> Vec<[u8; 32]> {
        let n = d.len();
        if n == 1 {
            return Vec::new();
        }
        let k = k(n);
        if m < k {
            [path(m, &d[..k]), vec![mth(&d[k..])]].concat()
        } else {
            [path(m - k, &d[k..]), vec![mth(&d[..k])]].concat()
        }
    }

    pub(super) fn subproof(m: usize, d: &[Vec<u8>], b: bool) -> Vec<[u8; 32]> {
        let n = d.len();
        if m == n {
            return if b { Vec::new() } else { vec![mth(d)] };
        }
        let k = k(n);
        if m <= k {
            [subproof(m, &d[..k], b), vec![mth(&d[k..])]].concat()
        } else {
            [subproof(m - k, &d[k..], false), vec![mth(&d[..k])]].concat()
        }
    }
}

/// A log as it is kept: leaf hashes, roots of the full blocks of each height.
struct Kept(Vec<Vec<[u8; 32]>>);

impl Kept {
    fn of(leaves: Vec<[u8; 32]>) -> Self {
        let mut heights = vec![leaves];
        while heights[heights.len() - 1].len() >= 256 {
            let below = &heights[heights.len() - 1];
            heights
                .push(below.chunks_exact(256).map(|block| fold(block.to_vec()).unwrap()).collect());
        }
        Self(heights)
    }

    fn read(&self, height: u8, places: Range<u64>) -> Result<Vec<[u8; 32]>, TreeError> {
        assert!(places.end - places.start <= 256);
        let places = usize::try_from(places.start).unwrap()..usize::try_from(places.end).unwrap();
        Ok(self.0[usize::from(height)].get(places).unwrap_or_default().to_vec())
    }

    fn head(&self, size: u64) -> LogHead {
        LogHead { size, root: root(size, |height, places| self.read(height, places)).unwrap() }
    }

    fn consistency(&self, from: u64, to: u64) -> Vec<Digest> {
        prove_consistency(from, to, |height, places| self.read(height, places)).unwrap()
    }

    fn inclusion(&self, index: u64, size: u64) -> InclusionProof {
        prove_inclusion(index, size, |height, places| self.read(height, places)).unwrap()
    }
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count as u64).map(|n| sha256(&n.to_le_bytes()).to_vec()).collect()
}

fn commitment(entry: &[u8]) -> Digest {
    Digest::from_bytes(entry.try_into().unwrap())
}

fn kept(entries: &[Vec<u8>]) -> Kept {
    Kept::of(entries.iter().map(|entry| leaf_hash(&commitment(entry))).collect())
}

fn digests(hashes: Vec<[u8; 32]>) -> Vec<Digest> {
    hashes.into_iter().map(Digest::from_bytes).collect()
}

#[test]
fn roots_and_proofs_are_those_of_the_rfc_for_all_sizes_to_300() {
    let entries = entries(300);
    let log = kept(&entries);
    for to in 1..=300usize {
        let head = log.head(to as u64);
        assert_eq!(head.root.to_bytes(), literal::mth(&entries[..to]), "{to}");
        // Sampled, with every pair of small sizes and those about a block.
        let step = if to <= 40 || to.abs_diff(256) < 3 { 1 } else { 7 };
        for from in (1..=to).rev().step_by(step) {
            let path = log.consistency(from as u64, to as u64);
            let expected = digests(literal::subproof(from, &entries[..to], true));
            assert_eq!(path, expected, "{from} to {to}");
            let old = log.head(from as u64);
            assert_eq!(verify_consistency(&old, &head, &path), Ok(()), "{from} to {to}");
            let proof = log.inclusion(from as u64 - 1, to as u64);
            assert_eq!(proof.path, digests(literal::path(from - 1, &entries[..to])));
            let leaf = commitment(&entries[from - 1]);
            assert_eq!(verify_inclusion(&leaf, &proof, &head.root), Ok(()));
        }
    }
}

#[test]
fn a_log_of_more_than_65_536_leaves_is_proved_from_its_blocks() {
    let entries = entries(70_000);
    let log = kept(&entries);
    assert_eq!(log.0.iter().map(Vec::len).collect::<Vec<_>>(), [70_000, 273, 1]);
    assert_eq!(log.head(70_000).root.to_bytes(), literal::mth(&entries));
    let new = log.head(70_000);
    for from in [1, 255, 256, 257, 65_535, 65_536, 65_537, 69_888, 69_999] {
        let path = log.consistency(from, 70_000);
        assert_eq!(verify_consistency(&log.head(from), &new, &path), Ok(()), "{from}");
        let leaf = commitment(&entries[usize::try_from(from).unwrap()]);
        let proof = log.inclusion(from, 70_000);
        assert_eq!(verify_inclusion(&leaf, &proof, &new.root), Ok(()), "{from}");
    }
}

#[test]
fn what_was_tampered_with_does_not_verify() {
    let log = kept(&entries(300));
    for (from, to) in [(1, 2), (3, 7), (4, 7), (6, 8), (8, 8), (200, 300), (256, 300)] {
        let (old, new, path) = (log.head(from), log.head(to), log.consistency(from, to));
        assert_eq!(verify_consistency(&old, &new, &path), Ok(()));
        for index in 0..path.len() {
            let mut other = path.clone();
            other[index] = Digest::from_bytes([0xee; 32]);
            assert!(
                verify_consistency(&old, &new, &other).is_err(),
                "{from} to {to}: hash {index}"
            );
            other.remove(index);
            assert!(
                verify_consistency(&old, &new, &other).is_err(),
                "{from} to {to}: without {index}"
            );
        }
        let mut longer = path.clone();
        longer.push(new.root);
        assert_eq!(verify_consistency(&old, &new, &longer), Err(ConsistencyError::WrongLength));
        let foreign = Digest::from_bytes([0xee; 32]);
        assert!(verify_consistency(&LogHead { root: foreign, ..old }, &new, &path).is_err());
        assert!(verify_consistency(&old, &LogHead { root: foreign, ..new }, &path).is_err());
        // The sizes are those of the heads: the same path under others is refused.
        for size in [from - 1, from + 1] {
            if size != to && size.is_power_of_two() == from.is_power_of_two() {
                assert!(
                    verify_consistency(&LogHead { size, ..old }, &new, &path).is_err(),
                    "{size} to {to}"
                );
            }
        }
    }
    let (small, large) = (log.head(3), log.head(5));
    let refused = verify_consistency(&large, &small, &[]);
    assert_eq!(refused, Err(ConsistencyError::OutOfRange));
    let nothing = LogHead { size: 0, ..small };
    assert_eq!(verify_consistency(&nothing, &large, &[]), Err(ConsistencyError::OutOfRange));
}

#[test]
fn a_rewritten_log_is_consistent_with_nothing_it_was() {
    let mut changed = entries(300);
    let honest = kept(&changed);
    changed[17] = sha256(b"another past").to_vec();
    let rewritten = kept(&changed);
    for from in [18, 64, 255, 256, 299] {
        let path = rewritten.consistency(from, 300);
        let (seen, said) = (honest.head(from), rewritten.head(300));
        let refused = verify_consistency(&seen, &said, &path).unwrap_err();
        assert_ne!(refused, ConsistencyError::OutOfRange, "{from}");
    }
    // What lies before the change is not touched by it.
    let path = rewritten.consistency(16, 300);
    assert_eq!(verify_consistency(&honest.head(16), &rewritten.head(300), &path), Ok(()));
}

/// The roots and the consistency paths that implementations of RFC 6962 and RFC 9162 test themselves
/// with (certificate-transparency, transparency-dev/merkle), over their eight leaves.
#[test]
fn published_consistency_proofs_are_ours() {
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
    let hashes = leaves.iter().map(|leaf| sha256_parts(&[&[0], &hex::decode(leaf).unwrap()]));
    let log = Kept::of(hashes.collect());
    let root = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
    assert_eq!(hex::encode(log.head(8).root.as_bytes()), root);
    let published: [(u64, u64, &[&str]); 3] = [
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (from, to, expected) in published {
        let path = log.consistency(from, to);
        let found: Vec<String> = path.iter().map(|it| hex::encode(it.as_bytes())).collect();
        assert_eq!(found, expected, "{from} to {to}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_two_heads_of_a_log_are_consistent_and_any_flipped_bit_is_seen(
        to in 2u64..=20_000,
        pick in any::<u64>(),
        hash in any::<prop::sample::Index>(),
        bit in 0usize..256,
    ) {
        let log = kept(&entries(usize::try_from(to).unwrap()));
        let from = pick % (to - 1) + 1;
        let (old, new) = (log.head(from), log.head(to));
        let mut path = log.consistency(from, to);
        prop_assert_eq!(verify_consistency(&old, &new, &path), Ok(()));
        let place = hash.index(path.len());
        let mut bytes = path[place].to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        path[place] = Digest::from_bytes(bytes);
        prop_assert!(verify_consistency(&old, &new, &path).is_err());
    }
}
