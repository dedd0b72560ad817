//! Pages that fill from top to bottom, and the tree of what stands on them for readers of screens.
//!
//! First everything is placed, then drawn: only then it is known how many pages there are.

use krilla::tagging::TagKind;

use crate::certificate::Qr;
use crate::certificate::pdf::fonts::{Fonts, Shaped, Style};

/// A4 in points.
pub(super) const WIDTH: f32 = 595.28;
/// A4 in points.
pub(super) const HEIGHT: f32 = 841.89;
/// Left and right, in points.
pub(super) const MARGIN: f32 = 62.0;
/// Where text begins and ends on a page, in points.
const TOP: f32 = 64.0;
const BOTTOM: f32 = HEIGHT - 66.0;

/// A colour: red, green, blue.
pub(super) type Colour = [u8; 3];
/// Text.
pub(super) const INK: Colour = [0x1f, 0x1d, 0x1a];
/// Words that stand back; contrast 5.6 on white.
pub(super) const QUIET: Colour = [0x6a, 0x63, 0x58];
/// Rules and the head; contrast 4.9 on white.
pub(super) const BRONZE: Colour = [0x86, 0x68, 0x38];
/// Warnings; contrast 7.6 on white.
pub(super) const ALARM: Colour = [0x9c, 0x1f, 0x14];

/// How a text is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink {
    pub(super) style: Style,
    pub(super) size: f32,
    pub(super) colour: Colour,
    /// Between letters, in units of the size.
    pub(super) spacing: f32,
}

impl Ink {
    pub(super) const fn new(style: Style, size: f32, colour: Colour) -> Self {
        Self { style, size, colour, spacing: 0.0 }
    }

    pub(super) const fn spaced(self, spacing: f32) -> Self {
        Self { spacing, ..self }
    }
}

/// Where a paragraph stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) left: f32,
    pub(super) width: f32,
    pub(super) is_centred: bool,
}

impl Column {
    pub(super) const fn whole(is_centred: bool) -> Self {
        Self { left: MARGIN, width: WIDTH - 2.0 * MARGIN, is_centred }
    }

    pub(super) const fn at(left: f32, width: f32) -> Self {
        Self { left, width, is_centred: false }
    }
}

/// Something to be drawn.
pub(super) enum Mark {
    Text { line: Shaped, x: f32, baseline: f32, size: f32, colour: Colour },
    Rule { x: f32, y: f32, width: f32, thickness: f32, colour: Colour },
    Code { x: f32, y: f32, side: f32, qr: Qr },
}

/// A mark on its page; with a number where it is content and no ornament.
pub(super) struct Placed {
    pub(super) page: usize,
    pub(super) leaf: Option<usize>,
    pub(super) mark: Mark,
}

/// The tree of the content.
pub(super) enum Node {
    Group(TagKind, Vec<Node>),
    Leaf(usize),
}

/// What was placed so far.
pub(super) struct Sheet<'a> {
    pub(super) fonts: &'a Fonts,
    pub(super) placed: Vec<Placed>,
    pub(super) pages: usize,
    /// The headings: title, page from 0, place on it.
    pub(super) outline: Vec<(String, usize, f32)>,
    leaves: usize,
    /// The next free place on the last page, in points from its top.
    pub(super) y: f32,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(fonts: &'a Fonts) -> Self {
        Self { fonts, placed: Vec::new(), pages: 1, outline: Vec::new(), leaves: 0, y: TOP }
    }

    /// Goes on to the next page unless `height` points are free.
    pub(super) fn reserve(&mut self, height: f32) {
        if self.y + height > BOTTOM && self.y > TOP {
            self.pages += 1;
            self.y = TOP;
        }
    }

    pub(super) fn skip(&mut self, height: f32) {
        self.y += height;
    }

    /// Draws an ornament on the last page.
    pub(super) fn rule(&mut self, x: f32, width: f32, thickness: f32, colour: Colour) {
        let mark = Mark::Rule { x, y: self.y, width, thickness, colour };
        self.placed.push(Placed { page: self.pages - 1, leaf: None, mark });
    }

    /// Draws the code with its top left corner there.
    pub(super) fn code(&mut self, x: f32, y: f32, side: f32, qr: &Qr) -> Node {
        self.content(Mark::Code { x, y, side, qr: qr.clone() })
    }

    fn content(&mut self, mark: Mark) -> Node {
        let leaf = self.leaves;
        self.leaves += 1;
        self.placed.push(Placed { page: self.pages - 1, leaf: Some(leaf), mark });
        Node::Leaf(leaf)
    }

    /// Writes a paragraph, in as many lines as it takes, and goes below it.
    pub(super) fn text(&mut self, tag: TagKind, text: &str, ink: Ink, column: Column) -> Node {
        let height = ink.size * 1.3;
        let lines = self.lines(text, ink, column.width);
        let mut children = Vec::with_capacity(lines.len());
        for line in lines {
            self.reserve(height);
            let visible = line.width * ink.size;
            let x = if column.is_centred {
                column.left + (column.width - visible) / 2.0
            } else {
                column.left
            };
            let baseline = self.y + ink.size;
            let (size, colour) = (ink.size, ink.colour);
            children.push(self.content(Mark::Text { line, x, baseline, size, colour }));
            self.y += height;
        }
        Node::Group(tag, children)
    }

    /// Says how high a paragraph is, in points.
    pub(super) fn height(&self, text: &str, ink: Ink, width: f32) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "lines are few")]
        let lines = self.lines(text, ink, width).len() as f32;
        lines * ink.size * 1.3
    }

    /// Breaks a text at spaces, and words that are too long anywhere.
    fn lines(&self, text: &str, ink: Ink, width: f32) -> Vec<Shaped> {
        let most = width / ink.size;
        let shape = |text: &str| self.fonts.shape(text, ink.style, ink.spacing);
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split_inclusive([' ', '\n']) {
            if !line.is_empty() && shape(format!("{line}{word}").trim_end()).width > most {
                lines.push(shape(&std::mem::take(&mut line)));
            }
            line.push_str(word.trim_end_matches('\n'));
            while shape(line.trim_end()).width > most && line.chars().count() > 1 {
                let rest = line.split_off(self.fitting(&line, ink, most));
                lines.push(shape(&std::mem::replace(&mut line, rest)));
            }
            if word.ends_with('\n') {
                lines.push(shape(&std::mem::take(&mut line)));
            }
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(shape(&line));
        }
        lines
    }

    /// Returns how many bytes of a long word fit on a line; one letter at least.
    fn fitting(&self, word: &str, ink: Ink, most: f32) -> usize {
        let ends: Vec<usize> = word.char_indices().map(|(at, _)| at).skip(1).collect();
        let fits =
            |end: &usize| self.fonts.shape(&word[..*end], ink.style, ink.spacing).width <= most;
        let place = ends.partition_point(fits).max(1) - 1;
        ends.get(place).copied().unwrap_or(word.len())
    }
}
