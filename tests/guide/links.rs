//! Every link of README.md and docs/ leads to a file, and to an anchor that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use patchproof::http::guide::Document;

use crate::{documents, top};

/// Where documents may lead out of the repository: specifications and formats.
const OUTSIDE: [&str; 4] = [
    "https://c2sp.org/",
    "https://github.com/cberner/redb",
    "https://postcard.jamesmunns.com/",
    "https://rustup.rs",
];

fn read(markdown: &str) -> Document {
    Document::read(markdown, |link| Some(link.to_owned()))
}

fn anchors(document: &Document) -> BTreeSet<String> {
    document.sections.iter().map(|section| section.anchor.clone()).collect()
}

/// Resolves `..` and `.` of a path from the top of the repository; nothing if it leads out.
fn resolved(folder: &Path, link: &str) -> Option<PathBuf> {
    let mut found = PathBuf::new();
    for part in folder.join(link).components() {
        match part {
            Component::ParentDir => found.pop().then_some(())?,
            Component::Normal(name) => found.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(found)
}

/// Says what is wrong with the links of a document.
fn broken(
    path: &str,
    document: &Document,
    anchors_of: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap();
    let wrong = document.links.iter().filter_map(|link| {
        if link.contains("://") || link.starts_with("//") || link.starts_with("mailto:") {
            let is_known = OUTSIDE.iter().any(|known| link.starts_with(known));
            return (!is_known).then(|| format!("{path}: {link} leads out of the repository"));
        }
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let Some(file) = (if file.is_empty() { Some(path.into()) } else { resolved(folder, file) })
        else {
            return Some(format!("{path}: {link} leads out of the repository"));
        };
        let name = file.to_str().unwrap();
        if !top().join(&file).exists() {
            return Some(format!("{path}: {link}: there is no {name}"));
        }
        let known = anchor.is_empty()
            || anchors_of.get(name).is_some_and(|anchors| anchors.contains(anchor));
        (!known).then(|| format!("{path}: {link}: {name} has no such section"))
    });
    wrong.collect()
}

#[test]
fn every_link_leads_to_a_file_and_to_a_section_that_is_there() {
    let read: Vec<(String, Document)> =
        documents().iter().map(|text| (text.path.clone(), read(&text.markdown))).collect();
    let anchors_of: BTreeMap<String, BTreeSet<String>> =
        read.iter().map(|(path, document)| (path.clone(), anchors(document))).collect();
    let links: usize = read.iter().map(|(_, document)| document.links.len()).sum();
    assert!(links > 100, "only {links} links were found");
    let wrong: Vec<String> =
        read.iter().flat_map(|(path, document)| broken(path, document, &anchors_of)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_broken_link_is_seen() {
    let anchors_of =
        BTreeMap::from([("docs/LOG.md".to_owned(), BTreeSet::from(["states".to_owned()]))]);
    let seen =
        |link: &str| broken("docs/LOG.md", &read(&format!("[a]({link})")), &anchors_of).len();
    for bad in [
        "NOTHING.md",
        "LOG.md#statues",
        "#statues",
        "BATCH.md#states",
        "../docs/NOTHING.md",
        "../../other",
        "/docs",
        "https://example.com",
        "//example.com",
        "mailto:a@example.com",
    ] {
        assert_eq!(seen(bad), 1, "{bad}");
    }
    for good in ["LOG.md", "#states", "LOG.md#states", "../README.md", "bundle.schema.json"] {
        assert_eq!(seen(good), 0, "{good}");
    }
}

#[test]
fn every_document_is_in_the_index() {
    let texts = documents();
    let index = texts.iter().find(|text| text.path == "docs/README.md").unwrap();
    let links: BTreeSet<String> = read(&index.markdown).links.into_iter().collect();
    for text in &texts {
        let name = text.path.strip_prefix("docs/").filter(|name| *name != "README.md");
        assert!(name.is_none_or(|name| links.contains(name)), "docs/README.md lacks {}", text.path);
    }
}

/// Collects `docs/NAME.md` wherever a text of ours says it.
fn mentioned(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            mentioned(&path, found);
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (at, _) in text.match_indices("docs/") {
            let rest = &text[at + 5..];
            let name: String =
                rest.chars().take_while(|it| it.is_ascii_uppercase() || *it == '_').collect();
            if !name.is_empty() && rest[name.len()..].starts_with(".md") {
                found.push((path.display().to_string(), format!("docs/{name}.md")));
            }
        }
    }
}

#[test]
fn every_document_that_the_program_names_is_there() {
    let mut found = Vec::new();
    mentioned(&top().join("src"), &mut found);
    assert!(found.len() > 20, "only {} were found", found.len());
    for (place, document) in found {
        assert!(top().join(&document).is_file(), "{place} names {document}");
    }
}
