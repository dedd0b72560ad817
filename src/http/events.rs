//! The stream of events, as Server-Sent Events.
//!
//! Each caller hears what he could read by a route. His credentials are judged again with every
//! heartbeat, so that a key that was taken back hears no more than seconds longer.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, State};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Principal, permission};
use crate::http::HttpState;
use crate::http::claims::{WhoseClaims, status_of, whose_claims};
use crate::http::credentials::Authorized;
use crate::http::extract::ApiQuery;
use crate::http::imports::ImportBody;
use crate::http::logs::LogsBody;
use crate::http::overview::OverviewBody;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::http::session_cookie;
use crate::service::live::{
    Audience, Event, EventId, ListenRefused, Opening, Sent, Subscription, Topic,
};
use crate::types::{RecordId, Txid};

/// What browsers send when they come back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx to pass every piece on at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Between two signs of life while nothing happens; proxies give up after 60 seconds of silence.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends after this and is resumed, so that none outlives a proxy's patience or a change of
/// who may what by long.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// How soon a browser comes back after a stream ended, in milliseconds.
const RETRY_MS: u32 = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Topics with commas between them: `overview`, `record`, `claim`, `batch`, `settings`, `import`,
    /// `log`. All that one may hear but `log` if not said.
    topics: Option<String>,
}

/// A record came to another stage.
#[derive(Debug, Serialize, ToSchema)]
struct RecordEvent<'a> {
    #[schema(value_type = String)]
    id: RecordId,
    uid_tag_id: &'a str,
    stage: &'static str,
    #[schema(value_type = Option<String>)]
    txid: Option<Txid>,
}

/// A batch, and with it each of its records, came to another stage.
#[derive(Debug, Serialize, ToSchema)]
struct BatchEvent {
    #[schema(value_type = String)]
    id: RecordId,
    size: u64,
    stage: &'static str,
    #[schema(value_type = Option<String>)]
    txid: Option<Txid>,
}

/// A claim was filed, approved, or its time ran out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ClaimEvent<'a> {
    claim_id: String,
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: &'a str,
    /// `pending`, `approved` or `expired`.
    status: &'static str,
    expires_at: String,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Streams what happens.
#[utoipa::path(get, path = "/v1/admin/events", tag = "admin", security(("apiKey" = [])),
    params(EventsQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was had")),
    responses((status = 200, content_type = "text/event-stream", body = String),
        (status = 400, body = ProblemBody)))]
async fn events(
    authorized: Authorized<permission::EventsRead>,
    credentials: Credentials,
    state: State<HttpState>,
    query: ApiQuery<EventsQuery>,
) -> Result<Response, Problem> {
    let audience = audience_of(&authorized.principal, query.0.topics.as_deref())?;
    // Text that is no name of ours is one of another time: what came after it is not known.
    let last = credentials.0.headers.get(LAST_EVENT_ID).map(|value| {
        let name = value.to_str().ok().and_then(|text| text.parse().ok());
        name.unwrap_or(EventId { epoch: 0, number: u64::MAX })
    });
    let feed = &state.services.console.feed;
    let subscription = feed.listen(&authorized.principal.id, audience, last)?;
    let now = Instant::now();
    let stream = EventStream {
        opening: Some(opening(&subscription)),
        subscription,
        credentials,
        principal: authorized.principal,
        state: state.0,
        heartbeat: now + HEARTBEAT,
        end: now + LONGEST,
    };
    let body = Body::from_stream(stream::unfold(stream, EventStream::next));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (X_ACCEL_BUFFERING, "no"),
    ];
    Ok((headers, body).into_response())
}

/// The head of a request, by which its sender is judged again later.
#[derive(Debug)]
struct Credentials(Parts);

impl<S: Sync> FromRequestParts<S> for Credentials {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.clone()))
    }
}

impl From<ListenRefused> for Problem {
    fn from(refused: ListenRefused) -> Self {
        let code = match refused {
            ListenRefused::TooManyOfOne => ProblemCode::RateLimited,
            ListenRefused::TooMany => ProblemCode::Overloaded,
            ListenRefused::Closed => ProblemCode::ShuttingDown,
        };
        Self::new(code).detail(format!("{refused}.")).retry_after(5)
    }
}

/// Says whether a caller may read what a topic tells.
fn may_hear(principal: &Principal, topic: Topic) -> bool {
    match topic {
        Topic::Overview => principal.may::<permission::OverviewRead>(),
        Topic::Record | Topic::Batch => principal.may::<permission::RecordsRead>(),
        Topic::Import => principal.may::<permission::PatchesRead>(),
        Topic::Claim => {
            principal.may::<permission::ClaimsRead>() && whose_claims(principal).is_some()
        }
        Topic::Settings => principal.may::<permission::SettingsRead>(),
        Topic::Log => principal.may::<permission::LogsRead>(),
    }
}

/// Returns what a caller hears of what he asks for.
fn audience_of(principal: &Principal, asked: Option<&str>) -> Result<Audience, Problem> {
    let shop = whose_claims(principal).and_then(WhoseClaims::shop);
    let allowed = Topic::ALL.into_iter().filter(|topic| may_hear(principal, *topic));
    let Some(asked) = asked else {
        let topics = allowed.filter(|topic| *topic != Topic::Log).collect();
        return Ok(Audience { topics, shop });
    };
    let mut topics = Vec::new();
    for word in asked.split(',') {
        let known = Topic::ALL.into_iter().find(|topic| topic.as_str() == word);
        let Some(topic) = known else {
            let words = Topic::ALL.map(Topic::as_str).join(", ");
            return Err(Problem::invalid_field("topics", format!("must be of {words}")));
        };
        if !may_hear(principal, topic) {
            let detail = "The API key may not read one of the topics.";
            return Err(Problem::new(ProblemCode::Forbidden).detail(detail));
        }
        topics.push(topic);
    }
    Ok(Audience { topics, shop })
}

/// One stream.
struct EventStream {
    /// What is sent before any event.
    opening: Option<String>,
    subscription: Subscription,
    credentials: Credentials,
    principal: Principal,
    state: HttpState,
    heartbeat: Instant,
    end: Instant,
}

impl EventStream {
    /// Returns the next piece; nothing at the end.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(opening) = self.opening.take() {
            return Some((Ok(opening.into()), self));
        }
        let (end, heartbeat) = (self.end, self.heartbeat);
        let piece = tokio::select! {
            biased;
            () = sleep_until(end) => return None,
            () = sleep_until(heartbeat) => self.heartbeat().await?,
            sent = self.subscription.next() => self.written(&*sent?),
        };
        Some((Ok(piece.into()), self))
    }

    /// Judges the caller anew, and says that the stream lives and where it stands: an `id` without data
    /// is no event, but is what a browser comes back with.
    async fn heartbeat(&mut self) -> Option<String> {
        self.heartbeat = Instant::now() + HEARTBEAT;
        let parts = &mut self.credentials.0;
        session_cookie::mark_as_background(parts);
        let judged =
            Authorized::<permission::EventsRead>::from_request_parts(parts, &self.state).await;
        if judged.ok().map(|authorized| authorized.principal).as_ref() != Some(&self.principal) {
            return None;
        }
        let mut text = ": here\n".to_owned();
        if let Some(position) = self.subscription.position() {
            let _ = writeln!(text, "id: {position}");
        }
        text.push('\n');
        Some(text)
    }

    fn written(&self, sent: &Sent) -> String {
        let (id, topic) = (self.subscription.id_of(sent), sent.event.topic().as_str());
        let data = data_of(&sent.event);
        format!("id: {id}\nevent: {topic}\ndata: {data}\n\n")
    }
}

/// Writes how a stream begins: a comment, so that whoever stands between passes something on at once,
/// and where the stream stands. Only a stream that misses nothing before that gives it as an id.
fn opening(subscription: &Subscription) -> String {
    let newest = subscription.newest;
    let hello = json!({ "newest": newest.to_string() });
    let mut text = format!(": hello\nretry: {RETRY_MS}\n");
    match subscription.opening {
        Opening::Fresh => {
            let _ = write!(text, "id: {newest}\nevent: hello\ndata: {hello}\n\n");
        }
        Opening::Resumed => {
            let _ = write!(text, "event: hello\ndata: {hello}\n\n");
        }
        Opening::Reset => {
            let _ = write!(text, "event: hello\ndata: {hello}\n\n");
            let _ = write!(text, "id: {newest}\nevent: reset\ndata: {{}}\n\n");
        }
    }
    text
}

fn data_of(event: &Event) -> String {
    let written = match event {
        Event::Overview(overview) => serde_json::to_string(&OverviewBody::from(overview.as_ref())),
        Event::Record(moved) => serde_json::to_string(&RecordEvent {
            id: moved.id,
            uid_tag_id: &moved.uid,
            stage: moved.stage.as_str(),
            txid: moved.txid,
        }),
        Event::Batch(moved) => serde_json::to_string(&BatchEvent {
            id: moved.id,
            size: moved.size,
            stage: moved.stage.as_str(),
            txid: moved.txid,
        }),
        Event::Claim(moved) => serde_json::to_string(&ClaimEvent {
            claim_id: hex::encode(moved.claim.id),
            uid_tag_id: moved.claim.uid.as_str(),
            status: status_of(&moved.claim, moved.at),
            expires_at: moved.claim.expires_at.to_string(),
        }),
        Event::Settings => Ok("{}".to_owned()),
        Event::Log(lines) => serde_json::to_string(&LogsBody::of(lines)),
        Event::Import(import) => serde_json::to_string(&ImportBody::from(import)),
    };
    written.expect("events consist of strings and numbers")
}
