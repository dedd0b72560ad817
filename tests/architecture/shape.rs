//! Size, form and words of files and functions, and what only one place may do.

use crate::source::Source;
use crate::{assert_kept, assert_kept_in, assert_sees, tests_of_the_house};

const MOST_LINES: usize = 400;
const MOST_FUNCTION_LINES: usize = 60;

fn files_are_short(file: &Source) -> Vec<String> {
    let lines = file.text.lines().count();
    let too_long = lines > MOST_LINES;
    too_long.then(|| format!("{lines} lines, at most {MOST_LINES}")).into_iter().collect()
}

#[test]
fn no_file_is_longer_than_400_lines() {
    assert_kept(files_are_short);
    assert_kept_in(&tests_of_the_house(), files_are_short);
}

#[test]
fn a_long_file_is_seen() {
    let lines = |count| "//! x\n".repeat(count);
    assert_sees(files_are_short, "src/a.rs", &[&lines(401)], &[&lines(400)]);
}

/// Finds the functions that have a body, as (place, name, lines).
fn functions(file: &Source) -> Vec<(usize, String, usize)> {
    let code = &file.code;
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let name: String = code[at + 3..].chars().take_while(|c| !"(<".contains(*c)).collect();
        if let Some(end) = body_end(&code[at..]) {
            found.push((at, name, code[at..at + end].lines().count()));
        }
    }
    found
}

/// Returns where the body that begins after a signature ends, if there is a body.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut others) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => others += 1,
            b')' | b']' => others = others.saturating_sub(1),
            b';' if braces == 0 && others == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 && others == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn functions_are_short(file: &Source) -> Vec<String> {
    let too_long = functions(file).into_iter().filter(|(_, _, lines)| *lines > MOST_FUNCTION_LINES);
    let told = too_long.map(|(at, name, lines)| {
        format!(
            "line {}: {name} has {lines} lines, at most {MOST_FUNCTION_LINES}",
            file.line_of(at)
        )
    });
    told.collect()
}

#[test]
fn no_function_is_longer_than_60_lines() {
    assert_kept(functions_are_short);
}

#[test]
fn a_long_function_is_seen() {
    let function =
        |lines: usize| format!("fn f(x: [u8; 4]) {{\n{}}}\n", "    x();\n".repeat(lines));
    let inside = format!("impl X {{\n    async {}}}\n", function(59));
    let declared = format!("trait T {{\n    fn f();\n{}}}\n", "    fn g();\n".repeat(70));
    assert_sees(
        functions_are_short,
        "src/a.rs",
        &[&function(59), &inside],
        &[&function(58), &declared, "type F = fn() -> u8;"],
    );
}

fn files_open_with_their_purpose(file: &Source) -> Vec<String> {
    let opens = file.text.starts_with("//! ");
    (!opens).then(|| "does not open with //!".to_owned()).into_iter().collect()
}

#[test]
fn every_file_opens_with_its_purpose() {
    assert_kept(files_open_with_their_purpose);
}

#[test]
fn a_file_without_a_purpose_is_seen() {
    let bad = ["use a::b;", "// x", "/// x\nfn f() {}", ""];
    assert_sees(files_open_with_their_purpose, "src/a.rs", &bad, &["//! What it is for.\n"]);
}

fn nothing_is_left_open(file: &Source) -> Vec<String> {
    let in_code = ["todo!", "unimplemented!", "dbg!", "#[allow(", "#![allow("];
    // Put together here, so that this file does not say them.
    let in_text = [["FIX", "ME"].concat(), ["TO", "DO"].concat()];
    let code =
        in_code.iter().filter(|word| file.code.contains(*word)).map(|word| (*word).to_owned());
    let text = in_text.into_iter().filter(|word| file.text.contains(word.as_str()));
    code.chain(text).map(|word| format!("contains {word}")).collect()
}

#[test]
fn nothing_is_left_for_later() {
    assert_kept(nothing_is_left_open);
}

#[test]
fn what_is_left_for_later_is_seen() {
    let comment = ["// TO", "DO: later"].concat();
    let fix = ["/// FIX", "ME"].concat();
    let bad = [
        "fn f() { todo!() }",
        "dbg!(x);",
        "unimplemented!()",
        "#[allow(dead_code)]",
        &comment,
        &fix,
    ];
    let good = ["#[expect(dead_code, reason = \"x\")]", "let x = \"dbg!\";", "// allow(this)"];
    assert_sees(nothing_is_left_open, "src/a.rs", &bad, &good);
}

fn names_say_something(file: &Source) -> Vec<String> {
    const EMPTY: [&str; 8] =
        ["util", "utils", "common", "helper", "helpers", "manager", "misc", "shared"];
    let parts = file.path.split('/').map(|part| part.trim_end_matches(".rs"));
    parts.filter(|part| EMPTY.contains(part)).map(|part| format!("is called {part}")).collect()
}

#[test]
fn every_file_is_named_by_the_word_of_its_field() {
    assert_kept(names_say_something);
}

#[test]
fn a_name_that_says_nothing_is_seen() {
    for bad in ["src/http/util.rs", "src/helpers/mod.rs", "src/misc.rs", "src/a/manager.rs"] {
        assert_sees(names_say_something, bad, &[""], &[]);
    }
    assert_sees(names_say_something, "src/http/utilities_of_trade.rs", &[], &[""]);
}

/// Tells where a word of code stands, outside of the one place where it may.
fn outside(file: &Source, place: &str, words: &[&str]) -> Vec<String> {
    if file.path.starts_with(place) {
        return Vec::new();
    }
    let at = |word: &&str| file.production.find(*word).map(|at| (at, (*word).to_owned()));
    let found = words.iter().filter_map(at);
    found.map(|(at, word)| format!("line {}: {word}, only in {place}", file.line_of(at))).collect()
}

fn configuration_is_read_in_one_place(file: &Source) -> Vec<String> {
    outside(file, "src/config", &["env::var"])
}

fn the_clock_is_read_in_one_place(file: &Source) -> Vec<String> {
    outside(file, "src/types/time.rs", &["SystemTime::now", "jiff::Timestamp::now"])
}

fn randomness_comes_from_one_place(file: &Source) -> Vec<String> {
    outside(file, "src/crypto/", &["getrandom::"])
}

#[test]
fn configuration_time_and_randomness_come_from_one_place_each() {
    assert_kept(configuration_is_read_in_one_place);
    assert_kept(the_clock_is_read_in_one_place);
    assert_kept(randomness_comes_from_one_place);
}

#[test]
fn a_second_source_of_configuration_time_or_randomness_is_seen() {
    let bad = ["let x = std::env::var(\"X\");", "for x in env::vars() {}", "env::var_os(x);"];
    let good = ["#[cfg(test)]\nmod tests { fn f() { std::env::var(\"X\"); } }"];
    assert_sees(configuration_is_read_in_one_place, "src/http/edge.rs", &bad, &good);
    assert_sees(configuration_is_read_in_one_place, "src/config/mod.rs", &[], &bad);
    let bad = ["let now = SystemTime::now();", "std::time::SystemTime::now()"];
    assert_sees(the_clock_is_read_in_one_place, "src/worker/mod.rs", &bad, &["clock.now()"]);
    assert_sees(the_clock_is_read_in_one_place, "src/types/time.rs", &[], &bad);
    let bad = ["getrandom::fill(&mut x)"];
    assert_sees(randomness_comes_from_one_place, "src/auth/token.rs", &bad, &["random_bytes()"]);
}

fn handlers_say_who_may_call(file: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    for (at, _) in file.code.match_indices("#[utoipa::path") {
        let rest = &file.code[at..];
        let Some(function) = rest.find("fn ") else { continue };
        let signature = &rest[function..];
        let signature = &signature[..signature.find("->").or(signature.find('{')).unwrap_or(0)];
        if !["Authorized", "BearerToken", "Public"].iter().any(|word| signature.contains(word)) {
            broken.push(format!("line {}: a handler without a permission", file.line_of(at)));
        }
    }
    broken
}

#[test]
fn every_handler_says_who_may_call_it() {
    assert_kept(handlers_say_who_may_call);
    let handlers = crate::house();
    let count: usize = handlers.iter().map(|f| f.code.matches("#[utoipa::path").count()).sum();
    assert!(count >= 18, "only {count} handlers were found");
}

#[test]
fn a_handler_without_a_permission_is_seen() {
    let handler = |argument: &str| {
        format!(
            "#[utoipa::path(get, path = \"/x\")]\nasync fn x({argument}state: State<S>) -> R {{\n}}"
        )
    };
    assert_sees(
        handlers_say_who_may_call,
        "src/http/x.rs",
        &[&handler(""), &handler("public: u8, ")],
        &[&handler("_public: Public, "), &handler("a: Authorized<permission::Pos>, ")],
    );
}
