//! The fonts of the document, out of the binary, and text turned into glyphs.
//!
//! EB Garamond for words, Noto Sans Mono for numbers; Noto Sans for letters that these lack. A letter that no
//! font has is shown by its number, [U+6F22], and copied as itself: nothing is left out silently.

use std::borrow::Cow;
use std::io::Read as _;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use flate2::read::GzDecoder;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Face, UnicodeBuffer};

use crate::certificate::pdf::PdfError;

/// A way to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Regular,
    Italic,
    Medium,
    Fixed,
    /// Where the others lack a letter.
    Wide,
}

impl Style {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Regular, "regular.ttf.gz"),
        (Self::Italic, "italic.ttf.gz"),
        (Self::Medium, "medium.ttf.gz"),
        (Self::Fixed, "fixed.ttf.gz"),
        (Self::Wide, "wide.ttf.gz"),
    ];
}

/// The files of the fonts; none in a build without the browser parts.
#[cfg(feature = "console")]
fn file(name: &str) -> Option<Cow<'static, [u8]>> {
    #[derive(rust_embed::Embed)]
    #[folder = "static/node_modules/.cache/patchproof/fonts"]
    struct Files;
    Files::get(name).map(|file| file.data)
}

#[cfg(not(feature = "console"))]
fn file(_: &str) -> Option<Cow<'static, [u8]>> {
    None
}

/// The files, inflated for the first document and kept for all others; nothing where one is missing.
static FILES: LazyLock<Option<Vec<Arc<Vec<u8>>>>> = LazyLock::new(|| {
    let inflate = |(_, name): &(Style, &str)| {
        let mut bytes = Vec::new();
        GzDecoder::new(file(name)?.as_ref()).read_to_end(&mut bytes).ok()?;
        Some(Arc::new(bytes))
    };
    Style::ALL.iter().map(inflate).collect()
});

/// The fonts, read.
pub(super) struct Fonts(Vec<(Arc<Vec<u8>>, Font)>);

/// Glyphs of one font.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) font: Font,
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
}

/// A line of text, ready to be drawn.
#[derive(Debug, Clone, Default)]
pub(super) struct Shaped {
    pub(super) runs: Vec<Run>,
    /// In units of the size.
    pub(super) width: f32,
}

impl Fonts {
    /// Reads the fonts.
    pub(super) fn load() -> Result<Self, PdfError> {
        let files = FILES.as_ref().ok_or(PdfError::NoFonts)?;
        let read = |bytes: &Arc<Vec<u8>>| {
            let font = Font::new(bytes.clone().into(), 0).ok_or(PdfError::NoFonts)?;
            Ok((bytes.clone(), font))
        };
        files.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Turns a text into glyphs; `spacing` is added after each, in units of the size.
    pub(super) fn shape(&self, text: &str, style: Style, spacing: f32) -> Shaped {
        let own = style as usize;
        let wide = Style::Wide as usize;
        let faces =
            [own, wide].map(|place| Face::from_slice(&self.0[place].0, 0).map(|it| (place, it)));
        let faces: Vec<(usize, Face<'_>)> = faces.into_iter().flatten().collect();
        let has = |face: &Face<'_>, letter| face.glyph_index(letter).is_some_and(|it| it.0 > 0);
        let mut shaped = Shaped::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let found = faces.iter().find(|(_, face)| has(face, first));
            let length = match found {
                // A letter goes on in the font that it has, so that words are shaped whole.
                Some((place, face)) => rest
                    .char_indices()
                    .find(|(_, it)| !has(face, *it) || (*place != own && *it == ' '))
                    .map_or(rest.len(), |(at, _)| at.max(first.len_utf8())),
                None => first.len_utf8(),
            };
            let (part, after) = rest.split_at(length);
            match found {
                Some((place, face)) => shaped.add(&self.0[*place].1, face, part, part, spacing),
                None => {
                    let number = format!("[U+{:04X}]", u32::from(first));
                    if let Some((place, face)) = faces.first() {
                        shaped.add(&self.0[*place].1, face, part, &number, spacing);
                    }
                }
            }
            rest = after;
        }
        shaped
    }
}

impl Shaped {
    /// Adds `shown`, which stands for `text`.
    fn add(&mut self, font: &Font, face: &Face<'_>, text: &str, shown: &str, spacing: f32) {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(shown);
        buffer.guess_segment_properties();
        buffer.set_direction(rustybuzz::Direction::LeftToRight);
        let shaped = rustybuzz::shape(face, &[], buffer);
        let per_em = font.units_per_em();
        #[expect(clippy::cast_precision_loss, reason = "glyphs are some thousand units wide")]
        let scaled = |units: i32| units as f32 / per_em;
        let clusters: Vec<usize> =
            shaped.glyph_infos().iter().map(|info| info.cluster as usize).collect();
        let range = |cluster: usize| -> Range<usize> {
            if shown != text {
                return 0..text.len();
            }
            let end = clusters.iter().copied().filter(|it| *it > cluster).min();
            cluster..end.unwrap_or(text.len())
        };
        let mut glyphs = Vec::with_capacity(clusters.len());
        for ((info, position), cluster) in
            shaped.glyph_infos().iter().zip(shaped.glyph_positions()).zip(&clusters)
        {
            let advance = scaled(position.x_advance) + spacing;
            self.width += advance;
            glyphs.push(KrillaGlyph::new(
                GlyphId::new(info.glyph_id),
                advance,
                scaled(position.x_offset),
                scaled(position.y_offset),
                scaled(position.y_advance),
                range(*cluster),
                None,
            ));
        }
        self.runs.push(Run { font: font.clone(), text: text.to_owned(), glyphs });
    }
}
