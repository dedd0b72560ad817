//! What stands at `/admin` where the console was not built in.

use axum::Router;
use axum::routing::get;

use crate::http::problem::{Problem, ProblemCode};

const NO_CONSOLE: &str = "This build has no console. Every part of it is also a route of the API, \
                          see /docs; the usual build, with the feature console, has one.";

/// Answers everything below `/admin` with one sentence.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/admin", get(none)).route("/admin/{*path}", get(none))
}

async fn none() -> Problem {
    Problem::new(ProblemCode::NotFound).detail(NO_CONSOLE)
}
