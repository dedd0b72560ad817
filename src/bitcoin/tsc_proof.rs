//! Merkle proofs in the TSC form (BRC-10, BRC-11), which `WhatsOnChain` gives.

use serde::{Deserialize, Serialize};

use crate::bitcoin::merkle_tree::{
    Leaf, MAX_TREE_HEIGHT, MerklePathError, Node, Place, check_leaf_size, merkle_node,
};
use crate::bitcoin::{MerklePath, Transaction};
use crate::crypto::sha256d;
use crate::types::{BlockHash, Txid};

/// How the form writes that the level ended: the node before counts twice.
const DUPLICATE: &str = "*";
const TXID_DIGITS: usize = 64;

/// One element of the answer of `WhatsOnChain`'s `/tx/{txid}/proof/tsc` (BRC-10/11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TscProof {
    /// The place of the transaction in its block, from 0.
    pub index: u64,
    /// The transaction's identifier, or all its bytes in hexadecimal digits.
    #[serde(rename = "txOrId")]
    pub tx_or_id: String,
    /// The block.
    pub target: BlockHash,
    /// The siblings from the lowest level up; `*` where the level ended.
    pub nodes: Vec<String>,
}

impl MerklePath {
    /// Reads the proof that `txid` is in the block at `height`.
    pub fn from_tsc(proof: &TscProof, txid: &Txid, height: u32) -> Result<Self, MerklePathError> {
        check_subject(&proof.tx_or_id, txid)?;
        let tree_height = proof.nodes.len();
        if tree_height > MAX_TREE_HEIGHT {
            return Err(MerklePathError::TreeHeight(tree_height));
        }
        if proof.index >> tree_height != 0 {
            let place = Place { level: tree_height, offset: proof.index >> tree_height };
            return Err(MerklePathError::StrayOffset(place));
        }
        let mut working = txid.to_bytes();
        let mut levels = vec![vec![Leaf { offset: proof.index, node: Node::Txid(working) }]];
        for (level, text) in proof.nodes.iter().enumerate() {
            let offset = proof.index >> level;
            let sibling = if text == DUPLICATE {
                working
            } else {
                text.parse::<Txid>().map_err(|_| MerklePathError::TscNode(level))?.to_bytes()
            };
            // Some servers repeat the hash instead of writing the star; that is the same tree. On
            // the right side it is the second place of one transaction, which the climb refuses.
            let node = if sibling == working { Node::Duplicate } else { Node::Hash(sibling) };
            working = match offset % 2 {
                0 => merkle_node(&working, &sibling),
                _ => merkle_node(&sibling, &working),
            };
            if levels.len() == level {
                levels.push(Vec::new());
            }
            levels[level].push(Leaf { offset: offset ^ 1, node });
        }
        Self::from_levels(height, levels)
    }

    /// Returns the proof for `txid` alone, in block `target`.
    pub fn to_tsc(&self, txid: &Txid, target: BlockHash) -> Result<TscProof, MerklePathError> {
        let index = self.offset_of(txid).ok_or(MerklePathError::UnknownTxid(*txid))?;
        let mut nodes = Vec::with_capacity(self.depth());
        for (level, known) in self.tree()?.levels.iter().enumerate() {
            let offset = index >> level;
            let sibling = known
                .get(&(offset ^ 1))
                .ok_or(MerklePathError::MissingHash(Place { level, offset: offset ^ 1 }))?;
            let is_duplicate = known.get(&offset) == Some(sibling);
            nodes.push(if is_duplicate {
                DUPLICATE.to_owned()
            } else {
                Txid::from_bytes(*sibling).to_string()
            });
        }
        Ok(TscProof { index, tx_or_id: txid.to_string(), target, nodes })
    }
}

/// Refuses a proof that is not about `txid`.
fn check_subject(tx_or_id: &str, txid: &Txid) -> Result<(), MerklePathError> {
    if tx_or_id.len() == TXID_DIGITS {
        let is_it = tx_or_id.parse() == Ok(*txid);
        return if is_it { Ok(()) } else { Err(MerklePathError::TscSubject) };
    }
    let bytes = hex::decode(tx_or_id).map_err(|_| MerklePathError::TscSubject)?;
    check_leaf_size(bytes.len())?;
    Transaction::parse(&bytes)?;
    if sha256d(&bytes) == *txid.as_bytes() { Ok(()) } else { Err(MerklePathError::TscSubject) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::{merkle_path_of, merkle_root};

    fn txids(count: u8) -> Vec<Txid> {
        (0..count).map(|seed| Txid::from_bytes([seed; 32])).collect()
    }

    fn proof(count: u8, index: usize) -> TscProof {
        let path = merkle_path_of(&txids(count), index, 9).unwrap();
        path.to_tsc(&txids(count)[index], BlockHash::from_bytes([7; 32])).unwrap()
    }

    #[test]
    fn both_forms_say_the_same_for_every_place_of_small_blocks() {
        for count in 1..=17 {
            for (index, txid) in txids(count).iter().enumerate() {
                let path = merkle_path_of(&txids(count), index, 9).unwrap();
                let again = MerklePath::from_tsc(&proof(count, index), txid, 9).unwrap();
                assert_eq!(again, path, "{index} of {count}");
                assert_eq!(again.compute_root(txid), Ok(merkle_root(&txids(count)).unwrap()));
            }
        }
    }

    #[test]
    fn a_repeated_last_hash_is_read_as_the_star() {
        let mut repeated = proof(3, 2);
        assert_eq!(repeated.nodes[0], "*");
        repeated.nodes[0] = repeated.tx_or_id.clone();
        let path = MerklePath::from_tsc(&repeated, &txids(3)[2], 9).unwrap();
        assert_eq!(path, merkle_path_of(&txids(3), 2, 9).unwrap());
        repeated.index = 3;
        let beyond = MerklePath::from_tsc(&repeated, &txids(3)[2], 9);
        assert!(matches!(beyond, Err(MerklePathError::MisplacedDuplicate(_))), "{beyond:?}");
    }

    #[test]
    fn proofs_about_something_else_are_refused() {
        let txid = txids(8)[5];
        let read = |change: &dyn Fn(&mut TscProof)| {
            let mut changed = proof(8, 5);
            change(&mut changed);
            MerklePath::from_tsc(&changed, &txid, 9).map(|path| path.root())
        };
        assert!(read(&|_| {}).is_ok());
        assert_eq!(read(&|p| p.tx_or_id = "00".repeat(32)), Err(MerklePathError::TscSubject));
        assert_eq!(read(&|p| p.tx_or_id = "00".repeat(64)), Err(MerklePathError::LeafSize(64)));
        assert_eq!(read(&|p| p.tx_or_id = "é".into()), Err(MerklePathError::TscSubject));
        assert_eq!(read(&|p| p.nodes[1] = "**".into()), Err(MerklePathError::TscNode(1)));
        assert!(matches!(read(&|p| p.index += 8), Err(MerklePathError::StrayOffset(_))));
        assert!(matches!(read(&|p| p.index = u64::MAX), Err(MerklePathError::StrayOffset(_))));
        let tall = |p: &mut TscProof| p.nodes = vec!["*".into(); 33];
        assert_eq!(read(&tall), Err(MerklePathError::TreeHeight(33)));
        assert_ne!(read(&|p| p.index = 4), read(&|_| {}));
    }
}
