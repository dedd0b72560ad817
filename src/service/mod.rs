//! What the product does: each service owns the ports it needs and decides all input and output.
//!
//! Rules live below (pure), HTTP above. A service takes the time once per call, hands the store one
//! closure per state change, and talks to signer and network only outside of closures.

pub mod accounts;
pub mod anchoring;
pub mod anchors;
pub mod api_keys;
pub mod audit;
pub mod backups;
pub mod batches;
pub mod callback;
pub mod claims;
pub mod console;
pub mod email_codes;
pub mod fence;
pub mod funding;
pub mod headers;
pub mod idempotency;
pub mod imports;
pub mod keys;
pub mod listing;
pub mod live;
pub mod log;
pub mod login;
pub mod logs;
pub mod maintenance;
pub mod observed_signer;
pub mod once;
pub mod overview;
pub mod passwords;
pub mod pending;
pub mod persons;
pub mod privacy;
pub mod progress;
mod proof;
pub mod readiness;
pub mod records;
pub mod registration;
pub mod restores;
pub mod resync;
pub mod runway;
pub mod sessions;
pub mod settings;
pub mod system;
pub mod tokens;
pub mod transfer;
pub mod treasury;
pub mod unlock;
pub mod verification;

use crate::service::accounts::AccountService;
use crate::service::anchors::AnchorListService;
use crate::service::api_keys::ApiKeyService;
use crate::service::audit::AuditService;
use crate::service::backups::BackupService;
use crate::service::batches::BatchService;
use crate::service::callback::CallbackService;
use crate::service::claims::ClaimService;
use crate::service::console::ConsoleService;
use crate::service::email_codes::EmailCodeService;
use crate::service::funding::FundingService;
use crate::service::headers::HeaderService;
use crate::service::idempotency::IdempotencyService;
use crate::service::imports::ImportService;
use crate::service::listing::ListingService;
use crate::service::log::LogService;
use crate::service::login::LoginService;
use crate::service::maintenance::MaintenanceService;
use crate::service::pending::PendingService;
use crate::service::persons::Persons;
use crate::service::privacy::PrivacyService;
use crate::service::readiness::ReadinessService;
use crate::service::records::RecordsService;
use crate::service::registration::RegistrationService;
use crate::service::restores::RestoreService;
use crate::service::resync::ResyncService;
use crate::service::runway::RunwayService;
use crate::service::sessions::SessionService;
use crate::service::settings::SettingsService;
use crate::service::system::SystemService;
use crate::service::tokens::TokenService;
use crate::service::transfer::TransferService;
use crate::service::unlock::UnlockService;
use crate::service::verification::VerificationService;

pub use crate::storage::StoreError;

/// Every service that the HTTP edge calls; clones are cheap and share everything.
#[derive(Clone)]
pub struct Services {
    /// Registers products.
    pub registration: RegistrationService,
    /// Registers many products from files.
    pub imports: ImportService,
    /// Hands products on.
    pub transfer: TransferService,
    /// Takes claims at points of sale.
    pub claims: ClaimService,
    /// Keeps the answers of repeated requests.
    pub idempotency: IdempotencyService,
    /// Verifies products.
    pub verification: VerificationService,
    /// Opens content.
    pub unlock: UnlockService,
    /// Tells how far records have come.
    pub pending: PendingService,
    /// Lists products.
    pub listing: ListingService,
    /// Takes money in and tells what there is.
    pub funding: FundingService,
    /// Takes the network's reports.
    pub callback: CallbackService,
    /// Looks after the pool.
    pub maintenance: MaintenanceService,
    /// Makes and keeps backups.
    pub backups: BackupService,
    /// Restores them beside the running store.
    pub restores: RestoreService,
    /// Brings a restored store to agree with the chain.
    pub resync: ResyncService,
    /// Tells how long the pool lasts.
    pub runway: RunwayService,
    /// Keeps our own chain of headers and what it hangs on.
    pub headers: HeaderService,
    /// Forms batches of the records that wait for one.
    pub batches: BatchService,
    /// Lists what was committed to on chain.
    pub anchors: AnchorListService,
    /// Signs the log of all commitments and proves what is in it.
    pub log: LogService,
    /// Lists records that need an operator and takes them up again.
    pub records: RecordsService,
    /// Changes settings while the process runs.
    pub settings: SettingsService,
    /// Reads the audit trail.
    pub audit: AuditService,
    /// Keeps and judges API keys.
    pub api_keys: ApiKeyService,
    /// Keeps the accounts of the console.
    pub accounts: AccountService,
    /// Keeps and judges their sessions.
    pub sessions: SessionService,
    /// Logs users in.
    pub login: LoginService,
    /// Names persons where nothing can be erased.
    pub persons: Persons,
    /// Exports and erases what is held about persons.
    pub privacy: PrivacyService,
    /// Logs people in by codes sent to their mailboxes.
    pub email_codes: EmailCodeService,
    /// Judges tokens and takes them back.
    pub tokens: TokenService,
    /// Tells whether the process can do its work.
    pub readiness: ReadinessService,
    /// What the console watches.
    pub console: ConsoleService,
    /// Tells how the machine is.
    pub system: SystemService,
}
