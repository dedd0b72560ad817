//! The requests that `once.rs` sends again: one for each route, with what it needs and what it makes.

use patchproof::auth::account::Role;
use patchproof::types::Satoshis;
use reqwest::Method;
use serde_json::{Value, json};

use crate::claims::claim_of;
use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, TestApp};
use crate::support::call::Call;
use crate::support::clients::Owner;
use crate::support::staff::Browser;

const CSV: &str = "text/csv";
const JSON: &str = "application/json";

/// Who sends a request.
pub(super) enum Sender {
    Key(&'static str),
    Nobody,
    Session(Browser),
}

/// What another credential gets for the same request.
#[derive(PartialEq)]
pub(super) enum Others {
    /// A thing of its own.
    Another,
    /// A refusal: what is asked for is there already.
    Refusal,
    /// The same thing, which can be done to it once only.
    Same,
    /// Nobody else can send it.
    Nobody,
}

/// A request that makes something.
pub(super) struct Scene {
    pub(super) sender: Sender,
    path: String,
    kind: &'static str,
    pub(super) body: String,
    /// A body that makes something else; where there is none, the query differs.
    other: Option<String>,
    /// A body that is refused.
    pub(super) wrong: Option<String>,
    /// How the audit trail begins to call what was done.
    action: &'static str,
    pub(super) status: u16,
    pub(super) others: Others,
}

impl Scene {
    fn of(path: &str, action: &'static str, body: &Value, other: &Value, wrong: &Value) -> Self {
        Self {
            sender: Sender::Key(FULL_KEY),
            path: path.to_owned(),
            kind: JSON,
            body: body.to_string(),
            other: Some(other.to_string()),
            wrong: Some(wrong.to_string()),
            action,
            status: 201,
            others: Others::Another,
        }
    }

    fn empty(path: &str, action: &'static str) -> Self {
        let nothing = json!({});
        let scene = Self::of(path, action, &nothing, &nothing, &nothing);
        Self { body: String::new(), other: None, wrong: None, ..scene }
    }

    fn call<'a>(&self, app: &'a TestApp, sender: &Sender) -> Call<'a> {
        let segments: Vec<&str> = self.path.split('/').collect();
        match sender {
            Sender::Key(key) => app.api_with(key).call(Method::POST, &segments),
            Sender::Nobody => app.anonymous().call(Method::POST, &segments),
            // As of the page itself: no use of the session is written down meanwhile.
            Sender::Session(browser) => {
                let call = browser.call(app, Method::POST, &self.path);
                call.header("x-patchproof-background", "1")
            }
        }
    }

    pub(super) async fn send(&self, app: &TestApp, key: &str) -> Answer {
        self.with(app, key, &self.sender, &self.body).await
    }

    pub(super) async fn with(
        &self,
        app: &TestApp,
        key: &str,
        sender: &Sender,
        body: &str,
    ) -> Answer {
        let call = self.call(app, sender).header("idempotency-key", key);
        let call = if body.is_empty() { call } else { call.body(self.kind, body) };
        call.send().await
    }

    pub(super) async fn send_other(&self, app: &TestApp, key: &str) -> Answer {
        match &self.other {
            Some(other) => self.with(app, key, &self.sender, other).await,
            None => {
                let call = self.call(app, &self.sender).header("idempotency-key", key);
                call.query(&[("skipBad", "true")]).send().await
            }
        }
    }

    /// Counts what was done.
    pub(super) async fn count(&self, app: &TestApp) -> usize {
        if self.path == "v1/admin/imports" {
            let listed = app.api().get(&["v1", "admin", "imports"]).await.expect(200);
            return listed["items"].as_array().unwrap().len();
        }
        let call = app.api().call(Method::GET, &["v1", "admin", "audit"]);
        let lines = call.query(&[("action", self.action)]).send().await.expect(200);
        lines["items"].as_array().unwrap().len()
    }
}

/// Every route of its kind.
pub(super) const ROUTES: [&str; 15] = [
    "keys",
    "keys/{id}/rotate",
    "accounts",
    "accounts/{id}/reset",
    "setup-links",
    "token-issues",
    "headers/checkpoints",
    "utxos",
    "imports",
    "imports/{id}/start",
    "session/keys",
    "svd/register",
    "claim-intent",
    "utxo-maintain",
    "utxo-maintenance",
];

async fn made_key(app: &TestApp) -> String {
    let body = json!({ "name": "old", "scopes": ["unlock"] });
    let call = app.api().call(Method::POST, &["v1", "admin", "keys"]).json(&body);
    call.send().await.expect(201)["id"].as_str().unwrap().to_owned()
}

fn file(prefix: &str) -> String {
    let owner = Owner::number(1).address();
    format!("uid_tag_id,name,owner\n{prefix}-1,Scarf,{owner}\n{prefix}-2,Scarf,{owner}\n")
}

/// Prepares what a route needs and returns a request for it.
pub(super) async fn scene(app: &TestApp, route: &str) -> Scene {
    match route {
        "keys" => {
            let body = |name: &str| json!({ "name": name, "scopes": ["unlock"] });
            Scene::of("v1/admin/keys", "key.create", &body("a"), &body("b"), &body(""))
        }
        "keys/{id}/rotate" => {
            let path = format!("v1/admin/keys/{}/rotate", made_key(app).await);
            let body = |secs: u64| json!({ "graceSecs": secs });
            let scene = Scene::of(&path, "key.rotate", &body(1), &body(2), &body(9_999_999));
            Scene { status: 200, ..scene }
        }
        "accounts" => {
            let body = |name: &str| json!({ "name": name, "role": "operator" });
            let (good, other, wrong) = (body("zoe"), body("ada"), body("x"));
            let scene = Scene::of("v1/admin/accounts", "account.create", &good, &other, &wrong);
            Scene { others: Others::Refusal, ..scene }
        }
        "accounts/{id}/reset" => {
            let id = app.hire("grace", Role::Operator).await;
            Scene::empty(&format!("v1/admin/accounts/{id}/reset"), "account.reset")
        }
        "setup-links" => Scene::empty("v1/admin/setup-links", "account.setup-link"),
        "token-issues" => {
            let body = |subject: &str| json!({ "subject": subject });
            let (good, other, wrong) = (body("ada"), body("bob"), body(""));
            Scene::of("v1/admin/token-issues", "token.issue", &good, &other, &wrong)
        }
        "headers/checkpoints" => {
            let body = |height: u32, hash: &str| json!({ "height": height, "hash": hash });
            let hash = "ab".repeat(32);
            let (good, other, wrong) = (body(7, &hash), body(8, &hash), body(7, "x"));
            let path = "v1/admin/headers/checkpoints";
            Scene::of(path, "checkpoint.add", &good, &other, &wrong)
        }
        "utxos" => {
            let address = app.services.funding.keyring.funding.address;
            let amount = Satoshis::from_const(10_000);
            let txid = app.outside.simnet.node().faucet(&address, amount, 2).unwrap().to_string();
            app.outside.simnet.mine();
            let body = |vout: i64| json!({ "txid": txid, "vout": vout });
            Scene::of("v1/admin/utxos", "utxo.add", &body(0), &body(1), &body(-1))
        }
        _ => scene_of_people(app, route).await,
    }
}

async fn scene_of_people(app: &TestApp, route: &str) -> Scene {
    match route {
        "imports" => {
            let scene = Scene::empty("v1/admin/imports", "import.");
            let wrong = Some("no header of ours\nx\n".to_owned());
            let (body, other) = (file("A"), Some(file("B")));
            Scene { kind: CSV, body, other, wrong, status: 202, ..scene }
        }
        "imports/{id}/start" => {
            let call = app.api().call(Method::POST, &["v1", "admin", "imports"]);
            let sent = call.body(CSV, file("A")).send().await.expect(202);
            let path = format!("v1/admin/imports/{}/start", sent["id"].as_str().unwrap());
            let scene = Scene::empty(&path, "import.start");
            Scene { status: 202, others: Others::Same, ..scene }
        }
        "session/keys" => {
            let browser = app.staff("grace", Role::Operator).await;
            let key = Owner::number(7).key.public_key();
            let body = |label: &str| json!({ "label": label, "pmcHex": key });
            let (good, other, wrong) = (body("one"), body("two"), body(""));
            let action = "account.add-browser-key";
            let scene = Scene::of("v1/admin/session/keys", action, &good, &other, &wrong);
            Scene { sender: Sender::Session(browser), others: Others::Nobody, ..scene }
        }
        "svd/register" => {
            let key = Owner::number(7).key.public_key();
            let body = |key: &Value| json!({ "userId": "3f92107747fcccc58db83812", "pmcHex": key });
            let other = json!(Owner::number(8).key.public_key());
            let (good, other, wrong) = (body(&json!(key)), body(&other), body(&json!("x")));
            let scene = Scene::of("api/svd/register", "svd.register", &good, &other, &wrong);
            Scene { sender: Sender::Nobody, others: Others::Refusal, ..scene }
        }
        "claim-intent" => {
            app.fund(8).await;
            app.api().register("TAG-1", &Owner::number(1)).await;
            let customer = Owner::number(2);
            let good = claim_of(app, &customer, "TAG-1").await;
            let other = claim_of(app, &customer, "TAG-1").await;
            let mut wrong = good.clone();
            wrong["ts"] = json!(1);
            let scene = Scene::of("v1/pos/claim-intent", "claim.file", &good, &other, &wrong);
            Scene { sender: Sender::Nobody, others: Others::Nobody, ..scene }
        }
        "utxo-maintain" | "utxo-maintenance" => {
            let body = |action: &str| json!({ "action": action });
            let (good, other, wrong) = (body("sync"), body("auto"), body("dance"));
            let path = format!("v1/admin/{route}");
            let scene = Scene::of(&path, "utxo.maintain", &good, &other, &wrong);
            Scene { status: 200, ..scene }
        }
        other => unreachable!("{other}"),
    }
}
