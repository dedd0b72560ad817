//! One running product with all that is outside of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use patchproof::anchor::lifecycle::RetryPolicy;
use patchproof::app::{App, ConsoleSide, LoginSettings, NetworkSide, Ports, Settings};
use patchproof::auth::token::TokenKeys;
use patchproof::auth::{ApiKeys, Principal, Scope, Scopes};
use patchproof::chain::{
    ArcClient, ArcConfig, BreakerPolicy, EndpointName, NetworkPolicy, Router, RouterEndpoint,
    RouterPolicy, WhatsOnChain, WhatsOnChainConfig,
};
use patchproof::config::InitialSettings;
use patchproof::crypto::random_bytes;
use patchproof::http::HttpOptions;
use patchproof::http::edge::EdgeLimits;
use patchproof::http::limits::RateLimits;
use patchproof::mail::{SmtpConfig, SmtpMailer};
use patchproof::service::Services;
use patchproof::service::anchoring::{AnchoringService, AnchoringSettings, FeeCaps};
use patchproof::service::backups::BackupPlan;
use patchproof::service::batches::BatchPolicy;
use patchproof::service::callback::CallbackToken;
use patchproof::service::keys::KeyNames;
use patchproof::service::log::LogSettings;
use patchproof::service::restores::Renewal;
use patchproof::service::settings::RuntimeSettings;
use patchproof::signer::{KmsConfig, KmsSigner};
use patchproof::storage::{FailureSwitch, Store, StoreOptions};
use patchproof::types::{ChainProfile, Clock, FeeRate, Network, Satoshis};
use patchproof::wallet::policy::{PoolPolicy, PoolPolicySource};
use patchproof::worker::{Periods, Schedule, Wakes};
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinSet;
use url::Url;

use crate::support::clients::{Anonymous, ApiClient};
use crate::support::outside::{Outside, SIGNER_KEY, serve_on_a_port};
use crate::support::schema::Documentation;
use crate::support::store::CheckedStore;

/// The key that opens everything.
pub(crate) const FULL_KEY: &str = "key-for-everything";
/// Another one, of somebody else.
pub(crate) const OTHER_KEY: &str = "key-of-somebody-else";

/// What the network presents with its reports, where there is a router.
pub(crate) const CALLBACK_TOKEN: &str = "token-of-reports";
/// How long the first endpoint may be silent: longer than an answer takes on a machine that does
/// much else.
const HEDGE: Duration = Duration::from_secs(2);
/// How long an endpoint in trouble is left alone; only the clock of a test moves so far.
pub(crate) const COOL_DOWN: Duration = Duration::from_secs(600);

pub(crate) const JWT_SECRET: &[u8] = b"a secret of the tests, thirty-two bytes and more";
/// Longer than anything here takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that will happen.
const PACE: Duration = Duration::from_millis(5);

/// A running product.
pub(crate) struct TestApp {
    pub(crate) outside: Outside,
    pub(crate) base: Url,
    pub(crate) services: Services,
    pub(crate) anchoring: AnchoringService,
    pub(crate) store: CheckedStore,
    pub(crate) documentation: OnceCell<Documentation>,
    pub(crate) client: reqwest::Client,
    /// Turns true once the product asks to begin anew.
    pub(crate) renewed: watch::Receiver<bool>,
    wakes: Wakes,
    options: StoreOptions,
    settings: Settings,
    shutdown: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl TestApp {
    /// Starts a product whose pool is empty.
    pub(crate) async fn penniless() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a product with money.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a product with money and settings of its own.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let app = Self::with(change).await;
        app.fund(24).await;
        app
    }

    /// Starts a product with money that reaches the network through a router.
    pub(crate) async fn through(order: &[EndpointName]) -> Self {
        let mut outside = Outside::start().await;
        outside.order = order.to_vec();
        let app = Self::run(outside, StoreOptions::in_memory(), settings()).await;
        app.fund(24).await;
        app
    }

    /// Starts a product with settings of its own, whose pool is empty.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        Self::run(Outside::start().await, StoreOptions::in_memory(), settings).await
    }

    /// Starts a product whose store lies in `folder`, with settings of its own and an empty pool.
    pub(crate) async fn within(folder: &Path, change: impl FnOnce(&mut Settings)) -> Self {
        let mut outside = Outside::start().await;
        outside.data_dir = Some(folder.to_owned());
        let mut settings = settings();
        change(&mut settings);
        Self::run(outside, StoreOptions::in_directory(folder), settings).await
    }

    async fn run(outside: Outside, options: StoreOptions, mut settings: Settings) -> Self {
        let store = Store::open(options.clone()).unwrap();
        let ((shutdown, stopping), mut tasks) = (watch::channel(false), JoinSet::new());
        settings.http.public_url = Url::parse("https://proof.example/").unwrap();
        let (renewal, renewed) = Renewal::new();
        let ports = Ports { renewal: Some(renewal), ..ports(&outside) };
        let app = App::build(store.clone(), settings.clone(), ports).await.unwrap();
        let base = serve_on_a_port(&mut tasks, app.router, &stopping).await;
        tasks.spawn(app.driver.run(stopping));
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self {
            outside,
            base,
            services: app.services,
            anchoring: app.anchoring,
            store: CheckedStore::of(store),
            documentation: OnceCell::new(),
            client,
            renewed,
            wakes: app.wakes,
            options,
            settings,
            shutdown,
            tasks,
        }
    }

    /// Stops the product and starts it anew on what it left; the world outside goes on.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// Stops the product and starts it anew with other settings.
    pub(crate) async fn restart_with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        self.shutdown.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        if !self.store.is_tampered() {
            self.store.assert_clean();
        }
        self.store.leave();
        self.store.close();
        change(&mut self.settings);
        Self::run(self.outside, self.options, self.settings).await
    }

    /// Stops the product, as it is, and starts it anew on another store; the world outside goes on.
    pub(crate) async fn restart_on(mut self, options: StoreOptions) -> Self {
        self.options = options;
        self.restart().await
    }

    /// Returns what makes the disk fail.
    pub(crate) fn disk(&self) -> FailureSwitch {
        self.options.failure_switch()
    }

    /// Returns a client without any credential.
    pub(crate) fn anonymous(&self) -> Anonymous<'_> {
        Anonymous { app: self }
    }

    /// Returns a client with the key for everything.
    pub(crate) fn api(&self) -> ApiClient<'_> {
        self.api_with(FULL_KEY)
    }

    /// Returns a client with a key.
    pub(crate) fn api_with<'a>(&'a self, key: &'a str) -> ApiClient<'a> {
        ApiClient { app: self, key }
    }

    /// Returns a token for a person, good for an hour.
    pub(crate) fn token_of(&self, subject: &str) -> String {
        let keys = TokenKeys::new(JWT_SECRET, None).unwrap();
        let (now, hour) = (self.outside.clock.now(), Duration::from_secs(3600));
        keys.issue(subject, now, hour, &random_bytes()).unwrap()
    }

    /// Brings money in: `count` outputs of 20,000 satoshis, in a block.
    pub(crate) async fn fund(&self, count: u32) {
        let address = self.services.funding.keyring.funding.address;
        let amount = Satoshis::from_const(20_000);
        self.outside.simnet.node().faucet(&address, amount, count).unwrap();
        self.outside.simnet.mine();
        self.services.funding.sync("test", self.outside.clock.now()).await.unwrap();
        self.wake();
    }

    /// Mines blocks; the first takes all that waits.
    pub(crate) fn mine(&self, blocks: u32) {
        for _ in 0..blocks {
            self.outside.simnet.mine();
        }
        self.wake();
    }

    /// Wakes the background.
    pub(crate) fn wake(&self) {
        self.wakes.pipeline.notify_one();
        self.wakes.chain.notify_one();
        self.wakes.mail.notify_one();
        self.wakes.imports.notify_one();
    }

    /// Wakes the background again and again until `probe` finds what it looks for.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut probe: impl AsyncFnMut() -> Option<T>,
    ) -> T {
        let looking = async {
            loop {
                if let Some(found) = probe().await {
                    return found;
                }
                self.wake();
                tokio::time::sleep(PACE).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| unreachable!("did not happen in time: {what}"))
    }
}

fn ports(outside: &Outside) -> Ports {
    let mut kms = KmsConfig::new(outside.signer_url.clone());
    kms.api_key = Some(SIGNER_KEY.to_owned());
    kms.attempts = 1;
    let mut chain = WhatsOnChainConfig::new(outside.chain_url.clone(), Network::Test);
    chain.requests_per_second = None;
    chain.retries = 0;
    let chain = Arc::new(WhatsOnChain::new(chain).unwrap());
    let signer = Arc::new(KmsSigner::new(kms).unwrap());
    let ports = Ports {
        secret_deriver: Some(Arc::<KmsSigner>::clone(&signer)),
        signer,
        broadcaster: Arc::<WhatsOnChain>::clone(&chain),
        tracker: Arc::<WhatsOnChain>::clone(&chain),
        utxo_source: Arc::<WhatsOnChain>::clone(&chain) as _,
        network: NetworkSide::default(),
        console: ConsoleSide { data_dir: outside.data_dir.clone(), ..ConsoleSide::default() },
        renewal: None,
        lines: Vec::new(),
        traces: None,
        clock: Arc::clone(&outside.clock) as _,
        api_keys: Arc::new(Keys),
        token_keys: Arc::new(TokenKeys::new(JWT_SECRET, None).unwrap()),
        relaxes_tokens: false,
        mailer: Some(Arc::new(SmtpMailer::new(&mail(outside)).unwrap())),
    };
    if outside.order.is_empty() { ports } else { routed(outside, &chain, ports) }
}

/// Returns how letters reach the post office.
fn mail(outside: &Outside) -> SmtpConfig {
    SmtpConfig {
        host: outside.post.address.ip().to_string(),
        port: outside.post.address.port(),
        credentials: None,
        trusted_pem: None,
        from: "PatchProof <codes@shop.example>".to_owned(),
        timeout: PATIENCE,
    }
}

/// Puts a router before the explorer's face and ARC's.
fn routed(outside: &Outside, whatsonchain: &Arc<WhatsOnChain>, ports: Ports) -> Ports {
    let arc = Arc::new(ArcClient::new(ArcConfig::new(outside.arc_url.clone())).unwrap());
    let endpoints = outside.order.iter().map(|name| match name {
        EndpointName::WhatsOnChain => RouterEndpoint::whatsonchain(whatsonchain, true),
        EndpointName::Arc => RouterEndpoint::arc(&arc, true),
    });
    let breaker = BreakerPolicy {
        cool_down: COOL_DOWN,
        longest_cool_down: COOL_DOWN,
        ..BreakerPolicy::default()
    };
    let policy = RouterPolicy { hedge: HEDGE, breaker };
    let clock = Arc::clone(&outside.clock) as _;
    let router = Arc::new(Router::new(endpoints.collect(), policy, clock));
    let network = NetworkSide {
        policy: NetworkPolicy::up_to(FeeRate::from_sat_per_kb(5_000).unwrap()),
        policy_source: Some(arc),
        endpoints: router.board(),
        callback_token: Some(CallbackToken::new(CALLBACK_TOKEN)),
    };
    Ports {
        broadcaster: Arc::<Router>::clone(&router),
        tracker: Arc::<Router>::clone(&router),
        utxo_source: router,
        network,
        ..ports
    }
}

/// Knows two keys for everything, and a key for each scope under the scope's own name.
struct Keys;

impl ApiKeys for Keys {
    fn authenticate(&self, presented: &str) -> Option<Principal> {
        let scopes = match presented {
            FULL_KEY | OTHER_KEY => Scopes::all(),
            scope => [scope.parse::<Scope>().ok()?].into_iter().collect(),
        };
        Some(Principal { id: presented.to_owned(), scopes, shop: None, reads_all: false })
    }
}

/// Limits that no test meets by accident.
pub(crate) fn generous() -> RateLimits {
    RateLimits::default().times(10_000)
}

fn settings() -> Settings {
    let millis = Duration::from_millis;
    Settings {
        keys: KeyNames {
            network: Network::Test,
            issuer: "issuer".into(),
            custody: Some("custody".into()),
            funding: "funding".into(),
            funding_address: None,
            change: Some("change".into()),
            change_address: None,
        },
        profile: ChainProfile::Simulated,
        checkpoints: Vec::new(),
        anchoring: AnchoringSettings {
            runtime: RuntimeSettings::new(InitialSettings::default()),
            max_chain_depth: 25,
            publishes_records: false,
            caps: FeeCaps::default(),
            policy: RetryPolicy {
                first_wait: millis(5),
                longest_wait: millis(100),
                look_wait: millis(50),
                longest_look_wait: millis(200),
                held_wait: millis(50),
            },
        },
        batching: BatchPolicy::default(),
        // Tests that want a checkpoint ask for it.
        log: LogSettings { origin: None, period: Duration::from_secs(86_400) },
        pool: PoolPolicySource::fixed(PoolPolicy::of(FeeRate::from_sat_per_kb(512).unwrap(), 25)),
        schedule: Schedule::default(),
        confirmed_at_depth: 0,
        unlock_requires_nonce: false,
        claim_ttl: Duration::from_secs(180),
        login: LoginSettings::default(),
        max_mails_per_hour: 600,
        master_secret: vec![7; 32].into(),
        chain_view_ttl: Duration::ZERO,
        backup: BackupPlan::default(),
        http: HttpOptions {
            network: Network::Test,
            public_url: Url::parse("https://proof.example/").unwrap(),
            patience: PATIENCE,
            answers_async: false,
            max_chain_depth: 25,
            maintains_on_health: false,
            limits: EdgeLimits { rates: generous(), ..EdgeLimits::default() },
            metrics_enabled: true,
            metrics_require_api_key: false,
            svd_open_registration: true,
            insecure_cookie: false,
            deploy_sha: None,
        },
        periods: Periods {
            chain: Duration::from_secs(1),
            housekeeping: millis(200),
            pipeline: Duration::from_secs(1),
            // Tests count who comes to the post office.
            mail: Duration::from_secs(3600),
        },
        warnings: Vec::new(),
    }
}
