//! `keys`: beside a server and without one.

use serde_json::json;

use crate::world::World;

const CREATE: [&str; 6] = ["keys", "create", "--name", "Till 1", "--scope", "unlock"];

#[test]
fn a_key_is_made_listed_rotated_and_revoked() {
    let world = World::start();
    let empty = world.run(&["keys", "list"]).expect(0);
    assert_eq!(empty.stdout, "");
    assert!(empty.stderr.contains("patchproof keys create"), "{}", empty.stderr);
    // Standard output is the key alone, for scripts.
    let key = world.run(&CREATE).expect(0).stdout;
    let id = key.trim().strip_prefix("pp_").and_then(|rest| rest.split_once('_')).unwrap().0;
    let listed = world.run(&["keys", "list", "--json"]).expect(0).json();
    assert_eq!((&listed[0]["id"], &listed[0]["scopes"]), (&json!(id), &json!(["unlock"])));
    assert!(listed[0]["createdBy"].as_str().unwrap().starts_with("local:"));
    assert!(!listed.to_string().contains(&key.trim()[20..]));
    let rotated = world.run(&["keys", "rotate", id]).expect(0).stdout;
    assert!(rotated.starts_with(&format!("pp_{id}_")) && rotated != key);
    let server = world.serve();
    let revoked = world.run(&["keys", "revoke", id]).expect(0);
    assert!(revoked.stdout.contains("revoked"), "{}", revoked.stdout);
    let again = world.run(&["keys", "rotate", id]).expect(1);
    assert!(again.stderr.contains("revoked"), "{}", again.stderr);
    assert!(server.stop().success());
    let lines = world.run(&["audit", "list", "--json"]).expect(0).json();
    let actions: Vec<&str> =
        lines.as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    let keys: Vec<&str> = actions.into_iter().filter(|it| it.starts_with("key.")).collect();
    assert_eq!(keys, ["key.create", "key.rotate", "key.revoke"]);
    let count = |arguments: &[&str]| {
        let listed =
            world.run(&[&["audit", "list", "--json"], arguments].concat()).expect(0).json();
        listed.as_array().unwrap().len()
    };
    let at = |index: usize| lines[index]["at"].as_str().unwrap();
    let last = lines.as_array().unwrap().len() - 1;
    assert_eq!(count(&["--since", at(0)]), last + 1);
    assert_eq!(count(&["--until", at(0)]), 0);
    assert_eq!(count(&["--until", at(last), "--action", "key.revoke"]), 0);
    assert_eq!(count(&["--since", at(last), "--action", "key.revoke"]), 1);
    assert_eq!(count(&["--since", "2000-01-01", "--until", "2000-01-02"]), 0);
    world.run(&["audit", "list", "--since", "yesterday"]).expect(2);
}

#[test]
fn wishes_that_make_no_sense_are_refused_before_anything_is_opened() {
    let world = World::start();
    for arguments in [
        &["keys", "create", "--name", "x", "--scope", "everything"][..],
        &["keys", "create", "--name", "x"],
        &["keys", "revoke", "x"],
        &["keys", "rotate", "0000000000000000", "--grace-secs", "604801"],
    ] {
        world.run(arguments).expect(2);
    }
    world.run(&["keys", "create", "--name", "x", "--scope", "pos"]).expect(1);
    world.run(&["keys", "revoke", "0000000000000000"]).expect(1);
}
