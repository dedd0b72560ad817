//! Compares what was printed with what a document shows of it.
//!
//! `…` stands for anything: within a line or a JSON text for any letters, as a whole line for any
//! lines, as the last member of an object (`"…": "…"`) or element of an array (`"…"`) for whatever
//! follows. Numbers of JSON are compared by kind: heights and amounts are each run's own.

use serde_json::Value;

const ANY: &str = "…";

/// Says whether a line is as shown.
fn line_fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split(ANY);
    let Some(rest) = parts.next().and_then(|begin| printed.strip_prefix(begin)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(end) = parts.pop() else { return rest.is_empty() };
    let mut rest = rest;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

/// Says whether lines are as shown.
pub(crate) fn text_fits(shown: &str, printed: &str) -> bool {
    fn fits(shown: &[&str], printed: &[&str]) -> bool {
        match shown.split_first() {
            None => printed.is_empty(),
            Some((line, rest)) if line.trim() == ANY => {
                (0..=printed.len()).any(|passed| fits(rest, &printed[passed..]))
            }
            Some((line, rest)) => printed.split_first().is_some_and(|(first, others)| {
                line_fits(line.trim_end(), first.trim_end()) && fits(rest, others)
            }),
        }
    }
    let shown: Vec<&str> = shown.trim().lines().collect();
    let printed: Vec<&str> = printed.trim().lines().collect();
    fits(&shown, &printed)
}

/// Says where a JSON value is not as shown.
pub(crate) fn json_differs(shown: &Value, printed: &Value, place: &str) -> Option<String> {
    let differs = || Some(format!("{place}: shown {shown}, printed {printed}"));
    match (shown, printed) {
        (Value::String(shown), _) if shown == ANY => None,
        (Value::String(shown), Value::String(printed)) if line_fits(shown, printed) => None,
        (Value::Number(_), Value::Number(_)) => None,
        (Value::Object(shown), Value::Object(printed)) => {
            let is_open = shown.contains_key(ANY);
            let more = printed.keys().find(|name| !is_open && !shown.contains_key(*name));
            if let Some(more) = more {
                return Some(format!("{place}.{more} is not shown"));
            }
            shown.iter().filter(|(name, _)| *name != ANY).find_map(|(name, value)| {
                let place = format!("{place}.{name}");
                match printed.get(name) {
                    Some(printed) => json_differs(value, printed, &place),
                    None => Some(format!("{place} is not printed")),
                }
            })
        }
        (Value::Array(shown), Value::Array(printed)) => {
            let is_open = shown.last().is_some_and(|last| last == ANY);
            let said = if is_open { &shown[..shown.len() - 1] } else { &shown[..] };
            if printed.len() < said.len() || (!is_open && printed.len() > said.len()) {
                return Some(format!("{place} has {} elements", printed.len()));
            }
            let mut pairs = said.iter().zip(printed).enumerate();
            pairs.find_map(|(at, (one, other))| json_differs(one, other, &format!("{place}[{at}]")))
        }
        _ if shown == printed => None,
        _ => differs(),
    }
}

#[test]
fn lines_are_compared_with_room_for_what_is_each_runs_own() {
    for (shown, printed) in [
        ("a\nb", "a\nb\n"),
        ("a … c", "a b c"),
        ("…", ""),
        ("a\n…\nd", "a\nb\nc\nd"),
        ("ok …, … steps", "ok 1, 2 steps"),
        ("x…", "x"),
    ] {
        assert!(text_fits(shown, printed), "{shown} {printed}");
    }
    for (shown, printed) in [
        ("a", "a\nb"),
        ("a\nb", "a"),
        ("a … c", "a b d"),
        ("a\n…\nd", "a\nb\nc"),
        ("a", "ab"),
        ("…b", "ba"),
    ] {
        assert!(!text_fits(shown, printed), "{shown} {printed}");
    }
}

#[test]
fn json_is_compared_by_its_shape() {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let differs = |shown: &str, printed: &str| json_differs(&value(shown), &value(printed), "$");
    for (shown, printed) in [
        (r#"{"a":1,"b":"x…"}"#, r#"{"b":"xyz","a":7}"#),
        (r#"{"a":1,"…":"…"}"#, r#"{"a":1,"c":null}"#),
        (r#"[1,"…"]"#, "[2,3,4]"),
        (r#"{"a":"…"}"#, r#"{"a":[1]}"#),
    ] {
        assert_eq!(differs(shown, printed), None, "{shown} {printed}");
    }
    for (shown, printed) in [
        (r#"{"a":1}"#, r#"{"a":"1"}"#),
        (r#"{"a":1}"#, r#"{"a":1,"c":2}"#),
        (r#"{"a":1,"…":"…"}"#, r#"{"b":1}"#),
        (r#"{"a":"x"}"#, r#"{"a":"y"}"#),
        (r#"{"a":true}"#, r#"{"a":false}"#),
        ("[1]", "[1,2]"),
        (r#"[1,2,"…"]"#, "[1]"),
    ] {
        assert!(differs(shown, printed).is_some(), "{shown} {printed}");
    }
}
