//! Whether the process can do its work, dependency by dependency, as last observed.

mod judge;
mod observations;
mod probes;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::chain::{BreakerState, EndpointBoard, EndpointHealth};
use crate::service::fence::Fence;
use crate::service::settings::RuntimeSettings;
use crate::storage::utxos::pool_totals;
use crate::storage::{Store, StoreHealth};
use crate::types::{Clock, SettingName, Timestamp};

pub use judge::{AMPLE_FREE, Condition, Judged, LEAST_FREE, judge_disk, judge_pool};
pub use observations::{HeadersObservation, Observation, Observations};
pub use probes::{Line, Prober};

/// What the fence of a restored store is called among the dependencies, while it is up.
pub const FENCE: &str = "fence";

/// The state of one dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyState {
    /// Its name.
    pub name: &'static str,
    /// How it is; the words of `patchproof doctor`.
    pub condition: Condition,
    /// Whether the process is not ready without it.
    pub is_vital: bool,
    /// What is wrong, or what is worth knowing.
    pub detail: Option<String>,
    /// When it last worked; nothing if it has not been seen to work.
    pub last_success: Option<Timestamp>,
}

impl DependencyState {
    /// Says whether it works.
    pub fn is_ok(&self) -> bool {
        self.condition != Condition::Fail
    }
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
    /// Whether the store is fenced after a restore.
    pub fence: Fence,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The folder of the store, if it is in one.
    pub data_dir: Option<PathBuf>,
    /// What operators set.
    pub runtime: RuntimeSettings,
    /// Whether this process sends mail.
    pub sends_mail: bool,
    /// Looks at what is outside, if anybody does.
    pub prober: Prober,
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

    /// Asks everything outside that was not asked within the last moment, and waits for the answers,
    /// but no longer than a second; then [`Self::dependencies`] is true of now.
    pub async fn look(&self) {
        self.prober.look().await;
    }

    /// Returns every dependency by name.
    pub fn dependencies(&self) -> Vec<DependencyState> {
        let now = self.clock.now();
        let seen = &self.observations;
        let endpoints = self.endpoints.snapshot(now);
        let mut dependencies = vec![
            self.store_state(now),
            outside("signer", seen.signer(), seen.line("signer")),
            outside("network", seen.network(), self.network_line(&endpoints)),
            headers_state(seen.headers(), seen.headers_good_at()),
        ];
        if let Some(reason) = self.fence.reason() {
            dependencies.push(DependencyState {
                name: FENCE,
                condition: Condition::Fail,
                is_vital: false,
                detail: Some(reason),
                last_success: None,
            });
        }
        // One alone is the network.
        if endpoints.len() > 1 {
            dependencies.extend(endpoints.into_iter().map(|health| {
                let line = seen.line(health.name.as_str());
                of_endpoint(health, line)
            }));
        }
        if self.sends_mail {
            dependencies.push(outside("mail", seen.mail(), seen.line("mail")));
        }
        dependencies.push(self.pool_state(now));
        dependencies.extend(self.disk_state(now));
        dependencies
    }

    fn store_state(&self, now: Timestamp) -> DependencyState {
        let detail = match self.store.health() {
            StoreHealth::Writable => None,
            StoreHealth::Full => Some("storage_full".to_owned()),
            StoreHealth::Failing => Some("storage_failing".to_owned()),
        };
        // It is looked at here and now.
        let last_success = detail.is_none().then_some(now);
        let condition = Condition::of_failure(detail.as_ref());
        DependencyState { name: "store", condition, is_vital: true, detail, last_success }
    }

    /// The way to the network is cut if the ways to all of its endpoints are.
    fn network_line(&self, endpoints: &[EndpointHealth]) -> Option<Observation> {
        let lines = match endpoints {
            [] => vec![self.observations.line("whatsonchain")?],
            _ => endpoints
                .iter()
                .map(|one| self.observations.line(one.name.as_str()))
                .collect::<Option<Vec<_>>>()?,
        };
        lines.into_iter().max_by_key(|line| (line.failure.is_none(), line.last_success))
    }

    fn pool_state(&self, now: Timestamp) -> DependencyState {
        let least = self.runtime.current().value(SettingName::MinUtxoCount);
        let judged = match self.store.read(pool_totals) {
            Ok(totals) => judge_pool(&totals, least),
            Err(error) => Judged {
                condition: Condition::Fail,
                text: error.to_string(),
                trouble: Some("it cannot be read"),
            },
        };
        self.judged("pool", judged, now)
    }

    fn disk_state(&self, now: Timestamp) -> Option<DependencyState> {
        let found = rustix::fs::statvfs(self.data_dir.as_ref()?).ok()?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        Some(self.judged("disk", judge_disk(free), now))
    }

    fn judged(&self, name: &'static str, judged: Judged, now: Timestamp) -> DependencyState {
        let Judged { condition, trouble, .. } = judged;
        let is_ok = condition != Condition::Fail;
        let last_success = self.observations.note_judged(name, is_ok, now);
        DependencyState {
            name,
            condition,
            is_vital: false,
            detail: trouble.map(str::to_owned),
            last_success,
        }
    }
}

/// What is asked for its work, and the way to it. Records are accepted and kept while it is away, but
/// nobody who asks for readiness is to think that all is well.
fn outside(name: &'static str, seen: Observation, line: Option<Observation>) -> DependencyState {
    let last_success = seen.last_success;
    let line = line.and_then(|line| line.failure);
    let detail = line.or(seen.failure);
    let condition = Condition::of_failure(detail.as_ref());
    DependencyState { name, condition, is_vital: true, detail, last_success }
}

fn of_endpoint(health: EndpointHealth, line: Option<Observation>) -> DependencyState {
    let line = line.and_then(|line| line.failure);
    // On trial it waits for traffic, which may be long in coming.
    let is_cut = line.is_some() || health.state == BreakerState::Open;
    DependencyState {
        name: health.name.as_str(),
        condition: if is_cut { Condition::Fail } else { Condition::Ok },
        is_vital: false,
        detail: line.or(health.failure),
        last_success: health.last_success,
    }
}

/// Headers that contradict what is vouched for are vital: a record that counts as mined by them would
/// be a lie to whoever asks.
fn headers_state(seen: HeadersObservation, good_at: Option<Timestamp>) -> DependencyState {
    let is_vital = seen.contradiction.is_some();
    let detail = seen.contradiction.or(seen.alarm);
    let condition = Condition::of_failure(detail.as_ref());
    DependencyState { name: "headers", condition, is_vital, detail, last_success: good_at }
}
