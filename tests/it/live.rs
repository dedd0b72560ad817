//! The stream of events: nothing is missed, nobody hears what is not for him, and nobody waits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use patchproof::auth::Scope;
use patchproof::service::live::Event;
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, OTHER_KEY, TestApp};
use crate::support::clients::{Owner, registration};
use crate::support::listener::{Heard, Listener};

async fn listen(app: &TestApp) -> Listener {
    let mut listener = Listener::of(app, FULL_KEY, "", None).await;
    assert_eq!(listener.next().await.unwrap().event, "hello");
    listener
}

async fn register(app: &TestApp, uid: &str) -> Answer {
    app.api().registering(&registration(uid, &Owner::number(1))).send().await
}

#[tokio::test]
async fn a_registration_is_heard_within_a_second_and_the_numbers_are_those_of_the_route() {
    let app = TestApp::start().await;
    let mut listener = listen(&app).await;
    let before = listener.until("overview").await.data;
    let begun = Instant::now();
    let made = register(&app, "TAG-1").await.expect(201);
    let mut stages = Vec::new();
    while stages.last() != Some(&json!("seen")) {
        let heard = listener.until("record").await;
        assert_eq!(heard.data["uid_tag_id"], "TAG-1");
        stages.push(heard.data["stage"].clone());
        if heard.data["stage"] == "seen" {
            assert_eq!(heard.data["txid"], made["txid"]);
        }
    }
    assert_eq!(stages, ["accepted", "reserved", "signed", "seen"]);
    let seen_before = before["records"]["byStage"]["seen"].as_u64().unwrap();
    let overview = loop {
        let heard = listener.until("overview").await.data;
        if heard["records"]["byStage"]["seen"].as_u64() == Some(seen_before + 1) {
            break heard;
        }
    };
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let asked = app.api().get(&["v1", "admin", "overview"]).await.expect(200);
    for part in ["records", "pool", "logins", "lag", "mailsWaiting"] {
        assert_eq!(overview[part], asked[part], "{part}");
    }
    assert_eq!(overview["lag"]["records"], 1);
}

#[tokio::test]
async fn a_stream_begins_at_once_with_a_comment() {
    let app = TestApp::penniless().await;
    let mut listener = Listener::of(&app, FULL_KEY, "topics=settings", None).await;
    let first = listener.bytes().await.unwrap();
    assert!(first.starts_with(": hello\n"), "{first}");
}

#[tokio::test]
async fn whoever_comes_back_hears_what_he_missed_in_order_and_two_hear_the_same() {
    let app = TestApp::start().await;
    let (mut one, mut other) = (listen(&app).await, listen(&app).await);
    register(&app, "TAG-1").await;
    let heard = one.until("record").await;
    drop(one);
    // More than fits is made while he is away, by many at once.
    for round in 0..5 {
        let uids: Vec<String> = (0..20).map(|number| format!("R{round}-{number:02}")).collect();
        join_all(uids.iter().map(|uid| register(&app, uid))).await;
    }
    let mut again = Listener::of(&app, FULL_KEY, "", heard.last_id.as_deref()).await;
    assert_eq!(again.next().await.unwrap().event, "hello");
    let others = records(&mut other, 400).await;
    let after = others.iter().position(|it| it.last_id == heard.last_id).unwrap();
    let missed = records(&mut again, 400 - after - 1).await;
    assert_eq!(missed, others[after + 1..]);
    let numbers: Vec<u64> = others.iter().map(number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
}

async fn records(listener: &mut Listener, count: usize) -> Vec<Heard> {
    let mut found = Vec::new();
    while found.len() < count {
        found.push(listener.until("record").await);
    }
    found
}

fn number(heard: &Heard) -> u64 {
    heard.last_id.as_deref().unwrap().rsplit_once('-').unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn a_thousand_events_are_kept_and_one_more_means_read_everything_anew() {
    let app = TestApp::penniless().await;
    let listener = listen(&app).await;
    let start = listener.last_id.clone().unwrap();
    let feed = &app.services.console.feed;
    (0..1_000).for_each(|_| feed.publish(Event::Settings));
    let mut back = Listener::of(&app, FULL_KEY, "", Some(&start)).await;
    assert_eq!(back.next().await.unwrap().event, "hello");
    for expected in 1..=1_000 {
        let heard = back.until("settings").await;
        assert_eq!(number(&heard), expected);
    }
    feed.publish(Event::Settings);
    let mut late = Listener::of(&app, FULL_KEY, "", Some(&start)).await;
    assert_eq!(late.next().await.unwrap().event, "hello");
    let reset = late.next().await.unwrap();
    assert_eq!((reset.event.as_str(), number(&reset)), ("reset", 1_001));
    for name in ["", "nonsense", "0000000000000000-5", "ffff-99999999999999999999"] {
        let mut lost = Listener::of(&app, FULL_KEY, "", Some(name)).await;
        assert_eq!(lost.next().await.unwrap().event, "hello");
        assert_eq!(lost.next().await.unwrap().event, "reset", "{name:?}");
    }
    drop(listener);
}

#[tokio::test]
async fn a_stop_ends_streams_at_once_and_the_next_run_has_everything_read_anew() {
    let app = TestApp::start().await;
    let mut listener = listen(&app).await;
    register(&app, "TAG-1").await;
    let last = listener.until("record").await.last_id;
    let begun = Instant::now();
    let app = app.restart().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    while listener.next().await.is_some() {}
    let mut again = Listener::of(&app, FULL_KEY, "", last.as_deref()).await;
    assert_eq!(again.next().await.unwrap().event, "hello");
    assert_eq!(again.next().await.unwrap().event, "reset");
}

#[tokio::test]
async fn one_who_does_not_keep_up_is_dropped_and_holds_up_nobody() {
    let app = TestApp::penniless().await;
    let mut slow = listen(&app).await;
    let feed = &app.services.console.feed;
    // The test and the server share a thread: until it waits, nothing is read.
    (0..3_000).for_each(|_| feed.publish(Event::Settings));
    let mut heard = 0;
    while let Some(event) = slow.next().await {
        heard += usize::from(event.event == "settings");
    }
    assert!((1..3_000).contains(&heard), "{heard}");
    // What it missed is too long ago.
    let mut again = Listener::of(&app, FULL_KEY, "", slow.last_id.as_deref()).await;
    assert_eq!(again.next().await.unwrap().event, "hello");
    assert_eq!(again.next().await.unwrap().event, "reset");
}

#[tokio::test]
async fn nobody_hears_what_he_may_not_read() {
    let app = TestApp::start().await;
    let mut reader = Listener::of(&app, Scope::MetricsRead.as_str(), "", None).await;
    assert_eq!(reader.next().await.unwrap().event, "hello");
    reader.until("overview").await;
    register(&app, "TAG-1").await;
    for topic in ["record", "claim", "batch", "settings", "log"] {
        let query = format!("topics=overview,{topic}");
        let key = Scope::MetricsRead.as_str();
        let refused = Answer::of(Listener::ask(&app, key, &query, None).await).await;
        refused.problem(403, "FORBIDDEN");
    }
    for _ in 0..2 {
        assert_eq!(reader.next().await.unwrap().event, "overview");
    }
    let unknown = Listener::ask(&app, FULL_KEY, "topics=gossip", None).await;
    Answer::of(unknown).await.invalid(&["topics"]);
}

#[tokio::test]
async fn streams_are_counted_for_each_caller_and_for_all() {
    let app = TestApp::penniless().await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(listen(&app).await);
    }
    let refused = Answer::of(Listener::ask(&app, FULL_KEY, "", None).await).await;
    refused.problem(429, "RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), Some("5"));
    open.push(Listener::of(&app, OTHER_KEY, "", None).await);
    drop(open);
    app.until("places are given back", async || {
        let asked = Listener::ask(&app, FULL_KEY, "", None).await;
        (asked.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn while_nobody_listens_nothing_is_kept_or_computed() {
    let app = TestApp::start().await;
    let feed = &app.services.console.feed;
    assert!(!feed.is_awake() && !feed.has_listeners());
    let mut listener = listen(&app).await;
    let last = listener.last_id.clone();
    assert!(feed.is_awake());
    listener.until("overview").await;
    drop(listener);
    app.until("the listener is gone", async || (!feed.has_listeners()).then_some(())).await;
    assert!(feed.is_awake(), "for those who come back");
    app.until("nothing is kept any more", async || {
        // The time counts from when the task has seen that nobody is left.
        app.outside.clock.advance(Duration::from_secs(301));
        (!feed.is_awake()).then_some(())
    })
    .await;
    let mut again = Listener::of(&app, FULL_KEY, "", last.as_deref()).await;
    assert_eq!(again.next().await.unwrap().event, "hello");
    assert_eq!(again.next().await.unwrap().event, "reset");
    register(&app, "TAG-1").await;
    again.until("record").await;
}
