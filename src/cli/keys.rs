//! `patchproof keys`: API keys.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::auth::Scope;
use crate::auth::api_key::ApiKeyId;
use crate::cli::desk::{Ask, Desk, Place, ask_once};
use crate::cli::{Surroundings, runtime};

const PATH: &str = "/v1/admin/keys";

/// Make, list, rotate and revoke API keys
///
/// Only the hash of a key is kept: the key itself is printed once, by create and by rotate.
#[derive(Debug, Args)]
pub(super) struct KeysCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: KeysAction,
}

#[derive(Debug, Subcommand)]
enum KeysAction {
    /// List every key: what it may do, its state, when it was used last
    List,
    /// Make a key and print it
    Create(CreateArguments),
    /// Give a key a new secret and print it
    Rotate {
        /// The key's identifier, the 16 digits after pp_
        #[arg(value_name = "ID", value_parser = parse_id)]
        id: ApiKeyId,
        /// For how many seconds the former secret stays good
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=604_800))]
        grace_secs: u64,
    },
    /// Revoke a key, at once and for good
    Revoke {
        /// The key's identifier, the 16 digits after pp_
        #[arg(value_name = "ID", value_parser = parse_id)]
        id: ApiKeyId,
    },
}

#[derive(Debug, Args)]
struct CreateArguments {
    /// What the key is for
    #[arg(long)]
    name: String,
    /// What it may do; may be given more than once
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = parse_scope)]
    scopes: Vec<Scope>,
    /// The shop's address, for a point of sale
    #[arg(long, value_name = "ADDRESS")]
    shop: Option<String>,
    /// After how many days it opens nothing any more
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    expires_in_days: Option<u64>,
}

impl KeysCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        runtime()?.block_on(async {
            match self.action {
                KeysAction::List => list(&place, surroundings).await,
                KeysAction::Create(arguments) => create(&place, arguments, surroundings).await,
                KeysAction::Rotate { id, grace_secs } => {
                    let path = format!("{PATH}/{id}/rotate");
                    let request = Ask::post(&path, json!({ "graceSecs": grace_secs }));
                    let body = ask_once(&place, surroundings, request).await?.body;
                    show_issued(&body, surroundings)
                }
                KeysAction::Revoke { id } => {
                    let path = format!("{PATH}/{id}");
                    let request = Ask { method: "DELETE", path: &path, body: None };
                    let body = ask_once(&place, surroundings, request).await?.body;
                    show(&[body], surroundings)
                }
            }
        })
    }
}

/// Reads page after page.
async fn list(place: &Place, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(place, surroundings).await?;
    let mut keys = Vec::new();
    let mut path = format!("{PATH}?limit=200");
    loop {
        let body = desk.ask(Ask::get(&path)).await?.body;
        keys.extend(body["items"].as_array().cloned().unwrap_or_default());
        let Some(next) = body["nextCursor"].as_str() else { break };
        path = format!("{PATH}?limit=200&cursor={next}");
    }
    desk.close().await?;
    if keys.is_empty() {
        surroundings.output.talk(
            "There are no keys beside API_KEY of the environment, which may do everything. Make one \
             with patchproof keys create --name NAME --scope SCOPE.",
        );
    }
    show(&keys, surroundings)
}

async fn create(
    place: &Place,
    arguments: CreateArguments,
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let scopes: Vec<&str> = arguments.scopes.iter().map(|scope| scope.as_str()).collect();
    let mut body = json!({ "name": arguments.name, "scopes": scopes });
    if let Some(shop) = arguments.shop {
        body["shop"] = shop.into();
    }
    if let Some(days) = arguments.expires_in_days {
        body["expiresInSecs"] = (days * 86_400).into();
    }
    let body = ask_once(place, surroundings, Ask::post(PATH, body)).await?.body;
    show_issued(&body, surroundings)
}

/// Prints a new key alone on standard output, for scripts, and what to do with it beside.
fn show_issued(body: &Value, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let output = &surroundings.output;
    if output.is_json {
        output.json(body)?;
        return Ok(ExitCode::SUCCESS);
    }
    output.line(body["key"].as_str().unwrap_or_default())?;
    output.talk("Keep it now: it is not shown again. Clients send it as x-api-key.");
    Ok(ExitCode::SUCCESS)
}

fn show(keys: &[Value], surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let output = &surroundings.output;
    if output.is_json {
        output.json(&keys)?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: Vec<Vec<String>> = keys.iter().map(cells).collect();
    output.table(&["KEY", "STATE", "SCOPES", "SHOP", "LAST USED", "EXPIRES", "NAME"], &lines)?;
    Ok(ExitCode::SUCCESS)
}

fn cells(key: &Value) -> Vec<String> {
    let text = |name: &str| key[name].as_str().unwrap_or("-").to_owned();
    let scopes = key["scopes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let scopes: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
    let (shop, used, expires) = (text("shop"), text("lastUsedAt"), text("expiresAt"));
    vec![text("id"), text("status"), scopes.join(","), shop, used, expires, text("name")]
}

fn parse_id(text: &str) -> Result<ApiKeyId, String> {
    text.parse().map_err(|_| "a key is named by the 16 digits after pp_".to_owned())
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| {
        let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        format!("a scope is one of {}", names.join(", "))
    })
}
