//! People who work the console, and their browsers.

use patchproof::auth::account::{AccountName, Password, Role};
use patchproof::bitcoin::Address;
use patchproof::service::accounts::NewAccount;
use patchproof::types::{Clock, Network};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::call::Call;
use crate::support::clients::Owner;

/// The origin of the product under test.
pub(crate) const ORIGIN: &str = "https://proof.example";
/// The cookie's name there.
pub(crate) const COOKIE: &str = "__Host-patchproof";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "a long enough password";

/// A browser in which somebody is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    /// What it holds: name and value of the cookie.
    pub(crate) cookie: String,
    /// What the login answered.
    pub(crate) login: Value,
}

impl Browser {
    /// Takes what a login hands over.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        let login = answer.expect(200);
        let cookie = answer.cookie(COOKIE).unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { cookie, login }
    }

    /// Returns the secret in the cookie.
    pub(crate) fn ticket(&self) -> &str {
        self.cookie.split_once('=').unwrap().1
    }

    /// Returns the identifier of the account.
    pub(crate) fn account(&self) -> &str {
        self.login["account"]["id"].as_str().unwrap()
    }

    /// Begins a request as the console makes it.
    pub(crate) fn call<'a>(&self, app: &'a TestApp, method: Method, path: &str) -> Call<'a> {
        let segments: Vec<&str> = path.split('/').collect();
        let call = Call::new(app, method.clone(), &segments).header("cookie", &self.cookie);
        if method.is_safe() {
            return call;
        }
        call.header("origin", ORIGIN)
            .header("sec-fetch-site", "same-origin")
            .header("x-patchproof-console", "1")
    }

    /// Gets a path.
    pub(crate) async fn get(&self, app: &TestApp, path: &str) -> Answer {
        self.call(app, Method::GET, path).send().await
    }

    /// Sends a request with a body.
    pub(crate) async fn send(
        &self,
        app: &TestApp,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Answer {
        self.call(app, method, path).json(body).send().await
    }

    /// Returns the status of asking who is logged in.
    pub(crate) async fn status(&self, app: &TestApp) -> u16 {
        self.get(app, "v1/admin/session").await.status
    }
}

/// Tries to log in.
pub(crate) async fn log_in(app: &TestApp, name: &str, password: &str) -> Answer {
    let body = json!({ "name": name, "password": password });
    let call = app.anonymous().call(Method::POST, &["v1", "admin", "session"]);
    call.json(&body).send().await
}

/// Uses a one-time link.
pub(crate) async fn use_link(app: &TestApp, body: &Value) -> Answer {
    app.anonymous().call(Method::POST, &["v1", "admin", "setup"]).json(body).send().await
}

impl TestApp {
    /// Makes an account that has the usual password. Cashiers are of the shop of owner 1.
    pub(crate) async fn hire(&self, name: &str, role: Role) -> String {
        let shop = Address::parse(&Owner::number(1).address(), Network::Test).unwrap();
        let wanted = NewAccount {
            name: AccountName::parse(name).unwrap(),
            role,
            shop: role.has_shop().then_some(shop),
        };
        let (password, now) = (Password::typed(PASSWORD), self.outside.clock.now());
        let made = self.services.accounts.create_with_password(wanted, password, "test", now);
        made.await.unwrap().id.to_string()
    }

    /// Makes an account and logs in.
    pub(crate) async fn staff(&self, name: &str, role: Role) -> Browser {
        self.hire(name, role).await;
        Browser::of(&log_in(self, name, PASSWORD).await)
    }
}
