//! `patchproof restore`: a backup in the place of the present store, fenced until the chain was asked.

mod fence;

use std::fs::DirBuilder;
use std::io::{IsTerminal, stdin};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::auth::Principal;
use crate::cli::backup::KeyArguments;
use crate::cli::desk::Place;
use crate::cli::{Surroundings, runtime};
use crate::config::BackupConfig;
use crate::storage::backup::{
    BackupError, Beyond, Present, RestoreSource, Staged, clear_staging, next_waits, stage,
};

/// Put a backup in the place of the present store
///
/// No server may run. The whole backup is read, proved, stored beside the present store and checked
/// before anything is touched; the present store keeps another name. A restored store is fenced: the
/// next server funds, signs and sends nothing before it has asked the chain about every output.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct RestoreCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    /// The backup, or a copy of the store that a migration or a restore has kept
    #[arg(required = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArguments,
    /// Show what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Restore although what is in the backup contradicts itself
    #[arg(long)]
    despite_violations: bool,
    #[command(subcommand)]
    action: Option<RestoreAction>,
}

const NEXT_WAITS: &str = "A store that was restored in the console waits to be put in place by the next \
                          start of the server; this one would take its turn.";

#[derive(Debug, Subcommand)]
enum RestoreAction {
    /// Say whether the store is fenced, how far the chain was asked, and what it knew
    Status,
    /// Take the fence away, once somebody has read what status lists
    Release,
}

impl RestoreCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        match (&self.action, &self.file) {
            (Some(RestoreAction::Status), _) => fence::show(self.data_dir, surroundings),
            (Some(RestoreAction::Release), _) => fence::release(self.data_dir, surroundings),
            (None, Some(file)) => self.restore(file, surroundings),
            (None, None) => bail!("name the backup"),
        }
    }

    fn restore(&self, file: &Path, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let config = BackupConfig::load(&surroundings.environment, self.data_dir.clone())?;
        let place = Place::find(self.data_dir.clone(), surroundings)?;
        refuse_served(&place)?;
        let directory = config.data_dir.as_path();
        if next_waits(directory) {
            surroundings.output.talk(NEXT_WAITS);
        }
        let mut given = Ok(());
        let key = || self.key.read(&surroundings.environment);
        let source = RestoreSource::open(file, || {
            key().map_err(|error| {
                given = Err(error);
                BackupError::Malformed("no key")
            })
        });
        given?;
        let source = source.with_context(|| format!("{} is not restored", file.display()))?;
        if !directory.is_dir() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.with_context(|| format!("{} cannot be made", directory.display()))?;
        }
        let present = Present::lock(directory)?;
        let spinner = surroundings.output.spinner("reading and checking the backup");
        let staged = stage(source, directory, surroundings.clock.now());
        spinner.finish_and_clear();
        let staged = staged.with_context(|| format!("{} is not restored", file.display()))?;
        let decided = self.decide(&present, &staged, &config, surroundings);
        if !matches!(decided, Ok(true)) {
            drop(staged);
            clear_staging(directory)?;
            return decided.map(|_| ExitCode::SUCCESS);
        }
        let now = surroundings.clock.now();
        let actor = Principal::local_operator(rustix::process::geteuid().as_raw()).id;
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        staged.note(now, &actor, &name)?;
        let swapped = present.replace(staged, now)?;
        let output = &surroundings.output;
        if output.is_json {
            output.json(&json!({
                "restored": true, "fenced": true, "safetyCopy": swapped.safety_copy,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(copy) = &swapped.safety_copy {
            output.line(&format!("the former store is {}", copy.display()))?;
            output.talk(&format!(
                "To go back to it: patchproof restore --data-dir {} {}",
                directory.display(),
                copy.display()
            ));
        }
        output.talk(
            "Restored. The store is fenced: start the server, which asks the chain about every output \
             before it sends anything; `patchproof restore status` says how far it is.",
        );
        Ok(ExitCode::SUCCESS)
    }

    /// Shows what would be done, refuses what must not be, and asks; true to go on.
    fn decide(
        &self,
        present: &Present,
        staged: &Staged,
        config: &BackupConfig,
        surroundings: &Surroundings,
    ) -> anyhow::Result<bool> {
        present.refuse_foreign(staged)?;
        if let Some(network) = staged.identity("network")?
            && network != config.network.as_str()
        {
            let (what, here) = ("network".to_owned(), config.network.as_str().to_owned());
            return Err(BackupError::Foreign { what, backup: network, here }.into());
        }
        let beyond = present.beyond(staged)?;
        let output = &surroundings.output;
        if output.is_json && self.dry_run {
            output.json(&summary(present, staged, beyond.as_ref()))?;
        } else {
            tell(present, staged, beyond.as_ref(), surroundings);
        }
        if !staged.report.is_clean() && !self.despite_violations {
            return Err(BackupError::Unclean(staged.report.violation_count).into());
        }
        if self.dry_run {
            output.talk("Nothing was changed.");
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !stdin().is_terminal() {
            bail!("nobody is there to be asked; --yes goes on without asking");
        }
        output.talk("Put it in the place of the present store? Type yes:");
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        Ok(answer.trim() == "yes")
    }
}

fn refuse_served(place: &Place) -> anyhow::Result<()> {
    if runtime()?.block_on(place.is_served())? {
        let hint =
            "nothing is restored under a running server; its console restores beside it (Backups)";
        return Err(anyhow::Error::new(BackupError::InUse).context(hint));
    }
    Ok(())
}

fn summary(present: &Present, staged: &Staged, beyond: Option<&Beyond>) -> Value {
    json!({
        "takenAt": staged.taken_at,
        "program": staged.program,
        "schema": staged.schema,
        "products": staged.rows_of("patches-1"),
        "records": staged.rows_of("records-1"),
        "rows": staged.report.rows,
        "violations": staged.report.violation_count,
        "lost": beyond,
        "presentProblem": present.problem,
    })
}

fn tell(present: &Present, staged: &Staged, beyond: Option<&Beyond>, surroundings: &Surroundings) {
    let output = &surroundings.output;
    let maker = staged.program.as_deref().map_or_else(
        || "a copy of the file".to_owned(),
        |version| format!("made by version {version}"),
    );
    output.talk(&format!(
        "{maker}, as it was at {}, schema {}: {} products, {} records, {} transactions",
        staged.taken_at,
        staged.schema,
        staged.rows_of("patches-1"),
        staged.rows_of("records-1"),
        staged.rows_of("transactions-1"),
    ));
    match (beyond, &present.problem) {
        (Some(beyond), _) => output.talk(&format!(
            "The present store has {} products, {} records and {} transactions that it does not have.",
            beyond.patches, beyond.records, beyond.transactions
        )),
        (None, Some(problem)) => {
            output.talk(&format!("The present store cannot be opened: {problem}"));
        }
        (None, None) => {}
    }
}
