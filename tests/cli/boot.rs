//! Whatever keeps a server from its work ends it at once, with a failure and a reason: nothing lives on
//! that does not listen (G3), and nothing listens that lets everybody in (B17).

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use crate::program::{Finished, ask, run_within};
use crate::world::World;

/// How long a start that fails may take.
const AT_MOST: Duration = Duration::from_secs(5);

const STRONG: &[(&str, &str)] = &[
    ("API_KEY", "canary-4f0f1c6b8e2d7a5934c1b0e8d6f2a7c3"),
    ("JWT_SECRET", "canary-9b1d7e3f5a2c8064b7d9e1f3a5c7092b"),
    ("MASTER_SECRET", "canary-2c4e6a8b0d1f3e5c7a9b8d6f4e2c0a1b"),
];

/// Starts a server that cannot work, and returns how it ended.
#[track_caller]
fn refused(world: &World, more: &[(&str, &str)]) -> Finished {
    let start = |variables: &[(&str, &str)]| {
        run_within(AT_MOST, &["serve"], &[variables, STRONG, more].concat())
    };
    let ended = world.with_environment(start);
    assert_ne!(ended.status, Some(0), "{ended:?}");
    assert!(ended.status.is_some(), "it was killed or crashed: {ended:?}");
    assert!(!ended.stdout.contains("listening"), "{ended:?}");
    assert!(ended.stderr.contains("error: "), "{ended:?}");
    assert!(!format!("{ended:?}").contains("canary"), "{ended:?}");
    ended
}

/// Starts a server once, so that there is a store, and stops it.
fn started_once() -> World {
    let world = World::start();
    assert!(world.serve().stop().success());
    world
}

#[test]
fn g3_a_server_whose_place_is_taken_or_not_there_ends_at_once() {
    let world = World::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(refused(&world, &[("PORT", &port)]).stderr.contains("cannot listen"));
    refused(&world, &[("BIND", "192.0.2.1")]);
    let folder = world.folder.path();
    let long = folder.join("x".repeat(120));
    assert!(
        refused(&world, &[("CONTROL_SOCKET", long.to_str().unwrap())]).stderr.contains("socket")
    );
    let nowhere = folder.join("no/such/folder/control.sock");
    refused(&world, &[("CONTROL_SOCKET", nowhere.to_str().unwrap())]);
    let file = folder.join("file");
    fs::write(&file, "no folder").unwrap();
    refused(&world, &[("PATCHPROOF_DATA_DIR", file.to_str().unwrap())]);
    refused(&world, &[("PATCHPROOF_DATA_DIR", file.join("below").to_str().unwrap())]);
    // The same world works where nothing is in the way.
    assert!(world.serve().stop().success());
}

#[test]
fn g3_a_server_whose_store_is_broken_or_served_ends_at_once() {
    let world = started_once();
    let store = world.data_file("patchproof.redb");
    let good = fs::read(&store).unwrap();
    let broken: [(&str, Vec<u8>); 5] = [
        ("of one byte", vec![7]),
        ("no store", b"this is no store\n".repeat(1_000)),
        ("cut off", good[..good.len() / 2].to_vec()),
        ("without its head", [vec![0; 4_096], good[4_096..].to_vec()].concat()),
        ("zeros", vec![0; good.len()]),
    ];
    for (what, bytes) in broken {
        fs::write(&store, &bytes).unwrap();
        let ended = refused(&world, &[]);
        assert!(ended.stderr.contains("store"), "{what}: {ended:?}");
        assert_eq!(fs::read(&store).unwrap(), bytes, "{what}: a file that is not ours was changed");
    }
    fs::remove_file(&store).unwrap();
    fs::create_dir(&store).unwrap();
    refused(&world, &[]);
    fs::remove_dir(&store).unwrap();
    fs::write(&store, &good).unwrap();
    let running = world.serve();
    refused(&world, &[]);
    assert!(running.stop().success());
}

#[test]
fn g3_a_server_without_its_signer_or_on_another_network_ends_at_once() {
    let world = World::start();
    let folder = world.folder.path();
    refused(&world, &[("ISSUER_KEY_IDENTIFIER", "nobody")]);
    let absent = format!("unix://{}", folder.join("absent.sock").display());
    refused(&world, &[("KMS_SIGN_URL", &absent)]);
    refused(&world, &[("KMS_SIGN_URL", "http://127.0.0.1:9")]);
    let silent = folder.join("silent.sock");
    let _silent = UnixListener::bind(&silent).unwrap();
    let url = format!("unix://{}", silent.display());
    let impatient = [("KMS_SIGN_TIMEOUT_MS", "200"), ("KMS_SIGN_RETRY_ATTEMPTS", "1")];
    refused(&world, &[&impatient[..], &[("KMS_SIGN_URL", &url)]].concat());

    assert!(world.serve().stop().success());
    // The keys are known now: a signer that is away later keeps nobody from serving. Another network
    // does.
    refused(&world, &[("WOC_NETWORK", "main"), ("CHAIN_PROFILE", "public")]);
}

#[test]
fn g3_a_server_that_is_badly_configured_ends_at_once() {
    let world = World::start();
    let production = [("NODE_ENV", "production"), ("KMS_SIGN_URL", "mock")];
    for more in [
        &[("PORT", "http")][..],
        &[("WOC_NETWORK", "regtest")],
        &[("API_KEY", ""), ("API_KEY_FILE", "/nonexistent/api_key")],
        &[("NODE_ENV", "staging")],
        &[("KMS_SIGN_URL", "not a URL")],
        &production,
    ] {
        let ended = refused(&world, more);
        assert_eq!(ended.status, Some(78), "{more:?}: {ended:?}");
    }
}

#[test]
fn g3_a_signer_or_a_network_that_cannot_work_ends_at_once() {
    let world = World::start();
    let folder = world.folder.path();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    fs::write(folder.join("damaged.json"), "{").unwrap();
    fs::write(folder.join("wrong"), "another passphrase\n").unwrap();
    fs::set_permissions(folder.join("wrong"), private()).unwrap();
    let free = "127.0.0.1:0";
    let (absent, damaged, good) = (file("absent"), file("damaged.json"), file("keystore.json"));
    let (right, wrong, log) = (file("passphrase"), file("wrong"), file("data"));
    let cases: [(&str, &str, &str, &[&str]); 7] = [
        (&absent, &right, free, &[]),
        (&damaged, &right, free, &[]),
        (&good, &absent, free, &[]),
        (&good, &wrong, free, &[]),
        (&good, &right, &port, &[]),
        (&good, &right, "0.0.0.0:0", &[]),
        (&good, &right, free, &["--log", &log]),
    ];
    for (keystore, passphrase, listen, more) in cases {
        let arguments =
            ["signer", "--keystore", keystore, "--passphrase-file", passphrase, "--listen", listen];
        let ended = run_within(AT_MOST, &[&arguments[..], more].concat(), &[]);
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), ""), "{arguments:?} {ended:?}");
    }
    for arguments in
        [&["simnet", "--listen", &port][..], &["simnet", "--listen", free, "--data", &damaged]]
    {
        let ended = run_within(AT_MOST, arguments, &[]);
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), ""), "{arguments:?} {ended:?}");
    }
}

fn private() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o600)
}

#[test]
fn b17_no_environment_lets_anybody_in_from_the_network() {
    let world = World::start();
    for (mode, bind) in
        [("test", "0.0.0.0"), ("development", "127.0.0.1"), ("development", "0.0.0.0")]
    {
        for name in ["NODE_ENV", "PATCHPROOF_ENV"] {
            let more = [&[(name, mode), ("BIND", bind)][..], STRONG].concat();
            let server = world.with_environment(|variables| {
                crate::program::Running::start(&["serve"], &[variables, &more[..]].concat())
            });
            let port = server.url.rsplit(':').next().unwrap().trim_end_matches('/');
            let url = format!("http://127.0.0.1:{port}");
            for (method, path) in [("POST", "/v1/patches"), ("GET", "/v1/admin/settings")] {
                let (status, problem) = ask(&url, method, path, "", "{}");
                assert_eq!(status, 401, "{name}={mode} BIND={bind} {path}: {problem}");
            }
            assert!(server.stop().success());
        }
    }
}
