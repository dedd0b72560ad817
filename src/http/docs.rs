//! The description of the API and its explorer, which works with no internet.
//!
//! The explorer is Swagger UI out of the binary; a build without the feature `console` shows a
//! plain list of routes instead. Scripts come only from this origin and none stands in a page.

#[cfg(feature = "console")]
#[path = "docs/explorer.rs"]
mod page;
#[cfg(not(feature = "console"))]
#[path = "docs/listing.rs"]
mod page;

use axum::Router;
use axum::routing::get;
use utoipa::openapi::OpenApi;

use crate::http::assets::Asset;
use crate::http::headers::IfNoneMatch;
use crate::http::openapi;
use crate::http::yaml;

/// How long a client may use the description without asking again, in seconds.
const DESCRIPTION_MAX_AGE: u32 = 60;

/// Returns the routes that serve `document` and the explorer.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(document: &OpenApi) -> Router<S> {
    let value = openapi::written(document);
    let json = value.to_string().into_bytes();
    let json = Asset::new(json.into(), "application/json", DESCRIPTION_MAX_AGE);
    let yaml = yaml::write(&value).into_bytes();
    let yaml = Asset::new(yaml.into(), "application/yaml", DESCRIPTION_MAX_AGE);
    Router::new()
        .route("/openapi.json", get(async move |known: IfNoneMatch| json.answer(&known)))
        .route("/openapi.yaml", get(async move |known: IfNoneMatch| yaml.answer(&known)))
        .merge(page::routes(document))
}
