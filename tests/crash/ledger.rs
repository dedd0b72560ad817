//! What the process acknowledged, kept outside of it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One acknowledged record.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    /// The record.
    pub(crate) id: String,
    /// `registration` or `transfer`.
    pub(crate) kind: &'static str,
}

/// Acknowledgements, each on disk before it counts.
pub(crate) struct Ledger {
    file: File,
    path: PathBuf,
    entries: Vec<Acknowledged>,
}

impl Ledger {
    /// Starts an empty ledger.
    pub(crate) fn create(directory: &Path) -> Self {
        let path = directory.join("acknowledged.txt");
        Self { file: File::create(&path).unwrap(), path, entries: Vec::new() }
    }

    /// Writes acknowledgements down; a record that is acknowledged again counts once.
    pub(crate) fn note(&mut self, acknowledged: Vec<Acknowledged>) {
        for entry in acknowledged {
            if self.entries.iter().any(|known| known.id == entry.id) {
                continue;
            }
            writeln!(self.file, "{}", entry.id).unwrap();
            self.entries.push(entry);
        }
        self.file.sync_data().unwrap();
    }

    /// Returns the file: one identifier a line.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns all entries.
    pub(crate) fn entries(&self) -> &[Acknowledged] {
        &self.entries
    }

    /// Returns how many records were acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
