//! `patchproof records recover`: takes up again what has stopped.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::cli::desk::{Ask, Desk, Place, ask_once};
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
            (None, stage) => stage_body(stage, self.dry_run),
        }
    }

    /// Takes up one record after another, so that whoever watches sees how far it is, and what is done
    /// stays done when it is interrupted. What cannot be taken up is told with its reason.
    async fn recover_each(
        &self,
        desk: &Desk,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Value> {
        let mut done = desk.ask(Ask::post(PATH, stage_body(self.stage, true))).await?.body;
        let items = done["items"].as_array().cloned().unwrap_or_default();
        let bar = surroundings.output.bar(items.len(), "records");
        let mut told = Vec::with_capacity(items.len());
        for item in items {
            if item["recoverable"] == true {
                let body = json!({ "id": item["id"], "dryRun": false });
                let one = desk.ask(Ask::post(PATH, body)).await?.body;
                told.extend(one["items"].as_array().cloned().unwrap_or_default());
            } else {
                told.push(item);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        done["dryRun"] = json!(false);
        done["recovered"] = json!(told.iter().filter(|item| item["recoverable"] == true).count());
        done["items"] = Value::Array(told);
        Ok(done)
    }

    pub(super) async fn run(
        self,
        place: &Place,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ExitCode> {
        let done = if self.id.is_some() || self.dry_run {
            ask_once(place, surroundings, Ask::post(PATH, self.body())).await?.body
        } else {
            let desk = Desk::open(place, surroundings).await?;
            let done = self.recover_each(&desk, surroundings).await;
            desk.close().await.context("the product did not stop as it should")?;
            done?
        };
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

fn stage_body(stage: Option<StoppedStage>, is_dry_run: bool) -> Value {
    let stage = match stage {
        Some(StoppedStage::Failed) => "failed",
        Some(StoppedStage::Held) | None => "held",
    };
    json!({ "stage": stage, "dryRun": is_dry_run })
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
