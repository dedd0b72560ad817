//! Lists of products, page by page and as a file.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiQuery;
use crate::http::patches::parse_address;
use crate::http::problem::{Problem, ProblemBody};
use crate::service::StoreError;
use crate::service::listing::{
    CursorError, ExportFormat, ExportPage, ExportPlace, ListedPatch, MAX_PAGE, PatchFilter,
    PatchQuery, PatchSort, read_cursor, write_cursor,
};
use crate::service::pending::PendingStatus;
use crate::types::Txid;

const DEFAULT_PAGE: usize = 50;
/// The longest text that is searched for, in bytes.
const MAX_SEARCH: usize = 512;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Products on the page, 1 to 200; 50 if not said. A page has fewer, or none, where few rows fit:
    /// the list goes on as long as there is a `nextCursor`.
    limit: Option<usize>,
    /// The `nextCursor` of the page before, of the same list.
    cursor: Option<String>,
    /// Text that the tag or the name contains, any case.
    search: Option<String>,
    /// The owner's address.
    owner: Option<String>,
    /// `pending`, `anchoring`, `confirmed` or `failed`.
    status: Option<String>,
    /// The category, any case.
    category: Option<String>,
    /// `uid`, `-uid`, `created` or `-created`; `uid` if not said.
    sort: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// `csv`, for spreadsheets, or `jsonl`, as it is.
    format: String,
    /// Text that the tag or the name contains, any case.
    search: Option<String>,
    /// The owner's address.
    owner: Option<String>,
    /// `pending`, `anchoring`, `confirmed` or `failed`.
    status: Option<String>,
    /// The category, any case.
    category: Option<String>,
    /// `uid`, `-uid`, `created` or `-created`; `uid` if not said.
    sort: Option<String>,
}

/// A page of products.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ListBody {
    items: Vec<ItemBody>,
    next_cursor: Option<String>,
    /// How many products there are, whatever the filter.
    total: u64,
    /// How many rows were looked at for this page.
    scanned: usize,
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
struct ItemBody {
    uid_tag_id: String,
    name: Option<String>,
    category: Option<String>,
    status: &'static str,
    /// Nothing if it was erased at the owner's wish.
    owner: Option<String>,
    #[schema(value_type = Option<String>)]
    current_txid: Option<Txid>,
    created_at: String,
    updated_at: String,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list_patches)).routes(routes!(export_patches))
}

/// Lists products.
#[utoipa::path(get, path = "/v1/admin/patches", tag = "admin", security(("apiKey" = [])),
    params(ListQuery), responses((status = 200, body = ListBody),
        (status = 400, body = ProblemBody)))]
async fn list_patches(
    _authorized: Authorized<permission::PatchesRead>,
    state: State<HttpState>,
    query: ApiQuery<ListQuery>,
) -> Result<Response, Problem> {
    let limit = query.0.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_PAGE}")));
    }
    let wanted = query_of(&query.0, &state)?;
    let after = query.0.cursor.as_deref().map(|text| place_of(&wanted, text)).transpose()?;
    let page = state.services.listing.list(&wanted, after.as_deref(), limit)?;
    let next_cursor = page.next.map(|place| URL_SAFE_NO_PAD.encode(write_cursor(&wanted, &place)));
    let link = next_cursor.as_deref().map(|cursor| (LINK, link_to_next(&query.0, limit, cursor)));
    let items = page.items.into_iter().map(item_body).collect();
    let (total, scanned) = (page.total, page.scanned);
    let body = Json(ListBody { items, next_cursor, total, scanned });
    let no_store = (CACHE_CONTROL, "no-store".to_owned());
    let headers: Vec<_> = std::iter::once(no_store).chain(link).collect();
    Ok((axum::response::AppendHeaders(headers), body).into_response())
}

/// Streams every product of a filter as a file.
#[utoipa::path(get, path = "/v1/admin/patches/export", tag = "admin", security(("apiKey" = [])),
    params(ExportQuery), responses(
        (status = 200, description = "The file. JSON lines end with `{\"complete\":true,\"rows\":N}`; a \
            file that breaks off ends the connection without the last chunk",
            content((String = "text/csv"), (String = "application/x-ndjson"))),
        (status = 400, body = ProblemBody)))]
async fn export_patches(
    _authorized: Authorized<permission::PatchesRead>,
    state: State<HttpState>,
    query: ApiQuery<ExportQuery>,
) -> Result<Response, Problem> {
    let ExportQuery { format, search, owner, status, category, sort } = query.0;
    let format = format_of(&format)?;
    let wanted = ListQuery { search, owner, status, category, sort, ..ListQuery::default() };
    let wanted = query_of(&wanted, &state)?;
    // The first piece is read before the head goes out, so that a store that cannot be read is told
    // as a status.
    let first = read_piece(&state, &wanted, format, ExportPlace::default()).await?;
    let date = &state.clock.now().to_string()[..10];
    let name = format!("attachment; filename=\"patches-{date}.{}\"", format.as_str());
    let state = state.0.clone();
    let begin = (first.is_last, first.place);
    let rest = stream::try_unfold(begin, move |(is_over, place)| {
        let (state, wanted) = (state.clone(), wanted.clone());
        async move {
            if is_over {
                return Ok(None);
            }
            let page = read_piece(&state, &wanted, format, place).await.inspect_err(|error| {
                tracing::warn!(%error, "an export was cut short");
            })?;
            Ok::<_, StoreError>(Some((Bytes::from(page.bytes), (page.is_last, page.place))))
        }
    });
    let pieces = stream::once(async { Ok(Bytes::from(first.bytes)) });
    let body = Body::from_stream(futures_util::StreamExt::chain(pieces, rest));
    let headers = [
        (CONTENT_TYPE, format.media_type().to_owned()),
        (CONTENT_DISPOSITION, name),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, body).into_response())
}

/// Reads a piece where it holds nobody up.
async fn read_piece(
    state: &HttpState,
    query: &PatchQuery,
    format: ExportFormat,
    place: ExportPlace,
) -> Result<ExportPage, StoreError> {
    let (listing, query) = (state.services.listing.clone(), query.clone());
    let reading = tokio::task::spawn_blocking(move || listing.export(&query, format, &place));
    reading.await.map_err(|_| StoreError::Panicked)?
}

/// Links to the next page of the same list (RFC 8288).
fn link_to_next(query: &ListQuery, limit: usize, cursor: &str) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("limit", &limit.to_string()).append_pair("cursor", cursor);
    let filters = [
        ("search", &query.search),
        ("owner", &query.owner),
        ("status", &query.status),
        ("category", &query.category),
        ("sort", &query.sort),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    format!("</v1/admin/patches?{}>; rel=\"next\"", pairs.finish())
}

fn place_of(query: &PatchQuery, text: &str) -> Result<Vec<u8>, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed);
    bytes
        .and_then(|bytes| read_cursor(query, &bytes))
        .map_err(|error| Problem::invalid_field("cursor", error.to_string()))
}

fn format_of(word: &str) -> Result<ExportFormat, Problem> {
    match word {
        "csv" => Ok(ExportFormat::Csv),
        "jsonl" => Ok(ExportFormat::JsonLines),
        _ => Err(Problem::invalid_field("format", "must be csv or jsonl")),
    }
}

fn query_of(query: &ListQuery, state: &HttpState) -> Result<PatchQuery, Problem> {
    let owner = query.owner.as_deref().map(|text| parse_address("owner", text, state));
    let status = query.status.as_deref().map(|word| {
        PendingStatus::ALL.into_iter().find(|status| status.as_str() == word).ok_or_else(|| {
            Problem::invalid_field("status", "must be pending, anchoring, confirmed or failed")
        })
    });
    let sort = query.sort.as_deref().map(|word| {
        PatchSort::ALL
            .into_iter()
            .find(|sort| sort.as_str() == word)
            .ok_or_else(|| Problem::invalid_field("sort", "must be uid, -uid, created or -created"))
    });
    for (name, text) in [("search", &query.search), ("category", &query.category)] {
        if text.as_ref().is_some_and(|text| text.len() > MAX_SEARCH) {
            return Err(Problem::invalid_field(
                name,
                format!("must have at most {MAX_SEARCH} bytes"),
            ));
        }
    }
    let filter = PatchFilter {
        search: query.search.clone(),
        owner: owner.transpose()?,
        status: status.transpose()?,
        category: query.category.clone(),
    };
    Ok(PatchQuery { filter, sort: sort.transpose()?.unwrap_or_default() })
}

fn item_body(listed: ListedPatch) -> ItemBody {
    let product = listed.facts.map(|facts| facts.product);
    let (name, category) = product.map_or((None, None), |product| (product.name, product.category));
    ItemBody {
        uid_tag_id: listed.patch.uid.into(),
        name,
        category,
        status: listed.status.as_str(),
        owner: (!listed.is_owner_erased).then(|| listed.patch.owner.to_string()),
        current_txid: listed.patch.current_txid,
        created_at: listed.patch.created_at.to_string(),
        updated_at: listed.patch.updated_at.to_string(),
    }
}
