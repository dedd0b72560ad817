//! `patchproof openapi`: the description of the API.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Surroundings;
use crate::http;

/// Print the description of the API (OpenAPI)
#[derive(Debug, Args)]
pub(super) struct OpenapiCommand {
    /// Print YAML instead of JSON
    #[arg(long, conflicts_with = "json")]
    yaml: bool,
}

impl OpenapiCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        if self.yaml {
            surroundings.output.raw(http::description_yaml().as_bytes())?;
        } else {
            surroundings.output.json(&http::description())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
