//! `patchproof patches`: many products at once, out of the store and into it.

mod export;
mod import;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::desk::Place;
use crate::cli::{Surroundings, runtime};

/// Write all products to a file, and register those of a file
#[derive(Debug, Args)]
pub(super) struct PatchesCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: PatchesAction,
}

#[derive(Debug, Subcommand)]
enum PatchesAction {
    Export(export::ExportArguments),
    Import(import::ImportArguments),
}

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FileKind {
    /// For spreadsheets, with a header
    Csv,
    /// One JSON object a line, as it is
    Jsonl,
}

impl FileKind {
    /// Tells it by the end of a file's name.
    fn of(file: &std::path::Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

impl PatchesCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        match self.action {
            PatchesAction::Export(arguments) => arguments.run(&place, surroundings),
            PatchesAction::Import(arguments) => {
                runtime()?.block_on(arguments.run(&place, surroundings))
            }
        }
    }
}
