//! What a transaction signature signs: SIGHASH_ALL | FORKID over the BIP 143 style preimage.

use crate::bitcoin::codec::write_var_bytes;
use crate::bitcoin::{Script, Transaction};
use crate::crypto::sha256d;
use crate::types::{Digest, Satoshis};

/// The one signature type this product makes and accepts: all inputs, all outputs, replay-protected.
pub const SIGHASH_ALL_FORKID: u8 = 0x41;

/// The three hashes that all inputs of a transaction share, computed once.
#[derive(Debug, Clone)]
pub struct SighashCache<'a> {
    transaction: &'a Transaction,
    previous_outputs: [u8; 32],
    sequences: [u8; 32],
    outputs: [u8; 32],
}

impl<'a> SighashCache<'a> {
    /// Hashes outpoints, sequences and outputs of `transaction`.
    pub fn new(transaction: &'a Transaction) -> Self {
        let mut previous = Vec::with_capacity(36 * transaction.inputs.len());
        let mut sequences = Vec::with_capacity(4 * transaction.inputs.len());
        for input in &transaction.inputs {
            previous.extend_from_slice(&input.previous.to_bytes());
            sequences.extend_from_slice(&input.sequence.to_le_bytes());
        }
        let mut outputs = Vec::with_capacity(64 * transaction.outputs.len());
        for output in &transaction.outputs {
            output.write(&mut outputs);
        }
        Self {
            transaction,
            previous_outputs: sha256d(&previous),
            sequences: sha256d(&sequences),
            outputs: sha256d(&outputs),
        }
    }

    /// Returns the bytes that are hashed for input `index`, or nothing if there is no such input.
    pub fn preimage(&self, index: usize, script_code: &Script, value: Satoshis) -> Option<Vec<u8>> {
        let input = self.transaction.inputs.get(index)?;
        let mut out = Vec::with_capacity(182);
        out.extend_from_slice(&self.transaction.version.to_le_bytes());
        out.extend_from_slice(&self.previous_outputs);
        out.extend_from_slice(&self.sequences);
        out.extend_from_slice(&input.previous.to_bytes());
        write_var_bytes(&mut out, script_code.as_bytes());
        out.extend_from_slice(&value.get().to_le_bytes());
        out.extend_from_slice(&input.sequence.to_le_bytes());
        out.extend_from_slice(&self.outputs);
        out.extend_from_slice(&self.transaction.lock_time.to_le_bytes());
        out.extend_from_slice(&u32::from(SIGHASH_ALL_FORKID).to_le_bytes());
        Some(out)
    }

    /// Returns the hash to sign for input `index` (bytes as hashed, not reversed), or nothing if
    /// there is no such input.
    pub fn sighash(&self, index: usize, script_code: &Script, value: Satoshis) -> Option<Digest> {
        self.preimage(index, script_code, value)
            .map(|preimage| Digest::from_bytes(sha256d(&preimage)))
    }
}
