//! The composition root: puts the parts of the product together and runs them.
//!
//! Everything outside of the process comes in as [`Ports`]; tests fill them with fakes of the
//! network, the signer and the clock, never of the store.

pub mod accept;
pub mod configured;
pub mod control;
pub mod logging;
mod network;
mod readiness;
pub mod shutdown;
pub mod socket;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::auth::{ApiKeys, Tokens};
use crate::chain::{Broadcaster, ChainTracker, UtxoSource};
use crate::http::verification::verdict_cache;
use crate::http::{HttpOptions, HttpParts, HttpState, product, router};
use crate::service::Services;
use crate::service::anchoring::{AnchoringService, AnchoringSettings};
use crate::service::callback::CallbackService;
use crate::service::funding::FundingService;
use crate::service::headers::{HeaderService, TrustAnchors};
use crate::service::idempotency::IdempotencyService;
use crate::service::keys::{KeyNames, Keyring, KeyringError, establish_keyring};
use crate::service::listing::ListingService;
use crate::service::maintenance::MaintenanceService;
use crate::service::observed_signer::ObservedSigner;
use crate::service::pending::PendingService;
use crate::service::progress::Progress;
use crate::service::readiness::{Observations, ReadinessService};
use crate::service::records::RecordsService;
use crate::service::registration::{RegistrationService, Wake};
use crate::service::runway::RunwayService;
use crate::service::settings::SettingsService;
use crate::service::transfer::TransferService;
use crate::service::treasury::TreasuryService;
use crate::service::unlock::UnlockService;
use crate::service::verification::VerificationService;
use crate::signer::Signer;
use crate::storage::Store;
use crate::telemetry::Metrics;
use crate::types::{ChainProfile, Checkpoint, Clock};
use crate::wallet::policy::PoolPolicySource;
use crate::worker::{Driver, Periods, Schedule, Wakes, WorkerParts};

pub use network::NetworkSide;
use readiness::ReportedReadiness;

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
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Judges API keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Judges Bearer tokens.
    pub tokens: Arc<dyn Tokens>,
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
    /// How the pool is kept; asked anew each time.
    pub pool: PoolPolicySource,
    /// When the pool is looked after.
    pub schedule: Schedule,
    /// Confirmations from which a record counts as confirmed.
    pub confirmed_at_depth: u32,
    /// Whether unlock messages need a nonce.
    pub unlock_requires_nonce: bool,
    /// The master secret.
    pub master_secret: Zeroizing<Vec<u8>>,
    /// How long the network's view of the pool is remembered.
    pub chain_view_ttl: Duration,
    /// The HTTP edge.
    pub http: HttpOptions,
    /// How often background tasks look by themselves.
    pub periods: Periods,
    /// Things an operator should know though nothing is down.
    pub warnings: Vec<String>,
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
        let metrics = Arc::new(Metrics::new());
        let wakes = Wakes::default();
        let progress = Progress::default();
        let parts =
            Parts { store, settings, ports, keyring, progress, observations, wakes, metrics };
        let services = parts.services();
        let worker = parts.worker(&services);
        let anchoring = worker.anchoring.clone();
        let driver = Driver::new(worker, parts.wakes.clone());
        let router = parts.router(&services);
        Ok(Self { router, driver, services, anchoring, wakes: parts.wakes })
    }
}

struct Parts {
    store: Store,
    settings: Settings,
    ports: Ports,
    keyring: Arc<Keyring>,
    progress: Progress,
    observations: Observations,
    wakes: Wakes,
    metrics: Arc<Metrics>,
}

impl Parts {
    fn services(&self) -> Services {
        let store = self.store.clone();
        let process = self.ports.clock.now();
        let pending = PendingService {
            store: store.clone(),
            confirmed_at_depth: self.settings.confirmed_at_depth,
        };
        Services {
            registration: RegistrationService {
                store: store.clone(),
                keyring: Arc::clone(&self.keyring),
                progress: self.progress.clone(),
                wake: self.wake_pipeline(),
                process,
            },
            transfer: TransferService {
                store: store.clone(),
                keyring: Arc::clone(&self.keyring),
                progress: self.progress.clone(),
                wake: self.wake_pipeline(),
                process,
            },
            idempotency: IdempotencyService { store: store.clone() },
            verification: VerificationService {
                store: store.clone(),
                network: self.keyring.network,
                issuers: [self.keyring.issuer.public_key].into(),
            },
            unlock: UnlockService {
                store: store.clone(),
                master_secret: self.settings.master_secret.clone(),
                requires_nonce: self.settings.unlock_requires_nonce,
            },
            listing: ListingService { store: store.clone(), pending: pending.clone() },
            pending,
            funding: self.funding(),
            callback: CallbackService {
                token: self.ports.network.callback_token.clone(),
                wake: self.wake_all(),
            },
            maintenance: self.maintenance(),
            runway: self.runway(),
            headers: self.headers(),
            records: self.records(),
            settings: SettingsService {
                store: store.clone(),
                runtime: self.settings.anchoring.runtime.clone(),
            },
            readiness: self.readiness(),
        }
    }

    fn records(&self) -> RecordsService {
        RecordsService {
            store: self.store.clone(),
            anchoring: self.anchoring(),
            wake: self.wake_pipeline(),
        }
    }

    fn readiness(&self) -> ReadinessService {
        ReadinessService {
            store: self.store.clone(),
            observations: self.observations.clone(),
            warnings: self.warnings().into(),
            endpoints: self.ports.network.endpoints.clone(),
            clock: Arc::clone(&self.ports.clock),
        }
    }

    fn anchoring(&self) -> AnchoringService {
        AnchoringService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            signer: Arc::clone(&self.ports.signer),
            broadcaster: Arc::clone(&self.ports.broadcaster),
            tracker: Arc::clone(&self.ports.tracker),
            progress: self.progress.clone(),
            metrics: Arc::clone(&self.metrics),
            shortage: self.wake_shortage(),
            settings: Arc::new(self.settings.anchoring.clone()),
            anchors: self.anchors(),
        }
    }

    fn maintenance(&self) -> MaintenanceService {
        MaintenanceService {
            funding: self.funding(),
            treasury: TreasuryService {
                store: self.store.clone(),
                keyring: Arc::clone(&self.keyring),
                anchoring: self.anchoring(),
                policy: self.settings.pool.clone(),
            },
            progress: self.progress.clone(),
            wake: self.wake_pipeline(),
            state: Arc::default(),
        }
    }

    fn runway(&self) -> RunwayService {
        RunwayService {
            store: self.store.clone(),
            caps: self.settings.anchoring.caps,
            policy: self.settings.pool.clone(),
        }
    }

    fn funding(&self) -> FundingService {
        FundingService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            tracker: Arc::clone(&self.ports.tracker),
            source: Arc::clone(&self.ports.utxo_source),
            anchors: self.anchors(),
            runtime: self.settings.anchoring.runtime.clone(),
            chain_view_ttl: self.settings.chain_view_ttl,
            chain_view: Arc::new(Mutex::new(None)),
        }
    }

    fn anchors(&self) -> TrustAnchors {
        let Settings { profile, checkpoints, .. } = &self.settings;
        TrustAnchors::new(*profile, self.keyring.network, checkpoints.clone())
    }

    fn headers(&self) -> HeaderService {
        HeaderService {
            store: self.store.clone(),
            tracker: Arc::clone(&self.ports.tracker),
            anchors: self.anchors(),
        }
    }

    fn wake_pipeline(&self) -> Wake {
        let pipeline = Arc::clone(&self.wakes.pipeline);
        Arc::new(move || pipeline.notify_one())
    }

    fn wake_all(&self) -> Wake {
        let wakes = self.wakes.clone();
        Arc::new(move || {
            wakes.pipeline.notify_one();
            wakes.chain.notify_one();
        })
    }

    fn wake_maintenance(&self) -> Wake {
        let maintenance = Arc::clone(&self.wakes.maintenance);
        Arc::new(move || maintenance.notify_one())
    }

    fn wake_shortage(&self) -> Wake {
        let shortage = Arc::clone(&self.wakes.shortage);
        Arc::new(move || shortage.notify_one())
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.settings.warnings.clone();
        if self.keyring.custody.is_none() {
            warnings.push(
                "CUSTODY_KEY_IDENTIFIER is not set: products get no custody seal on chain".into(),
            );
        }
        warnings
    }

    fn worker(&self, services: &Services) -> WorkerParts {
        WorkerParts {
            store: self.store.clone(),
            anchoring: self.anchoring(),
            maintenance: services.maintenance.clone(),
            runway: services.runway.clone(),
            schedule: self.settings.schedule,
            headers: self.headers(),
            observations: self.observations.clone(),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.ports.clock),
            periods: self.settings.periods,
            policy_source: self.ports.network.policy_source.clone(),
            network_policy: self.ports.network.policy.clone(),
            endpoints: self.ports.network.endpoints.clone(),
        }
    }

    fn router(&self, services: &Services) -> Router {
        let state = HttpState::new(HttpParts {
            api_keys: Arc::clone(&self.ports.api_keys),
            tokens: Arc::clone(&self.ports.tokens),
            clock: Arc::clone(&self.ports.clock),
            readiness: Arc::new(ReportedReadiness(services.readiness.clone())),
            services: services.clone(),
            verdicts: verdict_cache(),
            metrics: Arc::clone(&self.metrics),
            maintain: self.wake_maintenance(),
            options: self.settings.http.clone(),
        });
        router(state, product())
    }
}

/// A signal that turns true once, when the process is to stop.
pub fn shutdown_signal() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    watch::channel(false)
}
