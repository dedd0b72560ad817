//! Damage to maintenance operations and to the fees of a day.

use super::sample::{FUNDING_HASH, utxo};
use super::*;
use crate::anchor::lifecycle::{Job, Stage};
use crate::bitcoin::{Script, Transaction, TxIn, TxOut};
use crate::storage::jobs::expect_job;
use crate::storage::treasury_operations::expect_treasury_operation;
use crate::storage::{StoredTransaction, TransactionOrigin, TransactionState, TreasuryOperation};
use crate::types::{FeeRate, OutPoint, Satoshis, Txid};
use crate::wallet::operation::{OperationKind, PlannedOutput};
use crate::wallet::utxo::{OutputPurpose, UtxoState};

const ID: RecordId = RecordId::from_bytes([7; 16]);
const INPUT: OutPoint = OutPoint::new(Txid::from_bytes([8; 32]), 0);

/// Adds an operation that holds an output, and its signed transaction if it has one.
fn add_operation(tx: &mut WriteTx<'_>, is_signed: bool) -> Result<Txid, StoreError> {
    let half = Satoshis::from_const(2_450);
    let planned = PlannedOutput { value: half, key_hash: FUNDING_HASH };
    let script = Script::pay_to_public_key_hash(&FUNDING_HASH);
    let output = TxOut { value: half, locking_script: script };
    let input = TxIn { previous: INPUT, unlocking_script: Script::default(), sequence: u32::MAX };
    let transaction = Transaction {
        version: 1,
        inputs: vec![input],
        outputs: vec![output.clone(), output],
        lock_time: 0,
    };
    let txid = transaction.txid();
    tx.put_utxo(&utxo(INPUT, 5_000, OutputPurpose::Pool, UtxoState::Locked { by: ID }))?;
    tx.put_treasury_operation(&TreasuryOperation {
        id: ID,
        kind: OperationKind::Split,
        inputs: vec![INPUT],
        outputs: vec![planned, planned],
        fee_rate: FeeRate::from_sat_per_kb(512),
        requested_by: "tests".into(),
        created_at: NOW,
        txid: is_signed.then_some(txid),
    })?;
    let job = Job::planned(ID, NOW);
    if !is_signed {
        tx.put_job(&job)?;
        return Ok(txid);
    }
    tx.put_job(&Job { stage: Stage::Signed { txid }, ..job })?;
    tx.put_transaction(&StoredTransaction {
        txid,
        raw: transaction.to_bytes(),
        origin: TransactionOrigin::Treasury(ID),
        state: TransactionState::Signed,
        fee: Satoshis::from_const(100),
        stored_at: NOW,
    })?;
    for vout in 0..2 {
        let made = OutPoint::new(txid, vout);
        tx.put_utxo(&utxo(made, 2_450, OutputPurpose::Pool, UtxoState::Unconfirmed))?;
    }
    Ok(txid)
}

/// Damages a store with an operation, and returns what the check then finds.
fn damaged(
    is_signed: bool,
    damage: impl Fn(&mut WriteTx<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Vec<Violation> {
    let sample = Sample::of(vec![(Way::Seen, None)]);
    assert_eq!(sample.damaged(move |tx| add_operation(tx, is_signed).map(drop)), []);
    sample.damaged(damage)
}

fn change_plan(
    tx: &mut WriteTx<'_>,
    change: impl Fn(&mut TreasuryOperation),
) -> Result<(), StoreError> {
    let mut operation = expect_treasury_operation(tx, ID)?;
    change(&mut operation);
    tx.put_treasury_operation(&operation)
}

#[test]
fn an_operation_holds_what_it_planned_to_spend() {
    let found = damaged(false, |tx| {
        change_plan(tx, |it| it.inputs.push(OutPoint::new(Txid::from_bytes([9; 32]), 0)))
    });
    assert_eq!(found, [violation("I4", ID, "holds other outputs than it planned")]);
}

#[test]
fn a_transaction_is_what_was_planned_to_the_last_satoshi() {
    let found =
        damaged(true, |tx| change_plan(tx, |it| it.outputs[0].value = Satoshis::from_const(2_449)));
    assert_eq!(found, [violation("I6", ID, "its transaction is not what was planned")]);
    let found = damaged(true, |tx| change_plan(tx, |it| it.txid = None));
    assert_eq!(found, [violation("I4", ID, "its plan names another transaction")]);
    let found = damaged(false, |tx| change_plan(tx, |it| it.txid = Some(INPUT.txid)));
    let detail = "its plan names a transaction that it does not have";
    assert_eq!(found, [violation("I4", ID, detail)]);
}

#[test]
fn an_operation_and_its_transaction_have_come_equally_far() {
    let found = damaged(true, |tx| {
        let job = expect_job(tx, ID)?;
        let txid = job.txid().unwrap();
        tx.put_job(&Job { stage: Stage::Seen { txid }, ..job })
    });
    let expected = [
        violation("I4", ID, "is seen, its transaction Signed"),
        violation("I4", ID, "holds an output that it may not hold at its stage"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_operation_without_a_job_and_a_job_without_a_plan_show() {
    let found = damaged(false, |tx| {
        tx.tables.treasury_operations.remove(ID.to_bytes())?;
        Ok(())
    });
    assert_eq!(found, [violation("I2", ID, "is the job of no record and of no operation")]);
    let found = damaged(false, |tx| change_plan(tx, |it| it.id = RecordId::from_bytes([6; 16])));
    assert_eq!(
        found,
        [violation("I2", "06060606-0606-0606-0606-060606060606", "is an operation without a job")]
    );
}

#[test]
fn fees_of_a_day_are_those_of_its_transactions() {
    let day = 19_675;
    let found = damaged(true, move |tx| {
        tx.tables.fees_by_day.insert(day, (60, 99))?;
        Ok(())
    });
    let wrong = violation("I5", "fees of day 19675", "are not those of its transactions");
    assert_eq!(found, [wrong]);
    let found = damaged(true, move |tx| {
        tx.tables.fees_by_day.remove(day)?;
        Ok(())
    });
    assert_eq!(found, [violation("I5", "fees of day 19675", "are not counted")]);
}
