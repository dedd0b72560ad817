//! docs/PROMISES.md names tests; each must be in the tree.

use crate::top;

/// Where the promises are.
const PROMISES: &str = "docs/PROMISES.md";

/// Finds `path::name` in code marks: a file of the tree and the test in it.
fn named(line: &str) -> Vec<(String, String)> {
    let marked = line.split('`').skip(1).step_by(2);
    let pairs = marked.filter_map(|text| text.split_once("::"));
    pairs.map(|(path, name)| (path.to_owned(), name.to_owned())).collect()
}

/// Says whether a file has a test of that name: a Rust function under `#[test]`, a text given to `test`
/// of Node, or one given to `check` of a shell script.
fn has_test(path: &str, name: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(top().join(path)) else { return false };
    if path.ends_with(".rs") {
        let Some(at) = text.find(&format!("fn {name}(")) else { return false };
        let before = text[..at].rsplit("\n\n").next().unwrap_or_default();
        return before
            .lines()
            .map(str::trim_start)
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    }
    if !path.ends_with(".mjs") {
        return text.contains(&format!("check \"{name}\" "));
    }
    ["'", "\"", "`"].iter().any(|mark| text.contains(&format!("test({mark}{name}{mark}")))
}

#[test]
fn every_promise_names_a_test_that_is_there() {
    let text = std::fs::read_to_string(top().join(PROMISES)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let (mut count, mut wrong) = (0, Vec::new());
    for row in rows {
        count += 1;
        let tests = named(row);
        if tests.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        let gone = tests.iter().filter(|(path, name)| !has_test(path, name));
        wrong.extend(gone.map(|(path, name)| format!("{path} has no test {name}")));
    }
    assert!(count >= 30, "only {count} promises were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_test_that_is_not_there_is_seen() {
    let here = "tests/guide/promises.rs";
    assert!(has_test(here, "a_test_that_is_not_there_is_seen"));
    assert!(!has_test(here, "a_test_that_never_was"));
    assert!(!has_test(here, "has_test"), "a function is no test");
    assert!(!has_test("tests/guide/nothing.rs", "x"));
    assert!(has_test("tests/interop/login.test.mjs", "about addresses and messages"));
    assert!(!has_test("tests/interop/login.test.mjs", "about addresses"));
    let script = "tests/deb/units.sh";
    assert!(has_test(script, "the service cannot read the keys"));
    assert!(!has_test(script, "the service cannot"));
    let row = "| a | `src/a.rs::b`, `tests/c.test.mjs::d e` and `x` |";
    let pairs = [("src/a.rs", "b"), ("tests/c.test.mjs", "d e")];
    assert_eq!(named(row), pairs.map(|(path, name)| (path.to_owned(), name.to_owned())));
}
