//! `patchproof audit`: the audit trail.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::cli::store::{ReadStore, data_dir};
use crate::service::audit::{AuditFilter, AuditLine, AuditMark, holds_mark, list_audit};
use crate::storage::audit::audit_state;
use crate::types::{Digest, Timestamp};

/// Read and verify the audit trail
///
/// Every line holds the hash of the one before, so a line that was changed, removed or moved shows.
/// Only looks, and may run beside a server.
#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: AuditAction,
}

#[derive(Debug, Subcommand)]
enum AuditAction {
    /// List lines, oldest first
    List(ListArguments),
    /// Verify the whole trail; fails if it is not whole
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Only actions that begin with this, such as key.
    #[arg(long)]
    action: Option<String>,
    /// Only of this actor
    #[arg(long)]
    actor: Option<String>,
    /// Only about this
    #[arg(long)]
    subject: Option<String>,
    /// Only from this time on, such as 2026-01-31T12:00:00Z or 2026-01-31 (in UTC)
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only about this person: a pseudonym, as other lines have it
    #[arg(long, value_name = "PSEUDONYM")]
    person: Option<String>,
    /// The newest so many lines
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Debug, Args)]
struct VerifyArguments {
    /// What an earlier verify printed: the trail must still begin with it
    #[arg(long, value_name = "LINES:HASH", value_parser = parse_mark)]
    expect: Option<AuditMark>,
}

impl AuditCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let store = ReadStore::open(&data_dir(self.data_dir, surroundings)?)?;
        match self.action {
            AuditAction::List(arguments) => arguments.run(&store, surroundings),
            AuditAction::Verify(arguments) => arguments.run(&store, surroundings),
        }
    }
}

impl ListArguments {
    fn run(self, store: &ReadStore, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let Self { action, actor, subject, since, until, person, limit } = self;
        let filter = AuditFilter { action, actor, subject, since, until, person };
        let mut lines = store.read(|tx| {
            let (mut found, mut before) = (Vec::new(), None);
            while found.len() < limit {
                let (page, next) = list_audit(tx, &filter, before, limit - found.len())?;
                found.extend(page);
                if next.is_none() {
                    break;
                }
                before = next;
            }
            Ok(found)
        })?;
        lines.reverse();
        let output = &surroundings.output;
        if output.is_json {
            output.json(&lines.iter().map(line_json).collect::<Vec<_>>())?;
            return Ok(ExitCode::SUCCESS);
        }
        let cells: Vec<_> = lines.iter().map(line_cells).collect();
        output.table(&["LINE", "TIME", "WHO", "WHAT", "TO WHAT"], &cells)?;
        output.talk(&format!("{} lines", lines.len()));
        Ok(ExitCode::SUCCESS)
    }
}

impl VerifyArguments {
    fn run(self, store: &ReadStore, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let (state, holds) = store.read(|tx| {
            let holds = self.expect.as_ref().map(|mark| holds_mark(tx, mark)).transpose()?;
            Ok((audit_state(tx)?, holds))
        })?;
        let is_good = state.first_broken.is_none() && holds != Some(false);
        let mark = format!("{}:{}", state.lines, hex::encode(state.head.as_bytes()));
        let output = &surroundings.output;
        if output.is_json {
            output.json(&json!({
                "whole": state.first_broken.is_none(),
                "lines": state.lines,
                "firstBroken": state.first_broken,
                "mark": mark,
                "holdsExpected": holds,
            }))?;
        } else {
            if let Some(line) = state.first_broken {
                output.talk(&format!("line {line} does not follow from the one before"));
            }
            if holds == Some(false) {
                output.talk("the trail does not begin with what was expected: lines were cut off or replaced");
            }
            output.line(&mark)?;
        }
        Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn line_json(line: &AuditLine) -> Value {
    json!({
        "number": line.number,
        "at": line.entry.at.to_string(),
        "actor": line.entry.actor,
        "action": line.entry.action,
        "subject": line.entry.subject,
    })
}

fn line_cells(line: &AuditLine) -> Vec<String> {
    let entry = &line.entry;
    let (actor, action, subject) = (&entry.actor, &entry.action, &entry.subject);
    vec![
        line.number.to_string(),
        entry.at.to_string(),
        actor.clone(),
        action.clone(),
        subject.clone(),
    ]
}

fn parse_mark(text: &str) -> Result<AuditMark, String> {
    let refusal = || "a mark is written as LINES:HASH, as audit verify prints it".to_owned();
    let (lines, head) = text.split_once(':').ok_or_else(refusal)?;
    let mut bytes = [0u8; 32];
    hex::decode_to_slice(head, &mut bytes).map_err(|_| refusal())?;
    let lines = lines.parse().map_err(|_| refusal())?;
    Ok(AuditMark { lines, head: Digest::from_bytes(bytes) })
}
