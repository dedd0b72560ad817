//! The page of a certificate: what it says in every state, to whom, and that nobody else decides it.

use patchproof::types::Txid;
use reqwest::Method;
use serde_json::Value;

use crate::batch::{anchor, batching, proved};
use crate::privacy::Person;
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::Owner;

const UID: &str = "TAG-1";

/// Asks for a page as a browser does.
async fn page_in(app: &TestApp, name: &str, language: &str) -> Answer {
    let call = app.anonymous().call(Method::GET, &["certificates", name]);
    call.header("accept", "text/html,*/*;q=0.8").header("accept-language", language).send().await
}

async fn page(app: &TestApp, name: &str) -> Answer {
    page_in(app, name, "en").await
}

/// Asks as a browser does for what is not there, whose answer is a page and no problem document.
async fn unknown_page(app: &TestApp, name: &str, query: &[(&str, &str)]) -> Answer {
    let mut url = app.base.join("certificates/").unwrap();
    let _ = url.path_segments_mut().unwrap().pop_if_empty().push(name);
    let _ = url.query_pairs_mut().extend_pairs(query);
    let answer = app.client.get(url).header("accept", "text/html").send().await.unwrap();
    Answer::of(answer).await
}

/// Returns the proof that stands in a page.
fn proof_in(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"proof\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// Returns what visitors read of a page, without what differs from run to run.
fn state_of(page: &str) -> &str {
    page.split_once("data-state=\"").unwrap().1.split_once('"').unwrap().0
}

async fn until_state(app: &TestApp, uid: &str, state: &str) -> String {
    app.until("the certificate says so", async || {
        let text = page(app, uid).await.text().to_owned();
        (state_of(&text) == state).then_some(text)
    })
    .await
}

#[tokio::test]
async fn a_certificate_says_what_the_stored_proof_proves() {
    let app = TestApp::start().await;
    let owners: Vec<Owner> = (1..=4).map(Owner::number).collect();
    let mut txid: Txid = app.api().register(UID, &owners[0]).await;
    let waiting = until_state(&app, UID, "waiting").await;
    assert!(waiting.contains("waits for its block") && waiting.contains("Simulated network"));
    for pair in owners.windows(2) {
        txid = app.api().transfer(UID, txid, &pair[0], &pair[1]).await;
    }
    app.mine(1);
    let anchored = until_state(&app, UID, "anchored").await;
    for owner in &owners {
        assert!(anchored.contains(&owner.address()), "every owner is named");
    }
    assert_eq!(anchored.matches("<th role=\"rowheader\"").count(), 4);
    assert!(anchored.contains(&txid.to_string()));
    let proof = app.anonymous().call(Method::GET, &["v1", "patches", UID, "proof"]).send().await;
    assert_eq!(proof_in(&anchored), proof.expect(200), "the proof in the page is the stored one");
}

#[tokio::test]
async fn a_certificate_of_a_batch_names_the_place_in_it() {
    let app = TestApp::start_with(batching).await;
    for uid in ["TAG-1", "TAG-2", "TAG-3"] {
        let _ = crate::batch::register(&app, uid, &Owner::number(1)).await;
    }
    let txid = anchor(&app, serde_json::json!({})).await.expect(200)["txid"].clone();
    app.mine(1);
    let _ = proved(&app, "TAG-2", txid.as_str().unwrap().parse().unwrap()).await;
    let text = until_state(&app, "TAG-2", "anchored").await;
    assert!(text.contains("no. 2 of 3 in a batch"), "{text}");
}

#[tokio::test]
async fn what_an_owner_had_withheld_or_erased_is_on_no_certificate() {
    let person = Person::with_a_product().await;
    let before = page(&person.app, UID).await.text().to_owned();
    assert!(before.contains(&person.ada.address()));
    let _ = person.erase().await;
    let withheld = page(&person.app, UID).await.text().to_owned();
    assert_eq!(state_of(&withheld), "erased", "no record is left that could be read");
    person.bury().await;
    let erased = page(&person.app, UID).await.text().to_owned();
    for text in [withheld, erased] {
        assert!(!text.contains(&person.ada.address()) && !text.contains("first line"));
        assert!(text.contains("Withheld or erased") && text.contains(&person.txid.to_string()));
    }
}

#[tokio::test]
async fn c27_a_certificate_takes_nothing_from_the_query() {
    let app = TestApp::start().await;
    let _ = app.api().register(UID, &Owner::number(1)).await;
    let forged = [("uid", "FORGED-1"), ("product", "Forged watch"), ("owner", "Mallory")];
    let html = ("accept", "text/html");
    let answer = unknown_page(&app, "certificate.html", &forged).await;
    assert_eq!(answer.status, 404, "the address of the predecessor leads to what is not there");
    assert!(!answer.text().contains("Forged") && !answer.text().contains("FORGED"));
    let query = [("lang", "de"), ("product", "Forged watch"), ("uid", "FORGED-1")];
    let call = app.anonymous().call(Method::GET, &["certificates", UID]);
    let answer = call.query(&query).header(html.0, html.1).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-language"), Some("de"));
    assert!(!answer.text().contains("Forged") && !answer.text().contains("FORGED"));
    let known = [("uid", UID), ("product", "Forged watch")];
    let call = app.anonymous().call(Method::GET, &["certificates", "certificate.html"]);
    let answer = call.query(&known).header(html.0, html.1).send().await;
    assert_eq!(answer.status, 200, "one that is there is found");
    assert!(answer.text().contains(UID) && !answer.text().contains("Forged"));
}

#[tokio::test]
async fn c28_the_policy_lets_only_files_of_ours_run_and_the_page_has_no_others() {
    let app = TestApp::start().await;
    let _ = app.api().register(UID, &Owner::number(1)).await;
    let answer = page(&app, UID).await;
    let policy = answer.header("content-security-policy").unwrap().to_owned();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|it| it == directive), "{directive} in {policy}");
    }
    let text = answer.text();
    assert!(!text.contains("style=") && !text.contains("<style") && !text.contains("://cdn"));
    for script in text.split("<script").skip(1) {
        let is_data = script.starts_with(" type=\"application/json\"");
        let is_file = script.starts_with(" type=\"module\" src=\"/certificates/assets/");
        assert!(is_data || is_file, "{}", &script[..80.min(script.len())]);
    }
    for path in text.split("href=\"").skip(1).filter_map(|it| it.split('"').next()) {
        if path.starts_with("/certificates/assets/") {
            let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
            let file = app.anonymous().call(Method::GET, &segments).send().await;
            assert_eq!(file.status, 200, "{path}");
            assert!(file.header("cache-control").unwrap().contains("immutable"));
        }
    }
}

#[tokio::test]
async fn c30_the_host_header_decides_nothing() {
    let app = TestApp::start().await;
    let _ = app.api().register(UID, &Owner::number(1)).await;
    let call = app.anonymous().call(Method::GET, &["certificates", UID]);
    let answer = call.header("accept", "text/html").header("host", "evil.example").send().await;
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("evil.example"));
    let call = app.anonymous().call(Method::GET, &["certificates", "certificate.html"]);
    let forwarded = call.query(&[("uid", UID)]).header("x-forwarded-host", "evil.example");
    assert!(!forwarded.send().await.text().contains("evil.example"));
}

#[tokio::test]
async fn who_asks_decides_language_form_and_coding() {
    let app = TestApp::start().await;
    let _ = app.api().register(UID, &Owner::number(1)).await;
    let german = page_in(&app, UID, "de-CH, en;q=0.5").await;
    assert_eq!(german.header("content-language"), Some("de"));
    assert!(german.text().contains("<html lang=\"de\">") && german.text().contains("Besitzfolge"));
    let vary = german.header("vary").unwrap();
    assert!(vary.contains("Accept-Language") && vary.contains("Accept-Encoding"), "{vary}");
    assert_eq!(german.header("cache-control"), Some("no-cache"));
    let tag = german.header("etag").unwrap().to_owned();
    let call = app.anonymous().call(Method::GET, &["certificates", UID]);
    let again = call.header("accept-language", "de").header("if-none-match", &tag).send().await;
    assert_eq!(again.status, 304);
    let call = app.anonymous().call(Method::GET, &["certificates", UID]);
    let english = call.header("accept-language", "en").header("if-none-match", &tag).send().await;
    assert_eq!(english.status, 200, "another language is another page");
    let call = app.anonymous().call(Method::GET, &["certificates", UID]);
    let packed = call.header("accept-encoding", "gzip").send().await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let unknown = unknown_page(&app, "TAG-2", &[]).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("No certificate is known here"));
    assert!(!unknown.text().contains("TAG-2"), "nothing that was asked for is said again");
    let data = app.anonymous().call(Method::GET, &["certificates", "TAG-2"]).send().await;
    assert_eq!(data.expect(404)["code"], "NOT_FOUND");
}

#[tokio::test]
async fn a_stored_tag_wins_over_what_its_end_would_mean() {
    let app = TestApp::start().await;
    for uid in ["A/B C.pdf", "certificate.html", "Tag <i>&amp;\"№"] {
        let _ = app.api().register(uid, &Owner::number(1)).await;
        let answer = page(&app, uid).await;
        assert_eq!((answer.status, state_of(answer.text())), (200, "waiting"), "{uid}");
        assert_eq!(proof_in(answer.text())["uid_tag_id"], uid);
    }
}
