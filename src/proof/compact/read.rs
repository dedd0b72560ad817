//! From the layout to the bundle.

use crate::anchor::commitment::{Salt, commit};
use crate::anchor::merkle::InclusionProof;
use crate::bitcoin::{Beef, BeefTransaction, BlockHeader, MerklePath, Transaction, TscProof};
use crate::patch::tag::UidTag;
use crate::proof::compact::layout::{LAYOUT, Path, Proof, Record};
use crate::proof::compact::references::{Known, Pieces};
use crate::proof::compact::statement::{Subject, restore, signature};
use crate::proof::compact::write::add_record;
use crate::proof::compact::{CompactError, MAX_BYTES};
use crate::proof::{Bundle, BundledHeader, BundledRecord, Content};
use crate::types::{BlockHash, Digest, Network, Txid};

const HASHES: CompactError = CompactError::Part("a path is no row of hashes");

/// The transactions that were read so far.
struct Carried<'a> {
    pieces: &'a [Pieces],
    transactions: Vec<Transaction>,
    txids: Vec<Txid>,
    /// How many bytes the rest may have: references must not multiply.
    left: usize,
}

/// Reads a layout. That every part is there for a record, and that there is no other spelling of it,
/// the caller checks.
pub(super) fn read(proof: &Proof) -> Result<Bundle, CompactError> {
    if proof.layout != LAYOUT {
        return Err(CompactError::Layout(proof.layout));
    }
    let network = match proof.network {
        0 => Network::Main,
        1 => Network::Test,
        _ => return Err(CompactError::Part("the network is unknown")),
    };
    let uid = UidTag::parse(&proof.uid).map_err(|_| CompactError::Part("the tag is no tag"))?;
    let (keys, []) = proof.keys.as_chunks::<33>() else {
        return Err(CompactError::Part("the keys have another length"));
    };
    let mut known = Known::new(keys);
    let subject = Subject { network, uid: &uid };
    let mut carried = Carried {
        pieces: &proof.transactions,
        transactions: Vec::new(),
        txids: Vec::new(),
        left: MAX_BYTES,
    };
    let mut records = Vec::with_capacity(proof.records.len());
    for laid_out in &proof.records {
        let mut record = read_record(laid_out, subject, &known)?;
        add_record(&mut known, &record);
        if let Some(carrier) = laid_out.carrier {
            record.txid = Some(carried.read_to(carrier, &mut known)?);
        }
        records.push(record);
    }
    if let Some(last) = carried.pieces.len().checked_sub(1) {
        carried.read_to(last as u64, &mut known)?;
    }
    let paths = proof.paths.iter().map(|path| {
        let path = read_path(path, &carried.txids, &known)?;
        known.add(path.root().as_bytes());
        Ok(path)
    });
    let paths: Vec<MerklePath> = paths.collect::<Result<_, CompactError>>()?;
    let headers = headers(&proof.headers, &paths, &known)?;
    let loose = usize::try_from(proof.loose.unwrap_or(0)).map_err(|_| CompactError::TooLarge)?;
    let proved = carried.transactions.len().checked_sub(loose);
    let proved = proved.ok_or(CompactError::Part("there are fewer transactions"))?;
    let transactions = carried.transactions.split_off(proved);
    let beef = beef(paths, carried.transactions)?;
    Ok(Bundle { network, uid, records, beef, transactions, headers })
}

fn read_record(
    laid_out: &Record,
    subject: Subject<'_>,
    known: &Known,
) -> Result<BundledRecord, CompactError> {
    let text = match (&laid_out.statement, &laid_out.text) {
        (Some(statement), None) => Some(restore(statement, subject, known)?),
        (None, text) => text.clone(),
        (Some(_), Some(_)) => return Err(CompactError::Spelling),
    };
    let signature = laid_out.issuer_signature.as_ref().map(signature).transpose()?;
    let content = match (text, laid_out.salt) {
        (Some(record), Some(salt)) => {
            Some(Content { record, salt: Salt::from_bytes(salt), issuer_signature: signature })
        }
        (None, None) if signature.is_none() => None,
        _ => return Err(CompactError::Part("a record has content and salt, or neither")),
    };
    let commitment = match (laid_out.commitment, &content) {
        (Some(commitment), _) => Digest::from_bytes(commitment),
        (None, Some(content)) => commit(&content.salt, content.record.as_bytes()),
        (None, None) => return Err(CompactError::Part("an erased record has its commitment")),
    };
    let inclusion = match &laid_out.inclusion {
        None => None,
        Some(_) if laid_out.carrier.is_none() => {
            return Err(CompactError::Part("a way to a root needs the transaction with the root"));
        }
        Some(proof) => Some(InclusionProof {
            leaf_index: proof.leaf_index,
            tree_size: proof.tree_size,
            path: hashes(&proof.path)?.iter().copied().map(Digest::from_bytes).collect(),
        }),
    };
    Ok(BundledRecord { content, commitment, txid: None, inclusion })
}

impl Carried<'_> {
    /// Reads the transactions up to one, and returns its identifier.
    fn read_to(&mut self, place: u64, known: &mut Known) -> Result<Txid, CompactError> {
        let missing = || CompactError::Part("a transaction is missing");
        let place = usize::try_from(place).map_err(|_| missing())?;
        while self.txids.len() <= place {
            let pieces = self.pieces.get(self.txids.len()).ok_or_else(missing)?;
            let bytes = known.resolve(pieces, self.left)?;
            self.left -= bytes.len();
            let transaction = Transaction::parse(&bytes)
                .map_err(|_| CompactError::Part("a transaction is malformed"))?;
            let txid = transaction.txid();
            known.add(txid.as_bytes());
            self.transactions.push(transaction);
            self.txids.push(txid);
        }
        Ok(self.txids[place])
    }
}

fn hashes(bytes: &[u8]) -> Result<&[[u8; 32]], CompactError> {
    match bytes.as_chunks::<32>() {
        (hashes, []) => Ok(hashes),
        _ => Err(HASHES),
    }
}

fn read_path(path: &Path, txids: &[Txid], known: &Known) -> Result<MerklePath, CompactError> {
    match path {
        Path::One { height, transaction, index, nodes } => {
            let place = usize::try_from(*transaction).ok();
            let txid = place.and_then(|place| txids.get(place)).ok_or(HASHES)?;
            path_of_one(*height, txid, *index, nodes)
        }
        Path::Bump { bump } => MerklePath::parse(&known.resolve(bump, MAX_BYTES)?)
            .map_err(|_| CompactError::Part("a Merkle path is malformed")),
    }
}

/// Makes the path of one transaction from its place and the hashes beside its way up.
pub(super) fn path_of_one(
    height: u32,
    txid: &Txid,
    index: u64,
    nodes: &[u8],
) -> Result<MerklePath, CompactError> {
    let proof = TscProof {
        index,
        tx_or_id: txid.to_string(),
        target: BlockHash::from_bytes([0; 32]),
        nodes: hashes(nodes)?.iter().map(|node| Txid::from_bytes(*node).to_string()).collect(),
    };
    MerklePath::from_tsc(&proof, txid, height)
        .map_err(|_| CompactError::Part("a Merkle path leads nowhere"))
}

fn headers(
    laid_out: &[Pieces],
    paths: &[MerklePath],
    known: &Known,
) -> Result<Vec<BundledHeader>, CompactError> {
    let mut heights: Vec<u32> = paths.iter().map(MerklePath::block_height).collect();
    heights.sort_unstable();
    if heights.len() != laid_out.len() {
        return Err(CompactError::Part("there is a header for each path"));
    }
    let read = |(height, pieces)| {
        let bytes: [u8; 80] = known.array(pieces)?;
        let header =
            BlockHeader::parse(&bytes).map_err(|_| CompactError::Part("a header is malformed"))?;
        Ok(BundledHeader { height, header })
    };
    heights.into_iter().zip(laid_out).map(read).collect()
}

/// Gives each transaction the path that marks it.
fn beef(
    merkle_paths: Vec<MerklePath>,
    transactions: Vec<Transaction>,
) -> Result<Option<Beef>, CompactError> {
    if transactions.is_empty() {
        return if merkle_paths.is_empty() { Ok(None) } else { Err(HASHES) };
    }
    let marked: Vec<Vec<Txid>> = merkle_paths.iter().map(MerklePath::txids).collect();
    let entry = |transaction: Transaction| {
        let txid = transaction.txid();
        let merkle_path_index = marked.iter().position(|txids| txids.contains(&txid));
        BeefTransaction::Raw { transaction, merkle_path_index }
    };
    let transactions = transactions.into_iter().map(entry).collect();
    let beef = Beef { merkle_paths, transactions, subject: None };
    beef.check_structure().map_err(|_| CompactError::Part("the transactions prove nothing"))?;
    Ok(Some(beef))
}
