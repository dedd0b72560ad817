//! The port that speaks plain HTTP beside one that speaks HTTPS, and only leads there.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use url::Url;

use crate::http::edge::{RequestId, X_REQUEST_ID};
use crate::http::problem::{PROBLEM_JSON, Problem, ProblemCode};
use crate::types::{Clock, SystemClock};

/// Leads every page to the same path under the origin of `public_url`, never to where a request says
/// that it wants to go. Anything but looking is refused: what it carried has already been seen by
/// whoever listens, and should not be sent so again.
pub fn https_redirect(public_url: &Url) -> Router {
    let origin = public_url.origin().ascii_serialization();
    Router::new().fallback(move |request: Request| {
        let answer = answer(&origin, &request);
        async move { answer }
    })
}

fn answer(origin: &str, request: &Request) -> Response {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let is_looking = matches!(*request.method(), Method::GET | Method::HEAD);
    let location = HeaderValue::try_from(format!("{origin}{target}"));
    match location {
        Ok(location) if is_looking && target.starts_with('/') => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Ok(_) | Err(_) => refusal(),
    }
}

fn refusal() -> Response {
    let id = RequestId::generate(SystemClock.now());
    let detail = "Requests are taken over HTTPS only; nothing was done.";
    let problem = Problem::new(ProblemCode::BadRequest).detail(detail);
    let mut response = Response::new(Body::from(problem.to_json(id.as_str(), None)));
    *response.status_mut() = problem.code().status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, id.into_header_value());
    response
}
