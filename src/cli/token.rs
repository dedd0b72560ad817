//! `patchproof token`: Bearer tokens for tests and operators.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::app::configured::token_keys;
use crate::auth::pseudonym::PseudonymKey;
use crate::auth::token::{Grant, TokenError};
use crate::auth::{Principal, Subject, TokenScope};
use crate::cli::desk::{Ask, Place, ask_once};
use crate::cli::store::{ReadStore, open_for_changes};
use crate::cli::{Surroundings, runtime};
use crate::config::TokenConfig;
use crate::crypto::random_bytes;
use crate::service::persons::Persons;
use crate::service::tokens::note_issue;
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
    /// Print a token, signed with JWT_SECRET, and write into the audit trail that it was issued
    ///
    /// The token goes on from the epoch of the subject's tokens, so that it counts although earlier
    /// ones were taken back. The epoch that an erasure left, and the pseudonym by which the audit trail
    /// names the subject, are known to a running server, or with MASTER_SECRET. Where neither is at
    /// hand the token of somebody who had himself erased counts for nothing, and the line names nobody.
    /// Where there is a store that takes no line, the token is printed all the same and a warning said.
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
        if arguments.subject.is_empty() {
            return Err(TokenError::Nameless.into());
        }
        let subject = Subject { id: arguments.subject, scope: TokenScope::Operator };
        let place = Place::find(arguments.data_dir, surroundings)?;
        let key = config.master_secret.map(|it| PseudonymKey::derive(it.expose().as_bytes()));
        let persons = key.map(|key| Persons { key });
        let epoch = present_epoch(&place, persons, &subject.id, surroundings)?;
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

/// Returns how often the subject's tokens were taken back, and leaves a line in the audit trail. Where
/// there is no store yet, never, and none.
fn present_epoch(
    place: &Place,
    persons: Option<Persons>,
    subject: &str,
    surroundings: &Surroundings,
) -> anyhow::Result<u64> {
    if !StoreOptions::in_directory(&place.data_dir).is_present() {
        return Ok(0);
    }
    let noted = runtime()?.block_on(note(place, persons.clone(), subject, surroundings));
    noted.or_else(|error| {
        let warning = format!("the audit trail has no line of this token: {error:#}");
        surroundings.output.warn(&[warning]);
        Ok(ReadStore::open(&place.data_dir)?.read(|tx| match &persons {
            Some(persons) => persons.epoch(tx, subject),
            None => token_epoch(tx, subject),
        })?)
    })
}

/// Has the line written, by the server if one runs, and returns the epoch.
async fn note(
    place: &Place,
    persons: Option<Persons>,
    subject: &str,
    surroundings: &Surroundings,
) -> anyhow::Result<u64> {
    if place.is_served().await? {
        let ask = Ask::post("/v1/admin/token-issues", json!({ "subject": subject }));
        let answer = ask_once(place, surroundings, ask).await?;
        return answer.body["epoch"].as_u64().context("the server's answer has no epoch");
    }
    let store = open_for_changes(place)?;
    let (subject, now) = (subject.to_owned(), surroundings.clock.now());
    let actor = Principal::local_operator(rustix::process::geteuid().as_raw()).id;
    let noted =
        store.write(move |tx| note_issue(tx, persons.as_ref(), &subject, &actor, now)).await;
    store.close();
    Ok(noted?)
}
