//! The description of the API, and whether an answer is what it says.
//!
//! Knows as much of JSON Schema as the description uses, and is stricter: a member that the
//! description does not list is an error.

use reqwest::Method;
use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::app::TestApp;

/// The description of the API.
pub(crate) struct Documentation(Value);

impl Documentation {
    /// Asks the product for it.
    pub(crate) async fn fetch(app: &TestApp) -> Self {
        let url = app.base.join("openapi.json").unwrap();
        Self(app.client.get(url).send().await.unwrap().json().await.unwrap())
    }

    /// Returns every documented route as (method, path).
    pub(crate) fn routes(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().unwrap();
        let of_path = |(path, item): (&String, &Value)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// Asserts that an answer is documented: its status where it is no error, and its body.
    #[track_caller]
    pub(crate) fn hold_against(&self, method: &Method, path: &str, answer: &Answer) {
        let kind = answer.header("content-type").unwrap_or_default();
        if kind == "application/problem+json" {
            let schema = &self.0["components"]["schemas"]["Problem"];
            return self.assert_valid(&answer.json(), schema, &format!("{method} {path}"));
        }
        let Some(operation) = self.operation(method, path) else {
            assert!(answer.status < 400, "{method} {path}: {}", answer.text());
            return;
        };
        let status = answer.status.to_string();
        let documented = operation["responses"].get(&status);
        let at = format!("{method} {path} {status}");
        let documented =
            documented.unwrap_or_else(|| unreachable!("{at} is not documented: {kind}"));
        if kind == "application/json"
            && let Some(schema) = documented.pointer("/content/application~1json/schema")
        {
            self.assert_valid(&answer.json(), schema, &at);
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let paths = self.0["paths"].as_object().unwrap();
        let mut fitting: Vec<_> =
            paths.iter().filter(|(template, _)| fits(template, path)).collect();
        // A literal segment goes before a parameter.
        fitting.sort_by_key(|(template, _)| template.matches('{').count());
        fitting.first()?.1.get(method.as_str().to_lowercase())
    }

    #[track_caller]
    fn assert_valid(&self, value: &Value, schema: &Value, at: &str) {
        let mut faults = Vec::new();
        self.check(value, schema, at, &mut faults);
        assert!(faults.is_empty(), "not as documented: {faults:#?}\n{value}");
    }

    fn check(&self, value: &Value, schema: &Value, at: &str, faults: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let found = self.0.pointer(reference.trim_start_matches('#'));
            match found {
                Some(found) => self.check(value, found, at, faults),
                None => faults.push(format!("{at}: {reference} leads nowhere")),
            }
            return;
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fits = |choice: &&Value| {
                let mut inner = Vec::new();
                self.check(value, choice, at, &mut inner);
                inner.is_empty()
            };
            if choices.iter().filter(fits).count() != 1 {
                faults.push(format!("{at}: {value} fits not exactly one of {choices:?}"));
            }
            return;
        }
        if !has_type(value, &schema["type"]) {
            faults.push(format!("{at}: {value} is not {}", schema["type"]));
        }
        if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
            faults.push(format!("{at}: {value} is none of {}", schema["enum"]));
        }
        self.check_parts(value, schema, at, faults);
    }

    fn check_parts(&self, value: &Value, schema: &Value, at: &str, faults: &mut Vec<String>) {
        if let (Some(items), Some(inner)) = (value.as_array(), schema.get("items")) {
            for (place, item) in items.iter().enumerate() {
                self.check(item, inner, &format!("{at}[{place}]"), faults);
            }
        }
        let (Some(members), Some(known)) = (value.as_object(), schema["properties"].as_object())
        else {
            let Some(members) = value.as_object() else { return };
            let inner = &schema["additionalProperties"];
            for (name, member) in members.iter().filter(|_| inner.is_object()) {
                self.check(member, inner, &format!("{at}.{name}"), faults);
            }
            return;
        };
        for (name, member) in members {
            match known.get(name) {
                Some(inner) => self.check(member, inner, &format!("{at}.{name}"), faults),
                None => faults.push(format!("{at}.{name} is not documented")),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(name.as_str().unwrap()) {
                faults.push(format!("{at}.{name} is missing"));
            }
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(_)) if wanted.starts_with("{*") => return true,
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

fn has_type(value: &Value, wanted: &Value) -> bool {
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    };
    match wanted {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| name.as_str().is_some_and(is)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}
