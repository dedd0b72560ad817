//! Requests that no honest client sends, made from a seed: odd in one place or in several.
//!
//! Every request is well framed, so that it must be answered; what is wrong is in the words.

use patchproof::bitcoin::Address;
use patchproof::crypto::SecretKey;
use patchproof::types::{Digest, Network};
use serde_json::{Value, json};

pub(crate) use crate::random::Random;
use crate::support::{KEY, POS_KEY};

/// A route as the description has it.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    /// A body of the described shape, if the route takes one.
    body: Option<Value>,
}

/// Returns every route of the description, and some that are not in it.
pub(crate) fn all_routes() -> Vec<Route> {
    let description = patchproof::http::description();
    let undescribed = ["/", "/nowhere", "/openapi.json", "/openapi.yaml", "/docs/errors", "/docs"];
    let mut routes: Vec<Route> = undescribed
        .map(|path| Route { method: "GET".into(), path: path.into(), body: None })
        .to_vec();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let body = (!schema.is_null()).then(|| filled(&description, schema, ""));
            let method = method.to_uppercase();
            // What it streams would never end.
            let is_stream = path == "/v1/admin/events";
            let query = if is_stream { "?topics=gossip" } else { "" };
            routes.push(Route { method, path: format!("{path}{query}"), body });
        }
    }
    routes
}

/// Makes a value of the described shape, with words that get past the first look.
fn filled(description: &Value, schema: &Value, name: &str) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointed = description.pointer(reference.trim_start_matches('#')).unwrap();
        return filled(description, pointed, name);
    }
    for several in ["allOf", "oneOf", "anyOf"] {
        if let Some(first) = schema[several].as_array().and_then(|all| all.first()) {
            return filled(description, first, name);
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        let fields = properties
            .iter()
            .map(|(name, schema)| (name.clone(), filled(description, schema, name)));
        return Value::Object(fields.collect());
    }
    match schema["type"].as_str() {
        Some("array") => json!([filled(description, &schema["items"], name)]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(1),
        _ => json!(word(name)),
    }
}

/// Returns a text that a field of this name takes.
fn word(name: &str) -> String {
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    match name {
        "owner" | "newOwnerAddress" => {
            Address::of_key(&key.public_key(), Network::Test).to_string()
        }
        "txid" => "0".repeat(64),
        "userId" => "3f92107747fcccc58db83812".to_owned(),
        "M" => "00".repeat(24),
        _ if name.ends_with("PubKey") || name.ends_with("Hex") && name.contains("mc") => {
            key.public_key().to_string()
        }
        _ if name.to_lowercase().contains("signature") => {
            key.sign(&Digest::from_bytes([1; 32])).to_string()
        }
        "image" => "https://brand.example/7.png".to_owned(),
        _ => "TAG-1".to_owned(),
    }
}

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "PROPFIND",
    "M-SEARCH", "A",
];

/// What stands where a route has an identifier.
fn identifier(random: &mut Random) -> String {
    match random.below(5) {
        0 => "a".repeat([0, 1, 2, 129, 2_000, 9_000][random.below(6)]),
        1 => random.bytes(24).iter().map(|byte| format!("%{byte:02x}")).collect(),
        _ => random
            .pick(&[
                "TAG-1",
                "%",
                "%zz",
                "%2",
                "%00",
                "%ff",
                "%c0%80",
                "%2e%2e%2f",
                "%2F",
                "..",
                ".",
                "verify",
                "pending",
                "-1",
                "0",
                "18446744073709551616",
                "1e9",
                "%22%3Cscript%3E",
                "%E2%80%AE",
                "%F0%9F%92%A9",
                "%0d%0aX-Evil:1",
                "3f92107747fcccc58db83812",
                "*",
                "0000000000000000000000000000000000000000000000000000000000000000",
                "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            ])
            .to_owned(),
    }
}

fn target(route: &Route, random: &mut Random) -> String {
    let segments = route.path.split('/').map(|segment| match segment.starts_with('{') {
        true => identifier(random),
        false => segment.to_owned(),
    });
    let mut target = segments.collect::<Vec<_>>().join("/");
    if random.one_in(20) {
        target.push_str(random.pick(&["/", "//", "/%00", "/../..", ";x=1", "%20"]));
    }
    if random.one_in(3) {
        target.push_str(random.pick(&[
            "?",
            "?limit=-1",
            "?limit=0",
            "?limit=99999999999999999999999",
            "?limit=1&limit=2",
            "?cursor=%ff",
            "?cursor=!",
            "?limit=%",
            "?unknown=1",
            "?&&==&",
            "?limit=1;limit=2",
            "?status=none",
            "?action=%00",
            "?since=yesterday",
            "?until=%F0",
            "?a[b]=c",
        ]));
    }
    target
}

fn header_lines(random: &mut Random) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &[u8]| {
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value);
        lines.extend_from_slice(b"\r\n");
    };
    match random.below(8) {
        0 => {}
        1 => line("X-Api-Key", b"wrong"),
        2 => line("X-Api-Key", POS_KEY.as_bytes()),
        3 => {
            line("X-Api-Key", KEY.as_bytes());
            line("X-Api-Key", KEY.as_bytes());
        }
        _ => line("X-Api-Key", KEY.as_bytes()),
    }
    match random.below(6) {
        0 => {}
        1 => line("Authorization", b"Bearer"),
        2 => line("Authorization", b"Basic Z29vZA=="),
        3 => line("Authorization", b"Bearer \xff\xfe"),
        _ => line("Authorization", b"Bearer good"),
    }
    let values: &[&[u8]] = &[
        b"",
        b"*",
        b"W/\"x\"",
        b"\"",
        b"respond-async",
        b"wait=-1",
        b"wait=99999999999999999999",
        b"key-of-idempotency-1",
        b"\xc3\xa9",
        b"\xff",
        b"for=_x;by=\"",
        b"127.0.0.1, unix",
        b"null",
        b"bytes=0-18446744073709551615",
        b"gzip;q=2",
        b"application/xml",
        b"a,,b;;c",
        b"1 2\t3",
    ];
    let names = [
        "Idempotency-Key",
        "Prefer",
        "If-Match",
        "If-None-Match",
        "X-Request-Id",
        "Accept",
        "X-Forwarded-For",
        "Forwarded",
        "Origin",
        "Access-Control-Request-Method",
        "Range",
        "Cookie",
        "Accept-Encoding",
        "Traceparent",
        "X-Http-Method-Override",
        "Upgrade",
        "Te",
        "Content-Encoding",
    ];
    for _ in 0..random.below(4) {
        let name = names[random.below(names.len())];
        if random.one_in(40) {
            line(name, &b"x".repeat(random.below(40_000)));
        } else {
            line(name, random.pick(values));
        }
    }
    if random.one_in(60) {
        (0..110).for_each(|number| line("X-Many", number.to_string().as_bytes()));
    }
    if random.one_in(10) {
        let value: Vec<u8> = random.bytes(40).into_iter().filter(|byte| *byte > 31).collect();
        line("X-Random", &value);
    }
    lines
}

/// Puts something else into one place of a document.
fn mutate(value: &mut Value, random: &mut Random) {
    match value {
        Value::Object(fields) if !fields.is_empty() && !random.one_in(6) => {
            let at = random.below(fields.len());
            if random.one_in(8) {
                let name = fields.keys().nth(at).unwrap().clone();
                fields.remove(&name);
            } else if let Some(field) = fields.values_mut().nth(at) {
                mutate(field, random);
            }
        }
        Value::Array(items) if !items.is_empty() && !random.one_in(4) => {
            let at = random.below(items.len());
            mutate(&mut items[at], random);
        }
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => {
            *other = match random.below(10) {
                0 => Value::Null,
                1 => json!(-1),
                2 => json!(u64::MAX),
                3 => json!(1.5),
                4 => json!({ "__proto__": [] }),
                5 => json!([]),
                6 => json!("x".repeat(random.below(70_000))),
                7 => json!("\u{0}\u{202e}\r\n"),
                8 => json!("0".repeat(64)),
                _ => json!(String::from_utf8_lossy(&random.bytes(30))),
            }
        }
    }
}

fn body(route: &Route, random: &mut Random) -> Vec<u8> {
    let mut value = route.body.clone().unwrap_or_else(|| json!({}));
    for _ in 0..random.below(4) {
        mutate(&mut value, random);
    }
    let mut text = value.to_string().into_bytes();
    match random.below(12) {
        0 => text.truncate(random.below(text.len() + 1)),
        1 => text = random.bytes(200),
        2 => {
            let at = random.below(text.len());
            text[at] = u8::try_from(random.below(256)).unwrap();
        }
        3 => {
            let odd: &[&[u8]] = &[
                b"",
                b"{",
                b"null",
                b"[]",
                b"{}{}",
                b"\xef\xbb\xbf{}",
                b"{\"a\":1,\"a\":2}",
                b"NaN",
                b"{\"a\":1e400}",
                b"\"\\ud800\"",
                b"\xff\xfe{\0}\0",
                b"{\"a\":\"\xff\"}",
                b"//{}",
            ];
            text = random.pick(odd).to_vec();
        }
        4 if random.one_in(4) => text = [b"[".repeat(100_000), b"1".to_vec()].concat(),
        5 if random.one_in(6) => {
            let long = "x".repeat(1024 * 1024 + random.below(1_000));
            text = json!({ "text": long }).to_string().into_bytes();
        }
        _ => {}
    }
    text
}

fn content_type(random: &mut Random) -> &'static [u8] {
    let odd: &[&[u8]] = &[
        b"",
        b"text/plain",
        b"application/json; charset=utf-7",
        b"application/json;;",
        b"*/*",
        b"application/xml",
        b"multipart/form-data",
        b"multipart/form-data; boundary=\"",
        b"\xff",
        b"application/x-www-form-urlencoded",
        b"application/json, application/json",
        b"json",
    ];
    if random.one_in(6) { random.pick(odd) } else { b"application/json" }
}

/// Makes a request to a route; whether its answer has a body is for the caller to know by the method.
pub(crate) fn request(route: &Route, random: &mut Random) -> (String, Vec<u8>) {
    let method = match random.one_in(8) {
        true => random.pick(METHODS).to_owned(),
        false => route.method.clone(),
    };
    let mut bytes =
        format!("{method} {} HTTP/1.1\r\nHost: a\r\n", target(route, random)).into_bytes();
    bytes.extend(header_lines(random));
    let has_body = route.body.is_some() || random.one_in(10);
    if !has_body {
        bytes.extend_from_slice(b"\r\n");
        return (method, bytes);
    }
    let body = body(route, random);
    bytes.extend_from_slice(b"Content-Type: ");
    bytes.extend_from_slice(content_type(random));
    if random.one_in(5) {
        bytes.extend_from_slice(b"\r\nTransfer-Encoding: chunked\r\n\r\n");
        for chunk in body.chunks(1 + random.below(20_000)) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    } else {
        bytes.extend(format!("\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes());
        bytes.extend(body);
    }
    (method, bytes)
}

/// Changes bytes of a request anywhere, its framing included: nobody can say whether it is one.
pub(crate) fn garbled(route: &Route, random: &mut Random) -> Vec<u8> {
    if random.one_in(5) {
        return random.bytes(2_000);
    }
    let (_, mut bytes) = request(route, random);
    for _ in 0..=random.below(6) {
        // The head is where a change matters most.
        let near = if random.one_in(3) { bytes.len() } else { bytes.len().min(120) };
        let at = random.below(near);
        let byte = u8::try_from(random.below(256)).unwrap();
        match random.below(3) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}
