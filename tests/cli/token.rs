//! `token issue`: the line that it leaves in the audit trail, and the epoch that it takes.

use patchproof::auth::token::TokenKeys;
use patchproof::types::{Clock, SystemClock};
use serde_json::Value;

use crate::program::{Finished, ask, run};
use crate::world::World;

const JWT: &str = "a secret of this test, thirty-two bytes or more";
const JWT_SECRET: (&str, &str) = ("JWT_SECRET", JWT);
const MASTER_SECRET: (&str, &str) = ("MASTER_SECRET", "canary-2c4e6a8b0d1f3e5c7a9b8d6f4e2c0a1b");

fn issue(world: &World, more: &[(&str, &str)]) -> Finished {
    let arguments = ["token", "issue", "--subject", "alice"];
    world.with_environment(|variables| run(&arguments, &[variables, more].concat())).expect(0)
}

fn epoch(issued: &Finished) -> u64 {
    let keys = TokenKeys::new(JWT.as_bytes(), None).unwrap();
    keys.claims(issued.stdout.trim(), SystemClock.now()).unwrap().epoch
}

/// Returns the lines of tokens that were issued.
fn lines(world: &World) -> Vec<Value> {
    let listed = world.run(&["audit", "list", "--action", "token.issue", "--json"]).expect(0);
    listed.json().as_array().unwrap().clone()
}

#[test]
fn a_token_leaves_a_line_beside_a_server_and_without_one() {
    let world = World::start();
    // Where there is no store, none is made.
    assert_eq!(issue(&world, &[JWT_SECRET, MASTER_SECRET]).stderr, "");
    assert!(!world.data_file("patchproof.redb").exists());
    let server = world.serve_with(&[JWT_SECRET, MASTER_SECRET]);
    // The server knows the name without the command's knowing the secret.
    issue(&world, &[JWT_SECRET]);
    assert!(server.stop().success());
    issue(&world, &[JWT_SECRET, MASTER_SECRET]);
    issue(&world, &[JWT_SECRET]);
    let lines = lines(&world);
    let of =
        |name: &str| -> Vec<&str> { lines.iter().map(|it| it[name].as_str().unwrap()).collect() };
    assert!(of("actor").iter().all(|actor| actor.starts_with("local:")), "{lines:?}");
    let subjects = of("subject");
    assert!(subjects[0].starts_with("person:") && subjects[0].len() == 31, "{subjects:?}");
    assert_eq!(subjects[1..], [subjects[0], "unnamed"]);
    assert!(!format!("{lines:?}").contains("alice"));
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_token_goes_on_from_the_epoch_that_an_erasure_left() {
    let world = World::start();
    let server = world.serve_with(&[JWT_SECRET, MASTER_SECRET]);
    let socket = format!("unix://{}", world.data_file("control.sock").display());
    let bearing = |issued: &Finished, method: &str, path: &str| {
        let header = format!("Authorization: Bearer {}\r\n", issued.stdout.trim());
        ask(&socket, method, path, &header, "").0
    };
    let first = issue(&world, &[JWT_SECRET, MASTER_SECRET]);
    assert_eq!(epoch(&first), 0);
    assert_eq!(bearing(&first, "DELETE", "/v1/privacy/delete"), 200);
    assert_eq!(bearing(&first, "GET", "/v1/privacy/export"), 401);
    let second = issue(&world, &[JWT_SECRET]);
    assert_eq!(epoch(&second), 1);
    assert_eq!(bearing(&second, "GET", "/v1/privacy/export"), 200);
    assert!(server.stop().success());
    assert_eq!(epoch(&issue(&world, &[JWT_SECRET, MASTER_SECRET])), 1);
    assert_eq!(epoch(&issue(&world, &[JWT_SECRET])), 0, "who was erased cannot be found without");
}

#[test]
fn a_token_without_a_line_is_issued_with_a_warning() {
    let world = World::start();
    let elsewhere = world.folder.path().join("other.sock");
    let hidden = ("CONTROL_SOCKET", elsewhere.to_str().unwrap());
    let server = world.serve_with(&[JWT_SECRET, MASTER_SECRET, hidden]);
    let issued = issue(&world, &[JWT_SECRET, MASTER_SECRET]);
    assert!(issued.stderr.contains("the audit trail has no line of this token"), "{issued:?}");
    assert_eq!(epoch(&issued), 0);
    assert!(server.stop().success());
    assert_eq!(lines(&world).len(), 0);
}
