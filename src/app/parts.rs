//! How the parts of the product find one another: one function for each service, and what the
//! background and the edge are made of.

use std::sync::Arc;

use axum::Router;

use crate::app::readiness::ReportedReadiness;
use crate::app::{Ports, Settings};
use crate::auth::email_code::EmailKeys;
use crate::auth::pseudonym::PseudonymKey;
use crate::auth::svd::ChallengeKey;
use crate::auth::{Relaxed, Tokens};
use crate::http::limits::Limits;
use crate::http::verification::verdict_cache;
use crate::http::{HttpParts, HttpState, product, router};
use crate::patch::claim::ClaimKey;
use crate::patch::erasure::ErasureKey;
use crate::service::Services;
use crate::service::anchoring::AnchoringService;
use crate::service::anchors::AnchorListService;
use crate::service::api_keys::ApiKeyService;
use crate::service::audit::{AuditService, Refusals};
use crate::service::batches::BatchService;
use crate::service::callback::CallbackService;
use crate::service::claims::ClaimService;
use crate::service::email_codes::{EmailCodeService, MailSpool};
use crate::service::funding::FundingService;
use crate::service::headers::{HeaderService, TrustAnchors};
use crate::service::idempotency::IdempotencyService;
use crate::service::keys::Keyring;
use crate::service::listing::ListingService;
use crate::service::login::{KnownKeys, LoginService, ProofSource, hot_challenges};
use crate::service::maintenance::MaintenanceService;
use crate::service::pending::PendingService;
use crate::service::persons::Persons;
use crate::service::privacy::PrivacyService;
use crate::service::progress::Progress;
use crate::service::readiness::{Observations, ReadinessService};
use crate::service::records::RecordsService;
use crate::service::registration::{RegistrationService, Wake};
use crate::service::runway::RunwayService;
use crate::service::settings::SettingsService;
use crate::service::tokens::TokenService;
use crate::service::transfer::TransferService;
use crate::service::treasury::TreasuryService;
use crate::service::unlock::UnlockService;
use crate::service::verification::VerificationService;
use crate::storage::Store;
use crate::telemetry::Metrics;
use crate::types::Timestamp;
use crate::worker::{Wakes, WorkerParts};

/// What the product is put together from.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) settings: Settings,
    pub(super) ports: Ports,
    pub(super) keyring: Arc<Keyring>,
    pub(super) progress: Progress,
    pub(super) observations: Observations,
    pub(super) wakes: Wakes,
    pub(super) metrics: Arc<Metrics>,
}

impl Parts {
    pub(super) fn services(&self) -> Services {
        let store = self.store.clone();
        let process = self.ports.clock.now();
        let pending = PendingService {
            store: store.clone(),
            confirmed_at_depth: self.settings.confirmed_at_depth,
        };
        let transfer = self.transfer(process);
        Services {
            registration: self.registration(process),
            claims: self.claims(&transfer),
            transfer,
            idempotency: IdempotencyService { store: store.clone() },
            verification: VerificationService {
                store: store.clone(),
                network: self.keyring.network,
                issuers: [self.keyring.issuer.public_key].into(),
                erasures: ErasureKey::derive(&self.settings.master_secret),
            },
            unlock: UnlockService {
                store: store.clone(),
                master_secret: self.settings.master_secret.clone(),
                requires_nonce: self.settings.unlock_requires_nonce,
            },
            listing: ListingService { store: store.clone(), pending: pending.clone() },
            anchors: AnchorListService { store: store.clone(), pending: pending.clone() },
            pending,
            funding: self.funding(),
            callback: CallbackService {
                token: self.ports.network.callback_token.clone(),
                wake: self.wake_all(),
            },
            maintenance: self.maintenance(),
            runway: self.runway(),
            headers: self.headers(),
            batches: self.batches(),
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
        }
    }

    fn registration(&self, process: Timestamp) -> RegistrationService {
        RegistrationService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            progress: self.progress.clone(),
            wake: self.wake_pipeline(),
            wake_batches: self.wake_batches(),
            route: self.settings.batching.route,
            process,
        }
    }

    fn transfer(&self, process: Timestamp) -> TransferService {
        TransferService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            progress: self.progress.clone(),
            wake: self.wake_pipeline(),
            process,
        }
    }

    fn claims(&self, transfers: &TransferService) -> ClaimService {
        ClaimService {
            store: self.store.clone(),
            key: ClaimKey::derive(&self.settings.master_secret),
            transfers: transfers.clone(),
            ttl: self.settings.claim_ttl,
        }
    }

    fn privacy(&self) -> PrivacyService {
        PrivacyService {
            store: self.store.clone(),
            network: self.keyring.network,
            persons: self.persons(),
            erasures: ErasureKey::derive(&self.settings.master_secret),
            exports: Arc::default(),
        }
    }

    fn persons(&self) -> Persons {
        Persons { key: PseudonymKey::derive(&self.settings.master_secret) }
    }

    fn tokens(&self) -> TokenService {
        TokenService {
            keys: Arc::clone(&self.ports.token_keys),
            store: self.store.clone(),
            persons: self.persons(),
        }
    }

    fn login(&self) -> LoginService {
        let settings = &self.settings.login;
        LoginService {
            store: self.store.clone(),
            challenges: ChallengeKey::derive(&self.settings.master_secret),
            tokens: Arc::clone(&self.ports.token_keys),
            ttl: settings.challenge_ttl,
            proofs: ProofSource {
                deriver: self.ports.secret_deriver.clone(),
                signer: Arc::clone(&self.ports.signer),
                patience: settings.proof_patience,
                fixed_kid: settings.kid.clone(),
                state: Arc::default(),
            },
            metrics: Arc::clone(&self.metrics),
            deploy_sha: self.settings.http.deploy_sha.clone(),
            hot: hot_challenges(settings.challenge_ttl),
            keys: KnownKeys::default(),
            persons: self.persons(),
        }
    }

    fn email_codes(&self) -> EmailCodeService {
        let mail = Arc::clone(&self.wakes.mail);
        EmailCodeService {
            store: self.store.clone(),
            keys: EmailKeys::derive(&self.settings.master_secret),
            tokens: Arc::clone(&self.ports.token_keys),
            max_mails_per_hour: self.settings.max_mails_per_hour,
            wake: Arc::new(move || mail.notify_one()),
            metrics: Arc::clone(&self.metrics),
            persons: self.persons(),
        }
    }

    fn mails(&self) -> Option<MailSpool> {
        let mailer = Arc::clone(self.ports.mailer.as_ref()?);
        Some(MailSpool {
            store: self.store.clone(),
            keys: EmailKeys::derive(&self.settings.master_secret),
            mailer,
            clock: Arc::clone(&self.ports.clock),
            metrics: Arc::clone(&self.metrics),
            sent: Arc::default(),
        })
    }

    fn records(&self) -> RecordsService {
        RecordsService {
            store: self.store.clone(),
            anchoring: self.anchoring(),
            wake: self.wake_pipeline(),
        }
    }

    fn batches(&self) -> BatchService {
        BatchService {
            store: self.store.clone(),
            anchoring: self.anchoring(),
            progress: self.progress.clone(),
            wake: self.wake_pipeline(),
            policy: self.settings.batching,
            rounds: Arc::default(),
        }
    }

    fn readiness(&self) -> ReadinessService {
        ReadinessService {
            store: self.store.clone(),
            observations: self.observations.clone(),
            warnings: self.warnings().into(),
            endpoints: self.ports.network.endpoints.clone(),
            clock: Arc::clone(&self.ports.clock),
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

    fn maintenance(&self) -> MaintenanceService {
        MaintenanceService {
            funding: self.funding(),
            treasury: TreasuryService {
                store: self.store.clone(),
                keyring: Arc::clone(&self.keyring),
                anchoring: self.anchoring(),
                policy: self.settings.pool.clone(),
            },
            progress: self.progress.clone(),
            wake: self.wake_pipeline(),
            state: Arc::default(),
        }
    }

    fn runway(&self) -> RunwayService {
        RunwayService {
            store: self.store.clone(),
            caps: self.settings.anchoring.caps,
            policy: self.settings.pool.clone(),
        }
    }

    fn funding(&self) -> FundingService {
        FundingService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            tracker: Arc::clone(&self.ports.tracker),
            source: Arc::clone(&self.ports.utxo_source),
            anchors: self.anchors(),
            runtime: self.settings.anchoring.runtime.clone(),
            chain_view_ttl: self.settings.chain_view_ttl,
            chain_view: Arc::default(),
            last_asked: Arc::default(),
        }
    }

    fn anchors(&self) -> TrustAnchors {
        let Settings { profile, checkpoints, .. } = &self.settings;
        TrustAnchors::new(*profile, self.keyring.network, checkpoints.clone())
    }

    fn headers(&self) -> HeaderService {
        HeaderService {
            store: self.store.clone(),
            tracker: Arc::clone(&self.ports.tracker),
            anchors: self.anchors(),
        }
    }

    fn wake_pipeline(&self) -> Wake {
        let pipeline = Arc::clone(&self.wakes.pipeline);
        Arc::new(move || pipeline.notify_one())
    }

    fn wake_all(&self) -> Wake {
        let wakes = self.wakes.clone();
        Arc::new(move || {
            wakes.pipeline.notify_one();
            wakes.chain.notify_one();
        })
    }

    fn wake_maintenance(&self) -> Wake {
        let maintenance = Arc::clone(&self.wakes.maintenance);
        Arc::new(move || maintenance.notify_one())
    }

    fn wake_batches(&self) -> Wake {
        let batches = Arc::clone(&self.wakes.batches);
        Arc::new(move || batches.notify_one())
    }

    fn wake_shortage(&self) -> Wake {
        let shortage = Arc::clone(&self.wakes.shortage);
        Arc::new(move || shortage.notify_one())
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
            runway: services.runway.clone(),
            api_keys: services.api_keys.clone(),
            audit: services.audit.clone(),
            privacy: services.privacy.clone(),
            mails: self.mails(),
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
            limits: Limits::new(&self.settings.http.limits.rates, &self.ports.clock),
            options: self.settings.http.clone(),
        });
        router(state, product())
    }
}
