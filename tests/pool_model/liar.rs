//! The provider: knows the network's truth, and says something else as often as not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use patchproof::bitcoin::{Address, BlockHeader, MerklePath, Transaction};
use patchproof::chain::{
    BroadcastOutcome, Broadcaster, ChainError, ChainTip, ChainTracker, SpendStatus, Submission,
    TransactionStatus, UnspentOutput, UtxoSource,
};
use patchproof::simnet::Simnet;
use patchproof::types::{BlockHash, Network, OutPoint, Satoshis, Txid};

/// A generator of numbers (SplitMix64), so that a seed replays.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// The provider.
pub(crate) struct Liar {
    simnet: Arc<Simnet>,
    random: Mutex<Random>,
    /// Lists as they once were.
    old_lists: Mutex<Vec<Vec<UnspentOutput>>>,
    is_honest: AtomicBool,
}

impl Liar {
    pub(crate) fn new(simnet: Arc<Simnet>, seed: u64) -> Self {
        Self {
            simnet,
            random: Mutex::new(Random::new(seed ^ 0xabcd)),
            old_lists: Mutex::default(),
            is_honest: AtomicBool::new(false),
        }
    }

    /// From now on it says the truth.
    pub(crate) fn repent(&self) {
        self.is_honest.store(true, Ordering::SeqCst);
    }

    /// Returns a number below `bound`, 0 for the truth.
    fn mood(&self, bound: usize) -> usize {
        if self.is_honest.load(Ordering::SeqCst) {
            return 0;
        }
        self.random.lock().unwrap().below(bound)
    }

    /// Returns every transaction the network has, in its order.
    fn transactions(&self) -> Vec<Transaction> {
        let node = self.simnet.node();
        let known = node.accepted().iter().filter_map(|txid| node.transaction(txid));
        known.map(|known| known.transaction().clone()).collect()
    }

    fn true_list(&self, address: &str) -> Vec<UnspentOutput> {
        let script = Address::parse(address, Network::Test).unwrap().locking_script();
        let mut list = Vec::new();
        for transaction in self.transactions() {
            let txid = transaction.txid();
            for (vout, output) in (0u32..).zip(&transaction.outputs) {
                let outpoint = OutPoint::new(txid, vout);
                let is_spent = self.simnet.node().spender(&outpoint).is_some();
                if output.locking_script == script && !is_spent {
                    list.push(UnspentOutput { outpoint, value: output.value, height: None });
                }
            }
        }
        list
    }

    fn any_transaction(&self) -> Option<Transaction> {
        let all = self.transactions();
        if all.is_empty() {
            return None;
        }
        let place = self.random.lock().unwrap().below(all.len());
        Some(all[place].clone())
    }
}

fn html() -> ChainError {
    ChainError::Malformed("<html><body>502 Bad Gateway</body></html>".into())
}

#[async_trait]
impl UtxoSource for Liar {
    async fn unspent(&self, address: &str) -> Result<Vec<UnspentOutput>, ChainError> {
        let mut list = self.true_list(address);
        let mut old_lists = self.old_lists.lock().unwrap();
        old_lists.push(list.clone());
        match self.mood(8) {
            1 => Ok(Vec::new()),
            2 => Err(html()),
            // As it was: what is spent or leased by now is listed as free.
            3 | 4 => {
                let place = self.random.lock().unwrap().below(old_lists.len());
                Ok(old_lists[place].clone())
            }
            5 => {
                for output in &mut list {
                    output.value = Satoshis::new(output.value.get() * 10).unwrap();
                }
                Ok(list)
            }
            // The second page is missing.
            6 => Ok(list.split_off(list.len() / 2)),
            // Everything the network ever saw, spent or not, in a block that is none.
            7 => Ok(self
                .transactions()
                .iter()
                .flat_map(|it| {
                    let txid = it.txid();
                    (0u32..).zip(&it.outputs).map(move |(vout, output)| UnspentOutput {
                        outpoint: OutPoint::new(txid, vout),
                        value: output.value,
                        height: Some(1),
                    })
                })
                .collect()),
            _ => Ok(list),
        }
    }
}

#[async_trait]
impl ChainTracker for Liar {
    async fn tip(&self) -> Result<ChainTip, ChainError> {
        if self.mood(10) == 1 {
            return Err(html());
        }
        let node = self.simnet.node();
        Ok(ChainTip { height: node.height(), hash: node.tip().hash() })
    }

    async fn header_at(&self, _: u32) -> Result<Option<BlockHeader>, ChainError> {
        Ok(None)
    }

    async fn header(&self, _: BlockHash) -> Result<Option<BlockHeader>, ChainError> {
        Ok(None)
    }

    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        match self.mood(5) {
            1 => Err(html()),
            2 => Ok(Vec::new()),
            3 => Ok(vec![TransactionStatus::Unknown; txids.len()]),
            4 => {
                let mined =
                    TransactionStatus::Mined { block: BlockHash::from_bytes([9; 32]), height: 1 };
                Ok(vec![mined; txids.len()])
            }
            _ => Ok(vec![TransactionStatus::InMempool; txids.len()]),
        }
    }

    async fn merkle_path(&self, _: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        Ok(None)
    }

    async fn transaction(&self, txid: Txid) -> Result<Option<Transaction>, ChainError> {
        match self.mood(6) {
            1 => Err(html()),
            2 => Ok(None),
            3 => Ok(self.any_transaction()),
            _ => {
                let node = self.simnet.node();
                Ok(node.transaction(&txid).map(|known| known.transaction().clone()))
            }
        }
    }

    async fn spender(&self, outpoint: OutPoint) -> Result<SpendStatus, ChainError> {
        let truth = self.simnet.node().spender(&outpoint);
        let truth = truth.map_or(SpendStatus::Unspent, SpendStatus::SpentBy);
        match self.mood(6) {
            1 => Err(html()),
            2 => Ok(SpendStatus::Unspent),
            3 => Ok(SpendStatus::Unknown),
            4 | 5 => {
                let other = self.any_transaction().map(|it| SpendStatus::SpentBy(it.txid()));
                Ok(other.unwrap_or(truth))
            }
            _ => Ok(truth),
        }
    }
}

#[async_trait]
impl Broadcaster for Liar {
    async fn broadcast(&self, submission: Submission<'_>) -> BroadcastOutcome {
        let raw = submission.raw;
        let lost = || BroadcastOutcome::Unknown { reason: "time-out".into(), retry_after_ms: None };
        match self.mood(6) {
            // Nothing arrives.
            1 | 2 => lost(),
            // It arrives, and the answer is lost.
            3 => {
                let _unheard = self.simnet.submit(raw);
                lost()
            }
            // It does not arrive, and the answer is a lie.
            4 => BroadcastOutcome::Conflict { reason: "258: txn-mempool-conflict".into() },
            5 => BroadcastOutcome::Invalid { reason: "16: mandatory-script-verify-flag".into() },
            _ => match self.simnet.submit(raw) {
                Ok(_) => BroadcastOutcome::Accepted,
                Err(rejection) => BroadcastOutcome::Conflict { reason: format!("{rejection:?}") },
            },
        }
    }
}
