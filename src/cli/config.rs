//! `patchproof config`: what the environment says, without starting anything.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::{EXIT_CONFIG, Surroundings};
use crate::config::{Config, ConfigProblems, EffectiveVariable, example_file};
use crate::crypto::random_bytes;

/// Look at the configuration
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: ConfigAction,
}

#[derive(Debug, Subcommand)]
enum ConfigAction {
    /// Validate the environment as serve does, and print what is in force or all that is wrong
    Check,
    /// Print what is in force, secrets hidden
    Show {
        /// Say where each value came from and when a change of it counts
        #[arg(long)]
        origin: bool,
        /// Only what somebody set
        #[arg(long)]
        set: bool,
    },
    /// Print a file of variables to begin with, every one explained and none in force
    Example,
}

impl ConfigCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        match self.action {
            ConfigAction::Check => check(surroundings),
            ConfigAction::Show { origin, set } => show(surroundings, origin, set),
            ConfigAction::Example => {
                surroundings.output.raw(example_file(&[]).as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn show(
    surroundings: &Surroundings,
    with_origin: bool,
    only_set: bool,
) -> anyhow::Result<ExitCode> {
    let output = &surroundings.output;
    let config = Config::load(&surroundings.environment, random_bytes::<32>)?;
    let is_set = |variable: &&EffectiveVariable| !only_set || variable.origin.is_given();
    let shown: Vec<&EffectiveVariable> = config.effective.iter().filter(is_set).collect();
    if output.is_json {
        let whole = |variable: &EffectiveVariable| {
            let mut entry = json!({ "variable": variable.variable, "value": variable.value });
            if with_origin {
                entry["origin"] = json!(variable.origin);
                entry["takesEffect"] = json!(variable.takes_effect);
            }
            entry
        };
        output.json(&shown.into_iter().map(whole).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let names = ["VARIABLE", "VALUE", "ORIGIN", "TAKES EFFECT"];
    let columns = if with_origin { names.len() } else { 2 };
    let line = |variable: &EffectiveVariable| {
        let value = variable.value.clone().unwrap_or_default();
        let origin = variable.origin.to_string();
        let mut cells =
            vec![variable.variable.to_owned(), value, origin, variable.takes_effect.to_owned()];
        cells.truncate(columns);
        cells
    };
    let lines: Vec<Vec<String>> = shown.into_iter().map(line).collect();
    output.table(&names[..columns], &lines)?;
    output.warn(&config.warnings);
    Ok(ExitCode::SUCCESS)
}

fn check(surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let output = &surroundings.output;
    match Config::load(&surroundings.environment, random_bytes::<32>) {
        Ok(config) => {
            if output.is_json {
                output.json(&json!({
                    "valid": true,
                    "mode": config.mode.as_str(),
                    "variables": config.effective,
                    "warnings": config.warnings,
                }))?;
            } else {
                output.line(&table(&config.effective))?;
                output.warn(&config.warnings);
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(ConfigProblems(problems)) if output.is_json => {
            output.json(&json!({ "valid": false, "problems": problems }))?;
            Ok(ExitCode::from(EXIT_CONFIG))
        }
        Err(problems) => Err(problems.into()),
    }
}

/// Writes one line for each variable: name, value, where it came from.
fn table(variables: &[EffectiveVariable]) -> String {
    let value = |variable: &EffectiveVariable| variable.value.clone().unwrap_or_default();
    let width_of = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = width_of(&mut variables.iter().map(|variable| variable.variable.len()));
    let values =
        width_of(&mut variables.iter().map(|variable| value(variable).chars().count())).min(48);
    let lines: Vec<String> = variables
        .iter()
        .map(|variable| {
            let EffectiveVariable { variable: name, origin, .. } = variable;
            format!("{name:names$}  {:values$}  {origin}", value(variable))
        })
        .collect();
    lines.join("\n")
}
