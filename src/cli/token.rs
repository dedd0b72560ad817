//! `patchproof token`: Bearer tokens for tests and operators.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::app::configured::token_keys;
use crate::auth::token::Grant;
use crate::auth::{Subject, TokenScope};
use crate::cli::Surroundings;
use crate::cli::store::{ReadStore, data_dir};
use crate::config::TokenConfig;
use crate::crypto::random_bytes;
use crate::storage::StoreOptions;
use crate::storage::token_epochs::token_epoch;

/// Issue Bearer tokens
#[derive(Debug, Args)]
pub(super) struct TokenCommand {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Print a token, signed with JWT_SECRET
    Issue(IssueArguments),
}

#[derive(Debug, Args)]
struct IssueArguments {
    /// Whom the token speaks for
    #[arg(long)]
    subject: String,
    /// How many seconds the token is valid
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    ttl_secs: u64,
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl TokenCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let TokenAction::Issue(arguments) = self.action;
        let config = TokenConfig::load(&surroundings.environment)?;
        let output = &surroundings.output;
        output.warn(&config.warnings);
        let keys = token_keys(config.mode, &config.jwt)?;
        let ttl = Duration::from_secs(arguments.ttl_secs);
        let now = surroundings.clock.now();
        let subject = Subject { id: arguments.subject, scope: TokenScope::Operator };
        let epoch = present_epoch(arguments.data_dir, &subject.id, surroundings)?;
        let jti = hex::encode(random_bytes::<16>());
        let token = keys.grant(&Grant { subject, epoch, jti, svd_proof: None, ttl }, now)?;
        if output.is_json {
            output.json(&json!({ "token": token, "expiresInSecs": arguments.ttl_secs }))?;
        } else {
            output.line(&token)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns how often the subject's tokens were taken back. Where there is no store yet, never.
fn present_epoch(
    named: Option<PathBuf>,
    subject: &str,
    surroundings: &Surroundings,
) -> anyhow::Result<u64> {
    let data_dir = data_dir(named, surroundings)?;
    if !StoreOptions::in_directory(&data_dir).is_present() {
        return Ok(0);
    }
    Ok(ReadStore::open(&data_dir)?.read(|tx| token_epoch(tx, subject))?)
}
