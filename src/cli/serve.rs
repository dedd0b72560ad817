//! `serve`: the API and the background, from environment variables alone.

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use url::Url;

use crate::app::accept::serve;
use crate::app::{App, configured, shutdown_signal};
use crate::cli::stop_signal;
use crate::config::Config;
use crate::storage::{Store, StoreOptions};
use crate::types::{Clock, SystemClock};

/// Serve the API and anchor records, configured by environment variables
#[derive(Debug, Args)]
pub struct ServeArgs {}

impl ServeArgs {
    /// Runs until told to stop.
    pub async fn run(self, config: Config) -> anyhow::Result<()> {
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
        let ports = configured::ports(&config, clock)?;
        let settings = configured::settings(&config, &base_url)?;
        let app = App::build(store.clone(), settings, ports).await?;
        let (shutdown, stopping) = shutdown_signal();
        let driver = tokio::spawn(app.driver.run(stopping.clone()));
        let limits = configured::connection_limits(&config);
        let server = tokio::spawn(serve(listener, app.router, limits, stopping));
        println!("listening on {base_url}");
        stop_signal().await;
        tracing::info!("stopping: requests and work in hand are finished first");
        shutdown.send_replace(true);
        let summary = server.await.context("the accept loop ended badly")?;
        driver.await.context("the background ended badly")?;
        store.close();
        tracing::info!(served = summary.served, cut_off = summary.cut_off, "stopped");
        Ok(())
    }
}
