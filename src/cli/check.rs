//! `patchproof check`: whether everything stored agrees with everything else.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::cli::Surroundings;
use crate::cli::store::{ReadStore, data_dir};
use crate::storage::{CheckReport, check, check_acknowledged};
use crate::types::RecordId;

/// Check that everything stored agrees with everything else
///
/// Recomputes commitments, transaction identifiers, sums and links, and trusts no index. Changes
/// nothing, and may run beside a server. Fails if anything is wrong.
#[derive(Debug, Args)]
pub(super) struct CheckCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// File with one record identifier a line, each of which must be stored
    #[arg(long, value_name = "FILE")]
    acknowledged: Option<PathBuf>,
}

impl CheckCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let acknowledged = self.acknowledged.as_deref().map(read_identifiers).transpose()?;
        let data_dir = data_dir(self.data_dir, surroundings)?;
        let store = ReadStore::open(&data_dir)?;
        let mut report = store.read(check)?;
        if let Some(ids) = acknowledged {
            let missing = store.read(|tx| check_acknowledged(tx, ids.into_iter()))?;
            report.violation_count += missing.violation_count;
            report.violations.extend(missing.violations);
        }
        print(&report, surroundings)?;
        Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn read_identifiers(path: &Path) -> anyhow::Result<Vec<RecordId>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| line.parse().with_context(|| format!("{line:?} in {}", path.display())))
        .collect()
}

fn print(report: &CheckReport, surroundings: &Surroundings) -> anyhow::Result<()> {
    let output = &surroundings.output;
    if output.is_json {
        let mut value = serde_json::to_value(report)?;
        value["clean"] = json!(report.is_clean());
        output.json(&value)?;
        return Ok(());
    }
    for violation in &report.violations {
        let (invariant, subject) = (violation.invariant, &violation.subject);
        output.line(&format!("{invariant}  {subject}  {}", violation.detail))?;
    }
    let rows: u64 = report.rows.values().sum();
    output.talk(&format!("{rows} rows checked, {} violations", report.violation_count));
    Ok(())
}
