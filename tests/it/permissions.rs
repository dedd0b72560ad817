//! Who may call what: every route against every scope, compared with one table. A route that is not
//! in the table fails, so that nobody adds one without saying who it is for.

use patchproof::auth::Scope;
use patchproof::auth::account::Role;
use patchproof::config::GROUPS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{FULL_KEY, TestApp};
use crate::support::outside::SIGNER_KEY;
use crate::support::staff::{Browser, PASSWORD, log_in};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anybody.
    Anybody,
    /// The holder of a key with the scope.
    Key(Scope),
    /// The holder of a key with one scope or the other.
    EitherKey(Scope, Scope),
    /// The same, and accounts that read everything.
    Read(Scope),
    /// A session, whatever its role.
    Session,
    /// The same, or the holder of a key with the scope.
    SessionOrKey(Scope),
    /// A session of whoever also bears a token.
    SessionAndToken,
    /// Anybody, but whoever presents a key presents one with the scope.
    AnybodyOrKey(Scope),
    /// The bearer of a token.
    Token,
    /// The bearer of a token who also holds a key with the scope.
    KeyAndToken(Scope),
}

use Who::{
    Anybody, AnybodyOrKey, EitherKey, Key, KeyAndToken, Read, Session, SessionAndToken,
    SessionOrKey, Token,
};

/// The table.
pub(crate) const TABLE: &[(&str, &str, Who)] = &[
    ("GET", "/health", Anybody),
    ("GET", "/livez", Anybody),
    ("GET", "/ready", Anybody),
    ("GET", "/readyz", Anybody),
    ("GET", "/__ping", Anybody),
    ("GET", "/version", Anybody),
    ("GET", "/metrics", Anybody),
    ("GET", "/internal/metrics", Key(Scope::MetricsRead)),
    ("POST", "/v1/arc/callback", Anybody),
    ("POST", "/v1/patches", Key(Scope::PatchesWrite)),
    ("POST", "/v1/patches/{txid}/transfer-ownership", KeyAndToken(Scope::PatchesWrite)),
    ("GET", "/v1/patches/verify/{uid_tag_id}", Anybody),
    ("GET", "/v1/patches/{uid_tag_id}/history", Anybody),
    ("GET", "/v1/patches/{uid_tag_id}/proof", Anybody),
    ("GET", "/v1/anchors", Anybody),
    ("GET", "/v1/log/checkpoint", Anybody),
    ("GET", "/v1/log/key", Anybody),
    ("GET", "/v1/log/inclusion", Anybody),
    ("GET", "/v1/log/consistency", Anybody),
    ("GET", "/log/checkpoint", Anybody),
    ("GET", "/log/tile/{*tile}", Anybody),
    ("GET", "/v1/patches/{uid_tag_id}/unlock-challenge", Anybody),
    ("POST", "/v1/patches/{uid_tag_id}/unlock-content", Key(Scope::Unlock)),
    ("PUT", "/v1/patches/{uid_tag_id}/content", Key(Scope::Unlock)),
    ("GET", "/v1/pos/claim-challenge/{uid_tag_id}", Anybody),
    ("POST", "/v1/pos/claim-intent", Anybody),
    ("GET", "/v1/pos/claim-status/{id}", AnybodyOrKey(Scope::Pos)),
    ("POST", "/v1/pos/claim-approve", Key(Scope::Pos)),
    ("GET", "/v1/patches/pending/registration/{id}", Anybody),
    ("GET", "/v1/patches/pending/transfer/{id}", Anybody),
    ("POST", "/v1/auth/request-verification", Anybody),
    ("POST", "/v1/auth/submit-verification", Anybody),
    ("POST", "/v1/auth/logout", Token),
    ("GET", "/v1/privacy/export", Token),
    ("DELETE", "/v1/privacy/delete", Token),
    ("POST", "/api/svd/register", AnybodyOrKey(Scope::KeysWrite)),
    ("POST", "/api/svd/begin", Anybody),
    ("POST", "/api/svd/complete", Anybody),
    ("POST", "/api/svd/change-key", Anybody),
    ("POST", "/api/svd/revoke", Anybody),
    ("GET", "/api/svd/kid", Anybody),
    ("GET", "/api/svd/canary", Key(Scope::MetricsRead)),
    ("DELETE", "/v1/admin/svd/{userId}", Key(Scope::KeysWrite)),
    ("GET", "/v1/admin/audit", Read(Scope::Admin)),
    ("GET", "/v1/admin/audit/verify", Read(Scope::Admin)),
    ("POST", "/v1/admin/token-issues", Key(Scope::Admin)),
    ("GET", "/v1/admin/keys", Read(Scope::KeysWrite)),
    ("POST", "/v1/admin/keys", Key(Scope::KeysWrite)),
    ("GET", "/v1/admin/keys/{id}", Read(Scope::KeysWrite)),
    ("DELETE", "/v1/admin/keys/{id}", Key(Scope::KeysWrite)),
    ("POST", "/v1/admin/keys/{id}/rotate", Key(Scope::KeysWrite)),
    ("POST", "/v1/admin/setup", Anybody),
    ("POST", "/v1/admin/setup/check", Anybody),
    ("POST", "/v1/admin/setup-links", Key(Scope::Admin)),
    ("GET", "/v1/admin/accounts", Key(Scope::Admin)),
    ("POST", "/v1/admin/accounts", Key(Scope::Admin)),
    ("PATCH", "/v1/admin/accounts/{id}", Key(Scope::Admin)),
    ("DELETE", "/v1/admin/accounts/{id}", Key(Scope::Admin)),
    ("POST", "/v1/admin/accounts/{id}/reset", Key(Scope::Admin)),
    ("POST", "/v1/admin/session", Anybody),
    ("GET", "/v1/admin/session", Session),
    ("DELETE", "/v1/admin/session", Session),
    ("POST", "/v1/admin/session/svd", Token),
    ("PUT", "/v1/admin/session/svd", SessionAndToken),
    ("DELETE", "/v1/admin/session/svd", Session),
    ("GET", "/v1/admin/session/keys", Session),
    ("POST", "/v1/admin/session/keys", Session),
    ("DELETE", "/v1/admin/session/keys/{id}", Session),
    ("PUT", "/v1/admin/session/password", Session),
    ("GET", "/v1/admin/sessions", SessionOrKey(Scope::Admin)),
    ("DELETE", "/v1/admin/sessions/{id}", SessionOrKey(Scope::Admin)),
    ("GET", "/v1/admin/patches", Read(Scope::PatchesWrite)),
    ("GET", "/v1/admin/patches/export", Read(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports", Read(Scope::PatchesWrite)),
    ("POST", "/v1/admin/imports", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports/{id}", Read(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports/{id}/rows", Read(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports/{id}/report", Read(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports/{id}/leftovers", Read(Scope::PatchesWrite)),
    ("DELETE", "/v1/admin/imports/{id}", Key(Scope::PatchesWrite)),
    ("POST", "/v1/admin/imports/{id}/start", Key(Scope::PatchesWrite)),
    ("POST", "/v1/admin/imports/{id}/cancel", Key(Scope::PatchesWrite)),
    // It only hastens what was accepted under the same scope.
    ("POST", "/v1/admin/batch-anchor", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/records", Read(Scope::PatchesWrite)),
    ("POST", "/v1/admin/records/recover", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/backups", Read(Scope::Admin)),
    ("POST", "/v1/admin/backups", Key(Scope::Admin)),
    ("GET", "/v1/admin/backups/{name}", Key(Scope::Admin)),
    ("DELETE", "/v1/admin/backups/{name}", Key(Scope::Admin)),
    ("GET", "/v1/admin/restore", Read(Scope::Admin)),
    ("POST", "/v1/admin/restore", Key(Scope::Admin)),
    ("DELETE", "/v1/admin/restore", Key(Scope::Admin)),
    ("POST", "/v1/admin/restore/apply", Key(Scope::Admin)),
    ("POST", "/v1/admin/restore/release", Key(Scope::Admin)),
    ("GET", "/v1/admin/overview", Read(Scope::MetricsRead)),
    ("GET", "/v1/admin/overview/history", Read(Scope::MetricsRead)),
    ("GET", "/v1/admin/logs", Read(Scope::Admin)),
    ("GET", "/v1/admin/system", Read(Scope::MetricsRead)),
    ("GET", "/v1/admin/networks", Read(Scope::MetricsRead)),
    ("GET", "/v1/admin/claims", Read(Scope::Pos)),
    // Each hears what he could read by a route.
    ("GET", "/v1/admin/events", EitherKey(Scope::MetricsRead, Scope::Pos)),
    ("GET", "/v1/admin/utxo-health", Read(Scope::UtxoWrite)),
    ("GET", "/v1/admin/utxo-maintain", Read(Scope::UtxoWrite)),
    ("POST", "/v1/admin/utxo-maintain", Key(Scope::UtxoWrite)),
    ("POST", "/v1/admin/utxo-maintenance", Key(Scope::UtxoWrite)),
    ("POST", "/v1/admin/utxos", Key(Scope::UtxoWrite)),
    ("GET", "/v1/admin/settings", Read(Scope::SettingsWrite)),
    ("PATCH", "/v1/admin/settings", Key(Scope::SettingsWrite)),
    ("GET", "/v1/admin/headers/checkpoints", Read(Scope::SettingsWrite)),
    ("POST", "/v1/admin/headers/checkpoints", Key(Scope::SettingsWrite)),
    ("DELETE", "/v1/admin/headers/checkpoints/{height}", Key(Scope::SettingsWrite)),
];

impl Who {
    /// Says with what a request is turned away that presents a key and, perhaps, a token.
    fn refusal(self, key: Option<Scope>, has_token: bool) -> Option<u16> {
        let lacks = |wanted: Scope, held: Scope| held != wanted && held != Scope::Admin;
        match (self, key) {
            (Anybody, _) | (AnybodyOrKey(_), None) => None,
            (Token, _) => (!has_token).then_some(401),
            // A key in place of a session is none, whatever it may do.
            (Session | SessionAndToken, _) => Some(401),
            (Key(_) | EitherKey(..) | Read(_) | SessionOrKey(_) | KeyAndToken(_), None) => {
                Some(401)
            }
            (EitherKey(one, other), Some(held)) => {
                (lacks(one, held) && lacks(other, held)).then_some(403)
            }
            (
                Key(wanted) | Read(wanted) | SessionOrKey(wanted) | AnybodyOrKey(wanted),
                Some(held),
            ) => lacks(wanted, held).then_some(403),
            (KeyAndToken(wanted), Some(held)) if lacks(wanted, held) => Some(403),
            (KeyAndToken(_), Some(_)) => (!has_token).then_some(401),
        }
    }

    /// Says with what a request is turned away that a page of ours sends in a session of the role.
    fn refusal_of(self, role: Role, has_token: bool) -> Option<u16> {
        let may = |wanted: Scope| role.scopes().allows(wanted);
        match self {
            // A session that does not do for a public route counts as none there.
            Anybody | AnybodyOrKey(_) | Session | SessionOrKey(_) => None,
            Token | SessionAndToken => (!has_token).then_some(401),
            Key(wanted) => (!may(wanted)).then_some(403),
            Read(wanted) => (!may(wanted) && !role.reads_all()).then_some(403),
            EitherKey(one, other) => (!may(one) && !may(other) && !role.reads_all()).then_some(403),
            KeyAndToken(wanted) if !may(wanted) => Some(403),
            KeyAndToken(_) => (!has_token).then_some(401),
        }
    }
}

/// Returns every route of the description, which is made from the router itself.
async fn routes(app: &TestApp) -> Vec<(String, String)> {
    let url = app.base.join("openapi.json").unwrap();
    let document: Value = app.client.get(url).send().await.unwrap().json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
    });
    methods.collect()
}

/// With what a request comes.
#[derive(Clone, Copy)]
enum With<'a> {
    Key(Option<&'a str>),
    Session(&'a Browser),
}

/// Asks with nothing in the body; returns 401 or 403 if the request was turned away at the door.
async fn at_the_door(
    app: &TestApp,
    (method, path): (&str, &str),
    with: With<'_>,
    token: Option<&str>,
) -> Option<u16> {
    let filled = path.replace("{txid}", &"0".repeat(64)).replace("{height}", "1");
    let filled = filled.replace("{userId}", &"0".repeat(24));
    let filled = filled.replace("{uid_tag_id}", "TAG-1").replace("{id}", "1");
    let filled = filled.trim_start_matches('/');
    let segments: Vec<&str> = filled.split('/').collect();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut call = match with {
        With::Key(Some(key)) => app.api_with(key).call(method, &segments),
        With::Key(None) => app.anonymous().call(method, &segments),
        With::Session(browser) => browser.call(app, method, filled),
    };
    if let Some(token) = token {
        call = call.bearer(token);
    }
    if path == "/v1/admin/events" {
        // Inside it would never end.
        call = call.query(&[("topics", "gossip")]);
    }
    let answer = call.send().await;
    let code = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["code"].clone();
    let is_door = ["UNAUTHENTICATED", "FORBIDDEN", "SESSION_INVALID", "CROSS_ORIGIN"]
        .iter()
        .any(|it| code == *it);
    is_door.then_some(answer.status)
}

/// Asks every route in a session of every role, with a token and without.
#[tokio::test]
async fn b16_every_route_lets_in_exactly_the_roles_the_table_says() {
    let app = TestApp::penniless().await;
    let token = app.token_of("ada");
    let mut wrong = Vec::new();
    for role in Role::ALL {
        let name = format!("the {role}");
        app.hire(&name, role).await;
        for (method, path, who) in TABLE {
            for bearer in [None, Some(token.as_str())] {
                if matches!(who, Token | SessionAndToken) && bearer.is_some() {
                    // Logging out would end the token; it is of no login with a key anyway.
                    continue;
                }
                // Each in a session of its own: one of the rows logs out.
                let browser = Browser::of(&log_in(&app, &name, PASSWORD).await);
                let seen = at_the_door(&app, (method, path), With::Session(&browser), bearer).await;
                if seen != who.refusal_of(role, bearer.is_some()) {
                    let has_token = bearer.is_some();
                    wrong.push(format!("{method} {path} {role} {has_token}: {seen:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn b16_every_route_lets_in_exactly_whom_the_table_says() {
    let app = TestApp::penniless().await;
    let token = app.token_of("ada");
    let mut found = routes(&app).await;
    let mut listed: Vec<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).into(), (*path).into())).collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed, "the table and the router name different routes");
    let mut wrong = Vec::new();
    for (method, path, who) in TABLE {
        let keys = Scope::ALL.into_iter().map(Some).chain([None]);
        for (key, bearer) in keys.flat_map(|key| [(key, None), (key, Some(token.as_str()))]) {
            if *who == Token && bearer.is_some() {
                // Logging out would end the token that the next rows need.
                continue;
            }
            let expected = who.refusal(key, bearer.is_some());
            let name = key.map(Scope::as_str);
            let seen = at_the_door(&app, (method, path), With::Key(name), bearer).await;
            if seen != expected {
                let has_token = bearer.is_some();
                wrong.push(format!("{method} {path} {name:?} {has_token}: {seen:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        at_the_door(&app, ("GET", "/v1/admin/patches"), With::Key(Some(FULL_KEY)), None).await,
        None
    );
}

/// Every secret that the environment of the server may hold. None of them signs anything on chain:
/// signatures come from the signer, another process, over `KMS_SIGN_URL`.
const SECRETS: [&str; 13] = [
    "API_KEY",
    "ARC_API_KEY",
    "ARC_CALLBACK_TOKEN",
    "BACKUP_PASSPHRASE",
    "JWT_SECRET",
    "JWT_SECRET_PREVIOUS",
    "KMS_API_KEY",
    "MASTER_SECRET",
    "MONGODB_URI",
    "REDIS_PASSWORD",
    "REDIS_URL",
    "SMTP_PASS",
    "WOC_API_KEY",
];

#[tokio::test]
async fn h6_no_route_signs_and_no_variable_holds_a_key_of_the_signer() {
    let app = TestApp::penniless().await;
    let digest = "00".repeat(32);
    let wish = json!({ "requests": [{ "keyIdentifier": "issuer", "sighash": digest, "kind": "message" }] });
    for path in ["internal/sign", "internal/kms/sign", "internal/svd/derive-secret", "sign", "keys"]
    {
        let segments: Vec<&str> = path.split('/').collect();
        for method in [Method::GET, Method::POST, Method::PUT] {
            let call = app.api().call(method, &segments).json(&wish);
            call.send().await.problem(404, "NOT_FOUND");
        }
    }
    // The signer does sign this for whoever holds its own key: the request was a good one.
    let url = app.outside.signer_url.join("sign").unwrap();
    let asked = app.client.post(url).bearer_auth(SIGNER_KEY).json(&wish).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    let variables = GROUPS.iter().flat_map(|group| group.variables);
    let mut secrets: Vec<&str> =
        variables.filter(|variable| variable.is_secret()).map(|variable| variable.name).collect();
    secrets.sort_unstable();
    assert_eq!(secrets, SECRETS);
}
