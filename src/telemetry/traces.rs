//! Traces: a span for each request, under the span of whoever sent it.
//!
//! A span says method, route, status and identifier of a request, and never its path, its query or
//! what is in it.

#[cfg(not(feature = "otlp"))]
#[path = "traces/none.rs"]
mod otlp;
#[cfg(feature = "otlp")]
mod otlp;

use std::time::Duration;

pub use otlp::Traces;

/// A collector that nothing can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("traces cannot be sent: {0}")]
pub struct TracesError(pub(super) String);

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub struct ServedRequest<'a> {
    /// The HTTP method.
    pub method: &'a reqwest::Method,
    /// The route's pattern.
    pub route: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// The request's identifier.
    pub request_id: &'a str,
    /// The span that it belongs to.
    pub parent: Option<TraceParent>,
    /// From its head to the answer's.
    pub took: Duration,
}

/// The span that a request belongs to, as its sender says (W3C Trace Context, `traceparent`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; not all zero.
    pub trace_id: [u8; 16],
    /// The span in it; not all zero.
    pub span_id: [u8; 8],
    /// Whether the sender records it.
    pub is_sampled: bool,
}

impl TraceParent {
    /// Reads the header's value; nothing if it is not exactly in the form that the recommendation
    /// demands, or of a version that may not be.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace_id) = (parts.next()?, parts.next()?);
        let (span_id, flags) = (parts.next()?, parts.next()?);
        // Later versions may add parts, the first may not.
        let is_known = version != "ff" && (version != "00" || parts.next().is_none());
        if !is_known || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let [_version] = bytes::<1>(version)?;
        let (trace_id, span_id, [flags]) = (bytes(trace_id)?, bytes(span_id)?, bytes(flags)?);
        let is_sampled = flags & 1 == 1;
        let is_whole = trace_id != [0; 16] && span_id != [0; 8];
        is_whole.then_some(Self { trace_id, span_id, is_sampled })
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_of_a_sender_is_read_as_it_is_written_or_not_at_all() {
        let whole = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = TraceParent::parse(whole).unwrap();
        assert_eq!(hex::encode(parent.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(hex::encode(parent.span_id), "00f067aa0ba902b7");
        assert!(parent.is_sampled);
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert!(!TraceParent::parse(unsampled).unwrap().is_sampled);
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        ] {
            assert_eq!(TraceParent::parse(wrong), None, "{wrong}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(TraceParent::parse(later).is_some());
    }
}
