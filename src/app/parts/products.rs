//! The services that move products: registration, transfer, claims, verification, content.

use std::sync::Arc;

use crate::app::parts::Parts;
use crate::patch::claim::ClaimKey;
use crate::patch::erasure::ErasureKey;
use crate::service::claims::ClaimService;
use crate::service::imports::ImportService;
use crate::service::records::RecordsService;
use crate::service::registration::RegistrationService;
use crate::service::transfer::TransferService;
use crate::service::unlock::UnlockService;
use crate::service::verification::VerificationService;
use crate::types::Timestamp;

impl Parts {
    pub(in crate::app) fn registration(&self, process: Timestamp) -> RegistrationService {
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

    pub(in crate::app) fn imports(&self, process: Timestamp) -> ImportService {
        let imports = Arc::clone(&self.wakes.imports);
        ImportService {
            store: self.store.clone(),
            registration: self.registration(process),
            wake: Arc::new(move || imports.notify_one()),
        }
    }

    pub(in crate::app) fn transfer(&self, process: Timestamp) -> TransferService {
        TransferService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            progress: self.progress.clone(),
            wake: self.wake_pipeline(),
            process,
        }
    }

    pub(in crate::app) fn claims(&self, transfers: &TransferService) -> ClaimService {
        ClaimService {
            store: self.store.clone(),
            key: ClaimKey::derive(&self.settings.master_secret),
            transfers: transfers.clone(),
            ttl: self.settings.claim_ttl,
        }
    }

    pub(in crate::app) fn records(&self) -> RecordsService {
        RecordsService {
            store: self.store.clone(),
            anchoring: self.anchoring(),
            wake: self.wake_pipeline(),
        }
    }

    pub(in crate::app) fn verification(&self) -> VerificationService {
        VerificationService {
            store: self.store.clone(),
            network: self.keyring.network,
            issuers: [self.keyring.issuer.public_key].into(),
            erasures: ErasureKey::derive(&self.settings.master_secret),
        }
    }

    pub(in crate::app) fn unlock(&self) -> UnlockService {
        UnlockService {
            store: self.store.clone(),
            master_secret: self.settings.master_secret.clone(),
            requires_nonce: self.settings.unlock_requires_nonce,
        }
    }
}
