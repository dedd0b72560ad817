//! `anchor batch`, beside a server and without one.

use serde_json::json;

use crate::program::{ask, get};
use crate::world::World;

const NOTHING: &str = "No unanchored records found to process.";

#[test]
fn a_batch_is_anchored_beside_a_server_and_without_one() {
    let world = World::start();
    world.fund(2);
    world.utxo(&["sync"]).expect(0);
    let server = world.serve_with(&[("ANCHOR_MODE", "batch")]);
    let socket = format!("unix://{}", world.data_file("control.sock").display());
    let owner = get(&world.signer.url, "/keys")[0]["addressTest"].clone();
    let register = |uid: &str| {
        let body = json!({ "product": { "uid_tag_id": uid }, "auth": { "owner": owner } });
        let (status, answer) = ask(&socket, "POST", "/v1/patches", "", &body.to_string());
        assert_eq!(status, 202, "{answer}");
    };
    for uid in ["TAG-1", "TAG-2", "TAG-3"] {
        register(uid);
    }
    let done = world.run(&["anchor", "batch", "--limit", "2"]).expect(0);
    assert_eq!(done.stdout.trim().len(), 64, "{done:?}");
    assert_eq!(done.stderr, "2 records are in it\n");
    assert!(server.stop().success());
    let done = world.run(&["anchor", "batch", "--json"]).expect(0).json();
    assert_eq!((&done["success"], &done["processed"]), (&json!(true), &json!(1)), "{done}");
    let idle = world.run(&["anchor", "batch"]).expect(0);
    assert_eq!((idle.stdout.as_str(), idle.stderr.as_str()), ("", format!("{NOTHING}\n").as_str()));
    world.run(&["anchor", "batch", "--limit", "1001"]).expect(2);
    let listed = world.run(&["anchor", "list", "--batches", "--json"]).expect(0).json();
    let sizes: Vec<_> = listed["items"].as_array().unwrap().iter().map(|it| &it["size"]).collect();
    assert_eq!(sizes, [&json!(1), &json!(2)], "newest first");
    let first = world.run(&["anchor", "list", "--limit", "1"]).expect(0);
    let newest = listed["items"][0]["txid"].as_str().unwrap();
    assert!(first.stdout.contains("batch") && first.stdout.contains(newest), "{first:?}");
    assert_eq!(first.stderr, format!("more follow: --after {newest}\n"));
    let rest = world.run(&["anchor", "list", "--after", newest]).expect(0);
    assert_eq!((rest.stdout.lines().count(), rest.stderr.as_str()), (1, ""));
    world.run(&["anchor", "list", "--after", "x"]).expect(1);
    world.run(&["check"]).expect(0);
}
