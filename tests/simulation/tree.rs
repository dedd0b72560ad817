//! The tree of RFC 9162 as the document defines it (2.1.1 and 2.1.3.1): slow, and made of nothing that
//! the product's own is made of.

use patchproof::crypto::sha256_parts;
use patchproof::types::Digest;

/// Returns the root over commitments, of which there is at least one.
pub(crate) fn root_of(commitments: &[Digest]) -> Digest {
    if let [only] = commitments {
        return Digest::from_bytes(sha256_parts(&[&[0], only.as_bytes()]));
    }
    let (left, right) = commitments.split_at(split(commitments.len()));
    let (left, right) = (root_of(left), root_of(right));
    Digest::from_bytes(sha256_parts(&[&[1], left.as_bytes(), right.as_bytes()]))
}

/// Returns the hashes that lead from a leaf to the root, from the leaf upwards.
pub(crate) fn path_of(index: usize, commitments: &[Digest]) -> Vec<Digest> {
    if commitments.len() == 1 {
        return Vec::new();
    }
    let half = split(commitments.len());
    let (left, right) = commitments.split_at(half);
    let (mut path, sibling) = if index < half {
        (path_of(index, left), root_of(right))
    } else {
        (path_of(index - half, right), root_of(left))
    };
    path.push(sibling);
    path
}

/// The largest power of two below `count`, which is at least 2.
const fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}
