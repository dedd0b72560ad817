//! `patchproof headers checkpoint`: blocks that the operator vouches for.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::cli::headers::{Headers, print_checkpoints, trust_json};
use crate::cli::runtime;
use crate::cli::store::{ReadStore, open_for_changes};
use crate::service::headers::ChainTrust;
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
        let trust = match self.action {
            CheckpointAction::List => {
                let store = ReadStore::open(headers.data_dir)?;
                store.read(|tx| headers.anchors.judge(tx))?
            }
            CheckpointAction::Add { checkpoint } => {
                let store = open_for_changes(headers.data_dir)?;
                let now = headers.surroundings.clock.now();
                let added = headers.anchors.vouch(&store, checkpoint, ACTOR, now);
                let trust = runtime()?.block_on(added);
                store.close();
                trust?
            }
            CheckpointAction::Remove { height } => {
                let store = open_for_changes(headers.data_dir)?;
                let now = headers.surroundings.clock.now();
                let removed = headers.anchors.disown(&store, height, ACTOR, now);
                let trust = runtime()?.block_on(removed);
                store.close();
                let Some(trust) = trust? else {
                    bail!("no checkpoint was added at height {height}");
                };
                trust
            }
        };
        print(headers, &trust)
    }
}

fn print(headers: &Headers<'_>, trust: &ChainTrust) -> anyhow::Result<ExitCode> {
    let output = &headers.surroundings.output;
    if output.is_json {
        output.json(&trust_json(trust)["checkpoints"])?;
    } else {
        print_checkpoints(headers, trust)?;
    }
    if trust.contradiction().is_some() {
        output.talk(
            "warning: our chain contradicts a block that is vouched for; nothing counts as mined \
             until that is settled, see docs/HEADERS.md",
        );
    }
    Ok(ExitCode::SUCCESS)
}
