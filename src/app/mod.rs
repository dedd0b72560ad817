//! The composition root: puts the parts of the product together and runs them.
//!
//! Everything outside of the process comes in as [`Ports`]; tests fill them with fakes of the
//! network, the signer and the clock, never of the store.

pub mod accept;
pub mod configured;
mod console;
pub mod control;
pub mod front;
pub mod logging;
mod network;
mod parts;
mod readiness;
pub mod service_manager;
pub mod shutdown;
pub mod socket;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::app::parts::Parts;
use crate::auth::ApiKeys;
use crate::auth::token::TokenKeys;
use crate::chain::{Broadcaster, ChainTracker, UtxoSource};
use crate::http::HttpOptions;
use crate::mail::Mailer;
use crate::service::Services;
use crate::service::anchoring::{AnchoringService, AnchoringSettings};
use crate::service::backups::BackupPlan;
use crate::service::batches::BatchPolicy;
use crate::service::fence::{Fence, FencedBroadcaster, FencedSigner};
use crate::service::keys::{KeyNames, KeyringError, establish_keyring};
use crate::service::log::LogSettings;
use crate::service::observed_signer::ObservedSigner;
use crate::service::overview::AlertBook;
use crate::service::overview::history::History;
use crate::service::progress::Progress;
use crate::service::readiness::{Line, Observations, Prober};
use crate::service::restores::Renewal;
use crate::signer::{SecretDeriver, Signer};
use crate::storage::Store;
use crate::telemetry::Metrics;
use crate::telemetry::Traces;
use crate::types::{ChainProfile, Checkpoint, Clock};
use crate::wallet::policy::PoolPolicySource;
use crate::worker::{Driver, Periods, Schedule, Wakes};

pub use console::ConsoleSide;
pub use network::NetworkSide;

/// Everything outside of the process.
#[derive(Clone)]
pub struct Ports {
    /// The keys.
    pub signer: Arc<dyn Signer>,
    /// Sends transactions.
    pub broadcaster: Arc<dyn Broadcaster>,
    /// Asks about blocks and transactions.
    pub tracker: Arc<dyn ChainTracker>,
    /// Lists outputs.
    pub utxo_source: Arc<dyn UtxoSource>,
    /// What else the network's edge offers.
    pub network: NetworkSide,
    /// What the console is given to watch.
    pub console: ConsoleSide,
    /// Where a span of each request is sent, if it is.
    pub traces: Option<Arc<Traces>>,
    /// Where other programs listen, so that a cut is seen although nobody needs them.
    pub lines: Vec<Line>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Judges API keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Sign and verify Bearer tokens.
    pub token_keys: Arc<TokenKeys>,
    /// Whether a request without a token is let in where one is needed; see [`crate::auth::Relaxed`].
    pub relaxes_tokens: bool,
    /// Sends mails; none where they are left to another process.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Derives login secrets with the server's key.
    pub secret_deriver: Option<Arc<dyn SecretDeriver>>,
    /// Has the process begin anew with another store; none where it cannot.
    pub renewal: Option<Renewal>,
}

/// What operators decide.
#[derive(Clone)]
pub struct Settings {
    /// The names of the keys.
    pub keys: KeyNames,
    /// What headers must prove.
    pub profile: ChainProfile,
    /// Blocks that the operator vouches for.
    pub checkpoints: Vec<Checkpoint>,
    /// How records are anchored.
    pub anchoring: AnchoringSettings,
    /// Which records share a transaction.
    pub batching: BatchPolicy,
    /// How the log of all commitments is called, and how often it is signed.
    pub log: LogSettings,
    /// How the pool is kept; asked anew each time.
    pub pool: PoolPolicySource,
    /// When the pool is looked after.
    pub schedule: Schedule,
    /// Confirmations from which a record counts as confirmed.
    pub confirmed_at_depth: u32,
    /// Whether unlock messages need a nonce.
    pub unlock_requires_nonce: bool,
    /// How long a claim at a point of sale waits for the shop.
    pub claim_ttl: Duration,
    /// How users log in.
    pub login: LoginSettings,
    /// The most mails in an hour, to all mailboxes together.
    pub max_mails_per_hour: u64,
    /// The master secret.
    pub master_secret: Zeroizing<Vec<u8>>,
    /// How long the network's view of the pool is remembered.
    pub chain_view_ttl: Duration,
    /// How backups are made.
    pub backup: BackupPlan,
    /// The HTTP edge.
    pub http: HttpOptions,
    /// How often background tasks look by themselves.
    pub periods: Periods,
    /// Things an operator should know though nothing is down.
    pub warnings: Vec<String>,
}

/// What operators decide about the passwordless login.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// How long a challenge may be answered.
    pub challenge_ttl: Duration,
    /// The identifier of the server's key, if it is not to be worked out.
    pub kid: Option<String>,
    /// How long a login waits for the signer's proof.
    pub proof_patience: Duration,
}

impl Default for LoginSettings {
    fn default() -> Self {
        let (challenge_ttl, proof_patience) = (Duration::from_secs(180), Duration::from_secs(1));
        Self { challenge_ttl, kid: None, proof_patience }
    }
}

/// The product, put together.
pub struct App {
    /// Every route.
    pub router: Router,
    /// The background.
    pub driver: Driver,
    /// Every service, for commands that act beside HTTP.
    pub services: Services,
    /// Carries records to the chain, for commands that act beside HTTP.
    pub anchoring: AnchoringService,
    /// Wakes the background.
    pub wakes: Wakes,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl App {
    /// Learns the keys, puts stored settings in force, then puts services, edge and background
    /// together.
    pub async fn build(
        store: Store,
        settings: Settings,
        mut ports: Ports,
    ) -> Result<Self, KeyringError> {
        let observations = Observations::default();
        ports.signer = Arc::new(ObservedSigner {
            signer: ports.signer,
            observations: observations.clone(),
            clock: Arc::clone(&ports.clock),
        });
        let keyring = Arc::new(establish_keyring(&store, &ports.signer, &settings.keys).await?);
        settings.anchoring.runtime.load(&store)?;
        let metrics = Arc::new(parts::metrics(&store, &settings, &ports));
        let fence = Fence::of(&store)?;
        ports.signer = Arc::new(FencedSigner { signer: ports.signer, fence: fence.clone() });
        let broadcaster =
            FencedBroadcaster { broadcaster: ports.broadcaster, fence: fence.clone() };
        ports.broadcaster = Arc::new(broadcaster);
        let wakes = Wakes::default();
        let progress = Progress::default();
        let (feed, history, alerts) =
            (parts::feed(&store), History::default(), AlertBook::default());
        let prober = Prober {
            signer: Arc::clone(&ports.signer),
            key_identifier: keyring.issuer.identifier.clone(),
            mailer: ports.mailer.clone(),
            lines: ports.lines.clone().into(),
            observations: observations.clone(),
            clock: Arc::clone(&ports.clock),
            looked: Arc::default(),
        };
        let parts = Parts {
            store,
            settings,
            ports,
            keyring,
            progress,
            observations,
            fence,
            wakes,
            metrics,
            feed,
            history,
            alerts,
            prober,
        };
        let services = parts.services();
        let worker = parts.worker(&services);
        let anchoring = worker.anchoring.clone();
        let driver = Driver::new(worker, parts.wakes.clone());
        let router = parts.router(&services);
        Ok(Self { router, driver, services, anchoring, wakes: parts.wakes, metrics: parts.metrics })
    }
}

/// A signal that turns true once, when the process is to stop.
pub fn shutdown_signal() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    watch::channel(false)
}
