//! Spans to an OpenTelemetry collector (OTLP over HTTP in protobuf).
//!
//! They are gathered and sent by a thread of the library's own; a collector that is away costs spans
//! and nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use url::Url;

use crate::telemetry::{ServedRequest, TraceParent, TracesError};
use crate::types::Clock;

/// How long a collector may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends a span for each request.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Traces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Traces")
    }
}

impl Traces {
    /// Sets up what sends to the collector at `address`, which is not asked yet.
    ///
    /// # Errors
    ///
    /// [`TracesError`] if there is no such client or address.
    pub fn to(
        address: &Url,
        sha: Option<&str>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TracesError> {
        let wrong = |error: &dyn fmt::Display| TracesError(error.to_string());
        // The client blocks, so it may not be made where others are waited for.
        let client = std::thread::spawn(|| {
            let client = reqwest::blocking::Client::builder().no_proxy().timeout(TIMEOUT);
            client.redirect(reqwest::redirect::Policy::none()).build()
        });
        let client = client.join().map_err(|_| TracesError("no HTTP client".to_owned()))?;
        let path = format!("{}/v1/traces", address.as_str().trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client.map_err(|error| wrong(&error))?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(path)
            .with_timeout(TIMEOUT)
            .build()
            .map_err(|error| wrong(&error))?;
        let resource = Resource::builder_empty()
            .with_service_name(env!("CARGO_PKG_NAME"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(sha.map(|sha| KeyValue::new("vcs.ref.head.revision", sha.to_owned())))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Self { provider, tracer, clock })
    }

    /// Sends a span for a request that was answered just now, unless its sender records none.
    pub fn served(&self, request: &ServedRequest<'_>) {
        let millis = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        let ended = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        let parent = request.parent.map_or_else(Context::new, context_of);
        let mut attributes = vec![
            KeyValue::new("http.request.method", request.method.to_string()),
            KeyValue::new("http.route", request.route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(request.status)),
            KeyValue::new("patchproof.request_id", request.request_id.to_owned()),
        ];
        if request.status >= 500 {
            attributes.push(KeyValue::new("error.type", request.status.to_string()));
        }
        let span = self
            .tracer
            .span_builder(format!("{} {}", request.method, request.route))
            .with_kind(SpanKind::Server)
            .with_start_time(ended.checked_sub(request.took).unwrap_or(ended))
            .with_attributes(attributes);
        let mut span = span.start_with_context(&self.tracer, &parent);
        if request.status >= 500 {
            opentelemetry::trace::Span::set_status(&mut span, Status::error(""));
        }
        opentelemetry::trace::Span::end_with_timestamp(&mut span, ended);
    }

    /// Sends what is left and waits for that; blocks.
    pub fn finish(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "traces were not sent to the end");
        }
    }
}

/// Returns the context in which a sender's span is the parent.
fn context_of(parent: TraceParent) -> Context {
    let flags = if parent.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let span = SpanContext::new(
        TraceId::from_bytes(parent.trace_id),
        SpanId::from_bytes(parent.span_id),
        flags,
        true,
        TraceState::default(),
    );
    Context::new().with_remote_span_context(span)
}
