//! One endpoint as the router sees it: what it can do, how it has been lately, whether to ask it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::bitcoin::MerklePath;
use crate::chain::breaker::{Breaker, BreakerPolicy, BreakerState};
use crate::chain::{
    ArcClient, BroadcastOutcome, ChainError, ChainTracker, Submission, TransactionStatus,
    UtxoSource, WhatsOnChain,
};
use crate::types::{Timestamp, Txid};

/// What came of one attempt to send a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What it means for the transaction.
    pub outcome: BroadcastOutcome,
    /// Whether it was the endpoint's condition (unreachable, 429, 5xx, a refused key) that spoke.
    pub is_condition: bool,
}

impl Attempt {
    /// Wraps a condition of the endpoint, from which nothing was learned.
    pub const fn condition(reason: String, retry_after_ms: Option<u64>) -> Self {
        let outcome = BroadcastOutcome::Unknown { reason, retry_after_ms };
        Self { outcome, is_condition: true }
    }
}

/// Sends transactions to one endpoint, once for each call.
#[async_trait]
pub trait BroadcastEndpoint: Send + Sync {
    /// Sends a transaction and says what came of it and of the endpoint.
    async fn attempt(&self, submission: Submission<'_>) -> Attempt;
}

/// Knows what became of transactions, and nothing of headers or outputs.
#[async_trait]
pub trait TransactionIndex: Send + Sync {
    /// Returns the status of each of `txids`, in their order.
    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError>;

    /// Returns the Merkle path of a mined transaction, checked to be about it. Whether its root is
    /// that of a block is for the caller to check.
    async fn merkle_path(&self, txid: Txid) -> Result<Option<MerklePath>, ChainError>;
}

/// Which endpoint it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointName {
    /// WhatsOnChain or what speaks like it.
    WhatsOnChain,
    /// ARC or Arcade.
    Arc,
}

impl EndpointName {
    /// Returns the word for reports and gauges.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WhatsOnChain => "whatsonchain",
            Self::Arc => "arc",
        }
    }
}

/// How an endpoint has been lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Which it is.
    pub name: EndpointName,
    /// Whether it is used; the worse of sending and asking.
    pub state: BreakerState,
    /// When it last answered.
    pub last_success: Option<Timestamp>,
    /// When it last failed.
    pub last_failure: Option<Timestamp>,
    /// How it failed last, without secrets; nothing once it has answered again.
    pub failure: Option<String>,
    /// How long it is still left alone, because it asked for that or failed.
    pub pause: Option<Duration>,
}

/// What an endpoint can do; what it cannot is absent.
#[derive(Clone)]
pub struct RouterEndpoint {
    /// Which it is.
    pub name: EndpointName,
    /// Sends transactions.
    pub broadcaster: Option<Arc<dyn BroadcastEndpoint>>,
    /// Knows headers and transactions.
    pub tracker: Option<Arc<dyn ChainTracker>>,
    /// Lists outputs.
    pub utxo_source: Option<Arc<dyn UtxoSource>>,
    /// Knows what became of transactions.
    pub index: Option<Arc<dyn TransactionIndex>>,
}

impl RouterEndpoint {
    /// Wraps a client of WhatsOnChain that answers questions, and sends if it `broadcasts`.
    pub fn whatsonchain(client: &Arc<WhatsOnChain>, broadcasts: bool) -> Self {
        Self {
            name: EndpointName::WhatsOnChain,
            broadcaster: broadcasts.then(|| Arc::clone(client) as _),
            tracker: Some(Arc::clone(client) as _),
            utxo_source: Some(Arc::clone(client) as _),
            index: None,
        }
    }

    /// Wraps a client of ARC that tells what became of transactions, and sends if it `broadcasts`.
    pub fn arc(client: &Arc<ArcClient>, broadcasts: bool) -> Self {
        Self {
            name: EndpointName::Arc,
            broadcaster: broadcasts.then(|| Arc::clone(client) as _),
            tracker: None,
            utxo_source: None,
            index: Some(Arc::clone(client) as _),
        }
    }
}

/// What an endpoint is used for. Each use has a breaker of its own: where sending fails, answers to
/// questions prove nothing about it, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Sending transactions.
    Sending,
    /// Asking questions.
    Asking,
}

/// The eye that is kept on one endpoint.
pub(super) struct Watch {
    name: EndpointName,
    seen: Mutex<Seen>,
}

struct Seen {
    sending: UseSeen,
    asking: UseSeen,
}

struct UseSeen {
    breaker: Breaker,
    last_success: Option<Timestamp>,
    last_failure: Option<Timestamp>,
    failure: Option<String>,
}

impl UseSeen {
    const fn new(policy: BreakerPolicy) -> Self {
        let breaker = Breaker::new(policy);
        Self { breaker, last_success: None, last_failure: None, failure: None }
    }
}

impl Seen {
    /// Returns what was seen of a use, and of the other.
    const fn of(&mut self, of: Use) -> (&mut UseSeen, &mut UseSeen) {
        match of {
            Use::Sending => (&mut self.sending, &mut self.asking),
            Use::Asking => (&mut self.asking, &mut self.sending),
        }
    }
}

impl Watch {
    pub(super) const fn new(name: EndpointName, policy: BreakerPolicy) -> Self {
        let seen = Seen { sending: UseSeen::new(policy), asking: UseSeen::new(policy) };
        Self { name, seen: Mutex::new(seen) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn admit(&self, of: Use, now: Timestamp) -> Result<(), Duration> {
        self.seen().of(of).0.breaker.admit(now)
    }

    pub(super) fn succeed(&self, of: Use, now: Timestamp) {
        let mut seen = self.seen();
        let (seen, _) = seen.of(of);
        seen.breaker.succeed(now);
        seen.last_success = Some(now);
        seen.failure = None;
    }

    pub(super) fn fail(&self, of: Use, now: Timestamp, reason: &str, retry_after_ms: Option<u64>) {
        let mut seen = self.seen();
        let (seen, other) = seen.of(of);
        let pause = retry_after_ms.map(Duration::from_millis);
        let before = seen.breaker.state(now);
        seen.breaker.fail(now, pause);
        // A pause is asked of us, whatever we wanted.
        other.breaker.rest(now, pause.unwrap_or_default());
        if before == BreakerState::Closed && seen.breaker.state(now) == BreakerState::Open {
            tracing::warn!(endpoint = self.name.as_str(), reason, "an endpoint is in trouble");
        }
        seen.last_failure = Some(now);
        seen.failure = Some(reason.to_owned());
    }

    /// Notes what an answer to a question says about the endpoint.
    pub(super) fn note<T>(&self, now: Timestamp, answer: &Result<T, ChainError>) {
        match answer {
            Ok(_) => self.succeed(Use::Asking, now),
            Err(error @ ChainError::Unreachable(_)) => {
                self.fail(Use::Asking, now, &error.to_string(), None);
            }
            Err(error @ ChainError::RateLimited { retry_after_ms }) => {
                self.fail(Use::Asking, now, &error.to_string(), *retry_after_ms);
            }
            // It answers, if strangely: what is strange may be strange about one question only.
            Err(ChainError::Malformed(_)) => {}
        }
    }

    fn health(&self, now: Timestamp) -> EndpointHealth {
        let seen = self.seen();
        let Seen { sending, asking } = &*seen;
        EndpointHealth {
            name: self.name,
            state: sending.breaker.state(now).max(asking.breaker.state(now)),
            last_success: sending.last_success.max(asking.last_success),
            last_failure: sending.last_failure.max(asking.last_failure),
            failure: sending.failure.clone().or_else(|| asking.failure.clone()),
            pause: sending.breaker.pause(now).max(asking.breaker.pause(now)),
        }
    }
}

/// Where the health of all endpoints can be read at any time; clones show the same, and the default
/// shows none.
#[derive(Clone, Default)]
pub struct EndpointBoard(Vec<Arc<Watch>>);

impl EndpointBoard {
    pub(super) const fn new(watches: Vec<Arc<Watch>>) -> Self {
        Self(watches)
    }

    /// Returns how every endpoint has been, in the order in which they are used.
    pub fn snapshot(&self, now: Timestamp) -> Vec<EndpointHealth> {
        self.0.iter().map(|watch| watch.health(now)).collect()
    }
}
