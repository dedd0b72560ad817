//! Imports point down: which floor may use which.

use crate::source::Source;
use crate::{assert_kept, assert_sees};

/// The floors from the ground up; those of one line are neighbours and do not use each other.
const FLOORS: [&[&str]; 13] = [
    &["types"],
    &["crypto"],
    &["bitcoin", "outbound"],
    &["patch", "wallet", "anchor", "auth"],
    &["proof"],
    &["certificate"],
    &["storage", "chain", "signer", "mail", "export"],
    &["service"],
    &["http", "worker", "simnet"],
    &["app"],
    &["cli"],
    &["main"],
    &["lib"],
];

/// Leaves beside the house: everyone may use them, they use nothing above the ground.
const LEAVES: [&str; 2] = ["config", "telemetry"];

/// What some floors may not use although it lies below them, because another floor stands between.
const BARRED: [(&str, &[&str]); 2] = [
    ("http", &["storage", "chain", "signer", "mail"]),
    (
        "simnet",
        &[
            "outbound",
            "patch",
            "wallet",
            "anchor",
            "auth",
            "proof",
            "certificate",
            "storage",
            "chain",
            "signer",
            "mail",
            "export",
            "service",
            "config",
            "telemetry",
        ],
    ),
];

fn level(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|names| names.contains(&floor))
}

fn may_use(floor: &str, used: &str) -> bool {
    if floor == used {
        return true;
    }
    if BARRED.iter().any(|(name, barred)| *name == floor && barred.contains(&used)) {
        return false;
    }
    match (level(floor), level(used)) {
        (Some(floor), Some(used)) => used < floor,
        (Some(_), None) => LEAVES.contains(&used),
        (None, Some(used)) => LEAVES.contains(&floor) && used == 0,
        (None, None) => false,
    }
}

/// Finds every `crate::…` path of a file, in imports and elsewhere, as (place, first part).
fn paths(code: &str) -> Vec<(usize, String)> {
    let name_of = |text: &str| -> String {
        text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let rest = &code[at + 7..];
        match rest.strip_prefix('{') {
            None => found.push((at, name_of(rest))),
            Some(group) => {
                found.extend(group_names(group).iter().map(|item| (at, name_of(item))));
            }
        }
    }
    found
}

/// Splits the outermost items of `{a::{b, c}, d}`, of which the first brace is gone.
fn group_names(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut names) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(group[begin..at].trim());
                begin = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn imports_point_down(file: &Source) -> Vec<String> {
    let floor = file.floor();
    let known = |name: &str| level(name).is_some() || LEAVES.contains(&name);
    if !known(floor) {
        return vec![format!("{floor} is on no floor: give it a place in the table")];
    }
    paths(&file.code)
        .into_iter()
        .filter(|(_, used)| !may_use(floor, used))
        .map(|(at, used)| format!("line {}: {floor} uses {used}", file.line_of(at)))
        .collect()
}

#[test]
fn imports_point_down_only() {
    assert_kept(imports_point_down);
}

#[test]
fn an_import_that_points_up_is_seen() {
    let bad = [
        "use crate::storage::Store;",
        "use crate::{\n    service::Services,\n    chain::{self, ChainError},\n};",
        "fn f() { crate::signer::sign() }",
        "use crate::app::App;",
        "#[cfg(test)]\nmod tests { use crate::storage::Store; }",
    ];
    let good = [
        "use crate::service::Services;",
        "use crate::{service::Services, types::{Txid, Digest}};",
        "//! [`crate::storage::Store`]",
        "pub(in crate::http) fn f() {}",
        "use crate::telemetry::Metrics;",
        "macro_rules! m { () => { $crate::http::f() } }",
    ];
    assert_sees(imports_point_down, "src/http/patches.rs", &bad, &good);
    let bad =
        ["use crate::wallet::Utxo;", "use crate::auth::Scope;", "use crate::storage::Tables;"];
    assert_sees(imports_point_down, "src/patch/tag.rs", &bad, &["use crate::crypto::sha256;"]);
    let bad = ["use crate::storage::Tables;", "use crate::service::Services;"];
    assert_sees(imports_point_down, "src/proof/bundle.rs", &bad, &["use crate::patch::Record;"]);
    let bad = ["use crate::storage::Tables;", "use crate::http::edge;"];
    assert_sees(
        imports_point_down,
        "src/certificate/view.rs",
        &bad,
        &["use crate::proof::Bundle;"],
    );
    let bad = ["use crate::bitcoin::Script;", "use crate::chain::ChainError;"];
    assert_sees(imports_point_down, "src/outbound.rs", &bad, &["use crate::crypto::sha256;"]);
    let bad = ["use crate::chain::ChainError;", "use crate::patch::Tag;", "use crate::http::edge;"];
    assert_sees(imports_point_down, "src/simnet/node.rs", &bad, &["use crate::bitcoin::Script;"]);
    assert_sees(imports_point_down, "src/telemetry.rs", &["use crate::http::x;"], &[]);
    assert_sees(imports_point_down, "src/helpful/mod.rs", &["fn f() {}"], &[]);
}

fn imports_are_named(file: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let mut rest = file.production.as_str();
    let mut passed = 0;
    while let Some(at) = rest.find("use ") {
        let begins = rest[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || c == ')');
        let length = rest[at..].find(';').unwrap_or(rest.len() - at);
        let statement = &rest[at..at + length];
        if begins && statement.contains('*') {
            broken.push(format!("line {}: a glob", file.line_of(passed + at)));
        }
        passed += at + 4;
        rest = &file.production[passed..];
    }
    for (at, _) in file.code.match_indices("super::super") {
        broken.push(format!("line {}: super::super", file.line_of(at)));
    }
    broken
}

#[test]
fn every_import_names_what_it_imports() {
    assert_kept(imports_are_named);
}

#[test]
fn a_glob_is_seen() {
    let bad = [
        "use crate::types::*;",
        "pub use a::{\n    b,\n    c::*,\n};",
        "pub(crate) use a::*;",
        "fn f() {\n    use Stage::*;\n}",
        "use super::super::x;",
    ];
    let good = [
        "#[cfg(test)]\nmod tests {\n    use super::*;\n}",
        "use a::b;\nfn f() -> u32 { 2 * 3 }",
        "// use a::*;",
    ];
    assert_sees(imports_are_named, "src/http/patches.rs", &bad, &good);
}
