//! The documents against what they speak of: links lead somewhere, commands run and answer as shown,
//! promises name tests that are there.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commands;
mod fences;
mod links;
mod mentions;
mod promises;
mod shape;

use std::path::{Path, PathBuf};

/// A document of the repository.
pub(crate) struct Text {
    /// Its path from the top of the repository.
    pub(crate) path: String,
    pub(crate) markdown: String,
}

/// Returns the top of the repository.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Reads README.md and every document of docs/.
pub(crate) fn documents() -> Vec<Text> {
    let mut paths = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(top().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            paths.push(format!("docs/{name}"));
        }
    }
    paths.sort();
    let read = |path: String| {
        let markdown = std::fs::read_to_string(top().join(&path)).unwrap();
        Text { path, markdown }
    };
    paths.into_iter().map(read).collect()
}
