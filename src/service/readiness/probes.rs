//! Looks at what is outside, when somebody wants to know how it is now.
//!
//! Nobody is asked while nobody asks: a look costs the signer one question and everybody else a
//! connection that is closed again, so that no endpoint's budget of requests is spent on it. Looks are
//! made one at a time and count for a moment; whoever asks meanwhile gets the same.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::mail::Mailer;
use crate::service::readiness::Observations;
use crate::signer::Signer;
use crate::types::Clock;

/// How long a look counts. With [`PATIENCE`] it makes less than a second, the longest that a cut may
/// stay unseen.
const COUNTS_FOR: Duration = Duration::from_millis(250);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(700);

/// Where another program listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The dependency's name.
    pub name: &'static str,
    /// Name or address of its machine.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Line {
    /// Tries a connection, and closes it.
    async fn try_it(&self) -> Result<(), String> {
        match timeout(PATIENCE, TcpStream::connect((self.host.as_str(), self.port))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("no connection ({})", error.kind())),
            Err(_) => Err(format!("no connection within {} ms", PATIENCE.as_millis())),
        }
    }
}

/// Looks at the signer, the mail server and the ways to everything; clones share what they saw.
#[derive(Clone)]
pub struct Prober {
    /// The signer, which notes itself how it answers.
    pub signer: Arc<dyn Signer>,
    /// The name of a key that it has.
    pub key_identifier: String,
    /// The mail server, if this process sends mail.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Where other programs listen; one dependency may have several.
    pub lines: Arc<[Line]>,
    /// Where it is noted.
    pub observations: Observations,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// When the last look was over.
    pub looked: Arc<Mutex<Option<Instant>>>,
}

impl Prober {
    /// Looks at everything, unless that was done a moment ago. Takes less than a second.
    pub async fn look(&self) {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < COUNTS_FOR) {
            return;
        }
        tokio::join!(self.try_lines(), self.ask_signer(), self.ask_mail_again());
        *looked = Some(Instant::now());
    }

    /// Asks the mail server whether it would take a letter: connection, TLS, password. It is asked no
    /// more often than a letter might be sent, because many servers count connections.
    pub async fn ask_mail(&self) {
        let Some(mailer) = &self.mailer else { return };
        let outcome = mailer.would_take().await;
        self.observations.note_mail(outcome, self.clock.now());
    }

    async fn try_lines(&self) {
        let tries = join_all(self.lines.iter().map(Line::try_it)).await;
        let now = self.clock.now();
        let outcomes = self.lines.iter().zip(tries);
        // Of several lines of one name the one that is cut counts.
        let (cut, whole): (Vec<_>, Vec<_>) = outcomes.partition(|(_, outcome)| outcome.is_err());
        for (line, outcome) in whole.into_iter().chain(cut) {
            self.observations.note_line(line.name, outcome, now);
        }
    }

    /// Hears at once when a mail server that failed is back.
    async fn ask_mail_again(&self) {
        if self.observations.mail().failure.is_some() {
            drop(timeout(PATIENCE, self.ask_mail()).await);
        }
    }

    /// The signer notes what comes of it; one that is silent has not failed, but is no longer trusted.
    async fn ask_signer(&self) {
        let question = self.signer.public_key(&self.key_identifier);
        if timeout(PATIENCE, question).await.is_err() {
            let silence = format!("no answer within {} ms", PATIENCE.as_millis());
            self.observations.note_signer(Err(silence), self.clock.now());
        }
    }
}
