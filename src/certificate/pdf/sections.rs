//! What stands in the document, from top to bottom: the sentences of [`Texts`] with the values of
//! [`CertificateView`], as on the page.

use std::num::NonZeroU16;

use krilla::tagging::{ListNumbering, TableHeaderScope, Tag, TagKind};

use crate::certificate::pdf::fonts::Style;
use crate::certificate::pdf::sheet::{
    ALARM, BRONZE, Column, INK, Ink, MARGIN, Node, QUIET, Sheet, WIDTH,
};
use crate::certificate::{CertificateView, EventStatus, EventView, Qr, QrKind, State, Texts, fill};
use crate::types::Network;

/// The side of the QR code: a proof's 137 modules and the border come to 0.4 mm each.
const CODE_SIDE: f32 = 168.0;
const SMALL_CODE_SIDE: f32 = 96.0;
const LABELS: f32 = 116.0;

const BODY: Ink = Ink::new(Style::Regular, 10.5, INK);
const LABEL: Ink = Ink::new(Style::Italic, 10.5, QUIET);
const ITEM: Ink = Ink::new(Style::Regular, 9.6, INK);
const NUMBER: Ink = Ink::new(Style::Fixed, 7.6, INK);

/// Writes a heading, which is in the outline too; `shown` is how it is written.
fn heading(
    sheet: &mut Sheet<'_>,
    level: u16,
    (title, shown): (&str, &str),
    ink: Ink,
    column: Column,
) -> Node {
    sheet.reserve(ink.size * 1.3);
    sheet.outline.push((title.to_owned(), sheet.pages - 1, sheet.y));
    let level = NonZeroU16::new(level).expect("headings are counted from 1");
    sheet.text(Tag::Hn(level, Some(title.to_owned())).into(), shown, ink, column)
}

/// Places everything, and returns the tree of it.
pub(super) fn compose(
    sheet: &mut Sheet<'_>,
    view: &CertificateView,
    texts: &Texts,
    qr: &Qr,
) -> Vec<Node> {
    let mut tree = head(sheet, view, texts);
    tree.extend(product(sheet, view, texts));
    tree.extend(custody(sheet, view, texts));
    tree.extend(evidence(sheet, view, texts));
    tree.extend(conclusions(sheet, view, texts, qr));
    tree
}

fn head(sheet: &mut Sheet<'_>, view: &CertificateView, texts: &Texts) -> Vec<Node> {
    let centred = Column::whole(true);
    let title = Ink::new(Style::Medium, 12.0, BRONZE).spaced(0.22);
    let mut tree =
        vec![heading(sheet, 1, (texts.title, &texts.title.to_uppercase()), title, centred)];
    sheet.skip(9.0);
    sheet.rule(WIDTH / 2.0 - 26.0, 52.0, 0.8, BRONZE);
    sheet.skip(12.0);
    let name = view.product.as_ref().and_then(|product| product.name.as_deref());
    let name = name.unwrap_or(texts.unnamed);
    tree.push(sheet.text(Tag::P.into(), name, Ink::new(Style::Regular, 29.0, INK), centred));
    sheet.skip(3.0);
    let uid = format!("{} {}", texts.tag, view.uid);
    let small = Ink::new(Style::Regular, 11.5, QUIET).spaced(0.03);
    tree.push(sheet.text(Tag::P.into(), &uid, small, centred));
    sheet.skip(13.0);
    let is_wrong = view.state == State::Failed;
    let verdict = Ink::new(Style::Medium, 16.0, if is_wrong { ALARM } else { INK });
    tree.push(heading(
        sheet,
        2,
        (texts.state(view.state), texts.state(view.state)),
        verdict,
        centred,
    ));
    let detail = Ink::new(Style::Italic, 11.5, if is_wrong { ALARM } else { INK });
    tree.push(sheet.text(Tag::P.into(), texts.state_detail(view.state), detail, centred));
    if let Some(failure) = &view.failure {
        let values = [("step", failure.name), ("subject", failure.subject.as_str())];
        let told = fill(texts.failed_at, &values);
        tree.push(sheet.text(Tag::P.into(), &told, detail, centred));
    }
    let warning = match (view.is_simulated, view.network) {
        (true, _) => Some(texts.simulated),
        (false, Network::Test) => Some(texts.test_network),
        (false, Network::Main) => None,
    };
    if let Some(warning) = warning {
        sheet.skip(9.0);
        sheet.rule(MARGIN + 40.0, WIDTH - 2.0 * MARGIN - 80.0, 0.7, ALARM);
        sheet.skip(4.0);
        let column =
            Column { left: MARGIN + 50.0, width: WIDTH - 2.0 * MARGIN - 100.0, is_centred: true };
        let loud = Ink::new(Style::Medium, 10.5, ALARM);
        tree.push(sheet.text(Tag::P.into(), warning, loud, column));
        sheet.skip(5.0);
        sheet.rule(MARGIN + 40.0, WIDTH - 2.0 * MARGIN - 80.0, 0.7, ALARM);
    }
    tree
}

fn section(sheet: &mut Sheet<'_>, title: &str) -> Node {
    sheet.skip(15.0);
    sheet.reserve(60.0);
    let ink = Ink::new(Style::Medium, 9.5, BRONZE).spaced(0.14);
    let node = heading(sheet, 2, (title, &title.to_uppercase()), ink, Column::whole(false));
    sheet.skip(2.0);
    sheet.rule(MARGIN, WIDTH - 2.0 * MARGIN, 0.5, BRONZE);
    sheet.skip(5.0);
    node
}

/// Rows of a label and a value, as a table whose first column is its head.
fn rows(sheet: &mut Sheet<'_>, rows: &[(&str, &str, Ink)]) -> Node {
    let left = MARGIN + LABELS;
    let values = Column::at(left, WIDTH - MARGIN - left);
    let mut lines = Vec::new();
    for (label, value, ink) in rows {
        sheet.reserve(sheet.height(value, *ink, values.width).max(14.0));
        let begin = sheet.y;
        let head = sheet.text(
            Tag::TH(TableHeaderScope::Row).into(),
            label,
            LABEL,
            Column::at(MARGIN, LABELS - 8.0),
        );
        let after = sheet.y;
        // The baselines of both sizes are one.
        sheet.y = begin + LABEL.size - ink.size;
        let data = sheet.text(Tag::TD.into(), value, *ink, values);
        sheet.y = sheet.y.max(after) + 1.5;
        lines.push(Node::Group(Tag::TR.into(), vec![head, data]));
    }
    Node::Group(Tag::Table.into(), vec![Node::Group(Tag::TBody.into(), lines)])
}

fn product(sheet: &mut Sheet<'_>, view: &CertificateView, texts: &Texts) -> Vec<Node> {
    let Some(product) = &view.product else { return Vec::new() };
    let all = [
        (texts.category, &product.category, BODY),
        (texts.sku, &product.sku, BODY),
        (texts.serial_number, &product.serial_number, BODY),
        (texts.material, &product.material, BODY),
        (texts.patch_location, &product.patch_location, BODY),
        (texts.image, &product.image, NUMBER),
        (texts.owner, &view.owner, NUMBER),
    ];
    let told = all.iter().filter_map(|(label, value, ink)| Some((*label, value.as_deref()?, *ink)));
    let told: Vec<(&str, &str, Ink)> = told.collect();
    if told.is_empty() {
        return Vec::new();
    }
    vec![section(sheet, texts.product), rows(sheet, &told)]
}

fn custody(sheet: &mut Sheet<'_>, view: &CertificateView, texts: &Texts) -> Vec<Node> {
    const COLUMNS: [(f32, f32); 4] = [(0.0, 68.0), (72.0, 150.0), (228.0, 138.0), (370.0, 101.0)];
    if view.events.is_empty() {
        return Vec::new();
    }
    let mut tree = vec![section(sheet, texts.custody)];
    let caption = Ink::new(Style::Italic, 9.5, QUIET);
    let caption =
        sheet.text(Tag::Caption.into(), texts.custody_caption, caption, Column::whole(false));
    sheet.skip(4.0);
    let line = |sheet: &mut Sheet<'_>, cells: [(String, Ink); 4], is_head: bool| {
        let height = cells
            .iter()
            .zip(COLUMNS)
            .map(|((text, ink), (_, width))| sheet.height(text, *ink, width));
        sheet.reserve(height.fold(14.0, f32::max));
        let (begin, mut end) = (sheet.y, sheet.y);
        let mut nodes = Vec::new();
        for ((text, ink), (left, width)) in cells.iter().zip(COLUMNS) {
            sheet.y = begin + BODY.size - ink.size;
            let tag: TagKind =
                if is_head { Tag::TH(TableHeaderScope::Column).into() } else { Tag::TD.into() };
            nodes.push(sheet.text(tag, text, *ink, Column::at(MARGIN + left, width)));
            end = end.max(sheet.y);
        }
        sheet.y = end + 2.0;
        Node::Group(Tag::TR.into(), nodes)
    };
    let heads =
        [texts.event, texts.owner, texts.time, texts.block].map(|it| (it.to_owned(), LABEL));
    let head = Node::Group(Tag::THead.into(), vec![line(sheet, heads, true)]);
    let events = view.events.iter().map(|event| line(sheet, cells(event, texts), false)).collect();
    let body = Node::Group(Tag::TBody.into(), events);
    tree.push(Node::Group(Tag::Table.into(), vec![caption, head, body]));
    tree
}

fn cells(event: &EventView, texts: &Texts) -> [(String, Ink); 4] {
    let mut block = match (&event.block, event.status) {
        (Some(block), _) => fill(texts.block_number, &[("height", &block.height.to_string())]),
        (None, EventStatus::Unsent) => texts.unsent.to_owned(),
        (None, EventStatus::Waiting | EventStatus::InBlock) => texts.waiting.to_owned(),
    };
    if let Some(leaf) = &event.leaf {
        let (index, size) = ((leaf.index + 1).to_string(), leaf.size.to_string());
        block = format!("{block}, {}", fill(texts.leaf, &[("index", &index), ("size", &size)]));
    }
    let small = Ink::new(Style::Regular, 9.5, INK);
    let time = event.claimed_time.as_deref().map(|time| texts.date_of(time));
    [
        (texts.purpose(event.purpose).to_owned(), BODY),
        (event.owner.clone().unwrap_or_else(|| "–".to_owned()), Ink::new(Style::Fixed, 7.2, INK)),
        (time.unwrap_or_else(|| "–".to_owned()), small),
        (block, small),
    ]
}

fn evidence(sheet: &mut Sheet<'_>, view: &CertificateView, texts: &Texts) -> Vec<Node> {
    if view.state == State::Failed {
        return Vec::new();
    }
    let network = match (view.is_simulated, view.network) {
        (true, _) => texts.networks[2],
        (false, Network::Test) => texts.networks[1],
        (false, Network::Main) => texts.networks[0],
    };
    let txid = view.events.iter().rev().find_map(|event| event.txid).map(|it| it.to_string());
    let block = view.newest_block();
    let mined = block.map(|block| texts.date_of(&block.time.to_string()));
    let mined = mined.map(|time| fill(texts.block_time, &[("time", &time)]));
    let hash = block.map(|block| block.hash.to_string());
    let mut told: Vec<(&str, &str, Ink)> = Vec::new();
    told.extend(view.issuers.iter().map(|issuer| (texts.issuer, issuer.as_str(), NUMBER)));
    told.push((texts.network, network, BODY));
    told.extend(txid.as_deref().map(|txid| (texts.transaction, txid, NUMBER)));
    told.extend(hash.as_deref().map(|hash| (texts.block_hash, hash, NUMBER)));
    told.extend(mined.as_deref().map(|time| (texts.block, time, BODY)));
    vec![section(sheet, texts.evidence), rows(sheet, &told)]
}

/// What is proved and what not, beside the code.
fn conclusions(sheet: &mut Sheet<'_>, view: &CertificateView, texts: &Texts, qr: &Qr) -> Vec<Node> {
    let side = match qr.kind {
        QrKind::Proof => CODE_SIDE,
        QrKind::Address => SMALL_CODE_SIDE,
    };
    let found: Vec<String> = view.findings.iter().map(|it| texts.finding(*it).to_owned()).collect();
    let open: Vec<String> = view.caveats.iter().map(|it| texts.caveat(*it)).collect();
    let width = WIDTH - 2.0 * MARGIN - side - 31.0;
    let lists: f32 = found.iter().chain(&open).map(|it| sheet.height(it, ITEM, width)).sum();
    sheet.skip(14.0);
    // They stand together, so that no page has a last line alone.
    sheet.reserve((side + 22.0).max(lists + 42.0));
    let (top, page) = (sheet.y, sheet.pages);
    let left = WIDTH - MARGIN - side;
    let code = sheet.code(left, top, side, qr);
    let mut tree = vec![Node::Group(Tag::Figure(Some(texts.qr_alt.to_owned())).into(), vec![code])];
    sheet.y = top + side + 1.0;
    let caption = Column { left, width: side, is_centred: true };
    let caption =
        sheet.text(Tag::P.into(), texts.qr_caption, Ink::new(Style::Italic, 9.5, QUIET), caption);
    let below = sheet.y;
    sheet.y = top;
    let column = Column::at(MARGIN, left - MARGIN - 20.0);
    tree.extend(list(sheet, texts.proved, found, column));
    tree.extend(list(sheet, texts.not_proved, open, column));
    tree.push(caption);
    if sheet.pages == page {
        sheet.y = sheet.y.max(below);
    }
    tree
}

fn list(sheet: &mut Sheet<'_>, title: &str, items: Vec<String>, column: Column) -> Vec<Node> {
    if items.is_empty() {
        return Vec::new();
    }
    let ink = Ink::new(Style::Medium, 9.5, BRONZE).spaced(0.14);
    sheet.reserve(40.0);
    let head = heading(sheet, 2, (title, &title.to_uppercase()), ink, column);
    sheet.skip(2.0);
    let small = ITEM;
    let body = Column::at(column.left + 11.0, column.width - 11.0);
    let mut lines = Vec::new();
    for item in items {
        sheet.reserve(sheet.height(&item, small, body.width));
        let begin = sheet.y;
        let label = sheet.text(Tag::Lbl.into(), "–", small, column);
        sheet.y = begin;
        let text = sheet.text(Tag::LBody.into(), &item, small, body);
        lines.push(Node::Group(Tag::LI.into(), vec![label, text]));
    }
    sheet.skip(7.0);
    vec![head, Node::Group(Tag::L(ListNumbering::None).into(), lines)]
}
