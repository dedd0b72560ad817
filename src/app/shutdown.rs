//! The end: how a process learns that it is to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Returns what turns true when the process is asked to stop, by SIGTERM or by SIGINT; asked a
/// second time it stops at once.
pub fn on_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(wait(terminate, interrupt, sender));
    Ok(receiver)
}

/// Returns what turns true when one or the other does, or its sender is gone.
pub fn either(
    mut one: watch::Receiver<bool>,
    mut other: watch::Receiver<bool>,
) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = one.wait_for(|stop| *stop) => {}
            _ = other.wait_for(|stop| *stop) => {}
        }
        sender.send_replace(true);
    });
    receiver
}

async fn wait(mut terminate: Signal, mut interrupt: Signal, sender: watch::Sender<bool>) {
    let mut next = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    next().await;
    tracing::info!("stopping: requests and work in hand are finished first");
    sender.send_replace(true);
    next().await;
    // Whoever asks twice does not want to wait for requests in flight; 130 is what shells report
    // for a process that was interrupted.
    std::process::exit(130);
}
