//! `patchproof man`: the manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::cli::{Surroundings, description};
use crate::config::configuration_page;

/// Print the manual page of this program
#[derive(Debug, Args)]
pub(super) struct ManCommand {
    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "FOLDER")]
    directory: Option<PathBuf>,
    /// Print the page of the configuration, patchproof.env(5), instead
    #[arg(long, conflicts_with = "directory")]
    configuration: bool,
}

impl ManCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        if self.configuration {
            surroundings.output.raw(configuration_page().as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        match self.directory {
            Some(folder) => clap_mangen::generate_to(description(), &folder)
                .with_context(|| format!("no pages can be written to {}", folder.display()))?,
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(description()).render(&mut page)?;
                surroundings.output.raw(&page)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
