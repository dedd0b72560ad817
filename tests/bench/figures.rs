//! The figures of docs/PERFORMANCE.md, each beside what bounds it, measured in one run.
//!
//! `tests/bench/run` builds, installs `wrk` if it is missing and prints a table. Nothing here
//! passes or fails: figures are compared in the same run, on the same machine, never as absolutes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod accept;
mod anchor;
mod backup;
mod bare;
mod batch;
mod bundle;
mod idle;
mod list;
mod load;
mod login;
mod login_inside;
mod processes;
mod store;
mod verify;

use std::process::ExitCode;

/// One line of the table.
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// The figure with its unit.
    pub(crate) value: String,
    /// What it is compared with.
    pub(crate) beside: String,
    /// The ratio, where there is one.
    pub(crate) ratio: Option<f64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [command, body] = arguments.as_slice()
        && command == "bare-axum"
    {
        bare::serve(body);
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|a| a == name);
    let mut table = Vec::new();
    if wanted("verify") {
        table.extend(verify::measure());
    }
    if wanted("accept") {
        table.extend(accept::measure());
    }
    if wanted("anchor") {
        table.extend(anchor::measure());
    }
    if wanted("backup") {
        table.extend(backup::measure());
    }
    if wanted("batch") {
        table.extend(batch::measure());
    }
    if wanted("bundle") {
        table.extend(bundle::measure());
    }
    if wanted("idle") {
        table.extend(idle::measure());
    }
    if wanted("list") {
        table.extend(list::measure());
    }
    if wanted("login") {
        table.extend(login::measure());
    }
    print_table(&table);
    ExitCode::SUCCESS
}

fn print_table(table: &[Figure]) {
    println!("\n| figure | measured | beside, in the same run | ratio |");
    println!("|---|---|---|---|");
    for figure in table {
        let ratio = figure.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        println!("| {} | {} | {} | {ratio} |", figure.name, figure.value, figure.beside);
    }
}

/// Returns the middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
