//! The services that know people: accounts, logins, tokens, codes, privacy.

use std::sync::Arc;

use crate::app::parts::Parts;
use crate::auth::device::DeviceKey;
use crate::auth::email_code::EmailKeys;
use crate::auth::pseudonym::PseudonymKey;
use crate::auth::svd::ChallengeKey;
use crate::patch::erasure::ErasureKey;
use crate::service::accounts::AccountService;
use crate::service::email_codes::{EmailCodeService, MailSpool};
use crate::service::login::{KnownKeys, LoginService, ProofSource, hot_challenges};
use crate::service::passwords::Passwords;
use crate::service::persons::Persons;
use crate::service::privacy::PrivacyService;
use crate::service::sessions::SessionService;
use crate::service::tokens::TokenService;

impl Parts {
    pub(in crate::app) fn privacy(&self) -> PrivacyService {
        PrivacyService {
            store: self.store.clone(),
            network: self.keyring.network,
            persons: self.persons(),
            erasures: ErasureKey::derive(&self.settings.master_secret),
            exports: Arc::default(),
        }
    }

    pub(in crate::app) fn accounts(&self) -> (AccountService, SessionService) {
        // One bound for both: it is one machine's memory.
        let passwords = Passwords::default();
        let accounts = AccountService {
            store: self.store.clone(),
            passwords: passwords.clone(),
            persons: self.persons(),
        };
        let devices = DeviceKey::derive(&self.settings.master_secret);
        (accounts, SessionService { store: self.store.clone(), passwords, devices })
    }

    pub(in crate::app) fn persons(&self) -> Persons {
        Persons { key: PseudonymKey::derive(&self.settings.master_secret) }
    }

    pub(in crate::app) fn tokens(&self) -> TokenService {
        TokenService {
            keys: Arc::clone(&self.ports.token_keys),
            store: self.store.clone(),
            persons: self.persons(),
        }
    }

    pub(in crate::app) fn login(&self) -> LoginService {
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

    pub(in crate::app) fn email_codes(&self) -> EmailCodeService {
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

    pub(in crate::app) fn mails(&self) -> Option<MailSpool> {
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
}
