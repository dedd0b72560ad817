//! The rules of the house, held against every file of the source.
//!
//! docs/ARCHITECTURE.md says them in prose. Each rule is a function from a file to the lines that
//! break it, and is itself held against a small file in which it is broken, so that a rule that
//! has stopped looking is noticed. Nothing but the standard library is used.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "architecture/floors.rs"]
mod floors;
#[path = "architecture/shape.rs"]
mod shape;
#[path = "architecture/source.rs"]
mod source;

use std::path::Path;

use source::Source;

/// A rule: the lines of a file that break it, each as a sentence.
type Rule = fn(&Source) -> Vec<String>;

/// Reads every file below src.
fn house() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, &root.join("src"), &mut files);
    assert!(files.len() > 100, "only {} files were found", files.len());
    source::mark_test_files(&mut files);
    files
}

/// Reads every file of the tests, which need only be short.
fn tests_of_the_house() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, &root.join("tests"), &mut files);
    assert!(files.len() > 100, "only {} files were found", files.len());
    files
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<Source>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.push(Source::new(&name, &std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[track_caller]
fn assert_kept(rule: Rule) {
    assert_kept_in(&house(), rule);
}

#[track_caller]
fn assert_kept_in(files: &[Source], rule: Rule) {
    let broken: Vec<String> = files
        .iter()
        .flat_map(|file| rule(file).into_iter().map(|line| format!("{}: {line}", file.path)))
        .collect();
    assert!(broken.is_empty(), "{} places:\n{}", broken.len(), broken.join("\n"));
}

/// Asserts that a rule sees what breaks it in `bad`, and nothing in `good`.
#[track_caller]
fn assert_sees(rule: Rule, path: &str, bad: &[&str], good: &[&str]) {
    for text in bad {
        let seen = rule(&Source::new(path, text));
        assert!(!seen.is_empty(), "{path} should break the rule:\n{text}");
    }
    for text in good {
        let seen = rule(&Source::new(path, text));
        assert!(seen.is_empty(), "{path} keeps the rule, but: {seen:?}\n{text}");
    }
}
