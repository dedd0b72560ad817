//! One commit for many writes, and one failure for one write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use patchproof::storage::{Store, StoreError, StoreOptions};

use crate::{HeldWriter, has, put, queue, write};

fn store() -> Store {
    Store::open(StoreOptions::in_memory()).unwrap()
}

#[tokio::test]
async fn what_is_queued_while_the_writer_is_busy_is_committed_together() {
    let store = store();
    let held = HeldWriter::hold(&store).await;
    let mut pending = Vec::new();
    for number in 0..300 {
        pending.push(queue(&store, move |tx| put(tx, &format!("uid-{number}"))).await);
    }
    let before = store.commit_count();
    held.let_go().await;
    for answer in pending {
        answer.await.unwrap();
    }
    assert_eq!(store.commit_count() - before, 2, "a full group of 256, and the rest");
    assert!((0..300).all(|number| has(&store, &format!("uid-{number}"))));
}

#[tokio::test]
async fn a_lone_write_does_not_wait_for_company() {
    let store = store();
    for number in 0..5 {
        write(&store, &format!("uid-{number}")).await.unwrap();
    }
    assert_eq!(store.commit_count(), 5);
}

#[tokio::test]
async fn an_operation_that_writes_nothing_costs_no_commit() {
    let store = store();
    store.write(|_| Ok::<_, StoreError>(())).await.unwrap();
    let refused = store.write(|_| Err::<(), _>(StoreError::Missing { entity: "thing" })).await;
    assert!(matches!(refused, Err(StoreError::Missing { entity: "thing" })));
    assert_eq!(store.commit_count(), 0);
}

#[tokio::test]
async fn an_operation_that_fails_before_it_writes_does_not_disturb_its_group() {
    let store = store();
    let held = HeldWriter::hold(&store).await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let first = queue(&store, move |tx| {
        counted.fetch_add(1, Ordering::SeqCst);
        put(tx, "first")
    })
    .await;
    let refused = queue(&store, |_| Err::<(), _>(StoreError::Missing { entity: "thing" })).await;
    let last = queue(&store, |tx| put(tx, "last")).await;
    held.let_go().await;
    first.await.unwrap();
    assert!(matches!(refused.await, Err(StoreError::Missing { .. })));
    last.await.unwrap();
    assert_eq!((store.commit_count(), runs.load(Ordering::SeqCst)), (1, 1));
    assert!(has(&store, "first") && has(&store, "last"));
}

#[tokio::test]
async fn an_operation_that_fails_after_it_wrote_poisons_only_itself() {
    let store = store();
    let held = HeldWriter::hold(&store).await;
    let mut pending = Vec::new();
    for number in 0..100 {
        pending.push(
            queue(&store, move |tx| {
                put(tx, &format!("uid-{number}"))?;
                if number == 50 { Err(StoreError::Missing { entity: "thing" }) } else { Ok(()) }
            })
            .await,
        );
    }
    held.let_go().await;
    for (number, answer) in pending.into_iter().enumerate() {
        let answer = answer.await;
        assert_eq!(answer.is_err(), number == 50, "{number}");
        assert_eq!(has(&store, &format!("uid-{number}")), number != 50, "{number}");
    }
    assert_eq!(store.commit_count(), 2, "those before it and those after it");
}

#[tokio::test]
async fn a_panic_kills_only_the_operation_that_panics() {
    let store = store();
    let held = HeldWriter::hold(&store).await;
    let first = queue(&store, |tx| put(tx, "first")).await;
    let panics = queue(&store, |tx| {
        put(tx, "lost")?;
        if has_lost(tx) { panic!("on purpose") } else { Ok(()) }
    })
    .await;
    let last = queue(&store, |tx| put(tx, "last")).await;
    held.let_go().await;
    first.await.unwrap();
    assert!(matches!(panics.await, Err(StoreError::Panicked)));
    last.await.unwrap();
    assert!(has(&store, "first") && has(&store, "last") && !has(&store, "lost"));
    write(&store, "later").await.unwrap();
}

fn has_lost(tx: &patchproof::storage::WriteTx<'_>) -> bool {
    patchproof::storage::contents::content(tx, "lost").unwrap().is_some()
}

#[tokio::test]
async fn an_operation_sees_what_those_before_it_in_the_group_wrote() {
    let store = store();
    let held = HeldWriter::hold(&store).await;
    let first = queue(&store, |tx| put(tx, "lost")).await;
    let second = queue(&store, |tx| Ok(has_lost(tx))).await;
    held.let_go().await;
    first.await.unwrap();
    assert!(second.await.unwrap());
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_with_it() {
    let store = store();
    let held = HeldWriter::hold(&store).await;
    drop(queue(&store, |tx| put(tx, "orphan")).await);
    held.let_go().await;
    write(&store, "next").await.unwrap();
    assert!(has(&store, "orphan"));
}

#[tokio::test]
async fn closing_answers_what_is_queued_and_refuses_what_comes_later() {
    let store = store();
    let held = HeldWriter::hold(&store).await;
    let mut pending = Vec::new();
    for number in 0..20 {
        pending.push(queue(&store, move |tx| put(tx, &format!("uid-{number}"))).await);
    }
    let closing = std::thread::spawn({
        let store = store.clone();
        move || store.close()
    });
    held.let_go().await;
    for answer in pending {
        answer.await.unwrap();
    }
    closing.join().unwrap();
    assert!(matches!(write(&store, "late").await, Err(StoreError::Closed)));
    assert!(matches!(store.read(|_| Ok::<_, StoreError>(())), Err(StoreError::Closed)));
    store.close();
}
