//! Lists of products: sorted, searched by name, with cursors that belong to their list.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

async fn list(app: &TestApp, query: &[(&str, &str)]) -> Answer {
    app.api().call(Method::GET, &["v1", "admin", "patches"]).query(query).send().await
}

fn tags(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["uid_tag_id"].as_str().unwrap().to_owned()).collect()
}

/// Registers products one after the other, each at a time of its own.
async fn register_in_order(app: &TestApp, products: &[(&str, &str, &str)]) {
    for (uid, name, category) in products {
        let mut body = registration(uid, &Owner::number(1));
        body["product"]["name"] = json!(name);
        body["product"]["category"] = json!(category);
        app.outside.clock.advance(Duration::from_millis(5));
        let _ = app.api().registering(&body).send().await.expect(201);
    }
}

/// Walks through a list to its end and returns all tags.
async fn walk(app: &TestApp, filters: &[(&str, &str)], limit: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = filters.to_vec();
        query.push(("limit", limit));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = list(app, &query).await.expect(200);
        seen.extend(tags(&page));
        let Some(next) = page["nextCursor"].as_str() else { return seen };
        cursor = Some(next.to_owned());
    }
}

const PRODUCTS: [(&str, &str, &str); 4] = [
    ("TAG-3", "Heimtrikot ÄÖ", "Shirt"),
    ("TAG-1", "Away shirt", "shirt"),
    ("TAG-4", "Cap", "Hat"),
    ("TAG-2", "Scarf", "Scarf"),
];

#[tokio::test]
async fn every_sort_is_kept_over_all_pages_and_for_one_owner() {
    let app = TestApp::start().await;
    register_in_order(&app, &PRODUCTS).await;
    let ada = Owner::number(1);
    // A transfer is an event too, and makes no product older or newer.
    let txid =
        app.services.verification.store.read(|tx| patchproof::storage::patches::patch(tx, "TAG-1"));
    let txid = txid.unwrap().unwrap().current_txid.unwrap();
    let body = ada.hands_over("TAG-1", txid, &Owner::number(2).address());
    let _ = app.api().transferring(&txid.to_string(), &body).send().await.expect(200);
    let owner = ada.address();
    for (sort, all) in [
        ("uid", ["TAG-1", "TAG-2", "TAG-3", "TAG-4"]),
        ("-uid", ["TAG-4", "TAG-3", "TAG-2", "TAG-1"]),
        ("created", ["TAG-3", "TAG-1", "TAG-4", "TAG-2"]),
        ("-created", ["TAG-2", "TAG-4", "TAG-1", "TAG-3"]),
    ] {
        for limit in ["1", "3", "200"] {
            assert_eq!(walk(&app, &[("sort", sort)], limit).await, all, "{sort} {limit}");
            let of_ada: Vec<_> = all.into_iter().filter(|tag| *tag != "TAG-1").collect();
            let filters = [("sort", sort), ("owner", owner.as_str())];
            assert_eq!(walk(&app, &filters, limit).await, of_ada, "{sort} {limit}");
        }
    }
}

#[tokio::test]
async fn names_are_searched_and_categories_compared_in_any_case() {
    let app = TestApp::start().await;
    register_in_order(&app, &PRODUCTS).await;
    let found = async |query: &[(&str, &str)]| tags(&list(&app, query).await.expect(200));
    assert_eq!(found(&[("search", "heimTRIKOT äö")]).await, ["TAG-3"]);
    assert_eq!(found(&[("search", "tag-2")]).await, ["TAG-2"]);
    assert_eq!(found(&[("search", "ca")]).await, ["TAG-2", "TAG-4"]);
    assert_eq!(found(&[("category", "SHIRT")]).await, ["TAG-1", "TAG-3"]);
    assert!(found(&[("category", "shir")]).await.is_empty());
    assert_eq!(found(&[("category", "shirt"), ("search", "away")]).await, ["TAG-1"]);
    let page = list(&app, &[("search", "cap")]).await.expect(200);
    assert_eq!((&page["total"], &page["scanned"]), (&json!(4), &json!(4)));
    assert_eq!(page["items"][0]["name"], "Cap");
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let app = TestApp::start().await;
    register_in_order(&app, &PRODUCTS).await;
    let page = list(&app, &[("limit", "1"), ("search", "tag")]).await.expect(200);
    let cursor = page["nextCursor"].as_str().unwrap();
    assert_eq!(list(&app, &[("search", "tag"), ("cursor", cursor)]).await.status, 200);
    for other in [("search", "tag-"), ("category", "shirt"), ("sort", "-uid")] {
        list(&app, &[other, ("cursor", cursor)]).await.invalid(&["cursor"]);
    }
    list(&app, &[("cursor", cursor)]).await.invalid(&["cursor"]);
}

#[tokio::test]
async fn newest_first_neither_skips_nor_repeats_while_products_come() {
    let app = TestApp::start().await;
    register_in_order(&app, &PRODUCTS).await;
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    for number in 0..10 {
        let mut query = vec![("limit", "1"), ("sort", "-created")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = list(&app, &query).await.expect(200);
        seen.extend(tags(&page));
        register_in_order(&app, &[(&format!("NEW-{number}"), "New", "New")]).await;
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = Some(next.to_owned());
    }
    assert_eq!(seen, ["TAG-2", "TAG-4", "TAG-1", "TAG-3"]);
}
