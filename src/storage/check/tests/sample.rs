//! Stores in which everything agrees, built from a list of how far each event has come.

use crate::anchor::canonical::to_canonical_bytes;
use crate::anchor::commitment::{Salt, commit};
use crate::anchor::lifecycle::{HeldReason, Job, Stage};
use crate::anchor::payload::Payload;
use crate::bitcoin::{
    Address, BlockHeader, Script, Transaction, TxIn, TxOut, Work, merkle_path_of, merkle_root,
};
use crate::crypto::{SecretKey, sha256};
use crate::patch::record::{
    AuthenticationRecord, Metadata, PreviousEvent, Product, Purpose, RecordFacts,
};
use crate::patch::tag::UidTag;
use crate::storage::{
    Patch, StoreError, StoredHeader, StoredRecord, StoredTransaction, TransactionOrigin,
    TransactionState, WriteTx, headers, utxos,
};
use crate::types::{
    BlockHash, ChainProfile, Digest, Network, OutPoint, RecordId, Satoshis, Timestamp, Txid,
};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

pub(super) use super::way::Way;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(super) const FUNDING_HASH: [u8; 20] = [1; 20];
const CUSTODY_HASH: [u8; 20] = [2; 20];
const FEE: u32 = 60;

/// An event of the sample.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) way: Way,
    pub(super) record: StoredRecord,
    pub(super) job: Job,
    /// The pool output that pays for it.
    pub(super) funding: OutPoint,
    /// Its transaction, live or dead, if it ever had one.
    pub(super) transaction: Option<Transaction>,
}

impl Event {
    pub(super) fn txid(&self) -> Txid {
        self.transaction.as_ref().expect("this event has a transaction").txid()
    }
}

/// Adds a product whose events have come this far, and returns them.
pub(super) fn add_product(
    tx: &mut WriteTx<'_>,
    number: u8,
    registration: Way,
    transfer: Option<Way>,
) -> Result<Vec<Event>, StoreError> {
    let mut events = vec![add_event(tx, number, registration, None)?];
    let transfer = transfer.filter(|_| registration.is_settled());
    if let Some(way) = transfer {
        let next = add_event(tx, number, way, Some(&events[0]))?;
        let (from, to) = (owner(number, 0), owner(number, 1));
        tx.put_parties([(from.hash160(), events[0].record.id), (to.hash160(), next.record.id)])?;
        events.push(next);
    }
    let head = if transfer.is_some_and(Way::is_settled) { &events[1] } else { &events[0] };
    let pending = events[1..].iter().find(|it| !it.way.is_settled() && it.way != Way::Failed);
    tx.put_patch(&Patch {
        uid: uid(number),
        owner: owner(number, head.record.position),
        head: head.record.id,
        pending: pending.map(|event| event.record.id),
        current_txid: head.way.is_settled().then(|| head.txid()),
        events: u32::try_from(events.len()).unwrap(),
        created_at: NOW,
        updated_at: NOW,
    })?;
    Ok(events)
}

pub(super) fn uid(number: u8) -> UidTag {
    UidTag::parse(&format!("TAG-{number:03}")).unwrap()
}

fn key(number: u8, position: u32) -> SecretKey {
    SecretKey::from_bytes(&sha256(&[number, u8::try_from(position).unwrap(), 77])).unwrap()
}

pub(super) fn owner(number: u8, position: u32) -> Address {
    Address::of_key(&key(number, position).public_key(), Network::Test)
}

fn add_event(
    tx: &mut WriteTx<'_>,
    number: u8,
    way: Way,
    before: Option<&Event>,
) -> Result<Event, StoreError> {
    let record = new_record(number, before);
    let funding = fund(tx, &record)?;
    let has_any = way.has_transaction() || way.had_transaction();
    let transaction = has_any.then(|| spend(&record, funding, before));
    let job = Job::new(record.id, NOW);
    let mut event = Event { way, record, job, funding, transaction };
    if way.has_transaction() {
        event.record.txid = Some(event.txid());
        event.record.seal = Some(OutPoint::new(event.txid(), 1));
    }
    let is_mined = matches!(way, Way::Mined | Way::Final);
    let block = is_mined.then(|| mine(tx, event.txid())).transpose()?;
    set_stage(&mut event, block);
    tx.put_record(&event.record)?;
    tx.put_job(&event.job)?;
    put_transaction(tx, &event, block)?;
    put_inputs(tx, &event, before)?;
    put_outputs(tx, &event)?;
    Ok(event)
}

pub(super) fn new_record(number: u8, before: Option<&Event>) -> StoredRecord {
    let position = before.map_or(0, |event| event.record.position + 1);
    let previous = before.map(|event| PreviousEvent {
        txid: event.txid(),
        commitment: event.record.commitment,
        owner_public_key: key(number, position - 1).public_key(),
        owner_signature: key(number, position - 1).sign(&Digest::from_bytes([9; 32])),
    });
    let purpose = if position == 0 { Purpose::RegisterPatch } else { Purpose::TransferOwnership };
    let product = Product {
        uid_tag_id: uid(number),
        name: None,
        category: None,
        sku: None,
        serial_number: None,
        material: None,
    };
    let document = AuthenticationRecord::new(RecordFacts {
        purpose,
        network: Network::Test,
        product: &product,
        metadata: &Metadata::default(),
        owner: owner(number, position).to_string(),
        issuer: key(0, 0).public_key(),
        issued_at: NOW,
        previous,
    });
    let canonical = to_canonical_bytes(&document).unwrap();
    let salt = Salt::from_bytes([number; 16]);
    StoredRecord {
        id: RecordId::from_parts(u64::from(number), &[u8::try_from(position).unwrap(); 10]),
        uid: uid(number),
        purpose,
        position,
        commitment: commit(&salt, &canonical),
        canonical,
        salt,
        previous: before.map(|event| event.record.id),
        issuer_signature: Some((&key(0, 0).sign(&commit(&salt, &[]))).into()),
        txid: None,
        seal: None,
        accepted_at: NOW,
    }
}

/// A transaction from outside that pays the pool, and the output that it makes.
pub(super) fn fund(tx: &mut WriteTx<'_>, record: &StoredRecord) -> Result<OutPoint, StoreError> {
    let script = Script::pay_to_public_key_hash(&FUNDING_HASH);
    let transaction = Transaction {
        version: 1,
        inputs: vec![input(OutPoint::new(Txid::from_bytes(sha256(&record.canonical)), 0))],
        outputs: vec![TxOut { value: Satoshis::from_const(5000), locking_script: script }],
        lock_time: 0,
    };
    tx.put_transaction(&stored(
        &transaction,
        TransactionOrigin::External,
        TransactionState::Seen,
        0,
    ))?;
    let outpoint = OutPoint::new(transaction.txid(), 0);
    tx.put_utxo(&utxo(outpoint, 5000, OutputPurpose::Pool, UtxoState::Available))?;
    Ok(outpoint)
}

pub(super) fn input(previous: OutPoint) -> TxIn {
    TxIn { previous, unlocking_script: Script::default(), sequence: u32::MAX }
}

pub(super) fn utxo(
    outpoint: OutPoint,
    value: u32,
    purpose: OutputPurpose,
    state: UtxoState,
) -> Utxo {
    let (key_identifier, key_hash) = match purpose {
        OutputPurpose::Pool => ("funding", FUNDING_HASH),
        OutputPurpose::Seal => ("custody", CUSTODY_HASH),
    };
    Utxo {
        outpoint,
        value: Satoshis::from_const(value),
        key_identifier: key_identifier.into(),
        key_hash,
        purpose,
        state,
        height: None,
        chain_depth: 0,
    }
}

pub(super) fn stored(
    transaction: &Transaction,
    origin: TransactionOrigin,
    state: TransactionState,
    fee: u32,
) -> StoredTransaction {
    StoredTransaction {
        txid: transaction.txid(),
        raw: transaction.to_bytes(),
        origin,
        state,
        fee: Satoshis::from_const(fee),
        stored_at: NOW,
    }
}

/// Data, seal, something for a stranger, change.
fn spend(record: &StoredRecord, funding: OutPoint, before: Option<&Event>) -> Transaction {
    let seal = before.and_then(|event| event.record.seal);
    let payload = match record.purpose {
        Purpose::RegisterPatch => Payload::Register(record.commitment),
        Purpose::TransferOwnership => Payload::Transfer(record.commitment),
    };
    let change = 5000 + u32::from(seal.is_some()) - FEE - 1 - 10;
    let pay = |value, hash: &[u8; 20]| TxOut {
        value: Satoshis::from_const(value),
        locking_script: Script::pay_to_public_key_hash(hash),
    };
    Transaction {
        version: 1,
        inputs: seal.into_iter().chain([funding]).map(input).collect(),
        outputs: vec![
            TxOut { value: Satoshis::ZERO, locking_script: payload.to_script(None) },
            pay(1, &CUSTODY_HASH),
            pay(10, &[99; 20]),
            pay(change, &FUNDING_HASH),
        ],
        lock_time: 0,
    }
}

fn set_stage(event: &mut Event, block: Option<(BlockHash, u32)>) {
    let txid = event.transaction.as_ref().map(Transaction::txid);
    let live = || txid.expect("this way has a transaction");
    let (block, height) = block.unwrap_or((BlockHash::from_bytes([0; 32]), 0));
    event.job.stage = match event.way {
        Way::Accepted | Way::DiedOnce => Stage::Accepted,
        Way::HeldBySigner => Stage::Held { txid: None, reason: HeldReason::Signer },
        Way::Reserved => Stage::Reserved,
        Way::Signed | Way::Reorganised => Stage::Signed { txid: live() },
        Way::HeldByFee => Stage::Held { txid, reason: HeldReason::FeeTooLow },
        Way::Seen => Stage::Seen { txid: live() },
        Way::Mined => Stage::Mined { txid: live(), block, height },
        Way::Final => Stage::Final { txid: live(), block, height },
        Way::Failed => Stage::Failed { reason: "the network refuses it".into() },
    };
    let rests = matches!(event.way, Way::HeldBySigner | Way::Mined | Way::Final | Way::Failed);
    event.job.due = (!rests).then_some(NOW);
    if event.way.had_transaction() {
        event.job.dead = vec![live()];
    }
}

fn put_transaction(
    tx: &mut WriteTx<'_>,
    event: &Event,
    block: Option<(BlockHash, u32)>,
) -> Result<(), StoreError> {
    let Some(transaction) = &event.transaction else { return Ok(()) };
    let state = match (event.way, block) {
        (Way::Seen | Way::Reorganised, _) => TransactionState::Seen,
        (Way::DiedOnce, _) => TransactionState::Dead { by: Some(killer(event)) },
        (Way::Failed, _) => TransactionState::Dead { by: None },
        (_, Some((block, height))) => TransactionState::Mined { block, height },
        (_, None) => TransactionState::Signed,
    };
    let origin = TransactionOrigin::Record(event.record.id);
    tx.put_transaction(&stored(transaction, origin, state, FEE))
}

/// The transaction of somebody else that took the funding output; it is not stored.
fn killer(event: &Event) -> Txid {
    Txid::from_bytes(sha256(event.record.id.to_bytes().as_slice()))
}

fn put_inputs(
    tx: &mut WriteTx<'_>,
    event: &Event,
    before: Option<&Event>,
) -> Result<(), StoreError> {
    let by = event.record.id;
    let state = match event.way {
        Way::Accepted | Way::Failed | Way::DiedOnce => UtxoState::Available,
        Way::Reserved | Way::HeldBySigner | Way::Signed | Way::HeldByFee => {
            UtxoState::Locked { by }
        }
        Way::Seen | Way::Mined | Way::Final | Way::Reorganised => {
            UtxoState::Spent { by: event.txid() }
        }
    };
    let seal = before.and_then(|event| event.record.seal);
    for point in seal.into_iter().chain([event.funding]) {
        let mut utxo = utxos::expect_utxo(tx, point)?;
        utxo.state = state;
        if event.way == Way::DiedOnce && point == event.funding {
            utxo.state = UtxoState::Spent { by: killer(event) };
        }
        tx.put_utxo(&utxo)?;
    }
    Ok(())
}

fn put_outputs(tx: &mut WriteTx<'_>, event: &Event) -> Result<(), StoreError> {
    if !event.way.has_transaction() {
        return Ok(());
    }
    let state = if event.way.is_settled() { UtxoState::Available } else { UtxoState::Unconfirmed };
    let transaction = event.transaction.as_ref().expect("checked above");
    let change = u32::try_from(transaction.outputs[3].value.get()).unwrap();
    tx.put_utxo(&utxo(OutPoint::new(event.txid(), 1), 1, OutputPurpose::Seal, state))?;
    tx.put_utxo(&utxo(OutPoint::new(event.txid(), 3), change, OutputPurpose::Pool, state))
}

/// Puts a transaction into a new block on top of the best chain, with its proof.
fn mine(tx: &mut WriteTx<'_>, txid: Txid) -> Result<(BlockHash, u32), StoreError> {
    let head = headers::chain_head(tx)?;
    let height = head.map_or(100, |head| head.height + 1);
    let coinbase = Txid::from_bytes(sha256(&height.to_le_bytes()));
    let txids = [coinbase, txid];
    let header = BlockHeader {
        version: 1,
        previous: head.map_or(BlockHash::from_bytes([0; 32]), |head| head.hash),
        merkle_root: merkle_root(&txids).unwrap(),
        time: 0,
        bits: ChainProfile::Simulated.easiest_bits(),
        nonce: 0,
    };
    let (header, work) = (0..)
        .map(|nonce| BlockHeader { nonce, ..header })
        .find_map(|it| it.check_work(ChainProfile::Simulated).ok().map(|work| (it, work)))
        .expect("every second nonce will do");
    let below = head.map_or(Work::default(), |head| head.chain_work);
    tx.put_header(&StoredHeader { header, height, chain_work: below.plus(work) })?;
    tx.set_best_chain(header.hash())?;
    tx.put_proof(txid, &merkle_path_of(&txids, 1, height).unwrap())?;
    Ok((header.hash(), height))
}
