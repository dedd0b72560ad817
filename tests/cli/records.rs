//! `records`: what has stopped, beside a server and without one.

use serde_json::json;

use crate::program::{ask, get};
use crate::world::World;

#[test]
fn records_are_listed_and_recovered_beside_a_server_and_without_one() {
    let world = World::start();
    world.fund(2);
    world.utxo(&["sync"]).expect(0);
    let server = world.serve();
    let socket = format!("unix://{}", world.data_file("control.sock").display());
    let owner = get(&world.signer.url, "/keys")[0]["addressTest"].clone();
    let body = json!({ "product": { "uid_tag_id": "TAG-1" }, "auth": { "owner": owner } });
    let (status, answer) = ask(&socket, "POST", "/v1/patches", "", &body.to_string());
    assert_eq!(status, 201, "{answer}");
    let id = answer["pendingId"].as_str().unwrap().to_owned();

    let look = |stopped: bool| {
        let seen = world.run(&["records", "list", "--stage", "seen", "--json"]).expect(0).json();
        assert_eq!((&seen[0]["id"], &seen[0]["uid_tag_id"]), (&json!(id), &json!("TAG-1")));
        let none = world.run(&["records", "list"]).expect(0);
        assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "0 records\n"), "{stopped}");
        let done = world.run(&["records", "recover", "--all"]).expect(0);
        assert_eq!(done.stderr, "0 of 0 records taken up again\n", "{stopped}");
        let left = world.run(&["records", "recover", "--id", &id, "--dry-run"]).expect(1);
        assert!(left.stdout.contains("under way or done"), "{left:?}");
        let failed = world.run(&["records", "recover", "--stage", "failed", "--json"]).expect(0);
        assert_eq!(failed.json()["items"], json!([]));
        let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
        let refused = world.run(&["records", "recover", "--id", unknown]).expect(1);
        assert!(refused.stderr.contains("There is no such record."), "{}", refused.stderr);
    };
    look(false);
    assert!(server.stop().success());
    look(true);
}
