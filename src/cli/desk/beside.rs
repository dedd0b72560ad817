//! A server that runs, reached over its control socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use url::Url;

use crate::cli::desk::{Answer, Ask};
use crate::outbound::{ExchangeError, Limits, client, exchange};

/// As long as the server lets an operator's request take.
const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(60 * 60), max_answer_bytes: 64 * 1024 * 1024 };

/// A server that runs.
pub(super) struct Beside {
    client: reqwest::Client,
    base: Url,
    socket: PathBuf,
}

impl Beside {
    /// Prepares requests over the socket.
    pub(super) fn new(socket: &Path) -> anyhow::Result<Self> {
        let base: Url = "http://localhost/".parse()?;
        let client = client(&base, Some(socket))?;
        Ok(Self { client, base, socket: socket.to_owned() })
    }

    /// Puts a request.
    pub(super) async fn ask(&self, request: Ask<'_>) -> anyhow::Result<Answer> {
        let method: Method = request.method.parse()?;
        let mut builder = self.client.request(method, self.base.join(request.path)?);
        if let Some(body) = request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        self.put(builder).await
    }

    /// Sends a file.
    pub(super) async fn send(
        &self,
        path: &str,
        media_type: &'static str,
        bytes: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let builder = self.client.request(Method::POST, self.base.join(path)?);
        self.put(builder.header(CONTENT_TYPE, media_type).body(bytes)).await
    }

    async fn put(&self, builder: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        let answer = exchange(builder, LIMITS).await.map_err(|error| self.explain(error))?;
        Answer::new(answer.status, &answer.body)
    }

    fn explain(&self, error: ExchangeError) -> anyhow::Error {
        let socket = self.socket.display();
        let what = match &error {
            ExchangeError::NotConnected(_) => {
                format!("nobody answers on the control socket {socket}")
            }
            ExchangeError::TimedOut(_)
            | ExchangeError::Interrupted(_)
            | ExchangeError::TooLarge(_) => format!(
                "the server on the control socket {socket} gave no whole answer; whether it did \
                 what it was asked is not known"
            ),
        };
        anyhow::Error::new(error).context(what)
    }
}
