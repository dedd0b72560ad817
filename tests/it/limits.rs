//! How often clients may ask: over every route, and without anybody using up another's budget.

use std::net::IpAddr;
use std::time::Duration;

use patchproof::auth::token::{DEFAULT_TTL, TokenKeys};
use patchproof::http::limits::{Rate, RateLimits};
use patchproof::types::Clock;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::login::{log_in, post, register};
use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, JWT_SECRET, OTHER_KEY, TestApp, generous};
use crate::support::clients::Owner;

const BUDGET: u32 = 5;
const ADA: &str = "3f92107747fcccc58db83812";
const MINUTE: Rate = Rate::per_secs(BUDGET, 60);

async fn limited(rates: RateLimits) -> TestApp {
    let app = TestApp::with(|settings| settings.http.limits.rates = rates).await;
    // The first answer has the description fetched that answers are compared with.
    let _ = app.anonymous().get(&["health"]).await.expect(200);
    app.outside.clock.advance(Duration::from_secs(60));
    app
}

/// Returns a client that comes from another address of this machine.
pub(crate) fn client_at(address: &str) -> Client {
    let address: IpAddr = address.parse().unwrap();
    let builder = Client::builder().no_proxy().tls_certs_only([]).local_address(address);
    builder.build().unwrap()
}

#[tokio::test]
async fn b19_every_route_is_limited_with_a_key_with_a_token_and_without() {
    let rates = RateLimits {
        public: MINUTE,
        api_key: MINUTE,
        token: MINUTE,
        probe: MINUTE,
        svd_begin: MINUTE,
        svd_complete: MINUTE,
        svd_canary: MINUTE,
        auth_request: MINUTE,
        auth_submit: MINUTE,
        console_login: MINUTE,
    };
    let app = limited(rates).await;
    let token = app.token_of(ADA);
    let document = patchproof::http::description();
    let mut routes = vec![("GET".to_owned(), "/no/such/route".to_owned())];
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    for (method, path) in routes {
        let filled = path.replace("{txid}", "0").replace("{uid_tag_id}", "TAG-1");
        let filled = filled.replace("{id}", "1").replace("{userId}", "0").replace("{height}", "1");
        let segments: Vec<&str> = filled.trim_start_matches('/').split('/').collect();
        for (key, token) in [(None, None), (None, Some(&token)), (Some(FULL_KEY), None)] {
            let mut refused = None;
            for _ in 0..BUDGET * 10 {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = match key {
                    Some(key) => app.api_with(key).call(method, &segments).send().await,
                    None => {
                        let call = app.anonymous().call(method, &segments);
                        token.into_iter().fold(call, |call, token| call.bearer(token)).send().await
                    }
                };
                if answer.status == 429 {
                    refused = Some(answer);
                    break;
                }
            }
            let answer = refused.unwrap_or_else(|| unreachable!("{method} {path} is not limited"));
            answer.problem(429, "RATE_LIMITED");
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            let present = answer.header("ratelimit").unwrap();
            assert!(present.ends_with(&format!(";r=0;t={wait}")), "{present}");
            assert!(answer.header("ratelimit-policy").unwrap().ends_with(";q=5;w=60"));
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_as_long_as_it_is_told_is_let_in() {
    let app = limited(RateLimits { public: MINUTE, ..generous() }).await;
    let ask = async || app.anonymous().verify("TAG-1").await;
    for _ in 0..BUDGET {
        assert_eq!(ask().await.status, 404);
    }
    let refused = ask().await;
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    app.outside.clock.advance(Duration::from_secs(wait));
    assert_eq!(ask().await.status, 404);
}

#[tokio::test]
async fn answers_say_what_is_left_whether_they_are_good_or_not() {
    let app = limited(RateLimits { public: MINUTE, api_key: MINUTE, ..generous() }).await;
    let said = |answer: &Answer| {
        ["ratelimit-policy", "ratelimit"].map(|name| answer.header(name).map(str::to_owned))
    };
    let line = |class: &str, rest: &str| Some(format!("\"{class}\";{rest}"));
    for left in (0..BUDGET).rev() {
        let expected = [line("public", "q=5;w=60"), line("public", &format!("r={left}"))];
        // A page that is there, and then answers that are none.
        let answer = if left == BUDGET - 1 {
            app.anonymous().get(&["version"]).await
        } else {
            app.anonymous().verify("TAG-1").await
        };
        assert_eq!(said(&answer), expected, "{}", answer.status);
    }
    let refused = app.anonymous().verify("TAG-1").await;
    let wait = refused.header("retry-after").unwrap();
    assert_eq!(said(&refused)[1], line("public", &format!("r=0;t={wait}")));
    let keyed = app.api().get(&["v1", "admin", "patches"]).await;
    assert_eq!(said(&keyed), [line("api-key", "q=5;w=60"), line("api-key", "r=4")]);
    let asked = app.anonymous().call(Method::OPTIONS, &["version"]);
    let asked = asked.header("origin", "https://shop.example");
    let asked = asked.header("access-control-request-method", "GET").send().await;
    assert_eq!(said(&asked), [None, None], "asking whether one may call is not counted");
}

#[tokio::test]
async fn a8_nobody_uses_up_the_login_of_somebody_at_another_address() {
    let rates = RateLimits { svd_begin: MINUTE, svd_complete: MINUTE, ..generous() };
    let app = limited(rates).await;
    let (user, ada) = (ADA, Owner::number(1));
    let _ = register(&app, user, &ada).await.expect(201);
    let body = json!({ "userId": user });
    let url = app.base.join("api/svd/begin").unwrap();
    let begin =
        async |client: &Client| client.post(url.clone()).json(&body).send().await.unwrap().status();
    let attacker = client_at("127.0.0.2");
    let mut refused = 0;
    for _ in 0..BUDGET * 10 {
        refused += u32::from(begin(&attacker).await == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(refused, BUDGET * 9);
    assert_eq!(begin(&client_at("127.0.0.3")).await, StatusCode::OK);
    // Naming another user, or more, does not help the attacker (B1).
    let other = json!({ "userId": "00000000000000000000dead", "identifier": "x" });
    let again = attacker.post(url.clone()).json(&other).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::TOO_MANY_REQUESTS);
    let _ = post(&app, "begin", &body).await.expect(200);
}

#[tokio::test]
async fn b19_keys_cannot_be_guessed_and_the_right_one_still_opens() {
    let app = limited(RateLimits { public: MINUTE, ..generous() }).await;
    let list = async |key: &str| app.api_with(key).get(&["v1", "admin", "patches"]).await;
    for number in 0..BUDGET {
        let answer = list(&format!("guess-{number}")).await;
        answer.problem(401, "INVALID_API_KEY");
    }
    list("guess-more").await.problem(429, "RATE_LIMITED");
    let _ = list(FULL_KEY).await.expect(200);
}

#[tokio::test]
async fn keys_do_not_share_a_budget() {
    let app = limited(RateLimits { api_key: MINUTE, ..generous() }).await;
    let list = async |key: &str| app.api_with(key).get(&["v1", "admin", "patches"]).await.status;
    for _ in 0..BUDGET {
        assert_eq!(list(FULL_KEY).await, 200);
    }
    assert_eq!(list(FULL_KEY).await, 429);
    assert_eq!(list(OTHER_KEY).await, 200);
}

/// Sends headers to a public route and returns the class that it was counted in, and its status.
async fn asked_with(client: &Client, app: &TestApp, headers: &HeaderMap) -> (String, StatusCode) {
    let call = client.get(app.base.join("v1/patches/verify/TAG-1").unwrap());
    let answer = call.headers(headers.clone()).send().await.unwrap();
    let policy = answer.headers()["ratelimit-policy"].to_str().unwrap();
    (policy.split('"').nth(1).unwrap().to_owned(), answer.status())
}

fn bearing(tokens: &[&str]) -> HeaderMap {
    let value = |token: &&str| HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    tokens.iter().map(|token| (AUTHORIZATION, value(token))).collect()
}

#[tokio::test]
async fn a_token_counts_for_whom_it_was_issued_to_wherever_she_is() {
    let token = Rate::per_secs(BUDGET * 3, 60);
    let app = limited(RateLimits { public: MINUTE, token, ..generous() }).await;
    let (ada, ben) = (app.token_of("ada"), app.token_of("ben"));
    // Her own address has nothing left; she is let in all the same.
    for _ in 0..BUDGET {
        assert_eq!(app.anonymous().verify("TAG-1").await.status, 404);
    }
    assert_eq!(app.anonymous().verify("TAG-1").await.status, 429);
    let (here, away) = (client_at("127.0.0.1"), client_at("127.0.0.41"));
    let counted = |status| ("token".to_owned(), status);
    for number in 0..BUDGET * 3 {
        // Another token of hers is no other budget.
        let token = if number % 2 == 0 { ada.clone() } else { app.token_of("ada") };
        let client = if number % 3 == 0 { &here } else { &away };
        let seen = asked_with(client, &app, &bearing(&[&token])).await;
        assert_eq!(seen, counted(StatusCode::NOT_FOUND), "{number}");
    }
    let seen = asked_with(&away, &app, &bearing(&[&ada])).await;
    assert_eq!(seen, counted(StatusCode::TOO_MANY_REQUESTS));
    // Neither somebody else nor the address that she came from pays for her.
    let seen = asked_with(&away, &app, &bearing(&[&ben])).await;
    assert_eq!(seen, counted(StatusCode::NOT_FOUND));
    let seen = asked_with(&away, &app, &HeaderMap::new()).await;
    assert_eq!(seen, ("public".to_owned(), StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn b19_what_is_no_token_of_ours_counts_for_the_address() {
    let app = limited(RateLimits { public: MINUTE, ..generous() }).await;
    let good = app.token_of("ada");
    let (now, jti) = (app.outside.clock.now(), [7u8; 16]);
    let ours = TokenKeys::new(JWT_SECRET, None).unwrap();
    let theirs = TokenKeys::new(&[b'x'; 32], None).unwrap();
    let old = now.minus(Duration::from_secs(3600));
    let (head, rest) = good.split_once('.').unwrap();
    let body = rest.split_once('.').unwrap().0;
    let of_key = |key: &'static str| {
        let mut headers = bearing(&[&good]);
        headers.insert("x-api-key", HeaderValue::from_static(key));
        headers
    };
    let junk = [
        bearing(&["junk"]),
        bearing(&[&format!("{head}.{body}.")]),
        bearing(&[&format!("{good}A")]),
        bearing(&[&theirs.issue("ada", now, DEFAULT_TTL, &jti).unwrap()]),
        bearing(&[&ours.issue("ada", old, DEFAULT_TTL, &jti).unwrap()]),
        bearing(&[&good, &good]),
        // A token does not make guessing at keys cheaper.
        of_key("guess"),
    ];
    for (number, headers) in (50..).zip(&junk) {
        let client = client_at(&format!("127.0.0.{number}"));
        for _ in 0..BUDGET {
            let seen = asked_with(&client, &app, headers).await;
            assert_eq!(seen, ("public".to_owned(), StatusCode::NOT_FOUND), "{number}");
        }
        let seen = asked_with(&client, &app, headers).await;
        assert_eq!(seen, ("public".to_owned(), StatusCode::TOO_MANY_REQUESTS), "{number}");
    }
    let seen = asked_with(&app.client, &app, &of_key(FULL_KEY)).await;
    assert_eq!(seen, ("api-key".to_owned(), StatusCode::NOT_FOUND), "a good key comes first");
}

#[tokio::test]
async fn a_token_that_was_taken_back_uses_up_nothing_of_its_person() {
    let app = limited(RateLimits { token: MINUTE, ..generous() }).await;
    let ada = Owner::number(1);
    let _ = register(&app, ADA, &ada).await.expect(201);
    let stolen = log_in(&app, ADA, &ada).await;
    let log_out = app.anonymous().call(Method::POST, &["v1", "auth", "logout"]);
    let _ = log_out.bearer(&stolen).send().await.expect(200);
    let mut refused = 0;
    for _ in 0..BUDGET * 4 {
        let (class, status) = asked_with(&app.client, &app, &bearing(&[&stolen])).await;
        assert_eq!(class, "token");
        refused += u32::from(status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused > BUDGET, "{refused}");
    let fresh = log_in(&app, ADA, &ada).await;
    for _ in 0..BUDGET {
        let seen = asked_with(&app.client, &app, &bearing(&[&fresh])).await;
        assert_eq!(seen, ("token".to_owned(), StatusCode::NOT_FOUND));
    }
}

#[tokio::test]
async fn a_token_makes_no_login_and_no_code_by_mail_cheaper() {
    let rates = RateLimits { svd_begin: MINUTE, auth_request: MINUTE, ..generous() };
    let app = limited(rates).await;
    let token = app.token_of(ADA);
    let begin = json!({ "userId": ADA });
    for path in [["api", "svd", "begin"], ["v1", "auth", "request-verification"]] {
        let mut last = 0;
        for number in 0..=BUDGET {
            let mailbox = json!({ "identifier": format!("user-{number}@shop.example") });
            let body = if path[0] == "api" { &begin } else { &mailbox };
            let call = app.anonymous().call(Method::POST, &path).bearer(&token).json(body);
            last = call.send().await.status;
        }
        assert_eq!(last, 429, "{path:?}");
    }
}

#[tokio::test]
async fn what_is_refused_for_being_too_much_does_nothing() {
    let app = limited(RateLimits { svd_begin: Rate::per_secs(1, 60), ..generous() }).await;
    let ada = Owner::number(1);
    let _ = register(&app, ADA, &ada).await.expect(201);
    let late = register(&app, "0000000000000000000000b0", &ada).await;
    late.problem(429, "RATE_LIMITED");
    app.outside.clock.advance(Duration::from_secs(60));
    let again = register(&app, "0000000000000000000000b0", &ada).await.expect(201);
    assert_eq!(again["success"], Value::Bool(true));
}

#[tokio::test]
async fn g7_every_request_is_counted_once() {
    let rates = RateLimits {
        public: MINUTE,
        api_key: MINUTE,
        token: MINUTE,
        probe: MINUTE,
        svd_begin: MINUTE,
        svd_complete: MINUTE,
        svd_canary: MINUTE,
        auth_request: MINUTE,
        auth_submit: MINUTE,
        console_login: MINUTE,
    };
    let app = limited(rates).await;
    // A route of each class, from an address of its own; the predecessor counted the second twice.
    let routes = [
        ("GET", "v1/patches/verify/TAG-1"),
        ("GET", "api/svd/kid"),
        ("GET", "health"),
        ("POST", "api/svd/begin"),
        ("POST", "api/svd/complete"),
        ("GET", "api/svd/canary"),
        ("GET", "no/such/route"),
    ];
    for (number, (method, path)) in routes.into_iter().enumerate() {
        for (key, network) in [(None, 20), (Some(FULL_KEY), 30)] {
            let client = client_at(&format!("127.0.0.{}", network + number));
            let ask = async || {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let call = client.request(method, app.base.join(path).unwrap());
                let call = key.into_iter().fold(call, |call, key| call.header("x-api-key", key));
                call.send().await.unwrap().status()
            };
            for request in 1..=BUDGET {
                let status = ask().await;
                assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "{path} {key:?} {request}");
            }
            assert_eq!(ask().await, StatusCode::TOO_MANY_REQUESTS, "{path} {key:?}");
            app.outside.clock.advance(Duration::from_secs(60));
        }
    }
}

#[cfg(feature = "console")]
#[tokio::test]
async fn a_page_of_many_files_uses_up_nothing_of_what_its_reader_may_ask() {
    let app = limited(RateLimits { public: MINUTE, ..generous() }).await;
    let client = client_at("127.0.0.2");
    let get = async |path: &str| {
        let sent = client.get(app.base.join(path).unwrap()).send().await.unwrap();
        (sent.status(), sent.text().await.unwrap())
    };
    let (status, page) = get("admin").await;
    assert_eq!(status, StatusCode::OK);
    let files = page.split('"').filter(|part| part.starts_with("/admin/assets/"));
    let files: Vec<&str> = files.collect();
    assert!(files.len() > 20, "{page}");
    for file in &files {
        assert_eq!(get(file).await.0, StatusCode::OK, "{file}");
    }
    for _ in 0..BUDGET {
        assert_eq!(get("v1/patches/verify/TAG-1").await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(get("v1/patches/verify/TAG-1").await.0, StatusCode::TOO_MANY_REQUESTS);
}
