//! Whole environments, good and faulty, and what is said about them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::table::{NOT_USED, variables};
use crate::config::{
    AllowedOrigins, AnchorPayload, Config, ConfigProblems, Environment, Mode, TokenConfig,
};
use crate::types::{ChainProfile, Network};

/// Stands in every secret of these tests; no output may hold it.
const CANARY: &str = "do-not-tell";

fn secret(name: &str) -> String {
    format!("{CANARY}-{name}-mV7v0oPq2L1sK9xQ3zRfT8uYhJ5g")
}

type Changes = &'static [(&'static str, &'static str)];
type Variables = BTreeMap<String, String>;

/// An environment that production accepts.
fn production() -> Variables {
    let pairs = [
        ("NODE_ENV", "production".to_owned()),
        ("API_KEY", secret("api")),
        ("JWT_SECRET", secret("jwt")),
        ("MASTER_SECRET", secret("master")),
        ("KMS_SIGN_URL", "https://kms.example/sign".to_owned()),
        ("ISSUER_KEY_IDENTIFIER", "issuer".to_owned()),
        ("UTXO_FUNDING_KEY_IDENTIFIER", "funding".to_owned()),
        ("SMTP_HOST", "mail.shop.example".to_owned()),
        ("SMTP_USER", "codes".to_owned()),
        ("SMTP_PASS", secret("smtp")),
        ("EMAIL_FROM", "codes@shop.example".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn with(mut variables: Variables, changes: &[(&str, &str)]) -> Variables {
    for (name, value) in changes {
        variables.insert((*name).to_owned(), (*value).to_owned());
    }
    variables
}

fn load(variables: &Variables) -> Result<Config, ConfigProblems> {
    let environment: Environment = variables.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    let loaded = Config::load(&environment, || [7; 32]);
    let said = match &loaded {
        Ok(config) => format!("{config:?} {}", serde_json::to_string(&config.effective).unwrap()),
        Err(problems) => {
            format!("{problems} {problems:?} {}", serde_json::to_string(&problems.0).unwrap())
        }
    };
    assert!(!said.contains(CANARY), "a secret is printed: {said}");
    loaded
}

#[track_caller]
fn faults(variables: &Variables) -> Vec<&'static str> {
    load(variables).expect_err("the environment is faulty").variables()
}

fn development(changes: &[(&str, &str)]) -> Config {
    let keys = [("ISSUER_KEY_IDENTIFIER", "issuer"), ("UTXO_FUNDING_KEY_IDENTIFIER", "funding")];
    load(&with(with(Variables::new(), &keys), changes)).unwrap()
}

/// What is changed in an environment that production accepts, and which variables are then named.
/// An empty value counts as not set.
const BOOT_MATRIX: &[(Changes, &[&str])] = &[
    (&[("NODE_ENV", "staging")], &["NODE_ENV"]),
    (&[("PATCHPROOF_ENV", "development")], &["NODE_ENV"]),
    (&[("API_KEY", "")], &["API_KEY"]),
    (&[("JWT_SECRET", "")], &["JWT_SECRET"]),
    (&[("MASTER_SECRET", "")], &["MASTER_SECRET"]),
    (&[("API_KEY", "canary-short-8cf21")], &["API_KEY"]),
    (&[("JWT_SECRET", "test_jwt_secret")], &["JWT_SECRET"]),
    (&[("JWT_SECRET", "test_jwt_secret_canary_which_is_much_longer")], &["JWT_SECRET"]),
    (&[("API_KEY", "your_api_key_canary_goes_here_0123456789")], &["API_KEY"]),
    (&[("MASTER_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")], &["MASTER_SECRET"]),
    (&[("MASTER_SECRET", "canarycanarycanarycanarycanarycanary")], &["MASTER_SECRET"]),
    (&[("JWT_SECRET_PREVIOUS", "canary-short")], &["JWT_SECRET_PREVIOUS"]),
    (&[("API_KEY_FILE", "/nonexistent/api_key")], &["API_KEY"]),
    (&[("API_KEY", ""), ("API_KEY_FILE", "/nonexistent/api_key")], &["API_KEY"]),
    (&[("API_KEY", ""), ("API_KEY_FILE", "/dev/null")], &["API_KEY"]),
    (&[("KMS_SIGN_URL", "")], &["KMS_SIGN_URL"]),
    (&[("KMS_SIGN_URL", "mock")], &["KMS_SIGN_URL"]),
    (&[("KMS_SIGN_URL", "http://kms.example/sign")], &["KMS_SIGN_URL"]),
    (&[("KMS_SIGN_URL", "http://127.0.0.1.example/sign")], &["KMS_SIGN_URL"]),
    (&[("KMS_SIGN_URL", "ftp://kms.example")], &["KMS_SIGN_URL"]),
    (&[("KMS_SIGN_URL", "not a URL:canary@kms")], &["KMS_SIGN_URL"]),
    (
        &[("KMS_SIGN_URL", "https://u:canary@kms.example"), ("KMS_API_KEY", "canary-5d1f0e")],
        &["KMS_SIGN_URL"],
    ),
    (&[("KMS_TX_SIGN_URL", "http://kms.example/sign")], &["KMS_TX_SIGN_URL"]),
    (&[("KMS_SVD_URL", "http://10.0.0.1/svd")], &["KMS_SVD_URL"]),
    (&[("KMS_API_KEY", "changeme-canary")], &["KMS_API_KEY"]),
    (&[("KMS_SIGN_TIMEOUT_MS", "0")], &["KMS_SIGN_TIMEOUT_MS"]),
    (&[("KMS_SIGN_RETRY_ATTEMPTS", "-1")], &["KMS_SIGN_RETRY_ATTEMPTS"]),
    (&[("ISSUER_KEY_IDENTIFIER", "")], &["ISSUER_KEY_IDENTIFIER"]),
    (&[("UTXO_FUNDING_KEY_IDENTIFIER", "  ")], &["UTXO_FUNDING_KEY_IDENTIFIER"]),
    (&[("UTXO_FUNDING_KEY_IDENTIFIER", "issuer")], &["UTXO_FUNDING_KEY_IDENTIFIER"]),
    (&[("CUSTODY_KEY_IDENTIFIER", "funding")], &["UTXO_FUNDING_KEY_IDENTIFIER"]),
    (&[("CUSTODY_KEY_IDENTIFIER", "issuer")], &["CUSTODY_KEY_IDENTIFIER"]),
    (&[("UTXO_CHANGE_KEY_IDENTIFIER", "issuer")], &["UTXO_CHANGE_KEY_IDENTIFIER"]),
    (&[("UTXO_FUNDING_ADDRESS", "1a"), ("FUNDING_ADDRESS", "1b")], &["UTXO_FUNDING_ADDRESS"]),
    (&[("WOC_NETWORK", "stn")], &["WOC_NETWORK"]),
    (&[("WOC_RETRIES", "two")], &["WOC_RETRIES"]),
    (&[("WOC_TIMEOUT_MS", "1e4")], &["WOC_TIMEOUT_MS"]),
    (&[("WOC_BASE_URL", "api.whatsonchain.com")], &["WOC_BASE_URL"]),
    (&[("WOC_REQUESTS_PER_SECOND", "many")], &["WOC_REQUESTS_PER_SECOND"]),
    (&[("CHAIN_PROFILE", "simulated")], &["CHAIN_PROFILE"]),
    (
        &[("CHAIN_PROFILE", "simulated"), ("WOC_BASE_URL", "http://10.0.0.1/v1/bsv/test")],
        &["CHAIN_PROFILE"],
    ),
    (&[("HEADER_CHECKPOINTS", "800000")], &["HEADER_CHECKPOINTS"]),
    (&[("FEE_PER_KB", "0")], &["FEE_PER_KB"]),
    (&[("FEE_PER_KB", "1000001")], &["FEE_PER_KB"]),
    (&[("FEE_PER_KB", "18446744073709551616")], &["FEE_PER_KB"]),
    (&[("ANCHOR_PAYLOAD", "everything")], &["ANCHOR_PAYLOAD"]),
    (&[("JOBS_ASYNC", "maybe")], &["JOBS_ASYNC"]),
    (&[("BIND", "localhost:3001")], &["BIND"]),
    (&[("PORT", "65536")], &["PORT"]),
    (&[("PORT", "+80")], &["PORT"]),
    (&[("CORS_ALLOWED_ORIGINS", "*")], &["CORS_ALLOWED_ORIGINS"]),
    (&[("CORS_ALLOWED_ORIGINS", "https://a.example, *")], &["CORS_ALLOWED_ORIGINS"]),
    (&[("CORS_ALLOWED_ORIGINS", "https://*.example")], &["CORS_ALLOWED_ORIGINS"]),
    (&[("TRUSTED_PROXIES", "10.0.0.0/33")], &["TRUSTED_PROXIES"]),
    (&[("PUBLIC_URL", "https://u:canary@patchproof.example")], &["PUBLIC_URL"]),
    (&[("SMTP_HOST", "")], &["SMTP_HOST"]),
    (&[("EMAIL_FROM", "")], &["EMAIL_FROM"]),
    (&[("EMAIL_FROM", "the shop")], &["EMAIL_FROM"]),
    (&[("SMTP_HOST", ""), ("EMAIL_FROM", "")], &["SMTP_HOST", "EMAIL_FROM"]),
    (&[("SMTP_PORT", "smtp")], &["SMTP_PORT"]),
    (&[("SMTP_PASS", "")], &["SMTP_PASS"]),
    (&[("SMTP_PASS", "changeme-canary")], &["SMTP_PASS"]),
    (&[("MAIL_MAX_PER_HOUR", "0")], &["MAIL_MAX_PER_HOUR"]),
    (&[("AUTH_REQUEST_MAX", "0")], &["AUTH_REQUEST_MAX"]),
    (&[("LOG_LEVEL", "loud")], &["LOG_LEVEL"]),
    (&[("MONGODB_URI", "mongodb://h:27017/canary?appName=x@y")], &["MONGODB_URI"]),
    (&[("REDIS_URL", "redis://127.0.0.1:6379/canary")], &["REDIS_URL"]),
    (&[("DEPLOY_SHA", "\u{fffd}\u{fffd}")], &["DEPLOY_SHA"]),
];

#[test]
fn each_fault_is_reported_under_the_variable_that_has_it() {
    assert!(load(&production()).is_ok());
    for (changes, named) in BOOT_MATRIX {
        assert_eq!(faults(&with(production(), changes)), *named, "{changes:?}");
    }
}

#[test]
fn twelve_faults_are_twelve_reports() {
    let twelve = [
        ("API_KEY", "changeme"),
        ("JWT_SECRET", ""),
        ("MASTER_SECRET", "canary-short"),
        ("KMS_SIGN_URL", "mock"),
        ("ISSUER_KEY_IDENTIFIER", ""),
        ("WOC_NETWORK", "regtest"),
        ("WOC_RETRIES", "x"),
        ("FEE_PER_KB", "0"),
        ("PORT", "http"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("MONGODB_URI", "mongodb://canary-host/db"),
        ("REDIS_URL", "redis://canary-host"),
    ];
    let problems = load(&with(production(), &twelve)).unwrap_err();
    let mut named = problems.variables();
    named.sort_unstable();
    let mut expected = twelve.map(|(name, _)| name);
    expected.sort_unstable();
    assert_eq!(named, expected);
    let text = problems.to_string();
    assert!(text.starts_with("the configuration has 12 problems:\n"), "{text}");
    let line = "\n  PORT (environment, PORT): expected a whole number from 0 to 65535, got \"http\"; \
                for example PORT=3001";
    assert!(text.contains(line), "{text}");
    let line = "\n  JWT_SECRET (not set): expected a secret; for example \
                JWT_SECRET_FILE=/etc/patchproof/jwt_secret";
    assert!(text.contains(line), "{text}");
}

#[test]
fn production_takes_a_signer_on_this_machine_without_encryption() {
    for url in ["http://127.0.0.1:8080", "http://[::1]/sign", "unix:///run/signer.sock"] {
        assert!(load(&with(production(), &[("KMS_SIGN_URL", url)])).is_ok(), "{url}");
    }
}

#[test]
fn development_needs_only_the_names_of_the_keys() {
    let config = development(&[]);
    assert_eq!(
        (config.mode, config.listen.to_string()),
        (Mode::Development, "127.0.0.1:3001".into())
    );
    assert_eq!(config.secrets.api_key.expose(), "07".repeat(32));
    assert!(config.kms.sign_url.is_none());
    for name in ["API_KEY", "JWT_SECRET", "MASTER_SECRET", "KMS_SIGN_URL"] {
        let count = config.warnings.iter().filter(|warning| warning.starts_with(name)).count();
        assert_eq!(count, 1, "{name}: {:?}", config.warnings);
    }
    assert_eq!(config.woc.base_url.url().as_str(), "https://api.whatsonchain.com/v1/bsv/main");
    assert_eq!(config.woc.requests_per_second, Some(3));
    assert_eq!(config.kms.retry_delay, Duration::from_millis(300));
    assert!(!config.relaxes_auth());
    assert!(development(&[("KMS_SIGN_URL", "mock")]).kms.sign_url.is_none());
}

#[test]
fn weak_secrets_are_warned_about_outside_production() {
    let config = development(&[("JWT_SECRET", "test_jwt_secret")]);
    assert_eq!(config.secrets.jwt.current.expose(), "test_jwt_secret");
    let warnings = config.warnings.join("\n");
    assert!(warnings.contains("JWT_SECRET should be a secret of its own"), "{warnings}");
}

#[test]
fn b14_production_does_not_start_with_a_secret_that_is_known_weak_or_missing() {
    for name in ["API_KEY", "JWT_SECRET", "MASTER_SECRET"] {
        for value in ["", "test_jwt_secret", "changeme", "a-secret-of-thirty-one-bytes-xx"] {
            assert_eq!(faults(&with(production(), &[(name, value)])), [name], "{name}={value}");
        }
    }
    // What stands in for a missing one elsewhere is made anew for every process.
    let names = [("ISSUER_KEY_IDENTIFIER", "issuer"), ("UTXO_FUNDING_KEY_IDENTIFIER", "funding")];
    let made = |byte| {
        let environment: Environment = names.into_iter().collect();
        Config::load(&environment, || [byte; 32]).unwrap().secrets.jwt.current
    };
    assert_ne!(made(1).expose(), made(2).expose());
}

#[test]
fn g6_production_takes_a_redis_with_a_password_only() {
    let with_redis = |changes: &[(&str, &str)]| load(&with(production(), changes));
    for url in ["redis://redis.example:6379", "redis://:@redis.example", "redis://u@redis.example"]
    {
        let refused = with_redis(&[("REDIS_URL", url)]).unwrap_err();
        assert_eq!(refused.variables(), ["REDIS_URL"], "{url}");
        let password = [("REDIS_URL", url), ("REDIS_PASSWORD", &secret("redis"))];
        assert!(with_redis(&password).is_ok(), "{url}");
    }
    let inside = format!("rediss://default:{}@redis.example:6380", secret("redis"));
    assert!(with_redis(&[("REDIS_URL", &inside)]).is_ok());
}

#[test]
fn h2_h3_addresses_with_and_without_credentials_are_told_apart_as_urls_are() {
    for (name, value, is_good) in [
        ("REDIS_URL", "redis://default:do-not-tell@redis-host:6379", true),
        ("MONGODB_URI", "mongodb://user:do-not-tell@host:27017/db?authSource=admin", true),
        ("MONGODB_URI", "mongodb://h:27017/d?appName=x:y@z", false),
        ("REDIS_URL", "redis://host:6379/0?name=x:y@z", false),
    ] {
        let loaded = load(&with(production(), &[(name, value)]));
        assert_eq!(loaded.is_ok(), is_good, "{name}: {loaded:?}");
    }
}

#[test]
fn b17_checks_are_relaxed_in_test_mode_on_loopback_only() {
    let relaxes = |changes: &[(&str, &str)]| {
        let config = development(changes);
        let says_test = config.warnings.iter().any(|warning| warning.starts_with("test mode"));
        assert_eq!(says_test, config.mode == Mode::Test);
        config.relaxes_auth()
    };
    assert!(relaxes(&[("NODE_ENV", "test")]));
    assert!(relaxes(&[("PATCHPROOF_ENV", "test"), ("BIND", "::ffff:127.0.0.1")]));
    assert!(!relaxes(&[("NODE_ENV", "test"), ("BIND", "0.0.0.0")]));
    assert!(!relaxes(&[("NODE_ENV", "test"), ("BIND", "10.0.0.1")]));
    assert!(!relaxes(&[("NODE_ENV", "development")]));
    assert!(!load(&production()).unwrap().relaxes_auth());
}

#[test]
fn an_endpoint_of_our_own_is_asked_without_limit_and_may_be_simulated() {
    let config = development(&[
        ("WOC_NETWORK", "test"),
        ("WOC_BASE_URL", "http://127.0.0.1:9000/v1/bsv/{network}"),
        ("CHAIN_PROFILE", "simulated"),
    ]);
    assert_eq!(config.woc.network, Network::Test);
    assert_eq!(config.woc.base_url.url().as_str(), "http://127.0.0.1:9000/v1/bsv/test");
    assert_eq!(config.woc.requests_per_second, None);
    assert_eq!(config.chain_profile, ChainProfile::Simulated);
    let paced = development(&[("WOC_REQUESTS_PER_SECOND", "10")]);
    assert_eq!(paced.woc.requests_per_second, Some(10));
    assert_eq!(development(&[("WOC_REQUESTS_PER_SECOND", "0")]).woc.requests_per_second, None);
}

#[test]
fn lists_choices_and_switches_are_read() {
    let checkpoints = [7, 800_000].map(|height| format!("{height}:{}", "5a".repeat(32)));
    let config = development(&[
        ("HEADER_CHECKPOINTS", &checkpoints.join(", ")),
        ("CORS_ALLOWED_ORIGINS", "https://A.example, http://b.example:8080/"),
        ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,"),
        ("JOBS_ASYNC", "TRUE"),
        ("METRICS_ENABLED", "off"),
        ("ANCHOR_PAYLOAD", "record"),
        ("FUNDING_ADDRESS", "mAddress"),
    ]);
    let origins = ["https://a.example", "http://b.example:8080"].map(str::to_owned);
    assert_eq!(config.http.allowed_origins, AllowedOrigins::Listed(origins.into()));
    assert_eq!(config.checkpoints, checkpoints.map(|text| text.parse().unwrap()));
    assert_eq!(config.http.trusted_proxies.len(), 2);
    assert!(config.anchoring.is_async && !config.http.metrics_enabled);
    assert_eq!(config.anchoring.payload, AnchorPayload::Record);
    assert_eq!(config.keys.funding_address.as_deref(), Some("mAddress"));
    assert_eq!(
        development(&[("CORS_ALLOWED_ORIGINS", "*")]).http.allowed_origins,
        AllowedOrigins::Any
    );
}

fn write_secret(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

#[test]
fn secrets_come_from_private_files_with_one_line_break_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let from = |text: &str, mode: u32| {
        let path = write_secret(folder.path(), "api_key", text, mode);
        let path = path.to_str().unwrap().to_owned();
        load(&with(production(), &[("API_KEY", ""), ("API_KEY_FILE", &path)]))
    };
    let value = secret("from-file");
    for (text, read) in [
        (value.clone(), value.clone()),
        (format!("{value}\n"), value.clone()),
        (format!("{value}\r\n"), value.clone()),
        (format!("{value}\n\n"), format!("{value}\n")),
        (format!(" {value}\n"), format!(" {value}")),
    ] {
        assert_eq!(from(&text, 0o600).unwrap().secrets.api_key.expose(), read);
    }
    for mode in [0o640, 0o604, 0o660] {
        let problems = from(&value, mode).unwrap_err();
        assert_eq!(problems.variables(), ["API_KEY"]);
        assert!(problems.to_string().contains("chmod 600"), "{problems}");
    }
    assert_eq!(from("", 0o600).unwrap_err().variables(), ["API_KEY"]);
    assert_eq!(from(&"x".repeat(70_000), 0o600).unwrap_err().variables(), ["API_KEY"]);
}

#[test]
fn credentials_of_the_service_manager_are_found_by_name_whatever_their_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_secret(folder.path(), "api_key", &secret("credential"), 0o440);
    let (folder, path) = (folder.path().to_str().unwrap(), path.to_str().unwrap());
    let base = with(production(), &[("API_KEY", ""), ("CREDENTIALS_DIRECTORY", folder)]);
    assert_eq!(load(&base).unwrap().secrets.api_key.expose(), secret("credential"));
    let named = with(base.clone(), &[("API_KEY_FILE", path)]);
    assert_eq!(load(&named).unwrap().secrets.api_key.expose(), secret("credential"));
    let twice = with(base, &[("API_KEY", &secret("other"))]);
    assert_eq!(faults(&twice), ["API_KEY"]);
}

#[test]
fn commands_ask_for_no_more_than_they_use() {
    let environment: Environment = [("JWT_SECRET", secret("jwt"))].into_iter().collect();
    assert_eq!(TokenConfig::load(&environment).unwrap().jwt.current.expose(), secret("jwt"));
    let problems = TokenConfig::load(&Environment::default()).unwrap_err();
    assert_eq!(problems.variables(), ["JWT_SECRET"]);
}

#[test]
fn the_table_is_sound() {
    let config = development(&[]);
    let read: Vec<&str> = config.effective.iter().map(|variable| variable.variable).collect();
    for variable in variables() {
        let count = read.iter().filter(|name| **name == variable.name).count();
        assert_eq!(count, 1, "{} is read once", variable.name);
        assert!(!NOT_USED.contains(&variable.name), "{}", variable.name);
        assert!(variable.documentation.ends_with('.'), "{}", variable.name);
        // The example of these is a file that is not here, or needs another variable beside it.
        let paired = ["TLS_CERT", "TLS_KEY", "TLS_REDIRECT_PORT", "ACME_CA_FILE"];
        if !variable.is_secret() && !paired.contains(&variable.name) {
            // Only a network of one's own may be simulated; the example of that is public.
            let config = load(&with(production(), &[(variable.name, variable.example)]));
            assert!(config.is_ok(), "{}: {config:?}", variable.name);
        }
    }
    assert_eq!(read.len(), variables().count());
    assert!(NOT_USED.is_sorted());
}
