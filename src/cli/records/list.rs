//! `patchproof records list`: how far records have come, and what is wrong with those that stopped.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::cli::desk::Place;
use crate::cli::records::StageWord;
use crate::cli::store::ReadStore;
use crate::service::anchoring::Recovery;
use crate::service::records::{RecordSummary, StageName, list_records};

/// List records by stage, oldest first; those held and failed if no stage is named
///
/// Only looks, and may run beside a server.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only those at this stage
    #[arg(long)]
    stage: Option<StageWord>,
    /// The most of each stage
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl ListArguments {
    pub(super) fn run(
        self,
        place: &Place,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ExitCode> {
        let stages = match self.stage {
            Some(word) => vec![word.into()],
            None => vec![StageName::Held, StageName::Failed],
        };
        let found: Vec<RecordSummary> = ReadStore::open(&place.data_dir)?.read(|tx| {
            let mut found = Vec::new();
            for stage in stages {
                found.extend(list_records(tx, stage, None, self.limit)?.items);
            }
            Ok(found)
        })?;
        let output = &surroundings.output;
        if output.is_json {
            output.json(&found.iter().map(record_json).collect::<Vec<_>>())?;
            return Ok(ExitCode::SUCCESS);
        }
        let lines: Vec<_> = found.iter().map(record_cells).collect();
        output.table(&["RECORD", "STAGE", "SINCE", "TAG", "PROBLEM"], &lines)?;
        output.talk(&format!("{} records", found.len()));
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows a record with the names that the API uses.
fn record_json(record: &RecordSummary) -> Value {
    json!({
        "id": record.id,
        "uid_tag_id": record.uid,
        "stage": StageName::of(&record.job.stage).as_str(),
        "txid": record.txid(),
        "problem": record.problem(),
        "attempts": record.job.attempts,
        "created_at": record.job.accepted_at.to_string(),
        "since": record.job.stage_since.to_string(),
        "recoverable": record.recovery == Recovery::Possible,
        "reason": record.recovery.advice(),
    })
}

fn record_cells(record: &RecordSummary) -> Vec<String> {
    vec![
        record.id.to_string(),
        StageName::of(&record.job.stage).as_str().to_owned(),
        record.job.stage_since.to_string(),
        record.uid.clone(),
        record.problem().unwrap_or_default(),
    ]
}
