//! Where commands write: data to standard output, talk to standard error.

use std::io::{self, Write};

use serde::Serialize;

/// Where a command writes, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// Whether data is printed as JSON.
    pub(super) is_json: bool,
}

impl Output {
    /// Prints data, exactly.
    pub(super) fn raw(&self, data: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(data)?;
        stdout.flush()
    }

    /// Prints a line of data.
    pub(super) fn line(&self, text: &str) -> io::Result<()> {
        self.raw(format!("{text}\n").as_bytes())
    }

    /// Prints data as JSON, indented.
    pub(super) fn json(&self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.raw(&text)
    }

    /// Says something to whoever watches; nobody may.
    pub(super) fn talk(&self, text: &str) {
        drop(writeln!(io::stderr().lock(), "{text}"));
    }

    /// Warns whoever watches.
    pub(super) fn warn(&self, warnings: &[String]) {
        for warning in warnings {
            self.talk(&format!("warning: {warning}"));
        }
    }
}
