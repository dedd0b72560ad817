//! `patchproof records recover`: takes up again what has stopped.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::cli::desk::{Ask, Place, ask_once};
use crate::types::RecordId;

const PATH: &str = "/v1/admin/records/recover";

/// Take up again records that are held, and failed ones where that is safe
///
/// A held record goes on with the bytes that were signed for it, if there are any. A failed
/// registration begins anew only when it is proved that none of its transactions can ever be mined;
/// for the others the reason is told. Done by the running server, or by the command itself where
/// none runs.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(super) struct RecoverArguments {
    /// One record
    #[arg(long, group = "which", value_name = "ID")]
    id: Option<RecordId>,
    /// All records that are held
    #[arg(long, group = "which")]
    all: bool,
    /// All records at this stage
    #[arg(long, group = "which")]
    stage: Option<StoppedStage>,
    /// Tell what would be done and do nothing
    #[arg(long, alias = "dryRun", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StoppedStage {
    /// Stopped until somebody acts
    Held,
    /// Refused for good
    Failed,
}

impl RecoverArguments {
    fn body(&self) -> Value {
        match (self.id, self.stage) {
            (Some(id), _) => json!({ "id": id, "dryRun": self.dry_run }),
            (None, Some(StoppedStage::Failed)) => {
                json!({ "stage": "failed", "dryRun": self.dry_run })
            }
            (None, Some(StoppedStage::Held) | None) => {
                json!({ "stage": "held", "dryRun": self.dry_run })
            }
        }
    }

    pub(super) async fn run(
        self,
        place: &Place,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ExitCode> {
        let request = Ask::post(PATH, self.body());
        let done = ask_once(place, surroundings, request).await?.body;
        let output = &surroundings.output;
        let items = done["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        if output.is_json {
            output.json(&done)?;
        } else {
            let lines: Vec<_> = items.iter().map(|item| cells(item, self.dry_run)).collect();
            output.table(&["RECORD", "WAS", "OUTCOME", "TAG", "REASON"], &lines)?;
            let verb = if self.dry_run { "would be taken up again" } else { "taken up again" };
            output.talk(&format!("{} of {} records {verb}", done["recovered"], items.len()));
        }
        // One that was named and cannot be taken up is what the caller wanted done and is not.
        let is_undone = self.id.is_some() && done["recovered"] == 0;
        Ok(if is_undone { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn cells(item: &Value, is_dry_run: bool) -> Vec<String> {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let outcome = match (item["recoverable"] == true, is_dry_run) {
        (true, false) => "recovered",
        (true, true) => "recoverable",
        (false, _) => "left",
    };
    vec![text("id"), text("stage"), outcome.to_owned(), text("uid_tag_id"), text("reason")]
}
