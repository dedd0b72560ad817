//! `patchproof proof get`: a product's bundle into a file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::Surroundings;
use crate::cli::proof::source::Source;
use crate::cli::proof::{refuse_wrong, told, write_bundle};
use crate::patch::tag::UidTag;

/// Fetch the proof bundle of a product
///
/// The bundle is checked before it is written.
#[derive(Debug, Args)]
pub(super) struct GetArguments {
    /// Tag of the product
    #[arg(value_parser = UidTag::parse)]
    uid: UidTag,
    /// File to write; standard output without it, or with -
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

impl GetArguments {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let bundle = self.source.fetch(&self.uid, surroundings)?;
        let report = refuse_wrong(&bundle)?;
        let output = &surroundings.output;
        match self.output.filter(|file| file.as_os_str() != "-") {
            Some(file) => write_bundle(&bundle, &file)?,
            None => output.raw(&[bundle.to_bytes()?, b"\n".to_vec()].concat())?,
        }
        output.talk(&told(&bundle, &report));
        Ok(ExitCode::SUCCESS)
    }
}
