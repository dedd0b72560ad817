//! `patchproof headers checkpoint`: blocks that the operator vouches for.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::desk::{Ask, Desk};
use crate::cli::headers::{Headers, ROUTE, is_contradicted, print_checkpoints, trust_json};
use crate::cli::runtime;
use crate::cli::store::open_for_changes;
use crate::service::once::Keep;
use crate::storage::identity::identity;
use crate::types::Checkpoint;

/// Who did it, in the audit trail.
const ACTOR: &str = "operator";

/// Add, remove and list blocks that you vouch for
#[derive(Debug, Args)]
pub(super) struct CheckpointArguments {
    #[command(subcommand)]
    action: CheckpointAction,
}

#[derive(Debug, Subcommand)]
enum CheckpointAction {
    /// Vouch for a block, in place of another at its height
    Add {
        /// The block, such as 800000:0000…, its hash as explorers print it
        #[arg(value_name = "HEIGHT:HASH")]
        checkpoint: Checkpoint,
    },
    /// Cease to vouch for a block that was added
    Remove {
        /// Its height
        height: u32,
    },
    /// List every block that is vouched for, and how our chain stands to it
    List,
}

impl CheckpointArguments {
    pub(super) fn run(self, headers: &Headers<'_>) -> anyhow::Result<ExitCode> {
        let trust = runtime()?.block_on(async {
            if headers.place.is_served().await? {
                self.action.ask(headers).await
            } else {
                self.action.act(headers).await
            }
        })?;
        print(headers, &trust)
    }
}

impl CheckpointAction {
    /// Has the server that runs do it.
    async fn ask(self, headers: &Headers<'_>) -> anyhow::Result<Value> {
        let path;
        let request = match self {
            Self::List => Ask::get(ROUTE),
            Self::Add { checkpoint } => {
                let body = json!({ "height": checkpoint.height, "hash": checkpoint.hash });
                Ask::post(ROUTE, body)
            }
            Self::Remove { height } => {
                path = format!("{ROUTE}/{height}");
                Ask { method: "DELETE", path: &path, body: None }
            }
        };
        Ok(Desk::beside(headers.place)?.ask(request).await?.body)
    }

    /// Does it on the store.
    async fn act(self, headers: &Headers<'_>) -> anyhow::Result<Value> {
        if matches!(self, Self::List) {
            return headers.trust().await;
        }
        let store = open_for_changes(headers.place)?;
        let bound = store.read(|tx| identity(tx, "network"))?;
        headers.refuse_another(bound.as_deref())?;
        let (anchors, now) = (&headers.anchors, headers.surroundings.clock.now());
        let trust = match self {
            Self::List => store.read(|tx| anchors.judge(tx)).map(Some),
            Self::Add { checkpoint } => {
                anchors.vouch(&store, checkpoint, ACTOR, Keep::nothing(), now).await.map(Some)
            }
            Self::Remove { height } => anchors.disown(&store, height, ACTOR, now).await,
        };
        store.close();
        let trust = trust?.context("No checkpoint was added at this height.")?;
        Ok(trust_json(&trust))
    }
}

fn print(headers: &Headers<'_>, trust: &Value) -> anyhow::Result<ExitCode> {
    let output = &headers.surroundings.output;
    if output.is_json {
        output.json(&trust["checkpoints"])?;
    } else {
        print_checkpoints(headers, trust)?;
    }
    if is_contradicted(trust) {
        output.talk(
            "warning: our chain contradicts a block that is vouched for; nothing counts as mined \
             until that is settled, see docs/HEADERS.md",
        );
    }
    Ok(ExitCode::SUCCESS)
}
