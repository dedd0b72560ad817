//! Answers given where no request can be handed to a route: too many connections, or a head that
//! cannot be read. They are problem documents like all others.

use axum::http::HeaderMap;

use crate::http::edge::{RequestId, X_REQUEST_ID};
use crate::http::problem::{PROBLEM_JSON, Problem, ProblemCode};
use crate::types::{Clock, SystemClock};

/// Writes a whole answer that ends the connection.
pub(super) fn answer(problem: &Problem) -> Vec<u8> {
    let id = RequestId::generate(SystemClock.now());
    let body = problem.to_json(id.as_str(), None);
    let status = problem.code().status();
    let head = format!(
        "HTTP/1.1 {} {}\r\nconnection: close\r\ncontent-type: {PROBLEM_JSON}\r\n\
         content-length: {}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\
         x-request-id: {}\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
        id.as_str(),
    );
    [head.into_bytes(), body].concat()
}

/// Returns the problem that stands for an answer of the HTTP library's own, which it gives only
/// to heads it cannot read and which lacks the request id that every answer of ours carries.
pub(super) fn library_refusal(answer: &[u8]) -> Option<ProblemCode> {
    let status = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let code = match status {
        b"400" => ProblemCode::BadRequest,
        b"414" => ProblemCode::UriTooLong,
        b"431" => ProblemCode::HeadersTooLarge,
        _ => return None,
    };
    let marker = b"\r\nx-request-id:";
    let is_ours = answer.windows(marker.len()).any(|window| window == marker);
    (!is_ours).then_some(code)
}

/// Gives an answer of a router the request id that [`library_refusal`] looks for; a router without
/// the edge around it, as the signer's, sets none.
pub(super) fn mark_as_ours(headers: &mut HeaderMap) {
    headers
        .entry(X_REQUEST_ID)
        .or_insert_with(|| RequestId::generate(SystemClock.now()).into_header_value());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_without_a_request_id_are_the_librarys() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n";
        assert_eq!(library_refusal(bare), Some(ProblemCode::HeadersTooLarge));
        assert_eq!(library_refusal(&answer(&Problem::new(ProblemCode::BadRequest))), None);
        assert_eq!(library_refusal(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(library_refusal(b"HTTP"), None);
    }
}
