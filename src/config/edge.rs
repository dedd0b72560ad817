//! The HTTP edge and the log.

use std::time::Duration;

use url::Url;

use crate::config::address_range::AddressRange;
use crate::config::endpoint::Endpoint;
use crate::config::reader::{Reader, endpoint_of};
use crate::config::tls::TlsSettings;
use crate::config::variable::{Kind, Variable};

pub(super) const PUBLIC_URL: Variable = Variable::new(
    "PUBLIC_URL",
    Kind::Url(&["https", "http"]),
    "https://patchproof.example",
    "The address at which the world reaches this server, for links to certificates. Without it \
     they lead to the address it listens on.",
);

pub(super) const CORS_ALLOWED_ORIGINS: Variable = Variable::new(
    "CORS_ALLOWED_ORIGINS",
    Kind::Origins,
    "https://shop.example,https://www.shop.example",
    "The web pages of other origins that may call from a browser. * is all of them, and is refused \
     in production. Without it there are none.",
);

pub(super) const CONSOLE_INSECURE_COOKIE: Variable = Variable::new(
    "CONSOLE_INSECURE_COOKIE",
    Kind::Switch,
    "1",
    "Lets the console's session go over plain HTTP, for a network of which every wire is yours. On \
     loopback without HTTPS it does so by itself.",
)
.or("0");

pub(super) const TRUSTED_PROXIES: Variable = Variable::new(
    "TRUSTED_PROXIES",
    Kind::AddressRanges,
    "127.0.0.1,10.0.0.0/8",
    "The reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Without it \
     nobody's are.",
);

pub(super) const MAX_CONNECTIONS: Variable = Variable::new(
    "MAX_CONNECTIONS",
    Kind::Integer { least: 1, most: 1_000_000 },
    "10000",
    "The most connections at a time.",
)
.or("10000");

pub(super) const HSTS_MAX_AGE_SECS: Variable = Variable::new(
    "HSTS_MAX_AGE_SECS",
    Kind::Integer { least: 0, most: 63_072_000 },
    "31536000",
    "How long a browser that came over HTTPS is told to come back over nothing else \
     (Strict-Transport-Security), here or at a trusted proxy; 0 takes back what it was told.",
)
.or("31536000");

pub(super) const METRICS_ENABLED: Variable =
    Variable::new("METRICS_ENABLED", Kind::Switch, "1", "Serves /metrics.").or("1");

pub(super) const METRICS_REQUIRE_API_KEY: Variable = Variable::new(
    "METRICS_REQUIRE_API_KEY",
    Kind::Switch,
    "1",
    "Demands an API key for /metrics; /internal/metrics always does.",
)
.or("0");

pub(super) const LOG_LEVEL: Variable = Variable::new(
    "LOG_LEVEL",
    Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
    "info",
    "How much is logged.",
)
.or("info");

pub(super) const LOG_FORMAT: Variable = Variable::new(
    "LOG_FORMAT",
    Kind::Choice(&["auto", "json", "text"]),
    "json",
    "How the log on standard error looks; auto is text on a terminal and JSON elsewhere.",
)
.or("auto");

pub(super) const OTEL_EXPORTER_OTLP_ENDPOINT: Variable = Variable::new(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    Kind::Url(&["http", "https"]),
    "http://127.0.0.1:4318",
    "An OpenTelemetry collector that is sent a span for each request, over HTTP in protobuf, to \
     /v1/traces below this address. Without it nothing is sent.",
);

/// Which web pages of other origins may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// None.
    SameOrigin,
    /// All of them.
    Any,
    /// These, written as browsers write them.
    Listed(Vec<String>),
}

/// The HTTP edge.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where the world reaches this server, without a slash at the end.
    pub public_url: Option<String>,
    /// Which web pages of other origins may call.
    pub allowed_origins: AllowedOrigins,
    /// Whether the console's session may go over plain HTTP.
    pub insecure_cookie: bool,
    /// Whose X-Forwarded-For and X-Forwarded-Proto are believed.
    pub trusted_proxies: Vec<AddressRange>,
    /// The most connections at a time.
    pub max_connections: usize,
    /// How long browsers are to come back over HTTPS only.
    pub hsts_max_age: Duration,
    /// How connections are secured; by a reverse proxy or not at all where this is nothing.
    pub tls: Option<TlsSettings>,
    /// Whether there is a `/metrics`.
    pub metrics_enabled: bool,
    /// Whether it asks for an API key.
    pub metrics_require_api_key: bool,
    /// Which collector is sent traces.
    pub traces_to: Option<Endpoint>,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what may fail soon.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
    /// Everything.
    Trace,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggingSettings {
    /// How much.
    pub level: LogLevel,
    /// How it looks.
    pub format: LogFormat,
}

impl HttpSettings {
    /// Reads the edge; a process that does not serve reads no certificate.
    pub(super) fn read(reader: &mut Reader<'_>, serves: bool) -> Self {
        let public_url = reader.parsed(&PUBLIC_URL, parse_public_url);
        Self {
            tls: TlsSettings::read(reader, serves, public_url.as_deref()),
            public_url,
            allowed_origins: read_origins(reader),
            insecure_cookie: reader.switch(&CONSOLE_INSECURE_COOKIE),
            trusted_proxies: reader.list(&TRUSTED_PROXIES, |item| item.parse().ok()),
            max_connections: reader.number(&MAX_CONNECTIONS),
            hsts_max_age: Duration::from_secs(reader.number(&HSTS_MAX_AGE_SECS)),
            metrics_enabled: reader.switch(&METRICS_ENABLED),
            metrics_require_api_key: reader.switch(&METRICS_REQUIRE_API_KEY),
            traces_to: reader.endpoint(&OTEL_EXPORTER_OTLP_ENDPOINT),
        }
    }
}

fn parse_public_url(text: &str) -> Option<String> {
    let endpoint = endpoint_of(&PUBLIC_URL, text)?;
    let url = endpoint.url();
    let is_plain = !endpoint.has_credentials() && url.query().is_none() && url.fragment().is_none();
    is_plain.then(|| url.as_str().trim_end_matches('/').to_owned())
}

fn read_origins(reader: &mut Reader<'_>) -> AllowedOrigins {
    let origins = reader.list(&CORS_ALLOWED_ORIGINS, parse_origin);
    if origins.iter().any(|origin| origin == "*") {
        if reader.is_production {
            reader.problem(&CORS_ALLOWED_ORIGINS, "origins one by one, not * in production");
        }
        return AllowedOrigins::Any;
    }
    if origins.is_empty() { AllowedOrigins::SameOrigin } else { AllowedOrigins::Listed(origins) }
}

/// Returns an origin as browsers write it.
fn parse_origin(text: &str) -> Option<String> {
    if text == "*" {
        return Some(text.to_owned());
    }
    let url: Url = text.parse().ok()?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let has_user = !url.username().is_empty() || url.password().is_some();
    let is_web = matches!(url.scheme(), "http" | "https");
    let is_one = !url.host_str()?.contains('*');
    (is_bare && !has_user && is_web && is_one).then(|| url.origin().ascii_serialization())
}

impl LoggingSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let level = match reader.choice(&LOG_LEVEL) {
            Some("error") => LogLevel::Error,
            Some("warn") => LogLevel::Warn,
            Some("debug") => LogLevel::Debug,
            Some("trace") => LogLevel::Trace,
            Some(_) | None => LogLevel::Info,
        };
        let format = match reader.choice(&LOG_FORMAT) {
            Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            Some(_) | None => LogFormat::Auto,
        };
        Self { level, format }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (text, origin) in [
            ("https://Shop.Example", Some("https://shop.example")),
            ("https://shop.example:443/", Some("https://shop.example")),
            ("http://localhost:5173", Some("http://localhost:5173")),
            ("*", Some("*")),
            ("https://*.shop.example", None),
            ("https://shop.example/path", None),
            ("https://u@shop.example", None),
            ("shop.example", None),
            ("null", None),
            ("file:///", None),
        ] {
            assert_eq!(parse_origin(text).as_deref(), origin, "{text}");
        }
    }

    #[test]
    fn a_public_address_may_have_a_path_but_no_secrets() {
        for (text, address) in [
            ("https://patchproof.example/", Some("https://patchproof.example")),
            ("https://shop.example/patchproof/", Some("https://shop.example/patchproof")),
            ("https://u:p@shop.example", None),
            ("https://shop.example/?a", None),
            ("ftp://shop.example/", None),
        ] {
            assert_eq!(parse_public_url(text).as_deref(), address, "{text}");
        }
    }
}
