//! `utxo`: money from a simulated network, with a signer in its own process.

use serde_json::json;

use crate::program::run;
use crate::world::World;

#[test]
fn money_on_chain_is_taken_in_listed_and_compared() {
    let world = World::start();
    let txid = world.fund(3);
    let one = ["add", "--txid", &txid, "--vout", "1", "--keyId", "funding", "--json"];
    let wrong = world.utxo(&[&one[..], &["--satoshis", "9999"]].concat()).expect(1);
    assert!(wrong.stderr.contains("satoshis: the output's amount is 10000"), "{}", wrong.stderr);
    let added = world.utxo(&[&one[..], &["--satoshis", "10000"]].concat()).expect(0).json();
    assert_eq!((&added["vout"], &added["status"]), (&1.into(), &"available".into()));

    let done = world.utxo(&["sync", "--json"]).expect(0).json();
    assert_eq!((&done["success"], &done["action"]), (&true.into(), &"sync".into()), "{done}");
    let listed = world.utxo(&["list", "--status", "available", "--json"]).expect(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let lines = world.utxo(&["list"]).expect(0);
    assert_eq!(lines.stdout.lines().count(), 3);
    assert_eq!(lines.stderr, "3 outputs\n");

    let health = world.utxo(&["health"]).expect(0).json();
    assert_eq!(health["db"]["available"], json!({ "count": 3, "totalSatoshis": 30_000 }));
    assert_eq!(health["chain"], json!({ "count": 3, "totalSatoshis": 30_000 }));
}

#[test]
fn no_option_marks_other_outputs_as_spent() {
    let world = World::start();
    let txid = world.fund(2);
    world.utxo(&["sync"]).expect(0);
    let exclusive = ["add", "--txid", &txid, "--vout", "0", "--exclusive"];
    let refused = world.utxo(&exclusive).expect(2);
    assert!(refused.stderr.contains("--confirm"), "{}", refused.stderr);
    let confirmed = [&exclusive[..], &["--confirm"]].concat();
    let refused = world.utxo(&confirmed).expect(2);
    assert!(refused.stderr.contains("1 other outputs with 10000 satoshis"), "{}", refused.stderr);
    assert!(refused.stderr.contains("utxo sweep"), "{}", refused.stderr);
    let health = world.utxo(&["health"]).expect(0).json();
    assert_eq!(health["db"]["available"]["count"], 2);
    assert_eq!(health["db"]["spent"]["count"], 0);
}

#[test]
fn the_only_output_there_is_may_be_added_as_the_only_one() {
    let world = World::start();
    let txid = world.fund(1);
    let exclusive = ["add", "--txid", &txid, "--vout", "0", "--exclusive", "--confirm"];
    for _ in 0..2 {
        let added = world.utxo(&exclusive).expect(0);
        assert!(added.stdout.contains(&format!("{txid}:0")), "{}", added.stdout);
    }
}

#[test]
fn the_pool_is_shown_although_the_network_is_away() {
    let world = World::start();
    world.fund(1);
    world.utxo(&["sync"]).expect(0);
    let World { folder, signer, simnet } = world;
    drop((signer, simnet));
    let data_dir = folder.path().join("data");
    // Nothing listens on port 1.
    let variables = [
        ("PATCHPROOF_DATA_DIR", data_dir.to_str().unwrap()),
        ("ISSUER_KEY_IDENTIFIER", "issuer"),
        ("UTXO_FUNDING_KEY_IDENTIFIER", "funding"),
        ("WOC_NETWORK", "test"),
        ("WOC_BASE_URL", "http://127.0.0.1:1/v1/bsv/test"),
        ("WOC_RETRIES", "0"),
    ];
    let health = run(&["utxo", "health"], &variables).expect(1).json();
    assert_eq!(health["db"]["available"]["count"], 1);
    assert!(health["chain"]["error"].is_string(), "{health}");
    assert!(health["funding"]["address"].is_string(), "keys once learnt need no signer: {health}");
}

#[test]
fn h9_looking_and_changing_go_on_beside_a_server() {
    let world = World::start();
    world.fund(2);
    world.utxo(&["sync"]).expect(0);
    let server = world.serve();
    assert_eq!(world.utxo(&["list", "--json"]).expect(0).json().as_array().unwrap().len(), 2);
    assert_eq!(world.utxo(&["health"]).expect(0).json()["chain"]["count"], 2);
    let report = world.run(&["check", "--json"]).expect(0).json();
    assert_eq!((&report["clean"], &report["violation_count"]), (&true.into(), &0.into()));
    let txid = world.fund(1);
    world.utxo(&["add", "--txid", &txid, "--vout", "0"]).expect(0);
    world.utxo(&["sync"]).expect(0);
    assert_eq!(world.utxo(&["list", "--json"]).expect(0).json().as_array().unwrap().len(), 3);
    assert!(server.stop().success());
    world.utxo(&["sync"]).expect(0);
}

#[test]
fn a_check_misses_what_was_acknowledged_and_is_not_there() {
    let world = World::start();
    world.utxo(&["sync"]).expect(0);
    let missing = "01890a5d-ac96-774b-bcce-b302099a8057";
    let file = world.folder.path().join("acknowledged.txt");
    std::fs::write(&file, format!("{missing}\n\n")).unwrap();
    let file = file.to_str().unwrap();
    let report = world.run(&["check", "--acknowledged", file]).expect(1);
    assert!(report.stdout.starts_with(&format!("I2  {missing}  ")), "{}", report.stdout);
    assert!(report.stderr.ends_with("1 violations\n"), "{}", report.stderr);
    std::fs::write(file, "no identifier").unwrap();
    assert!(world.run(&["check", "--acknowledged", file]).expect(1).stderr.contains("a UUID"));
}

#[test]
fn h9_a_wrong_folder_is_no_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    for folder in [empty, "/nonexistent/patchproof"] {
        for command in [&["utxo", "list"][..], &["check"]] {
            let refused = run(&[command, &["--data-dir", folder]].concat(), &[]).expect(1);
            assert!(refused.stderr.contains("there is no store in"), "{}", refused.stderr);
            assert_eq!(refused.stdout, "");
        }
    }
    assert_eq!(std::fs::read_dir(empty).unwrap().count(), 0, "looking creates nothing");
}
