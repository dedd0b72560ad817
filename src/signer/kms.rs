//! The client of a key management service, over HTTP or a Unix socket.
//!
//! Asks again after connection errors, time-outs, 429 and 5xx: signatures are deterministic, so
//! asking twice signs nothing new. Anything else is final. Every answer is read up to a limit and
//! verified whole before any of it is used. No error text holds the API key or a URL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use crate::crypto::PublicKey;
use crate::outbound::{self, Answer, ExchangeError, Limits, RetryPolicy, excerpt};
use crate::signer::kms_answer::verify_answer;
use crate::signer::{
    DerivedSecret, SecretDeriver, SignRequest, Signer, SignerError, VerifiedSignature,
};

/// Room for one signature and key in an answer.
const ANSWER_BYTES_PER_REQUEST: usize = 300;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How to reach a key management service.
#[derive(Clone)]
pub struct KmsConfig {
    /// `http:`, `https:` or `unix:///path/to.sock`; `/sign` is appended if the path lacks it.
    pub sign_url: Url,
    /// Sent as a bearer token.
    pub api_key: Option<String>,
    /// Per attempt.
    pub timeout: Duration,
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The pause after the first attempt; it doubles each time.
    pub retry_delay: Duration,
    /// The longest answer, beside 300 bytes per signature.
    pub max_answer_bytes: usize,
    /// Hashes per request; more are sent one request after another.
    pub max_batch: usize,
}

impl KmsConfig {
    /// Takes the defaults for everything but the address.
    pub const fn new(sign_url: Url) -> Self {
        Self {
            sign_url,
            api_key: None,
            timeout: Duration::from_secs(15),
            attempts: 3,
            retry_delay: Duration::from_millis(250),
            max_answer_bytes: 64 * 1024,
            max_batch: 256,
        }
    }
}

impl fmt::Debug for KmsConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KmsConfig").field("host", &self.sign_url.host_str()).finish()
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KmsConfigError {
    /// The scheme is none of http, https, unix.
    #[error("the signer's URL begins with http:, https: or unix:, not {0}:")]
    Scheme(String),
    /// The URL names no socket.
    #[error("a unix: URL of the signer is unix:///absolute/path, without host or % escapes")]
    SocketPath,
    /// A password in the URL and an API key cannot both be sent.
    #[error("the signer's URL has a user or password although an API key is set")]
    TwoCredentials,
    /// A number is zero.
    #[error("attempts and batch size of the signer's client are at least 1")]
    Zero,
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Client(#[from] outbound::ClientError),
}

/// The client.
#[derive(Clone)]
pub struct KmsSigner {
    client: Client,
    config: KmsConfig,
    base: Url,
}

impl fmt::Debug for KmsSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("KmsSigner").field(&self.config).finish()
    }
}

impl KmsSigner {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: KmsConfig) -> Result<Self, KmsConfigError> {
        if config.attempts == 0 || config.max_batch == 0 {
            return Err(KmsConfigError::Zero);
        }
        let url = &config.sign_url;
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if has_credentials && config.api_key.is_some() {
            return Err(KmsConfigError::TwoCredentials);
        }
        let (base, socket) = base_and_socket(url)?;
        let client = outbound::client(&base, socket.as_deref())?;
        Ok(Self { client, config, base })
    }

    fn endpoint(&self, tail: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{tail}", self.base.path().trim_end_matches('/')));
        url
    }

    async fn sign_batch(
        &self,
        requests: &[SignRequest],
    ) -> Result<Vec<VerifiedSignature>, SignerError> {
        let wire: Vec<_> = requests
            .iter()
            .map(|request| {
                json!({
                    "keyIdentifier": request.key_identifier,
                    "sighash": request.sighash,
                    "kind": request.kind,
                })
            })
            .collect();
        let request = self.client.post(self.endpoint("/sign")).json(&json!({ "requests": wire }));
        let answer = self.ask(request, requests.len()).await?;
        let body = self.accepted(answer)?.body;
        let requests = requests.to_vec();
        // Verifying hundreds of signatures takes milliseconds that other tasks must not wait for.
        tokio::task::spawn_blocking(move || verify_answer(&requests, &body))
            .await
            .map_err(|_| SignerError::Unavailable("the process is stopping".to_owned()))?
    }

    /// Sends `request` until there is an answer that is about the request, or patience ends.
    async fn ask(&self, request: RequestBuilder, entries: usize) -> Result<Answer, SignerError> {
        let request = match &self.config.api_key {
            Some(api_key) => request.bearer_auth(api_key),
            None => request,
        };
        let policy = RetryPolicy {
            attempts: self.config.attempts,
            first_pause: self.config.retry_delay,
            longest_pause: LONGEST_PAUSE,
        };
        let longest = policy.longest_total(self.config.timeout);
        tokio::time::timeout(longest, self.ask_repeatedly(&request, entries, policy))
            .await
            .unwrap_or_else(|_| {
                Err(SignerError::Unavailable(format!("no answer within {longest:?} in all")))
            })
    }

    async fn ask_repeatedly(
        &self,
        request: &RequestBuilder,
        entries: usize,
        policy: RetryPolicy,
    ) -> Result<Answer, SignerError> {
        let room = entries.saturating_mul(ANSWER_BYTES_PER_REQUEST);
        let limits = Limits {
            timeout: self.config.timeout,
            max_answer_bytes: self.config.max_answer_bytes.saturating_add(room),
        };
        let mut made = 0;
        loop {
            made += 1;
            let request = request.try_clone().expect("the body is held in memory");
            let (reason, retry_after_ms) = match outbound::exchange(request, limits).await {
                Ok(answer) if !answer.is_temporary() => return Ok(answer),
                Ok(answer) => (self.describe(&answer), answer.retry_after_ms),
                Err(error @ ExchangeError::TooLarge(_)) => {
                    return Err(SignerError::Untrustworthy(error.to_string()));
                }
                Err(error) => (error.to_string(), None),
            };
            let Some(pause) = policy.pause(made, retry_after_ms) else {
                return Err(SignerError::Unavailable(reason));
            };
            tracing::debug!(%reason, made, "the signer is asked again");
            tokio::time::sleep(pause).await;
        }
    }

    fn accepted(&self, answer: Answer) -> Result<Answer, SignerError> {
        if answer.is_success() { Ok(answer) } else { Err(self.refusal(&answer)) }
    }

    fn refusal(&self, answer: &Answer) -> SignerError {
        SignerError::Refused(self.describe(answer))
    }

    /// Says what a failed request was answered, in the signer's own words where it has some.
    fn describe(&self, answer: &Answer) -> String {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Words {
            detail: String,
            message: String,
            error: String,
        }
        let words: Words = serde_json::from_slice(&answer.body).unwrap_or_default();
        let mut said = [words.detail, words.message, words.error]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        // A signer that repeats what it was sent must not carry the key into a log.
        if let Some(api_key) = self.config.api_key.as_deref().filter(|key| !key.is_empty()) {
            said = said.replace(api_key, "***");
        }
        let hint = match answer.status {
            300..=399 => ", a redirect, which is not followed",
            401 => ": is the API key right?",
            _ => "",
        };
        let separator = if said.is_empty() { "" } else { ": " };
        format!("HTTP {}{hint}{separator}{}", answer.status, excerpt(&said))
    }
}

/// Splits the configured URL into the address below which `/sign` lies and the socket, if any.
fn base_and_socket(url: &Url) -> Result<(Url, Option<PathBuf>), KmsConfigError> {
    match url.scheme() {
        "http" | "https" => {
            let mut base = url.clone();
            let path = url.path().trim_end_matches('/');
            let path = path.strip_suffix("/sign").unwrap_or(path).to_owned();
            base.set_path(&path);
            Ok((base, None))
        }
        "unix" => {
            let path = url.path();
            let has_host = url.host_str().is_some_and(|host| !host.is_empty());
            if has_host || !path.starts_with('/') || path.len() == 1 || path.contains('%') {
                return Err(KmsConfigError::SocketPath);
            }
            let base = Url::parse("http://localhost/").expect("a constant URL");
            Ok((base, Some(PathBuf::from(path))))
        }
        other => Err(KmsConfigError::Scheme(other.to_owned())),
    }
}

#[async_trait]
impl Signer for KmsSigner {
    async fn sign(&self, requests: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError> {
        let mut signatures = Vec::with_capacity(requests.len());
        for batch in requests.chunks(self.config.max_batch) {
            signatures.extend(self.sign_batch(batch).await?);
        }
        Ok(signatures)
    }

    async fn public_key(&self, key_identifier: &str) -> Result<Option<PublicKey>, SignerError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ListedKey {
            key_identifier: String,
            public_key: PublicKey,
        }
        let answer = self.ask(self.client.get(self.endpoint("/keys")), 0).await?;
        // A signer that cannot list its keys has no such path.
        if matches!(answer.status, 404 | 405 | 501) {
            return Ok(None);
        }
        let body = self.accepted(answer)?.body;
        let keys: Vec<ListedKey> = serde_json::from_slice(&body).map_err(|_| {
            SignerError::Untrustworthy("it is not the JSON of a list of keys".into())
        })?;
        let mut found = keys.iter().filter(|key| key.key_identifier == key_identifier);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(key), None) => Ok(Some(key.public_key)),
            (Some(_), Some(_)) => {
                Err(SignerError::Untrustworthy("it lists one identifier twice".into()))
            }
        }
    }
}

#[async_trait]
impl SecretDeriver for KmsSigner {
    async fn derive_secret(
        &self,
        challenge: &[u8; 24],
        user_key: &PublicKey,
    ) -> Result<DerivedSecret, SignerError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Derived<'a> {
            shared_secret_hex: &'a str,
            kid: String,
        }
        let question = json!({ "Mhex": hex::encode(challenge), "pmcHex": user_key });
        let request = self.client.post(self.endpoint("/svd/derive-secret")).json(&question);
        let answer = self.accepted(self.ask(request, 1).await?)?;
        let untrustworthy =
            || SignerError::Untrustworthy("it is not the JSON of a shared secret".to_owned());
        let derived: Derived<'_> =
            serde_json::from_slice(&answer.body).map_err(|_| untrustworthy())?;
        let mut secret = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(derived.shared_secret_hex, secret.as_mut_slice())
            .map_err(|_| untrustworthy())?;
        if derived.kid.is_empty() || derived.kid.len() > 128 {
            return Err(untrustworthy());
        }
        Ok(DerivedSecret { secret, kid: derived.kid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_of(text: &str) -> Result<(String, Option<PathBuf>), KmsConfigError> {
        let (base, socket) = base_and_socket(&Url::parse(text).unwrap())?;
        Ok((base.to_string(), socket))
    }

    #[test]
    fn the_address_is_the_same_with_and_without_its_last_part() {
        for text in ["https://kms.example/v1", "https://kms.example/v1/sign"] {
            let config = KmsConfig::new(Url::parse(text).unwrap());
            let signer = KmsSigner::new(config).unwrap();
            assert_eq!(signer.endpoint("/sign").as_str(), "https://kms.example/v1/sign");
            assert_eq!(signer.endpoint("/keys").as_str(), "https://kms.example/v1/keys");
        }
    }

    #[test]
    fn sockets_are_named_by_absolute_paths() {
        let (base, socket) = base_of("unix:///run/patchproof/signer.sock").unwrap();
        assert_eq!(base, "http://localhost/");
        assert_eq!(socket, Some(PathBuf::from("/run/patchproof/signer.sock")));
        assert!(base_of("unix:/run/signer.sock").unwrap().1.is_some());
        for wrong in ["unix://host/run/x", "unix:relative", "unix:///", "unix:///a%20b", "ftp://x"]
        {
            assert!(base_of(wrong).is_err(), "{wrong}");
        }
    }
}
