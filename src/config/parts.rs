//! The parts of a configuration that single commands need: a command asks for no more than it uses.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::anchoring::CONFIRMED_AT_DEPTH;
use crate::config::reader::Reader;
use crate::config::secrets::{read_foreign, read_master};
use crate::config::{
    BackupSettings, ConfigProblems, Environment, InitialSettings, JwtSecrets, KeySettings,
    KmsSettings, LoggingSettings, MailDelivery, MailServer, MailSettings, Mode, Secret,
    WocSettings, chain, kms, place,
};
use crate::types::{ChainProfile, Checkpoint, Network};

/// What is needed to issue tokens.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// What the process is for.
    pub mode: Mode,
    /// The secrets.
    pub jwt: JwtSecrets,
    /// The root of pseudonyms, if it is known here.
    pub master_secret: Option<Secret>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// What is needed to look after the pool of outputs.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// How to reach the signer.
    pub kms: KmsSettings,
    /// The signer's names for our keys.
    pub keys: KeySettings,
    /// How to reach the network endpoint.
    pub woc: WocSettings,
    /// What the run-time settings begin with.
    pub settings: InitialSettings,
    /// How long an answer of the network endpoint is remembered.
    pub health_woc_cache: Duration,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// What is needed to look after our chain of headers.
#[derive(Debug, Clone)]
pub struct HeaderConfig {
    /// Whose headers they are.
    pub network: Network,
    /// How much work they must prove.
    pub chain_profile: ChainProfile,
    /// Blocks that the operator vouches for.
    pub checkpoints: Vec<Checkpoint>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// What is needed to make backups and to restore them.
#[derive(Debug, Clone)]
pub struct BackupConfig {
    /// Where the data lies.
    pub data_dir: PathBuf,
    /// The network of the installation, as far as the environment says.
    pub network: Network,
    /// How backups are made.
    pub backup: BackupSettings,
}

/// What the signer needs.
#[derive(Debug, Clone)]
pub struct SignerConfig {
    /// What the process is for.
    pub mode: Mode,
    /// What callers must send.
    pub api_key: Option<Secret>,
}

impl TokenConfig {
    /// Reads what is needed to issue tokens.
    pub fn load(environment: &Environment) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(environment);
        let mode = Mode::read(&mut reader);
        let jwt = JwtSecrets::read_required(&mut reader);
        let master_secret = read_master(&mut reader);
        let warnings = reader.finish()?.warnings;
        Ok(Self { mode, jwt, master_secret, warnings })
    }
}

impl PoolConfig {
    /// Reads what is needed to look after the pool.
    pub fn load(environment: &Environment) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(environment);
        Mode::read(&mut reader);
        let kms = KmsSettings::read(&mut reader);
        let keys = KeySettings::read(&mut reader);
        let woc = WocSettings::read(&mut reader);
        let health_woc_cache = reader.milliseconds(&chain::HEALTH_WOC_CACHE_MS);
        let settings = InitialSettings::read(&mut reader);
        let warnings = reader.finish()?.warnings;
        Ok(Self { kms, keys, woc, settings, health_woc_cache, warnings })
    }
}

impl HeaderConfig {
    /// Reads what is needed to look after our chain of headers.
    pub fn load(environment: &Environment) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(environment);
        Mode::read(&mut reader);
        let woc = WocSettings::read(&mut reader);
        let chain_profile = chain::read_chain_profile(&mut reader, &woc);
        let checkpoints = chain::read_checkpoints(&mut reader);
        let warnings = reader.finish()?.warnings;
        Ok(Self { network: woc.network, chain_profile, checkpoints, warnings })
    }
}

impl BackupConfig {
    /// Reads what is needed for backups of the store in the folder that was named, or else configured.
    pub fn load(environment: &Environment, named: Option<PathBuf>) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(environment);
        Mode::read(&mut reader);
        let configured = place::read_data_dir(&mut reader);
        let data_dir = named.unwrap_or(configured);
        let network = WocSettings::read(&mut reader).network;
        let backup = BackupSettings::read(&mut reader, &data_dir);
        reader.finish()?;
        Ok(Self { data_dir, network, backup })
    }
}

impl SignerConfig {
    /// Reads what the signer needs.
    pub fn load(environment: &Environment) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(environment);
        let mode = Mode::read(&mut reader);
        let api_key = read_foreign(&mut reader, &kms::KMS_API_KEY);
        reader.finish()?;
        Ok(Self { mode, api_key })
    }
}

/// Reads how much is logged and how.
pub fn logging(environment: &Environment) -> Result<LoggingSettings, ConfigProblems> {
    let mut reader = Reader::new(environment);
    let logging = LoggingSettings::read(&mut reader);
    reader.finish()?;
    Ok(logging)
}

/// Reads which server takes mail, if any does.
pub fn mail_server(environment: &Environment) -> Result<Option<MailServer>, ConfigProblems> {
    let mut reader = Reader::new(environment);
    Mode::read(&mut reader);
    let mail = MailSettings::read(&mut reader, true);
    reader.finish()?;
    Ok(match mail.delivery {
        MailDelivery::Server(server) => Some(server),
        MailDelivery::Shown | MailDelivery::Left => None,
    })
}

/// Reads where the data lies.
pub fn data_dir(environment: &Environment) -> Result<PathBuf, ConfigProblems> {
    let mut reader = Reader::new(environment);
    let data_dir = place::read_data_dir(&mut reader);
    reader.finish()?;
    Ok(data_dir)
}

/// Reads where the data lies and where commands reach the server that works on it.
pub fn control_socket(environment: &Environment) -> Result<(PathBuf, PathBuf), ConfigProblems> {
    let mut reader = Reader::new(environment);
    let data_dir = place::read_data_dir(&mut reader);
    let socket = place::read_control_socket(&mut reader, &data_dir);
    reader.finish()?;
    Ok((data_dir, socket))
}

/// Reads how many blocks deep a record counts as confirmed.
pub fn confirmed_at_depth(environment: &Environment) -> Result<u32, ConfigProblems> {
    let mut reader = Reader::new(environment);
    let depth = reader.number(&CONFIRMED_AT_DEPTH);
    reader.finish()?;
    Ok(depth)
}

/// Reads what the run-time settings begin with.
pub fn initial_settings(environment: &Environment) -> Result<InitialSettings, ConfigProblems> {
    let mut reader = Reader::new(environment);
    let settings = InitialSettings::read(&mut reader);
    reader.finish()?;
    Ok(settings)
}
