//! `settings`: beside a server and without one.

use serde_json::json;

use crate::program::run;
use crate::world::World;

#[test]
fn a_setting_is_set_shown_and_taken_back_without_a_server() {
    let world = World::start();
    world.utxo(&["sync"]).expect(0);
    let get = || world.run(&["settings", "get", "FEE_PER_KB"]).expect(0).stdout;
    assert_eq!(get(), "512\n");
    let set = world.run(&["settings", "set", "FEE_PER_KB=300", "MIN_UTXO_COUNT=20"]).expect(0);
    let lines: Vec<&str> = set.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", set.stdout);
    assert!(lines[0].starts_with("FEE_PER_KB") && lines[0].contains("setting by local:"));
    assert_eq!(get(), "300\n");
    let one = world.run(&["settings", "get", "FEE_PER_KB", "--json"]).expect(0).json();
    assert_eq!((&one["value"], &one["origin"]), (&json!(300), &json!("setting")));
    let refused =
        world.run(&["settings", "set", "FEE_PER_KB=400", "MIN_UTXO_COUNT=10001"]).expect(1);
    assert!(refused.stderr.contains("MIN_UTXO_COUNT: must be 0 to 10000"), "{}", refused.stderr);
    assert_eq!(get(), "300\n", "all or nothing");
    world.run(&["settings", "reset", "FEE_PER_KB"]).expect(0);
    assert_eq!(get(), "512\n");
    assert_eq!(world.run(&["settings", "list"]).expect(0).stdout.lines().count(), 7);
    let twice = world.run(&["settings", "set", "FEE_PER_KB=300", "FEE_PER_KB=400"]).expect(1);
    assert!(twice.stderr.contains("named twice"), "{}", twice.stderr);
}

#[test]
fn a_running_server_takes_a_setting_at_once_and_says_what_is_in_force_there() {
    let world = World::start();
    let server = world.serve();
    // The command's own environment says something else than the server's.
    let get = || {
        world.with_environment(|variables| {
            run(&["settings", "get", "FEE_PER_KB"], &[variables, &[("FEE_PER_KB", "700")]].concat())
        })
    };
    assert_eq!(get().expect(0).stdout, "512\n");
    let set = world.run(&["settings", "set", "FEE_PER_KB=300", "--json"]).expect(0).json();
    assert_eq!(set["settings"][0]["value"], 300);
    assert_eq!(get().expect(0).stdout, "300\n");
    assert!(server.stop().success());
    assert_eq!(get().expect(0).stdout, "300\n", "it is kept");
    world.run(&["settings", "reset", "FEE_PER_KB"]).expect(0);
    assert_eq!(get().expect(0).stdout, "700\n", "without a server this environment counts");
}
