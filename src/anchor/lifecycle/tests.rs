//! The lifecycle's rules, one by one and under any order of events.

use proptest::prelude::*;

use super::*;
use crate::types::RecordId;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn txid(byte: u8) -> Txid {
    Txid::from_bytes([byte; 32])
}

fn job(stage: Stage) -> Job {
    Job { stage, ..Job::new(RecordId::from_bytes([1; 16]), NOW) }
}

fn run(job: &Job, event: Event) -> Step {
    step(job, &event, NOW, &RetryPolicy::default())
}

#[test]
fn a_failed_record_moves_only_when_it_is_resumed() {
    let failed = job(Stage::Failed { reason: "16: mandatory".into() });
    for event in [Event::Woken, Event::Reserved, Event::StateGone] {
        assert_eq!(run(&failed, event).job.stage, failed.stage);
    }
    let resumed = run(&failed, Event::Resumed);
    assert_eq!((resumed.job.stage, resumed.job.due), (Stage::Accepted, Some(NOW)));
}

#[test]
fn the_straight_way_goes_through_every_stage_once() {
    let mut at = Job::new(RecordId::from_bytes([1; 16]), NOW);
    let mine = txid(7);
    let block = BlockHash::from_bytes([9; 32]);
    let events = [
        Event::Woken,
        Event::Reserved,
        Event::SignedStored { txid: mine },
        Event::Sent(SendResult::Taken),
        Event::Looked(Sighting::InMempool),
        Event::Looked(Sighting::Mined { block, height: 5 }),
        Event::Buried { confirmations: 5 },
        Event::Buried { confirmations: 6 },
    ];
    let mut changes = Vec::new();
    for event in events {
        let next = run(&at, event);
        changes.extend(next.changes);
        at = next.job;
    }
    assert_eq!(at.stage, Stage::Final { txid: mine, block, height: 5 });
    assert_eq!(
        changes,
        [Change::Settle { txid: mine }, Change::Bury { txid: mine, block, height: 5 }]
    );
}

#[test]
fn an_unknown_outcome_sends_the_same_bytes_again_and_releases_nothing() {
    let mut at = job(Stage::Signed { txid: txid(1) });
    for _ in 0..100 {
        let next = run(
            &at,
            Event::Sent(SendResult::Unknown { reason: "time-out".into(), retry_after_ms: None }),
        );
        assert_eq!(next.changes, []);
        assert_eq!(next.job.txid(), Some(txid(1)));
        let woken = run(&next.job, Event::Woken);
        assert_eq!(woken.effects, [Effect::Send { txid: txid(1) }]);
        at = woken.job;
    }
}

#[test]
fn repeated_doubt_has_the_transaction_looked_for_unless_a_pause_is_asked_for() {
    let doubt =
        |retry_after_ms| Event::Sent(SendResult::Unknown { reason: "lost".into(), retry_after_ms });
    let mut at = job(Stage::Signed { txid: txid(1) });
    for wanted in [false, false, true, false, false, true] {
        let next = run(&at, doubt(None));
        assert_eq!(next.effects == [Effect::Look { txid: txid(1) }], wanted);
        assert_eq!(run(&at, doubt(Some(5))).effects, []);
        at = next.job;
    }
}

#[test]
fn a_conflict_is_believed_only_when_its_spender_is_final() {
    let signed = job(Stage::Signed { txid: txid(1) });
    let told = run(&signed, Event::Sent(SendResult::Conflict("258".into())));
    assert_eq!(told.changes, []);
    assert_eq!(told.effects, [Effect::FindSpender { txid: txid(1) }]);
    let other = run(&told.job, Event::SpenderFound(Spender::Other(txid(2))));
    assert_eq!(other.changes, [Change::Freeze { txid: txid(1) }]);
    assert!(matches!(other.job.stage, Stage::Held { .. }));
    let proved = run(&other.job, Event::SpenderFound(Spender::OtherFinal(txid(2))));
    assert_eq!(proved.changes, [Change::Abandon { txid: txid(1), killed_by: Some(txid(2)) }]);
    assert_eq!(proved.job.stage, Stage::Accepted);
    assert_eq!(proved.job.dead, [txid(1)]);
}

#[test]
fn a_transaction_that_spends_its_own_inputs_is_no_conflict() {
    let signed = job(Stage::Signed { txid: txid(1) });
    for spender in [Spender::Other(txid(1)), Spender::OtherFinal(txid(1)), Spender::Nobody] {
        let next = run(&signed, Event::SpenderFound(spender));
        assert_eq!(next.changes, []);
        assert_eq!(next.job.stage, signed.stage);
    }
}

#[test]
fn a_shallow_reorganisation_takes_a_record_back_and_a_deep_one_holds_it() {
    let block = BlockHash::from_bytes([9; 32]);
    for stage in [
        Stage::Mined { txid: txid(1), block, height: 5 },
        Stage::Final { txid: txid(1), block, height: 5 },
    ] {
        for depth in 1..=7 {
            let back = run(&job(stage.clone()), Event::BlockOrphaned { depth });
            assert_eq!(back.job.stage, Stage::Signed { txid: txid(1) });
            assert_eq!(back.changes, [Change::Unbury { txid: txid(1) }]);
            assert_eq!(back.effects, [Effect::Send { txid: txid(1) }]);
        }
        let held = run(&job(stage), Event::BlockOrphaned { depth: 8 });
        let reason = HeldReason::DeepReorganisation;
        assert_eq!(held.job.stage, Stage::Held { txid: Some(txid(1)), reason });
        let gone = Change::Unbury { txid: txid(1) };
        assert_eq!(held.changes, [gone, Change::Freeze { txid: txid(1) }]);
        assert_eq!(held.effects, []);
    }
}

#[test]
fn after_a_deep_reorganisation_a_record_is_looked_for_and_only_an_operator_has_it_sent() {
    let reason = HeldReason::DeepReorganisation;
    let held = job(Stage::Held { txid: Some(txid(1)), reason });
    assert_eq!(run(&held, Event::Woken).effects, [Effect::Look { txid: txid(1) }]);
    for sighting in [Sighting::Missing, Sighting::InMempool] {
        let looked = run(&held, Event::Looked(sighting));
        assert_eq!((looked.job.stage, looked.effects), (held.stage.clone(), vec![]));
    }
    let block = BlockHash::from_bytes([9; 32]);
    let again = run(&held, Event::Looked(Sighting::Mined { block, height: 5 }));
    assert_eq!(again.job.stage, Stage::Mined { txid: txid(1), block, height: 5 });
    let resumed = run(&held, Event::Resumed).job;
    assert_eq!(run(&resumed, Event::Woken).effects, [Effect::Send { txid: txid(1) }]);
}

#[test]
fn late_and_repeated_messages_change_nothing() {
    let block = BlockHash::from_bytes([9; 32]);
    let mined = job(Stage::Mined { txid: txid(1), block, height: 5 });
    for event in [
        Event::Sent(SendResult::Taken),
        Event::Sent(SendResult::Invalid("no".into())),
        Event::Looked(Sighting::Missing),
        Event::Looked(Sighting::InMempool),
        Event::Reserved,
        Event::SignedStored { txid: txid(2) },
        Event::SignerWrong("no".into()),
        Event::SpenderFound(Spender::OtherFinal(txid(3))),
    ] {
        let next = run(&mined, event);
        assert_eq!(next.job, mined);
        assert_eq!((next.changes, next.effects), (vec![], vec![]));
    }
}

fn condemned() -> Job {
    let mut at = job(Stage::Signed { txid: txid(1) });
    for attempt in 1..=4 {
        let next = run(&at, Event::Sent(SendResult::Invalid("16: mandatory".into())));
        assert_eq!(next.changes, []);
        let looks = [Effect::Look { txid: txid(1) }];
        assert_eq!(next.effects, looks[..usize::from(attempt == 4)]);
        at = next.job;
    }
    at
}

#[test]
fn only_repeated_verdicts_against_bytes_that_the_network_does_not_have_end_a_record() {
    let missing = run(&condemned(), Event::Looked(Sighting::Missing));
    assert_eq!(
        missing.changes,
        [Change::Abandon { txid: txid(1), killed_by: None }, Change::GiveUp]
    );
    assert_eq!(missing.job.stage, Stage::Failed { reason: "16: mandatory".into() });
    assert_eq!((missing.job.due, missing.job.dead), (None, vec![txid(1)]));
    let there = run(&condemned(), Event::Looked(Sighting::InMempool));
    assert_eq!(there.job.stage, Stage::Seen { txid: txid(1) });
}

#[test]
fn while_an_earlier_attempt_may_still_arrive_no_verdict_frees_an_input() {
    let lost = SendResult::Unknown { reason: "time-out".into(), retry_after_ms: None };
    for doubt in [Event::Sent(lost), Event::Interrupted] {
        let mut at = run(&job(Stage::Signed { txid: txid(1) }), doubt).job;
        for _ in 0..4 {
            at = run(&at, Event::Sent(SendResult::Invalid("16: mandatory".into()))).job;
        }
        let missing = run(&at, Event::Looked(Sighting::Missing));
        assert_eq!(missing.changes, []);
        let held = Stage::Held { txid: Some(txid(1)), reason: HeldReason::Refused };
        assert_eq!(missing.job.stage, held);
        let again = run(&missing.job, Event::Woken);
        assert_eq!(again.effects, [Effect::Send { txid: txid(1) }]);
        let arrived = run(&missing.job, Event::Sent(SendResult::Taken));
        assert_eq!(arrived.job.stage, Stage::Seen { txid: txid(1) });
    }
}

#[test]
fn a_verdict_after_anything_else_is_the_first_again() {
    for other in [
        Event::Sent(SendResult::Unknown { reason: "time-out".into(), retry_after_ms: None }),
        Event::Sent(SendResult::Orphan("Missing inputs".into())),
        Event::Looked(Sighting::Unproved("time-out".into())),
    ] {
        let between = run(&condemned(), other);
        let next = run(&between.job, Event::Sent(SendResult::Invalid("64: dust".into())));
        let missing = run(&next.job, Event::Looked(Sighting::Missing));
        assert_eq!(missing.changes, []);
        assert_eq!(missing.job.stage, Stage::Signed { txid: txid(1) });
    }
}

#[test]
fn what_the_network_took_once_is_never_believed_to_break_a_rule() {
    let seen = run(&job(Stage::Signed { txid: txid(1) }), Event::Sent(SendResult::Taken)).job;
    let block = BlockHash::from_bytes([9; 32]);
    let mined = run(&seen, Event::Looked(Sighting::Mined { block, height: 5 })).job;
    let mut at = run(&mined, Event::BlockOrphaned { depth: 1 }).job;
    for _ in 0..10 {
        at = run(&at, Event::Sent(SendResult::Invalid("16: mandatory".into()))).job;
        let missing = run(&at, Event::Looked(Sighting::Missing));
        assert_eq!(missing.changes, []);
    }
    assert_eq!(at.stage, Stage::Signed { txid: txid(1) });
}

#[test]
fn a_signer_is_held_responsible_for_refusals_in_a_row_only() {
    let mut at = Job::new(RecordId::from_bytes([1; 16]), NOW);
    for _ in 0..10 {
        at = run(&at, Event::SignerSilent("time-out".into())).job;
        at = run(&at, Event::SignerWrong("403".into())).job;
        at = run(&at, Event::NotFunded { needed: 2, available: 1 }).job;
    }
    assert_eq!(at.stage, Stage::Accepted);
    for _ in 0..5 {
        at = run(&at, Event::SignerWrong("403".into())).job;
    }
    assert_eq!(at.stage, Stage::Held { txid: None, reason: HeldReason::Signer });
    let resumed = run(&at, Event::Resumed);
    assert_eq!(resumed.changes, [Change::ReturnLease]);
    assert_eq!((resumed.job.stage, resumed.job.due), (Stage::Accepted, Some(NOW)));
}

#[test]
fn a_transfer_whose_starting_point_died_fails_and_a_signed_one_only_with_its_transaction() {
    for stage in
        [Stage::Accepted, Stage::Reserved, Stage::Held { txid: None, reason: HeldReason::Signer }]
    {
        let failed = run(&job(stage), Event::StateGone);
        assert_eq!(failed.changes, [Change::ReturnLease, Change::GiveUp]);
        assert!(matches!(failed.job.stage, Stage::Failed { .. }));
    }
    let signed = job(Stage::Signed { txid: txid(1) });
    assert_eq!(run(&signed, Event::StateGone).job, signed);
    let dead = run(&signed, Event::SpenderFound(Spender::StateGone(txid(2))));
    let abandoned = Change::Abandon { txid: txid(1), killed_by: Some(txid(2)) };
    assert_eq!(dead.changes, [abandoned, Change::GiveUp]);
    assert_eq!(dead.job.dead, [txid(1)]);
}

#[test]
fn a_plan_that_cannot_come_true_fails_for_good_and_gives_back_what_it_held() {
    for stage in
        [Stage::Accepted, Stage::Reserved, Stage::Held { txid: None, reason: HeldReason::Signer }]
    {
        let failed = run(&job(stage), Event::PlanVoid("the rate rose".into()));
        assert_eq!(failed.changes, [Change::ReturnLease, Change::GiveUp]);
        assert!(matches!(failed.job.stage, Stage::Failed { .. }));
    }
    let signed = job(Stage::Signed { txid: txid(1) });
    assert_eq!(run(&signed, Event::PlanVoid("late".into())).job, signed);
    let dead = run(&signed, Event::SpenderFound(Spender::PlanDead(txid(2))));
    let abandoned = Change::Abandon { txid: txid(1), killed_by: Some(txid(2)) };
    assert_eq!(dead.changes, [abandoned, Change::GiveUp]);
}

#[test]
fn a_lease_is_taken_back_only_where_nothing_is_signed() {
    let reserved = run(&job(Stage::Reserved), Event::LeaseRevoked);
    assert_eq!(reserved.changes, [Change::ReturnLease]);
    assert_eq!(reserved.job.stage, Stage::Accepted);
    for stage in [Stage::Signed { txid: txid(1) }, Stage::Seen { txid: txid(1) }] {
        assert_eq!(run(&job(stage), Event::LeaseRevoked).changes, []);
    }
    let held = Stage::Held { txid: Some(txid(1)), reason: HeldReason::FeeTooLow };
    assert_eq!(run(&job(held), Event::LeaseRevoked).changes, []);
}

#[test]
fn waiting_for_money_shows_until_something_else_happens() {
    let poor = run(&job(Stage::Accepted), Event::NotFunded { needed: 2, available: 1 }).job;
    assert!(poor.waits_for_money);
    assert!(run(&poor, Event::Woken).job.waits_for_money);
    assert!(!run(&poor, Event::SignerSilent("503".into())).job.waits_for_money);
    assert!(!run(&poor, Event::Reserved).job.waits_for_money);
}

#[test]
fn whatever_a_record_is_held_for_a_conflict_is_looked_into() {
    let held = job(Stage::Held { txid: Some(txid(1)), reason: HeldReason::FeeTooLow });
    for result in [SendResult::Conflict("258".into()), SendResult::Orphan("Missing inputs".into())]
    {
        let next = run(&held, Event::Sent(result));
        assert_eq!(next.effects, [Effect::FindSpender { txid: txid(1) }]);
        assert_eq!(next.job, held);
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let block = BlockHash::from_bytes([9; 32]);
    let words = || "w".to_owned();
    prop_oneof![
        Just(Event::Woken),
        Just(Event::Reserved),
        Just(Event::NotFunded { needed: 2, available: 1 }),
        Just(Event::SignerSilent(words())),
        Just(Event::SignerWrong(words())),
        (0u8..4).prop_map(|n| Event::SignedStored { txid: txid(n) }),
        Just(Event::Sent(SendResult::Taken)),
        Just(Event::Sent(SendResult::Unknown { reason: words(), retry_after_ms: Some(1) })),
        Just(Event::Sent(SendResult::Orphan(words()))),
        Just(Event::Sent(SendResult::Conflict(words()))),
        Just(Event::Sent(SendResult::Invalid(words()))),
        Just(Event::Sent(SendResult::FeeTooLow(words()))),
        Just(Event::Looked(Sighting::Missing)),
        Just(Event::Looked(Sighting::InMempool)),
        Just(Event::Looked(Sighting::Mined { block, height: 5 })),
        Just(Event::Looked(Sighting::Unproved(words()))),
        Just(Event::SpenderFound(Spender::Nobody)),
        (0u8..4).prop_map(|n| Event::SpenderFound(Spender::Other(txid(n)))),
        (0u8..4).prop_map(|n| Event::SpenderFound(Spender::OtherFinal(txid(n)))),
        (0u8..4).prop_map(|n| Event::SpenderFound(Spender::StateGone(txid(n)))),
        (0u8..4).prop_map(|n| Event::SpenderFound(Spender::PlanDead(txid(n)))),
        Just(Event::StateGone),
        Just(Event::Capped("the day's fees are spent".into())),
        Just(Event::LeaseRevoked),
        Just(Event::PlanVoid("no plan".into())),
        Just(Event::Resumed),
        (1u32..12).prop_map(|depth| Event::BlockOrphaned { depth }),
        (0u32..8).prop_map(|confirmations| Event::Buried { confirmations }),
    ]
}

proptest! {
    /// Whatever happens in whatever order: a transaction is given up only on proof or repeated
    /// verdict, never by time; a new one is signed only after the old one is dead; work never
    /// stops without a reason that an operator sees.
    #[test]
    fn no_order_of_events_breaks_the_rules(events in prop::collection::vec(any_event(), 1..200)) {
        let mut at = Job::new(RecordId::from_bytes([1; 16]), NOW);
        for event in events {
            let before = at.txid();
            let next = run(&at, event.clone());
            let abandoned = next.changes.iter().any(|c| matches!(c, Change::Abandon { .. }));
            if let Some(old) = before {
                prop_assert!(next.job.txid() == Some(old) || abandoned, "{event:?}");
            }
            if abandoned {
                prop_assert!(matches!(
                    event,
                    Event::SpenderFound(
                        Spender::OtherFinal(_) | Spender::StateGone(_) | Spender::PlanDead(_)
                    )
                        | Event::Looked(Sighting::Missing)
                ));
            }
            let waits_for_others = matches!(
                next.job.stage,
                Stage::Mined { .. } | Stage::Final { .. } | Stage::Failed { .. } | Stage::Held { .. }
            );
            prop_assert!(next.job.due.is_some() || waits_for_others, "{:?}", next.job);
            at = next.job;
        }
    }
}
