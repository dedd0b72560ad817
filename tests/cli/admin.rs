//! `admin`: the first account, a forgotten password, sessions; beside a server and without one.

use serde_json::{Value, json};

use crate::program::{Raw, Running, ask, ask_raw};
use crate::world::World;

const NAME: &str = "Ada";
const PASSWORD: &str = "a long enough password";
const OTHER_PASSWORD: &str = "another long password";

fn url(server: &Running) -> String {
    server.url.strip_prefix("listening on ").unwrap().trim_end_matches('/').to_owned()
}

/// Uses a link up; returns the status and what the browser would hold.
fn open(url: &str, link: &str, body: &mut Value) -> (u16, String) {
    body["token"] = link.trim().split_once('=').unwrap().1.into();
    let Raw { status, head, .. } = ask_raw(url, "POST", "/v1/admin/setup", "", &body.to_string());
    let cookie = head.lines().find_map(|line| line.split_once("et-cookie: ")).map(|it| it.1);
    (status, cookie.and_then(|text| text.split(';').next()).unwrap_or_default().to_owned())
}

fn log_in(url: &str, password: &str) -> u16 {
    let body = json!({ "name": NAME, "password": password }).to_string();
    ask(url, "POST", "/v1/admin/session", "", &body).0
}

fn who(url: &str, cookie: &str) -> u16 {
    ask(url, "GET", "/v1/admin/session", &format!("Cookie: {cookie}\r\n"), "").0
}

#[test]
fn the_first_admin_comes_in_by_a_link_and_again_after_a_forgotten_password() {
    let world = World::start();
    let none = world.run(&["admin", "accounts"]).expect(0);
    assert_eq!(none.stdout, "");
    assert!(none.stderr.contains("admin setup-link"), "{}", none.stderr);
    // Made with no server, used with one. Standard output is the link alone, for scripts.
    let link = world.run(&["admin", "setup-link"]).expect(0).stdout;
    assert!(link.contains("/admin#setup=") && link.trim().lines().count() == 1, "{link}");
    let server = world.serve();
    let base = url(&server);
    let newer = world.run(&["admin", "setup-link", "--json"]).expect(0).json();
    let mut first = json!({ "name": NAME, "password": PASSWORD });
    assert_eq!(open(&base, &link, &mut first).0, 410, "a newer link was made");
    let newer = newer["url"].as_str().unwrap();
    assert!(newer.starts_with(&format!("{base}/admin#setup=")), "{newer}");
    let (status, cookie) = open(&base, newer, &mut first);
    assert_eq!(status, 200);
    assert!(cookie.starts_with("patchproof-session="), "plain HTTP on loopback: {cookie}");
    assert_eq!(who(&base, &cookie), 200);
    let again = world.run(&["admin", "setup-link"]).expect(1);
    assert!(again.stderr.contains("accounts already"), "{}", again.stderr);

    let listed = world.run(&["admin", "accounts", "--json"]).expect(0).json();
    assert_eq!((&listed[0]["name"], &listed[0]["role"]), (&json!(NAME), &json!("admin")));
    let sessions = world.run(&["admin", "sessions", "--json"]).expect(0).json();
    let id = sessions[0]["id"].as_str().unwrap();
    world.run(&["admin", "end-session", id]).expect(0);
    assert_eq!(who(&base, &cookie), 401);
    world.run(&["admin", "end-session", id]).expect(1);

    assert_eq!(log_in(&base, PASSWORD), 200);
    world.run(&["admin", "reset", "Nobody"]).expect(1);
    let link = world.run(&["admin", "reset", "ADA"]).expect(0).stdout;
    assert_eq!(log_in(&base, PASSWORD), 401);
    assert_eq!(world.run(&["admin", "sessions", "--json"]).expect(0).json(), json!([]));
    let (status, cookie) = open(&base, &link, &mut json!({ "password": OTHER_PASSWORD }));
    assert_eq!((status, log_in(&base, OTHER_PASSWORD)), (200, 200));
    assert!(server.stop().success());

    // Without a server the same commands work on the store, and the sessions are still there.
    let sessions = world.run(&["admin", "sessions", "--json"]).expect(0).json();
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let server = world.serve();
    assert_eq!(who(&url(&server), &cookie), 200);
}

#[test]
fn wishes_that_make_no_sense_are_refused_before_anything_is_opened() {
    let world = World::start();
    for arguments in [&["admin"][..], &["admin", "reset"], &["admin", "end-session", "x"]] {
        world.run(arguments).expect(2);
    }
}
