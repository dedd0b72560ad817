//! The client of WhatsOnChain and of what speaks like it.
//!
//! Paces itself, asks again after network errors, 429 and 5xx, follows no redirect and reads no
//! answer beyond its limit. A broadcast is never repeated in here: what a lost answer means is
//! decided where the transaction is stored. Its questions are in `whatsonchain_tracker`.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use crate::chain::{
    Attempt, BroadcastEndpoint, BroadcastOutcome, Broadcaster, ChainError, Submission,
    classify_whatsonchain,
};
use crate::outbound::{self, Answer, Limits, RetryPolicy, excerpt};
use crate::types::Network;

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How to reach WhatsOnChain or what speaks like it.
#[derive(Clone)]
pub struct WhatsOnChainConfig {
    /// Up to and including `/v1/bsv/{network}`.
    pub base_url: Url,
    /// The network.
    pub network: Network,
    /// Sent as `woc-api-key`.
    pub api_key: Option<String>,
    /// Per request.
    pub timeout: Duration,
    /// Further attempts after network errors, 429 and 5xx.
    pub retries: u32,
    /// The pause before the first of them; it doubles each time.
    pub retry_delay: Duration,
    /// Pace; `None` for an endpoint of our own.
    pub requests_per_second: Option<u32>,
    /// The longest answer.
    pub max_answer_bytes: usize,
}

impl WhatsOnChainConfig {
    /// Takes the defaults of the free public service for everything but address and network.
    pub const fn new(base_url: Url, network: Network) -> Self {
        Self {
            base_url,
            network,
            api_key: None,
            timeout: Duration::from_secs(15),
            retries: 2,
            retry_delay: Duration::from_millis(500),
            requests_per_second: Some(3),
            max_answer_bytes: 1024 * 1024,
        }
    }
}

impl fmt::Debug for WhatsOnChainConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WhatsOnChainConfig")
            .field("host", &self.base_url.host_str())
            .field("network", &self.network)
            .finish()
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WhatsOnChainConfigError {
    /// The address is not http or https.
    #[error("the address of the network endpoint begins with http: or https:")]
    Scheme,
    /// The API key has characters that no header can carry.
    #[error("the API key of the network endpoint is not printable ASCII")]
    ApiKey,
    /// A pace of nothing per second.
    #[error("the pace of requests to the network endpoint is at least 1 per second")]
    Pace,
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Client(#[from] outbound::ClientError),
}

/// The client. Clones share one pace.
#[derive(Clone)]
pub struct WhatsOnChain {
    client: Client,
    pub(super) config: WhatsOnChainConfig,
    base: String,
    api_key_header: Option<HeaderValue>,
    pace: Option<Arc<DefaultDirectRateLimiter>>,
}

impl fmt::Debug for WhatsOnChain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("WhatsOnChain").field(&self.config).finish()
    }
}

impl WhatsOnChain {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: WhatsOnChainConfig) -> Result<Self, WhatsOnChainConfigError> {
        if !matches!(config.base_url.scheme(), "http" | "https") {
            return Err(WhatsOnChainConfigError::Scheme);
        }
        let api_key_header = match config.api_key.as_deref().map(HeaderValue::from_str) {
            Some(Ok(mut value)) => {
                value.set_sensitive(true);
                Some(value)
            }
            Some(Err(_)) => return Err(WhatsOnChainConfigError::ApiKey),
            None => None,
        };
        let pace = match config.requests_per_second.map(NonZeroU32::new) {
            // The public service counts short bursts against its limit, so there are none.
            Some(Some(rate)) => {
                let quota = Quota::per_second(rate).allow_burst(NonZeroU32::MIN);
                Some(Arc::new(RateLimiter::direct(quota)))
            }
            Some(None) => return Err(WhatsOnChainConfigError::Pace),
            None => None,
        };
        let client = outbound::client(&config.base_url, None)?;
        let base = config.base_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { client, config, base, api_key_header, pace })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.api_key_header {
            Some(value) => request.header("woc-api-key", value.clone()),
            None => request,
        }
    }

    const fn limits(&self) -> Limits {
        let WhatsOnChainConfig { timeout, max_answer_bytes, .. } = self.config;
        Limits { timeout, max_answer_bytes }
    }

    async fn wait_for_turn(&self) {
        if let Some(pace) = &self.pace {
            pace.until_ready().await;
        }
    }

    /// Asks until there is an answer that is about the question, or patience ends.
    pub(super) async fn ask(&self, request: RequestBuilder) -> Result<Answer, ChainError> {
        let policy = RetryPolicy {
            attempts: self.config.retries.saturating_add(1),
            first_pause: self.config.retry_delay,
            longest_pause: LONGEST_PAUSE,
        };
        let mut made = 0;
        loop {
            made += 1;
            self.wait_for_turn().await;
            let request = request.try_clone().expect("the body is held in memory");
            let error = match outbound::exchange(request, self.limits()).await {
                Ok(answer) if !answer.is_temporary() => return Ok(answer),
                Ok(Answer { status: 429, retry_after_ms, .. }) => {
                    ChainError::RateLimited { retry_after_ms }
                }
                Ok(answer) => ChainError::Unreachable(self.describe(&answer)),
                Err(error @ outbound::ExchangeError::TooLarge(_)) => {
                    return Err(ChainError::Malformed(error.to_string()));
                }
                Err(error) => ChainError::Unreachable(error.to_string()),
            };
            let wanted = match &error {
                ChainError::RateLimited { retry_after_ms } => *retry_after_ms,
                ChainError::Unreachable(_) | ChainError::Malformed(_) => None,
            };
            let Some(pause) = policy.pause(made, wanted) else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks for JSON; nothing if the endpoint does not know what was asked for.
    pub(super) async fn ask_json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Option<T>, ChainError> {
        let answer = self.ask(request).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        self.parse(&answer).map(Some)
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, ChainError> {
        let refuse = || ChainError::Malformed(self.describe(answer));
        if !answer.is_success() {
            return Err(refuse());
        }
        serde_json::from_slice(&answer.body).map_err(|_| refuse())
    }

    pub(super) fn describe(&self, answer: &Answer) -> String {
        excerpt(&format!("HTTP {}: {}", answer.status, self.redacted(&answer.text())))
    }

    /// Takes the API key out of a text that an endpoint may have made of our own request.
    pub(super) fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.config.api_key.as_deref() {
            Some(key) if !key.is_empty() && text.contains(key) => text.replace(key, "***").into(),
            Some(_) | None => text.into(),
        }
    }
}

pub(super) fn malformed(text: &str) -> ChainError {
    ChainError::Malformed(excerpt(text))
}

#[async_trait]
impl BroadcastEndpoint for WhatsOnChain {
    async fn attempt(&self, submission: Submission<'_>) -> Attempt {
        self.wait_for_turn().await;
        let request = self
            .request(Method::POST, "/tx/raw")
            .header(ACCEPT, "text/plain")
            .json(&json!({ "txhex": hex::encode(submission.raw) }));
        let answer = match outbound::exchange(request, self.limits()).await {
            Ok(answer) => answer,
            Err(error) => return Attempt::condition(error.to_string(), None),
        };
        let body = answer.text();
        match classify_whatsonchain(answer.status, &self.redacted(&body), submission.txid) {
            BroadcastOutcome::Unknown { reason, .. } => {
                let retry_after_ms = answer.retry_after_ms;
                let is_condition = answer.is_temporary() || matches!(answer.status, 401 | 403);
                let outcome = BroadcastOutcome::Unknown { reason, retry_after_ms };
                Attempt { outcome, is_condition }
            }
            outcome @ (BroadcastOutcome::Accepted
            | BroadcastOutcome::AlreadyKnown
            | BroadcastOutcome::Conflict { .. }
            | BroadcastOutcome::Invalid { .. }
            | BroadcastOutcome::FeeTooLow { .. }
            | BroadcastOutcome::Orphan { .. }) => Attempt { outcome, is_condition: false },
        }
    }
}

#[async_trait]
impl Broadcaster for WhatsOnChain {
    async fn broadcast(&self, submission: Submission<'_>) -> BroadcastOutcome {
        self.attempt(submission).await.outcome
    }
}
