//! `config check` and `token issue`: what they take from the environment and how they refuse.

use patchproof::auth::Tokens;
use patchproof::auth::token::TokenKeys;
use patchproof::types::{Clock, SystemClock};

use crate::program::run;

const SECRET: &str = "canary-mV7v0oPq2L1sK9xQ3zRfT8uYhJ5gDcBa";
const FAULTS: &[(&str, &str)] = &[
    ("NODE_ENV", "production"),
    ("API_KEY", "changeme"),
    ("MASTER_SECRET", "canary-short"),
    ("KMS_SIGN_URL", "http://user:canary@kms.example/sign"),
    ("ISSUER_KEY_IDENTIFIER", "issuer"),
    ("WOC_NETWORK", "regtest"),
    ("WOC_RETRIES", "x"),
    ("FEE_PER_KB", "0"),
    ("PORT", "http"),
    ("BIND", "everywhere"),
    ("CORS_ALLOWED_ORIGINS", "*"),
    ("MONGODB_URI", "mongodb://canary-host/db?appName=x@y"),
    ("REDIS_URL", "redis://canary-host"),
];
/// Those of the faults, and what is missing.
const NAMED: &[&str] = &[
    "API_KEY",
    "BIND",
    "CORS_ALLOWED_ORIGINS",
    "EMAIL_FROM",
    "FEE_PER_KB",
    "JWT_SECRET",
    "KMS_SIGN_URL",
    "MASTER_SECRET",
    "MONGODB_URI",
    "PORT",
    "REDIS_URL",
    "SMTP_HOST",
    "UTXO_FUNDING_KEY_IDENTIFIER",
    "WOC_NETWORK",
    "WOC_RETRIES",
];

#[test]
fn all_faults_are_listed_at_once_with_status_78() {
    let refused = run(&["config", "check"], FAULTS).expect(78);
    assert_eq!(refused.stdout, "");
    let expected = format!("error: the configuration has {} problems:\n", NAMED.len());
    assert!(refused.stderr.starts_with(&expected), "{}", refused.stderr);
    for name in NAMED {
        assert!(refused.stderr.contains(&format!("\n  {name} (")), "{name}: {}", refused.stderr);
    }
    assert!(!refused.stderr.contains("canary"), "{}", refused.stderr);
    let not_served = run(&["serve"], FAULTS).expect(78);
    assert_eq!((not_served.stdout, not_served.stderr), (String::new(), refused.stderr));

    let refused = run(&["config", "check", "--json"], FAULTS).expect(78);
    let report = refused.json();
    assert_eq!(report["valid"], false);
    let mut named: Vec<&str> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["variable"].as_str().unwrap())
        .collect();
    named.sort_unstable();
    assert_eq!(named, NAMED);
    assert!(!refused.stdout.contains("canary"), "{}", refused.stdout);
}

#[test]
fn what_is_in_force_is_shown_with_its_origin_and_without_secrets() {
    let variables = [
        ("API_KEY", SECRET),
        ("ISSUER_KEY_IDENTIFIER", "issuer"),
        ("UTXO_FUNDING_KEY_IDENTIFIER", "funding"),
        ("PORT", "8080"),
        ("KMS_SING_URL", "http://127.0.0.1"),
    ];
    let shown = run(&["config", "check"], &variables).expect(0);
    let line = |name: &str| {
        let lines = shown.stdout.lines();
        let found = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        found.filter(|line| line.starts_with(&format!("{name} "))).collect::<Vec<_>>()
    };
    assert_eq!(line("API_KEY"), ["API_KEY *** environment, API_KEY"]);
    assert_eq!(line("PORT"), ["PORT 8080 environment, PORT"]);
    assert_eq!(line("BIND"), ["BIND 127.0.0.1 default"]);
    assert_eq!(line("JWT_SECRET"), ["JWT_SECRET *** generated"]);
    assert_eq!(line("WOC_API_KEY"), ["WOC_API_KEY not set"]);
    let hint = "warning: KMS_SING_URL is not a variable of PatchProof; did you mean KMS_SIGN_URL?";
    assert!(shown.stderr.contains(hint), "{}", shown.stderr);
    assert!(!format!("{shown:?}").contains("canary"));

    let report = run(&["--json", "config", "check"], &variables).expect(0).json();
    assert_eq!((&report["valid"], &report["mode"]), (&true.into(), &"development".into()));
}

#[test]
fn what_is_in_force_is_shown_alone_or_with_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("jwt_secret"), format!("{SECRET}-jwt\n")).unwrap();
    let variables = [
        ("API_KEY", SECRET),
        ("ISSUER_KEY_IDENTIFIER", "issuer"),
        ("UTXO_FUNDING_KEY_IDENTIFIER", "funding"),
        ("REDIS_URL", "redis://default:canary@redis.example:6379"),
        ("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap()),
    ];
    let rows = |arguments: &[&str]| -> Vec<String> {
        let shown = run(&[&["config", "show"][..], arguments].concat(), &variables).expect(0);
        assert!(!format!("{shown:?}").contains("canary"), "{shown:?}");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        shown.stdout.lines().map(words).collect()
    };
    assert!(rows(&[]).contains(&"PORT 3001".to_owned()));
    let credential = format!("credential {}", folder.path().join("jwt_secret").display());
    let whole = rows(&["--origin"]);
    for line in [
        "PORT 3001 default restart".to_owned(),
        "API_KEY *** environment, API_KEY restart".to_owned(),
        format!("JWT_SECRET *** {credential} restart"),
        "MASTER_SECRET *** generated restart".to_owned(),
        "WOC_API_KEY not set restart".to_owned(),
    ] {
        assert!(whole.contains(&line), "{line}: {whole:#?}");
    }
    let names: Vec<String> =
        rows(&["--set"]).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let set = ["API_KEY", "JWT_SECRET", "ISSUER_KEY_IDENTIFIER", "UTXO_FUNDING_KEY_IDENTIFIER"];
    assert_eq!(names, [&["PATCHPROOF_CONFIG"], &set[..], &["REDIS_URL"]].concat());

    let entries = run(&["config", "show", "--origin", "--set", "--json"], &variables).expect(0);
    let expected = serde_json::json!({
        "variable": "JWT_SECRET", "value": "***", "origin": credential, "takesEffect": "restart",
    });
    assert_eq!(entries.json()[2], expected);
    assert!(run(&["config", "show", "--origin"], FAULTS).expect(78).stdout.is_empty());
}

#[test]
fn an_issued_token_verifies_under_the_secret_and_under_no_other() {
    let arguments = ["token", "issue", "--subject", "alice"];
    let issued = run(&arguments, &[("JWT_SECRET", SECRET)]).expect(0);
    let token = issued.stdout.strip_suffix('\n').unwrap();
    let now = SystemClock.now();
    let subject = TokenKeys::new(SECRET.as_bytes(), None).unwrap().verify(token, now).unwrap();
    assert_eq!(subject.id, "alice");
    let other = TokenKeys::new(&[7; 32], None).unwrap();
    assert!(other.verify(token, now).is_err());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let variables = [("JWT_SECRET_FILE", file.to_str().unwrap())];
    let issued = run(&[&arguments[..], &["--json"]].concat(), &variables).expect(0).json();
    let token = issued["token"].as_str().unwrap();
    assert!(TokenKeys::new(SECRET.as_bytes(), None).unwrap().verify(token, now).is_ok());
}

#[test]
fn a_token_needs_a_secret_and_in_production_a_good_one() {
    let arguments = ["token", "issue", "--subject", "alice"];
    assert!(run(&arguments, &[]).expect(78).stderr.contains("JWT_SECRET"));
    let weak = [("JWT_SECRET", "test_jwt_secret"), ("NODE_ENV", "production")];
    assert!(!run(&arguments, &weak).expect(78).stderr.contains("test_jwt_secret"));
    run(&arguments, &weak[..1]).expect(0);
}
