//! `serve` with a certificate in files: what it refuses to start with, and that it takes up a new one.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use patchproof::config::TlsFiles;
use rustls::version::TLS13;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::authority::{Authority, NAME, secured};
use crate::program::{Running, ask_raw};
use crate::world::World;

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

fn variables(files: &TlsFiles) -> [(&str, &str); 2] {
    [("TLS_CERT", text(&files.certificate)), ("TLS_KEY", text(&files.key))]
}

/// Sends a request over TLS and returns the certificate that was shown, and the answer.
fn ask(authority: &Authority, address: SocketAddr, request: &str) -> (Vec<u8>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut stream = secured(address, authority.client(&[&TLS13])).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (shown, answer)
    })
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n")
}

fn address(server: &Running) -> SocketAddr {
    let url = server.url.strip_prefix("listening on https://");
    url.unwrap_or_else(|| unreachable!("{}", server.url)).trim_end_matches('/').parse().unwrap()
}

#[test]
fn a_certificate_that_cannot_be_used_is_a_faulty_configuration() {
    let (world, authority) = (World::start(), Authority::new());
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (files, _) = authority.issue(folder.path());
    let (other, _) = authority.issue(elsewhere.path());
    let mixed = TlsFiles { key: other.key, ..files.clone() };
    let missing = TlsFiles { certificate: folder.path().join("none.pem"), ..files.clone() };
    let start = |more: &[(&str, &str)]| {
        world.with_environment(|variables| {
            crate::program::run(&["serve"], &[variables, more].concat()).expect(78).stderr
        })
    };
    let said = start(&variables(&mixed));
    assert!(said.contains("TLS_KEY") && said.contains("is not that of the certificate"), "{said}");
    let said = start(&variables(&missing));
    assert!(said.contains("TLS_CERT") && said.contains("none.pem cannot be read"), "{said}");
    assert!(start(&variables(&files)[..1]).contains("TLS_KEY"));
    assert!(start(&variables(&files)[1..]).contains("TLS_CERT"));
    let both = [&variables(&files)[..], &[("ACME_DOMAINS", "shop.example")]].concat();
    assert!(start(&both).contains("one or the other"));
    assert!(start(&[("TLS_REDIRECT_PORT", "0")]).contains("TLS_REDIRECT_PORT"));
    let aimless = [&variables(&files)[..], &[("TLS_REDIRECT_PORT", "0")]].concat();
    assert!(start(&aimless).contains("PUBLIC_URL"));
    assert!(start(&[("ACME_DOMAINS", "*.shop.example")]).contains("ACME_DOMAINS"));
}

#[test]
fn a_server_speaks_https_takes_up_a_new_certificate_and_hands_out_cookies_for_https_only() {
    let (world, authority) = (World::start(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let (files, first) = authority.issue(folder.path());
    let link = world.run(&["admin", "setup-link"]).expect(0).stdout;
    let server = world.with_environment(|given| {
        Running::start(&["serve"], &[given, &variables(&files)].concat())
    });
    let (shown, answer) = ask(&authority, address(&server), &get("/health"));
    assert_eq!(shown, first.as_ref());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    let plain = format!("http://{}", address(&server));
    assert_eq!(ask_raw(&plain, "GET", "/health", "", "").status, 400);

    // The first admin, from a page at https://127.0.0.1 although nobody said PUBLIC_URL.
    let token = link.trim().rsplit(['/', '#', '=']).next().unwrap().to_owned();
    let body = format!(
        r#"{{"token":"{token}","name":"ada","password":"correct horse battery staple 7"}}"#
    );
    let host = address(&server);
    let request = format!(
        "POST /v1/admin/setup HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\n\
         Connection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (_, answer) = ask(&authority, host, &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let cookie = answer.lines().find(|line| line.starts_with("set-cookie: ")).unwrap();
    assert!(cookie.contains("__Host-patchproof=") && cookie.ends_with("; Secure"), "{cookie}");

    let (_, second) = authority.issue(folder.path());
    let id = server.id();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while ask(&authority, host, &get("/health")).0 != second.as_ref() {
        assert!(std::time::Instant::now() < deadline);
    }
    let (_, ready) = ask(&authority, host, &get("/ready"));
    let ready: Value = serde_json::from_str(ready.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert!(!ready["warnings"].to_string().contains("certificate"), "{ready}");
    assert!(server.stop().success());
}

#[test]
fn the_doctor_looks_at_the_certificate() {
    let (world, authority) = (World::start(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = authority.issue(folder.path());
    let looked = |files: &TlsFiles| {
        let ended = world.with_environment(|given| {
            let arguments = ["doctor", "--json"];
            crate::program::run(&arguments, &[given, &variables(files)].concat())
        });
        let findings = ended.json()["findings"].clone();
        let findings = findings.as_array().unwrap().clone();
        findings.into_iter().find(|it| it["check"] == "certificate").unwrap_or_default()
    };
    fs::set_permissions(&files.key, PermissionsExt::from_mode(0o640)).unwrap();
    let found = looked(&files);
    assert_eq!(found["level"], "ok", "{found}");
    assert!(found["finding"].as_str().unwrap().contains(NAME), "{found}");
    fs::set_permissions(&files.key, PermissionsExt::from_mode(0o644)).unwrap();
    let found = looked(&files);
    assert_eq!(found["level"], "fail", "{found}");
    assert!(found["finding"].as_str().unwrap().contains("everybody can reach it"), "{found}");
    authority.issue_until(folder.path(), 3);
    fs::set_permissions(&files.key, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(looked(&files)["level"], "warn");
    authority.issue_until(folder.path(), -1);
    assert_eq!(looked(&files)["level"], "fail");
}
