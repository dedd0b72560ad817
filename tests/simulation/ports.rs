//! The ports of the system onto the simulated network, with everything that goes wrong on the way.

use std::sync::Arc;

use async_trait::async_trait;

use patchproof::bitcoin::{BlockHeader, MerklePath, Transaction, TscProof};
use patchproof::chain::{
    BroadcastOutcome, Broadcaster, ChainError, ChainTip, ChainTracker, SpendStatus, Submission,
    TransactionStatus, UnspentOutput, UtxoSource, classify_whatsonchain,
};
use patchproof::simnet::{Delivery, Fault, ScriptHash, Spend, View, deliver};
use patchproof::types::{BlockHash, ChainProfile, Network, OutPoint, Satoshis, Txid};

use crate::net::Net;
use crate::weather::{Kind, Trouble};

/// The network as the system sees it.
pub(crate) struct Port(pub(crate) Arc<Net>);

impl Port {
    /// Waits at the gate, then says what goes wrong.
    async fn trouble(&self, kind: Kind, subject: u64) -> Option<Trouble> {
        self.0.gates.pass().await;
        self.0.weather().strike(kind, subject)
    }

    /// As [`Self::trouble`], for questions: silence is an error, a lagging index a number.
    async fn ask(&self, kind: Kind, subject: u64) -> Result<(Option<Trouble>, u32), ChainError> {
        match self.trouble(kind, subject).await {
            Some(Trouble::Unreachable) => Err(ChainError::Unreachable("no answer".into())),
            Some(Trouble::RateLimited) => Err(ChainError::RateLimited { retry_after_ms: Some(2) }),
            Some(Trouble::Fault(Fault::Lag { blocks })) => Ok((None, blocks)),
            other => Ok((other, 0)),
        }
    }

    fn label(&self, txid: Txid) -> u64 {
        self.0.weather().label(txid)
    }
}

fn unreachable_reason(reason: &str) -> BroadcastOutcome {
    BroadcastOutcome::Unknown { reason: reason.to_owned(), retry_after_ms: None }
}

#[async_trait]
impl Broadcaster for Port {
    async fn broadcast(&self, submission: Submission<'_>) -> BroadcastOutcome {
        let Submission { txid, raw, .. } = submission;
        {
            let mut traffic = self.0.traffic();
            traffic.broadcasts += 1;
            let before = traffic.sent.insert(txid, raw.to_vec());
            if before.is_some_and(|before| before != raw) {
                traffic.offences.push(format!("{txid} was sent in other bytes than before"));
            }
        }
        let label = self.label(txid);
        let fault = match self.trouble(Kind::Broadcast, label).await {
            Some(Trouble::Late) => {
                self.0.traffic().late.push(raw.to_vec());
                return unreachable_reason("time-out");
            }
            Some(Trouble::Fault(fault)) => Some(fault),
            Some(_) | None => None,
        };
        match deliver(fault.as_ref(), || self.0.node().submit(raw)) {
            Delivery::Answered { status, body } => classify_whatsonchain(status, &body, txid),
            Delivery::Lost(_) => unreachable_reason("connection lost"),
        }
    }
}

#[async_trait]
impl ChainTracker for Port {
    async fn tip(&self) -> Result<ChainTip, ChainError> {
        let (_, lag) = self.ask(Kind::Header, 0).await?;
        let node = self.0.node();
        let view = View::new(&node, lag);
        Ok(ChainTip { height: view.height(), hash: view.tip().hash() })
    }

    async fn header_at(&self, height: u32) -> Result<Option<BlockHeader>, ChainError> {
        let (trouble, lag) = self.ask(Kind::Header, 1 + u64::from(height)).await?;
        let node = self.0.node();
        let header = View::new(&node, lag).block_at(height).map(|block| *block.header());
        Ok(header.map(|header| match trouble {
            Some(Trouble::ForgedHeader) => without_work(header),
            Some(_) | None => header,
        }))
    }

    async fn header(&self, hash: BlockHash) -> Result<Option<BlockHeader>, ChainError> {
        let (_, lag) = self.ask(Kind::Header, 0).await?;
        let node = self.0.node();
        Ok(View::new(&node, lag).block(&hash).map(|block| *block.header()))
    }

    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        let (trouble, lag) = self.ask(Kind::Status, 0).await?;
        let node = self.0.node();
        let view = View::new(&node, lag);
        let tip = view.tip();
        let forged = TransactionStatus::Mined { block: tip.hash(), height: tip.height() };
        Ok(match trouble {
            Some(Trouble::Denied) => vec![TransactionStatus::Unknown; txids.len()],
            Some(Trouble::Fault(Fault::ForgeStatus)) => vec![forged; txids.len()],
            Some(Trouble::Fault(Fault::EmptyList)) => Vec::new(),
            Some(_) | None => txids.iter().map(|txid| status(&view, txid)).collect(),
        })
    }

    async fn merkle_path(&self, txid: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        let label = self.label(txid);
        let (trouble, lag) = self.ask(Kind::Proof, label).await?;
        let node = self.0.node();
        let view = View::new(&node, lag);
        match trouble {
            Some(Trouble::Denied) => return Ok(None),
            Some(Trouble::Fault(Fault::ForgeProof)) => return Ok(forged_proof(&view, txid)),
            Some(_) | None => {}
        }
        let Some(proof) = view.proof(&txid) else { return Ok(None) };
        let height = view.block(&proof.target).unwrap().height();
        Ok(Some((MerklePath::from_tsc(&proof, &txid, height).unwrap(), proof.target)))
    }

    async fn transaction(&self, txid: Txid) -> Result<Option<Transaction>, ChainError> {
        let label = self.label(txid);
        let (trouble, lag) = self.ask(Kind::Transaction, label).await?;
        let node = self.0.node();
        let known = View::new(&node, lag).transaction(&txid);
        Ok(known.filter(|_| trouble.is_none()).map(|(known, _)| known.transaction().clone()))
    }

    async fn spender(&self, outpoint: OutPoint) -> Result<SpendStatus, ChainError> {
        let label = self.label(outpoint.txid) * 8 + u64::from(outpoint.vout);
        let (trouble, lag) = self.ask(Kind::Spend, label).await?;
        let node = self.0.node();
        match trouble {
            Some(Trouble::Denied) => return Ok(SpendStatus::Unknown),
            Some(Trouble::FalseSpender) => return Ok(SpendStatus::SpentBy(bystander(&node))),
            Some(_) | None => {}
        }
        Ok(match View::new(&node, lag).spend(&outpoint) {
            Spend::Unknown => SpendStatus::Unknown,
            Spend::Unspent => SpendStatus::Unspent,
            Spend::SpentBy { txid, .. } => SpendStatus::SpentBy(txid),
        })
    }
}

/// The oldest transaction of the network: buried deep, and none of ours.
fn bystander(node: &patchproof::simnet::Node) -> Txid {
    node.accepted().first().copied().unwrap_or(Txid::from_bytes([7; 32]))
}

fn status(view: &View<'_>, txid: &Txid) -> TransactionStatus {
    match view.transaction(txid) {
        None => TransactionStatus::Unknown,
        Some((_, None)) => TransactionStatus::InMempool,
        Some((_, Some(at))) => {
            view.block_at(at.height).map_or(TransactionStatus::Unknown, |block| {
                TransactionStatus::Mined { block: block.hash(), height: at.height }
            })
        }
    }
}

/// A path that is one, from a transaction to the root of no block.
fn forged_proof(view: &View<'_>, txid: Txid) -> Option<(MerklePath, BlockHash)> {
    let block = view.tip();
    let proof = TscProof {
        index: 1,
        tx_or_id: txid.to_string(),
        target: block.hash(),
        nodes: vec![Txid::from_bytes([9; 32]).to_string()],
    };
    let path = MerklePath::from_tsc(&proof, &txid, block.height()).unwrap();
    Some((path, block.hash()))
}

fn without_work(mut header: BlockHeader) -> BlockHeader {
    while header.check_work(ChainProfile::Simulated).is_ok() {
        header.nonce = header.nonce.wrapping_add(1);
    }
    header
}

#[async_trait]
impl UtxoSource for Port {
    async fn unspent(&self, address: &str) -> Result<Vec<UnspentOutput>, ChainError> {
        let subject = u64::from(address.as_bytes()[5]);
        let (trouble, lag) = self.ask(Kind::Unspent, subject).await?;
        if trouble == Some(Trouble::Fault(Fault::EmptyList)) {
            return Ok(Vec::new());
        }
        let address = patchproof::bitcoin::Address::parse(address, Network::Test).unwrap();
        let node = self.0.node();
        let listed = View::new(&node, lag).unspent(&ScriptHash::of(&address.locking_script()));
        let mut outputs: Vec<UnspentOutput> = listed
            .into_iter()
            .filter(|unspent| !unspent.spent_in_mempool)
            .map(|unspent| UnspentOutput {
                outpoint: unspent.outpoint,
                value: unspent.value,
                height: unspent.height,
            })
            .collect();
        if trouble == Some(Trouble::InventedOutputs) {
            invent(&mut outputs, bystander(&node));
        }
        Ok(outputs)
    }
}

fn invent(outputs: &mut Vec<UnspentOutput>, bystander: Txid) {
    for output in outputs.iter_mut().take(1) {
        output.value = Satoshis::from_const(1_000_000);
    }
    for vout in [0, 7] {
        outputs.push(UnspentOutput {
            outpoint: OutPoint::new(bystander, vout),
            value: Satoshis::from_const(50_000),
            height: Some(1),
        });
    }
    outputs.push(UnspentOutput {
        outpoint: OutPoint::new(Txid::from_bytes([3; 32]), 0),
        value: Satoshis::from_const(50_000),
        height: None,
    });
}
