//! Everything the demo runs: network, signer and product, each behind its own loopback socket.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::app::{ConsoleSide, NetworkSide, Ports, shutdown_signal};
use crate::auth::token::TokenKeys;
use crate::chain::{
    Router as ChainRouter, RouterEndpoint, RouterPolicy, WhatsOnChain, WhatsOnChainConfig,
};
use crate::cli::demo::catalogue::{Catalogue, catalogue};
use crate::cli::demo::owners::{Owner, load_or_create};
use crate::cli::demo::product::{Product, spawn_server};
use crate::cli::demo::secrets::{ADMIN, Secrets, admit};
use crate::cli::demo::settings::settings;
use crate::crypto::{PassphraseCost, random_bytes};
use crate::http::credentials::ConfiguredApiKey;
use crate::mail::ShownMailer;
use crate::service::batches::Route;
use crate::signer::{
    Keystore, KmsConfig, KmsSigner, SignerServerConfig, SigningLog, signer_router,
};
use crate::simnet::{Simnet, SimnetConfig};
use crate::types::{Clock, Network, SystemClock, Timestamp};

/// What a script that drives the demo needs to know.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Description {
    /// Where the API is.
    pub(super) base_url: Url,
    /// Where the console is.
    pub(super) console_url: Url,
    /// Who may log in there.
    pub(super) console_user: String,
    /// With what password.
    pub(super) console_password: String,
    /// Where the API is explained.
    pub(super) docs_url: Url,
    /// Opens everything.
    pub(super) api_key: String,
    /// Where the simulated network is.
    pub(super) chain_url: Url,
    /// Where the same network speaks like ARC.
    pub(super) arc_url: Url,
    /// Where the signer is.
    pub(super) signer_url: Url,
    /// Whose addresses are accepted.
    pub(super) network: Network,
    /// Whose statements about products count.
    pub(super) issuer_public_key: String,
    /// Where the pool's money comes in.
    pub(super) funding_address: String,
    /// A Bearer token for transfers, good for a day.
    pub(super) bearer_token: String,
    /// The owners of the sample products.
    pub(super) owners: Vec<Owner>,
}

/// A running demo.
pub(super) struct World {
    directory: PathBuf,
    /// What scripts need to know.
    pub(super) description: Description,
    /// The sample products.
    pub(super) catalogue: Catalogue,
    /// Their owners by name.
    pub(super) owners: BTreeMap<String, Owner>,
    /// The product, which may begin anew while network and signer go on.
    pub(super) product: Product,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    shutdown: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl World {
    /// Starts everything; when this returns, the API answers.
    pub(super) async fn start(
        directory: &Path,
        listen: SocketAddr,
        mine_every_secs: u64,
        route: Route,
    ) -> anyhow::Result<Self> {
        create_private_directory(directory)?;
        let secrets = Secrets::load_or_create(directory)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (shutdown, stopping) = shutdown_signal();
        let mut tasks = JoinSet::new();
        let api = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}; give another address with --listen")
        })?;
        let base_url = url_of(api.local_addr()?, "")?;
        let chain_url =
            start_network(directory, &clock, mine_every_secs, &stopping, &mut tasks).await?;
        let signer_url = start_signer(directory, &secrets, &clock, &stopping, &mut tasks).await?;
        let ports = ports(directory, &secrets, &chain_url, &signer_url, &clock)?;
        let settings = settings(&secrets, &base_url, directory, route);
        let product = Product::start(directory, api, settings, ports).await?;
        admit(&product.services, &secrets, clock.now()).await?;
        let catalogue = catalogue()?;
        let owners = load_or_create(directory, &catalogue.owners)?;
        let keyring = &product.services.registration.keyring;
        let description = Description {
            console_url: base_url.join("admin")?,
            console_user: ADMIN.to_owned(),
            console_password: secrets.console_password.clone(),
            docs_url: base_url.join("docs")?,
            base_url,
            api_key: secrets.api_key.clone(),
            arc_url: chain_url.join("/")?,
            chain_url,
            signer_url,
            network: keyring.network,
            issuer_public_key: keyring.issuer.public_key.to_string(),
            funding_address: keyring.funding.address.to_string(),
            bearer_token: bearer_token(&secrets, clock.now())?,
            owners: owners.values().cloned().collect(),
        };
        Ok(Self {
            directory: directory.to_owned(),
            description,
            catalogue,
            owners,
            product,
            clock,
            shutdown,
            tasks,
        })
    }

    /// Returns where demo.json is.
    pub(super) fn description_file(&self) -> PathBuf {
        self.directory.join("demo.json")
    }

    /// Writes demo.json.
    pub(super) fn write_description(&self) -> anyhow::Result<()> {
        write_private(&self.description_file(), &serde_json::to_vec_pretty(&self.description)?)
    }

    /// Has the product begin anew, at the same address, whenever a restored store waits; never returns
    /// but with an error.
    pub(super) async fn renew(&mut self) -> anyhow::Result<()> {
        loop {
            self.product.asked().await;
            self.product.begin_anew(&self.directory).await?;
        }
    }

    /// Lets requests and work in hand finish, then stops; removes a temporary directory.
    pub(super) async fn stop(mut self, temporary: Option<PathBuf>) -> anyhow::Result<()> {
        self.product.stop().await;
        self.shutdown.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        if let Some(directory) = temporary {
            std::fs::remove_dir_all(&directory).context("the temporary directory stays")?;
        }
        Ok(())
    }
}

async fn start_network(
    directory: &Path,
    clock: &Arc<dyn Clock>,
    mine_every_secs: u64,
    stopping: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Url> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let config = SimnetConfig { listen: address, ..SimnetConfig::default() };
    let journal = directory.join("simnet.journal");
    let simnet = Simnet::open(&config, Arc::clone(clock), &journal)
        .context("the simulated network's journal cannot be opened")?;
    spawn_server(tasks, listener, simnet.router(), stopping);
    let mining = stopping.clone();
    let interval = Duration::from_secs(mine_every_secs.max(1));
    tasks.spawn(async move { simnet.mine_periodically(interval, mining).await });
    url_of(address, "v1/bsv/test")
}

async fn start_signer(
    directory: &Path,
    secrets: &Secrets,
    clock: &Arc<dyn Clock>,
    stopping: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Url> {
    let file = directory.join("signer.keystore");
    let keystore = if file.exists() {
        Keystore::open(&file, &secrets.passphrase)?
    } else {
        let cost = PassphraseCost::RANDOM_PASSPHRASE;
        Keystore::create(&file, &secrets.passphrase, cost, clock.now())?
    };
    let mut config = SignerServerConfig::new(keystore, Arc::clone(clock));
    config.api_key = Some(secrets.signer_key.clone());
    config.log = Some(SigningLog::open(&directory.join("signed.log"))?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    spawn_server(tasks, listener, signer_router(config), stopping);
    url_of(address, "sign")
}

fn ports(
    directory: &Path,
    secrets: &Secrets,
    chain_url: &Url,
    signer_url: &Url,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Ports> {
    let mut kms = KmsConfig::new(signer_url.clone());
    kms.api_key = Some(secrets.signer_key.clone());
    let mut chain = WhatsOnChainConfig::new(chain_url.clone(), Network::Test);
    chain.requests_per_second = None;
    let chain = Arc::new(WhatsOnChain::new(chain)?);
    // As `serve` does it: with a breaker, whose state the console shows.
    let endpoint = RouterEndpoint::whatsonchain(&chain, true);
    let chain =
        Arc::new(ChainRouter::new(vec![endpoint], RouterPolicy::default(), Arc::clone(clock)));
    let signer = Arc::new(KmsSigner::new(kms)?);
    Ok(Ports {
        secret_deriver: Some(Arc::<KmsSigner>::clone(&signer)),
        signer,
        broadcaster: Arc::<ChainRouter>::clone(&chain),
        tracker: Arc::<ChainRouter>::clone(&chain),
        network: NetworkSide { endpoints: chain.board(), ..NetworkSide::default() },
        utxo_source: chain,
        console: ConsoleSide::of(directory),
        clock: Arc::clone(clock),
        api_keys: Arc::new(ConfiguredApiKey::new(&secrets.api_key)),
        token_keys: Arc::new(token_keys(secrets)?),
        relaxes_tokens: false,
        mailer: Some(Arc::new(ShownMailer)),
        lines: Vec::new(),
        traces: None,
        renewal: None,
    })
}

fn bearer_token(secrets: &Secrets, now: Timestamp) -> anyhow::Result<String> {
    let day = Duration::from_secs(24 * 3600);
    Ok(token_keys(secrets)?.issue("demo-owner", now, day, &random_bytes())?)
}

fn token_keys(secrets: &Secrets) -> anyhow::Result<TokenKeys> {
    Ok(TokenKeys::new(secrets.jwt_secret.as_bytes(), None)?)
}

fn url_of(address: SocketAddr, path: &str) -> anyhow::Result<Url> {
    Ok(Url::parse(&format!("http://{address}/{path}"))?)
}

fn create_private_directory(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("{} cannot be created", directory.display()))
}

/// Writes a file that only its owner reads, in one piece.
pub(in crate::cli) fn write_private(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let draft = file.with_extension("draft");
    let mut written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .with_context(|| format!("{} cannot be written", draft.display()))?;
    written.write_all(bytes)?;
    written.sync_all()?;
    std::fs::rename(&draft, file).with_context(|| format!("{} cannot be written", file.display()))
}
