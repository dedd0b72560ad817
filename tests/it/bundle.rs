//! The proof bundle as the product gives it: checked by the same code as a stranger's, against the
//! network's own headers.

use patchproof::bitcoin::{HeaderFile, TscProof};
use patchproof::proof::{
    Bundle, KnownChain, Outcome, RecordStatus, Report, Trust, Verdict, verify, verify_bytes,
};
use patchproof::simnet::{Filling, Reorganisation};
use patchproof::types::{Clock, Txid};
use reqwest::Method;
use serde_json::json;

use crate::batch::{self, anchor, batching};
use crate::privacy::Person;
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, full_registration};

const UID: &str = "TAG-1";

async fn answer(app: &TestApp) -> Answer {
    app.anonymous().get(&["v1", "patches", UID, "proof"]).await
}

async fn bundle(app: &TestApp) -> Bundle {
    let answer = answer(app).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Bundle::parse(answer.text().as_bytes()).unwrap()
}

/// Waits until every record of the product is proved to be in a block.
async fn complete(app: &TestApp, records: usize) -> Bundle {
    app.until("everything is in a block", async || {
        let bundle = bundle(app).await;
        (bundle.is_complete() && bundle.records.len() == records).then_some(bundle)
    })
    .await
}

/// Returns all headers of the network's best chain.
fn headers(app: &TestApp) -> HeaderFile {
    let node = app.outside.simnet.node();
    let at = |height| *node.block_at(height).unwrap().header();
    HeaderFile { first_height: 0, headers: (0..=node.height()).map(at).collect() }
}

/// Checks a bundle with the network's headers.
fn check(app: &TestApp, bundle: &Bundle) -> Report {
    let chain = KnownChain { headers: Some(headers(app)), checkpoints: vec![] };
    verify(bundle, &Trust { issuers: bundle.issuers(), chain })
}

async fn register(app: &TestApp, owner: &Owner) -> Txid {
    let call = app.api().registering(&full_registration(UID, owner));
    call.send().await.expect(201)["txid"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_registration_in_a_block_is_proved_whole() {
    let app = TestApp::start().await;
    let txid = register(&app, &Owner::number(1)).await;
    app.mine(1);
    let bundle = complete(&app, 1).await;
    let report = check(&app, &bundle);
    assert_eq!(report.verdict, Verdict::Proved, "{:#?}", report.steps);
    assert_eq!(report.events[0].txid, Some(txid));
    assert_eq!(report.events[0].owner, Some(Owner::number(1).address()));
    let open: Vec<&str> = report
        .steps
        .iter()
        .filter(|step| step.outcome == Outcome::NotChecked)
        .map(|step| step.name)
        .collect();
    assert_eq!(open, ["freshness"]);
}

#[tokio::test]
async fn three_transfers_are_proved_with_what_they_share_once() {
    let app = TestApp::start().await;
    let owners: Vec<Owner> = (1..=4).map(Owner::number).collect();
    let mut txid = register(&app, &owners[0]).await;
    let alone = {
        app.mine(1);
        answer_length(&app, 1).await
    };
    for pair in owners.windows(2) {
        txid = app.api().transfer(UID, txid, &pair[0], &pair[1]).await;
    }
    app.mine(1);
    let bundle = complete(&app, 4).await;
    let report = check(&app, &bundle);
    assert_eq!(report.verdict, Verdict::Proved, "{:#?}", report.steps);
    assert_eq!((report.proved.len(), bundle.headers.len()), (4, 2));
    assert_eq!(bundle.beef.as_ref().unwrap().transactions.len(), 4);
    assert!(answer_length(&app, 4).await < 5 * alone);
    for index in 1..4 {
        let subject = format!("record {index}");
        let seal = report.steps.iter().find(|it| it.name == "seal" && it.subject == subject);
        assert_eq!(seal.unwrap().outcome, Outcome::Ok);
    }
}

async fn answer_length(app: &TestApp, records: usize) -> usize {
    let _ = complete(app, records).await;
    answer(app).await.text().len()
}

#[tokio::test]
async fn what_waits_for_its_block_says_so_and_is_complete_when_asked_again() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let first = register(&app, &ada).await;
    app.mine(1);
    let older = complete(&app, 1).await;
    app.api().transfer(UID, first, &ada, &bob).await;
    let waiting = bundle(&app).await;
    assert_eq!(waiting.statuses(), [RecordStatus::Mined, RecordStatus::Unconfirmed]);
    let report = check(&app, &waiting);
    assert_eq!(report.verdict, Verdict::Incomplete, "{:#?}", report.steps);
    assert_eq!(report.proved.len(), 1);
    app.mine(1);
    let mut newer = complete(&app, 2).await;
    assert!(newer.continues(&waiting) && newer.continues(&older));
    assert_eq!(check(&app, &newer).verdict, Verdict::Proved);
}

#[tokio::test]
async fn a_bundle_never_leads_to_a_block_that_has_gone() {
    let app = TestApp::start().await;
    register(&app, &Owner::number(1)).await;
    app.mine(1);
    let before = complete(&app, 1).await;
    let plan = Reorganisation { refill: Filling::Everything, ..Reorganisation::of_depth(1) };
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&plan, now).unwrap();
    app.wake();
    let after = app
        .until("the bundle follows", async || {
            let bundle = bundle(&app).await;
            (bundle.is_complete() && bundle.headers != before.headers).then_some(bundle)
        })
        .await;
    assert_eq!(check(&app, &after).verdict, Verdict::Proved);
    // The old one is whole in itself, and those who know the chain see through it.
    assert_eq!(verify(&before, &Trust::default()).verdict, Verdict::Proved);
    let seen = check(&app, &before);
    assert_eq!(seen.first_failure().unwrap().name, "heaviest-chain");
}

#[tokio::test]
async fn money_in_no_block_leaves_the_transaction_alone() {
    let app = TestApp::penniless().await;
    let address = app.services.funding.keyring.funding.address;
    let amount = patchproof::types::Satoshis::from_const(20_000);
    app.outside.simnet.node().faucet(&address, amount, 4).unwrap();
    app.services.funding.sync("test", app.outside.clock.now()).await.unwrap();
    app.wake();
    register(&app, &Owner::number(1)).await;
    let alone = bundle(&app).await;
    assert_eq!((alone.beef.is_none(), alone.transactions.len()), (true, 1));
    assert_eq!(check(&app, &alone).verdict, Verdict::Incomplete);
    app.mine(1);
    assert_eq!(check(&app, &complete(&app, 1).await).verdict, Verdict::Proved);
}

#[tokio::test]
async fn the_route_names_a_file_knows_its_versions_and_gives_a_tsc_proof() {
    let app = TestApp::start().await;
    let txid = register(&app, &Owner::number(1)).await;
    let segments = ["v1", "patches", UID, "proof"];
    let tsc = || app.anonymous().call(Method::GET, &segments).query(&[("format", "tsc")]).send();
    tsc().await.problem(404, "NOT_FOUND");
    app.mine(1);
    let bundle = complete(&app, 1).await;
    let given = answer(&app).await;
    assert_eq!(given.header("content-type"), Some("application/json"));
    assert_eq!(
        given.header("content-disposition"),
        Some("attachment; filename=\"TAG-1.proof.json\"")
    );
    let tag = given.header("etag").unwrap().to_owned();
    let call = app.anonymous().call(Method::GET, &segments).header("if-none-match", &tag);
    assert_eq!(call.send().await.status, 304);
    let named = app.anonymous().call(Method::GET, &segments).query(&[("format", "bundle")]);
    assert_eq!(named.send().await.text(), given.text());
    let proof: TscProof = serde_json::from_str(tsc().await.text()).unwrap();
    assert_eq!((proof.tx_or_id, proof.target), (txid.to_string(), bundle.headers[0].hash()));
    app.anonymous().get(&["v1", "patches", "TAG-2", "proof"]).await.problem(404, "NOT_FOUND");
    let report = verify_bytes(given.text().as_bytes(), &Trust::default());
    assert_eq!(report.verdict, Verdict::Proved);
}

#[tokio::test]
async fn a_batched_record_is_proved_by_its_place_in_the_tree() {
    let app = TestApp::start_with(batching).await;
    for uid in ["TAG-0", UID, "TAG-2"] {
        let _ = batch::register(&app, uid, &Owner::number(1)).await;
    }
    let _ = anchor(&app, json!({ "limit": 10 })).await.expect(200);
    app.mine(1);
    let bundle = complete(&app, 1).await;
    assert_eq!(bundle.records[0].inclusion.as_ref().unwrap().tree_size, 3);
    assert_eq!(check(&app, &bundle).verdict, Verdict::Proved);
    let mut other = bundle.clone();
    other.records[0].inclusion.as_mut().unwrap().leaf_index ^= 1;
    assert_ne!(check(&app, &other).verdict, Verdict::Proved);
    let mut alone = bundle;
    alone.records[0].inclusion = None;
    assert_ne!(check(&app, &alone).verdict, Verdict::Proved);
}

/// Every byte is changed in one way, which depends on its place, and each time a step must fail.
fn every_changed_byte_is_found(bundle: &Bundle) {
    let good = bundle.to_bytes().unwrap();
    assert_eq!(verify_bytes(&good, &Trust::default()).verdict, Verdict::Proved);
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= [0x01, 0x02, 0x20, 0x80][place % 4];
        let report = verify_bytes(&bad, &Trust::default());
        let around = String::from_utf8_lossy(&bad[place.saturating_sub(40)..=place]);
        assert_eq!(report.verdict, Verdict::Failed, "byte {place}: …{around}");
        assert!(report.first_failure().is_some(), "byte {place} names its step");
    }
}

#[tokio::test]
async fn no_byte_of_what_the_product_gives_can_be_changed_unnoticed() {
    let app = TestApp::start_with(batching).await;
    for uid in ["TAG-0", UID, "TAG-2"] {
        let _ = batch::register(&app, uid, &Owner::number(1)).await;
    }
    let batch = batch::txid_of(&anchor(&app, json!({})).await.expect(200));
    app.mine(1);
    every_changed_byte_is_found(&complete(&app, 1).await);
    app.api().transfer(UID, batch, &Owner::number(1), &Owner::number(2)).await;
    app.mine(1);
    every_changed_byte_is_found(&complete(&app, 2).await);
}

#[tokio::test]
async fn what_is_or_will_be_erased_stands_in_a_bundle_by_its_commitment_alone() {
    let person = Person::with_a_product().await;
    let app = &person.app;
    let txid = app.api().transfer(UID, person.txid, &person.ada, &Owner::number(2)).await;
    app.mine(1);
    let before = complete(app, 2).await;
    assert!(before.records[0].content.is_some());
    // Withheld from the moment of the wish, erased when it is buried: a bundle shows no difference.
    let _ = person.erase().await;
    let withheld = bundle(app).await;
    person.bury().await;
    app.until("it is erased", async || {
        let history = app.anonymous().history(UID).await.expect(200);
        history["events"][0]["erased_at"].is_string().then_some(())
    })
    .await;
    for bundle in [withheld, bundle(app).await] {
        assert_eq!(bundle.records[0].content, None);
        assert_eq!(bundle.records[0].commitment, before.records[0].commitment);
        assert_eq!(bundle.records[1].txid, Some(txid));
        let report = check(app, &bundle);
        assert_eq!(report.verdict, Verdict::Proved, "{report:#?}");
    }
    assert!(!answer(app).await.text().contains(&person.ada.address()));
}
