//! A certificate in two files that somebody else renews: looked at every few seconds and on SIGHUP.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::app::tls::book::CertificateBook;
use crate::config::{CertificateFacts, TlsFileError, TlsFiles};

/// How often the files are looked at.
pub const LOOK_PERIOD: Duration = Duration::from_secs(2);

/// The certificate in use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// By what a file that was put in the place of another is told apart from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device_and_inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

/// What both files look like; nothing for one that cannot be looked at.
type Stamps = [Option<Stamp>; 2];

fn stamps(files: &TlsFiles) -> Stamps {
    // The file is looked at, not the link that leads to it: certbot moves links.
    let stamp = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some(Stamp {
            device_and_inode: (found.dev(), found.ino()),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    };
    [stamp(&files.certificate), stamp(&files.key)]
}

/// Keeps the certificate that lies in two files.
pub(super) struct FileKeeper {
    files: TlsFiles,
    current: Arc<Current>,
    facts: CertificateFacts,
    loaded: Stamps,
}

impl FileKeeper {
    /// Reads the files.
    pub(super) fn open(files: TlsFiles) -> Result<Self, TlsFileError> {
        // Looked at before they are read: a change in between is then seen at the next look.
        let loaded = stamps(&files);
        let pair = files.load()?;
        let current = Arc::new(Current(RwLock::new(pair.certified)));
        Ok(Self { files, current, facts: pair.facts, loaded })
    }

    /// Returns what gives connections the certificate in use.
    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::<Current>::clone(&self.current)
    }

    /// Takes up changed files, for ever. A change is read once it has stood still for one look, so
    /// that a certificate is not taken for wrong because its key is still being written.
    pub(super) async fn keep(mut self, book: &CertificateBook, period: Duration) {
        book.holds(self.facts.clone());
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => Some(hangup),
            Err(error) => {
                tracing::warn!(%error, "SIGHUP is not listened to; changed files are seen anyway");
                None
            }
        };
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.loaded;
        loop {
            let is_told = tokio::select! {
                _ = ticks.tick() => false,
                Some(()) = async { hangup.as_mut()?.recv().await } => true,
            };
            let now = stamps(&self.files);
            let is_settled = now == seen && now != self.loaded;
            seen = now;
            if is_told || is_settled {
                self.loaded = now;
                self.reload(book);
            }
            book.look();
        }
    }

    fn reload(&self, book: &CertificateBook) {
        match self.files.load() {
            Ok(pair) => {
                let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
                *current = pair.certified;
                drop(current);
                book.holds(pair.facts);
            }
            Err(error) => book.failed("files", &error.to_string()),
        }
    }
}
