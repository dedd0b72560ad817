//! `patchproof records`: records that need an operator.

mod list;
mod recover;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::desk::Place;
use crate::cli::{Surroundings, runtime};
use crate::service::records::StageName;

/// Look at records on their way to the chain, and take up again those that have stopped
#[derive(Debug, Args)]
pub(super) struct RecordsCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: RecordsAction,
}

#[derive(Debug, Subcommand)]
enum RecordsAction {
    List(list::ListArguments),
    Recover(recover::RecoverArguments),
}

/// The stages of a record.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum StageWord {
    /// Stored, nothing is signed yet
    Accepted,
    /// Paid for, not yet signed
    Reserved,
    /// Signed and sent, not yet taken by the network
    Signed,
    /// Taken by the network
    Seen,
    /// In a block
    Mined,
    /// Deep enough never to come back
    Final,
    /// Stopped until somebody acts
    Held,
    /// Refused for good
    Failed,
}

impl From<StageWord> for StageName {
    fn from(word: StageWord) -> Self {
        match word {
            StageWord::Accepted => Self::Accepted,
            StageWord::Reserved => Self::Reserved,
            StageWord::Signed => Self::Signed,
            StageWord::Seen => Self::Seen,
            StageWord::Mined => Self::Mined,
            StageWord::Final => Self::Final,
            StageWord::Held => Self::Held,
            StageWord::Failed => Self::Failed,
        }
    }
}

impl RecordsCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        match self.action {
            RecordsAction::List(arguments) => arguments.run(&place, surroundings),
            RecordsAction::Recover(arguments) => {
                runtime()?.block_on(arguments.run(&place, surroundings))
            }
        }
    }
}
