//! The one way in which commands change something: as a request to the product.
//!
//! Where a server runs, the request goes to it over its control socket. Where none runs, the same
//! product is put together in this process, on the store itself, and asked in memory; its
//! background works until the answer is there. Whether one runs is found out by trying the socket.

mod alone;
mod answer;
mod beside;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use crate::cli::desk::alone::Alone;
use crate::cli::desk::beside::Beside;
use crate::cli::{Surroundings, stop_signal};
use crate::config::{control_socket, control_socket_in};

pub(super) use answer::{Answer, NotPermitted, Refusal};

/// How long a command waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two requests for it.
const PAUSE: Duration = Duration::from_millis(100);

/// A store, and where commands reach the server that works on it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Folder of the store.
    pub(super) data_dir: PathBuf,
    /// The control socket of its server.
    pub(super) socket: PathBuf,
}

/// A request as a command makes it.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) body: Option<Value>,
}

/// Somebody to put requests to.
pub(super) struct Desk {
    way: Way,
}

enum Way {
    Beside(Beside),
    Alone(Box<Alone>),
}

impl Place {
    /// Finds the folder that was named, or else configured. A named folder is reached by the socket
    /// in it: CONTROL_SOCKET may be that of another.
    pub(super) fn find(
        named: Option<PathBuf>,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Self> {
        match named {
            Some(data_dir) => Ok(Self { socket: control_socket_in(&data_dir), data_dir }),
            None => {
                let (data_dir, socket) = control_socket(&surroundings.environment)?;
                Ok(Self { data_dir, socket })
            }
        }
    }

    /// Says whether a server is reached under the socket.
    pub(super) async fn is_served(&self) -> anyhow::Result<bool> {
        let Err(error) = UnixStream::connect(&self.socket).await else { return Ok(true) };
        let kind = error.kind();
        if matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused) {
            return Ok(false);
        }
        let error = anyhow::Error::new(error);
        if kind == ErrorKind::PermissionDenied {
            return Err(error.context(NotPermitted(self.socket.clone())));
        }
        let socket = self.socket.display();
        Err(error.context(format!("the control socket {socket} cannot be used")))
    }
}

impl<'a> Ask<'a> {
    /// Asks to read something.
    pub(super) const fn get(path: &'a str) -> Self {
        Self { method: "GET", path, body: None }
    }

    /// Asks for something to be done.
    pub(super) const fn post(path: &'a str, body: Value) -> Self {
        Self { method: "POST", path, body: Some(body) }
    }
}

impl Desk {
    /// Finds the server, or puts the product together.
    pub(super) async fn open(place: &Place, surroundings: &Surroundings) -> anyhow::Result<Self> {
        if place.is_served().await? {
            return Self::beside(place);
        }
        if !place.data_dir.is_dir() {
            bail!("there is no data directory {}", place.data_dir.display());
        }
        Ok(Self { way: Way::Alone(Box::new(Alone::start(place, surroundings).await?)) })
    }

    /// Prepares requests to the server that runs.
    pub(super) fn beside(place: &Place) -> anyhow::Result<Self> {
        Ok(Self { way: Way::Beside(Beside::new(&place.socket)?) })
    }

    /// Puts a request and returns the answer, a refusal too.
    pub(super) async fn ask_whatever(&self, request: Ask<'_>) -> anyhow::Result<Answer> {
        match &self.way {
            Way::Beside(server) => server.ask(request).await,
            Way::Alone(product) => product.ask(request).await,
        }
    }

    /// Puts a request and returns what came of it, if it is a success.
    pub(super) async fn ask(&self, request: Ask<'_>) -> anyhow::Result<Answer> {
        let path = request.path.to_owned();
        tokio::select! {
            answer = self.ask_whatever(request) => answer?.success(&path),
            () = stop_signal() => bail!("interrupted; what was begun is finished by the next server"),
        }
    }

    /// Sends a file and returns what came of it, if it is a success.
    pub(super) async fn send(
        &self,
        path: &str,
        media_type: &'static str,
        bytes: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let sent = async {
            match &self.way {
                Way::Beside(server) => server.send(path, media_type, bytes).await,
                Way::Alone(product) => product.send(path, media_type, bytes).await,
            }
        };
        tokio::select! {
            answer = sent => answer?.success(path),
            () = stop_signal() => bail!("interrupted; what was sent is forgotten"),
        }
    }

    /// Lets work in hand finish and closes what was opened.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        match self.way {
            Way::Beside(_) => Ok(()),
            Way::Alone(product) => product.stop().await,
        }
    }
}

/// Puts a request again as long as another run of maintenance is under way: the scheduler's is short,
/// and whoever types a command wants it done.
async fn ask_patiently(desk: &Desk, request: &Ask<'_>) -> anyhow::Result<Answer> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = desk.ask(request.clone()).await;
        let is_busy = answer.as_ref().is_err_and(|error| {
            error.downcast_ref::<Refusal>().is_some_and(Refusal::is_waiting_its_turn)
        });
        if !is_busy || Instant::now() >= deadline {
            return answer;
        }
        sleep(PAUSE).await;
    }
}

/// Opens a desk, puts one request and closes the desk, whatever the answer.
pub(super) async fn ask_once(
    place: &Place,
    surroundings: &Surroundings,
    request: Ask<'_>,
) -> anyhow::Result<Answer> {
    let desk = Desk::open(place, surroundings).await?;
    let progress = surroundings.output.spinner("waiting for the answer");
    let answer = ask_patiently(&desk, &request).await;
    progress.finish_and_clear();
    desk.close().await.context("the product did not stop as it should")?;
    answer
}
