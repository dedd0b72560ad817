//! The name of a product's tag (NFC or QR), which is the product's name everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::is_nfc;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// The longest tag name in characters.
pub const MAX_TAG_CHARS: usize = 128;
/// The shortest tag name in characters.
pub const MIN_TAG_CHARS: usize = 3;

/// Names that stand for something else in a path.
const RESERVED: [&str; 2] = ["verify", "pending"];

/// Text that cannot name a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Too short or too long.
    #[error("must have 3 to 128 characters")]
    Length,
    /// Holds control, format, private or unassigned characters or odd spaces.
    #[error("must hold printable characters only, with no space at either end")]
    NotPrintable,
    /// Another spelling of the same characters.
    #[error("must be in Unicode normalization form C")]
    NotNormalized,
    /// A word that paths use.
    #[error("is a reserved word")]
    Reserved,
}

/// The name of a tag: 3 to 128 printable characters in normalization form C.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UidTag(String);

impl UidTag {
    /// Reads a tag's name. Two names that look alike but differ in bytes are two tags; a name that
    /// is not in form C is refused rather than changed, because owners sign its bytes.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let chars = text.chars().count();
        if !(MIN_TAG_CHARS..=MAX_TAG_CHARS).contains(&chars) {
            return Err(TagError::Length);
        }
        if !text.chars().all(is_printable) || text.starts_with(' ') || text.ends_with(' ') {
            return Err(TagError::NotPrintable);
        }
        if !is_nfc(text) {
            return Err(TagError::NotNormalized);
        }
        if RESERVED.contains(&text) {
            return Err(TagError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UidTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for UidTag {
    type Error = TagError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<UidTag> for String {
    fn from(tag: UidTag) -> Self {
        tag.0
    }
}

/// Says whether a character shows: letters, marks, numbers, punctuation, symbols, and the plain
/// space. Control, format (direction, zero width), private and unassigned ones do not.
pub(super) fn is_printable(character: char) -> bool {
    // Most texts are ASCII, and the general rule looks each character up in a table.
    if character.is_ascii() {
        return character == ' ' || character.is_ascii_graphic();
    }
    match character.general_category_group() {
        GeneralCategoryGroup::Letter
        | GeneralCategoryGroup::Mark
        | GeneralCategoryGroup::Number
        | GeneralCategoryGroup::Punctuation
        | GeneralCategoryGroup::Symbol => true,
        GeneralCategoryGroup::Separator => character == ' ',
        GeneralCategoryGroup::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_all_scripts_pass() {
        for name in
            ["NFC_UID_001", "04:A2:2C:12:34", "tag/with \"quotes\"", "Trikot №7", "徽章一号"]
        {
            assert_eq!(UidTag::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn deceptive_and_unusable_names_do_not() {
        for (name, error) in [
            ("ab", TagError::Length),
            ("", TagError::Length),
            (" abc", TagError::NotPrintable),
            ("abc ", TagError::NotPrintable),
            ("a\0bc", TagError::NotPrintable),
            ("a\nbc", TagError::NotPrintable),
            ("a\u{202e}bc", TagError::NotPrintable),
            ("a\u{200b}bc", TagError::NotPrintable),
            ("a\u{a0}bc", TagError::NotPrintable),
            ("a\u{feff}bc", TagError::NotPrintable),
            ("a\u{e000}bc", TagError::NotPrintable),
            ("cafe\u{301}", TagError::NotNormalized),
            ("verify", TagError::Reserved),
        ] {
            assert_eq!(UidTag::parse(name), Err(error), "{name:?}");
        }
        assert!(UidTag::parse(&"é".repeat(128)).is_ok());
        assert_eq!(UidTag::parse(&"é".repeat(129)), Err(TagError::Length));
    }
}
