//! The placed marks as PDF, with metadata, tags and the attached bundle. The same input gives the same
//! bytes: no clock and nothing random; the dates are those of the proof.

use krilla::color::rgb;
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node as TagNode, SpanTag, TagGroup, TagTree,
};
use krilla::{Document, SerializeSettings};

use crate::certificate::pdf::fonts::{Fonts, Style};
use crate::certificate::pdf::sections::compose;
use crate::certificate::pdf::sheet::{
    BRONZE, Colour, HEIGHT, MARGIN, Mark, Node, Placed, QUIET, Sheet, WIDTH,
};
use crate::certificate::pdf::{ATTACHMENT, PdfError};
use crate::certificate::{CertificateView, Language, Qr, fill};
use crate::proof::Bundle;
use crate::types::Timestamp;

/// The frame, in points from the edge.
const FRAME: f32 = 27.0;

/// Makes the document of a certificate. `view` is that of `bundle`, which is attached.
pub fn render(
    bundle: &Bundle,
    view: &CertificateView,
    language: Language,
    qr: &Qr,
) -> Result<Vec<u8>, PdfError> {
    let texts = language.texts();
    let fonts = Fonts::load()?;
    let mut sheet = Sheet::new(&fonts);
    let tree = compose(&mut sheet, view, texts, qr);
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A3_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| PdfError::Unwritable(format!("{error:?}")))?;
    let mut document =
        Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    let mut identifiers = vec![None; sheet.placed.len()];
    for page in 0..sheet.pages {
        let size = PageSettings::from_wh(WIDTH, HEIGHT).expect("A4 is a size");
        let mut drawn = document.start_page_with(size);
        let mut surface = drawn.surface();
        let foot = format!("{} · {} / {}", view.uid, page + 1, sheet.pages);
        frame(&mut surface, &fonts, &foot);
        for placed in sheet.placed.iter().filter(|placed| placed.page == page) {
            draw(&mut surface, placed, &mut identifiers);
        }
        surface.finish();
        drawn.finish();
    }
    let mut tags = TagTree::new().with_lang(Some(language.tag().to_owned()));
    tree.into_iter().for_each(|node| tags.push(tagged(node, &identifiers)));
    document.set_tag_tree(tags);
    let mut outline = Outline::new();
    for (title, page, y) in &sheet.outline {
        let place = XyzDestination::new(*page, Point::from_xy(0.0, *y));
        outline.push_child(OutlineNode::new(title.clone(), place));
    }
    document.set_outline(outline);
    let date = date_of(view);
    let product = view.product.as_ref().and_then(|product| product.name.as_deref());
    let title = fill(texts.window_title, &[("product", product.unwrap_or(&view.uid))]);
    let metadata = Metadata::new()
        .title(title)
        .language(language.tag().to_owned())
        .creator("PatchProof".to_owned())
        .producer("PatchProof".to_owned())
        .creation_date(date)
        .document_id(format!("patchproof:{}:{}", view.network, view.uid));
    document.set_metadata(metadata);
    attach(&mut document, bundle, texts.save_proof, date)?;
    document.finish().map_err(|error| PdfError::Unwritable(format!("{error:?}")))
}

fn attach(
    document: &mut Document,
    bundle: &Bundle,
    description: &str,
    date: DateTime,
) -> Result<(), PdfError> {
    let file = EmbeddedFile {
        path: ATTACHMENT.to_owned(),
        mime_type: MimeType::new("application/json"),
        description: Some(description.to_owned()),
        association_kind: AssociationKind::Source,
        data: bundle.to_bytes()?.into(),
        modification_date: Some(date),
        compress: Some(true),
        location: None,
    };
    document.embed_file(file).ok_or_else(|| PdfError::Unwritable("two attachments".to_owned()))
}

/// The time of the newest block; without one, the newest time that the issuer gives. An archive's format
/// demands a date: where no record is readable and none is in a block it is the epoch's.
fn date_of(view: &CertificateView) -> DateTime {
    let claimed = view.events.iter().rev().find_map(|event| event.claimed_time.as_deref());
    let time = view
        .newest_block()
        .map(|block| block.time)
        .or_else(|| claimed.and_then(|time| time.parse().ok()))
        .unwrap_or(Timestamp::from_millis(0));
    let text = time.to_string();
    let part = |range| text.get(range).and_then(|part: &str| part.parse::<u8>().ok()).unwrap_or(1);
    DateTime::new(text.get(..4).and_then(|year| year.parse().ok()).unwrap_or(1970))
        .month(part(5..7))
        .day(part(8..10))
        .hour(part(11..13))
        .minute(part(14..16))
        .second(part(17..19))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn fill_of([red, green, blue]: Colour) -> Fill {
    Fill { paint: rgb::Color::new(red, green, blue).into(), ..Fill::default() }
}

/// Draws what every page has and no reader of screens needs: two hairlines around it and its number.
fn frame(surface: &mut Surface<'_>, fonts: &Fonts, foot: &str) {
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Other)));
    for (inset, thickness) in [(FRAME, 0.9), (FRAME + 4.0, 0.35)] {
        let (width, height) = (WIDTH - 2.0 * inset, HEIGHT - 2.0 * inset);
        for (x, y, w, h) in [
            (inset, inset, width, thickness),
            (inset, inset + height - thickness, width, thickness),
            (inset, inset, thickness, height),
            (inset + width - thickness, inset, thickness, height),
        ] {
            fill_rects(surface, BRONZE, [(x, y, w, h)]);
        }
    }
    surface.end_tagged();
    let line = fonts.shape(foot, Style::Italic, 0.0);
    let x = (WIDTH - line.width * 9.0) / 2.0;
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
    let mark = Mark::Text { line, x, baseline: HEIGHT - MARGIN + 10.0, size: 9.0, colour: QUIET };
    draw_mark(surface, &mark);
    surface.end_tagged();
}

fn draw(surface: &mut Surface<'_>, placed: &Placed, identifiers: &mut [Option<Identifier>]) {
    let tag = match (&placed.mark, placed.leaf) {
        (_, None) => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Other)),
        (Mark::Text { .. }, Some(_)) => ContentTag::Span(SpanTag::empty()),
        (Mark::Rule { .. } | Mark::Code { .. }, Some(_)) => ContentTag::Other,
    };
    let identifier = surface.start_tagged(tag);
    draw_mark(surface, &placed.mark);
    surface.end_tagged();
    if let Some(place) = placed.leaf.and_then(|leaf| identifiers.get_mut(leaf)) {
        *place = Some(identifier);
    }
}

fn draw_mark(surface: &mut Surface<'_>, mark: &Mark) {
    match mark {
        Mark::Text { line, x, baseline, size, colour } => {
            surface.set_fill(Some(fill_of(*colour)));
            let mut x = *x;
            for run in &line.runs {
                let start = Point::from_xy(x, *baseline);
                surface.draw_glyphs(start, &run.glyphs, run.font.clone(), &run.text, *size, false);
                x += run.glyphs.iter().map(|glyph| glyph.x_advance).sum::<f32>() * size;
            }
        }
        Mark::Rule { x, y, width, thickness, colour } => {
            fill_rects(surface, *colour, [(*x, *y, *width, *thickness)]);
        }
        Mark::Code { x, y, side, qr } => {
            #[expect(clippy::cast_precision_loss, reason = "a code has at most 177 modules")]
            let scaled = |modules: usize| modules as f32 * side / qr.width.max(1) as f32;
            let rects = qr.stretches().into_iter().map(|(column, row, length)| {
                // Lines that only touch would show as hairlines on a screen.
                (x + scaled(column), y + scaled(row), scaled(length), scaled(1) * 1.02)
            });
            fill_rects(surface, [0, 0, 0], rects);
        }
    }
}

fn fill_rects(
    surface: &mut Surface<'_>,
    colour: Colour,
    rects: impl IntoIterator<Item = (f32, f32, f32, f32)>,
) {
    let mut path = PathBuilder::new();
    for (x, y, width, height) in rects {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            path.push_rect(rect);
        }
    }
    surface.set_fill(Some(fill_of(colour)));
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
}

fn tagged(node: Node, identifiers: &[Option<Identifier>]) -> TagNode {
    match node {
        Node::Leaf(leaf) => {
            identifiers.get(leaf).copied().flatten().expect("whatever was placed was drawn").into()
        }
        Node::Group(tag, children) => {
            let children = children.into_iter().map(|child| tagged(child, identifiers)).collect();
            TagGroup::with_children(tag, children).into()
        }
    }
}
