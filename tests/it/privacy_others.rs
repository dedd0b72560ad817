//! Erasures beyond products: claims, mailboxes, names of an operator's making, and what the trail says.

use patchproof::storage::claims::claim_count;
use reqwest::Method;
use serde_json::{Value, json};

use crate::email_codes::{code_for, submit};
use crate::privacy::{ADA, Person, UID, erase, export};
use crate::support::app::TestApp;
use crate::support::clients::Owner;

#[tokio::test]
async fn claims_go_too_and_others_stay() {
    let person = Person::with_a_product().await;
    let shop = Owner::number(5);
    let txid = person.app.api().register("TAG-9", &shop).await;
    for customer in [&person.ada, &Owner::number(6)] {
        let app = &person.app;
        let given =
            app.anonymous().get(&["v1", "pos", "claim-challenge", "TAG-9"]).await.expect(200);
        let (ts, nonce) = (&given["ts"], given["nonce"].as_str().unwrap());
        let address = customer.address();
        let message = format!("PATCHPROOF_CLAIM|uid:TAG-9|addr:{address}|ts:{ts}|nonce:{nonce}");
        let body = json!({
            "uid_tag_id": "TAG-9", "newOwnerAddress": address, "ts": ts, "nonce": nonce,
            "newOwnerPubKey": customer.key.public_key(),
            "newOwnerSignature": customer.sign(&message),
        });
        let call = app.anonymous().call(Method::POST, &["v1", "pos", "claim-intent"]);
        let _ = call.json(&body).send().await.expect(201);
    }
    assert_eq!(person.export().await["claims"].as_array().unwrap().len(), 1);
    assert_eq!(person.erase().await["erased"]["claims"], 1);
    assert_eq!(person.app.store.read(claim_count).unwrap(), 1);
    let state = person.app.anonymous().verify("TAG-9").await.expect(200);
    assert_eq!(state["verificationDetails"]["currentTxid"], txid.to_string());
}

#[tokio::test]
async fn a_mailbox_has_its_codes_and_tokens_erased_and_begins_anew() {
    let app = TestApp::penniless().await;
    let (mailbox, other) = ("ada@shop.example", "ben@shop.example");
    let log_in = async |number| {
        let (request, code) = code_for(&app, mailbox, number).await;
        let done = submit(&app, mailbox, &code, Some(&request)).await.expect(200);
        done["token"].as_str().unwrap().to_owned()
    };
    let token = log_in(0).await;
    let (waiting, code) = code_for(&app, mailbox, 1).await;
    let (others, others_code) = code_for(&app, other, 0).await;
    let found = export(&app, &token).await.expect(200);
    assert_eq!(found["emailCodes"].as_array().unwrap().len(), 1);
    assert_eq!(found["subject"], found["pseudonym"]);
    assert!(!found.to_string().contains(mailbox), "the address is not held");
    let actions: Vec<&str> = found["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions.iter().filter(|it| **it == "email.request").count(), 2, "{actions:?}");
    assert_eq!(erase(&app, &token).await.expect(200)["erased"]["emailCodes"], 1);
    submit(&app, mailbox, &code, Some(&waiting)).await.problem(401, "EMAIL_CODE_INVALID");
    export(&app, &token).await.problem(401, "TOKEN_INVALID");
    let _ = submit(&app, other, &others_code, Some(&others)).await.expect(200);
    // Whoever reads the mailbox can come back; the tokens from before cannot.
    let token_again = log_in(2).await;
    let _ = export(&app, &token_again).await.expect(200);
    export(&app, &token).await.problem(401, "TOKEN_INVALID");
}

#[tokio::test]
async fn a_token_of_an_operators_making_speaks_for_its_name_alone() {
    let person = Person::with_a_product().await;
    let token = person.app.token_of("somebody");
    let found = export(&person.app, &token).await.expect(200);
    assert_eq!((&found["loginKey"], &found["records"]), (&Value::Null, &json!([])));
    let done = erase(&person.app, &token).await.expect(200);
    assert_eq!(done["erased"]["records"], 0);
    export(&person.app, &token).await.problem(401, "TOKEN_INVALID");
    assert_eq!(person.verify().await["verificationDetails"]["owner"], person.ada.address());
    for (method, path) in [(Method::GET, "export"), (Method::DELETE, "delete")] {
        let call = person.app.anonymous().call(method, &["v1", "privacy", path]);
        call.send().await.problem(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn h5_the_trail_names_persons_by_pseudonym() {
    let person = Person::with_a_product().await;
    let ben = Owner::number(2);
    let body = person.ada.hands_over(UID, person.txid, &ben.address());
    let segments = ["v1", "patches", &person.txid.to_string(), "transfer-ownership"];
    let call = person.app.api().call(Method::POST, &segments).bearer(&person.token).json(&body);
    let _ = call.send().await.expect(200);
    let audit = person.app.api().get(&["v1", "admin", "audit"]).await.expect(200);
    assert!(!audit.to_string().contains(ADA), "{audit}");
    let pseudonym = person.export().await["pseudonym"].as_str().unwrap().to_owned();
    let actors: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|it| it["actor"].as_str().unwrap()).collect();
    assert!(actors.iter().any(|actor| actor.ends_with(&format!(" for {pseudonym}"))), "{actors:?}");
    // An operator who knows the person finds her lines, and no others.
    for named in [ADA, pseudonym.as_str()] {
        let call = person.app.api().call(Method::GET, &["v1", "admin", "audit"]);
        let found = call.query(&[("person", named)]).send().await.expect(200);
        let actions: Vec<&str> = found["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["action"].as_str().unwrap())
            .collect();
        assert_eq!(actions.len(), 3, "{actions:?}");
        assert!(actions[1].starts_with("login.svd:"));
        assert_eq!((actions[0], actions[2]), ("patch.transfer", "svd.register"));
    }
}
