//! Servers on a port of their own that answer as a test says, and remember what they were asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// A request that a stub got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A running stub.
pub(crate) struct Stub {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Answers request number 0, 1, … with `answer`; nothing means never.
    pub(crate) async fn start(
        answer: impl Fn(usize, &Asked) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        let answer = Arc::new(answer);
        let router = Router::new().fallback(move |request: Request| {
            let (remembered, answer) = (Arc::clone(&remembered), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let asked = Asked {
                    target: parts.uri.to_string(),
                    headers: parts.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                };
                let number = {
                    let mut all = remembered.lock().unwrap();
                    all.push(asked.clone());
                    all.len() - 1
                };
                match answer(number, &asked) {
                    Some(response) => response,
                    None => std::future::pending().await,
                }
            }
        });
        Self { url: serve(router).await, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Serves `router` until the test ends.
pub(crate) async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Url::parse(&url).unwrap()
}

/// Reads a request's head, answers with raw `bytes` and hangs up; counts the requests.
pub(crate) async fn serve_raw(bytes: &'static [u8]) -> (Url, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                if connection.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            *counted.lock().unwrap() += 1;
            let _ = connection.write_all(bytes).await;
        }
    });
    (url, count)
}

pub(crate) fn json(value: &Value) -> Option<Response> {
    text(200, &value.to_string())
}

pub(crate) fn text(status: u16, body: &str) -> Option<Response> {
    Some((StatusCode::from_u16(status).unwrap(), body.to_owned()).into_response())
}

pub(crate) fn html() -> Option<Response> {
    text(200, "<html><body>Welcome to the hotel's network</body></html>")
}

pub(crate) fn redirect(to: &Url) -> Option<Response> {
    Some((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to.to_string())]).into_response())
}

/// A success whose body never ends.
pub(crate) fn endless() -> Option<Response> {
    let chunk = || Ok::<_, Infallible>(Bytes::from_static(&[b' '; 8192]));
    Some(Body::from_stream(futures_util::stream::repeat_with(chunk)).into_response())
}
