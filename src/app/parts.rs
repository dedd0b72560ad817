//! How the parts of the product find one another: one function for each service, and what the
//! background and the edge are made of.

mod console;
mod log;
mod people;
mod products;
mod treasury;
mod wakes;

use std::sync::Arc;

use axum::Router;

use crate::app::readiness::ReportedReadiness;
use crate::app::{Ports, Settings};
use crate::auth::{Relaxed, Tokens};
use crate::http::limits::Limits;
use crate::http::verification::verdict_cache;
use crate::http::{HttpParts, HttpState, product, router};
use crate::service::Services;
use crate::service::anchoring::AnchoringService;
use crate::service::anchors::AnchorListService;
use crate::service::api_keys::ApiKeyService;
use crate::service::audit::{AuditService, Refusals};
use crate::service::callback::CallbackService;
use crate::service::fence::Fence;
use crate::service::idempotency::IdempotencyService;
use crate::service::keys::Keyring;
use crate::service::listing::ListingService;
use crate::service::live::Feed;
use crate::service::overview::AlertBook;
use crate::service::overview::history::History;
use crate::service::pending::PendingService;
use crate::service::progress::Progress;
use crate::service::readiness::{Observations, Prober, ReadinessService};
use crate::service::settings::SettingsService;
use crate::storage::Store;
use crate::telemetry::Metrics;
use crate::worker::{Wakes, WorkerParts};

pub(super) use console::feed;

/// Makes the metrics of a run, with what is known of it from the start.
pub(super) fn metrics(store: &Store, settings: &Settings, ports: &Ports) -> Metrics {
    let metrics = Metrics::over(store.meters());
    let sha = settings.http.deploy_sha.as_deref();
    metrics.process.set_build(env!("CARGO_PKG_VERSION"), sha);
    if let Some(traces) = &ports.traces {
        metrics.traces.get_or_init(|| Arc::clone(traces));
    }
    metrics.process.started_at.set(ports.clock.now().as_secs());
    let kid = settings.login.kid.as_deref().unwrap_or("unknown");
    drop(metrics.svd(kid, sha.unwrap_or("unknown")));
    metrics
}

/// What the product is put together from.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) settings: Settings,
    pub(super) ports: Ports,
    pub(super) keyring: Arc<Keyring>,
    pub(super) progress: Progress,
    pub(super) observations: Observations,
    pub(super) fence: Fence,
    pub(super) wakes: Wakes,
    pub(super) metrics: Arc<Metrics>,
    pub(super) feed: Feed,
    pub(super) history: History,
    pub(super) alerts: AlertBook,
    pub(super) prober: Prober,
}

impl Parts {
    pub(super) fn services(&self) -> Services {
        let store = self.store.clone();
        let process = self.ports.clock.now();
        let pending = PendingService {
            store: store.clone(),
            confirmed_at_depth: self.settings.confirmed_at_depth,
        };
        let (transfer, log) = (self.transfer(process), self.log());
        let (accounts, sessions) = self.accounts();
        let backups = self.backups(process);
        Services {
            accounts,
            sessions,
            registration: self.registration(process),
            imports: self.imports(process),
            claims: self.claims(&transfer),
            transfer,
            idempotency: IdempotencyService { store: store.clone() },
            verification: self.verification(),
            unlock: self.unlock(),
            listing: ListingService { store: store.clone(), pending: pending.clone() },
            anchors: AnchorListService { store: store.clone(), pending: pending.clone() },
            pending,
            funding: self.funding(),
            callback: CallbackService {
                token: self.ports.network.callback_token.clone(),
                wake: self.wake_all(),
            },
            maintenance: self.maintenance(),
            restores: self.restores(&backups),
            backups,
            resync: self.resync(),
            runway: self.runway(),
            headers: self.headers(),
            batches: self.batches(&log),
            log,
            records: self.records(),
            settings: SettingsService {
                store: store.clone(),
                runtime: self.settings.anchoring.runtime.clone(),
            },
            audit: AuditService { store: store.clone(), refusals: Refusals::default() },
            api_keys: ApiKeyService::new(
                store.clone(),
                Arc::clone(&self.ports.clock),
                Arc::clone(&self.ports.api_keys),
            ),
            login: self.login(),
            persons: self.persons(),
            privacy: self.privacy(),
            email_codes: self.email_codes(),
            tokens: self.tokens(),
            readiness: self.readiness(),
            console: self.console(),
            system: self.system(),
        }
    }

    fn readiness(&self) -> ReadinessService {
        ReadinessService {
            store: self.store.clone(),
            observations: self.observations.clone(),
            warnings: self.warnings().into(),
            endpoints: self.ports.network.endpoints.clone(),
            fence: self.fence.clone(),
            clock: Arc::clone(&self.ports.clock),
            data_dir: self.ports.console.data_dir.clone(),
            runtime: self.settings.anchoring.runtime.clone(),
            sends_mail: self.ports.mailer.is_some(),
            prober: self.prober.clone(),
        }
    }

    pub(super) fn anchoring(&self) -> AnchoringService {
        AnchoringService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            signer: Arc::clone(&self.ports.signer),
            broadcaster: Arc::clone(&self.ports.broadcaster),
            tracker: Arc::clone(&self.ports.tracker),
            progress: self.progress.clone(),
            metrics: Arc::clone(&self.metrics),
            shortage: self.wake_shortage(),
            settings: Arc::new(self.settings.anchoring.clone()),
            anchors: self.anchors(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.settings.warnings.clone();
        if self.keyring.custody.is_none() {
            warnings.push(
                "CUSTODY_KEY_IDENTIFIER is not set: products get no custody seal on chain".into(),
            );
        }
        warnings
    }

    pub(super) fn worker(&self, services: &Services) -> WorkerParts {
        WorkerParts {
            store: self.store.clone(),
            anchoring: self.anchoring(),
            maintenance: services.maintenance.clone(),
            batches: services.batches.clone(),
            log: services.log.clone(),
            log_period: self.settings.log.period,
            imports: services.imports.clone(),
            backups: services.backups.clone(),
            restores: services.restores.clone(),
            resync: services.resync.clone(),
            runway: services.runway.clone(),
            api_keys: services.api_keys.clone(),
            audit: services.audit.clone(),
            privacy: services.privacy.clone(),
            mails: self.mails(),
            console: services.console.clone(),
            schedule: self.settings.schedule,
            headers: self.headers(),
            observations: self.observations.clone(),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.ports.clock),
            periods: self.settings.periods,
            policy_source: self.ports.network.policy_source.clone(),
            network_policy: self.ports.network.policy.clone(),
            endpoints: self.ports.network.endpoints.clone(),
        }
    }

    pub(super) fn router(&self, services: &Services) -> Router {
        let tokens = self.tokens();
        let tokens: Arc<dyn Tokens> =
            if self.ports.relaxes_tokens { Arc::new(Relaxed(tokens)) } else { Arc::new(tokens) };
        let state = HttpState::new(HttpParts {
            api_keys: Arc::new(services.api_keys.clone()),
            tokens,
            clock: Arc::clone(&self.ports.clock),
            readiness: Arc::new(ReportedReadiness(services.readiness.clone())),
            services: services.clone(),
            verdicts: verdict_cache(),
            metrics: Arc::clone(&self.metrics),
            maintain: self.wake_maintenance(),
            limits: Limits::new(&self.settings.http.limits.rates, &self.ports.clock, &self.metrics),
            options: self.settings.http.clone(),
        });
        router(state, product())
    }
}
