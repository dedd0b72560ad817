//! `patchproof backup list`: what lies in the folder of backups.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::storage::backup::{ListedBackup, list_backups};

pub(super) fn list(folder: &Path, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let backups = list_backups(folder)?;
    let output = &surroundings.output;
    if output.is_json {
        let backups: Vec<Value> = backups.iter().map(shown).collect();
        output.json(&json!({ "folder": folder, "backups": backups }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: Vec<Vec<String>> = backups.iter().map(line).collect();
    output.table(&["name", "bytes", "taken at", "schema"], &lines)?;
    output.talk(&format!("{} backups in {}", backups.len(), folder.display()));
    Ok(ExitCode::SUCCESS)
}

fn shown(backup: &ListedBackup) -> Value {
    match &backup.header {
        Ok(header) => json!({
            "name": backup.name, "bytes": backup.bytes, "takenAt": header.taken_at(),
            "schema": header.schema, "program": header.program,
        }),
        Err(problem) => json!({ "name": backup.name, "bytes": backup.bytes, "problem": problem }),
    }
}

fn line(backup: &ListedBackup) -> Vec<String> {
    let (taken_at, schema) = match &backup.header {
        Ok(header) => (header.taken_at().to_string(), header.schema.to_string()),
        Err(problem) => (problem.clone(), String::new()),
    };
    vec![backup.name.clone(), backup.bytes.to_string(), taken_at, schema]
}
