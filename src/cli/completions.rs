//! `patchproof completions`: what a shell needs to complete our commands.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::cli::{Surroundings, description};

/// Print a shell's completions for this program
#[derive(Debug, Args)]
pub(super) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

impl CompletionsCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut description(), "patchproof", &mut script);
        surroundings.output.raw(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
