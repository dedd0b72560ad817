//! What governor remembers of each client, bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

use crate::http::limits::LimitKey;

/// A bounded number of clients, and one budget that all others share.
#[derive(Clone)]
pub(super) struct CappedStore {
    cap: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    clients: HashMap<LimitKey, Nanos>,
    others: Option<Nanos>,
}

impl CappedStore {
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, state: Arc::default() }
    }

    /// Takes one request of a client back. Whom it does not remember has a full budget, or shares one;
    /// that of the others is given nothing back, or one could refill it for all.
    pub(super) fn give_back(&self, key: &LimitKey, interval: Duration) {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        if let Some(next) = self.state().clients.get_mut(key) {
            *next = Nanos::new(next.as_u64().saturating_sub(interval));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for CappedStore {
    type Key = LimitKey;

    fn measure_and_replace<T, F, E>(&self, key: &LimitKey, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut state = self.state();
        if let Some(known) = state.clients.get_mut(key) {
            let (outcome, next) = decide(Some(*known))?;
            *known = next;
            return Ok(outcome);
        }
        if state.clients.len() < self.cap {
            let (outcome, next) = decide(None)?;
            state.clients.insert(*key, next);
            return Ok(outcome);
        }
        let (outcome, next) = decide(state.others)?;
        state.others = Some(next);
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<LimitKey> for CappedStore {
    fn retain_recent(&self, drop_below: Nanos) {
        let drop_below = drop_below.as_u64();
        self.state().clients.retain(|_, next| next.as_u64() > drop_below);
    }

    fn shrink_to_fit(&self) {
        let clients = &mut self.state().clients;
        if clients.len() < clients.capacity() / 4 {
            clients.shrink_to_fit();
        }
    }

    fn len(&self) -> usize {
        self.state().clients.len()
    }

    fn is_empty(&self) -> bool {
        self.state().clients.is_empty()
    }
}
