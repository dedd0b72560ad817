//! What holds for every route that demands the same, written into the description in one place:
//! refusals at the door, limits, and headers of requests and answers. What one route alone answers
//! stands beside its handler.
//!
//! Who may call is read from the operation's `security`, which states the same as its extractor; what
//! cannot be read from an operation stands in the tables here. `tests/it/description.rs` asks every
//! route whether it does what is described.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::http::problem::PROBLEM_JSON;

/// The routes that take an `Idempotency-Key`, all POST.
const ONCE: [&str; 19] = [
    "/api/svd/register",
    "/v1/admin/accounts",
    "/v1/admin/accounts/{id}/reset",
    "/v1/admin/batch-anchor",
    "/v1/admin/headers/checkpoints",
    "/v1/admin/imports",
    "/v1/admin/imports/{id}/start",
    "/v1/admin/keys",
    "/v1/admin/keys/{id}/rotate",
    "/v1/admin/session/keys",
    "/v1/admin/setup-links",
    "/v1/admin/token-issues",
    "/v1/admin/utxo-maintain",
    "/v1/admin/utxo-maintenance",
    "/v1/admin/utxos",
    "/v1/patches",
    "/v1/patches/{txid}/transfer-ownership",
    "/v1/pos/claim-approve",
    "/v1/pos/claim-intent",
];

/// The routes that wait for the network, all POST: `Prefer: respond-async` spares the wait.
const WAITING: [&str; 4] = [
    "/v1/admin/batch-anchor",
    "/v1/patches",
    "/v1/patches/{txid}/transfer-ownership",
    "/v1/pos/claim-approve",
];

/// The routes that answer at once, whatever is away.
const AT_ONCE: [&str; 4] = ["/__ping", "/health", "/livez", "/version"];

/// The route whose answers have an ETag for `If-Match`.
const SETTINGS: &str = "/v1/admin/settings";

/// Completes a description.
pub(super) fn complete(document: &mut Value) {
    document["components"]["headers"] = headers();
    document["components"]["parameters"] = parameters();
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, item) in paths {
        let operations = item.as_object_mut().into_iter().flatten();
        for (method, operation) in operations.filter(|(name, _)| is_method(name)) {
            complete_operation(operation, method, path);
        }
    }
}

fn is_method(name: &str) -> bool {
    ["get", "post", "put", "patch", "delete"].contains(&name)
}

fn complete_operation(operation: &mut Value, method: &str, path: &str) {
    let is_once = method == "post" && ONCE.contains(&path);
    let is_waiting = method == "post" && WAITING.contains(&path);
    let demands = Demands::of(operation);
    let asked = [
        (is_once, "IdempotencyKey"),
        (is_waiting, "Prefer"),
        (has_answer(operation, "304"), "IfNoneMatch"),
        (method == "patch" && path == SETTINGS, "IfMatch"),
    ];
    for (_, name) in asked.into_iter().filter(|(is_taken, _)| *is_taken) {
        add_parameter(operation, name);
    }
    let refusals = [
        (is_once, "400"),
        (demands.a_credential, "401"),
        (demands.a_permission, "403"),
        (is_once, "409"),
        (is_once, "422"),
        (true, "429"),
        (!AT_ONCE.contains(&path), "503"),
    ];
    for (_, status) in refusals.into_iter().filter(|(can_come, _)| *can_come) {
        add_refusal(operation, status);
    }
    name_problems(operation);
    describe(operation);
    add_headers(operation, is_once, path);
}

/// Gives every problem document its own media type, which the macros do not know.
fn name_problems(operation: &mut Value) {
    for answer in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        let content = answer.get_mut("content").and_then(Value::as_object_mut);
        let Some(content) = content else { continue };
        let of_problem =
            |it: &Value| it["schema"]["$ref"].as_str() == Some("#/components/schemas/Problem");
        if content.get("application/json").is_some_and(of_problem)
            && let Some(described) = content.remove("application/json")
        {
            content.insert(PROBLEM_JSON.to_owned(), described);
        }
    }
}

/// Describes every answer, which OpenAPI demands, by its status where its route says nothing about it.
fn describe(operation: &mut Value) {
    for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
        if answer["description"].as_str().is_none_or(str::is_empty) {
            let status = StatusCode::from_bytes(status.as_bytes()).ok();
            let reason = status.and_then(|it| it.canonical_reason()).unwrap_or_default();
            answer["description"] = reason.into();
        }
    }
}

/// What an operation demands of whoever calls it.
struct Demands {
    /// Some credential, or a good one if there is one.
    a_credential: bool,
    /// One that may do this, or that comes from a page of ours.
    a_permission: bool,
}

impl Demands {
    fn of(operation: &Value) -> Self {
        let choices: Vec<&Map<String, Value>> = operation["security"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .collect();
        let names = |name: &str| choices.iter().any(|choice| choice.contains_key(name));
        Self {
            a_credential: choices.iter().any(|choice| !choice.is_empty()),
            a_permission: names("apiKey") || names("session"),
        }
    }
}

fn has_answer(operation: &Value, status: &str) -> bool {
    operation["responses"].get(status).is_some()
}

fn add_parameter(operation: &mut Value, name: &str) {
    let reference = json!({ "$ref": format!("#/components/parameters/{name}") });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(reference),
        None => operation["parameters"] = json!([reference]),
    }
}

/// Describes a refusal, unless the route says more about it itself.
fn add_refusal(operation: &mut Value, status: &str) {
    if has_answer(operation, status) {
        return;
    }
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    operation["responses"][status] = json!({
        "content": { PROBLEM_JSON: { "schema": schema } },
    });
}

fn add_headers(operation: &mut Value, is_once: bool, path: &str) {
    let has_versions = has_answer(operation, "304") || path == SETTINGS;
    let Some(answers) = operation["responses"].as_object_mut() else { return };
    for (status, answer) in answers {
        // Where an answer may be soon, there is a word about when.
        let says_when = match status.as_str() {
            "429" | "503" => is_problem(answer),
            "202" | "409" => is_once,
            _ => false,
        };
        let sent = [
            (true, "x-request-id"),
            (true, "RateLimit"),
            (true, "RateLimit-Policy"),
            (says_when, "Retry-After"),
            (has_versions && matches!(status.as_str(), "200" | "304"), "ETag"),
        ];
        for (_, name) in sent.into_iter().filter(|(is_sent, _)| *is_sent) {
            answer["headers"][name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
    }
}

fn is_problem(answer: &Value) -> bool {
    answer["content"].get(PROBLEM_JSON).is_some()
}

fn headers() -> Value {
    let text =
        |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "x-request-id": text("Identifies the request in the log: that of the request, if it was harmless."),
        "RateLimit": text("What is left of the limit that counted the request: \"class\";r=requests, beyond it with t=seconds."),
        "RateLimit-Policy": text("The limit that counted the request: \"class\";q=requests;w=seconds."),
        "ETag": text("The version of what is answered, strong."),
        "Retry-After": {
            "description": "After how many seconds it is worth asking again.",
            "schema": { "type": "integer", "minimum": 0 },
        },
    })
}

fn parameters() -> Value {
    let header = |name: &str, description: &str, schema: Value| {
        json!({ "name": name, "in": "header", "required": false,
            "description": description, "schema": schema })
    };
    let text = || json!({ "type": "string" });
    json!({
        "IdempotencyKey": header(
            "Idempotency-Key",
            "Makes the request safe to repeat for 24 hours: the same request gets the same answer again, \
             another one under the key is 422, one that is still at work 409. Refusals are not kept.",
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }),
        ),
        "Prefer": header("Prefer", "respond-async: answer 202 at once instead of waiting.", text()),
        "IfNoneMatch": header("If-None-Match", "ETags that the client has; 304 if one is it.", text()),
        "IfMatch": header("If-Match", "The ETag that the change is made to; 412 if it is not it.", text()),
    })
}
