//! A server with three small handlers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Json;
use axum::body::Bytes;
use axum::routing::get;
use patchproof::anchor::lifecycle::RetryPolicy;
use patchproof::app::accept::{ConnectionLimits, ServeSummary, serve};
use patchproof::app::{self, App, ConsoleSide, NetworkSide, Ports};
use patchproof::auth::token::TokenKeys;
use patchproof::auth::{
    ApiKeys, Bearer, Principal, Relaxed, Scope, Scopes, Subject, TokenRejection, TokenScope,
    Tokens, permission,
};
use patchproof::chain::{WhatsOnChain, WhatsOnChainConfig};
use patchproof::config::InitialSettings;
use patchproof::crypto::PublicKey;
use patchproof::http::credentials::{Authorized, BearerToken, Public};
use patchproof::http::edge::{BodyTimeouts, CorsOrigins, EdgeLimits};
use patchproof::http::extract::{ApiJson, ApiPath};
use patchproof::http::health::{Dependency, Readiness, ReadinessReport, ReadinessStatus};
use patchproof::http::limits::Limits;
use patchproof::http::limits::RateLimits;
use patchproof::http::verification::verdict_cache;
use patchproof::http::{self, HttpOptions, HttpParts, HttpState};
use patchproof::mail::ShownMailer;
use patchproof::service::Services;
use patchproof::service::anchoring::{AnchoringSettings, FeeCaps};
use patchproof::service::backups::BackupPlan;
use patchproof::service::batches::BatchPolicy;
use patchproof::service::keys::KeyNames;
use patchproof::service::log::LogSettings;
use patchproof::service::settings::RuntimeSettings;
use patchproof::signer::{
    Keystore, KeystoreKey, SignRequest, Signer, SignerError, VerifiedSignature,
};
use patchproof::storage::{Store, StoreOptions};
use patchproof::telemetry::Metrics;
use patchproof::types::{ChainProfile, Clock, FeeRate, Network, SystemClock, Timestamp};
use patchproof::wallet::policy::{PoolPolicy, PoolPolicySource};
use patchproof::worker::{Periods, Schedule};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(crate) use crate::client::{Answer, Client};

pub(crate) const KEY: &str = "full-key";
pub(crate) const POS_KEY: &str = "pos-key";

/// Lets a test hold a handler and know that it is held.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) entered: Notify,
    pub(crate) release: Notify,
}

pub(crate) struct Settings {
    pub(crate) connections: ConnectionLimits,
    pub(crate) options: HttpOptions,
    pub(crate) readiness: ReadinessStatus,
    pub(crate) body_length: usize,
    /// Whether requests without key or token are let in.
    pub(crate) is_relaxed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let origins = CorsOrigins::Listed(vec!["https://shop.example".parse().unwrap()]);
        let limits = EdgeLimits { cors: origins, ..edge_limits() };
        Self {
            connections: ConnectionLimits::default(),
            options: HttpOptions { limits, ..options() },
            readiness: ReadinessStatus::Ok,
            body_length: 2,
            is_relaxed: false,
        }
    }
}

impl Settings {
    pub(crate) fn with_body_timeouts(mut self, stall: Duration) -> Self {
        let total = stall * 10;
        self.options.limits.body_timeouts = BodyTimeouts { stall, total };
        self
    }
}

pub(crate) struct TestServer {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) gate: Arc<Gate>,
    pub(crate) shutdown: watch::Sender<bool>,
    pub(crate) task: JoinHandle<ServeSummary>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(Gate::default());
        let connections = settings.connections.clone();
        let router = router(settings, &gate).await;
        let (shutdown, signal) = watch::channel(false);
        let task = tokio::spawn(serve(listener, router, connections, signal));
        Self { address, gate, shutdown, task }
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await
    }

    pub(crate) async fn stop(self) -> ServeSummary {
        self.shutdown.send_replace(true);
        self.task.await.unwrap()
    }
}

pub(crate) async fn router(settings: Settings, gate: &Arc<Gate>) -> axum::Router {
    let (held, body_length) = (Arc::clone(gate), settings.body_length);
    let routes = http::product()
        .routes(routes!(echo))
        .routes(routes!(svd_echo))
        .routes(routes!(item))
        .route("/panic", get(async || String::from_utf8(vec![0xff]).expect("planted, with S3CRET")))
        .route("/who", get(async |token: BearerToken| token.subject.id))
        .route("/large", get(async move || Bytes::from(vec![b'.'; body_length])))
        .route(
            "/held",
            get(async move || {
                held.entered.notify_one();
                held.release.notified().await;
                "released"
            }),
        );
    let is_relaxed = settings.is_relaxed;
    let state = HttpState::new(HttpParts {
        api_keys: if is_relaxed { Arc::new(Relaxed(Keys)) } else { Arc::new(Keys) },
        tokens: if is_relaxed { Arc::new(Relaxed(OneToken)) } else { Arc::new(OneToken) },
        clock: Arc::new(SystemClock),
        readiness: Arc::new(Reported(settings.readiness)),
        services: services().await,
        verdicts: verdict_cache(),
        metrics: Arc::new(Metrics::new()),
        maintain: Arc::new(|| {}),
        limits: Limits::new(
            &settings.options.limits.rates,
            &(Arc::new(SystemClock) as _),
            &Metrics::new(),
        ),
        options: settings.options,
    });
    http::router(state, routes)
}

/// Limits that no test meets by accident.
fn edge_limits() -> EdgeLimits {
    EdgeLimits { rates: RateLimits::default().times(10_000), ..EdgeLimits::default() }
}

fn options() -> HttpOptions {
    HttpOptions {
        network: Network::Test,
        public_url: "http://127.0.0.1/".parse().unwrap(),
        patience: Duration::ZERO,
        answers_async: false,
        max_chain_depth: 25,
        maintains_on_health: false,
        limits: edge_limits(),
        metrics_enabled: true,
        metrics_require_api_key: false,
        svd_open_registration: true,
        insecure_cookie: false,
        deploy_sha: None,
    }
}

/// Returns the services on an empty store, beside a signer and a network that nobody asks.
async fn services() -> Services {
    let nowhere: url::Url = "http://127.0.0.1:9/".parse().unwrap();
    let mut chain = WhatsOnChainConfig::new(nowhere, Network::Test);
    // Nobody is there, so nobody is to be spared.
    (chain.requests_per_second, chain.retries) = (None, 0);
    let chain = Arc::new(WhatsOnChain::new(chain).unwrap());
    let ports = Ports {
        signer: Arc::new(Signs(Keystore::generate(SystemClock.now()))),
        broadcaster: Arc::<WhatsOnChain>::clone(&chain),
        tracker: Arc::<WhatsOnChain>::clone(&chain),
        utxo_source: chain,
        network: NetworkSide::default(),
        console: ConsoleSide::default(),
        renewal: None,
        lines: Vec::new(),
        traces: None,
        clock: Arc::new(SystemClock),
        api_keys: Arc::new(Keys),
        token_keys: Arc::new(TokenKeys::new(&[7; 32], None).unwrap()),
        relaxes_tokens: false,
        mailer: Some(Arc::new(ShownMailer)),
        secret_deriver: None,
    };
    let settings = app::Settings {
        keys: KeyNames {
            network: Network::Test,
            issuer: "issuer".into(),
            custody: None,
            funding: "funding".into(),
            funding_address: None,
            change: None,
            change_address: None,
        },
        profile: ChainProfile::Simulated,
        checkpoints: Vec::new(),
        anchoring: AnchoringSettings {
            runtime: RuntimeSettings::new(InitialSettings::default()),
            max_chain_depth: 25,
            publishes_records: false,
            caps: FeeCaps::default(),
            policy: RetryPolicy::default(),
        },
        batching: BatchPolicy::default(),
        // Tests that want a checkpoint ask for it.
        log: LogSettings { origin: None, period: Duration::from_secs(86_400) },
        pool: PoolPolicySource::fixed(PoolPolicy::of(FeeRate::from_sat_per_kb(512).unwrap(), 25)),
        schedule: Schedule::default(),
        confirmed_at_depth: 0,
        unlock_requires_nonce: false,
        claim_ttl: Duration::from_secs(180),
        login: app::LoginSettings::default(),
        max_mails_per_hour: 600,
        master_secret: vec![7; 32].into(),
        chain_view_ttl: Duration::ZERO,
        backup: BackupPlan::default(),
        http: options(),
        periods: Periods::default(),
        warnings: Vec::new(),
    };
    let store = Store::open(StoreOptions::in_memory()).unwrap();
    App::build(store, settings, ports).await.unwrap().services
}

/// Tells its public keys and signs nothing.
struct Signs(Keystore);

#[async_trait]
impl Signer for Signs {
    async fn sign(&self, _: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError> {
        Err(SignerError::Unavailable("nothing is signed here".into()))
    }

    async fn public_key(&self, identifier: &str) -> Result<Option<PublicKey>, SignerError> {
        Ok(self.0.get(identifier).map(KeystoreKey::public_key))
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Echo {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested: Option<serde_json::Value>,
}

#[utoipa::path(post, path = "/echo", responses((status = 200, body = Echo)))]
async fn echo(
    _authorized: Authorized<permission::PatchesWrite>,
    ApiJson(body): ApiJson<Echo>,
) -> Json<Echo> {
    Json(body)
}

#[utoipa::path(post, path = "/api/svd/echo", responses((status = 200, body = Echo)))]
async fn svd_echo(_public: Public, ApiJson(body): ApiJson<Echo>) -> Json<Echo> {
    Json(body)
}

#[utoipa::path(get, path = "/items/{id}", params(("id" = u32, Path)),
    responses((status = 200, body = String)))]
async fn item(_public: Public, ApiPath(id): ApiPath<u32>) -> String {
    id.to_string()
}

struct Keys;

impl ApiKeys for Keys {
    fn authenticate(&self, presented: &str) -> Option<Principal> {
        let scopes = match presented {
            KEY => Scopes::all(),
            POS_KEY => [Scope::Pos].into_iter().collect(),
            _ => return None,
        };
        Some(Principal { id: presented.to_owned(), scopes, shop: None, reads_all: false })
    }
}

struct OneToken;

impl Tokens for OneToken {
    fn verify(&self, token: &str, _: Timestamp) -> Result<Subject, TokenRejection> {
        if token == "good" {
            Ok(Subject { id: "ada".into(), scope: TokenScope::Operator })
        } else {
            Err(TokenRejection::Expired)
        }
    }

    fn bearer(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        self.verify(token, now).ok().map(|subject| Bearer { subject, epoch: 0 })
    }
}

struct Reported(ReadinessStatus);

impl Readiness for Reported {
    fn report(&self) -> ReadinessReport {
        let ok = self.0 == ReadinessStatus::Ok;
        let dependency = Dependency {
            name: "store".into(),
            ok,
            state: if ok { "ok" } else { "fail" }.into(),
            last_success: None,
            age_seconds: None,
            detail: None,
        };
        ReadinessReport { status: self.0, dependencies: vec![dependency], warnings: vec![] }
    }
}
