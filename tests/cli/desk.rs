//! How commands reach the product: what they ask for, and what they say when they cannot.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{Running, ask, run};
use crate::stub;
use crate::world::World;

const TXID: &str = "abababababababababababababababababababababababababababababababab";

/// Runs a command beside a control socket that answers so, and returns what it was asked.
fn asked(
    arguments: &[&str],
    status: u16,
    answer: &Value,
) -> (crate::program::Finished, stub::Noted) {
    let folder = tempfile::tempdir().unwrap();
    let noted = stub::listen(folder.path(), status, answer);
    let data_dir = ["--data-dir", folder.path().to_str().unwrap()];
    let finished = run(&[arguments, &data_dir].concat(), &[]);
    (finished, noted.recv().unwrap())
}

#[test]
fn every_maintenance_command_asks_for_exactly_what_was_said() {
    let outpoint = format!("{TXID}:1");
    let cases: &[(&[&str], Value)] = &[
        (&["maintain", "--dry-run"], json!({ "action": "auto", "dryRun": true, "wait": true })),
        (
            &["sweep-change", "--destinationAddress", "d", "--allow-foreign-destination"],
            json!({ "action": "sweep-change", "dryRun": false, "wait": true, "destinationAddress": "d",
                "allowForeignDestination": true }),
        ),
        (&["sync"], json!({ "action": "sync", "dryRun": false, "wait": true })),
        (&["split"], json!({ "action": "split", "dryRun": false, "wait": true })),
        (
            &["split", "--count", "7", "--size-satoshis", "5000", "--dry-run"],
            json!({ "action": "split", "dryRun": true, "wait": true, "count": 7, "sizeSatoshis": 5000 }),
        ),
        (
            &["sweep", "--outpoint", &outpoint, "--limit", "3"],
            json!({ "action": "sweep", "dryRun": false, "wait": true, "outpoints": [outpoint], "limit": 3 }),
        ),
        (
            &[
                "sweep-change",
                "--changeAddress",
                "a",
                "--changeKeyId",
                "k",
                "--destinationAddress",
                "d",
                "--dryRun",
            ],
            json!({ "action": "sweep-change", "dryRun": true, "wait": true, "changeAddress": "a",
                "changeKeyId": "k", "destinationAddress": "d" }),
        ),
        (
            &["unlock-stale"],
            json!({ "action": "unlock-stale", "dryRun": true, "wait": true, "olderThanMins": 60, "limit": 500 }),
        ),
        (
            &["unlock-stale", "--older-than-mins", "5", "--limit", "9", "--dry-run=false"],
            json!({ "action": "unlock-stale", "dryRun": false, "wait": true, "olderThanMins": 5, "limit": 9 }),
        ),
    ];
    for (arguments, body) in cases {
        let answer = json!({ "success": true, "action": body["action"], "steps": [] });
        let (finished, noted) = asked(&[&["utxo"][..], arguments].concat(), 200, &answer);
        assert_eq!(finished.status, Some(0), "{finished:?}");
        assert_eq!(noted.line, "POST /v1/admin/utxo-maintain HTTP/1.1");
        assert_eq!(&noted.body, body, "{arguments:?}");
    }
}

#[test]
fn the_steps_of_a_plan_are_shown() {
    let answer = json!({ "success": true, "action": "split", "dryRun": true, "steps": [{
        "action": "split", "txid": null, "feeSatoshis": 100, "feeRateSatPerKb": 512,
        "inputs": [{ "outpoint": format!("{TXID}:0"), "satoshis": 50_000 }],
        "outputs": [{ "satoshis": 5_000, "address": "mfoo" }], "reason": "2 available, 10 wanted",
    }] });
    let (finished, _) = asked(&["utxo", "split", "--dry-run"], 200, &answer);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines[0], "split  100 satoshis fee, 512 per kB  2 available, 10 wanted");
    assert_eq!(lines[1], format!("  -        50000  {TXID}:0"));
    assert_eq!(lines[2], "  +         5000  mfoo");
    assert_eq!(finished.stderr, "dry run: nothing was changed\n");
    let (finished, _) = asked(&["utxo", "split", "--dry-run", "--json"], 200, &answer);
    assert_eq!(finished.json(), answer);
    let failed = json!({ "success": false, "steps": [] });
    assert_eq!(asked(&["utxo", "split"], 200, &failed).0.status, Some(1));
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let running = json!({ "title": "Busy", "detail": "Another maintenance is running.",
        "code": "MAINTENANCE_RUNNING" });
    let (refused, _) = asked(&["utxo", "split"], 409, &running);
    assert_eq!(
        (refused.status, refused.stderr.as_str()),
        (Some(75), "error: Another maintenance is running.\n")
    );
    let older = json!({ "title": "Not found", "detail": "There is no such route." });
    let (refused, _) = asked(&["utxo", "split"], 404, &older);
    assert!(refused.stderr.contains("it is older than this command"), "{}", refused.stderr);
    let (refused, _) = asked(&["utxo", "split"], 403, &json!({ "title": "Not allowed" }));
    assert_eq!(refused.status, Some(77));
}

#[test]
fn a_store_that_is_worked_on_while_nobody_listens_is_left_alone() {
    let world = World::start();
    world.utxo(&["sync"]).expect(0);
    let elsewhere = world.folder.path().join("elsewhere.sock");
    let server = world.with_environment(|variables| {
        let moved = [("CONTROL_SOCKET", elsewhere.to_str().unwrap())];
        Running::start(&["serve"], &[variables, &moved].concat())
    });
    let refused = world.utxo(&["sync"]).expect(1);
    assert!(refused.stderr.contains("nobody answers on the control socket"), "{}", refused.stderr);
    assert!(refused.stderr.contains("another CONTROL_SOCKET"), "{}", refused.stderr);
    let reached = world.with_environment(|variables| {
        let moved = [("CONTROL_SOCKET", elsewhere.to_str().unwrap())];
        run(&["utxo", "sync"], &[variables, &moved].concat())
    });
    reached.expect(0);
    assert!(server.stop().success());
    assert!(!elsewhere.exists(), "the socket goes with its server");
}

#[test]
fn a_socket_that_a_killed_server_left_is_taken_over() {
    let world = World::start();
    let socket = world.data_file("control.sock");
    drop(world.serve());
    assert!(socket.exists(), "a killed server leaves its socket");
    world.utxo(&["sync"]).expect(0);
    let server = world.serve();
    world.utxo(&["sync"]).expect(0);
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(server.stop().success());
    assert!(!socket.exists());
}

#[test]
fn a_server_does_not_start_with_a_control_socket_open_to_all() {
    let world = World::start();
    let open = world.folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let socket = open.join("control.sock");
    let refused = world.with_environment(|variables| {
        let moved = [("CONTROL_SOCKET", socket.to_str().unwrap())];
        run(&["serve"], &[variables, &moved].concat())
    });
    assert!(refused.expect(1).stderr.contains("can be written to by everybody"));
}

#[test]
fn a_demo_is_reached_as_a_server_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let data_dir = ["--data-dir", data.to_str().unwrap()];
    let options = ["--empty", "--listen", "127.0.0.1:0"];
    let demo = Running::start(&[&["demo"][..], &options, &data_dir].concat(), &[]);
    run(&[&["settings", "set", "FEE_PER_KB=300"][..], &data_dir].concat(), &[]).expect(0);
    let got = run(&[&["settings", "get", "FEE_PER_KB"][..], &data_dir].concat(), &[]).expect(0);
    assert_eq!(got.stdout, "300\n");
    assert!(demo.stop().success());
    assert!(!data.join("control.sock").exists());
}

#[test]
fn the_network_is_given_nothing_that_the_socket_gives() {
    let world = World::start();
    let server = world.serve();
    let url = server.url.strip_prefix("listening on ").unwrap().trim_end_matches('/');
    let path = "/v1/admin/settings";
    assert_eq!(ask(url, "GET", path, "X-Forwarded-For: 127.0.0.1\r\n", "").0, 401);
    let socket = format!("unix://{}", world.data_file("control.sock").display());
    assert_eq!(ask(&socket, "GET", path, "", "").0, 200);
}

/// Runs a command as nobody; only root can.
fn run_as_nobody(
    program: &std::path::Path,
    socket: &std::path::Path,
) -> Option<(Option<i32>, String)> {
    const NOBODY: u32 = 65_534;
    let mut command = Command::new(program);
    command.args(["utxo", "sync"]).env_clear().env("CONTROL_SOCKET", socket);
    command.env("PATCHPROOF_DATA_DIR", "/nonexistent").uid(NOBODY);
    let output = command.output().ok()?;
    Some((output.status.code(), String::from_utf8(output.stderr).unwrap()))
}

#[test]
fn another_user_is_kept_out_by_the_file_and_by_the_kernel() {
    let world = World::start();
    let socket = world.data_file("control.sock");
    let _server = world.serve();
    for folder in [world.folder.path(), socket.parent().unwrap()] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let program = world.folder.path().join("patchproof");
    std::fs::copy(env!("CARGO_BIN_EXE_patchproof"), &program).unwrap();
    // Without root there is no other user to be; root runs the tests where they count.
    let Some((status, stderr)) = run_as_nobody(&program, &socket) else { return };
    assert_eq!(status, Some(77), "{stderr}");
    assert!(stderr.contains("open to root and to the user that the server runs as"), "{stderr}");
    // Even if the permissions were lost, the server looks at who it is.
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).unwrap();
    let (status, stderr) = run_as_nobody(&program, &socket).unwrap();
    assert_eq!(status, Some(77), "{stderr}");
    assert!(stderr.contains("for root and for the user that the server runs as"), "{stderr}");
}
