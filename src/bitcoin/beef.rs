//! BEEF: a transaction with the ancestors that prove it, down to Merkle paths.
//!
//! Versions 1 (BRC-62) and 2 (BRC-96), and the atomic form that names its subject (BRC-95). What
//! is read is in order: parents precede children, nothing unproven lacks a parent, paths hold the
//! transactions that refer to them. Whether scripts and roots are good, [`Beef::verify`] says.

use std::collections::{HashMap, HashSet};

use crate::bitcoin::codec::{CodecError, Reader, write_varint};
use crate::bitcoin::merkle_tree::{MerklePathError, check_leaf_size};
use crate::bitcoin::{MerklePath, ScriptError, Transaction};
use crate::types::{AmountError, OutPoint, Txid};

const VERSION_1: [u8; 4] = [0x01, 0x00, 0xbe, 0xef];
const VERSION_2: [u8; 4] = [0x02, 0x00, 0xbe, 0xef];
const ATOMIC: [u8; 4] = [0x01, 0x01, 0x01, 0x01];
/// Height, tree height, one count and one leaf: a block of one transaction.
const LEAST_PATH_SIZE: usize = 37;
/// The marker and the hash of a transaction that is only named.
const LEAST_ENTRY_SIZE: usize = 33;

/// Why bytes are no BEEF, or a BEEF proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeefError {
    /// The bytes do not follow the format.
    #[error("the bytes of the BEEF are malformed")]
    Codec(#[from] CodecError),
    /// A Merkle path is not whole.
    #[error("a Merkle path of the BEEF is not usable")]
    Path(#[from] MerklePathError),
    /// The first bytes name no version.
    #[error("{} is no BEEF version", hex::encode(.0))]
    UnknownVersion([u8; 4]),
    /// There is no transaction.
    #[error("the BEEF holds no transaction")]
    Empty,
    /// A transaction refers to a path that is not there.
    #[error("there is no Merkle path {0}")]
    PathIndex(usize),
    /// A transaction stands twice.
    #[error("transaction {0} stands twice")]
    Repeated(Txid),
    /// A parent stands after its child.
    #[error("transaction {parent} stands after its child {child}")]
    Order {
        /// The spending transaction.
        child: Txid,
        /// The spent transaction.
        parent: Txid,
    },
    /// The parent of an unproven transaction is missing.
    #[error("unproven transaction {child} lacks its parent {parent}")]
    MissingParent {
        /// The spending transaction.
        child: Txid,
        /// The spent transaction.
        parent: Txid,
    },
    /// An atomic BEEF does not hold its subject.
    #[error("the subject {0} is missing")]
    MissingSubject(Txid),
    /// An atomic BEEF holds something else than its subject and the subject's ancestors.
    #[error("transaction {0} is no ancestor of the subject")]
    Unrelated(Txid),
    /// The atomic form was asked of a BEEF without subject.
    #[error("no subject is named")]
    NoSubject,
    /// A transaction is only named where its bytes are needed.
    #[error("the bytes of transaction {0} are missing")]
    TxidOnly(Txid),
    /// The caller knows no such root at that height.
    #[error("the Merkle root of transaction {txid} is not that of block {height}")]
    UnknownRoot {
        /// The transaction.
        txid: Txid,
        /// The height that its path names.
        height: u32,
    },
    /// An output is spent that its transaction does not have.
    #[error("there is no output {0}")]
    MissingOutput(OutPoint),
    /// Two inputs spend one output.
    #[error("output {0} is spent twice")]
    DoubleSpend(OutPoint),
    /// A script refuses an input.
    #[error("an input of transaction {txid} may not spend")]
    Script {
        /// The transaction.
        txid: Txid,
        /// Why.
        source: ScriptError,
    },
    /// A transaction makes more than it spends, or amounts exceed all money.
    #[error("the amounts of transaction {txid} do not add up")]
    Amount {
        /// The transaction.
        txid: Txid,
        /// Why.
        source: AmountError,
    },
    /// A lookup answered with another transaction.
    #[error("asked for transaction {asked}, got {found}")]
    WrongTransaction {
        /// What was asked for.
        asked: Txid,
        /// What came.
        found: Txid,
    },
    /// More unproven ancestors than any node would take.
    #[error("more than {0} transactions would be needed")]
    TooManyAncestors(usize),
}

impl BeefError {
    /// Says whether nothing is wrong, but something that is needed is not known.
    pub const fn is_incomplete(&self) -> bool {
        matches!(self, Self::MissingParent { .. } | Self::TooManyAncestors(_))
    }
}

/// One transaction of a BEEF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeefTransaction {
    /// A whole transaction.
    Raw {
        /// The transaction.
        transaction: Transaction,
        /// Which of the paths proves it; nothing if its parents have to.
        merkle_path_index: Option<usize>,
    },
    /// A transaction that the receiver is expected to have (version 2 only).
    TxidOnly(Txid),
}

impl BeefTransaction {
    /// Returns the transaction's identifier.
    pub fn txid(&self) -> Txid {
        match self {
            Self::Raw { transaction, .. } => transaction.txid(),
            Self::TxidOnly(txid) => *txid,
        }
    }
}

/// A BEEF: transactions in order, with the Merkle paths of those that are mined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beef {
    /// The paths, one for each block if made here.
    pub merkle_paths: Vec<MerklePath>,
    /// The transactions, parents before children.
    pub transactions: Vec<BeefTransaction>,
    /// The subject of an atomic BEEF (BRC-95).
    pub subject: Option<Txid>,
}

impl Beef {
    /// Reads a BEEF of any form and checks its structure; left-over bytes are an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, BeefError> {
        let mut reader = Reader::new(bytes);
        let mut marker: [u8; 4] = reader.array()?;
        let mut subject = None;
        if marker == ATOMIC {
            subject = Some(Txid::from_bytes(reader.array()?));
            marker = reader.array()?;
        }
        let read_entry = match marker {
            VERSION_1 => read_entry_v1,
            VERSION_2 => read_entry_v2,
            other => return Err(BeefError::UnknownVersion(other)),
        };
        let merkle_paths = (0..reader.count(LEAST_PATH_SIZE)?)
            .map(|_| MerklePath::read(&mut reader))
            .collect::<Result<_, _>>()?;
        let transactions = (0..reader.count(LEAST_ENTRY_SIZE)?)
            .map(|_| read_entry(&mut reader))
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        let beef = Self { merkle_paths, transactions, subject };
        beef.check_structure()?;
        Ok(beef)
    }

    /// Returns version 1 (BRC-62), which every BSV library reads; it can not merely name a
    /// transaction.
    pub fn to_v1_bytes(&self) -> Result<Vec<u8>, BeefError> {
        let mut out = self.head(VERSION_1);
        for entry in &self.transactions {
            let (transaction, path) = match entry {
                BeefTransaction::Raw { transaction, merkle_path_index } => {
                    (transaction, merkle_path_index)
                }
                BeefTransaction::TxidOnly(txid) => return Err(BeefError::TxidOnly(*txid)),
            };
            out.extend_from_slice(&transaction.to_bytes());
            out.push(u8::from(path.is_some()));
            if let Some(index) = path {
                write_varint(&mut out, *index as u64);
            }
        }
        Ok(out)
    }

    /// Returns version 2 (BRC-96).
    pub fn to_v2_bytes(&self) -> Vec<u8> {
        let mut out = self.head(VERSION_2);
        for entry in &self.transactions {
            match entry {
                BeefTransaction::Raw { transaction, merkle_path_index } => {
                    out.push(u8::from(merkle_path_index.is_some()));
                    if let Some(index) = merkle_path_index {
                        write_varint(&mut out, *index as u64);
                    }
                    out.extend_from_slice(&transaction.to_bytes());
                }
                BeefTransaction::TxidOnly(txid) => {
                    out.push(2);
                    out.extend_from_slice(txid.as_bytes());
                }
            }
        }
        out
    }

    /// Returns the atomic form (BRC-95) around version 2.
    pub fn to_atomic_bytes(&self) -> Result<Vec<u8>, BeefError> {
        let subject = self.subject.ok_or(BeefError::NoSubject)?;
        Ok([&ATOMIC[..], subject.as_bytes(), &self.to_v2_bytes()].concat())
    }

    /// Checks everything that needs neither scripts nor the chain: order, parents, paths, sizes,
    /// and that an atomic BEEF is about its subject alone.
    pub fn check_structure(&self) -> Result<(), BeefError> {
        let txids: Vec<Txid> = self.transactions.iter().map(BeefTransaction::txid).collect();
        let mut places = HashMap::new();
        for (place, txid) in txids.iter().enumerate() {
            if places.insert(*txid, place).is_some() {
                return Err(BeefError::Repeated(*txid));
            }
        }
        if txids.is_empty() {
            return Err(BeefError::Empty);
        }
        for (place, entry) in self.transactions.iter().enumerate() {
            if let BeefTransaction::Raw { transaction, merkle_path_index } = entry {
                self.check_path(transaction, *merkle_path_index)?;
                check_parents(transaction, place, *merkle_path_index, &places)?;
            }
        }
        self.subject.map_or(Ok(()), |subject| self.check_related(subject, &txids))
    }

    fn check_path(&self, transaction: &Transaction, path: Option<usize>) -> Result<(), BeefError> {
        match path {
            None => check_leaf_size(transaction.to_bytes().len())?,
            Some(index) => {
                let path = self.merkle_paths.get(index).ok_or(BeefError::PathIndex(index))?;
                path.compute_root_of(transaction)?;
            }
        }
        Ok(())
    }

    /// Walks from the end: what no later transaction spends is not the subject's ancestor.
    fn check_related(&self, subject: Txid, txids: &[Txid]) -> Result<(), BeefError> {
        if !txids.contains(&subject) {
            return Err(BeefError::MissingSubject(subject));
        }
        let mut needed = HashSet::from([subject]);
        for (entry, txid) in self.transactions.iter().zip(txids).rev() {
            if !needed.contains(txid) {
                return Err(BeefError::Unrelated(*txid));
            }
            if let BeefTransaction::Raw { transaction, .. } = entry {
                needed.extend(transaction.inputs.iter().map(|input| input.previous.txid));
            }
        }
        Ok(())
    }

    fn head(&self, version: [u8; 4]) -> Vec<u8> {
        let mut out = version.to_vec();
        write_varint(&mut out, self.merkle_paths.len() as u64);
        for path in &self.merkle_paths {
            out.extend_from_slice(&path.to_bytes());
        }
        write_varint(&mut out, self.transactions.len() as u64);
        out
    }
}

fn check_parents(
    transaction: &Transaction,
    place: usize,
    path: Option<usize>,
    places: &HashMap<Txid, usize>,
) -> Result<(), BeefError> {
    for input in &transaction.inputs {
        let parent = input.previous.txid;
        let child = || transaction.txid();
        match places.get(&parent) {
            Some(before) if *before >= place => {
                return Err(BeefError::Order { child: child(), parent });
            }
            None if path.is_none() => {
                return Err(BeefError::MissingParent { child: child(), parent });
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

fn read_entry_v1(reader: &mut Reader<'_>) -> Result<BeefTransaction, BeefError> {
    let transaction = Transaction::read(reader)?;
    let merkle_path_index = match reader.u8()? {
        0 => None,
        1 => Some(read_path_index(reader)?),
        other => return Err(CodecError::UnknownMarker(u64::from(other)).into()),
    };
    Ok(BeefTransaction::Raw { transaction, merkle_path_index })
}

fn read_entry_v2(reader: &mut Reader<'_>) -> Result<BeefTransaction, BeefError> {
    let merkle_path_index = match reader.u8()? {
        0 => None,
        1 => Some(read_path_index(reader)?),
        2 => return Ok(BeefTransaction::TxidOnly(Txid::from_bytes(reader.array()?))),
        other => return Err(CodecError::UnknownMarker(u64::from(other)).into()),
    };
    Ok(BeefTransaction::Raw { transaction: Transaction::read(reader)?, merkle_path_index })
}

fn read_path_index(reader: &mut Reader<'_>) -> Result<usize, BeefError> {
    let index = reader.varint()?;
    usize::try_from(index).map_err(|_| CodecError::ImpossibleCount.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::beef_fixture::Chain;

    fn beef() -> Beef {
        let chain = Chain::new();
        Beef::collect(chain.grandchild.clone(), None, |txid| chain.lookup(txid)).unwrap()
    }

    #[test]
    fn all_forms_read_back() {
        let beef = beef();
        assert_eq!(Beef::parse(&beef.to_atomic_bytes().unwrap()), Ok(beef.clone()));
        let unnamed = Beef { subject: None, ..beef };
        assert_eq!(Beef::parse(&unnamed.to_v1_bytes().unwrap()), Ok(unnamed.clone()));
        assert_eq!(Beef::parse(&unnamed.to_v2_bytes()), Ok(unnamed.clone()));
        assert_eq!(unnamed.to_atomic_bytes(), Err(BeefError::NoSubject));
    }

    #[test]
    fn disorder_is_refused() {
        let txids: Vec<Txid> = beef().transactions.iter().map(BeefTransaction::txid).collect();
        let refusal = |change: &dyn Fn(&mut Beef)| {
            let mut changed = beef();
            change(&mut changed);
            Beef::parse(&changed.to_atomic_bytes().unwrap()).unwrap_err()
        };
        let order = BeefError::Order { child: txids[1], parent: txids[0] };
        assert_eq!(refusal(&|beef| beef.transactions.swap(0, 1)), order);
        let missing = BeefError::MissingParent { child: txids[1], parent: txids[0] };
        assert_eq!(refusal(&|beef| drop(beef.transactions.remove(0))), missing);
        let twice = refusal(&|beef| beef.transactions.push(beef.transactions[0].clone()));
        assert_eq!(twice, BeefError::Repeated(txids[0]));
        assert_eq!(refusal(&|beef| beef.transactions.clear()), BeefError::Empty);
        assert_eq!(refusal(&|beef| beef.merkle_paths.clear()), BeefError::PathIndex(0));
        let unrelated = refusal(&|beef| beef.subject = Some(txids[3]));
        assert_eq!(unrelated, BeefError::Unrelated(txids[4]));
        let absent = Txid::from_bytes([9; 32]);
        let refused = refusal(&|beef| beef.subject = Some(absent));
        assert_eq!(refused, BeefError::MissingSubject(absent));
    }

    #[test]
    fn unknown_markers_and_left_over_bytes_are_refused() {
        let bytes = Beef { subject: None, ..beef() }.to_v1_bytes().unwrap();
        let mut version = bytes.clone();
        version[0] = 3;
        assert_eq!(Beef::parse(&version), Err(BeefError::UnknownVersion([3, 0, 0xbe, 0xef])));
        let mut marker = bytes.clone();
        *marker.last_mut().unwrap() = 2;
        assert_eq!(Beef::parse(&marker), Err(CodecError::UnknownMarker(2).into()));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Beef::parse(&longer), Err(CodecError::TrailingBytes(1).into()));
    }
}
