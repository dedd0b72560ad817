//! The description of the API that the routes are added to.

mod every_route;

use serde_json::Value;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};

use crate::http::problem::{FieldError, ProblemBody};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "PatchProof",
        description = "Registers physical products, keeps their chain of custody and anchors every \
                       record on the BSV blockchain.\n\nErrors are problem documents (RFC 9457); \
                       the list is at [/docs/errors](/docs/errors)."
    ),
    components(schemas(ProblemBody, FieldError)),
    tags(
        (name = "health", description = "Whether the process can do its work."),
        (name = "claims", description = "Products that change hands at a counter."),
        (name = "proofs", description = "What anybody may check without trusting the operator."),
        (name = "log", description = "Everything that was ever accepted, for all to check."),
        (name = "console", description = "People who work the console: accounts and sessions."),
        (name = "privacy", description = "What a person may ask about herself."),
        (name = "operation", description = "For those who run the appliance.")
    )
)]
struct Description;

/// Returns the description without routes.
pub(super) fn document() -> OpenApi {
    let mut document = Description::openapi();
    let components = document.components.get_or_insert_default();
    let api_key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key")));
    components.add_security_scheme("apiKey", api_key);
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("bearer", bearer);
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-patchproof")));
    components.add_security_scheme("session", session);
    document
}

/// Writes a description with its routes down, with all that holds for many of them.
pub(super) fn written(document: &OpenApi) -> Value {
    let mut value = serde_json::to_value(document).expect("a description is plain data");
    every_route::complete(&mut value);
    value
}
