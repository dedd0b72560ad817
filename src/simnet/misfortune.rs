//! What befalls the requests to a face over HTTP, as the face's own menu of faults decides.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::simnet::{Decision, Fault, FaultMenu, Loss, RequestClass, canned_answer};

/// The menu of a face, and how the face's requests fall into classes.
#[derive(Clone)]
pub(super) struct Menu {
    pub(super) faults: Arc<Mutex<FaultMenu>>,
    pub(super) class_of: fn(&Method, &str) -> RequestClass,
}

/// Lets the menu decide what goes wrong with a request. The answer is what comes late, not the
/// request: what was sent has its effect although nobody waits for the answer any more.
pub(super) async fn befall(State(menu): State<Menu>, mut request: Request, next: Next) -> Response {
    let class = (menu.class_of)(request.method(), request.uri().path());
    let decision = menu.faults.lock().unwrap_or_else(PoisonError::into_inner).decide(class);
    let delay = Duration::from_millis(decision.delay_ms);
    let instead = decision.fault.as_ref().and_then(|fault| instead_of_answer(fault, class));
    let response = if let Some(response) = instead {
        response
    } else {
        request.extensions_mut().insert(decision);
        next.run(request).await
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    response
}

/// Returns what comes in the place of an answer; what befalls a broadcast is its handler's affair.
fn instead_of_answer(fault: &Fault, class: RequestClass) -> Option<Response> {
    if let Fault::DropRequest { loss } | Fault::LoseAnswer { loss } = fault {
        return (class != RequestClass::Broadcast).then(|| lost(*loss));
    }
    if let Fault::Refuse { status, body } = fault {
        return Some((status_code(*status), body.clone()).into_response());
    }
    let (status, media_type, body) = canned_answer(fault)?;
    let mut response =
        (status_code(status), [(header::CONTENT_TYPE, media_type)], body).into_response();
    if let Fault::RateLimited { retry_after_secs: Some(seconds) } = fault {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    Some(response)
}

pub(super) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST)
}

pub(super) fn lost(loss: Loss) -> Response {
    match loss {
        Loss::BadGateway => (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        Loss::GatewayTimeout => (StatusCode::GATEWAY_TIMEOUT, "").into_response(),
        Loss::ConnectionClosed => {
            // A body that fails makes the server close the connection.
            let failure = Err::<Bytes, _>(std::io::Error::other("the fault menu closes it"));
            let body = Body::from_stream(futures_util::stream::iter([failure]));
            Response::new(body)
        }
    }
}

/// Returns how many blocks an index lags behind.
pub(super) const fn lag_of(decision: &Decision) -> u32 {
    if let Some(Fault::Lag { blocks }) = &decision.fault { *blocks } else { 0 }
}
