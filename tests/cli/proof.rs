//! `proof` and `verify`: a bundle taken from the demo proves itself when nothing else is left.

use std::path::Path;
use std::process::Command;

use crate::program::{Finished, Running, ask, get, run};

/// Runs `verify` in a network namespace of its own, where there is not even a loopback that is up.
fn verify_without_network(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", env!("CARGO_BIN_EXE_patchproof"), "verify"])
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Lets the demo work, and its limits be kept.
#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
fn wait() {
    std::thread::sleep(std::time::Duration::from_millis(50));
}

fn proof(arguments: &[&str]) -> Finished {
    run(&[&["proof"][..], arguments].concat(), &[])
}

#[test]
fn a_bundle_from_the_demo_is_proved_with_the_server_gone_and_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, file) = (path("data"), path("tag.proof.json"));
    let demo = Running::start(&["demo", "--listen", "127.0.0.1:0", "--data-dir", &data], &[]);
    let about: serde_json::Value =
        serde_json::from_slice(&std::fs::read(Path::new(&data).join("demo.json")).unwrap())
            .unwrap();
    let word = |name: &str| about[name].as_str().unwrap().to_owned();
    // The simulated network's own controls are at the root of its address.
    let chain = word("chainUrl").split('/').take(3).collect::<Vec<_>>().join("/");
    let (base, issuer) = (word("baseUrl"), word("issuerPublicKey"));
    let key = format!("X-Api-Key: {}\r\n", word("apiKey"));
    // The demo fills its store after it has begun to answer.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let uid = loop {
        let listed = ask(base.trim_end_matches('/'), "GET", "/v1/admin/patches", &key, "").1;
        let item = &listed["items"][0];
        if item["status"] == "confirmed" {
            break item["uid_tag_id"].as_str().unwrap().to_owned();
        }
        assert!(std::time::Instant::now() < deadline, "{listed}");
        wait();
    };
    proof(&["get", &uid, "--from", &base, "-o", &file]).expect(0);

    let mined = ask(&chain, "POST", "/sim/mine", "", "{\"blocks\":1}");
    assert_eq!(mined.0, 200, "{mined:?}");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let state = || get(base.trim_end_matches('/'), &format!("/v1/patches/verify/{uid}"));
    while state()["verificationDetails"]["block"].is_null() {
        assert!(std::time::Instant::now() < deadline, "{}", state());
        wait();
    }
    let upgraded = proof(&["upgrade", &file, "--from", &base]).expect(0);
    assert!(upgraded.stderr.contains("all in blocks"), "{}", upgraded.stderr);
    proof(&["get", "NOBODY-HAS-IT", "--from", &base]).expect(1);
    assert!(demo.stop().success());

    let (status, said) = verify_without_network(&[&file, "--issuer", &issuer]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("PROVED") && said.contains("as demanded"), "{said}");
    let (status, said) = verify_without_network(&[&file, "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &report["verdict"]), (Some(0), &"proved".into()), "{said}");
    let stranger =
        format!("02{}", "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    let (status, said) = verify_without_network(&[&file, "--issuer", &stranger]);
    assert_eq!(status, Some(1), "{said}");

    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("register_patch", "register_patcg", 1)).unwrap();
    let (status, said) = verify_without_network(&[&file]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("FAILED"), "{said}");
    run(&["verify", &path("absent")], &[]).expect(2);
    run(&["verify", &file, "--checkpoint", "x"], &[]).expect(2);
}
