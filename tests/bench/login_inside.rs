//! What completes a login, without sockets and without those who send the requests: the route with all that
//! is around every route, and the service behind it by itself. Checks, durable row and token are the same.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http_body_util::BodyExt;
use patchproof::app::{App, configured};
use patchproof::auth::svd::{Challenge, UserId};
use patchproof::config::{Config, Environment};
use patchproof::crypto::random_bytes;
use patchproof::http::edge::ClientAddress;
use patchproof::service::login::LoginService;
use patchproof::storage::{Store, StoreOptions};
use patchproof::types::{Clock, SystemClock};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::login::{USERS, answer, registration, secret, user};
use crate::processes::{API_KEY, World, scratch};

/// Logins at a time.
pub(crate) const AT_A_TIME: usize = 512;

/// The product in this process, with a store of its own.
pub(crate) struct Inside {
    runtime: Runtime,
    router: Router,
    login: LoginService,
    _directory: tempfile::TempDir,
}

impl Inside {
    /// Puts the product together from the server's own variables, and registers the users.
    pub(crate) fn start(world: &World) -> Self {
        let directory = scratch();
        let data = ("PATCHPROOF_DATA_DIR", directory.path().display().to_string());
        let environment: Environment = world.environment().into_iter().chain([data]).collect();
        let config = Config::load(&environment, random_bytes::<32>).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ports = configured::ports(&config, clock).unwrap();
        let settings =
            configured::settings(&config, &"http://127.0.0.1/".parse().unwrap()).unwrap();
        let store = Store::open(StoreOptions::in_directory(directory.path())).unwrap();
        let runtime = Runtime::new().unwrap();
        let app = runtime.block_on(App::build(store, settings, ports)).unwrap();
        let (router, login) = (app.router, app.services.login);
        runtime.block_on(async {
            for number in 0..USERS {
                post(&router, "/api/svd/register", API_KEY, registration(number).into()).await;
            }
        });
        Self { runtime, router, login, _directory: directory }
    }

    /// Sends the answers to challenges that were asked for and signed before through the router,
    /// [`AT_A_TIME`] of them at a time, and returns logins per second.
    pub(crate) fn by_the_route(&self, count: usize) -> f64 {
        let bodies = self.runtime.block_on(async {
            let mut bodies = Vec::with_capacity(count);
            for number in (0..USERS).cycle().take(count) {
                let asked = format!("{{\"userId\":\"{}\"}}", user(number));
                let given = post(&self.router, "/api/svd/begin", "", asked.into()).await;
                let given: Value = serde_json::from_slice(&given).unwrap();
                bodies.push(Bytes::from(answer(number, given["M"].as_str().unwrap())));
            }
            bodies
        });
        let router = self.router.clone();
        self.at_a_time(bodies, move |body| {
            let router = router.clone();
            async move { drop(post(&router, "/api/svd/complete", "", body).await) }
        })
    }

    /// Has the service complete logins that were begun and signed before, [`AT_A_TIME`] of them at a
    /// time, and returns logins per second.
    pub(crate) fn by_the_service(&self, count: usize) -> f64 {
        let numbers = (0..USERS).cycle().take(count);
        let logins = numbers.map(|number| begin(&self.login, number)).collect();
        let login = self.login.clone();
        self.at_a_time(logins, move |(user, challenge, signature)| {
            let login = login.clone();
            async move {
                let token = login.complete(user, challenge, &signature, SystemClock.now()).await;
                assert!(!token.unwrap().is_empty());
            }
        })
    }

    /// Does something with each of many, in their order, and returns how many a second.
    fn at_a_time<T, F>(
        &self,
        all: Vec<T>,
        deed: impl Fn(T) -> F + Clone + Send + Sync + 'static,
    ) -> f64
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send,
    {
        let (count, all, next) = (all.len(), Arc::new(all), Arc::new(AtomicUsize::new(0)));
        self.runtime.block_on(async {
            let begun = Instant::now();
            let clients = (0..AT_A_TIME).map(|_| {
                let (all, next, deed) = (Arc::clone(&all), Arc::clone(&next), deed.clone());
                tokio::spawn(async move {
                    while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                        deed(one.clone()).await;
                    }
                })
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
            count as f64 / begun.elapsed().as_secs_f64()
        })
    }
}

/// Sends JSON to a route as if it came over the network, with a key unless that is empty, and returns the body of the answer.
async fn post(router: &Router, path: &str, key: &str, body: Bytes) -> Bytes {
    let mut request = Request::post(path);
    if !key.is_empty() {
        request = request.header("x-api-key", key);
    }
    let request = request
        .header(HOST, "127.0.0.1")
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len())
        .extension(ClientAddress::Network(Ipv4Addr::LOCALHOST.into()))
        .body(Body::from(body))
        .unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.into_body().collect().await.unwrap().to_bytes()
}

fn begin(login: &LoginService, number: u64) -> (UserId, Challenge, Vec<u8>) {
    let user: UserId = user(number).parse().unwrap();
    let challenge = login.begin(user, SystemClock.now()).unwrap().challenge;
    let digest = challenge.digest();
    let signature = secret(number).plus(&digest).unwrap().sign(&digest);
    (user, challenge, signature.to_der())
}
