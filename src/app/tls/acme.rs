//! A certificate that an ACME server gives (RFC 8555) and that is renewed by itself.
//!
//! The protocol is the library's; here it is watched. What fails is said and tried again, at growing
//! distances; an order of which nothing is heard for too long is begun anew.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::acme::{Auth, Problem};
use rustls_acme::{
    AcmeConfig, AcmeState, CertCache, EventError, EventOk, OrderError, ResolvesServerCertAcme,
};
use tokio::time::{Instant, interval, timeout_at};

use crate::app::tls::book::CertificateBook;
use crate::app::tls::cache::AcmeCache;
use crate::config::{AcmeSettings, CertificateFacts, certificates};
use crate::outbound::excerpt;

/// Beyond the time at which something should be heard of an order, how long it is waited for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// The library's longest pause is two to this power seconds.
const LONGEST_BACKOFF: u32 = 16;
/// How often it is looked how long the certificate is still good.
const LOOK_PERIOD: Duration = Duration::from_secs(60);

type State = AcmeState<io::Error, io::Error>;
type Failure = EventError<io::Error, io::Error>;

/// Hands connections on to whoever has the certificate of the present attempt.
#[derive(Debug)]
struct Current(RwLock<Arc<ResolvesServerCertAcme>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        current.resolve(hello)
    }
}

/// Keeps the certificate that an ACME server gives.
pub(super) struct AcmeKeeper {
    settings: AcmeSettings,
    cache: AcmeCache,
    client: Arc<ClientConfig>,
    state: State,
    current: Arc<Current>,
}

impl AcmeKeeper {
    /// Prepares; nobody is asked yet.
    pub(super) fn open(settings: &AcmeSettings, data_dir: &Path) -> anyhow::Result<Self> {
        let client = client_config(settings)?;
        let cache = AcmeCache::in_data_dir(data_dir);
        let state = begin(settings, &cache, &client);
        let current = Arc::new(Current(RwLock::new(state.resolver())));
        Ok(Self { settings: settings.clone(), cache, client, state, current })
    }

    /// Returns what gives connections the certificate in use, and answers challenges.
    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::<Current>::clone(&self.current)
    }

    /// Obtains and renews, for ever.
    pub(super) async fn keep(mut self, book: &CertificateBook) {
        let mut looks = interval(LOOK_PERIOD);
        let mut failures = 0;
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            let event = tokio::select! {
                _ = looks.tick() => {
                    book.look();
                    continue;
                }
                event = timeout_at(deadline, self.state.next()) => event,
            };
            match event {
                Ok(Some(Ok(event))) => {
                    failures = 0;
                    note(&self.settings, &self.cache, &event, book).await;
                }
                Ok(Some(Err(failure))) => {
                    failures += 1;
                    book.failed("acme", &reason(&failure));
                }
                Ok(None) | Err(_) => {
                    book.failed("acme", "nothing was heard of the order for too long");
                    self.state = begin(&self.settings, &self.cache, &self.client);
                    let mut current =
                        self.current.0.write().unwrap_or_else(PoisonError::into_inner);
                    *current = self.state.resolver();
                }
            }
            let pause = Duration::from_secs(1 << failures.min(LONGEST_BACKOFF));
            deadline = Instant::now() + book.until_renewal().max(pause) + PATIENCE;
        }
    }
}

/// Tells of what the library has done. Not of the keeper's own: its orders cannot be shared.
async fn note(settings: &AcmeSettings, cache: &AcmeCache, event: &EventOk, book: &CertificateBook) {
    match event {
        // A new one is told of once it is kept.
        EventOk::DeployedCachedCert | EventOk::CertCacheStore => {
            let AcmeSettings { domains, directory, .. } = settings;
            let kept = cache.load_cert(domains, directory).await.ok().flatten();
            match kept.map(|pem| CertificateFacts::of_pem(&pem)) {
                Some(Ok(facts)) => book.holds(facts),
                Some(Err(_)) | None => {
                    book.failed("acme", "the certificate that was kept cannot be read");
                }
            }
        }
        EventOk::DeployedNewCert => tracing::info!("there is a new certificate"),
        EventOk::AccountCacheStore => tracing::info!("there is an account with the authority"),
    }
}

fn begin(settings: &AcmeSettings, cache: &AcmeCache, client: &Arc<ClientConfig>) -> State {
    let contact = settings.email.iter().map(|email| format!("mailto:{email}"));
    AcmeConfig::new_with_client_config(&settings.domains, Arc::clone(client))
        .directory(&settings.directory)
        .contact(contact)
        .cache(cache.clone())
        .state()
}

/// Trusts the system's certificates, and those that the operator names.
fn client_config(settings: &AcmeSettings) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &settings.ca_file {
        roots.add_parsable_certificates(certificates(path).context("ACME_CA_FILE")?);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .context("the TLS library has no protocol")?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Says why there is no certificate: in the authority's words where it says so, and never in more
/// than a short piece of what it sent.
fn reason(failure: &Failure) -> String {
    let said = if let EventError::Order(OrderError::BadAuth(auth)) = failure {
        refusal(auth)
    } else if let EventError::Order(OrderError::BadOrder(order)) = failure {
        order.error.as_ref().and_then(detail)
    } else {
        None
    };
    excerpt(&said.unwrap_or_else(|| failure.to_string()))
}

fn refusal(auth: &Auth) -> Option<String> {
    let rustls_acme::acme::Identifier::Dns(name) = &auth.identifier;
    let said = auth.challenges.iter().find_map(|challenge| challenge.error.as_ref())?;
    Some(format!("{name} was not found to be this server: {}", detail(said)?))
}

fn detail(problem: &Problem) -> Option<String> {
    problem.detail.clone().or_else(|| problem.typ.clone())
}
