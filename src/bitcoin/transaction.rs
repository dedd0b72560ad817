//! Transactions: the binary form of the network and the extended form of BRC-30.

use serde::{Deserialize, Serialize};

use crate::bitcoin::Script;
use crate::bitcoin::codec::{CodecError, Reader, write_var_bytes, write_varint};
use crate::crypto::sha256d;
use crate::types::{AmountError, OutPoint, Satoshis, Txid};

/// The largest size of a signed P2PKH input: outpoint 36, script length 1, signature push 73,
/// key push 34, sequence 4.
pub const P2PKH_INPUT_SIZE: usize = 148;
/// The size of a P2PKH output: value 8, script length 1, script 25.
pub const P2PKH_OUTPUT_SIZE: usize = 34;

const EXTENDED_MARKER: [u8; 6] = [0, 0, 0, 0, 0, 0xef];
const LEAST_INPUT_SIZE: usize = 41;
const LEAST_OUTPUT_SIZE: usize = 9;

/// An input: the output it spends and the script that unlocks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxIn {
    /// The output that is spent.
    pub previous: OutPoint,
    /// The script that unlocks it.
    pub unlocking_script: Script,
    /// The sequence number, 0xffffffff when final.
    pub sequence: u32,
}

/// An output: an amount and the script that locks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxOut {
    /// The amount.
    pub value: Satoshis,
    /// The script that locks it.
    pub locking_script: Script,
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The format version; this product makes version 1 only.
    pub version: u32,
    /// What is spent.
    pub inputs: Vec<TxIn>,
    /// What is made.
    pub outputs: Vec<TxOut>,
    /// The earliest block or time, 0 for none.
    pub lock_time: u32,
}

impl Transaction {
    /// Reads a whole transaction; left-over bytes are an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let transaction = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(transaction)
    }

    /// Reads a transaction off the front of `reader`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let version = reader.u32()?;
        let inputs = (0..reader.count(LEAST_INPUT_SIZE)?)
            .map(|_| read_input(reader))
            .collect::<Result<_, _>>()?;
        let outputs = read_outputs(reader)?;
        Ok(Self { version, inputs, outputs, lock_time: reader.u32()? })
    }

    /// Reads the extended form (BRC-30): each input carries the output it spends.
    pub fn parse_extended(bytes: &[u8]) -> Result<(Self, Vec<TxOut>), CodecError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u32()?;
        let marker = reader.array::<6>()?;
        if marker != EXTENDED_MARKER {
            return Err(CodecError::UnknownMarker(u64::from(marker[5])));
        }
        let mut spent = Vec::new();
        let mut inputs = Vec::new();
        for _ in 0..reader.count(LEAST_INPUT_SIZE + LEAST_OUTPUT_SIZE)? {
            inputs.push(read_input(&mut reader)?);
            spent.push(read_output(&mut reader)?);
        }
        let outputs = read_outputs(&mut reader)?;
        let transaction = Self { version, inputs, outputs, lock_time: reader.u32()? };
        reader.finish()?;
        Ok((transaction, spent))
    }

    /// Returns the bytes of the network.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&self.version.to_le_bytes());
        write_varint(&mut out, self.inputs.len() as u64);
        for input in &self.inputs {
            input.write(&mut out);
        }
        self.write_tail(&mut out);
        out
    }

    /// Returns the extended form (BRC-30), given the spent outputs in the order of the inputs.
    ///
    /// Returns nothing when their number differs.
    pub fn to_extended_bytes(&self, spent: &[TxOut]) -> Option<Vec<u8>> {
        if spent.len() != self.inputs.len() {
            return None;
        }
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&EXTENDED_MARKER);
        write_varint(&mut out, self.inputs.len() as u64);
        for (input, output) in self.inputs.iter().zip(spent) {
            input.write(&mut out);
            output.write(&mut out);
        }
        self.write_tail(&mut out);
        Some(out)
    }

    /// Returns the transaction's identifier.
    pub fn txid(&self) -> Txid {
        Txid::from_bytes(sha256d(&self.to_bytes()))
    }

    /// Returns the sum of the outputs.
    pub fn output_total(&self) -> Result<Satoshis, AmountError> {
        Satoshis::sum(self.outputs.iter().map(|output| output.value))
    }

    /// Says whether this is a block's first transaction, which makes new money.
    pub fn is_coinbase(&self) -> bool {
        matches!(self.inputs.as_slice(), [only]
            if only.previous.vout == u32::MAX && only.previous.txid.as_bytes() == &[0; 32])
    }

    fn write_tail(&self, out: &mut Vec<u8>) {
        write_varint(out, self.outputs.len() as u64);
        for output in &self.outputs {
            output.write(out);
        }
        out.extend_from_slice(&self.lock_time.to_le_bytes());
    }
}

impl TxIn {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.previous.to_bytes());
        write_var_bytes(out, self.unlocking_script.as_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
    }
}

impl TxOut {
    /// Appends value and script as they stand in a transaction.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.value.get().to_le_bytes());
        write_var_bytes(out, self.locking_script.as_bytes());
    }

    /// Returns the size of the output in a transaction.
    pub fn size(&self) -> usize {
        let mut out = Vec::with_capacity(64);
        self.write(&mut out);
        out.len()
    }
}

fn read_input(reader: &mut Reader<'_>) -> Result<TxIn, CodecError> {
    Ok(TxIn {
        previous: reader.outpoint()?,
        unlocking_script: Script::from_bytes(reader.var_bytes()?.to_vec()),
        sequence: reader.u32()?,
    })
}

fn read_outputs(reader: &mut Reader<'_>) -> Result<Vec<TxOut>, CodecError> {
    (0..reader.count(LEAST_OUTPUT_SIZE)?).map(|_| read_output(reader)).collect()
}

fn read_output(reader: &mut Reader<'_>) -> Result<TxOut, CodecError> {
    Ok(TxOut {
        value: Satoshis::new(reader.u64()?)?,
        locking_script: Script::from_bytes(reader.var_bytes()?.to_vec()),
    })
}
