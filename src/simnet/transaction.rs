//! A transaction as the node keeps it, and the rules that need nothing but its own bytes.

use std::collections::HashSet;
use std::sync::Arc;

use crate::bitcoin::{Transaction, TxOut, verify_transaction};
use crate::crypto::sha256d;
use crate::simnet::Rejection;
use crate::types::{OutPoint, Txid};

/// The longest transaction that is relayed.
pub const MAX_TRANSACTION_SIZE: usize = 10_000_000;
/// The shortest: 64 bytes could pass for two hashes of a Merkle tree.
const MIN_TRANSACTION_SIZE: usize = 65;

/// A transaction with its identifier and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTransaction {
    txid: Txid,
    raw: Arc<[u8]>,
    transaction: Transaction,
}

impl KnownTransaction {
    /// Reads the bytes of a transaction and checks every rule that needs no other knowledge.
    pub fn parse(raw: &[u8]) -> Result<Self, Rejection> {
        if raw.len() > MAX_TRANSACTION_SIZE {
            return Err(Rejection::Size(raw.len()));
        }
        let transaction = Transaction::parse(raw).map_err(Rejection::Malformed)?;
        check_form(&transaction)?;
        if raw.len() < MIN_TRANSACTION_SIZE {
            return Err(Rejection::Size(raw.len()));
        }
        Ok(Self { txid: Txid::from_bytes(sha256d(raw)), raw: raw.into(), transaction })
    }

    /// Wraps a transaction that the node made itself, coinbases included.
    pub(super) fn of(transaction: Transaction) -> Self {
        let raw = transaction.to_bytes();
        Self { txid: Txid::from_bytes(sha256d(&raw)), raw: raw.into(), transaction }
    }

    /// Returns the transaction's identifier.
    pub const fn txid(&self) -> Txid {
        self.txid
    }

    /// Returns the transaction's bytes.
    pub const fn raw(&self) -> &Arc<[u8]> {
        &self.raw
    }

    /// Returns the transaction.
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Names each output that can ever be spent, with the output.
    pub(super) fn spendable_outputs(&self) -> impl Iterator<Item = (OutPoint, &TxOut)> {
        (0u32..)
            .zip(&self.transaction.outputs)
            .filter(|(_, output)| !output.locking_script.is_data())
            .map(|(vout, output)| (OutPoint::new(self.txid, vout), output))
    }

    /// Returns output `vout` if it can ever be spent.
    pub(super) fn spendable_output(&self, vout: u32) -> Option<&TxOut> {
        let output = self.transaction.outputs.get(usize::try_from(vout).ok()?)?;
        (!output.locking_script.is_data()).then_some(output)
    }
}

fn check_form(transaction: &Transaction) -> Result<(), Rejection> {
    if transaction.version != 1 {
        return Err(Rejection::Version(transaction.version));
    }
    if transaction.is_coinbase() {
        return Err(Rejection::Coinbase);
    }
    if transaction.inputs.is_empty() {
        return Err(Rejection::NoInputs);
    }
    if transaction.outputs.is_empty() {
        return Err(Rejection::NoOutputs);
    }
    let mut seen = HashSet::with_capacity(transaction.inputs.len());
    if let Some(twice) = transaction.inputs.iter().find(|input| !seen.insert(input.previous)) {
        return Err(Rejection::DuplicateInput(twice.previous));
    }
    transaction.output_total().map_err(|_| Rejection::OutputTotal)?;
    // Data outputs carry nothing, for it would be lost; others carry something.
    let dust = transaction
        .outputs
        .iter()
        .position(|output| output.locking_script.is_data() != (output.value.get() == 0));
    dust.map_or(Ok(()), |vout| Err(Rejection::Dust { vout }))
}

/// A transaction that passed every rule but its scripts, with the outputs it spends.
///
/// Outputs are named by the hash of what made them, so they stay what they are: the scripts can be
/// run without the node, and [`Node::accept`](crate::simnet::Node::accept) only asks again whether
/// the outputs are still to be had.
#[derive(Debug, Clone)]
pub struct CheckedTransaction {
    pub(super) known: Arc<KnownTransaction>,
    pub(super) spent: Vec<TxOut>,
}

impl CheckedTransaction {
    /// Runs the scripts: the slow part, which needs no node.
    pub fn verify_scripts(self) -> Result<VerifiedTransaction, Rejection> {
        verify_transaction(&self.known.transaction, &self.spent).map_err(Rejection::Script)?;
        Ok(VerifiedTransaction { known: self.known })
    }
}

/// A transaction whose scripts were run and unlocked every output it spends.
#[derive(Debug, Clone)]
pub struct VerifiedTransaction {
    pub(super) known: Arc<KnownTransaction>,
}
