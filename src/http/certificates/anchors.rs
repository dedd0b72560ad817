//! The public list of anchors as a page.

use axum::response::Response;

use crate::certificate::{AnchorRow, AnchorRowKind, AnchorsPage, anchors_page};
use crate::http::HttpState;
use crate::http::anchors::{AnchorsQuery, Asked};
use crate::http::certificates::assets::Assets;
use crate::http::certificates::{Visitor, member, page};
use crate::http::problem::Problem;
use crate::service::anchors::{Anchor, AnchorKind};

/// Answers with the page that the query asks for.
pub(super) fn list(
    state: &HttpState,
    assets: &Assets,
    visitor: &Visitor,
    query: Option<&str>,
) -> Result<Response, Problem> {
    let limit = member(query, "limit").and_then(|text| text.parse().ok());
    let (kind, cursor) = (member(query, "kind"), member(query, "cursor"));
    let asked = Asked::read(&AnchorsQuery { kind, limit, cursor })?;
    let found = asked.page(state)?;
    let rows: Vec<AnchorRow> = found.items.into_iter().map(row).collect();
    let next = found.next.map(|txid| asked.next_query(&txid.to_string()));
    let text = anchors_page(&AnchorsPage {
        language: visitor.language,
        assets: assets.folder(),
        only_batches: asked.only_batches,
        rows: &rows,
        next: next.as_deref(),
    });
    Ok(page::give(text, visitor))
}

fn row(anchor: Anchor) -> AnchorRow {
    AnchorRow {
        kind: match anchor.kind {
            AnchorKind::Registration => AnchorRowKind::Registration,
            AnchorKind::Transfer => AnchorRowKind::Transfer,
            AnchorKind::Batch => AnchorRowKind::Batch,
        },
        size: anchor.size,
        commitment: anchor.commitment,
        txid: anchor.txid,
        block: anchor.block.map(|block| (block.height, block.time.to_string())),
    }
}
