//! Maintenance transactions: what they spend and make. Pure: plans come from [`crate::wallet::split`]
//! and [`crate::wallet::sweep`], and are checked here once more before anybody signs.

use serde::{Deserialize, Serialize};

use crate::bitcoin::{P2PKH_INPUT_SIZE, P2PKH_OUTPUT_SIZE, Script, TxOut};
use crate::types::{AmountError, FeeRate, OutPoint, Satoshis};
use crate::wallet::builder::{BuildError, Spend, UnsignedTransaction};

/// The most inputs of one maintenance transaction.
pub const MOST_INPUTS: usize = 100;
/// The most outputs of one maintenance transaction.
pub const MOST_OUTPUTS: usize = 250;
/// Version 4, input count 1, output count 1, lock time 4.
const FRAME_SIZE: usize = 10;

/// What a maintenance transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OperationKind {
    /// Makes outputs of the useful size from larger ones.
    Split,
    /// Gathers small or named outputs.
    Sweep,
    /// Gathers what the change key holds.
    SweepChange,
    /// Gathers many deeply confirmed outputs without a fee.
    Consolidate,
}

impl OperationKind {
    /// Returns the name used in answers and in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Sweep => "sweep",
            Self::SweepChange => "sweep-change",
            Self::Consolidate => "consolidate",
        }
    }
}

/// An output to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedOutput {
    /// Its amount.
    pub value: Satoshis,
    /// RIPEMD-160(SHA-256(key)) of the key that it pays.
    pub key_hash: [u8; 20],
}

/// An input as a plan sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedInput {
    /// Which output is spent.
    pub outpoint: OutPoint,
    /// Its amount.
    pub value: Satoshis,
}

/// A maintenance transaction before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationPlan {
    /// What it is for.
    pub kind: OperationKind,
    /// What it spends, in this order.
    pub inputs: Vec<PlannedInput>,
    /// What it makes, in this order.
    pub outputs: Vec<PlannedOutput>,
    /// What it pays the network.
    pub fee: Satoshis,
    /// The rate that the fee follows; none where nothing is paid.
    pub fee_rate: Option<FeeRate>,
}

/// Returns the size in bytes of a transaction with so many P2PKH inputs and outputs, at most.
pub const fn operation_size(inputs: usize, outputs: usize) -> usize {
    FRAME_SIZE + inputs * P2PKH_INPUT_SIZE + outputs * P2PKH_OUTPUT_SIZE
}

/// Builds the transaction that spends `spends` and makes `outputs`; nothing may pay more than `cap`.
pub fn build_operation(
    spends: Vec<Spend>,
    outputs: &[PlannedOutput],
    cap: Satoshis,
) -> Result<UnsignedTransaction, BuildError> {
    let outputs = outputs
        .iter()
        .map(|output| TxOut {
            value: output.value,
            locking_script: Script::pay_to_public_key_hash(&output.key_hash),
        })
        .collect();
    UnsignedTransaction::new(spends, outputs, cap)
}

impl OperationPlan {
    /// Sums what its inputs bring.
    pub fn brought(&self) -> Result<Satoshis, AmountError> {
        Satoshis::sum(self.inputs.iter().map(|input| input.value))
    }

    /// Says whether inputs are outputs and fee to the last satoshi, nothing is spent twice and
    /// nothing empty is made.
    pub fn is_sound(&self) -> bool {
        let mut points: Vec<OutPoint> = self.inputs.iter().map(|input| input.outpoint).collect();
        points.sort_unstable();
        let is_unique = points.windows(2).all(|pair| pair.first() != pair.last());
        let made = Satoshis::sum(self.outputs.iter().map(|output| output.value));
        let balances = match (self.brought(), made.and_then(|made| made.checked_add(self.fee))) {
            (Ok(brought), Ok(used)) => brought == used,
            (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
        };
        let is_bounded = (1..=MOST_INPUTS).contains(&self.inputs.len())
            && (1..=MOST_OUTPUTS).contains(&self.outputs.len());
        let is_full = self.outputs.iter().all(|output| output.value > Satoshis::ZERO);
        is_unique && balances && is_bounded && is_full
    }
}
