//! The HTTP edge: every route on one page.
//!
//! A route is a handler in the file of its resource and a line in [`product`]. What holds for all
//! of them (request ids, limits, problem documents, security headers, metrics, CORS) is in
//! [`edge`]; who may call is in a handler's signature ([`credentials`]). Handlers extract, convert,
//! call one service and convert back.

mod acceptance;
mod accounts;
mod admin;
mod anchors;
pub mod assets;
mod audit;
mod backups;
mod batches;
mod browser_keys;
mod callback;
mod certificates;
mod checkpoints;
mod claim_list;
mod claims;
mod console;
pub mod credentials;
mod device_cookie;
mod docs;
pub mod edge;
mod email_codes;
mod events;
pub mod extract;
pub mod guide;
pub mod headers;
pub mod health;
mod imports;
pub mod json;
mod keys;
pub mod limits;
mod listing;
mod log;
mod logout;
mod logs;
mod maintenance;
mod metrics;
mod once;
mod openapi;
mod overview;
mod patches;
mod pending;
mod privacy;
pub mod problem;
mod proof;
mod records;
pub mod redirect;
mod restore;
mod session_cookie;
mod sessions;
pub mod settings;
mod svd;
mod system;
mod token_issues;
mod tries;
mod unlock;
mod utxos;
pub mod verification;
mod view;
mod yaml;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use crate::auth::{ApiKeys, Tokens};
use crate::http::edge::{EdgeLayer, EdgeLimits};
use crate::http::health::Readiness;
use crate::http::limits::Limits;
use crate::http::problem::{Problem, ProblemCode};
use crate::http::verification::VerdictCache;
use crate::service::Services;
use crate::service::once::OnceService;
use crate::service::registration::Wake;
use crate::telemetry::Metrics;
use crate::types::{Clock, Network};

pub use accounts::setup_url;

/// What handlers are given, shared by all of them.
#[derive(Clone)]
pub struct HttpState(Arc<Shared>);

struct Shared {
    parts: HttpParts,
    once: OnceService,
}

/// The parts of [`HttpState`].
pub struct HttpParts {
    /// Judges API keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Judges Bearer tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Tells the time, once for each request.
    pub clock: Arc<dyn Clock>,
    /// Tells whether the process can do its work.
    pub readiness: Arc<dyn Readiness>,
    /// What the product does.
    pub services: Services,
    /// Remembered verdicts.
    pub verdicts: VerdictCache,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Has the pool looked after soon.
    pub maintain: Wake,
    /// How often clients may ask.
    pub limits: Limits,
    /// What operators chose.
    pub options: HttpOptions,
}

/// What operators chose about the edge.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The network whose addresses are accepted.
    pub network: Network,
    /// Where the world reaches this service; certificate addresses begin with it.
    pub public_url: url::Url,
    /// How long a request waits for the network before it is answered 202.
    pub patience: Duration,
    /// Whether every accepted request is answered 202 at once.
    pub answers_async: bool,
    /// Unmined transactions in a row beyond which an output waits, for display.
    pub max_chain_depth: u32,
    /// Whether `utxo-health` has the pool looked after when it finds it wanting.
    pub maintains_on_health: bool,
    /// The limits of one request.
    pub limits: EdgeLimits,
    /// Whether `/metrics` is served at all; `/internal/metrics` always is.
    pub metrics_enabled: bool,
    /// Whether `/metrics` asks for an API key; `/internal/metrics` always does.
    pub metrics_require_api_key: bool,
    /// Whether anybody may register a login key for a user who has none.
    pub svd_open_registration: bool,
    /// Whether the cookie of a session may go over plain HTTP wherever the server is.
    pub insecure_cookie: bool,
    /// The commit that was deployed, if it was said.
    pub deploy_sha: Option<String>,
}

impl HttpState {
    /// Shares the parts.
    pub fn new(parts: HttpParts) -> Self {
        let once = OnceService::of(&parts.services);
        Self(Arc::new(Shared { parts, once }))
    }

    /// Does once what is asked for more than once.
    fn once(&self) -> &OnceService {
        &self.0.once
    }
}

impl Deref for HttpState {
    type Target = HttpParts;

    fn deref(&self) -> &HttpParts {
        &self.0.parts
    }
}

/// The routes of the product: one line for each file of handlers.
pub fn product() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .merge(patches::routes())
        .merge(verification::routes())
        .merge(proof::routes())
        .merge(anchors::routes())
        .merge(log::routes())
        .merge(unlock::routes())
        .merge(claims::routes())
        .merge(pending::routes())
        .merge(audit::routes())
        .merge(keys::routes())
        .merge(accounts::routes())
        .merge(sessions::routes())
        .merge(browser_keys::routes())
        .merge(svd::routes())
        .merge(email_codes::routes())
        .merge(logout::routes())
        .merge(privacy::routes())
        .merge(listing::routes())
        .merge(imports::routes())
        .merge(admin::routes())
        .merge(overview::routes())
        .merge(events::routes())
        .merge(logs::routes())
        .merge(system::routes())
        .merge(claim_list::routes())
        .merge(callback::routes())
        .merge(maintenance::routes())
        .merge(batches::routes())
        .merge(checkpoints::routes())
        .merge(records::routes())
        .merge(backups::routes())
        .merge(restore::routes())
        .merge(settings::routes())
        .merge(token_issues::routes())
        .merge(utxos::routes())
        .merge(health::routes())
        .merge(metrics::routes())
}

/// Describes the API, as `/openapi.json` does.
pub fn description() -> serde_json::Value {
    let documented = OpenApiRouter::with_openapi(openapi::document()).merge(product());
    openapi::written(&documented.into_openapi())
}

/// Describes the API, as `/openapi.yaml` does.
pub fn description_yaml() -> String {
    yaml::write(&description())
}

/// Puts documentation and the edge around the routes.
pub fn router(state: HttpState, routes: OpenApiRouter<HttpState>) -> Router {
    let sessions = state.clone();
    let edge = EdgeLayer::new(
        state.options.limits.clone(),
        Arc::clone(&state.metrics),
        Arc::clone(&state.clock),
        Arc::clone(&state.api_keys),
        Arc::clone(&state.tokens),
        state.limits.clone(),
        Arc::new(move |headers| session_cookie::principal(headers, &sessions)),
    );
    let documented = OpenApiRouter::with_openapi(openapi::document()).merge(routes);
    let (routes, document) = documented.split_for_parts();
    routes
        .merge(docs::routes(&document))
        .merge(guide::routes())
        .merge(certificates::routes())
        .merge(console::routes())
        .merge(problem::routes())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(edge)
        .with_state(state)
}

/// What a 404 says where it is the route that is not there.
pub const NO_SUCH_ROUTE: &str = "There is no such route.";

async fn no_route() -> Problem {
    Problem::new(ProblemCode::NotFound).detail(NO_SUCH_ROUTE)
}

async fn no_method() -> Problem {
    Problem::new(ProblemCode::MethodNotAllowed)
}
