//! Whether the process can do its work, dependency by dependency, as last observed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::chain::{BreakerState, EndpointBoard, EndpointHealth};
use crate::storage::{Store, StoreHealth};
use crate::types::{Clock, Timestamp};

/// What was last seen of something outside this process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// When it last answered.
    pub last_success: Option<Timestamp>,
    /// What it did wrong last, if that was later.
    pub failure: Option<String>,
}

/// What was last made of our own chain of headers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadersObservation {
    /// Which vouched block it contradicts: nothing is proved until that is settled.
    pub contradiction: Option<String>,
    /// What else an operator must look into.
    pub alarm: Option<String>,
    /// What is worth knowing.
    pub warning: Option<String>,
}

/// What the worker saw of signer, network and headers.
#[derive(Debug, Clone, Default)]
pub struct Observations(Arc<Mutex<ObservedState>>);

#[derive(Debug, Default)]
struct ObservedState {
    signer: Observation,
    /// Whether the signer gave no answer at all when it was asked last.
    is_signer_silent: bool,
    network: Observation,
    warnings: BTreeMap<&'static str, String>,
    headers: HeadersObservation,
}

impl Observations {
    /// Notes what was made of our headers.
    pub fn note_headers(&self, headers: HeadersObservation) {
        self.lock().headers = headers;
    }

    /// Returns what was last made of our headers.
    pub fn headers(&self) -> HeadersObservation {
        self.lock().headers.clone()
    }

    /// Notes what the signer did.
    pub fn note_signer(&self, outcome: Result<(), String>, now: Timestamp) {
        note(&mut self.lock().signer, outcome, now);
    }

    /// Notes whether the signer answered at all.
    pub fn note_signer_silence(&self, is_silent: bool) {
        self.lock().is_signer_silent = is_silent;
    }

    /// Says whether the signer gave no answer when it was asked last.
    pub fn is_signer_silent(&self) -> bool {
        self.lock().is_signer_silent
    }

    /// Notes what the network endpoint did.
    pub fn note_network(&self, outcome: Result<(), String>, now: Timestamp) {
        note(&mut self.lock().network, outcome, now);
    }

    /// Notes or takes back a warning about `subject`; says whether that is news.
    pub fn note_warning(&self, subject: &'static str, warning: Option<String>) -> bool {
        let mut state = self.lock();
        match warning {
            Some(text) => state.warnings.insert(subject, text).is_none(),
            None => state.warnings.remove(subject).is_some(),
        }
    }

    /// Returns the warnings that hold at present.
    pub fn warnings(&self) -> Vec<String> {
        self.lock().warnings.values().cloned().collect()
    }

    /// Returns the warnings that hold at present, each with its subject.
    pub fn warned(&self) -> Vec<(&'static str, String)> {
        self.lock().warnings.iter().map(|(subject, text)| (*subject, text.clone())).collect()
    }

    /// Returns what was last seen of the signer.
    pub fn signer(&self) -> Observation {
        self.lock().signer.clone()
    }

    /// Returns what was last seen of the network.
    pub fn network(&self) -> Observation {
        self.lock().network.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ObservedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(observation: &mut Observation, outcome: Result<(), String>, now: Timestamp) {
    match outcome {
        Ok(()) => *observation = Observation { last_success: Some(now), failure: None },
        Err(reason) => observation.failure = Some(reason),
    }
}

/// The state of one dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyState {
    /// Its name.
    pub name: &'static str,
    /// Whether it works.
    pub is_ok: bool,
    /// Whether the process can go on accepting without it.
    pub is_vital: bool,
    /// What is wrong, or what is worth knowing.
    pub detail: Option<String>,
}

/// An endpoint of the network as it has been lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointNow {
    /// Its name.
    pub name: &'static str,
    /// `closed` while it is asked, `half-open` on trial, `open` while it is left alone.
    pub breaker: &'static str,
    /// What was seen of it.
    pub seen: Observation,
    /// When it last failed.
    pub last_failure: Option<Timestamp>,
    /// How long it is still left alone.
    pub pause: Option<Duration>,
}

/// Tells whether the process can do its work.
#[derive(Clone)]
pub struct ReadinessService {
    /// The store.
    pub store: Store,
    /// What the worker saw.
    pub observations: Observations,
    /// Things an operator should know though nothing is down.
    pub warnings: Arc<[String]>,
    /// How the network's endpoints are.
    pub endpoints: EndpointBoard,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl ReadinessService {
    /// Returns the state of the store.
    pub fn store_health(&self) -> StoreHealth {
        self.store.health()
    }

    /// Returns what an operator should know though nothing is down.
    pub fn warnings(&self) -> Vec<String> {
        let observed = self.observations.warnings().into_iter();
        let headers = self.observations.headers().warning;
        self.warnings.iter().cloned().chain(observed).chain(headers).collect()
    }

    /// Returns how each endpoint of the network has been, in the order in which they are used; none
    /// where there is one alone without a breaker.
    pub fn endpoints(&self, now: Timestamp) -> Vec<EndpointNow> {
        let seen = self.endpoints.snapshot(now).into_iter();
        seen.map(|health| EndpointNow {
            name: health.name.as_str(),
            breaker: health.state.as_str(),
            seen: Observation { last_success: health.last_success, failure: health.failure },
            last_failure: health.last_failure,
            pause: health.pause,
        })
        .collect()
    }

    /// Returns every dependency by name.
    pub fn dependencies(&self) -> Vec<DependencyState> {
        let store = match self.store.health() {
            StoreHealth::Writable => None,
            StoreHealth::Full => Some("storage_full".to_owned()),
            StoreHealth::Failing => Some("storage_failing".to_owned()),
        };
        let outside = |name, seen: Observation| DependencyState {
            name,
            is_ok: seen.failure.is_none(),
            // Records are accepted and kept while signer or network are away.
            is_vital: false,
            detail: seen.failure,
        };
        let mut dependencies = vec![
            DependencyState {
                name: "store",
                is_ok: store.is_none(),
                is_vital: true,
                detail: store,
            },
            outside("signer", self.observations.signer()),
            outside("network", self.observations.network()),
            headers_state(self.observations.headers()),
        ];
        let endpoints = self.endpoints.snapshot(self.clock.now());
        // One alone is the network.
        if endpoints.len() > 1 {
            dependencies.extend(endpoints.into_iter().map(of_endpoint));
        }
        dependencies
    }
}

fn of_endpoint(health: EndpointHealth) -> DependencyState {
    DependencyState {
        name: health.name.as_str(),
        // On trial it waits for traffic, which may be long in coming.
        is_ok: health.state != BreakerState::Open,
        is_vital: false,
        detail: health.failure,
    }
}

/// Headers that contradict what is vouched for are vital: a record that counts as mined by them would
/// be a lie to whoever asks.
fn headers_state(seen: HeadersObservation) -> DependencyState {
    let is_vital = seen.contradiction.is_some();
    let detail = seen.contradiction.or(seen.alarm);
    DependencyState { name: "headers", is_ok: detail.is_none(), is_vital, detail }
}
