//! Where commands write: data to standard output, talk to standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
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

    /// Prints lines in columns, under their names where somebody watches; a program that reads
    /// gets the lines alone.
    pub(super) fn table(&self, names: &[&str], lines: &[Vec<String>]) -> io::Result<()> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let is_watched = io::stdout().is_terminal() && !lines.is_empty();
        let shown: Vec<&Vec<String>> =
            is_watched.then_some(&names).into_iter().chain(lines).collect();
        let width = |column: usize| {
            let cells = shown.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..names.len()).map(width).collect();
        for line in shown {
            let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Shows on a terminal how far work is, of `count` steps; elsewhere nothing.
    pub(super) fn bar(&self, count: usize, what: &'static str) -> ProgressBar {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {eta}");
        let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX)).with_message(what);
        match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// Shows on a terminal that work goes on; elsewhere nothing.
    pub(super) fn spinner(&self, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
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
