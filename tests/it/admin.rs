//! What operators ask for: lists of products and the state of the pool.

use insta::assert_json_snapshot;
use patchproof::simnet::{Fault, Loss, RequestClass};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::redaction::redacted;

async fn list(app: &TestApp, query: &[(&str, &str)]) -> Answer {
    app.api().call(Method::GET, &["v1", "admin", "patches"]).query(query).send().await
}

fn tags(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["uid_tag_id"].as_str().unwrap().to_owned()).collect()
}

async fn register_all(app: &TestApp, uids: &[&str], owner: &Owner) {
    let bodies: Vec<Value> = uids.iter().map(|uid| registration(uid, owner)).collect();
    let calls = bodies.iter().map(|body| app.api().registering(body).send());
    for answer in futures_util::future::join_all(calls).await {
        let _ = answer.expect(201);
    }
}

#[tokio::test]
async fn products_are_listed_by_tag_with_their_status() {
    let app = TestApp::start().await;
    let empty = json!({ "items": [], "nextCursor": null, "total": 0, "scanned": 0 });
    assert_eq!(list(&app, &[]).await.expect(200), empty);
    register_all(&app, &["TAG-2", "TAG-1"], &Owner::number(1)).await;
    let answer = list(&app, &[]).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("link"), None);
    assert_json_snapshot!(redacted(answer.expect(200)));
}

#[tokio::test]
async fn filters_search_owner_and_status() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    register_all(&app, &["Shirt-1", "shirt-2", "Bag-1"], &ada).await;
    register_all(&app, &["Bag-2"], &bob).await;
    let silence = Fault::DropRequest { loss: Loss::ConnectionClosed };
    app.outside.break_always(RequestClass::Broadcast, silence);
    let call = app.api().registering(&registration("Bag-3", &bob));
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    let found = async |query: &[(&str, &str)]| tags(&list(&app, query).await.expect(200));
    assert_eq!(found(&[("search", "SHIRT")]).await, ["Shirt-1", "shirt-2"]);
    assert_eq!(found(&[("search", "-1")]).await, ["Bag-1", "Shirt-1"]);
    assert!(found(&[("search", "nothing")]).await.is_empty());
    assert_eq!(found(&[("owner", &bob.address())]).await, ["Bag-2", "Bag-3"]);
    assert_eq!(found(&[("status", "confirmed")]).await, ["Bag-1", "Bag-2", "Shirt-1", "shirt-2"]);
    let both = [("owner", bob.address()), ("status", "confirmed".to_owned())];
    let both: Vec<(&str, &str)> =
        both.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(found(&both).await, ["Bag-2"]);
    app.until("the last is signed", async || {
        (found(&[("status", "anchoring")]).await == ["Bag-3"]).then_some(())
    })
    .await;
    assert!(found(&[("status", "failed")]).await.is_empty());
}

#[tokio::test]
async fn a_transfer_under_way_shows_in_the_status() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register("TAG-1", &ada).await;
    let silence = Fault::DropRequest { loss: Loss::ConnectionClosed };
    app.outside.break_always(RequestClass::Broadcast, silence);
    let body = ada.hands_over("TAG-1", txid, &bob.address());
    let call = app.api().transferring(&txid.to_string(), &body);
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    let page = list(&app, &[]).await.expect(200);
    assert_ne!(page["items"][0]["status"], "confirmed");
    assert_eq!(page["items"][0]["owner"], ada.address());
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_products_come() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let first: Vec<String> = (0..9).map(|number| format!("M-{number}")).collect();
    register_all(&app, &first.iter().map(String::as_str).collect::<Vec<_>>(), &owner).await;
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    for number in 0..20 {
        let mut query = vec![("limit", "2"), ("search", "m-")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = list(&app, &query).await;
        let page = answer.expect(200);
        assert!(page["items"].as_array().unwrap().len() <= 2);
        seen.extend(tags(&page));
        // Others come before, after and between what was listed.
        let (before, after) = (format!("A-{number}"), format!("Z-{number}"));
        register_all(&app, &[&before, &after], &owner).await;
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = Some(next.to_owned());
        let link = answer.header("link").unwrap();
        assert!(link.ends_with(">; rel=\"next\"") && link.contains("search=m-"), "{link}");
    }
    assert_eq!(seen, first);
}

#[tokio::test]
async fn the_link_to_the_next_page_leads_there() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    register_all(&app, &["a&b=1", "a&b=2", "a&b=3", "other"], &owner).await;
    let address = owner.address();
    let query =
        [("limit", "1"), ("search", "a&b="), ("owner", address.as_str()), ("status", "confirmed")];
    let mut answer = list(&app, &query).await;
    let mut seen = tags(&answer.expect(200));
    while let Some(link) = answer.header("link") {
        let target = link.trim_start_matches('<').split('>').next().unwrap();
        let url = app.base.join(target).unwrap();
        let pairs: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        answer = list(&app, &pairs).await;
        seen.extend(tags(&answer.expect(200)));
    }
    assert_eq!(seen, ["a&b=1", "a&b=2", "a&b=3"]);
}

#[tokio::test]
async fn a_query_is_read_strictly() {
    let app = TestApp::start().await;
    for (query, field) in [
        (("limit", "0"), "limit"),
        (("limit", "201"), "limit"),
        (("limit", "-1"), "limit"),
        (("limit", "x"), "limit"),
        (("limit", "1.5"), "limit"),
        (("limit", "99999999999999999999"), "limit"),
        (("cursor", "!"), "cursor"),
        (("cursor", "_w"), "cursor"),
        (("cursor", "AAAAA"), "cursor"),
        (("cursor", "enp6"), "cursor"),
        (("sort", "updated"), "sort"),
        (("search", &"x".repeat(513)), "search"),
        (("owner", "nobody"), "owner"),
        (("owner", "16Jswqk47s9PUcyCc88MMVwzgvHPvtEpf"), "owner"),
        (("status", "authentic"), "status"),
        (("status", ""), "status"),
        (("page", "2"), "page"),
        (("Limit", "2"), "Limit"),
    ] {
        list(&app, &[query]).await.invalid(&[field]);
    }
    list(&app, &[("limit", "1"), ("limit", "2")]).await.invalid(&["limit"]);
}

#[tokio::test]
async fn the_pool_is_told_beside_what_the_network_says() {
    let app = TestApp::start().await;
    let segments = ["v1", "admin", "utxo-health"];
    let answer = app.api().get(&segments).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_json_snapshot!(redacted(answer.expect(200)));
    app.outside.network_is_down();
    let told = app.api().get(&segments).await.expect(200);
    assert_eq!(told["db"]["available"]["count"], 24);
    assert!(told["chain"]["error"].is_string(), "{told}");
}

#[tokio::test]
async fn operators_need_a_key_with_the_scope() {
    let app = TestApp::start().await;
    for path in [["v1", "admin", "patches"], ["v1", "admin", "utxo-health"]] {
        app.anonymous().get(&path).await.problem(401, "UNAUTHENTICATED");
        app.api_with("nobody").get(&path).await.problem(401, "INVALID_API_KEY");
        app.api_with("pos").get(&path).await.problem(403, "FORBIDDEN");
    }
    assert_eq!(app.api_with("utxo:write").get(&["v1", "admin", "utxo-health"]).await.status, 200);
}
