//! `signer` and `simnet`: started, asked, stopped.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::program::{Running, ask, get, run};

const API_KEY: &str = "canary-0f8a6d2b94c7e1f3a5";

/// Arguments of a signer whose files are in `folder`.
fn signer(folder: &Path, listen: &str, more: &[&str]) -> Vec<String> {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut arguments = vec!["signer".to_owned()];
    for (option, value) in [
        ("--keystore", file("keystore.json")),
        ("--passphrase-file", file("passphrase")),
        ("--log", file("signed.log")),
        ("--listen", listen.to_owned()),
    ] {
        arguments.extend([option.to_owned(), value]);
    }
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    arguments
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn a_signer_makes_its_keys_once_and_serves_them_over_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("signer.sock");
    let listen = format!("unix:{}", socket.display());
    let first = signer(folder.path(), &listen, &["--init", "--init-passphrase"]);
    let running = Running::start(&borrowed(&first), &[]);
    assert_eq!(running.url, format!("unix://{}", socket.display()));
    let keys = get(&running.url, "/keys");
    assert_eq!(keys.as_array().unwrap().len(), 5, "{keys}");
    for name in ["keystore.json", "passphrase", "signed.log"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(running.stop().success());
    assert!(!socket.exists());

    for more in [&[][..], &["--init"], &["--init", "--init-passphrase"]] {
        let again = Running::start(&borrowed(&signer(folder.path(), &listen, more)), &[]);
        assert_eq!(get(&again.url, "/keys"), keys, "{more:?}");
    }
}

#[test]
fn a_signer_on_a_port_demands_its_api_key() {
    let folder = tempfile::tempdir().unwrap();
    let init = ["--init", "--init-passphrase"];
    let arguments = signer(folder.path(), "127.0.0.1:0", &init);
    let running = Running::start(&borrowed(&arguments), &[("KMS_API_KEY", API_KEY)]);
    let keys = |headers: &str| ask(&running.url, "GET", "/keys", headers, "").0;
    assert_eq!(keys(""), 401);
    assert_eq!(keys("Authorization: Bearer wrong\r\n"), 401);
    let authorized = format!("Authorization: Bearer {API_KEY}\r\n");
    assert_eq!(keys(&authorized), 200);
    let (status, problem) = ask(&running.url, "POST", "/sign", &authorized, "{}");
    assert_eq!((status, &problem["code"]), (400, &"MALFORMED_REQUEST".into()), "{problem}");
}

#[test]
fn a_signer_refuses_what_would_give_its_keys_away_or_lose_them() {
    let folder = tempfile::tempdir().unwrap();
    let start = |listen: &str, more: &[&str]| {
        run(&borrowed(&signer(folder.path(), listen, more)), &[]).expect(1).stderr
    };
    let init = ["--init", "--init-passphrase"];
    assert!(start("0.0.0.0:0", &init).contains("loopback"));
    assert!(start("127.0.0.1:0", &[]).contains("passphrase cannot be read"));
    assert!(!folder.path().join("keystore.json").exists());

    let passphrase = folder.path().join("passphrase");
    std::fs::write(&passphrase, "a passphrase that was written by hand\n").unwrap();
    std::fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(start("127.0.0.1:0", &init).contains("chmod 600"));
    std::fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(start("127.0.0.1:0", &[]).contains("--init creates it"));

    drop(Running::start(&borrowed(&signer(folder.path(), "127.0.0.1:0", &["--init"])), &[]));
    std::fs::write(&passphrase, "another passphrase\n").unwrap();
    let refused = start("127.0.0.1:0", &init);
    assert!(refused.contains("the passphrase is wrong"), "{refused}");
}

#[test]
fn a_simulated_network_answers_mines_and_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("chain.journal");
    let data = ["--data", journal.to_str().unwrap(), "--min-fee", "7"];
    let arguments = [&["simnet", "--listen", "127.0.0.1:0"][..], &data].concat();
    let running = Running::start(&arguments, &[]);
    let info = get(&running.url, "/sim/info");
    assert_eq!((&info["height"], &info["minFeeSatPerKb"]), (&0.into(), &7.into()), "{info}");
    assert_eq!(ask(&running.url, "POST", "/sim/mine", "", r#"{"blocks":3}"#).0, 200);
    // What a node says of a transaction decides what becomes of it: not a word may be changed.
    let path = "/v1/bsv/test/tx/raw";
    let (status, refusal) = ask(&running.url, "POST", path, "", r#"{"txhex":"00"}"#);
    assert_eq!(status, 400);
    assert!(refusal.as_str().is_some_and(|text| text.contains("decode")), "{refusal}");
    let tip = get(&running.url, "/v1/bsv/test/chain/info")["bestblockhash"].clone();
    assert!(running.stop().success());

    let again = Running::start(&arguments, &[]);
    assert_eq!(get(&again.url, "/v1/bsv/main/chain/info")["bestblockhash"], tip);
}
