//! Settings that operators change while the product runs.

use std::collections::BTreeMap;
use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiJson;
use crate::http::headers::{EntityTag, IfMatch};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::settings::{
    EffectiveSetting, EffectiveSettings, SettingChanges, SettingOrigin,
};
use crate::types::{Digest, SettingName};

/// Every setting.
#[derive(Debug, Serialize, ToSchema)]
struct SettingsBody {
    settings: Vec<SettingBody>,
}

/// A setting as it is in force.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SettingBody {
    name: &'static str,
    value: u64,
    /// `default`, `environment`, `network` (the fee rate only) or `setting`.
    origin: &'static str,
    /// What it is when neither an operator nor the environment sets it.
    default: u64,
    /// What it would be if no operator had set it: the environment's value or the default.
    initial: u64,
    /// The least allowed.
    least: u64,
    /// The most allowed.
    most: u64,
    unit: &'static str,
    description: &'static str,
    /// When an operator set it.
    set_at: Option<String>,
    /// The credential that set it.
    set_by: Option<String>,
}

/// A new value; none, written as null, takes back what an operator set.
#[derive(Debug, Clone, Copy)]
struct NewValue(Option<u64>);

impl<'de> Deserialize<'de> for NewValue {
    /// An option would refuse null, because elsewhere it is a second spelling of leaving out.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NewValueVisitor)
    }
}

struct NewValueVisitor;

impl Visitor<'_> for NewValueVisitor {
    type Value = NewValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number or null")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<NewValue, E> {
        Ok(NewValue(Some(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<NewValue, E> {
        Ok(NewValue(None))
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list_settings)).routes(routes!(change_settings))
}

/// Lists every setting with its value, where that comes from, and what it may be.
#[utoipa::path(get, path = "/v1/admin/settings", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = SettingsBody)))]
async fn list_settings(
    _authorized: Authorized<permission::SettingsRead>,
    state: State<HttpState>,
) -> Response {
    answer(&state.services.settings.runtime.current())
}

/// Changes settings, all of those named or none; null takes back what an operator set. With
/// If-Match the change is made only to the version that has this ETag.
#[utoipa::path(patch, path = "/v1/admin/settings", tag = "admin", security(("apiKey" = [])),
    request_body(content = BTreeMap<String, Option<u64>>, example = json!({"FEE_PER_KB": 300})),
    params(("If-Match" = Option<String>, Header, description = "The ETag that was read")),
    responses((status = 200, body = SettingsBody), (status = 400, body = ProblemBody), (status = 412, body = ProblemBody)))]
async fn change_settings(
    authorized: Authorized<permission::SettingsWrite>,
    state: State<HttpState>,
    if_match: IfMatch,
    body: ApiJson<BTreeMap<String, NewValue>>,
) -> Result<Response, Problem> {
    let changes = changes_of(body.0)?;
    let is_expected = move |version: &Digest| if_match.allows(&tag_of(version));
    let (actor, now) = (authorized.principal.id, state.clock.now());
    let settings = state.services.settings.change(changes, is_expected, actor, now).await?;
    Ok(answer(&settings))
}

fn changes_of(body: BTreeMap<String, NewValue>) -> Result<SettingChanges, Problem> {
    let mut unknown = Problem::new(ProblemCode::ValidationFailed);
    let mut changes = Vec::with_capacity(body.len());
    let mut is_known = true;
    for (text, NewValue(value)) in body {
        match text.parse::<SettingName>() {
            Ok(name) => changes.push((name, value)),
            Err(_) => {
                is_known = false;
                unknown = unknown.field(text, "is not a setting");
            }
        }
    }
    if is_known { Ok(changes) } else { Err(unknown) }
}

/// Shows settings as the routes do, for a command that reads them without a server.
pub fn settings_body(settings: &EffectiveSettings) -> serde_json::Value {
    serde_json::to_value(body_of(settings)).expect("a list of settings is plain data")
}

fn body_of(settings: &EffectiveSettings) -> SettingsBody {
    SettingsBody { settings: settings.all.iter().map(setting_body).collect() }
}

fn answer(settings: &EffectiveSettings) -> Response {
    let body = body_of(settings);
    let headers = [
        (ETAG, tag_of(&settings.version).header_value()),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Json(body)).into_response()
}

fn tag_of(version: &Digest) -> EntityTag {
    EntityTag::of(version.as_bytes())
}

fn setting_body(setting: &EffectiveSetting) -> SettingBody {
    let (origin, stored) = match &setting.origin {
        SettingOrigin::Default => ("default", None),
        SettingOrigin::Environment => ("environment", None),
        SettingOrigin::Network => ("network", None),
        SettingOrigin::Setting(stored) => ("setting", Some(stored)),
    };
    let bounds = &setting.bounds;
    SettingBody {
        name: bounds.name,
        value: setting.value,
        origin,
        default: bounds.default,
        initial: setting.initial,
        least: bounds.least,
        most: bounds.most,
        unit: bounds.unit,
        description: bounds.description,
        set_at: stored.map(|stored| stored.set_at.to_string()),
        set_by: stored.map(|stored| stored.set_by.clone()),
    }
}
