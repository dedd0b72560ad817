//! A request for every route of the description, with a canary wherever a client can put a word.

use serde_json::{Map, Value, json};

/// What is put into requests. Each place has a word of its own, so that a find says where it came from.
pub(crate) const IN_PATH: &str = "canary-path-41c9e07b";
pub(crate) const IN_QUERY: &str = "canary-query-9d20f3aa";
pub(crate) const IN_HEADER: &str = "canary-header-c07e51d8";
pub(crate) const IN_BODY: &str = "canary-body-5be4820f";
pub(crate) const AS_NAME: &str = "canary-name-f81d7720";
/// Every word.
pub(crate) const FIELDS: [&str; 5] = [IN_PATH, IN_QUERY, IN_HEADER, IN_BODY, AS_NAME];

/// Headers that clients send of their own accord. The request id is not among them: it is there to be
/// found in the log.
const HEADERS: [&str; 9] = [
    "Cookie",
    "Forwarded",
    "Idempotency-Key",
    "If-None-Match",
    "Origin",
    "Prefer",
    "Referer",
    "User-Agent",
    "X-Forwarded-For",
];

/// A request in parts.
pub(crate) struct Wish {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
}

/// Returns the header lines that hold a canary each.
pub(crate) fn headers() -> String {
    HEADERS.iter().map(|name| format!("{name}: {IN_HEADER}\r\n")).collect()
}

/// Returns two requests for each route: one whose body has the described shape, and one with a field
/// that nobody described.
pub(crate) fn wishes(description: &Value) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let mut body = filled(description, schema);
            let shaped = body.to_string();
            if let Some(object) = body.as_object_mut() {
                object.insert(AS_NAME.to_owned(), json!(IN_BODY));
            }
            for body in [shaped, body.to_string(), format!("{{\"{IN_BODY}")] {
                let path = target(path, operation);
                wishes.push(Wish { method: method.to_uppercase(), path, body });
            }
        }
    }
    wishes
}

/// Fills in the parameters of a route.
fn target(path: &str, operation: &Value) -> String {
    let segments = path.split('/').map(|segment| match segment.starts_with('{') {
        true => IN_PATH,
        false => segment,
    });
    let mut target = segments.collect::<Vec<_>>().join("/");
    target.push_str(&format!("?canary={IN_QUERY}"));
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "query" {
            let name = parameter["name"].as_str().unwrap();
            target.push_str(&format!("&{name}={IN_QUERY}"));
        }
    }
    target
}

/// Makes a value of a schema in which every text is the canary.
fn filled(description: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointed = description.pointer(reference.trim_start_matches('#')).unwrap();
        return filled(description, pointed);
    }
    for several in ["allOf", "oneOf", "anyOf"] {
        if let Some(first) = schema[several].as_array().and_then(|all| all.first()) {
            return filled(description, first);
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        let fields =
            properties.iter().map(|(name, schema)| (name.clone(), filled(description, schema)));
        return Value::Object(fields.collect::<Map<String, Value>>());
    }
    match schema["type"].as_str() {
        Some("array") => json!([filled(description, &schema["items"])]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(1),
        _ => json!(IN_BODY),
    }
}
