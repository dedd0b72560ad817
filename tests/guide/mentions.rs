//! What documents name is there: files of the source, commands, variables, routes.
//!
//! Only what stands in code marks is looked at, outside of fenced blocks.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::{Text, documents, top};

/// Folders that the paths of a document begin in: the document names the floor or the part.
const PLACES: [&str; 4] = ["", "src/", "src/service/", "static/admin/"];
/// The folder of a demo's data, in examples.
const DEMO: &str = "demo/";
/// Routes of others that documents speak of: ARC's policy.
const FOREIGN_ROUTES: [&str; 1] = ["/v1/policy"];

/// Finds what stands in code marks outside of fenced blocks.
fn marked(markdown: &str) -> Vec<String> {
    let mut is_fenced = false;
    let mut prose = String::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose.split('`').skip(1).step_by(2).map(|it| it.replace('\n', " ")).collect()
}

/// Collects what `find` finds in the code marks of every document, with where it stands.
fn named(find: impl Fn(&str) -> Vec<String>) -> BTreeSet<(String, String)> {
    let of = |text: Text| {
        let found: Vec<String> = marked(&text.markdown).iter().flat_map(|it| find(it)).collect();
        found.into_iter().map(move |name| (name, text.path.clone()))
    };
    documents().into_iter().flat_map(of).collect()
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let ends = [".rs", ".mjs", ".js", ".sh", ".json", ".toml"];
    let files = named(|mark| {
        let is_file = mark.contains('/')
            && !mark.contains(['*', '{', '<', ' ', ':'])
            && !mark.starts_with(['/', '.', '~'])
            && !mark.starts_with(DEMO)
            && ends.iter().any(|end| mark.ends_with(end));
        is_file.then(|| mark.to_owned()).into_iter().collect()
    });
    assert!(files.len() > 40, "only {} were found", files.len());
    let gone = files
        .iter()
        .filter(|(file, _)| !PLACES.iter().any(|place| top().join(place).join(file).exists()))
        .map(|(file, document)| format!("{document}: {file}"));
    let gone: Vec<String> = gone.collect();
    assert!(gone.is_empty(), "{}", gone.join("\n"));
}

fn program(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchproof"));
    command.args(arguments).env_clear().output().unwrap()
}

/// Finds the words of a command up to its first option or argument.
fn command(mark: &str) -> Vec<String> {
    let Some(rest) = mark.strip_prefix("patchproof ") else { return Vec::new() };
    let is_word = |word: &&str| {
        word.len() > 1 && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
    };
    let words: Vec<&str> =
        rest.split(' ').take_while(is_word).take_while(|it| !it.starts_with('-')).collect();
    (!words.is_empty()).then(|| words.join(" ")).into_iter().collect()
}

#[test]
fn every_command_that_a_document_names_is_there() {
    let commands = named(command);
    assert!(commands.len() > 30, "only {} were found", commands.len());
    let unknown = commands.iter().filter(|(words, _)| {
        let arguments: Vec<&str> = words.split(' ').chain(["--help"]).collect();
        !program(&arguments).status.success()
    });
    let unknown: Vec<String> =
        unknown.map(|(words, document)| format!("{document}: patchproof {words}")).collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

/// Finds a command with its options: `keys create --scope pos`, with `patchproof` before it or without.
fn with_options(mark: &str) -> Vec<String> {
    let plain = mark.strip_prefix("patchproof ").unwrap_or(mark);
    let is_one = plain.starts_with(|it: char| it.is_ascii_lowercase()) && plain.contains("--");
    is_one.then(|| plain.to_owned()).into_iter().collect()
}

/// Returns the options of a command line that the command does not have; nothing where its first word
/// is no command.
fn unknown_options(line: &str, commands: &BTreeSet<String>) -> Vec<String> {
    let words: Vec<&str> = line.split([' ', '[', ']', '|']).filter(|it| !it.is_empty()).collect();
    if !words.first().is_some_and(|first| commands.contains(*first)) {
        return Vec::new();
    }
    let names: Vec<&str> = words
        .iter()
        .copied()
        .take_while(|word| word.chars().all(|it| it.is_ascii_lowercase() || it == '-'))
        .take_while(|word| !word.starts_with('-'))
        .collect();
    let help = program(&[&names[..], &["--help"]].concat());
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let known: BTreeSet<&str> =
        help.split([' ', ',', '=', '[', '\n']).filter(|it| it.starts_with("--")).collect();
    let options = words.iter().filter(|word| word.starts_with("--"));
    let options = options.map(|word| word.split('=').next().unwrap_or_default().to_owned());
    options.filter(|option| !known.contains(option.as_str())).collect()
}

/// Returns the commands of the program, the first words of a command line.
fn commands() -> BTreeSet<String> {
    let help = String::from_utf8(program(&["--help"]).stdout).unwrap();
    let list = help.split("Commands:").nth(1).unwrap();
    let lines = list.lines().skip(1).take_while(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_option_that_a_document_names_is_one_of_its_command() {
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    let lines = named(with_options);
    assert!(lines.len() > 15, "only {} were found", lines.len());
    let wrong: Vec<String> = lines
        .iter()
        .flat_map(|(line, document)| {
            let unknown = unknown_options(line, &commands);
            unknown.into_iter().map(move |option| format!("{document}: {line}: {option}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(unknown_options("keys create --scopes pos --name=x", &commands), ["--scopes"]);
}

/// Finds names such as `SVD_CHALLENGE_TTL_SEC`.
fn capitals(mark: &str) -> Vec<String> {
    let name = mark.split('=').next().unwrap_or_default();
    let is_name = name.contains('_')
        && name.starts_with(|letter: char| letter.is_ascii_uppercase())
        && name.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_');
    is_name.then(|| name.to_owned()).into_iter().collect()
}

/// Every text below these folders, in which a name is known to somebody.
fn known_texts() -> String {
    fn collect(folder: &std::path::Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "node_modules") {
                    collect(&path, all);
                }
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                all.push_str(&text);
            }
        }
    }
    let mut all = std::fs::read_to_string(top().join("Cargo.toml")).unwrap();
    for folder in ["src", "tests", "packaging"] {
        if top().join(folder).is_dir() {
            collect(&top().join(folder), &mut all);
        }
    }
    all
}

#[test]
fn every_name_in_capitals_is_known_to_the_program_or_its_tests() {
    let names = named(capitals);
    assert!(names.len() > 80, "only {} were found", names.len());
    let known = known_texts();
    let unknown: Vec<String> = names
        .iter()
        .filter(|(name, _)| {
            // `X_FILE` is said of every secret `X`.
            let base = name.strip_suffix("_FILE").unwrap_or(name);
            !known.contains(base)
        })
        .map(|(name, document)| format!("{document}: {name}"))
        .collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

/// Says whether a path that a document names is the route: a part in braces is any part.
fn is_route(named: &str, route: &str) -> bool {
    let parts = |path: &str| -> Vec<String> { path.split('/').map(str::to_owned).collect() };
    let (named, route) = (parts(named), parts(route));
    // The beginning of routes is named, too: "everything below /v1/admin".
    let is_long_enough = named.len() == route.len() || (named.len() == 3 && route.len() > 3);
    is_long_enough
        && named.iter().zip(&route).all(|(one, other)| {
            one == other || other.starts_with('{') || (one.starts_with('{') && one.ends_with('}'))
        })
}

/// Finds paths below `/v1`, `/api` and `/internal`, without their query.
fn path(mark: &str) -> Vec<String> {
    let is_ours =
        |word: &&str| ["/v1/", "/api/", "/internal/"].iter().any(|begin| word.starts_with(begin));
    let words = mark.split(' ').filter(is_ours);
    let plain = words.map(|word| word.split(['?', '[', '\\']).next().unwrap_or_default());
    plain.filter(|word| !word.contains(['…', '*'])).map(str::to_owned).collect()
}

#[test]
fn every_route_that_a_document_names_is_there() {
    let description: Value = serde_json::from_slice(&program(&["openapi"]).stdout).unwrap();
    let routes: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    let paths = named(path);
    assert!(paths.len() > 60, "only {} were found", paths.len());
    let unknown: Vec<String> = paths
        .iter()
        .filter(|(path, _)| !FOREIGN_ROUTES.contains(&path.as_str()))
        .filter(|(path, _)| !routes.iter().any(|route| is_route(path, route)))
        .map(|(path, document)| format!("{document}: {path}"))
        .collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn what_is_not_there_would_be_seen() {
    assert_eq!(marked("a `b` c\n```\n`d`\n```\n`e\nf`"), ["b", "e f"]);
    assert_eq!(command("patchproof utxo split --dry-run"), ["utxo split"]);
    assert_eq!(command("patchproof verify FILE"), ["verify"]);
    assert_eq!(command("utxo split"), Vec::<String>::new());
    assert_eq!(capitals("E2E_MAINNET=1"), ["E2E_MAINNET"]);
    assert_eq!(capitals("Prefer"), Vec::<String>::new());
    assert_eq!(path("GET /v1/log/consistency?from=N[&to=M]"), ["/v1/log/consistency"]);
    assert!(is_route("/v1/patches/{id}/proof", "/v1/patches/{uid_tag_id}/proof"));
    assert!(!is_route("/v1/patches/proof", "/v1/patches/{uid_tag_id}/proof"));
    assert!(!program(&["nothing", "--help"]).status.success());
}
