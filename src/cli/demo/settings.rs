//! What the demo decides where an operator would configure.

use std::path::Path;
use std::time::Duration;

use url::Url;

use crate::anchor::lifecycle::RetryPolicy;
use crate::app::{LoginSettings, Settings};
use crate::cli::demo::secrets::Secrets;
use crate::config::InitialSettings;
use crate::http::HttpOptions;
use crate::http::edge::EdgeLimits;
use crate::http::limits::RateLimits;
use crate::service::anchoring::{AnchoringSettings, FeeCaps};
use crate::service::backups::BackupPlan;
use crate::service::batches::{BatchPolicy, Route};
use crate::service::keys::KeyNames;
use crate::service::log::LogSettings;
use crate::service::settings::RuntimeSettings;
use crate::storage::backup::BackupLock;
use crate::types::{ChainProfile, Network};
use crate::wallet::policy::{PoolPolicy, PoolPolicySource};
use crate::worker::{Periods, Schedule};

/// The demo is for one person who tries everything: every limit is this many times the usual.
const GENEROSITY: u32 = 100;
/// How long a registration of the demo waits for its batch.
const BATCH_MAX_AGE: Duration = Duration::from_secs(5);

/// Returns what an operator would configure.
pub(super) fn settings(
    secrets: &Secrets,
    base_url: &Url,
    directory: &Path,
    route: Route,
) -> Settings {
    let runtime = RuntimeSettings::new(InitialSettings::default());
    let pool = PoolPolicy::of(runtime.current().fee_rate(), 25);
    Settings {
        keys: KeyNames {
            network: Network::Test,
            issuer: "issuer".into(),
            custody: Some("custody".into()),
            funding: "funding".into(),
            funding_address: None,
            change: Some("change".into()),
            change_address: None,
        },
        profile: ChainProfile::Simulated,
        checkpoints: Vec::new(),
        anchoring: AnchoringSettings {
            runtime: runtime.clone(),
            max_chain_depth: 25,
            publishes_records: false,
            caps: FeeCaps::default(),
            policy: RetryPolicy::default(),
        },
        batching: BatchPolicy { route, max_age: BATCH_MAX_AGE, ..BatchPolicy::default() },
        log: LogSettings::default(),
        pool: PoolPolicySource::new(move || runtime.current().pool(pool)),
        schedule: Schedule { interval: Some(Duration::from_secs(600)), ..Schedule::default() },
        confirmed_at_depth: 0,
        unlock_requires_nonce: false,
        claim_ttl: Duration::from_secs(180),
        login: LoginSettings::default(),
        max_mails_per_hour: 600,
        master_secret: secrets.master_secret.as_bytes().to_vec().into(),
        chain_view_ttl: Duration::from_secs(5),
        backup: backups(secrets, directory),
        http: HttpOptions {
            network: Network::Test,
            public_url: base_url.clone(),
            patience: Duration::from_secs(5),
            answers_async: false,
            max_chain_depth: 25,
            maintains_on_health: false,
            limits: EdgeLimits {
                rates: RateLimits::default().times(GENEROSITY),
                ..EdgeLimits::default()
            },
            metrics_enabled: true,
            metrics_require_api_key: false,
            svd_open_registration: true,
            insecure_cookie: true,
            deploy_sha: None,
        },
        periods: periods(),
        warnings: vec!["demo: the network is simulated, keys lie in the data directory".into()],
    }
}

/// Returns how backups are made: when somebody asks for one.
fn backups(secrets: &Secrets, directory: &Path) -> BackupPlan {
    BackupPlan {
        folder: directory.join("backups"),
        interval: None,
        keep: 14,
        lock: Some(BackupLock::Passphrase(secrets.passphrase.clone().into())),
    }
}

/// Returns how often the demo looks at what it waits for: somebody watches it.
fn periods() -> Periods {
    let second = Duration::from_secs(1);
    Periods { chain: second, housekeeping: second, pipeline: second, ..Periods::default() }
}
