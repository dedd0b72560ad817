//! Transactions against the outputs they spend and make, and the pool's indexes and totals.

use std::collections::{BTreeMap, HashMap, HashSet};

use redb::ReadableTable;

use crate::bitcoin::{Transaction, TxOut};
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::outside_spends::outside_spends;
use crate::storage::utxos::index_code;
use crate::storage::{
    StoreError, StoredTransaction, Tables, TransactionOrigin, TransactionState, jobs, transactions,
    utxos,
};
use crate::types::{OutPoint, RecordId, Txid};
use crate::wallet::builder::HIGHEST_MAX_FEE;
use crate::wallet::utxo::{Utxo, UtxoState};

/// What the walk over the transactions learns for the walk over the outputs.
#[derive(Default)]
struct Spenders {
    /// Keys of ours, as far as an output of theirs is known.
    key_hashes: HashSet<[u8; 20]>,
    /// Outputs and the live transactions of ours that spend them.
    ours: HashMap<OutPoint, Txid>,
    /// Outputs of ours and the live transactions of others that spend them.
    others: HashMap<OutPoint, Txid>,
    /// Inputs of dead transactions and what killed those.
    killers: HashSet<(OutPoint, Txid)>,
}

/// Checks every transaction and every output.
pub(super) fn check_money(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut spenders = Spenders::default();
    each_row(tables.utxos(), "output", &mut CheckReport::default(), |_, utxo: Utxo, _| {
        spenders.key_hashes.insert(utxo.key_hash);
        Ok(())
    })?;
    each_row(tables.transactions(), "transaction", report, |key, it, report| {
        check_transaction(tables, key, &it, &mut spenders, report)
    })?;
    let mut totals = BTreeMap::new();
    each_row(tables.utxos(), "output", report, |key, utxo: Utxo, report| {
        let point = utxo.outpoint.to_bytes();
        report.expect(key == point, "row", Row("output", utxo.outpoint), "under another key");
        let total =
            totals.entry((utxo.key_identifier.clone(), index_code(&utxo))).or_insert((0u64, 0u64));
        *total = (total.0 + 1, total.1.saturating_add(utxo.value.get()));
        check_utxo_indexed(tables, &utxo, report)?;
        check_origin(tables, &utxo, report)?;
        check_spender(tables, &utxo, &spenders, report)
    })?;
    check_utxo_indexes(tables, &totals, report)?;
    for (outpoint, by) in outside_spends(tables)? {
        let state = utxos::utxo(tables, outpoint)?.map(|utxo| utxo.state);
        let is_spent = state == Some(UtxoState::Spent { by });
        report.expect(is_spent, "index", Row("outside spend", outpoint), "of no spent output");
    }
    report.expect(report.ledger.balances(), "I5", "ledger", "what came in is not what there is");
    Ok(())
}

fn check_transaction(
    tables: &impl Tables,
    key: [u8; 32],
    stored: &StoredTransaction,
    spenders: &mut Spenders,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let txid = stored.txid;
    report.expect(key == txid.to_bytes(), "row", Row("transaction", txid), "under another key");
    let Some(transaction) = stored.parse().ok().filter(|parsed| parsed.txid() == txid) else {
        report.add("I6", txid, "its bytes are not this transaction");
        return Ok(());
    };
    check_listed(tables, stored, report)?;
    for input in transaction.inputs.iter().map(|input| input.previous) {
        note_spender(tables, stored, input, spenders, report)?;
    }
    match (stored.origin, stored.state) {
        (TransactionOrigin::External, _) | (_, TransactionState::Dead { .. }) => Ok(()),
        (
            TransactionOrigin::Record(by)
            | TransactionOrigin::Treasury(by)
            | TransactionOrigin::Batch(by),
            _,
        ) => {
            check_sums(tables, stored, &transaction, by, report)?;
            check_own_outputs(tables, &transaction, &spenders.key_hashes, report)
        }
    }
}

fn note_spender(
    tables: &impl Tables,
    stored: &StoredTransaction,
    input: OutPoint,
    spenders: &mut Spenders,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let txid = stored.txid;
    let spent_by = match (stored.origin, stored.state) {
        (_, TransactionState::Dead { by }) => {
            spenders.killers.extend(by.map(|by| (input, by)));
            return Ok(());
        }
        (
            TransactionOrigin::Record(_)
            | TransactionOrigin::Treasury(_)
            | TransactionOrigin::Batch(_),
            _,
        ) => &mut spenders.ours,
        (TransactionOrigin::External, _) => match readable(utxos::utxo(tables, input))? {
            Some(_) => &mut spenders.others,
            None => return Ok(()),
        },
    };
    // That somebody else with the key spends what ours does is a fact and no error: the record is
    // held until one of the two is final.
    let is_ours = stored.origin != TransactionOrigin::External;
    let first = *spent_by.entry(input).or_insert(txid);
    if is_ours && first != txid {
        report.add("I1", input, format!("is an input of {first} and of {txid}"));
    }
    Ok(())
}

/// Checks that a record has no live transaction but the one its job names, and knows its dead.
fn check_listed(
    tables: &impl Tables,
    stored: &StoredTransaction,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let id = match stored.origin {
        TransactionOrigin::Record(id)
        | TransactionOrigin::Treasury(id)
        | TransactionOrigin::Batch(id) => id,
        TransactionOrigin::External => return Ok(()),
    };
    let job = readable(jobs::job(tables, id))?;
    let is_dead = matches!(stored.state, TransactionState::Dead { .. });
    let (holds, detail) = if is_dead {
        let holds = job.is_some_and(|job| job.dead.contains(&stored.txid));
        (holds, "is dead, which its job does not say")
    } else {
        let holds = job.is_some_and(|job| job.txid() == Some(stored.txid));
        (holds, "is live and not the transaction of its record's job")
    };
    report.expect(holds, "I3", stored.txid, detail);
    Ok(())
}

fn check_sums(
    tables: &impl Tables,
    stored: &StoredTransaction,
    transaction: &Transaction,
    by: RecordId,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let txid = stored.txid;
    let mut brought = 0u128;
    for input in transaction.inputs.iter().map(|input| input.previous) {
        let Some(utxo) = readable(utxos::utxo(tables, input))? else {
            report.add("I5", txid, format!("spends {input}, which is no output of ours"));
            continue;
        };
        brought += u128::from(utxo.value.get());
        let holds = match utxo.state {
            UtxoState::Locked { by: holder } => holder == by,
            UtxoState::Spent { by: spender } => spender == txid,
            UtxoState::Unconfirmed | UtxoState::Available => false,
        };
        if !holds {
            let state = utxo.state.status().as_str();
            report.add("I5", txid, format!("spends {input}, which is {state} and not for it"));
        }
    }
    let made =
        transaction.outputs.iter().map(|output| u128::from(output.value.get())).sum::<u128>();
    let fee = u128::from(stored.fee.get());
    if brought != made + fee {
        let detail = format!("brings {brought}, makes {made} and says that it pays {fee}");
        report.add("I5", txid, detail);
    }
    report.expect(stored.fee <= HIGHEST_MAX_FEE, "I5", txid, "pays more than one transaction may");
    report.ledger.fees = report.ledger.fees.saturating_add(stored.fee.get());
    Ok(())
}

fn check_own_outputs(
    tables: &impl Tables,
    transaction: &Transaction,
    key_hashes: &HashSet<[u8; 20]>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let txid = transaction.txid();
    for (vout, output) in (0u32..).zip(&transaction.outputs) {
        let point = OutPoint::new(txid, vout);
        let is_known = readable(utxos::utxo(tables, point))?.is_some();
        let is_ours = output
            .locking_script
            .as_public_key_hash()
            .is_some_and(|hash| key_hashes.contains(&hash));
        report.expect(
            is_known || !is_ours,
            "I5",
            point,
            "pays a key of ours and is not in the pool",
        );
        if !is_known {
            let paid_out = report.ledger.paid_out.saturating_add(output.value.get());
            report.ledger.paid_out = paid_out;
        }
    }
    Ok(())
}

/// Checks an output against the transaction that made it, where that is stored.
fn check_origin(
    tables: &impl Tables,
    utxo: &Utxo,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let stored = readable(transactions::transaction(tables, utxo.outpoint.txid))?;
    let is_own = stored.as_ref().is_some_and(|it| it.origin != TransactionOrigin::External);
    if !is_own {
        report.ledger.received = report.ledger.received.saturating_add(utxo.value.get());
    }
    let Some(stored) = stored else { return Ok(()) };
    let is_dead = matches!(stored.state, TransactionState::Dead { .. });
    report.expect(!is_dead, "I5", utxo.outpoint, "was made by a dead transaction");
    // Bytes that cannot be read are reported where all transactions are read.
    let Ok(transaction) = stored.parse() else { return Ok(()) };
    let output =
        usize::try_from(utxo.outpoint.vout).ok().and_then(|vout| transaction.outputs.get(vout));
    let holds = output.is_some_and(|output: &TxOut| {
        output.value == utxo.value
            && output.locking_script.as_public_key_hash() == Some(utxo.key_hash)
    });
    report.expect(holds, "I5", utxo.outpoint, "is not what its transaction made");
    Ok(())
}

/// Checks an output against the transaction that spends it.
fn check_spender(
    tables: &impl Tables,
    utxo: &Utxo,
    spenders: &Spenders,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let point = utxo.outpoint;
    let ours = spenders.ours.get(&point);
    let value = utxo.value.get();
    let ledger = &mut report.ledger;
    match utxo.state {
        _ if ours.is_some() => {}
        UtxoState::Spent { .. } => {
            ledger.spent_elsewhere = ledger.spent_elsewhere.saturating_add(value);
        }
        UtxoState::Unconfirmed | UtxoState::Available | UtxoState::Locked { .. } => {
            ledger.unspent = ledger.unspent.saturating_add(value);
        }
    }
    match utxo.state {
        UtxoState::Spent { by } => {
            let holds = ours == Some(&by)
                || spenders.others.get(&point) == Some(&by)
                || spenders.killers.contains(&(point, by));
            report.expect(holds, "I5", point, "is marked spent by what does not spend it");
        }
        UtxoState::Locked { by } => {
            let signed = readable(jobs::job(tables, by))?.and_then(|job| job.txid());
            let holds = signed.is_none_or(|txid| ours == Some(&txid));
            report.expect(holds, "I5", point, "is held for a transaction that does not spend it");
        }
        UtxoState::Unconfirmed | UtxoState::Available => {}
    }
    Ok(())
}

fn check_utxo_indexed(
    tables: &impl Tables,
    utxo: &Utxo,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let point = utxo.outpoint.to_bytes();
    let key = (index_code(utxo), utxo.value.get(), point);
    let indexed = tables.utxos_by_status().get(key)?.is_some();
    report.expect(indexed, "index", utxo.outpoint, "is not listed under its status");
    if let UtxoState::Locked { by } = utxo.state {
        let indexed = tables.leases().get((by.to_bytes(), point))?.is_some();
        report.expect(indexed, "index", utxo.outpoint, "is held and has no lease");
    }
    Ok(())
}

fn check_utxo_indexes(
    tables: &impl Tables,
    counted: &BTreeMap<(String, u8), (u64, u64)>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for row in tables.utxos_by_status().iter()? {
        let (code, value, point) = row?.0.value();
        let point = OutPoint::from_bytes(&point);
        let utxo = readable(utxos::utxo(tables, point))?;
        let holds = utxo.is_some_and(|utxo| (index_code(&utxo), utxo.value.get()) == (code, value));
        report.expect(
            holds,
            "index",
            Row("output by status", (code, point)),
            "names no such output",
        );
    }
    let mut stored = BTreeMap::new();
    for row in tables.utxo_totals().iter()? {
        let (key, total) = row?;
        let (identifier, code) = key.value();
        stored.insert((identifier.to_owned(), code), total.value());
    }
    let keys: std::collections::BTreeSet<_> = stored.keys().chain(counted.keys()).collect();
    for key in keys {
        let says = stored.get(key).copied().unwrap_or_default();
        let counted = counted.get(key).copied().unwrap_or_default();
        if says != counted {
            let detail = format!("the total says {says:?}, there are {counted:?}");
            report.add("index", Row("output total", key), detail);
        }
    }
    Ok(())
}
