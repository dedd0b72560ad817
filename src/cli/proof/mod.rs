//! `patchproof proof`: bundles fetched and brought up to date. Checking one is `patchproof verify`.

mod get;
mod source;
mod upgrade;

pub(super) use source::Source;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::cli::Surroundings;
use crate::proof::{Bundle, Report, Trust, Verdict, verify};

/// Fetch proof bundles and bring them up to date
#[derive(Debug, Args)]
pub(super) struct ProofCommand {
    #[command(subcommand)]
    action: ProofAction,
}

#[derive(Debug, Subcommand)]
enum ProofAction {
    Get(get::GetArguments),
    Upgrade(upgrade::UpgradeArguments),
}

impl ProofCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        match self.action {
            ProofAction::Get(arguments) => arguments.run(surroundings),
            ProofAction::Upgrade(arguments) => arguments.run(surroundings),
        }
    }
}

/// Refuses a bundle in which something is wrong; one that waits for its block is not.
pub(super) fn refuse_wrong(bundle: &Bundle) -> anyhow::Result<Report> {
    let report = verify(bundle, &Trust::default());
    match report.first_failure().filter(|_| report.verdict == Verdict::Failed) {
        Some(step) => anyhow::bail!(
            "what the server gave proves nothing: {} of {}: {}",
            step.name,
            step.subject,
            step.detail
        ),
        None => Ok(report),
    }
}

/// Writes a bundle in one step: whoever reads finds the old file or the new one, never a part.
fn write_bundle(bundle: &Bundle, path: &Path) -> anyhow::Result<()> {
    write_file(&bundle.to_bytes()?, path)
}

/// Writes a file in one step.
pub(super) fn write_file(bytes: &[u8], path: &Path) -> anyhow::Result<()> {
    let unwritable = || format!("{} cannot be written", path.display());
    let name = path.file_name().with_context(unwritable)?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(beside);
    let write = || {
        let mut file = std::fs::File::create_new(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(&beside))).with_context(unwritable)
}

/// Says how far the records of a bundle have come.
fn told(bundle: &Bundle, report: &Report) -> String {
    let mined = report.events.iter().filter(|event| event.block.is_some()).count();
    let all = bundle.records.len();
    if bundle.is_complete() {
        format!("{all} records, all in blocks")
    } else {
        format!("{all} records, {mined} in blocks; upgrade the file when the others are")
    }
}
