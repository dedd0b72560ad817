//! The client of ARC v1, and of Arcade, which speaks almost like it.
//!
//! Follows no redirect and reads no answer beyond its limit. Transactions go out in the extended
//! form (BRC-30) when the outputs they spend are known, else as they are. A broadcast is never
//! repeated in here. What the answers mean is in `arc_answers`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use url::Url;

use crate::bitcoin::{MerklePath, Transaction};
use crate::chain::arc_answers::{Report, classify_arc, read_policy, read_report};
use crate::chain::endpoint::{Attempt, BroadcastEndpoint, TransactionIndex};
use crate::chain::policy::PolicySource;
use crate::chain::{BroadcastOutcome, Broadcaster, ChainError, Submission, TransactionStatus};
use crate::outbound::{self, Answer, Limits, excerpt};
use crate::types::{FeeRate, Txid};

/// The longest that ARC is asked to wait for a status, in seconds: its own default.
const LONGEST_WAIT_SECS: u64 = 5;
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Which of the two it is: Arcade has no `/v1` before its paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArcFlavor {
    /// ARC v1.
    #[default]
    Arc,
    /// Arcade.
    Arcade,
}

/// Where ARC tells what becomes of transactions.
#[derive(Clone)]
pub struct ArcCallback {
    /// Our route as ARC reaches it.
    pub url: String,
    /// What ARC presents there.
    pub token: Option<String>,
}

/// How to reach ARC.
#[derive(Clone)]
pub struct ArcConfig {
    /// Without `/v1`; one at its end is left out.
    pub base_url: Url,
    /// Which paths it has.
    pub flavor: ArcFlavor,
    /// Sent as a Bearer token.
    pub api_key: Option<String>,
    /// Per request.
    pub timeout: Duration,
    /// Where it calls back, if it should.
    pub callback: Option<ArcCallback>,
}

impl ArcConfig {
    /// Takes the defaults for everything but the address.
    pub const fn new(base_url: Url) -> Self {
        Self {
            base_url,
            flavor: ArcFlavor::Arc,
            api_key: None,
            timeout: Duration::from_secs(15),
            callback: None,
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArcConfigError {
    /// The address is not http or https.
    #[error("the address of ARC begins with http: or https:")]
    Scheme,
    /// A key, token or address has characters that no header can carry.
    #[error("the {0} of ARC is not printable ASCII")]
    Header(&'static str),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Client(#[from] outbound::ClientError),
}

/// The client.
#[derive(Clone)]
pub struct ArcClient {
    client: Client,
    base: String,
    timeout: Duration,
    secrets: Vec<String>,
    authorization: Option<HeaderValue>,
    callback: Vec<(&'static str, HeaderValue)>,
}

impl fmt::Debug for ArcClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ArcClient").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl ArcClient {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: ArcConfig) -> Result<Self, ArcConfigError> {
        if !matches!(config.base_url.scheme(), "http" | "https") {
            return Err(ArcConfigError::Scheme);
        }
        let bearer = config.api_key.as_ref().map(|key| format!("Bearer {key}"));
        let authorization = bearer.map(|text| secret_header("API key", &text)).transpose()?;
        let mut callback = Vec::new();
        let mut secrets: Vec<String> = config.api_key.into_iter().collect();
        if let Some(ArcCallback { url, token }) = config.callback {
            callback.push(("x-callbackurl", secret_header("callback address", &url)?));
            if let Some(token) = token {
                callback.push(("x-callbacktoken", secret_header("callback token", &token)?));
                secrets.push(token);
            }
        }
        let client = outbound::client(&config.base_url, None)?;
        let root = config.base_url.as_str().trim_end_matches('/');
        let base = match config.flavor {
            ArcFlavor::Arc => format!("{}/v1", root.trim_end_matches("/v1")),
            ArcFlavor::Arcade => root.to_owned(),
        };
        Ok(Self { client, base, timeout: config.timeout, secrets, authorization, callback })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        }
    }

    /// Makes the request that submits a transaction.
    fn submission(&self, submission: Submission<'_>) -> RequestBuilder {
        let wait = self.timeout.as_secs().saturating_sub(2).clamp(1, LONGEST_WAIT_SECS);
        let mut request = self
            .request(Method::POST, "/tx")
            .header("x-waitfor", "SEEN_ON_NETWORK")
            .header("x-maxtimeout", wait.to_string())
            .json(&json!({ "rawTx": hex::encode(body_of(submission)) }));
        for (name, value) in &self.callback {
            request = request.header(*name, value.clone());
        }
        request
    }

    const fn limits(&self) -> Limits {
        Limits { timeout: self.timeout, max_answer_bytes: MAX_ANSWER_BYTES }
    }

    async fn ask(&self, path: &str) -> Result<Answer, ChainError> {
        let exchanged = outbound::exchange(self.request(Method::GET, path), self.limits()).await;
        match exchanged {
            Ok(Answer { status: 429, retry_after_ms, .. }) => {
                Err(ChainError::RateLimited { retry_after_ms })
            }
            Ok(answer) if is_condition(answer.status) => {
                Err(ChainError::Unreachable(self.describe(&answer)))
            }
            Ok(answer) => Ok(answer),
            Err(error @ outbound::ExchangeError::TooLarge(_)) => {
                Err(ChainError::Malformed(error.to_string()))
            }
            Err(error) => Err(ChainError::Unreachable(error.to_string())),
        }
    }

    async fn report(&self, txid: Txid) -> Result<Option<Report>, ChainError> {
        let answer = self.ask(&format!("/tx/{txid}")).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(ChainError::Malformed(self.describe(&answer)));
        }
        read_report(&self.redacted(&answer.text()), txid).map(Some)
    }

    fn describe(&self, answer: &Answer) -> String {
        excerpt(&format!("HTTP {}: {}", answer.status, self.redacted(&answer.text())))
    }

    /// Takes our own secrets out of a text that the endpoint may have made of our request.
    fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut shown = Cow::Borrowed(text);
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            if shown.contains(secret.as_str()) {
                shown = shown.replace(secret.as_str(), "***").into();
            }
        }
        shown
    }
}

/// Returns the bytes to send: extended if possible, and only if they are of this very transaction.
fn body_of(submission: Submission<'_>) -> Cow<'_, [u8]> {
    let extended = submission.spent.and_then(|spent| {
        let transaction = Transaction::parse(submission.raw).ok()?;
        transaction.to_extended_bytes(spent)
    });
    extended.map_or(Cow::Borrowed(submission.raw), Cow::Owned)
}

fn secret_header(what: &'static str, text: &str) -> Result<HeaderValue, ArcConfigError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| ArcConfigError::Header(what))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Says whether a status speaks of the endpoint, or of our being let in there, and not of what was
/// asked.
const fn is_condition(status: u16) -> bool {
    matches!(status, 401 | 403 | 429 | 500..=599)
}

#[async_trait]
impl BroadcastEndpoint for ArcClient {
    async fn attempt(&self, submission: Submission<'_>) -> Attempt {
        let answer = match outbound::exchange(self.submission(submission), self.limits()).await {
            Ok(answer) => answer,
            Err(error) => return Attempt::condition(error.to_string(), None),
        };
        if is_condition(answer.status) {
            return Attempt::condition(self.describe(&answer), answer.retry_after_ms);
        }
        let body = answer.text();
        let outcome = classify_arc(answer.status, &self.redacted(&body), submission.txid);
        Attempt { outcome, is_condition: false }
    }
}

#[async_trait]
impl Broadcaster for ArcClient {
    async fn broadcast(&self, submission: Submission<'_>) -> BroadcastOutcome {
        self.attempt(submission).await.outcome
    }
}

#[async_trait]
impl TransactionIndex for ArcClient {
    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        let mut statuses = Vec::with_capacity(txids.len());
        for txid in txids {
            let report = self.report(*txid).await?;
            statuses.push(report.map_or(TransactionStatus::Unknown, |report| report.status));
        }
        Ok(statuses)
    }

    async fn merkle_path(&self, txid: Txid) -> Result<Option<MerklePath>, ChainError> {
        Ok(self.report(txid).await?.and_then(|report| report.path))
    }
}

#[async_trait]
impl PolicySource for ArcClient {
    async fn fee_rate(&self) -> Option<FeeRate> {
        match self.ask("/policy").await {
            Ok(answer) if answer.is_success() => read_policy(&answer.text()),
            Ok(answer) => {
                tracing::debug!(answer = self.describe(&answer), "no fee policy");
                None
            }
            Err(error) => {
                tracing::debug!(%error, "no fee policy");
                None
            }
        }
    }
}
