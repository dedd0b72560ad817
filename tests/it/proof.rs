//! The newest transaction of a product with everything that proves it, checked against the
//! network's own headers.

use patchproof::anchor::payload::Payload;
use patchproof::bitcoin::{Beef, BeefTransaction};
use patchproof::simnet::{Filling, Reorganisation};
use patchproof::types::{Digest, Txid};
use reqwest::Method;

use crate::support::app::TestApp;
use crate::support::clients::Owner;

const UID: &str = "TAG-1";

/// Asks for the proof until there is one.
async fn beef(app: &TestApp) -> Beef {
    let segments = ["v1", "patches", UID, "proof"];
    let answer = app
        .until("there is a proof", async || {
            let call = app.anonymous().call(Method::GET, &segments);
            let answer = call.query(&[("format", "beef")]).send().await;
            (answer.status == 200).then_some(answer)
        })
        .await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    Beef::parse(&hex::decode(answer.text()).unwrap()).unwrap()
}

fn is_proved(app: &TestApp, beef: &Beef) -> bool {
    let node = app.outside.simnet.node();
    let is_root = |height: u32, root: &Digest| {
        node.block_at(height).is_some_and(|block| block.header().merkle_root == *root)
    };
    beef.verify(is_root).is_ok()
}

fn subject(beef: &Beef) -> Txid {
    beef.transactions.last().unwrap().txid()
}

/// Returns what the newest transaction commits to.
fn committed(beef: &Beef) -> Option<Payload> {
    let BeefTransaction::Raw { transaction, .. } = beef.transactions.last().unwrap() else {
        return None;
    };
    transaction.outputs.iter().find_map(|output| Payload::from_script(&output.locking_script))
}

async fn until_mined(app: &TestApp) {
    app.until("it is mined", async || {
        let state = app.anonymous().verify(UID).await.expect(200);
        (state["verificationDetails"]["stage"] == "mined").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_mined_product_is_proved_by_its_own_path() {
    let app = TestApp::start().await;
    let txid = app.api().register(UID, &Owner::number(1)).await;
    app.mine(1);
    until_mined(&app).await;
    let beef = beef(&app).await;
    assert_eq!((subject(&beef), beef.transactions.len()), (txid, 1));
    assert!(is_proved(&app, &beef));
    let details = &app.anonymous().verify(UID).await.expect(200)["verificationDetails"];
    let commitment: Digest = details["commitment"].as_str().unwrap().parse().unwrap();
    assert_eq!(committed(&beef), Some(Payload::Register(commitment)));
}

#[tokio::test]
async fn a_product_that_waits_for_its_block_is_proved_by_its_ancestors() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let first = app.api().register(UID, &ada).await;
    let beef_of_first = beef(&app).await;
    assert_eq!(subject(&beef_of_first), first);
    assert!(is_proved(&app, &beef_of_first), "the faucet's transaction is in a block");
    let second = app.api().transfer(UID, first, &ada, &bob).await;
    let beef_of_second = beef(&app).await;
    assert_eq!(subject(&beef_of_second), second);
    assert!(beef_of_second.transactions.iter().any(|entry| entry.txid() == first));
    assert!(is_proved(&app, &beef_of_second));
}

#[tokio::test]
async fn a_proof_never_leads_to_a_block_that_has_gone() {
    let app = TestApp::start().await;
    app.mine(1);
    let txid = app.api().register(UID, &Owner::number(1)).await;
    // The block with the pool's money goes, and the money comes back in another one.
    let height = app.outside.simnet.node().height();
    let plan = Reorganisation { refill: Filling::Everything, ..Reorganisation::of_depth(height) };
    let now = patchproof::types::Clock::now(&*app.outside.clock);
    app.outside.simnet.node().reorganise(&plan, now).unwrap();
    until_mined(&app).await;
    let mined = beef(&app).await;
    assert_eq!(subject(&mined), txid);
    assert!(is_proved(&app, &mined));
}

#[tokio::test]
async fn what_cannot_be_proved_is_said_and_never_an_error_of_ours() {
    let app = TestApp::penniless().await;
    // Money that is in no block has no proof to stand on.
    let address = app.services.funding.keyring.funding.address;
    let amount = patchproof::types::Satoshis::from_const(20_000);
    app.outside.simnet.node().faucet(&address, amount, 4).unwrap();
    app.services
        .funding
        .sync("test", patchproof::types::Clock::now(&*app.outside.clock))
        .await
        .unwrap();
    app.wake();
    app.api().register(UID, &Owner::number(1)).await;
    let segments = ["v1", "patches", UID, "proof"];
    let get = |pairs: &'static [(&str, &str)]| {
        app.anonymous().call(Method::GET, &segments).query(pairs).send()
    };
    get(&[("format", "beef")]).await.problem(404, "NOT_FOUND");
    app.mine(1);
    until_mined(&app).await;
    assert!(is_proved(&app, &beef(&app).await));
    get(&[("format", "pdf")]).await.invalid(&["format"]);
    get(&[("format", "beef"), ("x", "1")]).await.invalid(&["x"]);
    let unknown = ["v1", "patches", "TAG-2", "proof"];
    let call = app.anonymous().call(Method::GET, &unknown).query(&[("format", "beef")]);
    call.send().await.problem(404, "NOT_FOUND");
}
