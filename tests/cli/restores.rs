//! A server that restores its own store: in the same process, fenced, at the same address; and what is
//! left where it is killed in between.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Running, ask, run};
use crate::world::World;

const PASSPHRASE: (&str, &str) =
    ("BACKUP_PASSPHRASE", "canary-six words that nobody else would choose");
/// Backups are made when a test wants one.
const MORE: [(&str, &str); 2] = [PASSPHRASE, ("BACKUP_INTERVAL_HOURS", "0")];
/// Longer than anything here takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);
const PACE: Duration = Duration::from_millis(20);
const RESTORE: &str = "/v1/admin/restore";
const OWNER: &str = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r";

/// Asks the server as its operator.
fn operator(data: &Path, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let socket = format!("unix://{}", data.join("control.sock").display());
    let body = if method == "POST" { body.to_string() } else { String::new() };
    ask(&socket, method, path, "", &body)
}

#[track_caller]
fn done(data: &Path, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = operator(data, method, path, body);
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
    answer
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Asks until the answer is one that is waited for.
#[track_caller]
fn until(what: &str, mut probe: impl FnMut() -> Option<Value>) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "did not happen in time: {what}");
        pause(PACE);
    }
}

fn register(data: &Path, uid: &str) {
    let body = json!({ "product": { "uid_tag_id": uid }, "auth": { "owner": OWNER } });
    done(data, "POST", "/v1/patches", &body);
}

/// Makes a backup and returns its name.
fn back_up(data: &Path) -> String {
    done(data, "POST", "/v1/admin/backups", &json!({}));
    let listed = until("the backup is made", || {
        let listed = done(data, "GET", "/v1/admin/backups", &Value::Null);
        let is_made = listed["running"].is_null() && !listed["backups"][0].is_null();
        is_made.then_some(listed)
    });
    listed["backups"][0]["name"].as_str().unwrap().to_owned()
}

/// Has a backup read until it is ready to be put in place.
fn read(data: &Path, name: &str) -> Value {
    done(data, "POST", RESTORE, &json!({ "name": name }));
    until("the backup is read", || {
        let job = done(data, "GET", RESTORE, &Value::Null)["job"].clone();
        assert_ne!(job["state"], "failed", "{job}");
        (job["state"] == "ready").then_some(job)
    })
}

fn apply(data: &Path, name: &str) {
    let (status, answer) =
        operator(data, "POST", "/v1/admin/restore/apply", &json!({ "name": name }));
    assert_eq!((status, &answer["job"]["state"]), (202, &json!("applying")), "{answer}");
}

/// Waits until the server at `url` is there with a restored store, and says how it is.
fn is_back(url: &str, data: &Path) -> Value {
    until("the server is back", || {
        TcpStream::connect(url.strip_prefix("http://").unwrap()).ok()?;
        if !data.join("control.sock").exists() {
            return None;
        }
        let told = std::panic::catch_unwind(|| operator(data, "GET", RESTORE, &Value::Null));
        let (status, state) = told.ok()?;
        let is_new = status == 200 && state["job"].is_null();
        is_new.then_some(state)
    })
}

/// Says which of the products are there.
fn known(url: &str, uids: &[&str]) -> Vec<bool> {
    let verify =
        |uid: &&str| ask(url, "GET", &format!("/v1/patches/verify/{uid}"), "", "").0 == 200;
    uids.iter().map(verify).collect()
}

fn copies(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data).unwrap().map(|it| it.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("before-restore")).collect()
}

fn left(data: &Path, part: &str) -> bool {
    let mut entries = std::fs::read_dir(data).unwrap().map(|it| it.unwrap().file_name());
    entries.any(|name| name.to_string_lossy().contains(part))
}

fn address(server: &Running) -> String {
    server.url.strip_prefix("listening on ").unwrap().trim_end_matches('/').to_owned()
}

/// Listens as systemd does, until the process has said that it stops and is silent; returns all it said.
fn listen(path: &Path) -> JoinHandle<String> {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    std::thread::spawn(move || {
        let (mut said, mut bytes) = (String::new(), [0; 4096]);
        while let Ok(length) = socket.recv(&mut bytes) {
            said.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
            said.push('\n');
            if said.contains("STOPPING=1") {
                socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            }
        }
        said
    })
}

#[test]
fn a_server_restores_its_own_store_in_the_same_process_and_comes_back_fenced() {
    let world = World::start();
    world.fund(5);
    let (data, notify) = (world.data_file(""), world.folder.path().join("notify"));
    let manager = listen(&notify);
    let log = world.folder.path().join("log");
    let more = [
        MORE[0],
        MORE[1],
        ("NOTIFY_SOCKET", notify.to_str().unwrap()),
        ("WATCHDOG_USEC", "300000"),
        ("LOG_LEVEL", "trace"),
    ];
    let mut server = world.with_environment(|variables| {
        let file = File::create(&log).unwrap();
        Running::start_logging(&["serve"], &[variables, &more].concat(), file)
    });
    server.url = address(&server);
    world.utxo(&["sync"]).expect(0);
    register(&data, "TAG-1");
    let name = back_up(&data);
    register(&data, "TAG-2");
    // The chain must know nothing that the store does not, or a person must read it first.
    let job = read(&data, &name);
    assert_eq!(job["summary"]["lost"]["products"], 1, "{job}");
    assert_eq!(known(&server.url, &["TAG-1", "TAG-2"]), [true, true]);
    apply(&data, &name);
    let state = is_back(&server.url, &data);
    assert!(state["restoredAt"].is_string() || state["fenced"] == false, "{state}");
    assert_eq!(known(&server.url, &["TAG-1", "TAG-2"]), [true, false]);
    let found = until("the chain was asked", || {
        let state = done(&data, "GET", RESTORE, &Value::Null);
        (state["resyncedAt"].is_string()).then_some(state)
    });
    assert_eq!((&found["fenced"], &found["found"]), (&json!(true), &json!(1)), "{found}");
    done(&data, "POST", "/v1/admin/restore/release", &json!({}));

    let [copy] = copies(&data).try_into().unwrap();
    assert!(!left(&data, "restoring") && !left(&data, "redb-next"));
    let trail = done(&data, "GET", "/v1/admin/audit?action=restore.done", &Value::Null);
    let line = &trail["items"][0];
    assert!(line["subject"].as_str().unwrap().starts_with(&name), "{trail}");
    assert!(line["actor"].as_str().unwrap().starts_with("local:"), "{trail}");
    // It serves again as before: one may restore twice.
    read(&data, &name);
    apply(&data, &name);
    is_back(&server.url, &data);
    assert_eq!(copies(&data).len(), 2);

    assert!(server.stop().success(), "the process is the one that was started");
    let said = manager.join().unwrap();
    let count = |line: &str| said.lines().filter(|said| *said == line).count();
    assert_eq!((count("READY=1"), count("STOPPING=1")), (1, 1), "{said}");
    assert!(count("WATCHDOG=1") > 2, "{said}");
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("beginning anew") && !log.contains("canary"));

    // The way back is the former store.
    run_with(&world, &["restore", copy.to_str().unwrap(), "--yes"], 0);
    let server = world.serve_with(&MORE);
    assert_eq!(known(&address(&server), &["TAG-1", "TAG-2"]), [true, true]);
}

fn run_with(world: &World, arguments: &[&str], status: i32) -> crate::program::Finished {
    let run = |variables: &[(&str, &str)]| run(arguments, &[variables, &[PASSPHRASE]].concat());
    world.with_environment(run).expect(status)
}

/// Begins a request that is never finished, which a server that ends its work waits for.
fn hold(url: &str) -> TcpStream {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let head = "POST /v1/auth/request-verification HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/json\r\nContent-Length: 100\r\n\
                Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The server says when it waits for the rest.
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = [0; 12];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 100");
    stream
}

/// A server that was killed once a restored store was marked, and before it was put in place.
fn killed_between() -> (World, PathBuf) {
    let world = World::start();
    world.fund(5);
    let data = world.data_file("");
    let mut server = world.serve_with(&MORE);
    let url = address(&server);
    world.utxo(&["sync"]).expect(0);
    register(&data, "TAG-1");
    let name = back_up(&data);
    register(&data, "TAG-2");
    read(&data, &name);
    let held = hold(&url);
    apply(&data, &name);
    server.kill();
    drop(held);
    assert!(left(&data, "redb-next") && copies(&data).is_empty(), "it was killed in between");
    (world, data)
}

#[test]
fn a_server_that_is_killed_before_the_restored_store_is_in_place_begins_with_it() {
    let (world, data) = killed_between();
    let status = run_with(&world, &["restore", "status", "--json"], 0).json();
    assert_eq!(status, json!({ "waiting": true }));
    let refused = run_with(&world, &["utxo", "sync"], 1);
    assert!(refused.stderr.contains("restored store waits"), "{}", refused.stderr);
    let doctor = world.with_environment(|variables| run(&["doctor", "--json"], variables)).json();
    let findings = doctor["findings"].as_array().unwrap();
    assert!(findings.iter().any(|it| it["check"] == "restore" && it["level"] == "warn"));

    let mut server = world.serve_with(&MORE);
    assert_eq!(known(&address(&server), &["TAG-1", "TAG-2"]), [true, false]);
    let state = done(&data, "GET", RESTORE, &Value::Null);
    assert!(state["restoredAt"].is_string() && state["job"].is_null(), "{state}");
    assert_eq!((copies(&data).len(), left(&data, "redb-next")), (1, false));
    server.kill();
    run_with(&world, &["check"], 0);
}

#[test]
fn a_command_that_restores_takes_the_turn_of_one_that_waits() {
    let (world, data) = killed_between();
    let backup = run_with(&world, &["backup", "list", "--json"], 0).json();
    let name = backup["backups"][0]["name"].as_str().unwrap();
    let file = data.join("backups").join(name);
    let told = run_with(&world, &["restore", file.to_str().unwrap(), "--yes"], 0);
    assert!(told.stderr.contains("waits to be put in place"), "{}", told.stderr);
    assert!(!left(&data, "redb-next"));
    assert_eq!(copies(&data).len(), 1);
}

#[test]
fn a_restore_that_is_killed_at_any_moment_after_its_confirmation_leaves_one_whole_store() {
    const MOMENTS: u32 = 12;
    let world = World::start();
    world.fund(8);
    let data = world.data_file("");
    let mut server = world.serve_with(&MORE);
    world.utxo(&["sync"]).expect(0);
    register(&data, "TAG-1");
    let name = back_up(&data);
    let mut whole = Duration::ZERO;
    for moment in 0..MOMENTS {
        // Without a fence products are taken in; with one they are, too, and wait.
        let url = address(&server);
        let begun = Instant::now();
        read(&data, &name);
        apply(&data, &name);
        if moment == 0 {
            is_back(&url, &data);
            whole = begun.elapsed();
        } else {
            pause(whole * (moment - 1) / (MOMENTS - 2));
        }
        server.kill();
        server = world.serve_with(&MORE);
        let state = done(&data, "GET", RESTORE, &Value::Null);
        assert!(state["job"].is_null() && !left(&data, "redb-next"), "{moment}: {state}");
        let trail = done(&data, "GET", "/v1/admin/audit?action=restore.done", &Value::Null);
        assert_eq!(trail["items"].as_array().unwrap().len(), 1, "what was confirmed is done");
        assert_eq!(known(&address(&server), &["TAG-1"]), [true]);
        assert_eq!(copies(&data).len(), usize::try_from(moment).unwrap() + 1);
    }
    server.kill();
    run_with(&world, &["check"], 0);
}

#[test]
fn a_demo_restores_its_own_store_while_network_and_signer_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let data_dir = ["--data-dir", data.to_str().unwrap()];
    let options = ["--empty", "--listen", "127.0.0.1:0", "--mine-every-secs", "1"];
    let demo = Running::start(&[&["demo"][..], &options, &data_dir].concat(), &[]);
    let described = until("the demo says where it is", || {
        let text = std::fs::read(data.join("demo.json")).ok()?;
        serde_json::from_slice::<Value>(&text).ok()
    });
    let url = described["baseUrl"].as_str().unwrap().trim_end_matches('/').to_owned();
    until("it answers", || {
        TcpStream::connect(url.strip_prefix("http://").unwrap()).ok().map(|_| Value::Null)
    });
    let name = back_up(&data);
    run(&[&["settings", "set", "FEE_PER_KB=300"][..], &data_dir].concat(), &[]).expect(0);
    read(&data, &name);
    apply(&data, &name);
    is_back(&url, &data);
    let got = run(&[&["settings", "get", "FEE_PER_KB"][..], &data_dir].concat(), &[]).expect(0);
    assert_ne!(got.stdout, "300\n");
    assert_eq!(copies(&data).len(), 1);
    assert!(demo.stop().success());
}
