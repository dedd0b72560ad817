//! After a restore: what is found only backwards from money that came after the backup, and what carries
//! a commitment of ours and is not laid out as we lay out anything.

use patchproof::anchor::lifecycle::Stage;
use patchproof::anchor::payload::Payload;
use patchproof::bitcoin::{SIGHASH_ALL_FORKID, Script, SighashCache, Transaction, TxIn, TxOut};
use patchproof::service::resync::Standing;
use patchproof::storage::jobs::expect_job;
use patchproof::storage::records::expect_record;
use patchproof::storage::utxos::list_utxos;
use patchproof::types::{Digest, Satoshis};
use patchproof::wallet::utxo::UtxoStatus;

use crate::restore::{accepted, backup, confirmed, is_fenced, release, restore, resynced};
use crate::restore_adoption::{authentic, carriers, comes_to, commitment_of, id_of};
use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::outside::Mood;

/// A transaction with a payload, signed with our key, that pays somebody else as well.
fn foreign(app: &TestApp, commitment: Digest) -> Vec<u8> {
    let output = app.store.read(|tx| list_utxos(tx, UtxoStatus::Available, 1)).unwrap().remove(0);
    let amount = |satoshis| Satoshis::new(satoshis).unwrap();
    let pay = |hash: &[u8; 20], satoshis| TxOut {
        value: amount(satoshis),
        locking_script: Script::pay_to_public_key_hash(hash),
    };
    let data = TxOut {
        value: Satoshis::ZERO,
        locking_script: Payload::Register(commitment).to_script(None),
    };
    let mut transaction = Transaction {
        version: 1,
        inputs: vec![TxIn {
            previous: output.outpoint,
            unlocking_script: Script::default(),
            sequence: u32::MAX,
        }],
        outputs: vec![data, pay(&[7; 20], 1_000), pay(&output.key_hash, 18_000)],
        lock_time: 0,
    };
    let locking = Script::pay_to_public_key_hash(&output.key_hash);
    let hash = SighashCache::new(&transaction).sighash(0, &locking, output.value).unwrap();
    let key = app.outside.keystore.get(&output.key_identifier).unwrap();
    transaction.inputs[0].unlocking_script =
        Script::unlock_public_key_hash(&key.sign(&hash), SIGHASH_ALL_FORKID, &key.public_key());
    transaction.to_bytes()
}

#[tokio::test]
async fn what_money_of_after_the_backup_has_paid_for_is_found_and_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::penniless().await;
    let id = accepted(&app, "TAG-1").await;
    app.until("it waits for money", async || {
        let job = app.store.read(|tx| expect_job(tx, id_of(&id))).unwrap();
        let record = app.store.read(|tx| expect_record(tx, id_of(&id))).unwrap();
        (job.waits_for_money && record.issuer_signature.is_some()).then_some(())
    })
    .await;
    backup(&app, folder.path());
    app.fund(2).await;
    confirmed(&app, &id).await;
    // Another one stands upon the change of it, or on the rest of the money.
    let lost = app.api().register("TAG-2", &Owner::number(1)).await;
    app.mine(1);
    let commitment = commitment_of(&app, &id);
    let carrier = carriers(&app, commitment)[0];
    let app = restore(app, folder.path()).await;
    let status = resynced(&app).await;
    assert!(is_fenced(&app).await, "TAG-2 is lost");
    let standing = |txid| {
        let found = status.findings.iter().find(|it| it.finding.txid == txid);
        found.map(|it| it.standing.clone())
    };
    assert_eq!(standing(carrier), Some(Standing::Adopted(id_of(&id))), "{:#?}", status.findings);
    assert!(matches!(standing(lost), Some(Standing::Conflict(_))));
    release(&app).await;
    authentic(&app, "TAG-1", carrier).await;
    app.api().register("TAG-3", &Owner::number(1)).await;
    app.mine(7);
    comes_to(&app, &id, |stage| matches!(stage, Stage::Final { .. })).await;
    assert_eq!(carriers(&app, commitment), [carrier]);
    app.store.assert_clean();
}

#[tokio::test]
async fn a_transaction_that_we_would_not_have_made_is_not_adopted_and_nothing_else_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start().await;
    app.outside.signer_is(Mood::Down);
    let id = accepted(&app, "TAG-1").await;
    backup(&app, folder.path());
    let commitment = commitment_of(&app, &id);
    let forged = app.outside.simnet.submit(&foreign(&app, commitment)).unwrap();
    app.outside.simnet.mine();
    app.outside.signer_is(Mood::Honest);
    let app = restore(app, folder.path()).await;
    let status = resynced(&app).await;
    assert!(is_fenced(&app).await);
    let [found] = status.findings.as_slice() else { unreachable!("{:#?}", status.findings) };
    let Standing::Conflict(advice) = &found.standing else { unreachable!("{found:#?}") };
    assert!(advice.contains("no transaction of ours makes"), "{advice}");
    release(&app).await;
    app.until("the record says why it waits", async || {
        let problem = app.store.read(|tx| expect_job(tx, id_of(&id))).unwrap().problem?;
        problem.contains("is not taken over").then_some(())
    })
    .await;
    app.api().register("TAG-2", &Owner::number(1)).await;
    assert_eq!(carriers(&app, commitment), [forged]);
    app.store.assert_clean();
}
