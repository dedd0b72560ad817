//! One HTTP exchange with a party that is not trusted.
//!
//! Guarantees: no redirect is followed, no proxy of the environment is used, the answer is never
//! read beyond its limit, every exchange ends by its time-out, and no text made here contains a
//! URL, a header or more than a short, printable piece of the answer. Knows nothing about what is
//! asked; retries are the caller's decision, with [`RetryPolicy`] to say how long to wait.

use std::borrow::Cow;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use url::Url;

use crate::crypto::random_bytes;

/// The longest piece of somebody else's text that is kept.
pub const MAX_EXCERPT: usize = 200;
/// A pause that is longer than this is no advice any more.
const LONGEST_RETRY_AFTER_MS: u64 = 60 * 60 * 1000;

/// An HTTP client that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up")]
pub struct ClientError(#[source] reqwest::Error);

/// Why an exchange has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// Not within the time-out.
    #[error("no answer within {0} ms")]
    TimedOut(u128),
    /// No connection: the request was not sent.
    #[error("no connection ({0})")]
    NotConnected(String),
    /// The connection broke: the request may have been acted upon.
    #[error("the connection broke ({0})")]
    Interrupted(String),
    /// The answer exceeds its limit and was not read to the end.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
}

/// What bounds one exchange.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From sending to the last byte of the answer.
    pub timeout: Duration,
    /// Of the answer's body.
    pub max_answer_bytes: usize,
}

/// An answer, complete and within its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The pause it asks for.
    pub retry_after_ms: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Says whether the status is 2xx.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// Says whether the status speaks of the other side's condition (429, 5xx), not of the request.
    pub const fn is_temporary(&self) -> bool {
        self.status == 429 || (self.status >= 500 && self.status < 600)
    }

    /// Returns the body as text, with replacement characters where it is none.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// How often and how patiently to ask again.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The pause after the first; it doubles each time.
    pub first_pause: Duration,
    /// The longest pause; whoever asks for more is not asked again.
    pub longest_pause: Duration,
}

impl RetryPolicy {
    /// Returns the pause before the next attempt after `made` attempts, or nothing if that was the
    /// last or if `retry_after_ms` asks for more patience than there is. Between half and all of
    /// each pause is random, so that clients that failed together do not come back together.
    pub fn pause(&self, made: u32, retry_after_ms: Option<u64>) -> Option<Duration> {
        if made >= self.attempts {
            return None;
        }
        let asked_for = Duration::from_millis(retry_after_ms.unwrap_or(0));
        if asked_for > self.longest_pause {
            return None;
        }
        let factor = 1u32 << made.saturating_sub(1).min(16);
        let whole = self.first_pause.saturating_mul(factor).min(self.longest_pause);
        let half = whole / 2;
        let random = u32::from(u16::from_be_bytes(random_bytes()));
        Some((half + half * random / u32::from(u16::MAX)).max(asked_for))
    }

    /// Returns an upper bound for all attempts and pauses together.
    pub fn longest_total(&self, timeout: Duration) -> Duration {
        let pauses = self.longest_pause.saturating_mul(self.attempts.saturating_sub(1));
        timeout.saturating_mul(self.attempts).saturating_add(pauses)
    }
}

/// Makes a client for `base`, through a Unix socket if one is given.
pub fn client(base: &Url, socket: Option<&Path>) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .user_agent(concat!("patchproof/", env!("CARGO_PKG_VERSION")))
        .pool_idle_timeout(Duration::from_secs(20));
    if base.scheme() == "http" {
        // Without TLS the machine's certificates are of no use, and may not even be installed.
        builder = builder.tls_certs_only([]);
    }
    if let Some(path) = socket {
        builder = builder.unix_socket(path);
    }
    builder.build().map_err(|error| ClientError(error.without_url()))
}

/// Sends `request` and reads the whole answer within `limits`.
pub async fn exchange(
    request: reqwest::RequestBuilder,
    limits: Limits,
) -> Result<Answer, ExchangeError> {
    let exchanged = tokio::time::timeout(limits.timeout, send_and_read(request, limits)).await;
    exchanged.unwrap_or(Err(ExchangeError::TimedOut(limits.timeout.as_millis())))
}

async fn send_and_read(
    request: reqwest::RequestBuilder,
    limits: Limits,
) -> Result<Answer, ExchangeError> {
    let mut response = request.send().await.map_err(classify)?;
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limits.max_answer_bytes) {
        return Err(ExchangeError::TooLarge(limits.max_answer_bytes));
    }
    let status = response.status().as_u16();
    let retry_after_ms = retry_after_ms(response.headers());
    let mut body = Vec::with_capacity(announced.unwrap_or(0));
    while let Some(chunk) = response.chunk().await.map_err(classify)? {
        if body.len() + chunk.len() > limits.max_answer_bytes {
            return Err(ExchangeError::TooLarge(limits.max_answer_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, retry_after_ms, body })
}

fn classify(error: reqwest::Error) -> ExchangeError {
    let not_connected = error.is_connect();
    let error = error.without_url();
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let reason = excerpt(&innermost.to_string());
    if not_connected {
        ExchangeError::NotConnected(reason)
    } else {
        ExchangeError::Interrupted(reason)
    }
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, which is taken relative to the
/// answer's own `Date`, so that neither clock matters.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let wanted = text(RETRY_AFTER)?.trim();
    let pause = match wanted.parse::<u64>() {
        Ok(seconds) => seconds.saturating_mul(1000),
        Err(_) => {
            let until = jiff::fmt::rfc2822::parse(wanted).ok()?.timestamp().as_millisecond();
            let from = jiff::fmt::rfc2822::parse(text(DATE)?).ok()?.timestamp().as_millisecond();
            u64::try_from(until.saturating_sub(from)).unwrap_or(0)
        }
    };
    Some(pause.min(LONGEST_RETRY_AFTER_MS))
}

/// Returns a short, printable piece of somebody else's text, on one line.
pub fn excerpt(text: &str) -> String {
    let words = text.split_whitespace().flat_map(|word| [" ", word]);
    words.flat_map(str::chars).skip(1).filter(|c| !c.is_control()).take(MAX_EXCERPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_pause_is_read_in_seconds_or_as_a_date_and_is_bounded() {
        assert_eq!(retry_after_ms(&headers(&[(RETRY_AFTER, "7")])), Some(7_000));
        let date = (RETRY_AFTER, "Wed, 21 Oct 2015 07:28:30 GMT");
        let now = (DATE, "Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(retry_after_ms(&headers(&[date.clone(), now])), Some(30_000));
        assert_eq!(retry_after_ms(&headers(&[date])), None);
        assert_eq!(retry_after_ms(&headers(&[(RETRY_AFTER, "soon")])), None);
        assert_eq!(
            retry_after_ms(&headers(&[(RETRY_AFTER, "18446744073709551615")])),
            Some(LONGEST_RETRY_AFTER_MS)
        );
    }

    #[test]
    fn pauses_grow_stay_bounded_and_end() {
        let policy = RetryPolicy {
            attempts: 4,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_millis(300),
        };
        for (made, least, most) in [(1, 50, 100), (2, 100, 200), (3, 150, 300)] {
            let pause = policy.pause(made, None).unwrap().as_millis();
            assert!((least..=most).contains(&pause), "{made}: {pause}");
        }
        assert_eq!(policy.pause(4, None), None);
        assert_eq!(policy.pause(1, Some(250)), Some(Duration::from_millis(250)));
        assert_eq!(policy.pause(1, Some(301)), None, "asks for more patience than there is");
    }

    #[test]
    fn excerpts_are_short_and_printable() {
        assert_eq!(excerpt(" a\r\n\u{7}b\tc\u{1b}[31m "), "a b c[31m");
        assert_eq!(excerpt(&"é".repeat(5_000)).chars().count(), MAX_EXCERPT);
    }
}
