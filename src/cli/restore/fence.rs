//! `patchproof restore status` and `release`: what the chain knew that the backup did not.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::desk::{Ask, Place, ask_once};
use crate::cli::{Surroundings, runtime};
use crate::storage::backup::next_waits;

const PATH: &str = "/v1/admin/restore";

pub(super) fn show(
    data_dir: Option<PathBuf>,
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let place = Place::find(data_dir, surroundings)?;
    let output = &surroundings.output;
    if next_waits(&place.data_dir) && !runtime()?.block_on(place.is_served())? {
        if output.is_json {
            output.json(&json!({ "waiting": true }))?;
        } else {
            output.talk(
                "A restored store waits to be put in place; the next start of the server does that.",
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    let body = runtime()?.block_on(ask_once(&place, surroundings, Ask::get(PATH)))?.body;
    if output.is_json {
        output.json(&body)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for finding in body["findings"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let said = finding["says"].as_array().map(Vec::as_slice).unwrap_or_default();
        let said =
            said.iter().map(|it| format!("{} {}", text(&it["kind"]), text(&it["commitment"])));
        let count = |name: &str| finding[name].as_array().map_or(0, Vec::len);
        output.line(&format!(
            "{}  {}  spends {} and pays {} of our outputs  {}",
            text(&finding["txid"]),
            text(&finding["standing"]),
            count("spends"),
            count("pays"),
            said.collect::<Vec<_>>().join(", ")
        ))?;
        let advice = text(&finding["advice"]);
        if !advice.is_empty() {
            output.line(&format!("    {advice}"))?;
        }
    }
    let state =
        if body["fenced"] == true { text(&body["reason"]) } else { "not fenced".to_owned() };
    output.talk(&format!("{state}; {} transactions that the backup did not know", body["found"]));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn release(
    data_dir: Option<PathBuf>,
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let place = Place::find(data_dir, surroundings)?;
    let request = Ask::post("/v1/admin/restore/release", json!({}));
    let body = runtime()?.block_on(ask_once(&place, surroundings, request))?.body;
    if surroundings.output.is_json {
        surroundings.output.json(&body)?;
    } else {
        surroundings.output.talk("The fence is gone; what waits is funded, signed and sent.");
    }
    Ok(ExitCode::SUCCESS)
}
