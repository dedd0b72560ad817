//! Nothing that is secret or personal is seen: canaries in every secret and every field of every
//! request, and a search for them wherever the program speaks (H1, H4, H5).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use patchproof::auth::svd::Challenge;
use patchproof::bitcoin::Address;
use patchproof::config::GROUPS;
use patchproof::crypto::SecretKey;
use patchproof::patch::message::{message_digest, transfer_message, unlock_message};
use patchproof::types::Network;
use serde_json::{Value, json};

use crate::canary_requests::{AS_NAME, FIELDS, IN_BODY, IN_PATH, headers, wishes};
use crate::program::{Finished, Raw, Running, ask_raw, run};
use crate::world::World;

const USER: &str = "c0ffee0000c0ffee0000c0de";
/// What is stored for a product's owner, and only opens to a signature.
const CONTENT: &str = "canary-content-0b7a31c6";

/// Two passwords of the console.
const PASSWORD: &str = "canary password 5d0e";
const WRONG_PASSWORD: &str = "canary wrong password 71";

/// Returns a value for every secret variable there is.
fn secrets() -> BTreeMap<&'static str, String> {
    let variables = GROUPS.iter().flat_map(|group| group.variables);
    let secrets = variables.filter(|variable| variable.is_secret()).map(|variable| {
        let name = variable.name.to_lowercase();
        let word = format!("canary-{name}-4f1e9b60c2d7385a");
        let text = match variable.name {
            "MONGODB_URI" => format!("mongodb://user:{word}@mongo.example/db"),
            "REDIS_URL" => format!("redis://user:{word}@redis.example:6379"),
            _ => word,
        };
        (variable.name, text)
    });
    secrets.collect()
}

/// A server with canaries for secrets, its neighbours, and all that it said so far.
struct Aviary {
    world: World,
    /// What a find is reported as, and what is looked for.
    hidden: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    said: Vec<(String, String)>,
}

impl Aviary {
    fn new(log_format: &str) -> Self {
        let world = World::start();
        let secrets = secrets();
        // The word alone would be found even where the rest of a URL is left out.
        let words = secrets.iter().map(|(name, text)| {
            let at = text.find("canary-").unwrap();
            let word = text[at..].split('@').next().unwrap();
            ((*name).to_owned(), word.to_owned())
        });
        let hidden = words.chain([("an endpoint's password".into(), "canary-woc-pass-1d".into())]);
        let port = world.simnet.url.strip_prefix("http://").unwrap().to_owned();
        let mut variables: Vec<(String, String)> =
            secrets.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let limits = GROUPS.iter().flat_map(|group| group.variables);
        let limits = limits.filter(|it| it.name.ends_with("_MAX"));
        variables.extend(limits.map(|it| (it.name.to_owned(), "1000000".to_owned())));
        for (name, value) in [
            ("LOG_LEVEL", "trace".to_owned()),
            ("LOG_FORMAT", log_format.to_owned()),
            ("WOC_BASE_URL", format!("http://user:canary-woc-pass-1d@{port}/v1/bsv/test")),
            ("ARC_URL", format!("http://{port}/arc")),
            ("TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ] {
            variables.push((name.to_owned(), value));
        }
        Self { hidden: hidden.collect(), world, variables, said: Vec::new() }
    }

    fn environment<T>(&self, act: impl FnOnce(&[(&str, &str)]) -> T) -> T {
        let more: Vec<(&str, &str)> =
            self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.world.with_environment(|variables| act(&[variables, &more[..]].concat()))
    }

    fn serve(&self, log: &Path) -> Running {
        let log = File::create(log).unwrap();
        let mut server =
            self.environment(|variables| Running::start_logging(&["serve"], variables, log));
        let url = server.url.strip_prefix("listening on ").unwrap();
        server.url = url.split_whitespace().next().unwrap().trim_end_matches('/').to_owned();
        server
    }

    fn secret(&self, name: &str) -> String {
        self.variables.iter().find(|(known, _)| known == name).unwrap().1.clone()
    }

    /// Keeps what was said for the search at the end.
    fn heard(&mut self, whose: impl Into<String>, text: impl Into<String>) {
        self.said.push((whose.into(), text.into()));
    }

    fn run(&mut self, arguments: &[&str]) -> Finished {
        let done = self.environment(|variables| run(arguments, variables));
        self.heard(format!("{arguments:?}"), format!("{}{}", done.stdout, done.stderr));
        done
    }

    /// Keeps a word that was handed out and must not be seen again.
    fn hide(&mut self, what: &str, word: &str) {
        self.hidden.push((what.to_owned(), word.to_owned()));
    }

    /// Sends a request; what a refusal says is kept.
    fn ask(
        &mut self,
        server: &Running,
        (method, path): (&str, &str),
        head: &str,
        body: &str,
    ) -> Raw {
        let answer = ask_raw(&server.url, method, path, head, body);
        if answer.status >= 400 {
            let text = format!("{}\n{}", answer.head, without_instance(&answer, path));
            self.heard(format!("{method} {path}"), text);
        }
        answer
    }

    fn ask_json(&mut self, server: &Running, to: (&str, &str), head: &str, body: &Value) -> Value {
        let answer = self.ask(server, to, head, &body.to_string());
        assert!(answer.status < 300, "{to:?}: {} {}", answer.status, answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Looks for every word in everything that was heard.
    fn search(&self) {
        let mut found = Vec::new();
        for (whose, text) in &self.said {
            let fields = FIELDS.iter().map(|word| ("a field", *word));
            let hidden = self.hidden.iter().map(|(what, word)| (what.as_str(), word.as_str()));
            for (what, word) in fields.chain(hidden).filter(|(_, word)| text.contains(word)) {
                let line = text.lines().find(|line| line.contains(word)).unwrap_or_default();
                found.push(format!("{what} ({word}) in {whose}: {line:.400}"));
            }
        }
        assert!(found.is_empty(), "{} finds:\n{}", found.len(), found.join("\n"));
    }
}

/// Returns the body of a refusal without its `instance`, which must be the path of the request and no
/// more.
///
/// It stays in the answer: RFC 9457 means it for telling one occurrence from another, the path is the
/// client's own word, and nobody else gets to read it: no cache may keep the answer. What a client
/// puts after the `?` is not repeated, and nothing of a path is, anywhere else; the search covers both.
fn without_instance(answer: &Raw, path: &str) -> String {
    let Ok(mut problem) = serde_json::from_str::<Value>(&answer.body) else {
        return answer.body.clone();
    };
    let members = problem.as_object_mut().expect("a problem is an object");
    if let Some(instance) = members.remove("instance") {
        assert_eq!(instance, path.split('?').next().unwrap());
        let head = answer.head.to_lowercase();
        assert!(head.contains("\r\ncache-control: no-store\r\n"), "{path}: {head}");
        assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{path}: {head}");
    }
    problem.to_string()
}

/// Does with good credentials what clients do, personal words in every field.
fn live(aviary: &mut Aviary, server: &Running) {
    let key = format!("X-Api-Key: {}\r\n", aviary.secret("API_KEY"));
    let owner = SecretKey::from_bytes(&[7; 32]).unwrap();
    let address = Address::of_key(&owner.public_key(), Network::Test).to_string();
    let registration = json!({
        "product": { "uid_tag_id": "TAG-1", "name": IN_BODY, "category": IN_BODY, "sku": IN_BODY,
            "serial_number": IN_BODY, "material": IN_BODY },
        "metadata": { "notes": IN_BODY, "patch_location": IN_BODY },
        "auth": { "owner": address },
    });
    let done = aviary.ask_json(server, ("POST", "/v1/patches"), &key, &registration);
    let txid = done["txid"].as_str().expect("the pool has funds").to_owned();
    let content = json!({ "text": CONTENT });
    aviary.ask_json(server, ("PUT", "/v1/patches/TAG-1/content"), &key, &content);
    let sign = |message: &str| owner.sign(&message_digest(message)).to_string();
    let opens = json!({ "ownerPubKey": owner.public_key(),
        "ownerSignature": sign(&unlock_message("TAG-1", txid.parse().unwrap(), None)) });
    let to = ("POST", "/v1/patches/TAG-1/unlock-content");
    assert!(aviary.ask_json(server, to, &key, &opens).to_string().contains(CONTENT));
    aviary.hide("content of a product", CONTENT);

    let register = json!({ "userId": USER, "pmcHex": owner.public_key() });
    aviary.ask_json(server, ("POST", "/api/svd/register"), &key, &register);
    let begun = aviary.ask_json(server, ("POST", "/api/svd/begin"), "", &json!({ "userId": USER }));
    let given = begun["M"].as_str().unwrap();
    let mut bytes = [0u8; 24];
    hex::decode_to_slice(given, &mut bytes).unwrap();
    let digest = Challenge::from_bytes(bytes).digest();
    let signature = owner.plus(&digest).unwrap().sign(&digest);
    let answer = json!({ "userId": USER, "M": given, "signatureHex": signature });
    let done = aviary.ask_json(server, ("POST", "/api/svd/complete"), "", &answer);
    let token = done["token"].as_str().unwrap().to_owned();
    aviary.hide("a token", token.rsplit('.').next().unwrap());

    let created = json!({ "name": "a till", "scopes": ["unlock"] });
    let created = aviary.ask_json(server, ("POST", "/v1/admin/keys"), &key, &created);
    let issued = created["key"].as_str().unwrap();
    aviary.hide("an API key that was handed out", issued.rsplit('_').next().unwrap());
    let transfer = json!({ "newOwnerAddress": address, "currentOwnerPubKey": owner.public_key(),
        "currentOwnerSignature": sign(&transfer_message("TAG-1", txid.parse().unwrap(), &address)) });
    let to = format!("/v1/patches/{txid}/transfer-ownership");
    let head = format!("{key}Authorization: Bearer {token}\r\n");
    aviary.ask(server, ("POST", &to), &head, &transfer.to_string());
    for head in [
        format!("X-Api-Key: {issued}\r\n"),
        format!("X-Api-Key: {issued}x\r\n"),
        format!("Authorization: Bearer {token}x\r\n{key}"),
        format!("X-Api-Key: {AS_NAME}\r\nAuthorization: Bearer {AS_NAME}\r\n"),
        format!("Authorization: {AS_NAME}\r\n{key}"),
    ] {
        aviary.ask(server, ("GET", "/v1/admin/patches"), &head, "");
        aviary.ask(server, ("POST", &to), &head, "{}");
    }
    let token = format!("Authorization: Bearer {token}\r\n");
    for head in [String::new(), key.clone(), token.clone(), format!("{key}{token}")] {
        let head = format!("{head}{}", headers());
        for wish in wishes(&patchproof::http::description()) {
            // The token would be of no more use afterwards.
            if wish.path.starts_with("/v1/auth/logout") && head.contains(&token) {
                continue;
            }
            aviary.ask(server, (&wish.method, &wish.path), &head, &wish.body);
        }
    }
    let callback = format!("Authorization: Bearer {}\r\n", aviary.secret("ARC_CALLBACK_TOKEN"));
    for body in [json!({ "txid": txid, "txStatus": IN_BODY, "extraInfo": IN_BODY }), json!(IN_BODY)]
    {
        aviary.ask(server, ("POST", "/v1/arc/callback"), &callback, &body.to_string());
    }
    aviary.ask(server, ("POST", "/v1/auth/logout"), &token, "");
    for path in ["/metrics", "/internal/metrics", "/ready", "/v1/admin/audit", "/v1/admin/keys"] {
        let answer = aviary.ask(server, ("GET", path), &key, "");
        aviary.heard(format!("GET {path}"), answer.body);
    }
}

/// Does what people do who work the console: sets it up, logs in rightly and wrongly, looks around.
fn console(aviary: &mut Aviary, server: &Running) {
    let key = format!("X-Api-Key: {}\r\n", aviary.secret("API_KEY"));
    for (what, word) in [("a password", PASSWORD), ("a wrong password", WRONG_PASSWORD)] {
        aviary.hide(what, word);
    }
    let link = aviary.ask_json(server, ("POST", "/v1/admin/setup-links"), &key, &json!({}));
    let token = link["token"].as_str().unwrap().to_owned();
    aviary.hide("a link", &token);
    let body = json!({ "token": token, "name": "Ada", "password": PASSWORD });
    let begun = aviary.ask(server, ("POST", "/v1/admin/setup"), "", &body.to_string());
    assert_eq!(begun.status, 200, "{}", begun.body);
    aviary.ask(server, ("POST", "/v1/admin/setup"), "", &body.to_string());
    let cookie = begun.head.lines().find_map(|line| line.split_once("et-cookie: ")).unwrap().1;
    let cookie = cookie.split(';').next().unwrap();
    aviary.hide("a session", cookie.split_once('=').unwrap().1);
    aviary.heard("the answer to the set-up", begun.body.clone());
    for password in [PASSWORD, WRONG_PASSWORD] {
        let body = json!({ "name": "Ada", "password": password }).to_string();
        aviary.ask(server, ("POST", "/v1/admin/session"), "", &body);
    }
    // Names that are passwords, and passwords that are no text.
    let odd = json!({ "name": WRONG_PASSWORD, "password": 7 }).to_string();
    aviary.ask(server, ("POST", "/v1/admin/session"), "", &odd);
    let ours =
        format!("Cookie: {cookie}\r\nOrigin: http://localhost\r\nX-PatchProof-Console: 1\r\n");
    for head in [format!("Cookie: {cookie}\r\n"), format!("Cookie: {cookie}x\r\n"), ours] {
        for path in ["/v1/admin/session", "/v1/admin/sessions", "/v1/admin/accounts"] {
            let answer = aviary.ask(server, ("GET", path), &head, "");
            aviary.heard(format!("GET {path}"), answer.body);
        }
        let body = json!({ "old": WRONG_PASSWORD, "new": PASSWORD }).to_string();
        aviary.ask(server, ("PUT", "/v1/admin/session/password"), &head, &body);
    }
    for arguments in [&["admin", "accounts", "--json"], &["admin", "sessions", "--json"]] {
        aviary.run(arguments).expect(0);
    }
}

fn canaries_are_not_seen(log_format: &str) {
    let mut aviary = Aviary::new(log_format);
    let log = aviary.world.folder.path().join("log");
    let tx = aviary.world.fund(4);
    aviary.run(&["config", "check"]).expect(0);
    aviary.run(&["config", "show", "--origin"]).expect(0);
    aviary.run(&["config", "show", "--json"]).expect(0);
    for vout in ["0", "1", "2", "3"] {
        let output = ["--txid", &tx, "--vout", vout, "--satoshis", "10000", "--keyId", "funding"];
        aviary.run(&[&["utxo", "add"][..], &output].concat()).expect(0);
    }
    let server = aviary.serve(&log);
    aviary.run(&["doctor"]);
    console(&mut aviary, &server);
    live(&mut aviary, &server);
    for arguments in [&["doctor", "--json"][..], &["keys", "list"], &["utxo", "health"]] {
        aviary.run(arguments);
    }
    // What is said of neighbours that do not answer often holds their address, password and all.
    aviary.world.simnet.kill();
    aviary.world.signer.kill();
    let key = format!("X-Api-Key: {}\r\n", aviary.secret("API_KEY"));
    for action in ["sync", "split"] {
        let body = json!({ "action": action }).to_string();
        aviary.ask(&server, ("POST", "/v1/admin/utxo-maintain"), &key, &body);
    }
    aviary.ask(&server, ("GET", "/api/svd/canary"), &key, "");
    for arguments in
        [&["doctor"][..], &["utxo", "health"], &["utxo", "sync"], &["headers", "status"]]
    {
        aviary.run(arguments);
    }
    let mut after = 0;
    loop {
        let to = format!("/v1/admin/logs?limit=500&after={after}");
        let answer = ask_raw(&server.url, "GET", &to, &key, "");
        let lines: Value = serde_json::from_str(&answer.body).unwrap();
        let Some(last) = lines["items"].as_array().unwrap().last() else { break };
        assert!(after > 0 || answer.body.contains("answered"), "{}", answer.body);
        after = last["number"].as_u64().unwrap();
        let is_newest = lines["newest"].as_u64().unwrap() <= after + 100;
        aviary.heard("GET /v1/admin/logs", answer.body);
        // Asking writes lines itself.
        if is_newest {
            break;
        }
    }
    for path in ["overview", "system", "networks", "claims"] {
        let answer = ask_raw(&server.url, "GET", &format!("/v1/admin/{path}"), &key, "");
        assert_eq!(answer.status, 200, "{path}");
        aviary.heard(format!("GET /v1/admin/{path}"), answer.body);
    }
    assert!(server.stop().success());
    for arguments in [&["audit", "list", "--json"][..], &["audit", "verify"], &["check"]] {
        aviary.run(arguments).expect(0);
    }
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("request_id") && text.contains("DEBUG"), "the log is detailed: {text}");
    assert!(!text.contains(USER), "a user is named in the log");
    aviary.heard("the log", text);
    assert!(aviary.said.len() > 200, "only {} answers were heard", aviary.said.len());
    aviary.search();

    // What is registered is public and lies open; what is secret does not.
    let mut files = 0;
    for entry in std::fs::read_dir(aviary.world.folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        files += 1;
        for (what, word) in &aviary.hidden {
            let is_there = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!is_there, "{what} lies open in {}", path.display());
        }
        let is_open = bytes.windows(IN_PATH.len()).any(|window| window == IN_PATH.as_bytes());
        assert!(!is_open, "a path is kept in {}", path.display());
    }
    assert!(files > 0);
}

#[test]
fn h1_h4_h5_canaries_appear_in_no_log_line_metric_error_or_report_as_json() {
    canaries_are_not_seen("json");
}

#[test]
fn h1_h4_h5_canaries_appear_in_no_log_line_metric_error_or_report_as_text() {
    canaries_are_not_seen("text");
}
