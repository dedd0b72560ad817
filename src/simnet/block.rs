//! Blocks: real headers with work, the Merkle tree kept level by level so that a proof costs only
//! its own length.

use std::sync::Arc;

use crate::bitcoin::{BlockHeader, Script, Transaction, TscProof, TxIn, TxOut, Work};
use crate::crypto::sha256d;
use crate::simnet::KnownTransaction;
use crate::types::{BlockHash, ChainProfile, Digest, OutPoint, Satoshis, Txid};

const BLOCK_VERSION: u32 = 0x2000_0000;
const HEADER_SIZE: usize = 80;
/// The coins of a new block before its fees, until they halve.
const FIRST_SUBSIDY: u64 = 50 * 100_000_000;
const HALVING_INTERVAL: u32 = 210_000;
/// Names the maker in every coinbase.
const COINBASE_TAG: &[u8] = b"/PatchProof simnet/";

/// A block of the simulated chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    header: BlockHeader,
    hash: BlockHash,
    height: u32,
    chain_work: Work,
    transactions: Vec<Arc<KnownTransaction>>,
    /// From the identifiers up to the root.
    levels: Vec<Vec<[u8; 32]>>,
}

/// What a block is to be made of.
pub(super) struct BlockTemplate {
    /// The block before; nothing for the first.
    pub(super) parent: Option<Arc<Block>>,
    /// Unix seconds.
    pub(super) time: u32,
    /// The coinbase and what follows it, parents before children.
    pub(super) transactions: Vec<Arc<KnownTransaction>>,
}

impl BlockTemplate {
    /// Builds the Merkle tree and searches a nonce.
    pub(super) fn mine(self) -> Block {
        let levels = merkle_levels(&self.transactions);
        let root = levels.last().and_then(|top| top.first()).copied().unwrap_or_default();
        let parent = self.parent.as_deref();
        let mut header = BlockHeader {
            version: BLOCK_VERSION,
            previous: parent.map_or(BlockHash::from_bytes([0; 32]), Block::hash),
            merkle_root: Digest::from_bytes(root),
            time: self.time,
            bits: ChainProfile::Simulated.easiest_bits(),
            nonce: 0,
        };
        let work = loop {
            match header.check_work(ChainProfile::Simulated) {
                Ok(work) => break work,
                // Every second nonce will do: the search ends long before the numbers do.
                Err(_) => header.nonce = header.nonce.wrapping_add(1),
            }
        };
        Block {
            header,
            hash: header.hash(),
            height: parent.map_or(0, |parent| parent.height.saturating_add(1)),
            chain_work: parent.map_or(work, |parent| parent.chain_work.plus(work)),
            transactions: self.transactions,
            levels,
        }
    }
}

impl Block {
    /// Returns the header.
    pub const fn header(&self) -> &BlockHeader {
        &self.header
    }

    /// Returns the block's identifier.
    pub const fn hash(&self) -> BlockHash {
        self.hash
    }

    /// Returns how many blocks came before.
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// Returns the work of the chain that ends here.
    pub const fn chain_work(&self) -> Work {
        self.chain_work
    }

    /// Returns the transactions, the coinbase first.
    pub fn transactions(&self) -> &[Arc<KnownTransaction>] {
        &self.transactions
    }

    /// Returns the transactions that were submitted: all but the coinbase.
    pub fn submitted(&self) -> &[Arc<KnownTransaction>] {
        self.transactions.get(1..).unwrap_or_default()
    }

    /// Returns the block's size in bytes.
    pub fn size(&self) -> usize {
        let count_size = match self.transactions.len() {
            0..=0xfc => 1,
            0xfd..=0xffff => 3,
            _ => 5,
        };
        let transactions: usize = self.transactions.iter().map(|known| known.raw().len()).sum();
        HEADER_SIZE + count_size + transactions
    }

    /// Returns the proof that the transaction at `index` is in the block, if there is one.
    pub fn proof(&self, index: usize) -> Option<TscProof> {
        let known = self.transactions.get(index)?;
        let climbed = self.levels.split_last().map_or(&[][..], |(_, below)| below);
        let nodes = climbed.iter().enumerate().map(|(level, row)| {
            // A row of odd length pairs its last node with itself.
            let sibling = row.get((index >> level) ^ 1);
            sibling.map_or("*".to_owned(), |hash| Txid::from_bytes(*hash).to_string())
        });
        Some(TscProof {
            index: u64::try_from(index).ok()?,
            tx_or_id: known.txid().to_string(),
            target: self.hash,
            nodes: nodes.collect(),
        })
    }
}

fn merkle_levels(transactions: &[Arc<KnownTransaction>]) -> Vec<Vec<[u8; 32]>> {
    let mut row: Vec<[u8; 32]> = transactions.iter().map(|known| known.txid().to_bytes()).collect();
    let mut levels = Vec::new();
    while row.len() > 1 {
        let above = row
            .chunks(2)
            .map(|pair| sha256d(&[pair[0], pair.get(1).copied().unwrap_or(pair[0])].concat()))
            .collect();
        levels.push(std::mem::replace(&mut row, above));
    }
    levels.push(row);
    levels
}

/// Returns the coins that the block at `height` makes from nothing.
fn subsidy(height: u32) -> u64 {
    FIRST_SUBSIDY.checked_shr(height / HALVING_INTERVAL).unwrap_or(0)
}

/// What a block's first transaction says.
pub(super) struct Coinbase<'a> {
    /// The block's height.
    pub(super) height: u32,
    /// A number that no other coinbase of this node bears: two branches may meet at one height.
    pub(super) serial: u64,
    /// The fees of the block's other transactions.
    pub(super) fees: Satoshis,
    /// Who is paid.
    pub(super) locking_script: &'a Script,
}

impl Coinbase<'_> {
    pub(super) fn transaction(&self) -> KnownTransaction {
        let reward = Satoshis::new(subsidy(self.height))
            .and_then(|subsidy| subsidy.checked_add(self.fees))
            .expect("fees are part of the money that was mined before");
        let mut script = vec![4];
        script.extend_from_slice(&self.height.to_le_bytes());
        script.push(8);
        script.extend_from_slice(&self.serial.to_le_bytes());
        script.extend_from_slice(COINBASE_TAG);
        KnownTransaction::of(Transaction {
            version: 1,
            inputs: vec![TxIn {
                previous: OutPoint::new(Txid::from_bytes([0; 32]), u32::MAX),
                unlocking_script: Script::from_bytes(script),
                sequence: u32::MAX,
            }],
            outputs: vec![TxOut { value: reward, locking_script: self.locking_script.clone() }],
            lock_time: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::{MerklePath, merkle_root};

    fn block_of(count: u64) -> Block {
        let script = Script::pay_to_public_key_hash(&[7; 20]);
        let transactions = (0..count)
            .map(|serial| {
                let coinbase =
                    Coinbase { height: 1, serial, fees: Satoshis::ZERO, locking_script: &script };
                Arc::new(coinbase.transaction())
            })
            .collect();
        BlockTemplate { parent: None, time: 1_700_000_000, transactions }.mine()
    }

    #[test]
    fn every_proof_of_blocks_of_all_shapes_leads_to_the_root() {
        for count in (1..=33).chain([64, 65, 257]) {
            let block = block_of(count);
            let txids: Vec<Txid> = block.transactions.iter().map(|known| known.txid()).collect();
            assert_eq!(merkle_root(&txids), Ok(block.header.merkle_root), "{count}");
            for (index, txid) in txids.iter().enumerate() {
                let proof = block.proof(index).unwrap();
                let path = MerklePath::from_tsc(&proof, txid, block.height).unwrap();
                assert_eq!(path.compute_root(txid), Ok(block.header.merkle_root), "{count}");
            }
            assert!(block.proof(txids.len()).is_none());
        }
    }

    #[test]
    fn headers_carry_work_and_the_subsidy_halves_to_nothing() {
        let block = block_of(3);
        assert_eq!(block.header.check_work(ChainProfile::Simulated), Ok(block.chain_work));
        assert_eq!(subsidy(209_999), 50 * 100_000_000);
        assert_eq!(subsidy(210_000), 25 * 100_000_000);
        assert_eq!(subsidy(u32::MAX), 0);
    }
}
