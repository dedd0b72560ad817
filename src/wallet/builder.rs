//! Puts transactions together and checks them before they leave the module.
//!
//! A transaction carries one data output first, then, where custody is sealed, the seal, then the
//! change. Only P2PKH outputs of ours are spent.

use crate::bitcoin::{
    P2PKH_INPUT_SIZE, SIGHASH_ALL_FORKID, Script, SighashCache, Transaction, TxIn, TxOut,
    verify_transaction,
};
use crate::crypto::{PublicKey, Signature};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{AmountError, Digest, FeeRate, OutPoint, Satoshis};
use crate::wallet::coin_selection::{Candidate, Selection, SelectionError, Target, select_coins};

/// The amount of a custody seal.
pub const SEAL_VALUE: Satoshis = Satoshis::from_const(1);
/// The most that one transaction may pay in fees where the operator says nothing.
pub const MAX_FEE: Satoshis = Satoshis::from_const(100_000);
/// The most that any operator may let one transaction pay in fees.
pub const HIGHEST_MAX_FEE: Satoshis = Satoshis::from_const(10_000_000);

const FINAL_SEQUENCE: u32 = u32::MAX;
/// Version 4, input count 1, output count 1, lock time 4.
const FRAME_SIZE: usize = 10;

/// Why there is no transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The pool does not pay.
    #[error("no outputs to pay with")]
    Selection(#[from] SelectionError),
    /// The sums make no sense.
    #[error("the amounts cannot be added up")]
    Amount(#[from] AmountError),
    /// The fee exceeds what one transaction may pay.
    #[error("the fee of {fee} satoshis exceeds the cap of {cap}")]
    FeeCap {
        /// The fee.
        fee: u64,
        /// The cap.
        cap: u64,
    },
    /// Not one signature for each input.
    #[error("{signatures} signatures for {inputs} inputs")]
    SignatureCount {
        /// Signatures given.
        signatures: usize,
        /// Inputs to unlock.
        inputs: usize,
    },
    /// The finished transaction fails its own check; nothing of it is used.
    #[error("the signed transaction does not verify: {0}")]
    Check(String),
}

/// An output of ours to spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// Which output.
    pub outpoint: OutPoint,
    /// Its amount.
    pub value: Satoshis,
    /// The hash of the key that locks it.
    pub key_hash: [u8; 20],
    /// The signer's name for the key.
    pub key_identifier: String,
}

impl Spend {
    fn output(&self) -> TxOut {
        TxOut { value: self.value, locking_script: Script::pay_to_public_key_hash(&self.key_hash) }
    }
}

/// What an anchoring transaction is to contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorPlan {
    /// The data output's script.
    pub data: Script,
    /// The seal to spend, for a transfer.
    pub seal: Option<Spend>,
    /// The hash of the key that will hold custody, where it is sealed.
    pub next_seal: Option<[u8; 20]>,
    /// The hash of the key that gets the change.
    pub change_key_hash: [u8; 20],
    /// The fee rate.
    pub fee_rate: FeeRate,
    /// The most that the transaction may pay in fees.
    pub max_fee: Satoshis,
}

impl AnchorPlan {
    /// Chooses which of `candidates` pay.
    pub fn select(&self, candidates: &[Candidate]) -> Result<Selection, BuildError> {
        Ok(select_coins(candidates, &self.target()?)?)
    }

    /// Returns the least that a single output must bring to pay for the plan.
    pub fn least_single_value(&self) -> Result<Satoshis, BuildError> {
        Ok(crate::wallet::coin_selection::needed_with(&self.target()?, 1)?)
    }

    fn target(&self) -> Result<Target, BuildError> {
        let outputs = self.fixed_outputs();
        let inputs = usize::from(self.seal.is_some()) * P2PKH_INPUT_SIZE;
        Ok(Target {
            output_total: Satoshis::sum(outputs.iter().map(|output| output.value))?,
            input_total: self.seal.as_ref().map_or(Satoshis::ZERO, |seal| seal.value),
            base_size: FRAME_SIZE + inputs + outputs.iter().map(TxOut::size).sum::<usize>(),
            fee_rate: self.fee_rate,
        })
    }

    fn fixed_outputs(&self) -> Vec<TxOut> {
        let data = TxOut { value: Satoshis::ZERO, locking_script: self.data.clone() };
        let seal = self.next_seal.map(|hash| TxOut {
            value: SEAL_VALUE,
            locking_script: Script::pay_to_public_key_hash(&hash),
        });
        std::iter::once(data).chain(seal).collect()
    }

    /// Builds the unsigned transaction that spends `pool` (and the seal, first).
    pub fn build(&self, pool: Vec<Spend>) -> Result<UnsignedTransaction, BuildError> {
        let candidates: Vec<Candidate> = pool
            .iter()
            .map(|spend| Candidate { outpoint: spend.outpoint, value: spend.value, chain_depth: 0 })
            .collect();
        let change = self.change_of(&candidates)?;
        let mut outputs = self.fixed_outputs();
        outputs.extend(change.map(|value| TxOut {
            value,
            locking_script: Script::pay_to_public_key_hash(&self.change_key_hash),
        }));
        let spends: Vec<Spend> = self.seal.clone().into_iter().chain(pool).collect();
        UnsignedTransaction::new(spends, outputs, self.max_fee)
    }

    /// The change when exactly `pool` is spent.
    fn change_of(&self, pool: &[Candidate]) -> Result<Option<Satoshis>, BuildError> {
        let target = self.target()?;
        let selection = crate::wallet::coin_selection::spend_all(pool, &target)?;
        Ok(selection.change)
    }
}

/// A transaction that lacks only its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedTransaction {
    transaction: Transaction,
    spends: Vec<Spend>,
    fee: Satoshis,
}

/// A transaction whose every input was run against the output it spends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Its bytes.
    pub raw: Vec<u8>,
    /// What it pays.
    pub fee: Satoshis,
}

impl UnsignedTransaction {
    /// Puts inputs and outputs together, unless the fee that is left would exceed `cap`.
    pub(super) fn new(
        spends: Vec<Spend>,
        outputs: Vec<TxOut>,
        cap: Satoshis,
    ) -> Result<Self, BuildError> {
        let inputs = spends
            .iter()
            .map(|spend| TxIn {
                previous: spend.outpoint,
                unlocking_script: Script::default(),
                sequence: FINAL_SEQUENCE,
            })
            .collect();
        let transaction = Transaction { version: 1, inputs, outputs, lock_time: 0 };
        let brought = Satoshis::sum(spends.iter().map(|spend| spend.value))?;
        let fee = brought.checked_sub(transaction.output_total()?)?;
        if fee > cap {
            return Err(BuildError::FeeCap { fee: fee.get(), cap: cap.get() });
        }
        Ok(Self { transaction, spends, fee })
    }

    /// Returns what it pays.
    pub const fn fee(&self) -> Satoshis {
        self.fee
    }

    /// Returns how many signatures it needs.
    pub const fn input_count(&self) -> usize {
        self.transaction.inputs.len()
    }

    /// Returns, for each input, the key that must sign and the hash to sign.
    pub fn signature_requests(&self) -> Vec<(Spend, Digest)> {
        let cache = SighashCache::new(&self.transaction);
        self.spends
            .iter()
            .enumerate()
            .filter_map(|(index, spend)| {
                let code = spend.output().locking_script;
                cache.sighash(index, &code, spend.value).map(|hash| (spend.clone(), hash))
            })
            .collect()
    }

    /// Puts the signatures in, in the order of the inputs, and checks the whole.
    pub fn sign(
        mut self,
        signatures: &[(Signature, PublicKey)],
    ) -> Result<SignedTransaction, BuildError> {
        if signatures.len() != self.transaction.inputs.len() {
            return Err(BuildError::SignatureCount {
                signatures: signatures.len(),
                inputs: self.transaction.inputs.len(),
            });
        }
        let sighash_byte = SIGHASH_ALL_FORKID;
        #[cfg(feature = "planted-bugs")]
        let sighash_byte = if Defect::WrongSighashByte.is_planted() { 0x01 } else { sighash_byte };
        for (input, (signature, key)) in self.transaction.inputs.iter_mut().zip(signatures) {
            input.unlocking_script = Script::unlock_public_key_hash(signature, sighash_byte, key);
        }
        let spent: Vec<TxOut> = self.spends.iter().map(Spend::output).collect();
        verify_transaction(&self.transaction, &spent)
            .map_err(|error| BuildError::Check(error.to_string()))?;
        let raw = self.transaction.to_bytes();
        Ok(SignedTransaction { transaction: self.transaction, raw, fee: self.fee })
    }
}
