//! `serve`: the API and the background, from environment variables alone.
//!
//! A process serves one store after the other: where a restored one waits, it ends its work and begins
//! anew with that, at the same address.

mod pulse;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::sync::watch;
use url::Url;

use crate::app::control::ControlSocket;
use crate::app::front::Front;
use crate::app::service_manager::accompany;
use crate::app::tls::CertificateBook;
use crate::app::{App, configured, shutdown};
use crate::cli::doctor::ResidentDoctor;
use crate::cli::serve::pulse::{Living, Pulse};
use crate::cli::store::{open_again, open_for_serving};
use crate::config::Config;
use crate::http::setup_url;
use crate::service::accounts::{AccountError, AccountService};
use crate::service::restores::Renewal;
use crate::types::{Clock, SystemClock, Timestamp};

/// Serve the API and anchor records, configured by environment variables
#[derive(Debug, Args)]
pub(super) struct ServeArgs {}

impl ServeArgs {
    /// Runs until told to stop.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let mut server = Server {
            listen: config.listen,
            config: Arc::new(config),
            clock: Arc::new(SystemClock),
            stop: None,
            pulse: Pulse::default(),
        };
        while server.run().await? == Ended::ToBeginAnew {
            tracing::info!("beginning anew with the restored store");
        }
        Ok(())
    }
}

/// Why a run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The process was told to stop.
    ForGood,
    /// A restored store waits.
    ToBeginAnew,
}

/// What stays from one run to the next.
struct Server {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    /// Where it listens: the port that it was given, once it was.
    listen: SocketAddr,
    /// Turns true when the process is told to stop; none before the first run has begun.
    stop: Option<watch::Receiver<bool>>,
    pulse: Pulse,
}

impl Server {
    /// Serves a store until told to stop, or to begin anew with another.
    async fn run(&mut self) -> anyhow::Result<Ended> {
        let (config, clock) = (Arc::clone(&self.config), Arc::clone(&self.clock));
        let front = Front::bind(&config, self.listen).await?;
        let base_url = front.base_url()?;
        self.listen = front.address()?;
        let store = match self.stop {
            None => open_for_serving(&config.data_dir, clock.now())?,
            Some(_) => open_again(&config.data_dir, clock.as_ref()).await?,
        };
        let (renewal, asked) = Renewal::new();
        let mut ports = configured::ports(&config, Arc::clone(&clock))?;
        let settings = configured::settings(&config, &base_url)?;
        let public_url = settings.http.public_url.clone();
        let traces = ports.traces.clone();
        let doctor = ResidentDoctor::new(Arc::clone(&config), store.clone(), Arc::clone(&clock));
        ports.console.doctor = Some(Arc::new(doctor));
        ports.renewal = Some(renewal);
        let app = App::build(store.clone(), settings, ports).await?;
        let control = ControlSocket::bind(&config.control_socket)?;
        let told = match &self.stop {
            Some(told) => told.clone(),
            None => shutdown::on_signal()?,
        };
        let stopping = shutdown::either(told.clone(), asked.clone());
        let driver = tokio::spawn(app.driver.run(stopping.clone()));
        let commands = tokio::spawn(control.serve(app.router.clone(), stopping.clone()));
        let limits = configured::connection_limits(&config);
        let observations = app.services.readiness.observations.clone();
        let book = CertificateBook::new(app.metrics, observations, Arc::clone(&clock));
        let readiness = app.services.readiness.clone();
        self.pulse.set(Some(Living { base_url, store: store.clone(), readiness }));
        self.tell(&front, &public_url, &told)?;
        invite(&app.services.accounts, &public_url, clock.now()).await;
        let summary = front.serve(app.router, &public_url, book, limits, stopping).await;
        driver.await.context("the background ended badly")?;
        commands.await.context("the control socket ended badly")?;
        self.pulse.set(None);
        store.close();
        if let Some(traces) = traces {
            // What is left is sent by a client that blocks.
            tokio::task::spawn_blocking(move || traces.finish()).await?;
        }
        tracing::info!(served = summary.served, cut_off = summary.cut_off, "stopped");
        let is_asked = *asked.borrow() && !*told.borrow();
        Ok(if is_asked { Ended::ToBeginAnew } else { Ended::ForGood })
    }

    /// Says where it listens, and has the service manager told how it is: once for all runs.
    fn tell(
        &mut self,
        front: &Front,
        public_url: &Url,
        told: &watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        if self.stop.is_some() {
            return Ok(());
        }
        println!("listening on {}", front.base_url()?);
        if let Some(url) = front.redirect_url()? {
            println!("leading from {url} to {public_url}");
        }
        self.stop = Some(told.clone());
        let (pulse, told) = (self.pulse.clone(), told.clone());
        tokio::spawn(async move { accompany(|| pulse.feel(), told).await });
        Ok(())
    }
}

/// Says how the first admin is made while there is no account. The link itself is for eyes: where
/// nobody watches, standard error is a log that somebody keeps, and only the command is named.
async fn invite(accounts: &AccountService, public_url: &Url, now: Timestamp) {
    let is_set_up = accounts.is_set_up().unwrap_or(true);
    if is_set_up {
        return;
    }
    if !std::io::stderr().is_terminal() {
        tracing::warn!("the console has no account; patchproof admin setup-link makes the first");
        return;
    }
    let link = match accounts.make_setup_link("serve", now).await {
        Ok(link) => setup_url(public_url, &link.token),
        Err(AccountError::AlreadySetUp) => return,
        Err(error) => {
            tracing::warn!(%error, "the link for the first account was not made");
            return;
        }
    };
    let text = format!("Make the first admin within 30 minutes: {link}");
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
