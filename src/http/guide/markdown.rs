//! A document of docs/, read from its Markdown: title, sections with their anchors, links, HTML.
//!
//! An anchor has the name that GitHub gives it, so that a link leads to the same place here and there.
//! HTML within a document is shown as a text: what is served is what this file writes.

use std::collections::BTreeMap;

use maud::html;
use pulldown_cmark::html::push_html;
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A heading below the title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its level, 1 for the title of the document.
    pub level: u8,
    /// Its text.
    pub text: String,
    /// The name of its anchor.
    pub anchor: String,
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its headings in their order, the title included.
    pub sections: Vec<Section>,
    /// Where its links and pictures lead, as they are written.
    pub links: Vec<String>,
    /// What is within `<article>`; links are as `place` made them.
    pub html: String,
}

impl Document {
    /// Reads a document; `place` says where a link of it leads, or that it leads nowhere here.
    pub fn read(markdown: &str, place: impl Fn(&str) -> Option<String>) -> Self {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
            reader.take(event, &mut events, &place);
        }
        let mut html = String::with_capacity(markdown.len() * 2);
        push_html(&mut html, events.into_iter());
        // A column without a name has no heading, and to those who hear a page an empty one is noise.
        let html = html.replace("<th></th>", "<td></td>");
        Self { sections: reader.sections, links: reader.links, html }
    }

    /// Returns the title: the first heading of the first level, or nothing.
    pub fn title(&self) -> &str {
        let title = self.sections.iter().find(|section| section.level == 1);
        title.map_or("", |section| section.text.as_str())
    }
}

/// What is known while a document is read.
#[derive(Default)]
struct Reader<'a> {
    sections: Vec<Section>,
    links: Vec<String>,
    /// How often a name of an anchor was given.
    given: BTreeMap<String, usize>,
    /// The heading that is being read: its level, its text, what is in it.
    heading: Option<(HeadingLevel, String, Vec<Event<'a>>)>,
    /// Whether the links that are open lead somewhere here, the outermost first.
    open: Vec<bool>,
    tables: usize,
}

impl<'a> Reader<'a> {
    fn take(
        &mut self,
        event: Event<'a>,
        events: &mut Vec<Event<'a>>,
        place: &impl Fn(&str) -> Option<String>,
    ) {
        match event {
            Event::Start(tag) => self.start(tag, events, place),
            Event::End(end) => self.end(end, events),
            Event::Html(text) | Event::InlineHtml(text) => self.put(Event::Text(text), events),
            Event::Text(_)
            | Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::TaskListMarker(_) => self.put(event, events),
        }
    }

    fn start(
        &mut self,
        tag: Tag<'a>,
        events: &mut Vec<Event<'a>>,
        place: &impl Fn(&str) -> Option<String>,
    ) {
        if let Tag::Heading { level, .. } = tag {
            self.heading = Some((level, String::new(), Vec::new()));
        } else if let Tag::Table(columns) = tag {
            self.tables += 1;
            // A wide table scrolls by itself, by keyboard, too; a page of 360 pixels does not.
            events.push(raw(format!(
                "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Table {}\">",
                self.tables
            )));
            // Alignment would be written as a style within the page, which its policy forbids.
            let plain = columns.iter().map(|_| Alignment::None).collect();
            events.push(Event::Start(Tag::Table(plain)));
        } else if let Tag::CodeBlock(_) = tag {
            // So does a long line.
            events.push(raw("<pre tabindex=\"0\"><code>".to_owned()));
        } else if let Tag::Link { link_type, dest_url, title, id } = tag {
            let leads = place(&dest_url);
            self.links.push(dest_url.into_string());
            self.open.push(leads.is_some());
            if let Some(leads) = leads {
                let dest_url = CowStr::from(leads);
                self.put(Event::Start(Tag::Link { link_type, dest_url, title, id }), events);
            }
        } else {
            self.put(Event::Start(tag), events);
        }
    }

    fn end(&mut self, end: TagEnd, events: &mut Vec<Event<'a>>) {
        if let TagEnd::Heading(_) = end {
            self.end_heading(events);
        } else if end == TagEnd::CodeBlock {
            events.push(raw("</code></pre>\n".to_owned()));
        } else if end == TagEnd::Table {
            events.push(Event::End(end));
            events.push(raw("</div>\n".to_owned()));
        } else if end != TagEnd::Link || self.open.pop() == Some(true) {
            self.put(Event::End(end), events);
        }
    }

    fn put(&mut self, event: Event<'a>, events: &mut Vec<Event<'a>>) {
        match &mut self.heading {
            Some((_, text, inner)) => {
                if let Event::Text(part) | Event::Code(part) = &event {
                    text.push_str(part);
                }
                inner.push(event);
            }
            None => events.push(event),
        }
    }

    fn end_heading(&mut self, events: &mut Vec<Event<'a>>) {
        let Some((level, text, inner)) = self.heading.take() else { return };
        let name = anchor_of(&text);
        let before = self.given.entry(name.clone()).or_default();
        let anchor = if *before == 0 { name.clone() } else { format!("{name}-{before}") };
        *before += 1;
        // An anchor holds nothing that would need escaping.
        events.push(raw(format!("<{level} id=\"{anchor}\">")));
        events.extend(inner);
        if level != HeadingLevel::H1 {
            let link = html! {
                " " a.anchor href=(format!("#{anchor}")) aria-label=(format!("Link to {text}")) { "#" }
            };
            events.push(raw(link.into_string()));
        }
        events.push(raw(format!("</{level}>\n")));
        self.sections.push(Section { level: level as u8, text, anchor });
    }
}

fn raw(html: String) -> Event<'static> {
    Event::Html(CowStr::from(html))
}

/// Names the anchor of a heading as GitHub does: small letters, no punctuation but `-` and `_`, a
/// hyphen for each space.
fn anchor_of(heading: &str) -> String {
    let kept = heading.trim().chars().flat_map(char::to_lowercase).filter_map(|letter| {
        let is_kept = letter.is_alphanumeric() || letter == '-' || letter == '_';
        if letter == ' ' { Some('-') } else { is_kept.then_some(letter) }
    });
    kept.collect()
}
