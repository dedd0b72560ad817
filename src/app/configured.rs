//! From the configuration to the parts: the one place where settings become ports.

use std::sync::Arc;

use anyhow::{Context, bail};
use axum::http::HeaderValue;
use url::Url;

use crate::anchor::lifecycle::RetryPolicy;
use crate::app::accept::ConnectionLimits;
use crate::app::{Ports, Settings};
use crate::auth::token::TokenKeys;
use crate::chain::{WhatsOnChain, WhatsOnChainConfig};
use crate::config::{
    AllowedOrigins, AnchorPayload, Config, JwtSecrets, KeySettings, KmsSettings, Mode, WocSettings,
};
use crate::http::HttpOptions;
use crate::http::credentials::ConfiguredApiKey;
use crate::http::edge::{CorsOrigins, EdgeLimits};
use crate::service::anchoring::AnchoringSettings;
use crate::service::keys::KeyNames;
use crate::service::settings::RuntimeSettings;
use crate::signer::{KmsConfig, KmsSigner, Signer, SplitSigner};
use crate::types::{ChainProfile, Clock, Network};
use crate::worker::Periods;

/// Opens the edges that a configuration names.
pub fn ports(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Ports> {
    let chain = Arc::new(chain_client(&config.woc)?);
    Ok(Ports {
        signer: signer_client(&config.kms)?,
        broadcaster: Arc::<WhatsOnChain>::clone(&chain),
        tracker: Arc::<WhatsOnChain>::clone(&chain),
        utxo_source: chain,
        clock,
        api_keys: Arc::new(ConfiguredApiKey::new(config.secrets.api_key.expose())),
        tokens: Arc::new(token_keys(config.mode, &config.secrets.jwt)?),
    })
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

/// Makes the client of the signer, or of two, where transactions are signed elsewhere.
pub fn signer_client(kms: &KmsSettings) -> anyhow::Result<Arc<dyn Signer>> {
    let Some(sign_url) = &kms.sign_url else {
        bail!(
            "KMS_SIGN_URL is not set: start `patchproof signer` and name its address, or try `patchproof demo`"
        );
    };
    let client = |url: &Url| -> anyhow::Result<Arc<dyn Signer>> {
        let mut config = KmsConfig::new(url.clone());
        config.api_key = kms.api_key.as_ref().map(|key| key.expose().to_owned());
        config.timeout = kms.timeout;
        config.attempts = kms.retry_attempts;
        config.retry_delay = kms.retry_delay;
        Ok(Arc::new(KmsSigner::new(config).context("KMS_SIGN_URL or KMS_API_KEY cannot be used")?))
    };
    let messages = client(sign_url.url())?;
    match &kms.tx_sign_url {
        None => Ok(messages),
        Some(url) => Ok(Arc::new(SplitSigner { messages, transactions: client(url.url())? })),
    }
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
    let public_url = config.http.public_url.as_deref().map(Url::parse).transpose()?;
    // A chain of our own is fast and ours to ask; a public one is asked with restraint.
    let periods = match config.chain_profile {
        ChainProfile::Simulated => {
            Periods { chain: std::time::Duration::from_secs(1), ..Periods::default() }
        }
        ChainProfile::Public => {
            Periods { chain: std::time::Duration::from_secs(15), ..Periods::default() }
        }
    };
    Ok(Settings {
        keys: key_names(&config.keys, network),
        profile: config.chain_profile,
        anchoring: AnchoringSettings {
            runtime: RuntimeSettings::new(config.settings.clone()),
            max_chain_depth: anchoring.max_chain_depth,
            publishes_records: anchoring.payload == AnchorPayload::Record,
            policy: RetryPolicy::default(),
        },
        confirmed_at_depth: anchoring.confirmed_at_depth,
        unlock_requires_nonce: config.unlock.requires_nonce,
        master_secret: config.secrets.master_secret.expose().as_bytes().to_vec().into(),
        chain_view_ttl: config.health_woc_cache,
        http: HttpOptions {
            network,
            public_url: public_url.unwrap_or_else(|| base_url.clone()),
            patience: anchoring.registration_wait,
            answers_async: anchoring.is_async,
            max_chain_depth: anchoring.max_chain_depth,
            limits: EdgeLimits {
                cors: origins(&config.http.allowed_origins),
                ..EdgeLimits::default()
            },
            metrics_require_api_key: config.http.metrics_require_api_key,
            deploy_sha: config.deploy_sha.clone(),
        },
        periods,
        warnings: config.warnings.clone(),
    })
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
        proxies: config.http.trusted_proxies.iter().filter_map(|range| range.as_single()).collect(),
        ..ConnectionLimits::default()
    }
}
