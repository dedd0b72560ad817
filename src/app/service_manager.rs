//! What the service manager is told (sd_notify(3)): that the process is ready, how it is, that it is
//! alive, and that it stops. Where nobody listens nothing is told.
//!
//! A process is alive as long as whoever looks after it gets an answer from its working parts. If
//! they are stuck nothing is said, and the service manager ends the process (`WatchdogSec=`).

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::timeout;

/// Between two looks where no watchdog asks for them.
const UNASKED: Duration = Duration::from_secs(10);
/// Looks within the time after which the watchdog bites: one may be lost.
const LOOKS: u32 = 3;

/// Says that the process is ready, then looks at it again and again and passes on what `look` says of
/// it, until `shutdown` turns true; says then that the process stops.
pub async fn accompany<F: Future<Output = String>>(
    look: impl Fn() -> F,
    shutdown: watch::Receiver<bool>,
) {
    let within = sd_notify::watchdog_enabled();
    let period = within.map_or(UNASKED, |within| within / LOOKS);
    accompany_with(look, shutdown, period, tell).await;
}

async fn accompany_with<F: Future<Output = String>>(
    look: impl Fn() -> F,
    mut shutdown: watch::Receiver<bool>,
    period: Duration,
    mut tell: impl FnMut(&[NotifyState<'_>]),
) {
    tell(&[NotifyState::Ready]);
    loop {
        match timeout(period, look()).await {
            Ok(status) => tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]),
            Err(_) => tracing::error!(?period, "the process does not answer itself"),
        }
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            _ = shutdown.wait_for(|is_over| *is_over) => break,
        }
    }
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is in hand")]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    /// Accompanies a process for `rounds` periods, and returns everything that was told.
    async fn told<F: Future<Output = String>>(look: impl Fn() -> F, rounds: u32) -> Vec<String> {
        let said = Mutex::new(Vec::new());
        let (stop, stopped) = watch::channel(false);
        let tell = |state: &[NotifyState<'_>]| {
            said.lock().unwrap().extend(state.iter().map(ToString::to_string));
        };
        let end = async {
            tokio::time::sleep(PERIOD * rounds).await;
            stop.send_replace(true);
        };
        tokio::join!(accompany_with(look, stopped, PERIOD, tell), end);
        said.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_answers_is_alive_until_it_stops() {
        let said = told(|| async { "all is well".to_owned() }, 2).await;
        let alive = said.iter().filter(|line| *line == "WATCHDOG=1").count();
        assert!((2..=3).contains(&alive), "{said:?}");
        assert_eq!(said.first().map(String::as_str), Some("READY=1"));
        assert!(said.contains(&"STATUS=all is well".to_owned()), "{said:?}");
        assert!(said.contains(&"STOPPING=1".to_owned()), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_stuck_is_never_called_alive() {
        let said = told(std::future::pending::<String>, 5).await;
        assert!(!said.contains(&"WATCHDOG=1".to_owned()), "{said:?}");
        assert_eq!(said.first().map(String::as_str), Some("READY=1"));
    }
}
