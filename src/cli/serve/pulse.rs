//! Whether the server is alive, for the service manager's watchdog.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use crate::service::readiness::ReadinessService;
use crate::storage::{Store, StoreError};

/// Whether a server is alive: what runs its tasks comes back to this one, and its writer answers.
/// Between two runs there is nobody to ask, and the process is alive all the same.
#[derive(Clone, Default)]
pub(super) struct Pulse(Arc<Mutex<Option<Living>>>);

/// A run of the server.
#[derive(Clone)]
pub(super) struct Living {
    pub(super) base_url: Url,
    pub(super) store: Store,
    pub(super) readiness: ReadinessService,
}

impl Pulse {
    /// Notes which run it is of.
    pub(super) fn set(&self, living: Option<Living>) {
        *self.lock() = living;
    }

    /// Returns how the server is.
    pub(super) async fn feel(&self) -> String {
        let living = self.lock().clone();
        match living {
            Some(living) => living.feel().await,
            None => "putting the restored store in place".to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Living>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Living {
    /// Returns how the server is, once its writer has answered. What it answers is of no account: a
    /// full disk and a signer that is away are not mended by a new start.
    async fn feel(&self) -> String {
        drop(self.store.write(|_| Ok::<_, StoreError>(())).await);
        let down: Vec<&str> = self
            .readiness
            .dependencies()
            .iter()
            .filter(|state| !state.is_ok())
            .map(|state| state.name)
            .collect();
        match down.as_slice() {
            [] => format!("serving {}", self.base_url),
            names => format!("serving {}, without {}", self.base_url, names.join(", ")),
        }
    }
}
