//! `doctor`: well, with things missing, with everything broken.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::post_office::{PostOffice, Reception};
use crate::program::{Finished, run};
use crate::stub;
use crate::world::World;

const SECRET: &str = "canary-4f0f1c6b8e2d7a5934c1b0e8d6f2a7c3";
/// What an operator of a healthy installation has set beside the world's own.
const COMPLETE: &[(&str, &str)] = &[
    ("API_KEY", SECRET),
    ("JWT_SECRET", "canary-9b1d7e3f5a2c8064b7d9e1f3a5c7092b"),
    ("MASTER_SECRET", "canary-2c4e6a8b0d1f3e5c7a9b8d6f4e2c0a1b"),
    ("CUSTODY_KEY_IDENTIFIER", "custody"),
    ("SMTP_HOST", "127.0.0.1"),
    ("EMAIL_FROM", "codes@shop.example"),
];

/// Findings of the disk depend on the machine that runs the tests.
fn about_us(report: &Value) -> Vec<&Value> {
    let all = report["findings"].as_array().unwrap().iter();
    all.filter(|it| !it["check"].as_str().unwrap().starts_with("disk")).collect()
}

#[track_caller]
fn find<'a>(report: &'a Value, check: &str, level: &str) -> &'a Value {
    let found = report["findings"].as_array().unwrap().iter();
    let mut found = found.filter(|it| it["check"] == check && it["level"] == level);
    found.next().unwrap_or_else(|| unreachable!("no {level} of {check} in {report:#}"))
}

fn doctor(world: &World, more: &[(&str, &str)]) -> Finished {
    world.with_environment(|variables| run(&["doctor", "--json"], &[variables, more].concat()))
}

#[test]
fn h10_a_healthy_installation_is_well_beside_its_server_and_without_it() {
    let world = World::start();
    let private = PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(world.data_file(""), private).unwrap();
    world.fund(12);
    let post_office = PostOffice::open();
    let port = post_office.address.port().to_string();
    let backups = world.folder.path().join("backups");
    let more = [
        ("SMTP_PORT", port.as_str()),
        ("BACKUP_DIR", backups.to_str().unwrap()),
        ("BACKUP_PASSPHRASE", "canary-5d7f9b1c3e5a7c9e1b3d5f7a9c1e3b5d"),
    ];
    let complete = [COMPLETE, &more].concat();
    let asked = |arguments: &[&str]| {
        world.with_environment(|variables| run(arguments, &[variables, &complete].concat()))
    };
    asked(&["utxo", "sync"]).expect(0);
    asked(&["backup"]).expect(0);
    let server = world.serve_with(&complete);
    let beside = doctor(&world, &complete).json();
    for finding in about_us(&beside) {
        assert_eq!(finding["level"], "ok", "{finding}");
    }
    assert_eq!(find(&beside, "server", "ok")["finding"], "it runs and is ready");
    for check in [
        "configuration",
        "store",
        "pool",
        "records",
        "signer",
        "network",
        "headers",
        "clock",
        "mail",
        "backup",
    ] {
        find(&beside, check, "ok");
    }
    assert!(server.stop().success());
    let alone = doctor(&world, &complete).json();
    assert!(find(&alone, "server", "ok")["finding"].as_str().unwrap().starts_with("none runs"));
    let text = asked(&["doctor"]);
    assert!(text.stdout.lines().last().unwrap().ends_with(" failures"), "{}", text.stdout);
    assert!(post_office.connections() > 1 && post_office.count() == 0, "no mail was sent");
    assert!(!format!("{beside}{alone}{text:?}").contains("canary"), "no secret is shown");
    assert_eq!(
        std::fs::read_dir(world.data_file("")).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

#[test]
fn what_is_missing_or_open_is_a_warning_with_a_remedy() {
    let world = World::start();
    std::fs::set_permissions(world.data_file(""), PermissionsExt::from_mode(0o755)).unwrap();
    world.fund(1);
    world.utxo(&["sync"]).expect(0);
    let secret = world.folder.path().join("api_key");
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).unwrap();
    let keystore = world.data_file("signer.keystore");
    std::fs::write(&keystore, "{}").unwrap();
    std::fs::set_permissions(&keystore, PermissionsExt::from_mode(0o640)).unwrap();
    let finished = doctor(&world, &[("API_KEY_FILE", secret.to_str().unwrap())]);
    let report = finished.json();
    for check in
        ["configuration", "custody key", "data folder", "private file", "secret file", "pool"]
    {
        let finding = find(&report, check, "warn");
        assert!(finding["remedy"].is_string(), "{finding}");
    }
    assert!(find(&report, "pool", "warn")["finding"].as_str().unwrap().contains("MIN_UTXO_COUNT"));
    // A disk that is full on the machine of the tests is a failure of its own.
    let expected = if report["failures"] == 0 { 4 } else { 1 };
    assert_eq!(finished.status, Some(expected), "{report:#}");
    assert!(about_us(&report).iter().all(|it| it["level"] != "fail"), "{report:#}");
}

#[test]
fn what_is_away_is_a_failure_and_the_rest_is_still_looked_at() {
    let world = World::start();
    world.utxo(&["sync"]).expect(0);
    let World { folder, signer, simnet } = world;
    drop((signer, simnet));
    let data_dir = folder.path().join("data");
    let socket = format!("unix://{}", folder.path().join("signer.sock").display());
    let variables = [
        ("PATCHPROOF_DATA_DIR", data_dir.to_str().unwrap()),
        ("KMS_SIGN_URL", &socket),
        ("KMS_SIGN_RETRY_ATTEMPTS", "1"),
        ("ISSUER_KEY_IDENTIFIER", "issuer"),
        ("UTXO_FUNDING_KEY_IDENTIFIER", "funding"),
        ("WOC_NETWORK", "test"),
        ("WOC_BASE_URL", "http://127.0.0.1:1/v1/bsv/test"),
        ("WOC_RETRIES", "0"),
    ];
    let report = run(&["doctor", "--json"], &variables).expect(1).json();
    for check in ["signer", "network", "pool"] {
        assert!(find(&report, check, "fail")["remedy"].is_string());
    }
    assert!(find(&report, "pool", "fail")["remedy"].as_str().unwrap().contains("pay to "));
    find(&report, "store", "ok");
    find(&report, "clock", "warn");
}

#[test]
fn a_signer_with_other_keys_is_recognised() {
    let world = World::start();
    world.utxo(&["sync"]).expect(0);
    let other = World::start();
    let report = doctor(&world, &[("KMS_SIGN_URL", &other.signer.url)]).expect(1).json();
    let finding = find(&report, "signer", "fail");
    assert!(finding["finding"].as_str().unwrap().contains("the store is bound to"), "{finding}");
}

#[test]
fn with_a_broken_configuration_it_says_what_it_could_not_look_at() {
    let world = World::start();
    world.utxo(&["sync"]).expect(0);
    let broken = [("FEE_PER_KB", "0"), ("WOC_NETWORK", "regtest"), ("PORT", "http")];
    let report = doctor(&world, &broken).expect(1).json();
    let problems = report["findings"].as_array().unwrap().iter();
    let problems = problems.filter(|it| it["check"] == "configuration" && it["level"] == "fail");
    assert_eq!(problems.count(), broken.len(), "{report:#}");
    for check in ["signer", "network", "clock"] {
        let finding = find(&report, check, "warn");
        assert!(finding["finding"].as_str().unwrap().starts_with("not looked at"), "{finding}");
    }
    find(&report, "store", "ok");

    let nothing = run(&["doctor", "--json", "--data-dir", "/nonexistent/patchproof"], &[]);
    let report = nothing.expect(1).json();
    for check in ["configuration", "data folder", "store"] {
        find(&report, check, "fail");
    }
}

#[test]
fn a_server_that_sees_the_money_end_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let answer = json!({ "status": "degraded", "warnings": [], "runway": { "daysLeft": 3 },
        "dependencies": [{ "name": "signer", "ok": false, "detail": "no answer" }] });
    let _noted = stub::listen(folder.path(), 200, &answer);
    let report = run(&["doctor", "--json", "--data-dir", folder.path().to_str().unwrap()], &[]);
    let report = report.expect(1).json();
    let finding = find(&report, "runway", "warn");
    assert!(finding["finding"].as_str().unwrap().contains("lasts 3 days"), "{finding}");
    assert!(
        find(&report, "server", "fail")["finding"]
            .as_str()
            .unwrap()
            .contains("degraded: signer (no answer)")
    );
}

#[test]
fn what_a_killed_server_left_is_named() {
    let world = World::start();
    drop(world.serve());
    let report = doctor(&world, &[]).json();
    let finding = find(&report, "server", "warn");
    assert!(finding["finding"].as_str().unwrap().contains("was killed"), "{finding}");
}

#[test]
fn a_mail_server_that_is_away_or_in_the_way_is_a_failure_with_a_remedy() {
    let world = World::start();
    let closed = PostOffice::open();
    closed.is(Reception::Closed);
    let port = closed.address.port().to_string();
    let report = doctor(&world, &[COMPLETE, &[("SMTP_PORT", port.as_str())]].concat()).json();
    let mail = find(&report, "mail", "fail");
    assert!(mail["finding"].as_str().unwrap().contains(&format!("127.0.0.1:{port}")), "{mail}");
    assert!(mail["remedy"].as_str().unwrap().contains("SMTP_PORT"), "{mail}");
    let bad = [COMPLETE, &[("SMTP_CA_FILE", "/no/such/file.pem")]].concat();
    find(&doctor(&world, &bad).json(), "mail", "fail");
    let without = doctor(&world, &COMPLETE[..4]).json();
    let checks = without["findings"].as_array().unwrap().iter();
    assert!(checks.into_iter().all(|it| it["check"] != "mail"), "{without}");
}
