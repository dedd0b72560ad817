//! `patchproof signer`: the process that holds the keys.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use crate::app::accept::ConnectionLimits;
use crate::app::service_manager::accompany;
use crate::app::shutdown;
use crate::app::socket::{Bound, ListenAddress};
use crate::cli::{Surroundings, runtime};
use crate::config::{self, FileRule, SignerConfig};
use crate::crypto::{PassphraseCost, random_bytes};
use crate::signer::{Keystore, SignerServerConfig, SigningLog, signer_router};

/// Hold the keys and sign what they may sign, over the KMS contract
///
/// The keys lie encrypted in one file. Listens on a Unix socket, whose permissions decide who may
/// connect, or on loopback. Callers must send KMS_API_KEY (or what KMS_API_KEY_FILE holds) as a
/// Bearer token, if it is set.
#[derive(Debug, Args)]
pub(super) struct SignerCommand {
    /// File of the encrypted keys
    #[arg(long, value_name = "FILE")]
    keystore: PathBuf,
    /// File that holds the passphrase of the keystore
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
    /// Where to listen: 127.0.0.1:PORT or unix:PATH; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3002")]
    listen: ListenAddress,
    /// File to which a line is appended for every signature
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Create the keystore, with one new key for each use, if it is missing
    #[arg(long)]
    init: bool,
    /// Create the passphrase file, with a random passphrase, if it is missing too
    #[arg(long, requires = "init")]
    init_passphrase: bool,
}

impl SignerCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        if !self.listen.is_local() {
            bail!(
                "the signer listens on loopback or on a Unix socket only, not on {}",
                self.listen
            );
        }
        let log_settings = config::logging(&surroundings.environment)?;
        let settings = SignerConfig::load(&surroundings.environment)?;
        let keystore = self.open_keystore(surroundings)?;
        let log = self.log.as_deref().map(SigningLog::open).transpose()?;
        let is_open_to_machine = matches!(self.listen, ListenAddress::Tcp(_));
        if settings.api_key.is_none() && is_open_to_machine {
            let warning = "KMS_API_KEY is not set: every process on this machine can have \
                           anything signed";
            surroundings.output.warn(&[warning.to_owned()]);
        }
        surroundings.start_log(log_settings);
        let server = SignerServerConfig {
            api_key: settings.api_key.map(|key| key.expose().to_owned()),
            log,
            ..SignerServerConfig::new(keystore, surroundings.clock.clone())
        };
        runtime()?.block_on(serve(&self.listen, server, surroundings))
    }

    fn open_keystore(&self, surroundings: &Surroundings) -> anyhow::Result<Keystore> {
        let is_missing = !self.keystore.exists();
        if is_missing && self.init_passphrase {
            create_passphrase(&self.passphrase_file)?;
        }
        // Whoever reads the passphrase can take every key, so this holds in every mode.
        let passphrase =
            surroundings.environment.read_secret_file(&self.passphrase_file, FileRule::Private)?;
        if is_missing && self.init {
            let now = surroundings.clock.now();
            let cost = PassphraseCost::RECOMMENDED;
            let keystore = Keystore::create(&self.keystore, passphrase.expose(), cost, now)?;
            let path = self.keystore.display();
            surroundings.output.talk(&format!(
                "created {path}: keep a copy of it and of its passphrase, there is no other"
            ));
            return Ok(keystore);
        }
        let hint = if is_missing { "; --init creates it" } else { "" };
        Keystore::open(&self.keystore, passphrase.expose())
            .with_context(|| format!("{} cannot be opened{hint}", self.keystore.display()))
    }
}

/// Writes a random passphrase to a new file, unless there is one.
pub(super) fn create_passphrase(path: &Path) -> anyhow::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match created {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be created", path.display()));
        }
    };
    let random = Zeroizing::new(random_bytes::<32>());
    let passphrase = Zeroizing::new(format!("{}\n", hex::encode(random.as_slice())));
    file.write_all(passphrase.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{} cannot be written", path.display()))
}

async fn serve(
    listen: &ListenAddress,
    server: SignerServerConfig,
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal()?;
    let keys: Vec<_> = server
        .keystore
        .keys()
        .iter()
        .map(|key| {
            json!({
                "keyIdentifier": key.identifier,
                "purpose": key.purpose,
                "publicKey": key.public_key().to_string(),
            })
        })
        .collect();
    let bound =
        Bound::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    let url = bound.address().to_string();
    if surroundings.output.is_json {
        surroundings.output.json(&json!({ "url": url, "keys": keys }))?;
    } else {
        surroundings.output.line(&url)?;
    }
    tracing::info!(%url, keys = keys.len(), "the signer is ready");
    let status = format!("signing for those who reach {url}");
    let watched = shutdown.clone();
    tokio::spawn(async move { accompany(|| std::future::ready(status.clone()), watched).await });
    bound.serve(signer_router(server), ConnectionLimits::default(), shutdown).await;
    Ok(ExitCode::SUCCESS)
}
