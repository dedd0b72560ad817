//! Damage to transactions, outputs, leases and totals.

use super::damaged_custody::with_transaction;
use super::sample::{FUNDING_HASH, utxo};
use super::*;
use crate::bitcoin::{Script, Transaction, TxIn};
use crate::storage::{StoredTransaction, TransactionOrigin, TransactionState, utxos};
use crate::types::{OutPoint, Satoshis, Txid};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

fn unbalanced() -> Violation {
    violation("I5", "ledger", "what came in is not what there is")
}

/// Changes the pool output that pays for an event.
fn with_funding(way: Way, change: impl Fn(&mut Utxo) + Send + 'static) -> (Event, Vec<Violation>) {
    let sample = Sample::of(vec![(way, None)]);
    let event = sample.events[0].clone();
    let point = event.funding;
    let found = sample.damaged(move |tx| {
        let mut utxo = utxos::expect_utxo(tx, point)?;
        change(&mut utxo);
        tx.put_utxo(&utxo)
    });
    (event, found)
}

/// Damages the store of one event, knowing the event.
fn with_event(
    way: Way,
    damage: impl Fn(&mut WriteTx<'_>, &Event) -> Result<(), StoreError> + Send + 'static,
) -> (Event, Vec<Violation>) {
    let sample = Sample::of(vec![(way, None)]);
    let event = sample.events[0].clone();
    let it = event.clone();
    let found = sample.damaged(move |tx| damage(tx, &it));
    (event, found)
}

#[test]
fn somebody_else_who_spends_an_output_of_ours_is_no_damage() {
    let (_, found) = with_event(Way::Signed, |tx, event| {
        let input = TxIn {
            previous: event.funding,
            unlocking_script: Script::default(),
            sequence: u32::MAX,
        };
        // A transaction of somebody else that has our key; it makes an output that is not ours.
        let rival = Transaction { version: 1, inputs: vec![input], outputs: vec![], lock_time: 0 };
        tx.put_transaction(&StoredTransaction {
            txid: rival.txid(),
            raw: rival.to_bytes(),
            origin: TransactionOrigin::External,
            state: TransactionState::Seen,
            fee: Satoshis::ZERO,
            stored_at: NOW,
        })
    });
    assert_eq!(found, []);
}

#[test]
fn inputs_must_be_outputs_and_fee() {
    let (event, found) = with_transaction(Way::Seen, |it| it.fee = Satoshis::from_const(61));
    let detail = "brings 5000, makes 4940 and says that it pays 61";
    let expected = vec![violation("I5", event.txid(), detail), unbalanced()];
    assert_eq!(found, expected);
}

#[test]
fn a_fee_above_the_cap_shows() {
    let (event, found) =
        with_transaction(Way::Seen, |it| it.fee = Satoshis::from_const(10_000_001));
    let detail = "brings 5000, makes 4940 and says that it pays 10000001";
    let txid = event.txid();
    let expected = vec![
        violation("I5", txid, detail),
        violation("I5", txid, "pays more than one transaction may"),
        unbalanced(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_input_that_is_no_output_of_ours_shows() {
    let (event, found) = with_event(Way::Seen, |tx, event| tx.remove_utxo(event.funding));
    let txid = event.txid();
    let unknown = format!("spends {}, which is no output of ours", event.funding);
    let sums = "brings 0, makes 4940 and says that it pays 60";
    let expected = [violation("I5", txid, &unknown), violation("I5", txid, sums), unbalanced()];
    assert_eq!(found, expected);
}

#[test]
fn an_input_must_be_held_or_spent_by_the_transaction_that_has_it() {
    for (way, state, name) in [
        (Way::Signed, UtxoState::Available, "available"),
        (Way::Seen, UtxoState::Unconfirmed, "unconfirmed"),
    ] {
        let (event, found) = with_funding(way, move |utxo| utxo.state = state);
        let detail = format!("spends {}, which is {name} and not for it", event.funding);
        assert_eq!(found, [violation("I5", event.txid(), &detail)]);
    }
}

#[test]
fn an_output_is_spent_only_by_what_spends_it() {
    let by = Txid::from_bytes([3; 32]);
    let (event, found) =
        with_funding(Way::Accepted, move |utxo| utxo.state = UtxoState::Spent { by });
    let detail = "is marked spent by what does not spend it";
    assert_eq!(found, [violation("I5", event.funding, detail)]);
}

#[test]
fn a_held_output_must_be_in_the_transaction_it_is_held_for() {
    let (event, found) = with_event(Way::Signed, |tx, event| {
        let point = OutPoint::new(Txid::from_bytes([3; 32]), 0);
        let state = UtxoState::Locked { by: event.record.id };
        tx.put_utxo(&utxo(point, 900, OutputPurpose::Pool, state))
    });
    let point = OutPoint::new(Txid::from_bytes([3; 32]), 0);
    let detail = "is held for a transaction that does not spend it";
    assert_eq!(found, [violation("I5", point, detail)], "{:?}", event.way);
}

#[test]
fn an_output_that_pays_us_must_be_in_the_pool() {
    let (event, found) =
        with_event(Way::Seen, |tx, event| tx.remove_utxo(OutPoint::new(event.txid(), 3)));
    let point = OutPoint::new(event.txid(), 3);
    let detail = "pays a key of ours and is not in the pool";
    assert_eq!(found, [violation("I5", point, detail)]);
}

#[test]
fn an_output_must_be_what_its_transaction_made() {
    let (event, found) = with_event(Way::Seen, |tx, event| {
        let mut change = utxos::expect_utxo(tx, OutPoint::new(event.txid(), 3))?;
        change.value = change.value.checked_sub(Satoshis::from_const(1)).unwrap();
        tx.put_utxo(&change)
    });
    let point = OutPoint::new(event.txid(), 3);
    let expected = [violation("I5", point, "is not what its transaction made"), unbalanced()];
    assert_eq!(found, expected);
}

#[test]
fn an_output_of_a_dead_transaction_shows() {
    let (event, found) = with_event(Way::Failed, |tx, event| {
        let point = OutPoint::new(event.txid(), 3);
        tx.put_utxo(&utxo(point, 4929, OutputPurpose::Pool, UtxoState::Available))
    });
    let point = OutPoint::new(event.txid(), 3);
    let expected = [violation("I5", point, "was made by a dead transaction"), unbalanced()];
    assert_eq!(found, expected);
}

#[test]
fn bytes_that_are_another_transaction_show() {
    let (event, found) = with_transaction(Way::Failed, |it| it.raw.push(0));
    assert_eq!(found, [violation("I6", event.txid(), "its bytes are not this transaction")]);
}

#[test]
fn a_job_may_hold_outputs_only_while_it_is_to_spend_them() {
    for way in [Way::Accepted, Way::Failed] {
        let (event, found) = with_funding(way, move |_| {});
        assert_eq!(found, [], "{:?}", event.way);
        let by = event.record.id;
        let (event, found) = with_funding(way, move |utxo| utxo.state = UtxoState::Locked { by });
        let detail = "holds an output that it may not hold at its stage";
        assert_eq!(found, [violation("I4", event.record.id, detail)]);
    }
    let (event, found) = with_funding(Way::Reserved, |utxo| utxo.state = UtxoState::Available);
    let detail = "is reserved and holds no output";
    assert_eq!(found, [violation("I4", event.record.id, detail)]);
}

#[test]
fn leases_and_held_outputs_are_one_to_one() {
    let (event, found) = with_event(Way::Signed, |tx, event| {
        let point = event.funding.to_bytes();
        tx.tables.leases.remove((event.record.id.to_bytes(), point))?;
        Ok(())
    });
    assert_eq!(found, [violation("index", event.funding, "is held and has no lease")]);

    let (event, found) = with_event(Way::Signed, |tx, event| {
        tx.tables.leases.insert((event.record.id.to_bytes(), [0; 36]), ())?;
        Ok(())
    });
    let lease = Row("lease", (event.record.id, OutPoint::from_bytes(&[0; 36])));
    assert_eq!(found, [violation("index", lease, "names no output that is held")]);
}

#[test]
fn the_index_over_outputs_is_one_to_one() {
    let (event, found) = with_event(Way::Accepted, |tx, event| {
        let point = event.funding.to_bytes();
        tx.tables.utxos_by_status.remove((1, 5000, point))?;
        tx.tables.utxos_by_status.insert((1, 5001, point), ())?;
        Ok(())
    });
    let row = Row("output by status", (1, event.funding));
    let expected = [
        violation("index", event.funding, "is not listed under its status"),
        violation("index", row, "names no such output"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn totals_of_outputs_are_recounted() {
    let (_, found) = with_event(Way::Accepted, |tx, _| {
        tx.tables.utxo_totals.insert(("funding", 1), (1, 4999))?;
        tx.tables.utxo_totals.insert(("nobody", 1), (1, 1))?;
        tx.tables.utxo_totals.insert(("nobody", 2), (0, 0))?;
        Ok(())
    });
    let row = |name: &str| Row("output total", (name.to_owned(), 1));
    let expected = [
        violation("index", row("funding"), "the total says (1, 4999), there are (1, 5000)"),
        violation("index", row("nobody"), "the total says (1, 1), there are (0, 0)"),
    ];
    assert_eq!(found, expected);
    assert_eq!(FUNDING_HASH, [1; 20]);
}
