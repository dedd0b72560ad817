//! `serve`: the API and the background, from environment variables alone.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use url::Url;

use crate::app::accept::serve;
use crate::app::control::ControlSocket;
use crate::app::{App, configured, shutdown};
use crate::cli::doctor::ResidentDoctor;
use crate::config::Config;
use crate::http::setup_url;
use crate::service::accounts::{AccountError, AccountService};
use crate::storage::{Store, StoreOptions};
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
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}; set BIND and PORT", config.listen))?;
        let address = listener.local_addr()?;
        let base_url = Url::parse(&format!("http://{address}/"))?;
        let store = Store::open(StoreOptions::in_directory(&config.data_dir))
            .with_context(|| format!("the store in {}", config.data_dir.display()))?;
        let mut ports = configured::ports(&config, Arc::clone(&clock))?;
        let settings = configured::settings(&config, &base_url)?;
        let public_url = settings.http.public_url.clone();
        let config = Arc::new(config);
        let doctor = ResidentDoctor::new(Arc::clone(&config), store.clone(), Arc::clone(&clock));
        ports.console.doctor = Some(Arc::new(doctor));
        let app = App::build(store.clone(), settings, ports).await?;
        let control = ControlSocket::bind(&config.control_socket)?;
        let stopping = shutdown::on_signal()?;
        let driver = tokio::spawn(app.driver.run(stopping.clone()));
        let commands = tokio::spawn(control.serve(app.router.clone(), stopping.clone()));
        let limits = configured::connection_limits(&config);
        println!("listening on {base_url}");
        invite(&app.services.accounts, &public_url, clock.now()).await;
        let summary = serve(listener, app.router, limits, stopping).await;
        driver.await.context("the background ended badly")?;
        commands.await.context("the control socket ended badly")?;
        store.close();
        tracing::info!(served = summary.served, cut_off = summary.cut_off, "stopped");
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
