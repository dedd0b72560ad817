//! `patchproof anchor list`: what was committed to on chain.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use crate::cli::Surroundings;
use crate::cli::desk::{Ask, Place, ask_once};

/// List the transactions that commit to records, newest first
///
/// The same list is public, at /anchors and /v1/anchors.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only batches
    #[arg(long)]
    batches: bool,
    /// The most transactions, 1 to 200
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=200))]
    limit: u64,
    /// Continue after this transaction
    #[arg(long, value_name = "TXID")]
    after: Option<String>,
}

impl ListArguments {
    pub(super) async fn run(
        self,
        place: &Place,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ExitCode> {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("limit", &self.limit.to_string());
        if self.batches {
            pairs.append_pair("kind", "batch");
        }
        if let Some(after) = &self.after {
            pairs.append_pair("cursor", after);
        }
        let path = format!("/v1/anchors?{}", pairs.finish());
        let told = ask_once(place, surroundings, Ask::get(&path)).await?.body;
        let output = &surroundings.output;
        if output.is_json {
            output.json(&told)?;
            return Ok(ExitCode::SUCCESS);
        }
        let items = told["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let lines: Vec<_> = items.iter().map(cells).collect();
        output.table(&["KIND", "RECORDS", "BLOCK", "CONFIRMATIONS", "TRANSACTION"], &lines)?;
        match told["nextCursor"].as_str() {
            Some(next) => output.talk(&format!("more follow: --after {next}")),
            None if items.is_empty() => output.talk("nothing was anchored yet"),
            None => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn cells(anchor: &Value) -> Vec<String> {
    let number = |value: &Value| value.as_u64().map_or_else(|| "-".into(), |it| it.to_string());
    let text = |name: &str| anchor[name].as_str().unwrap_or_default().to_owned();
    let block = &anchor["block"];
    vec![
        text("kind"),
        number(&anchor["size"]),
        number(&block["height"]),
        number(&block["confirmations"]),
        text("txid"),
    ]
}
