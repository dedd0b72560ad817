//! The services behind the console.

use std::sync::Arc;

use crate::app::parts::Parts;
use crate::crypto::random_bytes;
use crate::service::console::ConsoleService;
use crate::service::live::Feed;
use crate::service::overview::OverviewService;
use crate::service::system::SystemService;
use crate::storage::Store;

/// Makes the feed of a run of the process.
pub(in crate::app) fn feed(store: &Store) -> Feed {
    let store = store.clone();
    let waking = Arc::new(move |is_awake| store.watch_changes(is_awake));
    Feed::new(u64::from_be_bytes(random_bytes()), waking)
}

impl Parts {
    pub(in crate::app) fn console(&self) -> ConsoleService {
        ConsoleService {
            store: self.store.clone(),
            feed: self.feed.clone(),
            overview: OverviewService {
                store: self.store.clone(),
                readiness: self.readiness(),
                runway: self.runway(),
                metrics: Arc::clone(&self.metrics),
                data_dir: self.ports.console.data_dir.clone(),
                alerts: self.alerts.clone(),
            },
            history: self.history.clone(),
            logs: self.ports.console.logs.clone(),
        }
    }

    pub(in crate::app) fn system(&self) -> SystemService {
        SystemService {
            store: self.store.clone(),
            started_at: self.ports.clock.now(),
            data_dir: self.ports.console.data_dir.clone(),
            doctor: self.ports.console.doctor.clone(),
            examined: Arc::default(),
        }
    }
}
