//! `patchproof log watch`: whether a log still begins with all that it was at the last look.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::anchor::log::LogHead;
use crate::anchor::log::note::{Checkpoint, LogKey, MAX_NOTE_BYTES};
use crate::anchor::log::tree::verify_consistency;
use crate::cli::demo::write_private;
use crate::cli::{EXIT_LATER, Surroundings, runtime};
use crate::outbound::{Limits, client, exchange};
use crate::types::Digest;

/// How long one answer may take, and how long it may be.
const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(30), max_answer_bytes: MAX_NOTE_BYTES };

/// Check from outside that a log was not rewritten since the last look
///
/// Fetches the newest checkpoint, checks its signature against the key that is pinned, and has the
/// log prove that it begins with all of the checkpoint in the state file, where the new one is then
/// kept. Run it regularly, on a machine of somebody else's than the log's. Exit status: 0 the log
/// only grew, 1 ALARM it did not, 75 it cannot be told now.
#[derive(Debug, Args)]
pub(super) struct WatchArguments {
    /// Where the server is reached, such as https://proof.example
    url: Url,
    /// File that keeps the key and the newest checkpoint; made at the first look
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Verifier key, NAME+ID+KEY; without it the key of the first look counts
    #[arg(long, value_name = "VKEY", value_parser = parse_key)]
    key: Option<String>,
}

/// What is kept between two looks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// The verifier key.
    vkey: String,
    /// The newest checkpoint, a signed note.
    checkpoint: String,
}

/// What the log is asked for a proof with.
#[derive(Debug, Deserialize)]
struct Proof {
    path: Vec<Digest>,
}

#[derive(Debug, Deserialize)]
struct Key {
    vkey: String,
}

/// Why nothing can be told now; anything else is an alarm or the user's mistake.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotNow(String);

/// A server, asked.
struct Server {
    client: reqwest::Client,
    base: Url,
}

impl WatchArguments {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        match runtime()?.block_on(self.look(surroundings)) {
            Err(error) if error.is::<NotNow>() => {
                surroundings.output.talk(&format!("it cannot be told now: {error}"));
                Ok(ExitCode::from(EXIT_LATER))
            }
            other => other.map(|()| ExitCode::SUCCESS),
        }
    }

    async fn look(&self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let known = read_state(&self.state)?;
        let server = Server::at(&self.url)?;
        let vkey = match (&self.key, &known) {
            (Some(key), Some(known)) if *key != known.vkey => {
                bail!("{} was made with another key", self.state.display())
            }
            (Some(key), _) => key.clone(),
            (None, Some(known)) => known.vkey.clone(),
            (None, None) => {
                let vkey = serde_json::from_str::<Key>(&server.get("v1/log/key").await?)
                    .context("the server names no key")?
                    .vkey;
                surroundings.output.talk(&format!("the key of this first look is trusted: {vkey}"));
                vkey
            }
        };
        let key = LogKey::parse(&vkey).with_context(|| format!("{vkey} is no verifier key"))?;
        let note = server.get("v1/log/checkpoint").await.map_err(|error| {
            let is_gone = known.is_some() && !error.is::<NotNow>();
            if is_gone { error.context("ALARM: the log has no checkpoint any more") } else { error }
        })?;
        let new = key.open(&note).context("ALARM: the checkpoint is not the log's")?.head;
        let old = match &known {
            None => None,
            Some(known) => Some(key.open(&known.checkpoint).with_context(|| {
                format!("{} holds no checkpoint of this key", self.state.display())
            })?),
        };
        let growth = match &old {
            None => format!("first look: {} commitments", new.size),
            Some(old) => server.compare(old, new).await?,
        };
        // An answer that was kept somewhere on the way may be older than what is known.
        if old.as_ref().is_none_or(|old| old.head.size <= new.size) {
            let state = serde_json::to_vec_pretty(&State { vkey, checkpoint: note })?;
            write_private(&self.state, &state)?;
        }
        let output = &surroundings.output;
        if output.is_json {
            let was = old.map(|old| old.head.size);
            output.json(&json!({ "size": new.size, "root": new.root, "was": was }))?;
        } else {
            output.line(&growth)?;
        }
        Ok(())
    }
}

impl Server {
    fn at(url: &Url) -> anyhow::Result<Self> {
        let mut base = url.clone();
        if !matches!(base.scheme(), "http" | "https") {
            bail!("{url} is no address of a server");
        }
        base.set_path(&format!("{}/", base.path().trim_end_matches('/')));
        Ok(Self { client: client(&base, None)?, base })
    }

    /// Says how the log changed since the last look.
    async fn compare(&self, old: &Checkpoint, new: LogHead) -> anyhow::Result<String> {
        let known = old.head;
        let (first, last) = if known.size <= new.size { (known, new) } else { (new, known) };
        let mut path = Vec::new();
        if first.size < last.size {
            let asked = format!("v1/log/consistency?from={}&to={}", first.size, last.size);
            let proof = self.get(&asked).await.map_err(|error| match error.is::<NotNow>() {
                true => error,
                false => error.context("ALARM: the log does not prove that it only grew"),
            })?;
            path = serde_json::from_str::<Proof>(&proof)
                .context("ALARM: the log's proof that it only grew cannot be read")?
                .path;
        }
        verify_consistency(&first, &last, &path).with_context(|| {
            format!(
                "ALARM: the log was rewritten. It had {} commitments with the root {}, and now has \
                 {} with the root {}; keep both checkpoints, the key signed them",
                known.size, known.root, new.size, new.root
            )
        })?;
        Ok(if known.size <= new.size {
            format!("{} commitments, {} new since the last look", new.size, new.size - known.size)
        } else {
            format!("{} commitments, an answer from before the last look", new.size)
        })
    }

    /// Gets a text of the server's.
    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let url = self.base.join(path)?;
        let answer = exchange(self.client.get(url), LIMITS).await;
        let answer = answer.map_err(|error| NotNow(error.to_string()))?;
        if answer.is_temporary() {
            bail!(NotNow(format!("the server answers {}", answer.status)));
        }
        if !answer.is_success() {
            bail!("the server answers {} to {path}", answer.status);
        }
        Ok(answer.text().into_owned())
    }
}

fn read_state(file: &Path) -> anyhow::Result<Option<State>> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let unreadable = format!("{} cannot be read", file.display());
            return Err(anyhow::Error::new(error).context(unreadable));
        }
    };
    let state = serde_json::from_slice(&bytes);
    state.map(Some).with_context(|| format!("{} holds no state of a watch", file.display()))
}

fn parse_key(text: &str) -> Result<String, String> {
    LogKey::parse(text).map(|key| key.to_string()).map_err(|error| error.to_string())
}
