//! `patchproof patches import`: the products of a file, checked and registered.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::desk::{Ask, Desk, Place};
use crate::cli::patches::FileKind;
use crate::cli::{Surroundings, stop_signal};
use crate::service::imports::MAX_FILE_BYTES;

/// Between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(200);

/// Register the products of a file, after a look at every row
///
/// CSV with a header (commas, semicolons or tabs) or one flat JSON object a line. Goes to the server,
/// where one runs, and goes on there if this command is interrupted.
#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// File to read
    file: PathBuf,
    /// What it is written as; told by the end of its name without it
    #[arg(long)]
    format: Option<FileKind>,
    /// Only tell what is wrong with it
    #[arg(long)]
    dry_run: bool,
    /// Register the other rows if some are not acceptable
    #[arg(long)]
    skip_bad: bool,
    /// Do not ask before registering
    #[arg(long)]
    yes: bool,
}

impl ImportArguments {
    pub(super) async fn run(
        self,
        place: &Place,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ExitCode> {
        let unreadable = || format!("{} cannot be read", self.file.display());
        let length = std::fs::metadata(&self.file).with_context(unreadable)?.len();
        if length > MAX_FILE_BYTES as u64 {
            bail!("the file is longer than {MAX_FILE_BYTES} bytes; divide it");
        }
        let bytes = std::fs::read(&self.file).with_context(unreadable)?;
        let kind = self.format.or_else(|| FileKind::of(&self.file));
        let media_type = match kind.context("say --format csv or --format jsonl")? {
            FileKind::Csv => "text/csv",
            FileKind::Jsonl => "application/x-ndjson",
        };
        let desk = Desk::open(place, surroundings).await?;
        let ended = self.go(&desk, media_type, bytes, surroundings).await;
        desk.close().await.context("the product did not stop as it should")?;
        ended
    }

    async fn go(
        &self,
        desk: &Desk,
        media_type: &'static str,
        bytes: Vec<u8>,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ExitCode> {
        let output = &surroundings.output;
        let checking = output.spinner("looking at every row");
        let sent = desk.send("/v1/admin/imports", media_type, bytes).await;
        checking.finish_and_clear();
        let import = sent?.body;
        let path = format!("/v1/admin/imports/{}", import["id"].as_str().unwrap_or_default());
        let (rows, bad) = (number(&import, "rows"), number(&import, "bad"));
        let stops = bad > 0 && !self.skip_bad;
        if self.dry_run || stops || !self.is_wanted(rows - bad)? {
            let errors = tell_errors(desk, &path, &import, surroundings).await?;
            let cancel = format!("{path}/cancel");
            drop(desk.ask(Ask::post(&cancel, json!({}))).await?);
            output.talk(&format!(
                "{} of {rows} rows are acceptable, none was registered",
                rows - bad
            ));
            let is_fine = errors == 0 && self.dry_run;
            return Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let start = format!("{path}/start?skipBad={}", self.skip_bad);
        drop(desk.ask(Ask::post(&start, json!({}))).await?);
        let done = watch(desk, &path, surroundings).await?;
        let errors = tell_errors(desk, &path, &done, surroundings).await?;
        let registered = number(&done, "registered");
        output.talk(&format!("{registered} products registered, {errors} rows left out"));
        let is_done = done["state"] == "done" && number(&done, "failed") == 0;
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Asks whoever sits there, unless it was said beforehand.
    fn is_wanted(&self, count: u64) -> anyhow::Result<bool> {
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            bail!("say --yes to register {count} products, or --dry-run to look only");
        }
        let mut screen = io::stderr().lock();
        write!(screen, "Register {count} products? They stay registered for ever. [y/N] ")?;
        screen.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

/// Looks at an import until it has ended.
async fn watch(desk: &Desk, path: &str, surroundings: &Surroundings) -> anyhow::Result<Value> {
    let bar = surroundings.output.bar(0, "rows");
    loop {
        let now = desk.ask(Ask::get(path)).await?.body;
        bar.set_length(number(&now, "rows"));
        bar.set_position(number(&now, "done"));
        if now["state"] != "running" {
            bar.finish_and_clear();
            return Ok(now);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop_signal() => bail!("interrupted; the server, or the next one, registers the rest"),
        }
    }
}

/// Tells of every row that cannot be registered, and returns how many there are.
async fn tell_errors(
    desk: &Desk,
    path: &str,
    import: &Value,
    surroundings: &Surroundings,
) -> anyhow::Result<usize> {
    let mut errors: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = format!("{path}/rows?outcome=error&limit=500{cursor}");
        let page = desk.ask(Ask::get(&page)).await?.body;
        errors.extend(page["items"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let output = &surroundings.output;
    if output.is_json {
        output.json(&json!({ "import": import, "errors": errors }))?;
    } else {
        let cell = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let cells = |row: &Value| {
            let line = number(row, "line").to_string();
            vec![line, cell(row, "uid_tag_id"), cell(row, "code"), cell(row, "message")]
        };
        let lines: Vec<_> = errors.iter().map(cells).collect();
        output.table(&["LINE", "TAG", "CODE", "MESSAGE"], &lines)?;
    }
    Ok(errors.len())
}
