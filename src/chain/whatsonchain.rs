//! stub
use std::time::Duration;

use crate::types::Network;

/// How to reach WhatsOnChain or what speaks like it.
#[derive(Debug, Clone)]
pub struct WhatsOnChainConfig {
    /// Up to and including `/v1/bsv/{network}`, without a final slash.
    pub base_url: url::Url,
    /// The network.
    pub network: Network,
    /// Sent as `woc-api-key`.
    pub api_key: Option<String>,
    /// Per request.
    pub timeout: Duration,
    /// Further attempts after network errors, 429 and 5xx.
    pub retries: u32,
    /// Pace; `None` for an endpoint of our own.
    pub requests_per_second: Option<u32>,
}

/// The client.
#[derive(Debug, Clone)]
pub struct WhatsOnChain {}
