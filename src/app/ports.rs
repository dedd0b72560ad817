//! The edges to the outside, made from the configuration.

use std::sync::Arc;

use async_trait::async_trait;

use crate::chain::{WhatsOnChain, WhatsOnChainConfig, WhatsOnChainConfigError};
use crate::config::{Endpoint, KeySettings, KmsSettings, WocSettings};
use crate::service::keys::KeyNames;
use crate::signer::{
    KmsConfig, KmsConfigError, KmsSigner, SignRequest, Signer, SignerError, VerifiedSignature,
};
use crate::types::Network;

/// Makes the client of the network endpoint.
pub fn whatsonchain(settings: &WocSettings) -> Result<WhatsOnChain, WhatsOnChainConfigError> {
    WhatsOnChain::new(WhatsOnChainConfig {
        api_key: settings.api_key.as_ref().map(|key| key.expose().to_owned()),
        timeout: settings.timeout,
        retries: settings.retries,
        requests_per_second: settings.requests_per_second,
        ..WhatsOnChainConfig::new(settings.base_url.url().clone(), settings.network)
    })
}

/// Makes the client of the signer at `endpoint`.
pub fn kms(endpoint: &Endpoint, settings: &KmsSettings) -> Result<KmsSigner, KmsConfigError> {
    KmsSigner::new(KmsConfig {
        api_key: settings.api_key.as_ref().map(|key| key.expose().to_owned()),
        timeout: settings.timeout,
        attempts: settings.retry_attempts,
        retry_delay: settings.retry_delay,
        ..KmsConfig::new(endpoint.url().clone())
    })
}

/// Makes the signer; where none is configured, one that is never there.
pub fn signer(settings: &KmsSettings) -> Result<Arc<dyn Signer>, KmsConfigError> {
    Ok(match &settings.sign_url {
        Some(endpoint) => Arc::new(kms(endpoint, settings)?),
        None => Arc::new(NoSigner),
    })
}

/// Returns the names of our keys as the services know them.
pub fn key_names(settings: &KeySettings, network: Network) -> KeyNames {
    KeyNames {
        network,
        issuer: settings.issuer.clone(),
        custody: settings.custody.clone(),
        funding: settings.funding.clone(),
        funding_address: settings.funding_address.clone(),
        change: settings.change.clone(),
        change_address: settings.change_address.clone(),
    }
}

/// Stands where no signer is configured.
#[derive(Debug, Clone, Copy)]
pub struct NoSigner;

#[async_trait]
impl Signer for NoSigner {
    async fn sign(&self, _: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError> {
        Err(no_signer())
    }

    async fn public_key(&self, _: &str) -> Result<Option<crate::crypto::PublicKey>, SignerError> {
        Err(no_signer())
    }
}

fn no_signer() -> SignerError {
    SignerError::Unavailable("KMS_SIGN_URL names none".to_owned())
}
