//! Where clients come in: one port, by TLS or not, and beside it perhaps one that only leads there.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

use crate::app::accept::{ConnectionLimits, ServeSummary, serve, serve_tls};
use crate::app::tls::{CertificateBook, TlsSide};
use crate::config::Config;
use crate::http::redirect::https_redirect;

/// The ports of a server, on which connections already queue.
pub struct Front {
    listener: TcpListener,
    tls: Option<TlsSide>,
    redirect: Option<TcpListener>,
}

impl Front {
    /// Listens on `listen`, with the certificate that a configuration says.
    pub async fn bind(config: &Config, listen: SocketAddr) -> anyhow::Result<Self> {
        let tls = config.http.tls.as_ref();
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}; set BIND and PORT"))?;
        let redirect = match tls.and_then(|tls| tls.redirect_port) {
            Some(port) => {
                let address = SocketAddr::new(listen.ip(), port);
                let bound = TcpListener::bind(address).await;
                Some(bound.with_context(|| {
                    format!("cannot listen on {address}; set BIND and TLS_REDIRECT_PORT")
                })?)
            }
            None => None,
        };
        let tls = tls.map(|tls| TlsSide::open(tls, &config.data_dir)).transpose()?;
        Ok(Self { listener, tls, redirect })
    }

    /// Returns where it listens, with the port that it was given.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns the address at which clients on this machine come in.
    pub fn base_url(&self) -> anyhow::Result<Url> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(Url::parse(&format!("{scheme}://{}/", self.listener.local_addr()?))?)
    }

    /// Returns the address that only leads to the other.
    pub fn redirect_url(&self) -> anyhow::Result<Option<Url>> {
        let Some(listener) = &self.redirect else { return Ok(None) };
        Ok(Some(Url::parse(&format!("http://{}/", listener.local_addr()?))?))
    }

    /// Serves `router` until `stop` turns true, and leads whoever comes over plain HTTP to
    /// `public_url`. How the certificate does is said in `book`.
    pub async fn serve(
        self,
        router: Router,
        public_url: &Url,
        book: CertificateBook,
        limits: ConnectionLimits,
        stop: watch::Receiver<bool>,
    ) -> ServeSummary {
        let Some(tls) = self.tls else { return serve(self.listener, router, limits, stop).await };
        let redirect = async {
            if let Some(listener) = self.redirect {
                serve(listener, https_redirect(public_url), limits.clone(), stop.clone()).await;
            }
        };
        let secured = tls.tls.clone();
        let served = serve_tls(self.listener, secured, router, limits.clone(), stop.clone());
        tokio::join!(served, redirect, tls.keep(book, stop.clone())).0
    }
}
