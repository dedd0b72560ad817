//! The list of claims and the stream of them: a till sees those of its own shop.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::claims::{Counter, claim_of, file, till_of};
use crate::support::app::FULL_KEY;
use crate::support::clients::Owner;
use crate::support::listener::Listener;

#[tokio::test]
async fn a_till_lists_and_hears_the_claims_of_its_own_shop_only() {
    let counter = Counter::open().await;
    let app = &counter.app;
    let (elsewhere, stranger) = (Owner::number(7), Owner::number(8));
    app.api().register("TAG-2", &elsewhere).await;
    let other_till = till_of(app, &elsewhere).await;
    let mut listener = Listener::of(app, &counter.till, "", None).await;
    assert_eq!(listener.next().await.unwrap().event, "hello");
    let claim = counter.claim().await;
    // Claims of one millisecond have no order among them, and a fast machine files two in one.
    app.outside.clock.advance(Duration::from_millis(1));
    let _ = file(app, &claim_of(app, &stranger, "TAG-2").await).await.expect(201);
    let list = async |key: &str, query: &[(&str, &str)]| {
        let call = app.api_with(key).call(Method::GET, &["v1", "admin", "claims"]);
        call.query(query).send().await
    };
    let own = list(&counter.till, &[]).await.expect(200);
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "{own}");
    assert_eq!(
        (&own["items"][0]["claimId"], &own["items"][0]["status"]),
        (&json!(claim), &json!("pending"))
    );
    let theirs = list(&other_till, &[]).await.expect(200);
    assert_eq!(theirs["items"][0]["uid_tag_id"], "TAG-2");
    let first = list(FULL_KEY, &[("limit", "1")]).await;
    assert!(first.header("link").unwrap().contains("rel=\"next\""));
    let first = first.expect(200);
    assert_eq!(first["items"][0]["uid_tag_id"], "TAG-2", "the newest first");
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = list(FULL_KEY, &[("cursor", cursor)]).await.expect(200);
    assert_eq!(
        (&second["items"][0]["claimId"], &second["nextCursor"]),
        (&json!(claim), &Value::Null)
    );
    list(FULL_KEY, &[("state", "lost")]).await.invalid(&["state"]);
    list(FULL_KEY, &[("cursor", "?")]).await.invalid(&["cursor"]);

    let heard = listener.until("claim").await.data;
    assert_eq!((&heard["claimId"], &heard["status"]), (&json!(claim), &json!("pending")));
    let _ = counter.approve(&counter.approval(&claim)).await.expect(200);
    let heard = listener.until("claim").await.data;
    assert_eq!((&heard["claimId"], &heard["status"]), (&json!(claim), &json!("approved")));
    assert_eq!(list(&counter.till, &[("state", "pending")]).await.expect(200)["items"], json!([]));
    let approved = list(&counter.till, &[("state", "approved")]).await.expect(200);
    assert!(
        approved["items"][0]["pendingId"].is_string(),
        "though the product is the customer's now"
    );
    // TAG-2 expires, and only its own shop hears of it.
    let mut others = Listener::of(app, &other_till, "topics=claim", None).await;
    app.outside.clock.advance(Duration::from_secs(181));
    let heard = others.until("claim").await.data;
    assert_eq!((&heard["uid_tag_id"], &heard["status"]), (&json!("TAG-2"), &json!("expired")));
}
