//! `patchproof token`: Bearer tokens for tests and operators.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::app::configured::token_keys;
use crate::cli::Surroundings;
use crate::config::TokenConfig;
use crate::crypto::random_bytes;

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
        let token = keys.issue(&arguments.subject, now, ttl, &random_bytes())?;
        if output.is_json {
            output.json(&json!({ "token": token, "expiresInSecs": arguments.ttl_secs }))?;
        } else {
            output.line(&token)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
