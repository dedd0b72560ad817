//! `patchproof log`: the log of all commitments, in the store and from outside.

mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::cli::store::{ReadStore, data_dir};
use crate::service::log::{LogAnswer, LogInclusion, LogSubject, inclusion_in, key_of, newest_note};
use crate::storage::log::{last_log_checkpoint, log_size};
use crate::types::Digest;

/// Look at, prove from and watch the log of all commitments
///
/// Every accepted record's commitment is a leaf of one RFC 9162 tree, whose state the issuer's key
/// signs. status, checkpoint and prove only look, and may run beside a server; watch asks a server
/// from outside and needs no store.
#[derive(Debug, Args)]
pub(super) struct LogCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: LogAction,
}

#[derive(Debug, Subcommand)]
enum LogAction {
    /// Say how large the log is and what of it is signed
    Status,
    /// Print the newest signed checkpoint
    Checkpoint,
    /// Prove that a record or a commitment stands in the log
    Prove(ProveArguments),
    Watch(watch::WatchArguments),
}

#[derive(Debug, Args)]
struct ProveArguments {
    /// A record's identifier, or a commitment in hexadecimal
    #[arg(value_name = "RECORD|COMMITMENT", value_parser = parse_subject)]
    subject: LogSubject,
    /// The size of the log in which it is to stand; as it was signed last without it
    #[arg(long)]
    size: Option<u64>,
}

impl LogCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let open = || ReadStore::open(&data_dir(self.data_dir.clone(), surroundings)?);
        match self.action {
            LogAction::Status => status(&open()?, surroundings),
            LogAction::Checkpoint => checkpoint(&open()?, surroundings),
            LogAction::Prove(arguments) => arguments.run(&open()?, surroundings),
            LogAction::Watch(arguments) => arguments.run(surroundings),
        }
    }
}

fn status(store: &ReadStore, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let (size, signed, key) =
        store.read(|tx| Ok((log_size(tx)?, last_log_checkpoint(tx)?, key_of(tx)?)))?;
    let origin = key.as_ref().map(|key| key.name().to_owned());
    let output = &surroundings.output;
    if output.is_json {
        output.json(&json!({
            "size": size,
            "signedSize": signed.as_ref().map_or(0, |it| it.head.size),
            "root": signed.as_ref().map(|it| it.head.root),
            "signedAt": signed.as_ref().map(|it| it.signed_at.to_string()),
            "origin": origin,
            "vkey": key.map(|key| key.to_string()),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output.line(&format!("{size} commitments"))?;
    match signed {
        None => output.line("no checkpoint is signed yet")?,
        Some(signed) => {
            let (head, at) = (signed.head, signed.signed_at);
            output.line(&format!("{} signed, root {}, {at}", head.size, head.root))?;
        }
    }
    if let Some(key) = key {
        output.line(&format!("key {key}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn checkpoint(store: &ReadStore, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let Some((head, note)) = store.read(newest_note)? else {
        bail!("no checkpoint is signed yet");
    };
    let output = &surroundings.output;
    if output.is_json {
        output.json(&json!({ "size": head.size, "root": head.root, "checkpoint": note }))?;
    } else {
        output.raw(note.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl ProveArguments {
    fn run(self, store: &ReadStore, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let (answer, newest) =
            store.read(|tx| Ok((inclusion_in(tx, self.subject, self.size)?, newest_note(tx)?)))?;
        let found = match answer {
            LogAnswer::Found(found) => found,
            LogAnswer::Unknown => bail!("it does not stand in the log"),
            LogAnswer::NotYetSigned => {
                bail!("it stands in the log, and no checkpoint covers it yet")
            }
            LogAnswer::Beyond(signed) => {
                bail!("the size must hold it, and be at most {signed}, which is signed")
            }
        };
        let size = found.proof.tree_size;
        let note = newest.filter(|(head, _)| head.size == size).map(|(_, note)| note);
        let output = &surroundings.output;
        if output.is_json {
            output.json(&inclusion_json(&found, note.as_deref()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let (index, root) = (found.proof.leaf_index, found.root);
        output.line(&format!("{} is leaf {index} of {size}", found.commitment))?;
        for hash in &found.proof.path {
            output.line(&format!("  {hash}"))?;
        }
        output.line(&format!("root {root}"))?;
        if let Some(note) = note {
            output.line(&format!("\n{}", note.trim_end()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows a proof as the route does.
fn inclusion_json(found: &LogInclusion, note: Option<&str>) -> Value {
    let mut shown = json!({
        "commitment": found.commitment,
        "leafIndex": found.proof.leaf_index,
        "treeSize": found.proof.tree_size,
        "path": found.proof.path,
        "root": found.root,
    });
    if let Some(note) = note {
        shown["checkpoint"] = note.into();
    }
    shown
}

fn parse_subject(text: &str) -> Result<LogSubject, String> {
    if let Ok(commitment) = text.parse::<Digest>() {
        return Ok(LogSubject::Commitment(commitment));
    }
    let refusal = "it is a record's identifier, or 64 hexadecimal digits";
    text.parse().map(LogSubject::Record).map_err(|_| refusal.to_owned())
}
