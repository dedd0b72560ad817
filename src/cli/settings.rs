//! `patchproof settings`: settings that count at once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::desk::{Ask, Desk, Place, ask_once};
use crate::cli::store::ReadStore;
use crate::cli::{Surroundings, runtime};
use crate::config::initial_settings;
use crate::http::settings::settings_body;
use crate::service::settings::effective_in;
use crate::types::SettingName;

const PATH: &str = "/v1/admin/settings";

/// Show and change settings that count at once, without a restart
///
/// A setting goes before the environment, the environment before the default. A running server is
/// asked for what is in force; where none runs, the store and this command's environment tell.
#[derive(Debug, Args)]
pub(super) struct SettingsCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: SettingsAction,
}

#[derive(Debug, Subcommand)]
enum SettingsAction {
    /// List every setting: value, where it comes from, bounds
    List,
    /// Print the value of one setting
    Get {
        /// The setting
        #[arg(value_name = "NAME", value_parser = parse_name)]
        name: SettingName,
    },
    /// Change settings, all of those named or none
    Set {
        /// Settings with their new values
        #[arg(value_name = "NAME=VALUE", required = true, value_parser = parse_change)]
        changes: Vec<(SettingName, u64)>,
    },
    /// Take back what was set, so that the environment or the default counts again
    Reset {
        /// The settings
        #[arg(value_name = "NAME", required = true, value_parser = parse_name)]
        names: Vec<SettingName>,
    },
}

impl SettingsCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        runtime()?.block_on(async {
            match self.action {
                SettingsAction::List => {
                    let body = read(&place, surroundings).await?;
                    show(&body, surroundings)
                }
                SettingsAction::Get { name } => {
                    let body = read(&place, surroundings).await?;
                    show_one(&body, name, surroundings)
                }
                SettingsAction::Set { changes } => {
                    let changes = changes.into_iter().map(|(name, value)| (name, json!(value)));
                    change(&place, changes, surroundings).await
                }
                SettingsAction::Reset { names } => {
                    let changes = names.into_iter().map(|name| (name, Value::Null));
                    change(&place, changes, surroundings).await
                }
            }
        })
    }
}

/// Reads what is in force: from the server, whose environment may be another, or from the store.
async fn read(place: &Place, surroundings: &Surroundings) -> anyhow::Result<Value> {
    if place.is_served().await? {
        let desk = Desk::open(place, surroundings).await?;
        return Ok(desk.ask(Ask::get(PATH)).await?.body);
    }
    let initial = initial_settings(&surroundings.environment)?;
    let settings = ReadStore::open(&place.data_dir)?.read(|tx| effective_in(tx, &initial))?;
    Ok(settings_body(&settings))
}

async fn change(
    place: &Place,
    changes: impl Iterator<Item = (SettingName, Value)>,
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let mut body = Map::new();
    for (name, value) in changes {
        if body.insert(name.to_string(), value).is_some() {
            bail!("{name} is named twice");
        }
    }
    let names: Vec<String> = body.keys().cloned().collect();
    let request = Ask { method: "PATCH", path: PATH, body: Some(Value::Object(body)) };
    let mut changed = ask_once(place, surroundings, request).await?.body;
    if let Some(settings) = changed["settings"].as_array_mut() {
        settings.retain(|it| names.iter().any(|name| it["name"] == name.as_str()));
    }
    show(&changed, surroundings)
}

fn settings_of(body: &Value) -> &[Value] {
    body["settings"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn show(body: &Value, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let output = &surroundings.output;
    if output.is_json {
        output.json(body)?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: Vec<Vec<String>> = settings_of(body).iter().map(cells).collect();
    output.table(&["SETTING", "VALUE", "FROM", "BOUNDS", "UNIT"], &lines)?;
    Ok(ExitCode::SUCCESS)
}

fn cells(setting: &Value) -> Vec<String> {
    let text = |name: &str| setting[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| setting[name].to_string();
    let bounds = format!("{} to {}", number("least"), number("most"));
    let origin = match setting["setBy"].as_str() {
        Some(who) => format!("{} by {who}, {}", text("origin"), text("setAt")),
        None => text("origin"),
    };
    vec![text("name"), number("value"), origin, bounds, text("unit")]
}

fn show_one(
    body: &Value,
    name: SettingName,
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let output = &surroundings.output;
    let Some(setting) = settings_of(body).iter().find(|it| it["name"] == name.as_str()) else {
        bail!("the server does not know {name}: it is older than this command");
    };
    if output.is_json {
        output.json(setting)?;
    } else {
        output.line(&setting["value"].to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn parse_name(text: &str) -> Result<SettingName, String> {
    text.parse().map_err(|_| {
        let names: Vec<&str> = SettingName::ALL.iter().map(|name| name.as_str()).collect();
        format!("a setting is one of {}", names.join(", "))
    })
}

fn parse_change(text: &str) -> Result<(SettingName, u64), String> {
    let (name, value) = text.split_once('=').ok_or("a change is written as NAME=VALUE")?;
    let value = value.parse().map_err(|_| "a value is a whole number".to_owned())?;
    Ok((parse_name(name)?, value))
}
