//! Strict JSON: one document in UTF-8, read the same way by everyone.
//!
//! Refuses what parsers disagree about (a member name twice in one object, in any case; a byte
//! order mark; text after the document; lone surrogates; numbers out of range; deep nesting) and
//! says what is wrong without repeating any of the text beyond the names of fields. An object is
//! written as an object, and what is left out is left out (see `objects`).

mod objects;

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::http::problem::{FieldError, Problem, ProblemCode};

use objects::Objects;

/// The deepest nesting of objects and arrays.
pub const DEPTH_LIMIT: usize = 64;

/// Reads a document into `T`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("The body is not UTF-8."))?;
    scan(text)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(Objects(&mut deserializer)).map_err(|error| {
        let mut path: Vec<_> =
            error.path().iter().map(|segment| safe_segment(&segment.to_string())).collect();
        let told = error.inner().to_string();
        let FieldError { field, message } = describe(&told);
        // The path of an unknown field ends with it, that of a missing one with its object.
        if !(told.starts_with("unknown field") && path.last() == Some(&field)) {
            path.push(field);
        }
        Problem::invalid_field(join(&path), message)
    })
}

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(ProblemCode::MalformedJson).detail(detail)
}

/// Walks the whole document once before any of it is believed.
fn scan(text: &str) -> Result<(), Problem> {
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let walk = Walk { depth: 0, fault: &fault };
    let verdict = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    verdict.map_err(|error| {
        let what = match (fault.get(), error.classify()) {
            (Some(Fault::Duplicate), _) => "A member name occurs twice in one object",
            (Some(Fault::TooDeep), _) => "The nesting is deeper than 64",
            (None, Category::Eof) => "The body ends before the document does",
            (None, Category::Syntax | Category::Data | Category::Io) => "The body is not JSON",
        };
        malformed(format!("{what} (line {}, column {}).", error.line(), error.column()))
    })
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Duplicate,
    TooDeep,
}

/// Visits a value, keeps nothing of it, and notes the first fault of ours.
#[derive(Clone, Copy)]
struct Walk<'a> {
    depth: usize,
    fault: &'a Cell<Option<Fault>>,
}

impl Walk<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_LIMIT {
            return Err(self.fail(Fault::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn fail<E: serde::de::Error>(self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut names = HashSet::new();
        while let Some(mut name) = members.next_key::<String>()? {
            // Twins that differ in case are one name to too many programs.
            name.make_ascii_lowercase();
            if !names.insert(name) {
                return Err(self.fail(Fault::Duplicate));
            }
            members.next_value_seed(inside)?;
        }
        Ok(())
    }
}

/// Says what a field must be, from a deserializer's message, without the text it quotes.
///
/// The messages are those of serde's derive and data model; `expected …` is the reader's own
/// wording and comes last, what was found comes before it.
pub(super) fn describe(message: &str) -> FieldError {
    let message = message.rsplit_once(" at line ").map_or(message, |(before, _)| before);
    let named = |rest: &str| rest.split('`').next().map(safe_segment).unwrap_or_default();
    let error = |field: String, message: &str| FieldError { field, message: message.to_owned() };
    if let Some(rest) = message.strip_prefix("missing field `") {
        return error(named(rest), "is required");
    }
    if let Some(rest) = message.strip_prefix("unknown field `") {
        return error(named(rest), "is not a known field");
    }
    if let Some(rest) = message.strip_prefix("duplicate field `") {
        return error(named(rest), "occurs twice");
    }
    let quotes = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];
    if quotes.iter().any(|prefix| message.starts_with(prefix)) {
        let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
        let Some(expected) = expected else {
            return error(String::new(), "is not acceptable");
        };
        return error(String::new(), &must_be(expected));
    }
    // The parser's own words, which come where a word of a closed list was wanted.
    if message.starts_with("expected ") {
        return error(String::new(), "is not acceptable");
    }
    // The rest are sentences of our own types, which never repeat what they were given.
    error(String::new(), message)
}

/// Joins the path of a field, `parts[0].name`.
fn join(path: &[String]) -> String {
    let mut joined = String::new();
    for segment in path.iter().filter(|segment| !segment.is_empty()) {
        if !joined.is_empty() && !segment.starts_with('[') {
            joined.push('.');
        }
        joined.push_str(segment);
    }
    joined
}

/// Says in the words of JSON what a Rust type asks for.
pub(super) fn must_be(expected: &str) -> String {
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number within its range",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "an integer within its range",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("must be {}", expected.replace('`', ""))
}

/// Keeps a name that can be a field's or an index, drops anything else.
fn safe_segment(segment: &str) -> String {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let inner = segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let acceptable = segment.len() <= 64 && plain(inner.unwrap_or(segment));
    if acceptable { segment.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Request {
        product: Product,
        #[serde(default)]
        parts: Vec<Product>,
        #[serde(default)]
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Product {
        name: String,
        #[serde(default)]
        count: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Watch,
        Bag,
    }

    fn field_error(text: &str) -> (String, String) {
        let problem = parse::<Request>(text.as_bytes()).unwrap_err();
        assert_eq!(problem.code(), ProblemCode::ValidationFailed, "{text}");
        let json: Value = serde_json::from_slice(&problem.to_json("", None)).unwrap();
        let error = &json["errors"][0];
        (error["field"].as_str().unwrap().into(), error["message"].as_str().unwrap().into())
    }

    #[track_caller]
    fn assert_malformed(bytes: &[u8]) -> String {
        let problem = parse::<Value>(bytes).unwrap_err();
        assert_eq!(problem.code(), ProblemCode::MalformedJson);
        let json: Value = serde_json::from_slice(&problem.to_json("", None)).unwrap();
        json["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_good_document_is_read() {
        let request: Request = parse(
            br#"{"product":{"name":"\u00fc","count":3},"parts":[{"name":"x"}],"kind":"bag"}"#,
        )
        .unwrap();
        assert_eq!((request.product.name.as_str(), request.product.count), ("ü", 3));
        assert!(matches!(request.kind, Some(Kind::Bag)) && request.parts.len() == 1);
    }

    #[test]
    fn what_parsers_disagree_about_is_malformed() {
        for text in [
            "",
            " ",
            "{",
            "nul",
            "NaN",
            "Infinity",
            "1e400",
            "01",
            "+1",
            "{'a':1}",
            "[1,]",
            "{\"a\":1,}",
            "// c\n1",
            "\u{feff}{}",
            "{} {}",
            "{}x",
            "\"\\ud800\"",
            "\"\\udc00x\"",
            "\"\u{1}\"",
            "{\"a\":1,\"a\":2}",
            "{\"a\":{\"b\":[{\"c\":1,\"c\":1}]}}",
            "{\"owner\":1,\"Owner\":2}",
            "{\"a\":1,\"\\u0061\":2}",
        ] {
            assert_malformed(text.as_bytes());
        }
        assert_malformed(&[b'"', 0xff, b'"']);
        assert_malformed(&[0xff, 0xfe, b'{', 0, b'}', 0]);
        assert_malformed(&[b'"', 0xc0, 0x80, b'"']);
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
        assert!(parse::<Value>(nested(DEPTH_LIMIT).as_bytes()).is_ok());
        for depth in [DEPTH_LIMIT + 1, 1_000_000] {
            assert!(assert_malformed(nested(depth).as_bytes()).contains("deeper"));
        }
        assert!(assert_malformed("{\"a\":".repeat(100_000).as_bytes()).contains("deeper"));
    }

    #[test]
    fn the_place_of_a_fault_is_named_by_line_and_column() {
        let detail = assert_malformed(b"{\n  \"secret\" 1\n}");
        assert_eq!(detail, "The body is not JSON (line 2, column 12).");
    }

    #[test]
    fn a_wrong_field_is_named_by_its_path() {
        let cases = [
            (r#"{}"#, "product", "is required"),
            (r#"{"product":{}}"#, "product.name", "is required"),
            (r#"{"product":{"name":null}}"#, "product.name", "must be a string"),
            (r#"{"product":{"name":"x","nmae":1}}"#, "product.nmae", "is not a known field"),
            (
                r#"{"product":{"name":"x"},"parts":[{"name":7}]}"#,
                "parts[0].name",
                "must be a string",
            ),
            (
                r#"{"product":{"name":"x","count":256}}"#,
                "product.count",
                "must be a whole number within its range",
            ),
            (
                r#"{"product":{"name":"x","count":1.0}}"#,
                "product.count",
                "must be a whole number within its range",
            ),
            (r#"{"product":{"name":"x"},"kind":"car"}"#, "kind", "must be watch or bag"),
            (r#"{"product":[]}"#, "product", "must be an object"),
            (r#"{"product":["x",3]}"#, "product", "must be an object"),
            (r#"[{"name":"x"},[],"bag"]"#, "", "must be an object"),
            (r#"{"product":{"name":"x"},"parts":[["x",3]]}"#, "parts[0]", "must be an object"),
            (r#"{"product":{"name":"x"},"kind":null}"#, "kind", "is not acceptable"),
            (r#"{"product":{"name":"x"},"parts":{}}"#, "parts", "must be an array"),
        ];
        for (text, field, message) in cases {
            assert_eq!(field_error(text), (field.to_owned(), message.to_owned()), "{text}");
        }
    }

    #[test]
    fn nothing_of_the_text_is_repeated() {
        for text in [
            r#"{"product":"S3CRET, expected S3CRET"}"#,
            r#"{"product":{"name":"x","count":"S3CRET"}}"#,
            r#"{"product":{"name":"x"},"kind":"S3CRET"}"#,
            r#"{"product":{"name":"x"},"S3 CRET<script>":1}"#,
        ] {
            let (field, message) = field_error(text);
            assert!(!message.contains("S3") && !field.contains("S3"), "{text}: {field} {message}");
        }
    }
}
