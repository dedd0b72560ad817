//! The services that know money and blocks.

use std::sync::Arc;

use crate::app::Settings;
use crate::app::parts::Parts;
use crate::service::backups::BackupService;
use crate::service::funding::FundingService;
use crate::service::headers::{HeaderService, TrustAnchors};
use crate::service::maintenance::MaintenanceService;
use crate::service::restores::RestoreService;
use crate::service::resync::ResyncService;
use crate::service::runway::RunwayService;
use crate::service::treasury::TreasuryService;
use crate::types::Timestamp;

impl Parts {
    pub(in crate::app) fn maintenance(&self) -> MaintenanceService {
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

    pub(in crate::app) fn runway(&self) -> RunwayService {
        RunwayService {
            store: self.store.clone(),
            caps: self.settings.anchoring.caps,
            policy: self.settings.pool.clone(),
        }
    }

    pub(in crate::app) fn funding(&self) -> FundingService {
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

    pub(in crate::app) fn backups(&self, process: Timestamp) -> BackupService {
        BackupService::new(self.store.clone(), self.settings.backup.clone(), process)
    }

    pub(in crate::app) fn restores(&self, backups: &BackupService) -> RestoreService {
        let (data_dir, renewal) = (&self.ports.console.data_dir, &self.ports.renewal);
        let plan = Arc::clone(&backups.plan);
        RestoreService::new(self.store.clone(), data_dir.clone(), plan, renewal.clone())
    }

    pub(in crate::app) fn resync(&self) -> ResyncService {
        ResyncService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            tracker: Arc::clone(&self.ports.tracker),
            source: Arc::clone(&self.ports.utxo_source),
            anchors: self.anchors(),
            funding: self.funding(),
            anchoring: self.anchoring(),
            fence: self.fence.clone(),
        }
    }

    pub(in crate::app) fn anchors(&self) -> TrustAnchors {
        let Settings { profile, checkpoints, .. } = &self.settings;
        TrustAnchors::new(*profile, self.keyring.network, checkpoints.clone())
    }

    pub(in crate::app) fn headers(&self) -> HeaderService {
        HeaderService {
            store: self.store.clone(),
            tracker: Arc::clone(&self.ports.tracker),
            anchors: self.anchors(),
        }
    }
}
