//! The JSON form of a Merkle path (BRC-74), and its stored form, which is the binary one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bitcoin::MerklePath;
use crate::bitcoin::merkle_tree::{Leaf, MerklePathError, Node, Place};
use crate::types::Txid;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PathJson {
    block_height: u32,
    path: Vec<Vec<LeafJson>>,
}

/// Hashes of all levels are printed reversed, as transaction identifiers are.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeafJson {
    offset: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<Txid>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    txid: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

impl LeafJson {
    fn of(leaf: &Leaf) -> Self {
        Self {
            offset: leaf.offset,
            hash: leaf.hash().map(|hash| Txid::from_bytes(*hash)),
            txid: matches!(leaf.node, Node::Txid(_)),
            duplicate: leaf.node == Node::Duplicate,
        }
    }

    fn into_leaf(self, level: usize) -> Result<Leaf, MerklePathError> {
        let node = match (self.hash, self.txid, self.duplicate) {
            (Some(hash), false, false) => Node::Hash(hash.to_bytes()),
            (Some(hash), true, false) if level == 0 => Node::Txid(hash.to_bytes()),
            (None, false, true) => Node::Duplicate,
            _ => return Err(MerklePathError::Flags(Place { level, offset: self.offset })),
        };
        Ok(Leaf { offset: self.offset, node })
    }
}

impl Serialize for MerklePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self.to_bytes().serialize(serializer);
        }
        let path =
            self.levels().iter().map(|leaves| leaves.iter().map(LeafJson::of).collect()).collect();
        PathJson { block_height: self.block_height(), path }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MerklePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let bytes = Vec::<u8>::deserialize(deserializer)?;
            return Self::parse(&bytes).map_err(serde::de::Error::custom);
        }
        let json = PathJson::deserialize(deserializer)?;
        let levels = json.path.into_iter().enumerate().map(|(level, leaves)| {
            leaves.into_iter().map(|leaf| leaf.into_leaf(level)).collect::<Result<_, _>>()
        });
        levels
            .collect::<Result<_, _>>()
            .and_then(|levels| Self::from_levels(json.block_height, levels))
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::combined_merkle_path;

    fn path() -> MerklePath {
        let txids: Vec<Txid> = (1..=11).map(|seed| Txid::from_bytes([seed; 32])).collect();
        combined_merkle_path(&txids, &[0, 10], 7).unwrap()
    }

    #[test]
    fn json_and_stored_form_read_back() {
        let path = path();
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<MerklePath>(&json).unwrap(), path);
        let stored = postcard::to_stdvec(&path).unwrap();
        assert_eq!(postcard::from_bytes::<MerklePath>(&stored).unwrap(), path);
    }

    #[test]
    fn json_leaves_that_contradict_themselves_are_refused() {
        let good = serde_json::to_value(path()).unwrap();
        for (pointer, value) in [
            ("/path/0/0/duplicate", serde_json::json!(true)),
            ("/path/0/0/hash", serde_json::json!(null)),
            ("/path/1/0/txid", serde_json::json!(true)),
            ("/path/0/0/height", serde_json::json!(1)),
            ("/path/0/0/offset", serde_json::json!(-1)),
            ("/blockHeight", serde_json::json!(4_294_967_296_u64)),
        ] {
            let mut bad = good.clone();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            bad.pointer_mut(parent).unwrap()[key] = value;
            assert!(serde_json::from_value::<MerklePath>(bad).is_err(), "{pointer}");
        }
    }
}
