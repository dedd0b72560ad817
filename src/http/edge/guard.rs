//! What is checked about a message before any route sees it.
//!
//! Two parties that read one message differently are how requests are smuggled (RFC 9112, sections
//! 3.2 and 6.3), so whatever can be read in two ways is refused here.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Version};

use crate::http::problem::{Problem, ProblemCode};

/// The longest path with query that is served, in bytes.
const URI_LIMIT: usize = 8 * 1024;

/// Who is at the other end of the connection, put into the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientAddress {
    /// A peer on the network; IPv4 addresses are never written as IPv6.
    Network(IpAddr),
    /// A process on this machine, over a Unix socket.
    Local,
    /// An operator of this machine, over the control socket: the user is root or the one that this
    /// process runs as, and the kernel vouches for it. He needs no API key.
    Operator {
        /// The user's number.
        uid: u32,
    },
    /// Somebody else at the control socket, who is refused whatever he asks.
    Stranger {
        /// The user's number.
        uid: u32,
    },
}

/// What a client speaks, put into the request's extensions: to us, or to the trusted proxy before us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTPS.
    Https,
}

/// Marks a request whose head stated the body's length in two ways, put into its extensions.
#[derive(Debug, Clone, Copy)]
pub struct AmbiguousFraming;

/// Returns what is wrong with the message itself.
pub(super) fn refusal(request: &Request) -> Option<Problem> {
    if let Some(ClientAddress::Stranger { uid }) = request.extensions().get() {
        tracing::warn!(uid, "somebody who is no operator was refused at the control socket");
        let detail = "The control socket is for root and for the user that the server runs as.";
        let problem = Problem::new(ProblemCode::Forbidden).detail(detail);
        return Some(problem.header(CONNECTION, HeaderValue::from_static("close")));
    }
    let uri = request.uri();
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > URI_LIMIT {
        return Some(Problem::new(ProblemCode::UriTooLong));
    }
    let reason = if request.extensions().get::<AmbiguousFraming>().is_some() {
        "The request states the length of its body in two ways."
    } else if !has_one_host(request) {
        "The request must have exactly one Host header that agrees with its target."
    } else if !is_well_escaped(target) {
        "The request's path or query has a percent sign that escapes nothing."
    } else {
        return None;
    };
    let problem = Problem::new(ProblemCode::BadRequest).detail(reason);
    Some(problem.header(CONNECTION, HeaderValue::from_static("close")))
}

fn has_one_host(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return false;
    }
    let Some(host) = host else {
        return request.version() == Version::HTTP_10;
    };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        return false;
    };
    let has_user = host.as_bytes().contains(&b'@');
    !has_user && request.uri().authority().is_none_or(|target| *target == authority)
}

/// Tells whether every percent sign is followed by two hexadecimal digits.
fn is_well_escaped(target: &str) -> bool {
    let bytes = target.as_bytes();
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(target: &str, hosts: &[&str]) -> Request {
        let mut builder = Request::builder().uri(target);
        for host in hosts {
            builder = builder.header(HOST, *host);
        }
        builder.body(Body::empty()).unwrap()
    }

    #[test]
    fn exactly_one_host_is_needed() {
        assert!(refusal(&request("/", &["localhost:3001"])).is_none());
        assert!(refusal(&request("/", &["[::1]:3001"])).is_none());
        for hosts in [&[][..], &["a", "a"], &["a", "b"], &[""], &["a b"], &["user@a"], &["a/b"]] {
            assert!(refusal(&request("/", hosts)).is_some(), "{hosts:?}");
        }
    }

    #[test]
    fn an_absolute_target_must_name_the_same_host() {
        assert!(refusal(&request("http://a/x", &["a"])).is_none());
        assert!(refusal(&request("http://b/x", &["a"])).is_some());
    }

    #[test]
    fn percent_signs_must_escape_something() {
        assert!(is_well_escaped("/a%20b?c=%C3%BC"));
        for bad in ["/%", "/%2", "/%zz", "/a?b=%g0", "/%%20"] {
            assert!(!is_well_escaped(bad), "{bad}");
        }
    }

    #[test]
    fn long_targets_are_refused() {
        let target = ["/", &"a".repeat(URI_LIMIT)].concat();
        let problem = refusal(&request(&target, &["a"])).unwrap();
        assert_eq!(problem.code(), ProblemCode::UriTooLong);
    }
}
