//! `patchproof headers export`: the best chain into a file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::headers::Headers;
use crate::cli::store::ReadStore;
use crate::service::headers::export_headers;

/// Write the best chain's headers to a file
///
/// The file is the height of the first header (4 bytes, little-endian), then 80 bytes for each.
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// File to write; - is standard output
    file: PathBuf,
    /// Lowest height to write; all that there are without it
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u32>,
}

impl ExportArguments {
    pub(super) fn run(self, headers: &Headers<'_>) -> anyhow::Result<ExitCode> {
        let store = ReadStore::open(&headers.place.data_dir)?;
        let Some(file) = store.read(|tx| export_headers(tx, self.from))? else {
            bail!("there is no header to write");
        };
        let output = &headers.surroundings.output;
        if self.file.as_os_str() == "-" {
            output.raw(&file.to_bytes())?;
        } else {
            std::fs::write(&self.file, file.to_bytes())
                .with_context(|| format!("{} cannot be written", self.file.display()))?;
        }
        let (count, first) = (file.headers.len(), file.first_height);
        output.talk(&format!("{count} headers from height {first}"));
        Ok(ExitCode::SUCCESS)
    }
}
