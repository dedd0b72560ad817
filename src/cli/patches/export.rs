//! `patchproof patches export`: every product of a filter into a file.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::bitcoin::Address;
use crate::cli::Surroundings;
use crate::cli::desk::Place;
use crate::cli::patches::FileKind;
use crate::cli::store::ReadStore;
use crate::config::confirmed_at_depth;
use crate::service::listing::{
    ExportFormat, ExportPlace, PatchFilter, PatchQuery, PatchSort, export_page,
};
use crate::service::pending::PendingStatus;
use crate::types::Network;

/// Write all products, or those of a filter, to a file
///
/// Only looks, and may run beside a server. The file appears when it is complete, in place of one that
/// was there. CSV is for spreadsheets: what one would take for a formula is preceded by an apostrophe;
/// JSON lines are what an import reads back as it was.
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// File to write; - is standard output
    file: PathBuf,
    /// What to write it as; told by the end of the file's name without it
    #[arg(long)]
    format: Option<FileKind>,
    /// Only products whose tag or name contains this text, in any case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only products of this owner
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<String>,
    /// Only those that are pending, anchoring, confirmed or failed
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<PendingStatus>,
    /// Only products of this category, in any case
    #[arg(long, value_name = "TEXT")]
    category: Option<String>,
    /// Order: uid, -uid, created or -created
    #[arg(long, default_value = "uid", value_parser = sort, allow_hyphen_values = true)]
    sort: PatchSort,
}

fn status(word: &str) -> Result<PendingStatus, &'static str> {
    let mut all = PendingStatus::ALL.into_iter();
    all.find(|it| it.as_str() == word).ok_or("must be pending, anchoring, confirmed or failed")
}

fn sort(word: &str) -> Result<PatchSort, &'static str> {
    let mut all = PatchSort::ALL.into_iter();
    all.find(|it| it.as_str() == word).ok_or("must be uid, -uid, created or -created")
}

fn owner(text: &str) -> anyhow::Result<Address> {
    let mut networks = [Network::Main, Network::Test].into_iter();
    let read = networks.find_map(|network| Address::parse(text, network).ok());
    read.with_context(|| format!("{text} is no address"))
}

impl ExportArguments {
    pub(super) fn run(
        self,
        place: &Place,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ExitCode> {
        let kind = self.format.or_else(|| FileKind::of(&self.file));
        let format = match kind.context("say --format csv or --format jsonl")? {
            FileKind::Csv => ExportFormat::Csv,
            FileKind::Jsonl => ExportFormat::JsonLines,
        };
        let owner = self.owner.as_deref().map(owner).transpose()?;
        let filter = PatchFilter {
            search: self.search,
            owner,
            status: self.status,
            category: self.category,
        };
        let query = PatchQuery { filter, sort: self.sort };
        let depth = confirmed_at_depth(&surroundings.environment)?;
        let store = ReadStore::open(&place.data_dir)?;
        let output = &surroundings.output;
        let bar = output.bar(0, "products looked at");
        let export = |file: &mut dyn Write| -> anyhow::Result<u64> {
            let mut at = ExportPlace::default();
            loop {
                let page = store.read(|tx| export_page(tx, depth, &query, format, &at))?;
                file.write_all(&page.bytes)?;
                bar.set_length(page.total);
                bar.set_position(page.place.scanned);
                at = page.place;
                if page.is_last {
                    return Ok(at.rows);
                }
            }
        };
        let rows = if self.file.as_os_str() == "-" {
            export(&mut std::io::stdout().lock())?
        } else {
            write_in_one_step(&self.file, export)?
        };
        bar.finish_and_clear();
        output.talk(&format!("{rows} products written"));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a file beside its place and puts it there when it is whole and on disk.
fn write_in_one_step<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let name = path.file_name().ok_or_else(|| anyhow!("{} is no file", path.display()))?;
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}", std::process::id()));
    let draft = path.with_file_name(draft);
    let written = || {
        let mut file = std::io::BufWriter::new(File::create_new(&draft)?);
        let told = write(&mut file)?;
        file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
        std::fs::rename(&draft, path)?;
        Ok(told)
    };
    let told: anyhow::Result<T> = written();
    told.inspect_err(|_| drop(std::fs::remove_file(&draft)))
        .with_context(|| format!("{} cannot be written", path.display()))
}
