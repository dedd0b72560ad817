//! `log`: the log of all commitments beside a server, and a watch over it from outside.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Running, ask, get, run};
use crate::world::World;

/// Longer than a signature takes on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server whose log is signed every second.
fn serve(world: &World) -> Running {
    world.serve_with(&[("LOG_CHECKPOINT_SECS", "1"), ("LOG_ORIGIN", "proof.example/log")])
}

fn address(server: &Running) -> String {
    server.url.trim_start_matches("listening on ").trim_end().to_owned()
}

fn register(world: &World, uid: &str) -> String {
    let socket = format!("unix://{}", world.data_file("control.sock").display());
    let owner = get(&world.signer.url, "/keys")[0]["addressTest"].clone();
    let body = json!({ "product": { "uid_tag_id": uid }, "auth": { "owner": owner } });
    let (_, answer) = ask(&socket, "POST", "/v1/patches", "", &body.to_string());
    answer["pendingId"].as_str().unwrap().to_owned()
}

/// Waits until so many leaves are signed, and returns what `log status` says then.
fn signed(world: &World, size: u64) -> Value {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let status = world.run(&["log", "status", "--json"]).expect(0).json();
        if status["signedSize"] == size {
            return status;
        }
    }
    unreachable!("{size} leaves are not signed in time")
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[test]
fn a_log_is_shown_proved_and_watched_and_a_rewritten_one_is_an_alarm() {
    let world = World::start();
    world.fund(2);
    world.utxo(&["sync"]).expect(0);
    assert!(world.run(&["log", "checkpoint"]).expect(1).stderr.contains("no checkpoint is signed"));
    let server = serve(&world);
    let first = register(&world, "TAG-1");
    let status = signed(&world, 1);
    assert_eq!(status["origin"], "proof.example/log");
    let note = world.run(&["log", "checkpoint"]).expect(0).stdout;
    assert!(note.starts_with("proof.example/log\n1\n"), "{note}");
    let proof = world.run(&["log", "prove", &first, "--json"]).expect(0).json();
    assert_eq!((&proof["leafIndex"], &proof["treeSize"]), (&json!(0), &json!(1)));
    let commitment = proof["commitment"].as_str().unwrap();
    let shown = world.run(&["log", "prove", commitment]).expect(0).stdout;
    assert!(shown.starts_with(&format!("{commitment} is leaf 0 of 1\n")), "{shown}");
    world.run(&["log", "prove", &"0".repeat(64)]).expect(1);
    world.run(&["log", "prove", "xyz"]).expect(2);

    let state: PathBuf = world.folder.path().join("watched.json");
    let state = state.to_str().unwrap();
    let vkey = status["vkey"].as_str().unwrap();
    let look = |server: &Running, key: Option<&str>| {
        let url = address(server);
        let key: Vec<&str> = key.map(|key| vec!["--key", key]).unwrap_or_default();
        run(&[&["log", "watch", &url, "--state", state][..], &key].concat(), &[])
    };
    let learnt = look(&server, None).expect(0);
    assert!(learnt.stderr.contains(vkey) && learnt.stdout.contains("first look"), "{learnt:?}");
    let same = look(&server, Some(vkey)).expect(0);
    assert_eq!(same.stdout, "1 commitments, 0 new since the last look\n");
    assert!(server.stop().success());
    look_nowhere(state);

    // The operator keeps the store of now, and will have it that what comes next never was.
    let (file, kept) = (world.data_file("patchproof.redb"), world.folder.path().join("kept"));
    copy(&file, &kept);
    let server = serve(&world);
    for uid in ["TAG-2", "TAG-3"] {
        register(&world, uid);
    }
    signed(&world, 3);
    assert_eq!(look(&server, None).expect(0).stdout, "3 commitments, 2 new since the last look\n");
    assert!(server.stop().success());
    world.run(&["check"]).expect(0);
    let seen = std::fs::read(state).unwrap();

    copy(&kept, &file);
    let server = serve(&world);
    let shrunk = look(&server, None).expect(1);
    assert!(shrunk.stderr.contains("ALARM"), "{shrunk:?}");
    for uid in ["TAG-4", "TAG-5"] {
        register(&world, uid);
    }
    signed(&world, 3);
    let rewritten = look(&server, None).expect(1);
    assert!(rewritten.stderr.contains("ALARM: the log was rewritten"), "{rewritten:?}");
    register(&world, "TAG-6");
    signed(&world, 4);
    let grown = look(&server, None).expect(1);
    assert!(grown.stderr.contains("ALARM: the log was rewritten"), "{grown:?}");
    assert_eq!(std::fs::read(state).unwrap(), seen, "the evidence is kept");
    assert!(server.stop().success());
    // The store itself is consistent: only who watched can tell.
    world.run(&["check"]).expect(0);
}

/// Nobody answers: that is no alarm.
fn look_nowhere(state: &str) {
    let nobody = run(&["log", "watch", "http://127.0.0.1:9", "--state", state], &[]).expect(75);
    assert!(nobody.stderr.contains("cannot be told now"), "{nobody:?}");
}
