//! Numbers, the ring and its bytes, and the clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;

use super::*;
use crate::storage::StageName;
use crate::types::{RecordId, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn feed() -> (Feed, Arc<AtomicBool>) {
    let awake = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&awake);
    (Feed::new(7, Arc::new(move |is_awake| seen.store(is_awake, Ordering::SeqCst))), awake)
}

fn everything() -> Audience {
    Audience { topics: Topic::ALL.to_vec(), shop: None }
}

fn record(number: u8) -> Event {
    let (id, uid) = (RecordId::from_bytes([number; 16]), "T".repeat(128));
    Event::Record(RecordMoved { id, uid, stage: StageName::Seen, txid: None })
}

fn heard(subscription: &mut Subscription) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(Some(sent)) = subscription.next().now_or_never() {
        numbers.push(sent.number);
    }
    numbers
}

#[test]
fn a_name_is_read_back() {
    let id = EventId { epoch: 0xabc, number: 12 };
    assert_eq!(id.to_string().parse(), Ok(id));
    for text in ["", "-", "1", "x-1", "1-x", "1-2-3"] {
        assert!(text.parse::<EventId>().is_err(), "{text}");
    }
}

#[test]
fn a_position_is_named_only_when_all_before_it_was_told() {
    let (feed, _) = feed();
    let settings = Audience { topics: vec![Topic::Settings], shop: None };
    let mut quiet = feed.listen("one", settings, None).unwrap();
    feed.publish(record(1));
    assert_eq!(quiet.position().map(|it| it.number), Some(1), "it is not for this listener");
    feed.publish(Event::Settings);
    assert_eq!(quiet.position(), None, "it waits to be heard");
    assert_eq!(heard(&mut quiet), [2]);
    assert_eq!(quiet.position().map(|it| it.number), Some(2));
    feed.forget();
    assert_eq!(quiet.position(), None, "its stream ends");
    assert_eq!(quiet.next().now_or_never().map(|sent| sent.is_none()), Some(true));
}

#[test]
fn events_go_on_for_a_while_after_the_last_listener_and_then_the_next_reads_anew() {
    let (feed, awake) = feed();
    feed.publish(record(1));
    let subscription = feed.listen("one", everything(), None).unwrap();
    assert!(awake.load(Ordering::SeqCst));
    assert_eq!(subscription.newest.number, 0, "nobody was there for the first");
    let last = subscription.newest;
    drop(subscription);
    feed.rest(NOW);
    feed.publish(record(2));
    let mut again = feed.listen("one", everything(), Some(last)).unwrap();
    assert_eq!((again.opening, heard(&mut again)), (Opening::Resumed, vec![1]));
    drop(again);
    feed.rest(NOW);
    feed.rest(NOW.plus(Duration::from_secs(299)));
    assert!(feed.is_awake());
    feed.rest(NOW.plus(Duration::from_secs(300)));
    assert!(!feed.is_awake() && !awake.load(Ordering::SeqCst));
    let late = feed.listen("one", everything(), Some(EventId { epoch: 7, number: 1 })).unwrap();
    assert_eq!(late.opening, Opening::Reset);
}

#[test]
fn the_ring_has_a_bound_in_events_and_so_in_bytes() {
    let (feed, _) = feed();
    let kept = feed.listen("one", everything(), None).unwrap();
    for number in 0..=u8::MAX {
        (0..10).for_each(|_| feed.publish(record(number)));
    }
    let start = EventId { epoch: 7, number: 1_560 };
    let mut back = feed.listen("two", everything(), Some(start)).unwrap();
    let numbers = heard(&mut back);
    assert_eq!((numbers.len(), numbers[0], numbers[999]), (1_000, 1_561, 2_560));
    // The longest event that is kept: a record with a tag of 128 letters.
    let bytes = 1_000 * (size_of::<Sent>() + 128 + 64);
    assert!(bytes < 512 * 1024, "{bytes}");
    drop(kept);
}

#[test]
fn a_shop_hears_of_its_own_claims_and_no_others() {
    use crate::bitcoin::Address;
    use crate::patch::tag::UidTag;
    use crate::storage::claims::{Claim, ClaimState};
    use crate::types::Network;

    let (feed, _) = feed();
    let audience = Audience { topics: vec![Topic::Claim], shop: Some([1; 20]) };
    let mut till = feed.listen("till", audience, None).unwrap();
    let claim = Claim {
        id: [1; 16],
        uid: UidTag::parse("TAG-1").unwrap(),
        new_owner: Address::of_hash([9; 20], Network::Test),
        state: ClaimState::Pending,
        filed_at: NOW,
        expires_at: NOW,
        forgotten_at: NOW,
    };
    for shop in [Some([2; 20]), None, Some([1; 20])] {
        feed.publish(Event::Claim(ClaimMoved { claim: claim.clone(), shop, at: NOW }));
    }
    assert_eq!(heard(&mut till), [3]);
}

/// Many at once, from many threads, to one who comes and goes all the time.
#[test]
fn nothing_is_lost_or_told_twice_whenever_one_comes_back() {
    let (feed, _) = feed();
    let numbers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let keeper = feed.listen("keeper", everything(), None).unwrap();
        let writers: Vec<_> = (0..4u8)
            .map(|number| {
                let feed = feed.clone();
                scope.spawn(move || (0..200).for_each(|_| feed.publish(record(number))))
            })
            .collect();
        let mut last = EventId { epoch: 7, number: 0 };
        loop {
            let is_over = writers.iter().all(std::thread::ScopedJoinHandle::is_finished);
            let mut back = feed.listen("guest", everything(), Some(last)).unwrap();
            assert_eq!(back.opening, Opening::Resumed);
            let heard = heard(&mut back);
            last.number = heard.last().copied().unwrap_or(last.number);
            numbers.lock().unwrap().extend(heard);
            if is_over {
                break;
            }
        }
        drop(keeper);
    });
    assert_eq!(numbers.into_inner().unwrap(), (1..=800).collect::<Vec<u64>>());
}
