//! Every sentence of a certificate, once for each language.
//!
//! To translate: add a file like `texts/german.rs`, a [`Language`], and nothing else. `{name}`
//! stands for a value. A test holds every language against English for the same values.

mod english;
mod german;

use serde::Serialize;

use crate::certificate::{Caveat, Finding, State};
use crate::patch::record::Purpose;

use english::ENGLISH;
use german::GERMAN;

/// A language that certificates speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English, where nothing else is asked for.
    English,
    /// German.
    German,
}

impl Language {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Returns the tag for `lang` and Content-Language (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// Returns the language's name in itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// Reads a tag such as `de` or `de-AT`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// Chooses by an Accept-Language header (RFC 9110): the first of the heaviest that is spoken.
    pub fn from_accept(header: &str) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for range in header.split(',') {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight = weight.trim().strip_prefix("q=").and_then(|it| it.parse().ok());
            let spoken = if tag.trim() == "*" { Some(Self::English) } else { Self::from_tag(tag) };
            if let (Some(language), Some(weight)) = (spoken, weight)
                && weight > best.map_or(0.0, |(best, _)| best)
            {
                best = Some((weight, language));
            }
        }
        best.map_or(Self::English, |(_, language)| language)
    }

    /// Returns its sentences.
    pub const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// The sentences of one language. `{…}` is filled by [`fill`].
#[derive(Debug, Serialize)]
pub struct Texts {
    /// What the paper is called.
    pub title: &'static str,
    /// Title of the window, with `{product}`.
    pub window_title: &'static str,
    /// Stands for a product whose name is not given.
    pub unnamed: &'static str,
    /// The word before the tag.
    pub tag: &'static str,
    /// For each [`State`], in its order: the verdict in a word or two.
    pub states: [&'static str; 5],
    /// For each [`State`], in its order: what that means.
    pub state_details: [&'static str; 5],
    /// After a failure, with `{step}` and `{subject}`.
    pub failed_at: &'static str,
    /// Said loudly where the network is a simulated one.
    pub simulated: &'static str,
    /// Said where the network is a test network.
    pub test_network: &'static str,
    /// Heading of the product.
    pub product: &'static str,
    /// The product's name.
    pub name: &'static str,
    /// The product's kind.
    pub category: &'static str,
    /// The stock-keeping unit.
    pub sku: &'static str,
    /// The serial number.
    pub serial_number: &'static str,
    /// The material.
    pub material: &'static str,
    /// Where the patch sits.
    pub patch_location: &'static str,
    /// The address of an image.
    pub image: &'static str,
    /// Heading of the custody.
    pub custody: &'static str,
    /// What the custody's table is.
    pub custody_caption: &'static str,
    /// Column: what happened.
    pub event: &'static str,
    /// Column and row: the owner's address.
    pub owner: &'static str,
    /// Column: when, as the issuer says.
    pub time: &'static str,
    /// Column and row: the block.
    pub block: &'static str,
    /// A block, with `{height}`.
    pub block_number: &'static str,
    /// A block's time, with `{time}`.
    pub block_time: &'static str,
    /// A place in a batch, with `{index}` and `{size}`.
    pub leaf: &'static str,
    /// An event that waits for its block.
    pub waiting: &'static str,
    /// An event without a transaction.
    pub unsent: &'static str,
    /// The product was registered.
    pub registered: &'static str,
    /// The product was handed on.
    pub transferred: &'static str,
    /// The content of an event is withheld or erased.
    pub erased: &'static str,
    /// Heading of what holds the certificate.
    pub evidence: &'static str,
    /// Row: the issuer's key.
    pub issuer: &'static str,
    /// Row: the network.
    pub network: &'static str,
    /// The networks: main, test, simulated.
    pub networks: [&'static str; 3],
    /// Row: the newest transaction.
    pub transaction: &'static str,
    /// Row: the hash of its block.
    pub block_hash: &'static str,
    /// Heading of what was proved.
    pub proved: &'static str,
    /// Heading of what was not.
    pub not_proved: &'static str,
    /// For each [`Finding`], in its order.
    pub findings: [&'static str; 5],
    /// For each [`Caveat`], in its order, three with `{count}`.
    pub caveats: [&'static str; 8],
    /// Link to the certificate as PDF.
    pub save_pdf: &'static str,
    /// Link to the bundle.
    pub save_proof: &'static str,
    /// What the QR code is, for who does not see it.
    pub qr_alt: &'static str,
    /// What stands below the QR code.
    pub qr_caption: &'static str,
    /// Heading of the choice of languages.
    pub languages: &'static str,
    /// Link past the head of the page.
    pub skip: &'static str,
    /// At the foot of the page.
    pub footer: &'static str,
    /// The months, for dates.
    pub months: [&'static str; 12],
    /// A date and time, with `{day}`, `{month}`, `{year}`, `{time}`.
    pub date: &'static str,
    /// Title of the page for a tag that nobody registered.
    pub unknown_title: &'static str,
    /// What that page says.
    pub unknown_detail: &'static str,
    /// What somebody may do then.
    pub unknown_advice: &'static str,
    /// What the check in the browser says.
    pub check: CheckTexts,
}

/// What the check in the visitor's browser says; given to it as data.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckTexts {
    /// Heading.
    pub heading: &'static str,
    /// What it does.
    pub intro: &'static str,
    /// Said where no script runs.
    pub no_script: &'static str,
    /// Said where the build has no check.
    pub absent: &'static str,
    /// Opens the table of steps.
    pub details: &'static str,
    /// While it runs.
    pub running: &'static str,
    /// Every step holds and the newest event is in a block, with `{ms}`.
    pub proved: &'static str,
    /// Nothing is wrong, with `{ms}`.
    pub incomplete: &'static str,
    /// Something is wrong.
    pub failed: &'static str,
    /// The page says something else than the proof, with `{what}`.
    pub differs: &'static str,
    /// The outcomes: ok, failed, not checked.
    pub outcomes: [&'static str; 3],
    /// Column: the step.
    pub step: &'static str,
    /// Column: of what.
    pub subject: &'static str,
    /// Column: the result.
    pub result: &'static str,
    /// The subjects: `{number}` for records and blocks.
    pub whole: &'static str,
    /// A record, with `{number}`.
    pub record: &'static str,
    /// A block, with `{number}`.
    pub block: &'static str,
    /// The steps by their names in docs/BUNDLE.md, each with what it asks.
    pub steps: [(&'static str, &'static str); 14],
}

/// Puts values in their places: `{name}` becomes the value of that name.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::with_capacity(template.len()), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        filled.push_str(before);
        let value = values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
        filled.push_str(value);
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

impl Texts {
    /// Returns the verdict in a word or two.
    pub const fn state(&self, state: State) -> &'static str {
        self.states[state as usize]
    }

    /// Returns what a verdict means.
    pub const fn state_detail(&self, state: State) -> &'static str {
        self.state_details[state as usize]
    }

    /// Returns the word for an event.
    pub const fn purpose(&self, purpose: Option<Purpose>) -> &'static str {
        match purpose {
            Some(Purpose::RegisterPatch) => self.registered,
            Some(Purpose::TransferOwnership) => self.transferred,
            None => self.erased,
        }
    }

    /// Returns what was found, as a sentence.
    pub const fn finding(&self, finding: Finding) -> &'static str {
        self.findings[finding as usize]
    }

    /// Returns what was not proved, as a sentence.
    pub fn caveat(&self, caveat: Caveat) -> String {
        let (index, count) = match caveat {
            Caveat::Simulated => (0, 0),
            Caveat::TestNetwork => (1, 0),
            Caveat::Waiting(count) => (2, count),
            Caveat::Erased(count) => (3, count),
            Caveat::Unsealed(count) => (4, count),
            Caveat::IssuerKey => (5, 0),
            Caveat::HeaviestChain => (6, 0),
            Caveat::Freshness => (7, 0),
        };
        fill(self.caveats[index], &[("count", &count.to_string())])
    }

    /// Writes a time to the minute in words; `rfc3339` in UTC as records have it. What is no such
    /// time is given back as it is, since it was signed so.
    pub fn date_of(&self, rfc3339: &str) -> String {
        self.date_parts(rfc3339).unwrap_or_else(|| rfc3339.to_owned())
    }

    fn date_parts(&self, rfc3339: &str) -> Option<String> {
        let (date, time) = rfc3339.strip_suffix('Z')?.split_once('T')?;
        let mut parts = date.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let month: usize = month.parse().ok()?;
        let values = [
            ("year", year),
            ("month", *self.months.get(month.checked_sub(1)?)?),
            ("day", day.trim_start_matches('0')),
            ("time", time.get(..5)?),
        ];
        Some(fill(self.date, &values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists every text of a language by its place.
    fn all(texts: &Texts) -> Vec<(String, String)> {
        fn walk(place: &str, value: &serde_json::Value, found: &mut Vec<(String, String)>) {
            match value {
                serde_json::Value::String(text) => found.push((place.to_owned(), text.clone())),
                serde_json::Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        walk(&format!("{place}/{index}"), item, found);
                    }
                }
                serde_json::Value::Object(members) => {
                    for (name, member) in members {
                        walk(&format!("{place}/{name}"), member, found);
                    }
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        walk("", &serde_json::to_value(texts).unwrap(), &mut found);
        found
    }

    fn values_of(text: &str) -> Vec<&str> {
        let mut names: Vec<&str> =
            text.split('{').skip(1).filter_map(|it| it.split('}').next()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_language_says_everything_with_the_same_values() {
        let english = all(Language::English.texts());
        for language in Language::ALL {
            let texts = all(language.texts());
            assert_eq!(texts.len(), english.len());
            for ((place, said), (_, original)) in texts.iter().zip(&english) {
                assert!(!said.trim().is_empty(), "{language:?} {place} is empty");
                assert_eq!(values_of(said), values_of(original), "{language:?} {place}");
            }
            let names = |texts: &Texts| texts.check.steps.map(|(name, _)| name);
            assert_eq!(names(language.texts()), names(Language::English.texts()));
        }
    }

    #[test]
    fn german_is_not_english() {
        let pairs = all(Language::German.texts()).into_iter().zip(all(Language::English.texts()));
        let same = pairs.filter(|((place, a), (_, b))| a == b && !place.contains("/steps/"));
        let words: Vec<String> = same.map(|((_, text), _)| text).collect();
        let shared = ["Block", "Block {height}", "Material", "Name"];
        assert!(words.iter().all(|it| shared.contains(&it.as_str()) || it.len() < 10), "{words:?}");
    }

    #[test]
    fn the_language_is_chosen_by_weight() {
        for (header, chosen) in [
            ("", Language::English),
            ("de", Language::German),
            ("de-AT, en;q=0.8", Language::German),
            ("en;q=0.4, de;q=0.7", Language::German),
            ("fr, en;q=0.5, de;q=0.5", Language::English),
            ("de;q=0", Language::English),
            ("*", Language::English),
            ("de;q=nonsense, \u{fc}", Language::English),
        ] {
            assert_eq!(Language::from_accept(header), chosen, "{header}");
        }
    }

    #[test]
    fn times_are_written_to_the_minute() {
        let english = Language::English.texts();
        assert_eq!(english.date_of("2026-11-07T08:05:59Z"), "7 November 2026, 08:05 UTC");
        let german = Language::German.texts();
        assert_eq!(german.date_of("2026-03-17T08:05:59.123Z"), "17. März 2026, 08:05 UTC");
        for odd in ["yesterday", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "TZ", "-T-Z"] {
            assert_eq!(english.date_of(odd), odd);
        }
    }

    #[test]
    fn values_are_not_read_again_for_more_values() {
        assert_eq!(fill("a {x} b {y}", &[("x", "{y}"), ("y", "2")]), "a {y} b 2");
        assert_eq!(fill("open {x", &[("x", "1")]), "open 1");
    }
}
