//! `patchproof proof upgrade`: a bundle replaced by a newer one that continues it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::Surroundings;
use crate::cli::proof::source::Source;
use crate::cli::proof::{refuse_wrong, told, write_bundle};
use crate::cli::verify::read_bundle;
use crate::proof::Bundle;

/// Bring a proof bundle up to date: blocks that came since, and transfers
///
/// The file is replaced only by a bundle that has all of its records and in which nothing is wrong. What
/// the server erased since stays as the file has it.
#[derive(Debug, Args)]
pub(super) struct UpgradeArguments {
    /// Bundle to bring up to date
    file: PathBuf,
    #[command(flatten)]
    source: Source,
}

impl UpgradeArguments {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let file = self.file.display();
        let old = Bundle::parse(&read_bundle(&self.file)?)
            .with_context(|| format!("{file} holds no proof bundle"))?;
        let mut new = self.source.fetch(&old.uid, surroundings)?;
        if !new.continues(&old) {
            bail!("the server tells another history than {file}, which is left as it is");
        }
        let report = refuse_wrong(&new)?;
        write_bundle(&new, &self.file)?;
        surroundings.output.talk(&told(&new, &report));
        Ok(ExitCode::SUCCESS)
    }
}
