//! What owners sign: SHA-256 of compact JSON with its keys in one fixed order.

use serde::Serialize;

use crate::crypto::sha256;
use crate::types::{Digest, Txid};

#[derive(Serialize)]
struct TransferMessage<'a> {
    purpose: &'static str,
    uid_tag_id: &'a str,
    #[serde(rename = "currentTxid")]
    current_txid: Txid,
    #[serde(rename = "newOwnerAddress")]
    new_owner_address: &'a str,
}

#[derive(Serialize)]
struct UnlockMessage<'a> {
    purpose: &'static str,
    uid_tag_id: &'a str,
    #[serde(rename = "currentTxid")]
    current_txid: Txid,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// Returns the text an owner signs to hand a product to `new_owner_address`.
pub fn transfer_message(uid_tag_id: &str, current_txid: Txid, new_owner_address: &str) -> String {
    compact(&TransferMessage {
        purpose: "transfer_ownership",
        uid_tag_id,
        current_txid,
        new_owner_address,
    })
}

/// Returns the text an owner signs to open a product's content, bound to a one-use nonce or, as the
/// predecessor's clients do, not.
pub fn unlock_message(uid_tag_id: &str, current_txid: Txid, nonce: Option<&str>) -> String {
    compact(&UnlockMessage { purpose: "unlock_content", uid_tag_id, current_txid, nonce })
}

/// Returns the digest of a message as it is signed.
pub fn message_digest(message: &str) -> Digest {
    Digest::from_bytes(sha256(message.as_bytes()))
}

fn compact<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("strings and hashes always have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_compact_with_keys_in_the_order_of_the_contract() {
        let txid = Txid::from_bytes([0xaa; 32]);
        let hex = "aa".repeat(32);
        assert_eq!(
            transfer_message("a \"b\"", txid, "mX"),
            format!(
                r#"{{"purpose":"transfer_ownership","uid_tag_id":"a \"b\"","currentTxid":"{hex}","newOwnerAddress":"mX"}}"#
            )
        );
        assert_eq!(
            unlock_message("uid", txid, None),
            format!(r#"{{"purpose":"unlock_content","uid_tag_id":"uid","currentTxid":"{hex}"}}"#)
        );
        assert!(unlock_message("uid", txid, Some("n")).ends_with(r#","nonce":"n"}"#));
    }
}
