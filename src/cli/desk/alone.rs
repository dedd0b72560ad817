//! The product in this process, for as long as one command takes: same store, same signer and
//! network as the server's, no listener.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::ServiceExt;
use url::Url;

use crate::app::{App, configured, shutdown_signal};
use crate::cli::Surroundings;
use crate::cli::desk::{Answer, Ask, Place};
use crate::cli::store::open_for_changes;
use crate::config::Config;
use crate::crypto::random_bytes;
use crate::http::edge::ClientAddress;
use crate::storage::Store;

/// A look at the chain that is slow to end must not keep somebody who has his answer.
const GRACE: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The product, put together for one command.
pub(super) struct Alone {
    store: Store,
    router: Router,
    background: JoinHandle<()>,
    shutdown: watch::Sender<bool>,
    uid: u32,
}

impl Alone {
    /// Opens the store and starts the background.
    pub(super) async fn start(place: &Place, surroundings: &Surroundings) -> anyhow::Result<Self> {
        let config = Config::load_for_command(&surroundings.environment, random_bytes::<32>)?;
        surroundings.output.warn(&config.warnings);
        let uid = rustix::process::geteuid().as_raw();
        let ports = configured::ports(&config, Arc::clone(&surroundings.clock))?;
        // Where the next server will be, for links; nobody listens there now.
        let base_url: Url = format!("http://localhost:{}/", config.listen.port()).parse()?;
        let mut settings = configured::settings(&config, &base_url)?;
        // The command says what is to be done; the schedule is the server's.
        settings.schedule.interval = None;
        settings.backup.interval = None;
        let store = open_for_changes(place)?;
        let app = match App::build(store.clone(), settings, ports).await {
            Ok(app) => app,
            Err(error) => {
                store.close();
                return Err(error.into());
            }
        };
        let (shutdown, stopping) = shutdown_signal();
        let background = tokio::spawn(app.driver.run(stopping));
        Ok(Self { store, router: app.router, background, shutdown, uid })
    }

    /// Puts a request.
    pub(super) async fn ask(&self, request: Ask<'_>) -> anyhow::Result<Answer> {
        let body = request.body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.put(request.method, request.path, body).await
    }

    /// Sends a file.
    pub(super) async fn send(
        &self,
        path: &str,
        media_type: &'static str,
        bytes: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        self.put("POST", path, Some((media_type, bytes))).await
    }

    async fn put(
        &self,
        method: &str,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> anyhow::Result<Answer> {
        let mut message = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .extension(ClientAddress::Operator { uid: self.uid });
        if let Some((media_type, bytes)) = &body {
            message = message.header(CONTENT_TYPE, *media_type).header(CONTENT_LENGTH, bytes.len());
        }
        let message =
            message.body(body.map_or_else(Body::empty, |(_, bytes)| Body::from(bytes)))?;
        let answer = self.router.clone().oneshot(message).await?;
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), MAX_ANSWER_BYTES).await?;
        Answer::new(status, &body)
    }

    /// Lets the work in hand finish, for a while, then closes the store.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.send_replace(true);
        let ended = match timeout(GRACE, &mut self.background).await {
            Ok(ended) => ended.context("the background ended badly"),
            Err(_) => {
                // As safe as a crash: what is sent was stored before, the rest is done anew.
                self.background.abort();
                Ok(())
            }
        };
        self.store.close();
        ended
    }
}
