//! The parts of a certificate's page. `data-proof` names what the check compares with the proof.

use maud::{Markup, html};

use crate::certificate::page::state_name;
use crate::certificate::{
    CertificateView, EventStatus, EventView, FailedStep, ProductView, Texts, fill,
};
use crate::types::Network;

/// The product's name, its tag, and what the certificate is worth.
pub(super) fn head(view: &CertificateView, texts: &Texts) -> Markup {
    let name = view.product.as_ref().and_then(|product| product.name.as_deref());
    html! {
        header.head {
            p.kicker { (texts.title) }
            @match name {
                Some(name) => h1 data-proof="name" data-label=(texts.name) { (name) },
                None => h1 { (texts.unnamed) },
            }
            p.tag {
                span { (texts.tag) " " }
                span.mono data-proof="uid" data-label=(texts.tag) { (view.uid) }
            }
            div.state.(state_name(view.state)) {
                p.seal { (texts.state(view.state)) }
                p { (texts.state_detail(view.state)) }
            }
        }
    }
}

/// The QR code.
pub(super) fn qr(path: Option<&str>, texts: &Texts) -> Markup {
    html! {
        @if let Some(path) = path {
            figure.qr {
                img src=(path) alt=(texts.qr_alt) width="160" height="160";
                figcaption { (texts.qr_caption) }
            }
        }
    }
}

/// The step that failed.
pub(super) fn failure(failure: &FailedStep, texts: &Texts) -> Markup {
    let step = texts.check.steps.iter().find(|(name, _)| *name == failure.name);
    let step = step.map_or(failure.name, |(_, sentence)| sentence);
    let subject = subject(&failure.subject, texts);
    html! {
        p.failure { (fill(texts.failed_at, &[("step", step), ("subject", &subject)])) }
    }
}

/// Writes `record 0` or `block 812` as people count.
fn subject(subject: &str, texts: &Texts) -> String {
    let check = &texts.check;
    match subject.split_once(' ') {
        Some(("record", number)) => {
            let number = number.parse().map_or(0, |number: usize| number + 1).to_string();
            fill(check.record, &[("number", &number)])
        }
        Some(("block", number)) => fill(check.block, &[("number", number)]),
        Some(_) | None => check.whole.to_owned(),
    }
}

fn row(label: &str, key: &str, value: Option<&str>, is_code: bool) -> Markup {
    html! {
        @if let Some(value) = value {
            div {
                dt { (label) }
                dd.mono[is_code] data-proof=(key) data-label=(label) { (value) }
            }
        }
    }
}

/// What the product is. Its name stands above.
pub(super) fn product(view: &CertificateView, texts: &Texts) -> Markup {
    let Some(product) = &view.product else { return html! {} };
    let ProductView { name: _, category, sku, serial_number, material, patch_location, image } =
        product;
    html! {
        section aria-labelledby="product-heading" {
            h2 #product-heading { (texts.product) }
            dl.facts {
                (row(texts.category, "category", category.as_deref(), false))
                (row(texts.material, "material", material.as_deref(), false))
                (row(texts.sku, "sku", sku.as_deref(), true))
                (row(texts.serial_number, "serial_number", serial_number.as_deref(), true))
                (row(texts.patch_location, "patch_location", patch_location.as_deref(), false))
                (row(texts.image, "image", image.as_deref(), true))
                (row(texts.owner, "owner", view.owner.as_deref(), true))
            }
        }
    }
}

/// Every event, oldest first.
pub(super) fn custody(view: &CertificateView, texts: &Texts) -> Markup {
    html! {
        @if !view.events.is_empty() {
            section aria-labelledby="custody-heading" {
                h2 #custody-heading { (texts.custody) }
                // The roles are said again: where a small screen lays the rows out as cards, browsers
                // would take the table for none.
                table.custody role="table" {
                    caption { (texts.custody_caption) }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for column in [texts.event, texts.owner, texts.time, texts.block] {
                                th role="columnheader" scope="col" { (column) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for event in &view.events { (event_row(event, texts)) }
                    }
                }
            }
        }
    }
}

fn event_row(event: &EventView, texts: &Texts) -> Markup {
    let time = event.claimed_time.as_deref();
    html! {
        tr role="row" {
            th role="rowheader" scope="row" { (texts.purpose(event.purpose)) }
            td.mono role="cell" data-column=(texts.owner) { (event.owner.as_deref().unwrap_or("—")) }
            td role="cell" data-column=(texts.time) {
                @match time {
                    Some(time) => time datetime=(time) { (texts.date_of(time)) },
                    None => "—",
                }
            }
            td role="cell" data-column=(texts.block) { (place(event, texts)) }
        }
    }
}

/// Where an event stands on the chain.
fn place(event: &EventView, texts: &Texts) -> Markup {
    html! {
        @match (event.block, event.status) {
            (Some(block), _) => {
                @let time = block.time.to_string();
                @let values = [("height", block.height.to_string())];
                (fill(texts.block_number, &[(values[0].0, &values[0].1)]))
                small { (fill(texts.block_time, &[("time", &texts.date_of(&time))])) }
            },
            (None, EventStatus::Unsent) => (texts.unsent),
            (None, EventStatus::Waiting | EventStatus::InBlock) => (texts.waiting),
        }
        @if let Some(leaf) = event.leaf {
            @let (index, size) = ((leaf.index + 1).to_string(), leaf.size.to_string());
            small { (fill(texts.leaf, &[("index", &index), ("size", &size)])) }
        }
    }
}

/// What holds it up, for those who look it up elsewhere.
pub(super) fn evidence(view: &CertificateView, texts: &Texts) -> Markup {
    let newest = view.events.iter().rev().find_map(|event| event.txid);
    let transaction = newest.map(|txid| txid.to_string());
    let block = view.newest_block().map(|block| block.hash.to_string());
    let network = match (view.is_simulated, view.network) {
        (true, _) => texts.networks[2],
        (false, Network::Main) => texts.networks[0],
        (false, Network::Test) => texts.networks[1],
    };
    html! {
        @if !view.events.is_empty() {
            section.evidence aria-labelledby="evidence-heading" {
                h2 #evidence-heading { (texts.evidence) }
                dl.facts.long {
                    div { dt { (texts.network) } dd { (network) } }
                    @for issuer in &view.issuers {
                        div { dt { (texts.issuer) } dd.mono { (issuer) } }
                    }
                    (row(texts.transaction, "txid", transaction.as_deref(), true))
                    (row(texts.block_hash, "block_hash", block.as_deref(), true))
                }
            }
        }
    }
}

/// What is proved and what is not.
pub(super) fn statements(view: &CertificateView, texts: &Texts) -> Markup {
    html! {
        div.columns {
            @if !view.findings.is_empty() {
                section aria-labelledby="proved-heading" {
                    h2 #proved-heading { (texts.proved) }
                    ul.yes { @for finding in &view.findings { li { (texts.finding(*finding)) } } }
                }
            }
            @if !view.caveats.is_empty() {
                section aria-labelledby="not-proved-heading" {
                    h2 #not-proved-heading { (texts.not_proved) }
                    ul.no { @for caveat in &view.caveats { li { (texts.caveat(*caveat)) } } }
                }
            }
        }
    }
}
