//! `patchproof anchor`: anchors the records that wait, and lists what was anchored.

mod batch;
mod list;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::desk::Place;
use crate::cli::{Surroundings, runtime};

/// Anchor the records that wait for a batch, or list what was anchored
#[derive(Debug, Args)]
pub(super) struct AnchorCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: AnchorAction,
}

#[derive(Debug, Subcommand)]
enum AnchorAction {
    Batch(batch::BatchArguments),
    List(list::ListArguments),
}

impl AnchorCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        match self.action {
            AnchorAction::Batch(arguments) => {
                runtime()?.block_on(arguments.run(&place, surroundings))
            }
            AnchorAction::List(arguments) => {
                runtime()?.block_on(arguments.run(&place, surroundings))
            }
        }
    }
}
