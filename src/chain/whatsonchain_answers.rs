//! The forms of WhatsOnChain's answers, and what is believed of them.
//!
//! Pure. An answer is taken whole or refused with the reason; a list that may be short is refused,
//! never shortened.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::bitcoin::{BlockHeader, TscProof};
use crate::chain::{TransactionStatus, UnspentOutput};
use crate::types::{BlockHash, Digest, Network, OutPoint, Satoshis, Txid};

/// Answer of `/chain/info`.
#[derive(Deserialize)]
pub(super) struct ChainInfo {
    chain: Option<String>,
    pub(super) blocks: u32,
    #[serde(rename = "bestblockhash")]
    pub(super) best_block_hash: BlockHash,
}

impl ChainInfo {
    /// Refuses an endpoint that says it is on the other public network.
    pub(super) fn check_network(&self, network: Network) -> Result<(), String> {
        match self.chain.as_deref().and_then(|name| name.parse::<Network>().ok()) {
            Some(named) if named != network => {
                Err(format!("it is on the network {named}, not {network}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Answer of `/block/{hash or height}/header`.
#[derive(Deserialize)]
pub(super) struct HeaderAnswer {
    hash: BlockHash,
    confirmations: Option<i64>,
    pub(super) height: Option<u32>,
    version: i64,
    #[serde(rename = "merkleroot")]
    merkle_root: BlockHash,
    time: u32,
    nonce: u32,
    bits: Bits,
    #[serde(rename = "previousblockhash", default)]
    previous: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bits {
    Hexadecimal(String),
    Number(u32),
}

impl HeaderAnswer {
    /// Rebuilds the header and checks that it has the hash that the answer states.
    pub(super) fn header(&self) -> Result<BlockHeader, String> {
        let version = u32::try_from(self.version)
            .or_else(|_| i32::try_from(self.version).map(i32::cast_unsigned))
            .map_err(|_| "a block version does not fit 32 bits".to_owned())?;
        let bits = match &self.bits {
            Bits::Hexadecimal(text) => u32::from_str_radix(text, 16).ok(),
            Bits::Number(number) => Some(*number),
        };
        let previous = match self.previous.as_deref() {
            // The first block has none before it.
            None | Some("") => Some(BlockHash::from_bytes([0; 32])),
            Some(text) => text.parse().ok(),
        };
        let header = BlockHeader {
            version,
            previous: previous.ok_or("a previous block hash is no hash")?,
            merkle_root: Digest::from_bytes(self.merkle_root.to_bytes()),
            time: self.time,
            bits: bits.ok_or("the bits of a header are no 32-bit number")?,
            nonce: self.nonce,
        };
        if header.hash() == self.hash {
            Ok(header)
        } else {
            Err(format!("the fields of header {} hash to {}", self.hash, header.hash()))
        }
    }

    /// Says whether the block lost its place in the endpoint's best chain.
    pub(super) fn is_orphaned(&self) -> bool {
        self.confirmations.is_some_and(|confirmations| confirmations < 0)
    }
}

/// One element of the answer of `/txs/status`.
#[derive(Deserialize)]
pub(super) struct StatusAnswer {
    txid: Txid,
    #[serde(rename = "blockhash")]
    block: Option<String>,
    #[serde(rename = "blockheight")]
    height: Option<i64>,
    error: Option<String>,
}

impl StatusAnswer {
    fn status(&self) -> Result<TransactionStatus, String> {
        if self.error.as_deref().is_some_and(|error| !error.is_empty()) {
            return Ok(TransactionStatus::Unknown);
        }
        let Some(block) = self.block.as_deref().filter(|block| !block.is_empty()) else {
            return Ok(TransactionStatus::InMempool);
        };
        let height = self.height.and_then(|height| u32::try_from(height).ok());
        match (block.parse(), height) {
            (Ok(block), Some(height)) => Ok(TransactionStatus::Mined { block, height }),
            (Ok(_) | Err(_), _) => Err("a transaction is in a block without hash or height".into()),
        }
    }
}

/// Puts `answers` in the order of `asked`; what is missing is unknown.
pub(super) fn statuses_in_order(
    asked: &[Txid],
    answers: &[StatusAnswer],
) -> Result<Vec<TransactionStatus>, String> {
    let find = |txid: &Txid| answers.iter().find(|answer| answer.txid == *txid);
    let status = |txid| find(txid).map_or(Ok(TransactionStatus::Unknown), StatusAnswer::status);
    asked.iter().map(status).collect()
}

/// Answer of `/tx/{txid}/proof/tsc`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum ProofAnswer {
    /// Proofs, one per block that contains the transaction.
    Many(Vec<TscProof>),
    /// A bare proof.
    One(TscProof),
}

impl ProofAnswer {
    pub(super) fn into_proofs(self) -> Vec<TscProof> {
        match self {
            Self::Many(proofs) => proofs,
            Self::One(proof) => vec![proof],
        }
    }
}

/// Answer of `/tx/{txid}/{vout}/spent`.
#[derive(Deserialize)]
pub(super) struct SpentAnswer {
    pub(super) txid: Txid,
}

/// Answer of the lists of unspent outputs: an array in the oldest form, else an envelope.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum UnspentAnswer {
    /// The oldest form.
    Bare(Vec<UnspentItem>),
    /// The present form.
    Envelope(UnspentEnvelope),
}

/// One page of unspent outputs.
#[derive(Deserialize)]
pub(super) struct UnspentEnvelope {
    address: Option<String>,
    result: Option<Vec<UnspentItem>>,
    error: Option<String>,
    #[serde(rename = "nextPageToken")]
    next_page_token: Option<String>,
}

/// One unspent output.
#[derive(Deserialize)]
pub(super) struct UnspentItem {
    #[serde(default)]
    height: i64,
    tx_pos: u32,
    tx_hash: Txid,
    value: Satoshis,
    #[serde(rename = "isSpentInMempoolTx", default)]
    spent_in_mempool: bool,
    status: Option<String>,
}

impl UnspentAnswer {
    /// Returns the items and the token of the next page, if the answer is about `address`.
    pub(super) fn into_page(
        self,
        address: &str,
    ) -> Result<(Vec<UnspentItem>, Option<String>), String> {
        let page = match self {
            Self::Bare(items) => return Ok((items, None)),
            Self::Envelope(page) => page,
        };
        if let Some(error) = page.error.filter(|error| !error.is_empty()) {
            return Err(format!("the list of outputs failed: {error}"));
        }
        let named = page.address.as_deref();
        if named.is_some_and(|named| named != address) {
            return Err("the list of outputs is of another address".to_owned());
        }
        // Null is how some servers write an empty list; without the address it is no list at all.
        let items = match page.result {
            Some(items) => items,
            None if named.is_some() => Vec::new(),
            None => return Err("the list of outputs has neither result nor address".to_owned()),
        };
        Ok((items, page.next_page_token.filter(|token| !token.is_empty())))
    }
}

/// Joins pages and halves: each output once, those that a waiting transaction spends left out.
pub(super) fn unspent_outputs(items: Vec<UnspentItem>) -> Result<Vec<UnspentOutput>, String> {
    let mut outputs: BTreeMap<OutPoint, (UnspentOutput, bool)> = BTreeMap::new();
    for item in items {
        let value = Satoshis::new(item.value.get()).map_err(|error| error.to_string())?;
        let outpoint = OutPoint::new(item.tx_hash, item.tx_pos);
        let unconfirmed = item.height <= 0 || item.status.as_deref() == Some("unconfirmed");
        let height = if unconfirmed {
            None
        } else {
            let height = u32::try_from(item.height);
            Some(height.map_err(|_| format!("the height of {outpoint} cannot exist"))?)
        };
        let new = UnspentOutput { outpoint, value, height };
        // While a block lands, one output can be in both halves: mined is the later news.
        let (known, spent) = outputs.entry(outpoint).or_insert((new, false));
        if known.value != value {
            return Err(format!("{outpoint} is listed with two amounts"));
        }
        known.height = known.height.or(height);
        *spent |= item.spent_in_mempool;
    }
    Ok(outputs.into_values().filter(|(_, spent)| !spent).map(|(output, _)| output).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(json: &serde_json::Value) -> Result<Vec<UnspentOutput>, String> {
        let answer: UnspentAnswer =
            serde_json::from_value(json.clone()).map_err(|error| error.to_string())?;
        answer.into_page("addr").and_then(|(items, _)| unspent_outputs(items))
    }

    fn item(byte: u8, height: i64, value: u64) -> serde_json::Value {
        let hash = Txid::from_bytes([byte; 32]);
        serde_json::json!({ "height": height, "tx_pos": 0, "tx_hash": hash, "value": value })
    }

    #[test]
    fn headers_are_rebuilt_and_must_have_their_hash() {
        let text = include_str!("../../tests/vectors/anchoring/tsc_testnet.json");
        let vector: serde_json::Value = serde_json::from_str(text).unwrap();
        let known = &vector["header"];
        let mut answer = serde_json::json!({
            "hash": known["hash"], "confirmations": 3, "height": known["height"],
            "version": known["version"], "merkleroot": known["merkleRoot"],
            "time": known["time"], "nonce": known["nonce"], "bits": "1d00ffff",
            "previousblockhash": known["previousHash"],
        });
        let parse = |json: &serde_json::Value| {
            serde_json::from_value::<HeaderAnswer>(json.clone()).unwrap().header()
        };
        let hash = parse(&answer).unwrap().hash();
        assert_eq!(hash.to_string(), known["hash"].as_str().unwrap());
        answer["bits"] = serde_json::json!(0x1d00_ffff);
        assert!(parse(&answer).is_ok(), "bits as a number");
        answer["nonce"] = serde_json::json!(1);
        assert!(parse(&answer).is_err());
    }

    #[test]
    fn what_is_missing_from_a_list_of_statuses_is_unknown() {
        let txids: Vec<_> = (1..=4).map(|byte| Txid::from_bytes([byte; 32])).collect();
        let block = BlockHash::from_bytes([9; 32]);
        let json = serde_json::json!([
            { "txid": txids[2], "blockhash": block, "blockheight": 7, "confirmations": 1 },
            { "txid": txids[1] },
            { "txid": txids[0], "error": "unknown" },
        ]);
        let answers: Vec<StatusAnswer> = serde_json::from_value(json).unwrap();
        assert_eq!(
            statuses_in_order(&txids, &answers).unwrap(),
            [
                TransactionStatus::Unknown,
                TransactionStatus::InMempool,
                TransactionStatus::Mined { block, height: 7 },
                TransactionStatus::Unknown,
            ]
        );
        let json = serde_json::json!([{ "txid": txids[0], "blockhash": block, "blockheight": -1 }]);
        let answers: Vec<StatusAnswer> = serde_json::from_value(json).unwrap();
        assert!(statuses_in_order(&txids, &answers).is_err());
    }

    #[test]
    fn outputs_are_listed_once_and_mined_wins() {
        let mut spent = item(3, 5, 10);
        spent["isSpentInMempoolTx"] = true.into();
        let list = serde_json::json!({
            "address": "addr", "error": "",
            "result": [item(1, 0, 10), item(1, 7, 10), item(2, -1, 20), spent],
        });
        let outputs = page(&list).unwrap();
        let heights: Vec<_> = outputs.iter().map(|output| output.height).collect();
        assert_eq!(heights, [Some(7), None]);
        assert_eq!(page(&serde_json::json!([item(1, 7, 10)])).unwrap().len(), 1, "oldest form");
        assert_eq!(page(&serde_json::json!({ "address": "addr", "result": null })), Ok(vec![]));
    }

    #[test]
    fn doubtful_lists_are_refused_whole() {
        for json in [
            serde_json::json!({}),
            serde_json::json!({ "result": null }),
            serde_json::json!({ "address": "other", "result": [] }),
            serde_json::json!({ "address": "addr", "result": [], "error": "timeout" }),
            serde_json::json!({ "result": [item(1, 7, 10), item(1, 7, 11)] }),
            serde_json::json!({ "result": [item(1, 7, u64::MAX)] }),
            serde_json::json!({ "result": [item(1, i64::MAX, 1)] }),
            serde_json::json!({ "result": [{ "tx_pos": 0 }] }),
            serde_json::json!("text"),
        ] {
            assert!(page(&json).is_err(), "{json}");
        }
    }
}
