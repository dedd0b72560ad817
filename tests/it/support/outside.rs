//! What is outside of the process: the network and the signer, each behind a socket of its own,
//! and what a test can make of them.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use patchproof::app::accept::{ConnectionLimits, serve};
use patchproof::chain::EndpointName;
use patchproof::signer::{Keystore, SignerServerConfig, signer_router};
use patchproof::simnet::{Fault, FaultRule, Occurrence, RequestClass, Simnet, SimnetConfig};
use patchproof::types::{BlockHash, Clock, Txid};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::support::clock::JumpingClock;
use crate::support::post_office::PostOffice;

/// The token between product and signer.
pub(crate) const SIGNER_KEY: &str = "signer-key";

/// How the signer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    /// As it should.
    #[default]
    Honest,
    /// With 503.
    Down,
    /// With signatures over something else.
    OtherHash,
    /// With one signature too few.
    OneMissing,
    /// With a refusal.
    Refusing,
    /// As it should to statements, and with 503 to transactions.
    StatementsOnly,
}

type Shared = Arc<Mutex<Mood>>;

/// The network and the signer.
pub(crate) struct Outside {
    pub(crate) simnet: Simnet,
    pub(crate) clock: Arc<JumpingClock>,
    pub(crate) chain_url: Url,
    pub(crate) arc_url: Url,
    /// Through which endpoints transactions are sent; through none of them but the explorer's face,
    /// without a router, if there are none.
    pub(crate) order: Vec<EndpointName>,
    /// Where the store lies, for products that restore it.
    pub(crate) data_dir: Option<std::path::PathBuf>,
    pub(crate) signer_url: Url,
    pub(crate) keystore: Keystore,
    pub(crate) post: PostOffice,
    mood: Shared,
    /// Serve until the test drops them.
    _servers: JoinSet<()>,
    _stop: watch::Sender<bool>,
}

impl Outside {
    /// Starts both.
    pub(crate) async fn start() -> Self {
        let clock = Arc::new(JumpingClock::default());
        let (stop, stopping) = watch::channel(false);
        let mut servers = JoinSet::new();
        let simnet = Simnet::new(&SimnetConfig::default(), Arc::<JumpingClock>::clone(&clock) as _);
        let chain = serve_on_a_port(&mut servers, simnet.router(), &stopping).await;
        let keystore = Keystore::generate(clock.now());
        let mood = Shared::default();
        let mut config =
            SignerServerConfig::new(keystore.clone(), Arc::<JumpingClock>::clone(&clock) as _);
        config.api_key = Some(SIGNER_KEY.to_owned());
        config.allow_unkinded = false;
        let moody = from_fn_with_state(Arc::clone(&mood), answer_in_mood);
        let signer =
            serve_on_a_port(&mut servers, signer_router(config).layer(moody), &stopping).await;
        Self {
            simnet,
            clock,
            chain_url: chain.join("v1/bsv/test").unwrap(),
            arc_url: chain,
            order: Vec::new(),
            data_dir: None,
            signer_url: signer.join("sign").unwrap(),
            keystore,
            post: PostOffice::open(),
            mood,
            _servers: servers,
            _stop: stop,
        }
    }

    /// From now on the signer answers so.
    pub(crate) fn signer_is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// From now on this goes wrong with every request of a class.
    pub(crate) fn break_always(&self, class: RequestClass, fault: Fault) {
        self.simnet.faults().add(FaultRule::always(fault, class));
    }

    /// This goes wrong with the next request of a class.
    pub(crate) fn break_once(&self, class: RequestClass, fault: Fault) {
        self.simnet.faults().add(FaultRule::once(fault, class));
    }

    /// From now on this goes wrong with every request of a class to ARC's face.
    pub(crate) fn break_arc(&self, class: RequestClass, fault: Fault) {
        self.simnet.arc_faults().add(FaultRule::always(fault, class));
    }

    /// From now on the whole network is away.
    pub(crate) fn network_is_down(&self) {
        self.simnet.faults().add(FaultRule {
            fault: Fault::Unavailable,
            class: None,
            occurrence: Occurrence::Always,
            skip: 0,
        });
    }

    /// Ends everything that goes wrong with the network.
    pub(crate) fn network_works(&self) {
        self.simnet.faults().clear();
        self.simnet.arc_faults().clear();
    }

    /// Returns the transactions on the network that are not the faucet's, mined or waiting.
    pub(crate) fn transactions(&self) -> Vec<Txid> {
        let node = self.simnet.node();
        let ours = |txid: &&Txid| {
            let known = node.transaction(txid).unwrap();
            let outputs = &known.transaction().outputs;
            outputs.iter().any(|output| output.locking_script.as_data().is_some())
        };
        node.accepted().iter().filter(ours).copied().collect()
    }

    /// Returns the hash of the block at a height.
    pub(crate) fn block_at(&self, height: u32) -> BlockHash {
        self.simnet.node().block_at(height).unwrap().hash()
    }
}

/// Serves a router on a port of its own.
pub(crate) async fn serve_on_a_port(
    servers: &mut JoinSet<()>,
    router: Router,
    stopping: &watch::Receiver<bool>,
) -> Url {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let stopping = stopping.clone();
    servers.spawn(async move {
        serve(listener, router, ConnectionLimits::default(), stopping).await;
    });
    url
}

async fn answer_in_mood(State(mood): State<Shared>, request: Request, next: Next) -> Response {
    let mood = *mood.lock().unwrap();
    let is_signing = request.uri().path().ends_with("/sign");
    match mood {
        Mood::Honest => next.run(request).await,
        Mood::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::OtherHash if is_signing => next.run(with_other_hashes(request).await).await,
        Mood::OneMissing if is_signing => without_the_last(next.run(request).await).await,
        Mood::Refusing if is_signing => StatusCode::FORBIDDEN.into_response(),
        Mood::StatementsOnly if is_signing => only_statements(request, next).await,
        Mood::OtherHash | Mood::OneMissing | Mood::Refusing | Mood::StatementsOnly => {
            next.run(request).await
        }
    }
}

async fn only_statements(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let asked: Value = serde_json::from_slice(&bytes).unwrap();
    let mut requests = asked["requests"].as_array().unwrap().iter();
    if requests.any(|item| item["kind"] == "transaction") {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(Request::from_parts(parts, bytes.into())).await
}

async fn with_other_hashes(request: Request) -> Request {
    let (parts, body) = request.into_parts();
    let mut asked: Value =
        serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap();
    for item in asked["requests"].as_array_mut().unwrap() {
        item["sighash"] = json!("5a".repeat(32));
    }
    let mut changed = Request::new(asked.to_string().into());
    *changed.uri_mut() = parts.uri;
    *changed.method_mut() = parts.method;
    *changed.headers_mut() = parts.headers;
    changed.headers_mut().remove("content-length");
    changed
}

async fn without_the_last(response: Response) -> Response {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let mut answer: Value = serde_json::from_slice(&bytes).unwrap();
    answer["signatures"].as_array_mut().unwrap().pop();
    axum::Json(answer).into_response()
}
