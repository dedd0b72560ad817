//! From the configuration to the parts: the one place where settings become ports.

mod backups;
mod lines;

use std::sync::Arc;

use anyhow::{Context, bail};
use axum::http::HeaderValue;
use url::Url;

use crate::anchor::lifecycle::RetryPolicy;
use crate::app::accept::ConnectionLimits;
use crate::app::{ConsoleSide, LoginSettings, NetworkSide, Ports, Settings};
use crate::auth::token::TokenKeys;
use crate::auth::{ApiKeys, Relaxed};
use crate::chain::{
    ArcCallback, ArcClient, ArcConfig, ArcFlavor, NetworkPolicy, Router, RouterEndpoint,
    RouterPolicy, WhatsOnChain, WhatsOnChainConfig,
};
use crate::config::{
    AllowedOrigins, AnchorMode, AnchorPayload, AnchoringOptions, BroadcastSettings, BroadcastVia,
    Config, JwtSecrets, KeySettings, KmsSettings, LimitSettings, MailDelivery, MailServer,
    MailSettings, Mode, PoolSettings, RateSetting, Secret, TlsSettings, TlsSource, WocSettings,
};
use crate::http::HttpOptions;
use crate::http::credentials::ConfiguredApiKey;
use crate::http::edge::{CorsOrigins, EdgeLimits};
use crate::http::limits::{Rate, RateLimits};
use crate::mail::{Mailer, ShownMailer, SmtpConfig, SmtpMailer};
use crate::service::anchoring::{AnchoringSettings, FeeCaps};
use crate::service::batches::{BatchPolicy, Route};
use crate::service::callback::CallbackToken;
use crate::service::keys::KeyNames;
use crate::service::log::LogSettings;
use crate::service::settings::RuntimeSettings;
use crate::signer::{KmsConfig, KmsSigner, SecretDeriver, Signer, SplitSigner};
use crate::telemetry::Traces;
use crate::types::{ChainProfile, Clock, Network};
use crate::wallet::policy::{PoolPolicy, PoolPolicySource};
use crate::worker::{Periods, Schedule};

pub use backups::backup_lock;
use backups::backup_plan;

/// How long each step of an exchange with the mail server may take.
const SMTP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Opens the edges that a configuration names.
pub fn ports(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Ports> {
    let arc = arc_client(&config.broadcast)?;
    let whatsonchain = Arc::new(chain_client(&config.woc)?);
    let router = router(&config.broadcast, &whatsonchain, arc.as_ref(), Arc::clone(&clock));
    let router = Arc::new(router);
    Ok(Ports {
        signer: signer_client(&config.kms)?,
        broadcaster: Arc::<Router>::clone(&router),
        tracker: Arc::<Router>::clone(&router),
        network: NetworkSide {
            policy: match &arc {
                Some(_) => NetworkPolicy::up_to(config.anchoring.max_fee_rate),
                None => NetworkPolicy::default(),
            },
            policy_source: arc.map(|arc| arc as _),
            endpoints: router.board(),
            callback_token: callback_token(&config.broadcast),
        },
        utxo_source: router,
        console: ConsoleSide::of(&config.data_dir),
        lines: lines::of(config),
        traces: traces(config, &clock)?,
        clock,
        api_keys: api_keys(config),
        token_keys: Arc::new(token_keys(config.mode, &config.secrets.jwt)?),
        relaxes_tokens: config.relaxes_auth(),
        mailer: mailer(&config.mail)?,
        secret_deriver: Some(secret_deriver(&config.kms)?),
        renewal: None,
    })
}

/// Makes what sends traces, if a collector is named.
fn traces(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Option<Arc<Traces>>> {
    let Some(collector) = &config.http.traces_to else { return Ok(None) };
    let traces = Traces::to(collector.url(), config.deploy_sha.as_deref(), Arc::clone(clock));
    Ok(Some(Arc::new(traces.context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")?)))
}

fn api_keys(config: &Config) -> Arc<dyn ApiKeys> {
    let keys = ConfiguredApiKey::new(config.secrets.api_key.expose());
    if config.relaxes_auth() { Arc::new(Relaxed(keys)) } else { Arc::new(keys) }
}

/// Makes whoever sends mails, if this process sends any.
pub fn mailer(mail: &MailSettings) -> anyhow::Result<Option<Arc<dyn Mailer>>> {
    let server = match &mail.delivery {
        MailDelivery::Server(server) => server,
        MailDelivery::Shown => return Ok(Some(Arc::new(ShownMailer))),
        MailDelivery::Left => return Ok(None),
    };
    Ok(Some(Arc::new(smtp_client(server)?)))
}

/// Makes the client of a mail server; connects to nothing yet.
pub fn smtp_client(server: &MailServer) -> anyhow::Result<SmtpMailer> {
    let trusted_pem = server.ca_file.as_ref().map(std::fs::read).transpose();
    let credentials = server.credentials.as_ref();
    let config = SmtpConfig {
        host: server.host.clone(),
        port: server.port,
        credentials: credentials.map(|(user, secret)| (user.clone(), secret.expose().to_owned())),
        trusted_pem: trusted_pem.context("SMTP_CA_FILE cannot be read")?,
        from: server.from.clone(),
        timeout: SMTP_TIMEOUT,
    };
    SmtpMailer::new(&config).context("SMTP_HOST, SMTP_CA_FILE or EMAIL_FROM cannot be used")
}

/// Makes the keys of tokens; short ones only where nothing is at stake.
pub fn token_keys(mode: Mode, jwt: &JwtSecrets) -> anyhow::Result<TokenKeys> {
    let current = jwt.current.expose().as_bytes();
    let previous = jwt.previous.as_ref().map(|secret| secret.expose().as_bytes());
    let keys = match mode {
        Mode::Production => TokenKeys::new(current, previous),
        Mode::Development | Mode::Test => TokenKeys::for_development(current, previous),
    };
    keys.context("JWT_SECRET or JWT_SECRET_PREVIOUS cannot be used")
}

/// Makes the client of the network endpoint.
pub fn chain_client(woc: &WocSettings) -> anyhow::Result<WhatsOnChain> {
    let mut config = WhatsOnChainConfig::new(woc.base_url.url().clone(), woc.network);
    config.api_key = woc.api_key.as_ref().map(|key| key.expose().to_owned());
    config.timeout = woc.timeout;
    config.retries = woc.retries;
    config.requests_per_second = woc.requests_per_second;
    WhatsOnChain::new(config).context("WOC_BASE_URL or WOC_API_KEY cannot be used")
}

/// Makes the client of ARC, if there is one.
pub fn arc_client(broadcast: &BroadcastSettings) -> anyhow::Result<Option<Arc<ArcClient>>> {
    let Some(arc) = &broadcast.arc else { return Ok(None) };
    let expose = |secret: &Secret| secret.expose().to_owned();
    let mut config = ArcConfig::new(arc.url.url().clone());
    config.flavor = if arc.is_arcade { ArcFlavor::Arcade } else { ArcFlavor::Arc };
    config.api_key = arc.api_key.as_ref().map(expose);
    config.timeout = arc.timeout;
    config.callback = arc.callback_url.as_ref().map(|url| ArcCallback {
        url: url.url().to_string(),
        token: broadcast.callback_token.as_ref().map(expose),
    });
    let client = ArcClient::new(config).context("ARC_URL or its keys cannot be used")?;
    Ok(Some(Arc::new(client)))
}

/// Makes one way to the network of its endpoints, in the order in which they are to be used.
pub fn router(
    broadcast: &BroadcastSettings,
    whatsonchain: &Arc<WhatsOnChain>,
    arc: Option<&Arc<ArcClient>>,
    clock: Arc<dyn Clock>,
) -> Router {
    let sends = |via| broadcast.order.contains(&via);
    let first = RouterEndpoint::whatsonchain(whatsonchain, sends(BroadcastVia::WhatsOnChain));
    let mut endpoints = vec![first];
    if let Some(arc) = arc {
        let is_first = broadcast.order.first() == Some(&BroadcastVia::Arc);
        let endpoint = RouterEndpoint::arc(arc, sends(BroadcastVia::Arc));
        endpoints.insert(usize::from(!is_first), endpoint);
    }
    let policy = RouterPolicy { hedge: broadcast.hedge, ..RouterPolicy::default() };
    Router::new(endpoints, policy, clock)
}

fn callback_token(broadcast: &BroadcastSettings) -> Option<CallbackToken> {
    broadcast.callback_token.as_ref().map(|token| CallbackToken::new(token.expose()))
}

/// Makes the client of the signer, or of two, where transactions are signed elsewhere.
pub fn signer_client(kms: &KmsSettings) -> anyhow::Result<Arc<dyn Signer>> {
    let Some(sign_url) = &kms.sign_url else {
        bail!(
            "KMS_SIGN_URL is not set: start `patchproof signer` and name its address, or try `patchproof demo`"
        );
    };
    let messages: Arc<dyn Signer> = Arc::new(kms_client(kms, sign_url.url())?);
    match &kms.tx_sign_url {
        None => Ok(messages),
        Some(url) => {
            let transactions = Arc::new(kms_client(kms, url.url())?);
            Ok(Arc::new(SplitSigner { messages, transactions }))
        }
    }
}

/// Makes the client of whoever derives login secrets. A login waits for one attempt and no longer.
pub fn secret_deriver(kms: &KmsSettings) -> anyhow::Result<Arc<dyn SecretDeriver>> {
    let url = kms.svd_url.as_ref().or(kms.sign_url.as_ref());
    let url = url.context("neither KMS_SVD_URL nor KMS_SIGN_URL is set")?;
    let once = KmsSettings { retry_attempts: 1, ..kms.clone() };
    Ok(Arc::new(kms_client(&once, url.url())?))
}

fn kms_client(kms: &KmsSettings, url: &Url) -> anyhow::Result<KmsSigner> {
    let mut config = KmsConfig::new(url.clone());
    config.api_key = kms.api_key.as_ref().map(|key| key.expose().to_owned());
    config.timeout = kms.timeout;
    config.attempts = kms.retry_attempts;
    config.retry_delay = kms.retry_delay;
    KmsSigner::new(config).context("the signer's URL or KMS_API_KEY cannot be used")
}

/// Returns the signer's names for our keys.
pub fn key_names(keys: &KeySettings, network: Network) -> KeyNames {
    KeyNames {
        network,
        issuer: keys.issuer.clone(),
        custody: keys.custody.clone(),
        funding: keys.funding.clone(),
        funding_address: keys.funding_address.clone(),
        change: keys.change.clone(),
        change_address: keys.change_address.clone(),
    }
}

/// Turns a configuration into what the parts are told.
pub fn settings(config: &Config, base_url: &Url) -> anyhow::Result<Settings> {
    let network = config.woc.network;
    let anchoring = &config.anchoring;
    let public_url = public_url(config)?;
    // A chain of our own is fast and ours to ask; a public one is asked with restraint.
    let periods = match config.chain_profile {
        ChainProfile::Simulated => {
            Periods { chain: std::time::Duration::from_secs(1), ..Periods::default() }
        }
        ChainProfile::Public => {
            Periods { chain: std::time::Duration::from_secs(15), ..Periods::default() }
        }
    };
    let runtime = RuntimeSettings::new(config.settings.clone());
    Ok(Settings {
        keys: key_names(&config.keys, network),
        profile: config.chain_profile,
        checkpoints: config.checkpoints.clone(),
        anchoring: AnchoringSettings {
            runtime: runtime.clone(),
            max_chain_depth: anchoring.max_chain_depth,
            publishes_records: anchoring.payload == AnchorPayload::Record,
            caps: fee_caps(&config.pool),
            policy: RetryPolicy::default(),
        },
        batching: batch_policy(anchoring),
        log: LogSettings { origin: anchoring.log_origin.clone(), period: anchoring.log_period },
        pool: pool_policy(config, runtime),
        schedule: Schedule {
            interval: config.pool.maintain_interval,
            split_cooldown: config.pool.split_cooldown,
            splits_dry: config.pool.splits_dry,
        },
        confirmed_at_depth: anchoring.confirmed_at_depth,
        unlock_requires_nonce: config.owners.unlock_requires_nonce,
        claim_ttl: config.owners.claim_ttl,
        login: login_settings(config),
        max_mails_per_hour: config.mail.max_per_hour,
        master_secret: config.secrets.master_secret.expose().as_bytes().to_vec().into(),
        chain_view_ttl: config.health_woc_cache,
        backup: backup_plan(&config.backup)?,
        http: HttpOptions {
            network,
            public_url: public_url.unwrap_or_else(|| base_url.clone()),
            patience: anchoring.registration_wait,
            answers_async: anchoring.is_async,
            max_chain_depth: anchoring.max_chain_depth,
            maintains_on_health: config.pool.maintains_on_health,
            limits: edge_limits(config),
            metrics_enabled: config.http.metrics_enabled,
            metrics_require_api_key: config.http.metrics_require_api_key,
            svd_open_registration: config.login.open_registration,
            insecure_cookie: config.http.insecure_cookie,
            deploy_sha: config.deploy_sha.clone(),
        },
        periods,
        warnings: warnings(config),
    })
}

/// Returns what an operator should know though nothing is wrong.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = config.warnings.clone();
    if config.backup.passphrase.is_none() && config.backup.recipient.is_none() {
        warnings.push(
            "no backups are made: set BACKUP_PASSPHRASE or BACKUP_RECIPIENT, and BACKUP_DIR to \
             another disk"
                .to_owned(),
        );
    }
    warnings
}

/// Returns where the world reaches the server, if that is known: where it says, or under the first
/// name that it has a certificate obtained for.
fn public_url(config: &Config) -> anyhow::Result<Option<Url>> {
    if let Some(url) = &config.http.public_url {
        return Ok(Some(url.parse()?));
    }
    let Some(TlsSettings { source: TlsSource::Acme(acme), .. }) = &config.http.tls else {
        return Ok(None);
    };
    let first = acme.domains.first().map(|name| format!("https://{name}/").parse());
    Ok(first.transpose()?)
}

fn login_settings(config: &Config) -> LoginSettings {
    LoginSettings {
        challenge_ttl: config.login.challenge_ttl,
        kid: config.login.kid.clone(),
        proof_patience: config.login.proof_timeout,
    }
}

/// Returns which registrations share a transaction.
fn batch_policy(anchoring: &AnchoringOptions) -> BatchPolicy {
    BatchPolicy {
        route: match anchoring.mode {
            AnchorMode::Direct => Route::Direct,
            AnchorMode::Batch => Route::Batch,
        },
        max_records: anchoring.batch_max_records,
        max_age: anchoring.batch_max_age,
    }
}

/// Returns what may be spent in fees.
pub fn fee_caps(pool: &PoolSettings) -> FeeCaps {
    FeeCaps { per_transaction: pool.max_fee_per_transaction, per_day: pool.max_fee_per_day }
}

/// Returns how the pool is kept, asked anew each time because operators may change it.
fn pool_policy(config: &Config, runtime: RuntimeSettings) -> PoolPolicySource {
    let base = PoolPolicy {
        fee_buffer: config.pool.fee_buffer,
        free_consolidation: config.pool.free_consolidation,
        ..PoolPolicy::of(runtime.current().fee_rate(), config.anchoring.max_chain_depth)
    };
    PoolPolicySource::new(move || runtime.current().pool(base))
}

fn edge_limits(config: &Config) -> EdgeLimits {
    EdgeLimits {
        cors: origins(&config.http.allowed_origins),
        rates: rates(&config.limits),
        hsts_max_age: config.http.hsts_max_age,
        ..EdgeLimits::default()
    }
}

fn rates(limits: &LimitSettings) -> RateLimits {
    let rate = |setting: RateSetting| Rate { most: setting.most, window: setting.window };
    RateLimits {
        public: rate(limits.public),
        api_key: rate(limits.api_key),
        svd_begin: rate(limits.svd_begin),
        svd_complete: rate(limits.svd_complete),
        svd_canary: rate(limits.svd_canary),
        auth_request: rate(limits.auth_request),
        auth_submit: rate(limits.auth_submit),
        console_login: rate(limits.console_login),
        token: rate(limits.api_key),
        // Whoever watches a process asks often, but no more often than one who works with it.
        probe: rate(limits.api_key),
    }
}

fn origins(allowed: &AllowedOrigins) -> CorsOrigins {
    match allowed {
        AllowedOrigins::SameOrigin => CorsOrigins::SameOrigin,
        AllowedOrigins::Any => CorsOrigins::Any,
        AllowedOrigins::Listed(origins) => CorsOrigins::Listed(
            origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect(),
        ),
    }
}

/// Returns how many connections there may be.
pub fn connection_limits(config: &Config) -> ConnectionLimits {
    ConnectionLimits {
        total: config.http.max_connections,
        proxies: config.http.trusted_proxies.clone(),
        ..ConnectionLimits::default()
    }
}
