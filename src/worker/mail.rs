//! Sends the mails that wait.

use std::time::Duration;

use tokio::sync::watch;

use crate::service::email_codes::MailSpool;
use crate::worker::{Wakes, WorkerParts, next_round};

/// The shortest sleep, whatever is due: what could not be noted must not be tried in a hurry.
const SHORTEST: Duration = Duration::from_millis(200);
/// How long a mail that is on its way may keep the process from stopping; it is sent again later.
const FAREWELL: Duration = Duration::from_secs(5);

/// The task that sends.
pub struct MailTask {
    mails: MailSpool,
    parts: WorkerParts,
    wakes: Wakes,
}

impl MailTask {
    /// Makes the task.
    pub const fn new(mails: MailSpool, parts: WorkerParts, wakes: Wakes) -> Self {
        Self { mails, parts, wakes }
    }

    /// Runs until `shutdown` turns true and what is on its way has arrived, or nearly so.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut ending = shutdown.clone();
        loop {
            let farewell = async {
                let _ = ending.wait_for(|is_over| *is_over).await;
                tokio::time::sleep(FAREWELL).await;
            };
            let wait = tokio::select! {
                wait = self.round() => wait,
                () = farewell => return,
            };
            if !next_round(&self.wakes.mail, wait, &mut shutdown).await {
                return;
            }
        }
    }

    /// Sends what is due and returns how long to sleep.
    async fn round(&self) -> Duration {
        let period = self.parts.periods.pipeline;
        let report = match self.mails.deliver().await {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "what became of a mail could not be noted");
                return period;
            }
        };
        if report.sent > 0 || report.trouble.is_some() {
            let outcome = report.trouble.clone().map_or(Ok(()), Err);
            self.parts.observations.note_mail(outcome, self.parts.clock.now());
            let warning = report.trouble.map(|reason| format!("mail is not taken: {reason}"));
            self.parts.observations.note_warning("mail", warning);
        }
        let now = self.parts.clock.now();
        let due = report.next_due.map(|at| at.since(now));
        due.unwrap_or(period).clamp(SHORTEST, period.max(SHORTEST))
    }
}
