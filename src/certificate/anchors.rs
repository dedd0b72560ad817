//! The public list of anchors as a page: what the operator committed to, for people to look through.

mod texts;

use maud::{Markup, html};

use crate::certificate::anchors::texts::{AnchorTexts, texts_of};
use crate::certificate::page::{PageParts, frame};
use crate::certificate::{Language, fill};
use crate::types::{Digest, Txid};

/// What a transaction commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorRowKind {
    /// One registration.
    Registration,
    /// One transfer.
    Transfer,
    /// Many registrations.
    Batch,
}

/// A transaction with what it commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorRow {
    /// What it carries.
    pub kind: AnchorRowKind,
    /// How many records that is.
    pub size: u64,
    /// A record's commitment, or the root of a batch.
    pub commitment: Digest,
    /// The transaction.
    pub txid: Txid,
    /// Height and time (RFC 3339) of its block, once it is in one.
    pub block: Option<(u32, String)>,
}

/// A page of the list.
#[derive(Debug, Clone, Copy)]
pub struct AnchorsPage<'a> {
    /// The language.
    pub language: Language,
    /// Where the style lies, without a `/` at its end.
    pub assets: &'a str,
    /// Whether it shows batches alone.
    pub only_batches: bool,
    /// Newest first.
    pub rows: &'a [AnchorRow],
    /// The query of the next page, if there is one.
    pub next: Option<&'a str>,
}

/// Writes the page.
pub fn anchors_page(page: &AnchorsPage<'_>) -> String {
    let texts = texts_of(page.language);
    let body = html! {
        article.certificate #certificate {
            header.head {
                p.kicker { (texts.kicker) }
                h1 { (texts.title) }
                p.tag { (texts.intro) }
            }
            (choice(page, texts))
            @if page.rows.is_empty() {
                p.lead { (texts.empty) }
                p { (texts.empty_advice) }
            } @else {
                (table(page, texts))
            }
        }
        nav.actions aria-label=(texts.more) {
            @if let Some(next) = page.next { a rel="next" href=(format!("/anchors?{next}")) { (texts.older) } }
            a href="/v1/anchors" { (texts.data) }
            a href="/log/checkpoint" { (texts.log) }
        }
    };
    let parts = PageParts {
        language: page.language,
        assets: page.assets,
        modules: &[],
        path: "/anchors",
        address: "",
        proof: "",
        pdf: None,
        qr: None,
    };
    frame(texts.title, &parts, &body)
}

fn choice(page: &AnchorsPage<'_>, texts: &AnchorTexts) -> Markup {
    let current = |is_current: bool| is_current.then_some("true");
    html! {
        nav.languages.choice aria-label=(texts.choice) {
            a href="/anchors" aria-current=[current(!page.only_batches)] { (texts.everything) }
            a href="/anchors?kind=batch" aria-current=[current(page.only_batches)] { (texts.batches) }
        }
    }
}

fn table(page: &AnchorsPage<'_>, texts: &AnchorTexts) -> Markup {
    html! {
        table.custody {
            caption { (texts.caption) }
            thead {
                tr {
                    th scope="col" { (texts.kind) }
                    th scope="col" { (texts.records) }
                    th scope="col" { (texts.block) }
                    th scope="col" { (texts.hashes) }
                }
            }
            tbody {
                @for row in page.rows { (line(row, page.language, texts)) }
            }
        }
    }
}

fn line(row: &AnchorRow, language: Language, texts: &AnchorTexts) -> Markup {
    let kind = match row.kind {
        AnchorRowKind::Registration => texts.registration,
        AnchorRowKind::Transfer => texts.transfer,
        AnchorRowKind::Batch => texts.batch,
    };
    html! {
        tr {
            th scope="row" { (kind) }
            td data-column=(texts.records) { (row.size) }
            td data-column=(texts.block) {
                @match &row.block {
                    Some((height, time)) => {
                        (height) small { time datetime=(time) { (language.texts().date_of(time)) } }
                    }
                    None => (texts.waiting),
                }
            }
            td.hashes {
                small { (texts.transaction) }
                span.mono { (row.txid) }
                small { (fill(texts.commitment, &[("kind", kind)])) }
                span.mono { (row.commitment) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(language: Language, rows: &[AnchorRow], next: Option<&str>) -> String {
        anchors_page(&AnchorsPage { language, assets: "/a", only_batches: false, rows, next })
    }

    #[test]
    fn a_list_shows_what_stands_on_chain_and_where_it_goes_on() {
        let rows = [AnchorRow {
            kind: AnchorRowKind::Batch,
            size: 42,
            commitment: Digest::from_bytes([0xab; 32]),
            txid: Txid::from_bytes([0xcd; 32]),
            block: Some((7, "2026-11-26T12:00:00.000Z".into())),
        }];
        let text = page(Language::English, &rows, Some("cursor=x"));
        for part in ["Batch", ">42<", &"ab".repeat(32), &"cd".repeat(32), "/anchors?cursor=x"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(page(Language::German, &rows, None).contains("Bündel"));
        let empty = page(Language::English, &[], None);
        assert!(empty.contains("Nothing") && !empty.contains("<table"), "{empty}");
    }
}
