//! The product within the demo: it may begin anew, with a restored store, while the simulated network
//! and the signer go on.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use axum::Router;
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::accept::{ConnectionLimits, serve};
use crate::app::control::ControlSocket;
use crate::app::{App, Ports, Settings, shutdown_signal};
use crate::cli::store::open_for_serving;
use crate::config::control_socket_in;
use crate::service::Services;
use crate::service::restores::Renewal;
use crate::storage::Store;
use crate::worker::Wakes;

/// A run of the product, and what the next one needs.
pub(super) struct Product {
    /// The services, for what has no route.
    pub(super) services: Services,
    /// Wakes the background.
    pub(super) wakes: Wakes,
    address: SocketAddr,
    settings: Settings,
    ports: Ports,
    store: Store,
    asked: watch::Receiver<bool>,
    shutdown: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Product {
    /// Starts it; when this returns, the API answers.
    pub(super) async fn start(
        directory: &Path,
        api: TcpListener,
        settings: Settings,
        mut ports: Ports,
    ) -> anyhow::Result<Self> {
        let address = api.local_addr()?;
        let store = open_for_serving(directory, ports.clock.now())
            .context("the demo cannot open it; is another demo using this directory?")?;
        let (renewal, asked) = Renewal::new();
        ports.renewal = Some(renewal);
        let app = App::build(store.clone(), settings.clone(), ports.clone()).await?;
        let control = ControlSocket::bind(&control_socket_in(directory))?;
        let (shutdown, stopping) = shutdown_signal();
        let mut tasks = JoinSet::new();
        tasks.spawn(control.serve(app.router.clone(), stopping.clone()).map(drop));
        spawn_server(&mut tasks, api, app.router, &stopping);
        tasks.spawn(app.driver.run(stopping));
        let (services, wakes) = (app.services, app.wakes);
        Ok(Self { services, wakes, address, settings, ports, store, asked, shutdown, tasks })
    }

    /// Waits until a restored store waits.
    pub(super) async fn asked(&mut self) {
        if self.asked.wait_for(|is_asked| *is_asked).await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// Lets requests and work in hand finish, and closes the store.
    pub(super) async fn stop(&mut self) {
        self.shutdown.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        self.store.close();
    }

    /// Stops and starts anew, at the same address.
    pub(super) async fn begin_anew(&mut self, directory: &Path) -> anyhow::Result<()> {
        self.stop().await;
        let api = TcpListener::bind(self.address).await?;
        *self = Self::start(directory, api, self.settings.clone(), self.ports.clone()).await?;
        Ok(())
    }
}

/// Serves HTTP until told to stop.
pub(super) fn spawn_server(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    router: Router,
    stopping: &watch::Receiver<bool>,
) {
    let stopping = stopping.clone();
    tasks.spawn(async move {
        serve(listener, router, ConnectionLimits::default(), stopping).await;
    });
}
