//! Who may call what: every route against every scope, compared with one table. A route that is not
//! in the table fails, so that nobody adds one without saying who it is for.

use patchproof::auth::Scope;
use patchproof::config::GROUPS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{FULL_KEY, TestApp};
use crate::support::outside::SIGNER_KEY;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Anybody.
    Anybody,
    /// The holder of a key with the scope.
    Key(Scope),
    /// Anybody, but whoever presents a key presents one with the scope.
    AnybodyOrKey(Scope),
    /// The bearer of a token.
    Token,
    /// The bearer of a token who also holds a key with the scope.
    KeyAndToken(Scope),
}

use Who::{Anybody, AnybodyOrKey, Key, KeyAndToken, Token};

/// The table.
const TABLE: &[(&str, &str, Who)] = &[
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
    ("GET", "/v1/admin/audit", Key(Scope::Admin)),
    ("GET", "/v1/admin/audit/verify", Key(Scope::Admin)),
    ("POST", "/v1/admin/token-issues", Key(Scope::Admin)),
    ("GET", "/v1/admin/keys", Key(Scope::KeysWrite)),
    ("POST", "/v1/admin/keys", Key(Scope::KeysWrite)),
    ("GET", "/v1/admin/keys/{id}", Key(Scope::KeysWrite)),
    ("DELETE", "/v1/admin/keys/{id}", Key(Scope::KeysWrite)),
    ("POST", "/v1/admin/keys/{id}/rotate", Key(Scope::KeysWrite)),
    ("GET", "/v1/admin/patches", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/patches/export", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports", Key(Scope::PatchesWrite)),
    ("POST", "/v1/admin/imports", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports/{id}", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports/{id}/rows", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/imports/{id}/report", Key(Scope::PatchesWrite)),
    ("POST", "/v1/admin/imports/{id}/start", Key(Scope::PatchesWrite)),
    ("POST", "/v1/admin/imports/{id}/cancel", Key(Scope::PatchesWrite)),
    // It only hastens what was accepted under the same scope.
    ("POST", "/v1/admin/batch-anchor", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/records", Key(Scope::PatchesWrite)),
    ("POST", "/v1/admin/records/recover", Key(Scope::PatchesWrite)),
    ("GET", "/v1/admin/utxo-health", Key(Scope::UtxoWrite)),
    ("GET", "/v1/admin/utxo-maintain", Key(Scope::UtxoWrite)),
    ("POST", "/v1/admin/utxo-maintain", Key(Scope::UtxoWrite)),
    ("POST", "/v1/admin/utxo-maintenance", Key(Scope::UtxoWrite)),
    ("POST", "/v1/admin/utxos", Key(Scope::UtxoWrite)),
    ("GET", "/v1/admin/settings", Key(Scope::SettingsWrite)),
    ("PATCH", "/v1/admin/settings", Key(Scope::SettingsWrite)),
    ("GET", "/v1/admin/headers/checkpoints", Key(Scope::SettingsWrite)),
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
            (Key(_) | KeyAndToken(_), None) => Some(401),
            (Key(wanted) | AnybodyOrKey(wanted), Some(held)) => lacks(wanted, held).then_some(403),
            (KeyAndToken(wanted), Some(held)) if lacks(wanted, held) => Some(403),
            (KeyAndToken(_), Some(_)) => (!has_token).then_some(401),
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

/// Asks with nothing in the body; returns 401 or 403 if the request was turned away at the door.
async fn at_the_door(
    app: &TestApp,
    (method, path): (&str, &str),
    key: Option<&str>,
    token: Option<&str>,
) -> Option<u16> {
    let filled = path.replace("{txid}", &"0".repeat(64)).replace("{height}", "1");
    let filled = filled.replace("{userId}", &"0".repeat(24));
    let filled = filled.replace("{uid_tag_id}", "TAG-1").replace("{id}", "1");
    let segments: Vec<&str> = filled.trim_start_matches('/').split('/').collect();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut call = match key {
        Some(key) => app.api_with(key).call(method, &segments),
        None => app.anonymous().call(method, &segments),
    };
    if let Some(token) = token {
        call = call.bearer(token);
    }
    let answer = call.send().await;
    let code = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["code"].clone();
    let is_door = code == "UNAUTHENTICATED" || code == "FORBIDDEN";
    is_door.then_some(answer.status)
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
            let seen = at_the_door(&app, (method, path), name, bearer).await;
            if seen != expected {
                let has_token = bearer.is_some();
                wrong.push(format!("{method} {path} {name:?} {has_token}: {seen:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(at_the_door(&app, ("GET", "/v1/admin/patches"), Some(FULL_KEY), None).await, None);
}

/// Every secret that the environment of the server may hold. None of them signs anything on chain:
/// signatures come from the signer, another process, over `KMS_SIGN_URL`.
const SECRETS: [&str; 12] = [
    "API_KEY",
    "ARC_API_KEY",
    "ARC_CALLBACK_TOKEN",
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
