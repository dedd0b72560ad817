//! The explorer's answers: what a view of the node looks like in WhatsOnChain's JSON.

use serde::Serialize;

use crate::bitcoin::{Address, TxIn, TxOut};
use crate::simnet::block::Block;
use crate::simnet::{KnownTransaction, Location, Unspent, View};
use crate::types::{BlockHash, Network, Satoshis, Txid};

/// The difficulty of the easiest target of the simulated network.
const DIFFICULTY: f64 = 4.656_542_373_906_925e-10;

#[derive(Debug, Serialize)]
pub(super) struct ChainInfo {
    chain: &'static str,
    blocks: u32,
    headers: u32,
    bestblockhash: BlockHash,
    difficulty: f64,
    mediantime: u32,
    verificationprogress: f64,
    pruned: bool,
    chainwork: String,
}

impl ChainInfo {
    pub(super) fn of(view: &View<'_>, network: Network) -> Self {
        Self {
            chain: network.as_str(),
            blocks: view.height(),
            headers: view.height(),
            bestblockhash: view.tip().hash(),
            difficulty: DIFFICULTY,
            mediantime: view.median_time_at(view.height()),
            verificationprogress: 1.0,
            pruned: false,
            chainwork: view.tip().chain_work().to_string(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Tip {
    height: u32,
    hash: BlockHash,
    branchlen: u32,
    status: &'static str,
}

impl Tip {
    pub(super) fn all(view: &View<'_>) -> Vec<Self> {
        let tip = view.tip();
        let active =
            Self { height: tip.height(), hash: tip.hash(), branchlen: 0, status: "active" };
        let abandoned = view.abandoned_tips().into_iter().map(|(block, branchlen)| Self {
            height: block.height(),
            hash: block.hash(),
            branchlen,
            status: "valid-fork",
        });
        std::iter::once(active).chain(abandoned).collect()
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Header {
    hash: BlockHash,
    confirmations: i64,
    size: usize,
    height: u32,
    version: u32,
    #[serde(rename = "versionHex")]
    version_hex: String,
    merkleroot: Txid,
    time: u32,
    mediantime: u32,
    nonce: u32,
    bits: String,
    difficulty: f64,
    chainwork: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    previousblockhash: Option<BlockHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nextblockhash: Option<BlockHash>,
    #[serde(rename = "nTx")]
    n_tx: usize,
    num_tx: usize,
}

impl Header {
    pub(super) fn of(view: &View<'_>, block: &Block) -> Self {
        let header = block.header();
        let next = view.block_at(block.height().saturating_add(1));
        Self {
            hash: block.hash(),
            confirmations: view.confirmations(block),
            size: block.size(),
            height: block.height(),
            version: header.version,
            version_hex: format!("{:08x}", header.version),
            // A root prints reversed as identifiers do.
            merkleroot: Txid::from_bytes(header.merkle_root.to_bytes()),
            time: header.time,
            mediantime: view.median_time_at(block.height()),
            nonce: header.nonce,
            bits: format!("{:08x}", header.bits),
            difficulty: DIFFICULTY,
            chainwork: block.chain_work().to_string(),
            previousblockhash: (block.height() > 0).then_some(header.previous),
            nextblockhash: next.filter(|_| view.is_best(block)).map(|next| next.hash()),
            n_tx: block.transactions().len(),
            num_tx: block.transactions().len(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Status {
    txid: String,
    #[serde(flatten)]
    block: Option<StatusBlock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct StatusBlock {
    blockhash: BlockHash,
    blockheight: u32,
    blocktime: u32,
    confirmations: i64,
}

impl StatusBlock {
    fn of(view: &View<'_>, block: &Block) -> Self {
        Self {
            blockhash: block.hash(),
            blockheight: block.height(),
            blocktime: block.header().time,
            confirmations: view.confirmations(block),
        }
    }
}

impl Status {
    pub(super) fn of(view: &View<'_>, txid: String) -> Self {
        let found = txid.parse::<Txid>().ok().and_then(|txid| view.transaction(&txid));
        let block = found
            .and_then(|(_, location)| view.block_at(location?.height))
            .map(|block| StatusBlock::of(view, block));
        Self { txid, block, error: found.is_none().then_some("unknown") }
    }

    /// Claims that the transaction is in the newest block, whatever is true.
    pub(super) fn forged(view: &View<'_>, txid: String) -> Self {
        Self { txid, block: Some(StatusBlock::of(view, view.tip())), error: None }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct UnspentItem {
    height: u32,
    tx_pos: u32,
    tx_hash: Txid,
    value: Satoshis,
    #[serde(rename = "isSpentInMempoolTx", skip_serializing_if = "Option::is_none")]
    spent_in_mempool: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

impl UnspentItem {
    /// The form of the bare list.
    pub(super) fn plain(unspent: &Unspent) -> Self {
        Self {
            height: unspent.height.unwrap_or(0),
            tx_pos: unspent.outpoint.vout,
            tx_hash: unspent.outpoint.txid,
            value: unspent.value,
            spent_in_mempool: None,
            status: None,
        }
    }

    /// The form of the list with an envelope.
    pub(super) fn full(unspent: &Unspent) -> Self {
        let status = if unspent.height.is_some() { "confirmed" } else { "unconfirmed" };
        Self {
            spent_in_mempool: Some(unspent.spent_in_mempool),
            status: Some(status),
            ..Self::plain(unspent)
        }
    }
}

/// One page of a list of unspent outputs.
#[derive(Debug, Serialize)]
pub(super) struct UnspentPage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) script: Option<String>,
    pub(super) result: Vec<UnspentItem>,
    pub(super) error: &'static str,
    #[serde(rename = "nextPageToken", skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SpentBy {
    pub(super) txid: Txid,
    pub(super) vin: usize,
    pub(super) status: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct TransactionInfo {
    txid: Txid,
    hash: Txid,
    version: u32,
    size: usize,
    locktime: u32,
    vin: Vec<InputInfo>,
    vout: Vec<OutputInfo>,
    #[serde(flatten)]
    block: Option<InfoBlock>,
}

#[derive(Debug, Serialize)]
struct InfoBlock {
    blockhash: BlockHash,
    confirmations: i64,
    time: u32,
    blocktime: u32,
    blockheight: u32,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum InputInfo {
    Coinbase {
        coinbase: String,
        sequence: u32,
    },
    Spending {
        txid: Txid,
        vout: u32,
        #[serde(rename = "scriptSig")]
        script_sig: ScriptHex,
        sequence: u32,
    },
}

#[derive(Debug, Serialize)]
struct ScriptHex {
    hex: String,
}

#[derive(Debug, Serialize)]
struct OutputInfo {
    value: f64,
    n: usize,
    #[serde(rename = "scriptPubKey")]
    script_pub_key: LockingScript,
}

#[derive(Debug, Serialize)]
struct LockingScript {
    hex: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<[String; 1]>,
}

impl TransactionInfo {
    pub(super) fn of(
        view: &View<'_>,
        known: &KnownTransaction,
        location: Option<Location>,
        network: Network,
    ) -> Self {
        let transaction = known.transaction();
        let is_coinbase = transaction.is_coinbase();
        let block = location.and_then(|location| view.block_at(location.height));
        let outputs = transaction.outputs.iter().enumerate();
        Self {
            txid: known.txid(),
            hash: known.txid(),
            version: transaction.version,
            size: known.raw().len(),
            locktime: transaction.lock_time,
            vin: transaction.inputs.iter().map(|input| input_info(input, is_coinbase)).collect(),
            vout: outputs.map(|(n, output)| output_info(n, output, network)).collect(),
            block: block.map(|block| InfoBlock {
                blockhash: block.hash(),
                confirmations: view.confirmations(block),
                time: block.header().time,
                blocktime: block.header().time,
                blockheight: block.height(),
            }),
        }
    }
}

fn input_info(input: &TxIn, is_coinbase: bool) -> InputInfo {
    let hex = hex::encode(input.unlocking_script.as_bytes());
    if is_coinbase {
        return InputInfo::Coinbase { coinbase: hex, sequence: input.sequence };
    }
    InputInfo::Spending {
        txid: input.previous.txid,
        vout: input.previous.vout,
        script_sig: ScriptHex { hex },
        sequence: input.sequence,
    }
}

fn output_info(n: usize, output: &TxOut, network: Network) -> OutputInfo {
    let script = &output.locking_script;
    let address = script.as_public_key_hash().map(|hash| Address::of_hash(hash, network));
    let kind = match address {
        Some(_) => "pubkeyhash",
        None if script.is_data() => "nulldata",
        None => "nonstandard",
    };
    OutputInfo {
        value: in_coins(output.value),
        n,
        script_pub_key: LockingScript {
            hex: hex::encode(script.as_bytes()),
            kind,
            addresses: address.map(|address| [address.to_string()]),
        },
    }
}

/// Returns an amount in coins, as the public service shows it; a float, so nothing may depend on it.
fn in_coins(amount: Satoshis) -> f64 {
    let (coins, rest) = (amount.get() / 100_000_000, amount.get() % 100_000_000);
    format!("{coins}.{rest:08}").parse().unwrap_or(0.0)
}
