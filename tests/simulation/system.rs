//! The system under test: a store and the services on it, as a process would put them together.

use std::sync::Arc;
use std::time::Duration;

use patchproof::anchor::lifecycle::RetryPolicy;
use patchproof::config::InitialSettings;
use patchproof::patch::erasure::ErasureKey;
use patchproof::service::anchoring::{AnchoringService, AnchoringSettings, FeeCaps};
use patchproof::service::batches::{BatchPolicy, BatchService, Route};
use patchproof::service::funding::FundingService;
use patchproof::service::headers::{HeaderService, TrustAnchors};
use patchproof::service::keys::{KeyNames, Keyring, establish_keyring};
use patchproof::service::log::LogService;
use patchproof::service::pending::PendingService;
use patchproof::service::progress::Progress;
use patchproof::service::registration::RegistrationService;
use patchproof::service::settings::RuntimeSettings;
use patchproof::service::transfer::TransferService;
use patchproof::service::verification::VerificationService;
use patchproof::signer::Signer;
use patchproof::storage::{Store, StoreOptions};
use patchproof::telemetry::Metrics;
use patchproof::types::{ChainProfile, Clock, FeeRate, Network, SettingName, SettingValues};

use crate::net::Net;
use crate::ports::Port;
use crate::random::{Random, mix_all};
use crate::signing::SimSigner;

/// What an operator decided, chosen by the seed.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) is_sealed: bool,
    pub(crate) has_change_key: bool,
    pub(crate) min_confirmations: u32,
    pub(crate) max_chain_depth: u32,
    pub(crate) publishes_records: bool,
    pub(crate) fee_rate: FeeRate,
    /// The way of registrations that are accepted now.
    pub(crate) route: Route,
    /// Whether the operator changes his mind about that now and then, at a restart.
    pub(crate) changes_route: bool,
    /// A batch is formed by itself when so many wait.
    pub(crate) batch_of: u64,
}

impl Setup {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(mix_all(&[seed, 2]));
        let mut batches = Random::new(mix_all(&[seed, 4]));
        Self {
            seed,
            is_sealed: random.chance(700),
            has_change_key: random.chance(700),
            min_confirmations: *random.pick(&[0, 0, 0, 0, 0, 1, 1, 2]).unwrap(),
            max_chain_depth: *random.pick(&[2, 5, 25]).unwrap(),
            publishes_records: random.chance(200),
            fee_rate: FeeRate::from_sat_per_kb(random.between(100, 600)).unwrap(),
            route: *batches.pick(&[Route::Direct, Route::Batch, Route::Batch]).unwrap(),
            changes_route: batches.chance(500),
            batch_of: batches.between(1, 8),
        }
    }

    fn runtime(&self) -> RuntimeSettings {
        let values = SettingValues::default()
            .with(SettingName::FeePerKb, self.fee_rate.sat_per_kb())
            .with(SettingName::UtxoMinConfirmations, u64::from(self.min_confirmations));
        RuntimeSettings::new(InitialSettings { values, ..InitialSettings::default() })
    }

    fn batch_policy(&self) -> BatchPolicy {
        let max_age = Duration::from_millis(20);
        BatchPolicy { route: self.route, max_records: self.batch_of, max_age }
    }

    fn settings(&self) -> AnchoringSettings {
        let millis = Duration::from_millis;
        AnchoringSettings {
            runtime: self.runtime(),
            max_chain_depth: self.max_chain_depth,
            publishes_records: self.publishes_records,
            caps: FeeCaps { per_day: None, ..FeeCaps::default() },
            // So short that the spread, which comes from random identifiers, is lost in rounding.
            policy: RetryPolicy {
                first_wait: millis(1),
                longest_wait: millis(4),
                look_wait: millis(1),
                longest_look_wait: millis(4),
                held_wait: millis(4),
            },
        }
    }

    fn key_names(&self) -> KeyNames {
        KeyNames {
            network: Network::Test,
            issuer: "issuer".into(),
            custody: self.is_sealed.then(|| "custody".into()),
            funding: "funding".into(),
            funding_address: None,
            change: self.has_change_key.then(|| "change".into()),
            change_address: None,
        }
    }
}

/// One run of the process.
pub(crate) struct System {
    pub(crate) store: Store,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) registration: RegistrationService,
    pub(crate) transfer: TransferService,
    pub(crate) anchoring: AnchoringService,
    pub(crate) batches: BatchService,
    pub(crate) headers: HeaderService,
    pub(crate) funding: FundingService,
    pub(crate) verification: VerificationService,
    pub(crate) pending: PendingService,
}

impl System {
    pub(crate) async fn open(options: &StoreOptions, net: &Arc<Net>, setup: &Setup) -> Self {
        let store = Store::open(options.clone()).unwrap();
        let calm: Arc<dyn Signer> = Arc::new(SimSigner::calm(setup.seed));
        let keyring = establish_keyring(&store, &calm, &setup.key_names()).await.unwrap();
        let keyring = Arc::new(keyring);
        let (port, progress) = (Arc::new(Port(Arc::clone(net))), Progress::default());
        let process = net.clock.now();
        let anchors = TrustAnchors::new(ChainProfile::Simulated, Network::Test, Vec::new());
        let signer: Arc<dyn Signer> = Arc::new(SimSigner::new(setup.seed, Arc::clone(net)));
        let anchoring = AnchoringService {
            store: store.clone(),
            keyring: Arc::clone(&keyring),
            signer: Arc::clone(&signer),
            broadcaster: Arc::clone(&port) as _,
            tracker: Arc::clone(&port) as _,
            progress: progress.clone(),
            metrics: Arc::new(Metrics::new()),
            shortage: Arc::new(|| {}),
            settings: Arc::new(setup.settings()),
            anchors: anchors.clone(),
        };
        Self {
            batches: BatchService {
                store: store.clone(),
                anchoring: anchoring.clone(),
                progress: progress.clone(),
                wake: Arc::new(|| {}),
                policy: setup.batch_policy(),
                log: LogService {
                    store: store.clone(),
                    keyring: Arc::clone(&keyring),
                    signer: Arc::clone(&signer),
                    origin: "simulation/log".into(),
                    rounds: Arc::default(),
                },
                rounds: Arc::default(),
            },
            registration: RegistrationService {
                store: store.clone(),
                keyring: Arc::clone(&keyring),
                progress: progress.clone(),
                wake: Arc::new(|| {}),
                wake_batches: Arc::new(|| {}),
                route: setup.route,
                process,
            },
            transfer: TransferService {
                store: store.clone(),
                keyring: Arc::clone(&keyring),
                progress,
                wake: Arc::new(|| {}),
                process,
            },
            anchoring,
            headers: HeaderService {
                store: store.clone(),
                tracker: Arc::clone(&port) as _,
                anchors: anchors.clone(),
            },
            funding: FundingService {
                store: store.clone(),
                keyring: Arc::clone(&keyring),
                tracker: Arc::clone(&port) as _,
                source: port,
                anchors: anchors.clone(),
                runtime: setup.runtime(),
                chain_view_ttl: Duration::from_secs(1),
                chain_view: Arc::default(),
                last_asked: Arc::default(),
            },
            verification: VerificationService {
                store: store.clone(),
                network: Network::Test,
                issuers: vec![keyring.issuer.public_key].into(),
                erasures: ErasureKey::derive(b"simulation"),
            },
            pending: PendingService { store: store.clone(), confirmed_at_depth: 0 },
            store,
            keyring,
        }
    }
}
