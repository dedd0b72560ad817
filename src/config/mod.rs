//! What operators decide: environment variables and the files they name, read once at the start.
//!
//! One table ([`GROUPS`]) says what there is: parsing, the reference in docs/CONFIGURATION.md and
//! the hints for misspelt names all come from it. Guarantees that everything that is wrong is
//! reported at once, that nothing weak passes in production, and that no secret is ever printed.
//! Nothing else in the product reads the environment.

mod address_range;
mod anchoring;
mod arc;
mod backup;
#[cfg(test)]
mod boot_tests;
mod chain;
mod documentation;
mod edge;
mod endpoint;
mod environment;
mod example;
mod kms;
mod limits;
mod login;
mod mail;
mod pair;
mod parts;
mod place;
mod pool;
mod problem;
mod reader;
mod secret;
mod secrets;
mod settings;
mod stores;
mod table;
mod tls;
mod unknown;
mod variable;
mod variable_file;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::types::{ChainProfile, Checkpoint};

pub use address_range::{AddressRange, AddressRangeParseError};
pub use anchoring::{AnchorMode, AnchorPayload, AnchoringOptions, OwnerSettings};
pub use arc::{ArcSettings, BroadcastSettings, BroadcastVia};
pub use backup::BackupSettings;
pub use chain::WocSettings;
pub use documentation::{configuration_markdown, configuration_page};
pub use edge::{AllowedOrigins, HttpSettings, LogFormat, LogLevel, LoggingSettings};
pub use endpoint::Endpoint;
pub use environment::{Environment, FileRule, SecretFileError};
pub use example::{changed_file, example_file, variable_named};
pub use kms::{KeySettings, KmsSettings};
pub use limits::{LimitSettings, RateSetting};
pub use login::SvdSettings;
pub use mail::{MailDelivery, MailServer, MailSettings};
pub use pair::{CertificateFacts, TlsFileError, TlsFiles, TlsPair, certificates};
pub use parts::{
    BackupConfig, HeaderConfig, PoolConfig, SignerConfig, TokenConfig, confirmed_at_depth,
    control_socket, data_dir, initial_settings, logging, mail_server,
};
pub use place::{Mode, control_socket_in};
pub use pool::PoolSettings;
pub use problem::{ConfigProblem, ConfigProblems, Origin};
pub use reader::EffectiveVariable;
pub use secret::{MIN_SECRET_BYTES, Secret};
pub use secrets::{JwtSecrets, Secrets};
pub use settings::InitialSettings;
pub use stores::OuterStores;
pub use table::{GROUPS, Group};
pub use tls::{AcmeSettings, TlsSettings, TlsSource};
pub use variable::{Kind, Required, TakesEffect, Variable};
pub use variable_file::INSTALLED as INSTALLED_FILE;

use reader::{Reader, Readings};

/// Everything that operators decide about the server.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the process is for.
    pub mode: Mode,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where its data lies.
    pub data_dir: PathBuf,
    /// Where commands reach it.
    pub control_socket: PathBuf,
    /// The commit that was deployed.
    pub deploy_sha: Option<String>,
    /// The secrets of the API.
    pub secrets: Secrets,
    /// How to reach the signer.
    pub kms: KmsSettings,
    /// The signer's names for our keys.
    pub keys: KeySettings,
    /// How to reach the network endpoint.
    pub woc: WocSettings,
    /// How much work block headers must prove.
    pub chain_profile: ChainProfile,
    /// Blocks that the operator vouches for.
    pub checkpoints: Vec<Checkpoint>,
    /// How long `utxo-health` remembers what the network endpoint said.
    pub health_woc_cache: Duration,
    /// How transactions are spread over the ways to the network.
    pub broadcast: BroadcastSettings,
    /// How records are put on chain.
    pub anchoring: AnchoringOptions,
    /// How the pool is kept.
    pub pool: PoolSettings,
    /// What the run-time settings begin with.
    pub settings: InitialSettings,
    /// What owners and customers sign.
    pub owners: OwnerSettings,
    /// How users log in.
    pub login: SvdSettings,
    /// How mail is sent.
    pub mail: MailSettings,
    /// How often clients may ask.
    pub limits: LimitSettings,
    /// The HTTP edge.
    pub http: HttpSettings,
    /// The log.
    pub logging: LoggingSettings,
    /// How backups are made.
    pub backup: BackupSettings,
    /// The databases of the predecessor.
    pub stores: OuterStores,
    /// What an operator should know though nothing is wrong.
    pub warnings: Vec<String>,
    /// Every variable as it is in force, secrets hidden.
    pub effective: Vec<EffectiveVariable>,
}

impl Config {
    /// Reads the environment of this process; see [`Config::load`].
    pub fn from_environment(random: impl FnMut() -> [u8; 32]) -> Result<Self, ConfigProblems> {
        Self::load(&Environment::of_process(), random)
    }

    /// Reads a configuration, or returns everything that is wrong with it. Outside production
    /// `random` makes the secrets that are missing.
    pub fn load(
        environment: &Environment,
        random: impl FnMut() -> [u8; 32],
    ) -> Result<Self, ConfigProblems> {
        Self::read(environment, true, |reader| Secrets::read(reader, random))
    }

    /// Reads what a command needs that does the server's work while no server runs. It serves
    /// nobody, so the secrets of the API are none of its business: `random` makes others.
    pub fn load_for_command(
        environment: &Environment,
        random: impl FnMut() -> [u8; 32],
    ) -> Result<Self, ConfigProblems> {
        Self::read(environment, false, |_| Secrets::of_nobody(random))
    }

    fn read(
        environment: &Environment,
        serves: bool,
        read_secrets: impl FnOnce(&mut Reader<'_>) -> Secrets,
    ) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(environment);
        // The order is that of the table: the mode first, since it decides how strict the rest is.
        let mode = Mode::read(&mut reader);
        let listen = place::read_listen(&mut reader);
        let data_dir = place::read_data_dir(&mut reader);
        let control_socket = place::read_control_socket(&mut reader, &data_dir);
        let deploy_sha = place::read_deploy_sha(&mut reader);
        let secrets = read_secrets(&mut reader);
        let (kms, keys) = (KmsSettings::read(&mut reader), KeySettings::read(&mut reader));
        let woc = WocSettings::read(&mut reader);
        let chain_profile = chain::read_chain_profile(&mut reader, &woc);
        let checkpoints = chain::read_checkpoints(&mut reader);
        let health_woc_cache = reader.milliseconds(&chain::HEALTH_WOC_CACHE_MS);
        let broadcast = BroadcastSettings::read(&mut reader, chain_profile);
        let anchoring = AnchoringOptions::read(&mut reader);
        let (pool, owners) = (PoolSettings::read(&mut reader), OwnerSettings::read(&mut reader));
        let settings = InitialSettings::read(&mut reader).capped(anchoring.max_fee_rate);
        let login = SvdSettings::read(&mut reader);
        let mail = MailSettings::read(&mut reader, serves);
        let limits = LimitSettings::read(&mut reader);
        let (http, log) =
            (HttpSettings::read(&mut reader, serves), LoggingSettings::read(&mut reader));
        let backup = BackupSettings::read(&mut reader, &data_dir);
        let stores = OuterStores::read(&mut reader);
        reader.warnings.extend(surroundings(environment, mode, listen));
        let Readings { warnings, effective } = reader.finish()?;
        Ok(Self {
            mode,
            listen,
            data_dir,
            control_socket,
            deploy_sha,
            secrets,
            kms,
            keys,
            woc,
            chain_profile,
            checkpoints,
            health_woc_cache,
            broadcast,
            anchoring,
            pool,
            settings,
            owners,
            login,
            mail,
            limits,
            http,
            logging: log,
            backup,
            stores,
            warnings,
            effective,
        })
    }

    /// Says whether API-key and token checks are relaxed: in test mode, on loopback only.
    pub fn relaxes_auth(&self) -> bool {
        self.mode == Mode::Test && is_loopback(self.listen)
    }
}

/// Returns what an operator should know of the environment as a whole.
fn surroundings(environment: &Environment, mode: Mode, listen: SocketAddr) -> Vec<String> {
    let mut warnings = unknown::hints(environment);
    warnings.extend(test_mode_warning(mode, listen));
    warnings
}

fn is_loopback(listen: SocketAddr) -> bool {
    listen.ip().to_canonical().is_loopback()
}

fn test_mode_warning(mode: Mode, listen: SocketAddr) -> Option<String> {
    match (mode, is_loopback(listen)) {
        (Mode::Test, true) => Some(
            "test mode: API-key and token checks are relaxed; anybody on this machine may do \
             everything"
                .to_owned(),
        ),
        (Mode::Test, false) => Some(format!(
            "test mode, but {} is not loopback: API-key and token checks are in force",
            listen.ip()
        )),
        (Mode::Development | Mode::Production, _) => None,
    }
}
