//! A file on its way in, once for each Idempotency-Key.
//!
//! What a file is to be compared with is known only when it was read to its end, so a key is taken
//! before the first piece and the answer is looked up after the last.

use axum::body::Body;
use axum::response::Response;

use crate::crypto::RunningSha256;
use crate::http::HttpState;
use crate::http::edge::next_piece;
use crate::http::imports::accepted;
use crate::http::once::{Once, Repeatable, give};
use crate::http::problem::{Problem, ProblemCode};
use crate::service::imports::{ImportFormat, Intake, Start, StoredImport};
use crate::service::once::Keep;
use crate::types::{Digest, Timestamp};

/// A file and what its sender wants.
pub(super) struct SentFile {
    /// What it is written as.
    pub(super) format: ImportFormat,
    /// What its sender calls it.
    pub(super) name: Option<String>,
    /// Who sends it.
    pub(super) actor: String,
    /// Whether it is to be registered at once.
    pub(super) start: Option<Start>,
}

/// Takes a file in, or gives the answer again that was given to the same one.
pub(super) async fn receive(
    state: HttpState,
    repeatable: Repeatable,
    sent: SentFile,
    mut body: Body,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let _turn = match repeatable.key() {
        None => None,
        Some(key) => {
            let turn = state.once().enter(&sent.actor, key, None)?;
            if state.once().is_known(&sent.actor, key, now)? {
                let once = repeatable.by(&sent.actor, digest_of(&mut body).await?);
                return once.given_before(&state, now);
            }
            Some(turn)
        }
    };
    let SentFile { format, name, actor, start } = sent;
    let imports = &state.services.imports;
    let mut intake = imports.receive(format, name, &actor, now).await?;
    let finished = async {
        let digest = take_all(&mut intake, &mut body).await?;
        let (keep, now) = (keep(&state, repeatable.by(&actor, digest), now), state.clock.now());
        Ok(intake.finish(start, keep, now).await?)
    };
    match finished.await {
        Ok(import) => Ok(give(accepted(&import))),
        Err(problem) => {
            intake.discard().await?;
            Err(problem)
        }
    }
}

fn keep(state: &HttpState, once: Once, now: Timestamp) -> Keep<StoredImport> {
    let Once(Some(request)) = once else { return Keep::nothing() };
    state.once().keep(request, now, accepted)
}

/// Hands every piece on; returns SHA-256 of them all.
async fn take_all(intake: &mut Intake, body: &mut Body) -> Result<Digest, Problem> {
    let mut sum = RunningSha256::default();
    while let Some(piece) = next_piece(body).await? {
        sum.update(&piece);
        intake.take(&piece).await?;
    }
    Ok(Digest::from_bytes(sum.finish()))
}

async fn digest_of(body: &mut Body) -> Result<Digest, Problem> {
    let mut sum = RunningSha256::default();
    while let Some(piece) = next_piece(body).await? {
        sum.update(&piece);
    }
    Ok(Digest::from_bytes(sum.finish()))
}

impl Once {
    /// Gives the answer that was given before; one that is not there any more was just forgotten.
    fn given_before(self, state: &HttpState, now: Timestamp) -> Result<Response, Problem> {
        let in_flight = || Problem::new(ProblemCode::IdempotencyInFlight).retry_after(1);
        let request = self.0.ok_or_else(in_flight)?;
        state.once().answer_to(&request, now)?.map(give).ok_or_else(in_flight)
    }
}
