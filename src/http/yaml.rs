//! JSON written as YAML, for the one document that people like to read that way.
//!
//! Text is quoted as in JSON, which YAML 1.2 contains, unless it is a plain word; so no value can
//! change its type, as `no` or `1.10` would.

use std::fmt::Write as _;

use serde_json::Value;

/// Words that some reader of YAML takes for something other than text.
const RESERVED: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan"];

/// Writes a value as a YAML document in block style.
pub(super) fn write(value: &Value) -> String {
    let mut output = String::new();
    write_value(&mut output, value, 0);
    output.trim_start_matches(['\n', ' ']).to_owned()
}

/// Writes what follows a key or a dash, the end of the line included.
fn write_value(output: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            output.push('\n');
            for (name, member) in members {
                let _ = write!(output, "{:indent$}{}:", "", scalar(name));
                write_value(output, member, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            output.push('\n');
            for item in items {
                let _ = write!(output, "{:indent$}-", "");
                write_value(output, item, indent + 2);
            }
        }
        Value::String(text) => {
            let _ = writeln!(output, " {}", scalar(text));
        }
        Value::Object(_) => output.push_str(" {}\n"),
        Value::Array(_) => output.push_str(" []\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = writeln!(output, " {value}");
        }
    }
}

fn scalar(text: &str) -> String {
    let starts_as_word = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if starts_as_word && is_word && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return text.to_owned();
    }
    let quoted = Value::from(text).to_string();
    let is_unprintable =
        |letter: char| matches!(letter, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    if !quoted.contains(is_unprintable) {
        return quoted;
    }
    quoted.chars().fold(String::new(), |mut escaped, letter| {
        if is_unprintable(letter) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(letter));
        } else {
            escaped.push(letter);
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_values_stand_in_block_style() {
        let value = json!({
            "openapi": "3.1.0",
            "paths": {"/a/{b}": {"get": {"tags": ["x", "y z"], "security": [{}, {"apiKey": []}]}}},
        });
        let expected = "openapi: \"3.1.0\"\npaths:\n  \"/a/{b}\":\n    get:\n      security:\n        \
                        - {}\n        -\n          apiKey: []\n      tags:\n        - x\n        - \"y z\"\n";
        assert_eq!(write(&value), expected);
    }

    #[test]
    fn text_stays_text() {
        for text in ["no", "True", "null", "1.10", "0x1", "~", "", "a: b", "- a", "#", "200"] {
            assert!(scalar(text).starts_with('"'), "{text}");
        }
        assert_eq!(scalar("line\nbreak\u{2028}"), "\"line\\nbreak\\u2028\"");
        assert_eq!(scalar("patches"), "patches");
    }
}
