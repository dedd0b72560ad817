//! The names of the log's static files, as [C2SP tlog-tiles] has them: hashes in tiles of 256, entries
//! in bundles of 256.
//!
//! [C2SP tlog-tiles]: https://c2sp.org/tlog-tiles

use crate::anchor::log::tree::{BLOCK, LEVELS};
use crate::types::Digest;

/// The heights of tiles that a log of at most 2^32 leaves has.
pub const MAX_LEVEL: u8 = 4;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileContent {
    /// Entries: each its length (2 bytes, big-endian) and itself.
    Entries,
    /// Hashes: of leaves at level 0, of full tiles of the level below at others.
    Hashes {
        /// The level.
        level: u8,
    },
}

/// A file of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// What it holds.
    pub content: TileContent,
    /// Its place among those of its level, from 0.
    pub place: u64,
    /// How many entries or hashes it has, 1 to 256; 256 is a full one, which never changes.
    pub width: u64,
}

impl Tile {
    /// Reads the part of a path after `/tile/`, such as `0/x001/234` or `entries/000.p/17`; nothing if
    /// it is not the one name of a tile.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let content = if level == "entries" {
            TileContent::Entries
        } else {
            let level = decimal(level).and_then(|level| u8::try_from(level).ok())?;
            (level <= MAX_LEVEL).then_some(TileContent::Hashes { level })?
        };
        let (place, width) = match rest.split_once(".p/") {
            None => (rest, BLOCK),
            Some((place, width)) => {
                (place, decimal(width).filter(|width| (1..BLOCK).contains(width))?)
            }
        };
        Some(Self { content, place: parse_place(place)?, width })
    }

    /// Returns the part of its path after `/tile/`.
    pub fn path(&self) -> String {
        let level = match self.content {
            TileContent::Entries => "entries".to_owned(),
            TileContent::Hashes { level } => level.to_string(),
        };
        let place = place_path(self.place);
        if self.is_full() {
            format!("{level}/{place}")
        } else {
            format!("{level}/{place}.p/{}", self.width)
        }
    }

    /// Says whether it will never have more in it.
    pub const fn is_full(&self) -> bool {
        self.width == BLOCK
    }

    /// Returns the height of its hashes above the leaves, in blocks.
    pub const fn height(&self) -> u8 {
        match self.content {
            TileContent::Entries => 0,
            TileContent::Hashes { level } => level,
        }
    }

    /// Returns the places of its entries or hashes among those of their height; nothing where a log of
    /// `size` leaves does not have them all.
    pub fn places(&self, size: u64) -> Option<std::ops::Range<u64>> {
        let start = self.place.checked_mul(BLOCK)?;
        let end = start.checked_add(self.width)?;
        (end <= size >> (u32::from(self.height()) * LEVELS)).then_some(start..end)
    }
}

/// Writes entries down as bundles hold them.
pub fn entry_bundle(commitments: &[Digest]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(commitments.len() * 34);
    for commitment in commitments {
        // Every entry is a commitment of 32 bytes.
        bytes.extend([0, 32]);
        bytes.extend(commitment.as_bytes());
    }
    bytes
}

/// Reads a decimal number without leading zeroes.
fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = (1..=10).contains(&text.len()) && (text == "0" || !text.starts_with('0'));
    if is_plain && is_short { text.parse().ok() } else { None }
}

fn parse_place(text: &str) -> Option<u64> {
    let mut parts = text.split('/').rev();
    let last = three_digits(parts.next()?)?;
    let (mut place, mut unit) = (last, 1000u64);
    for part in parts {
        let digits = three_digits(part.strip_prefix('x')?)?;
        place = digits.checked_mul(unit)?.checked_add(place)?;
        unit = unit.checked_mul(1000)?;
    }
    // Only the shortest form names it: no leading x000.
    (place_path(place) == text).then_some(place)
}

fn three_digits(text: &str) -> Option<u64> {
    let is_plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}

fn place_path(place: u64) -> String {
    let mut path = format!("{:03}", place % 1000);
    let mut rest = place / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let hashes = |level| TileContent::Hashes { level };
        for (path, content, place, width) in [
            ("0/000", hashes(0), 0, 256),
            ("0/x001/x234/067", hashes(0), 1_234_067, 256),
            ("1/000.p/17", hashes(1), 0, 17),
            ("entries/x001/000.p/255", TileContent::Entries, 1_000, 255),
        ] {
            let tile = Tile { content, place, width };
            assert_eq!(Tile::parse(path), Some(tile), "{path}");
            assert_eq!(tile.path(), path);
        }
    }

    #[test]
    fn other_names_are_no_tiles() {
        for path in [
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "0/x000/001",
            "0/001/002",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "0/000.p",
            "00/000",
            "5/000",
            "+1/000",
            "data/000",
            "entries/x1/000",
            "0/000/",
            "0/x999/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_log_has_the_tiles_of_the_specifications_example() {
        let places = |path: &str| Tile::parse(path).unwrap().places(70_000);
        assert_eq!(places("0/272"), Some(69_632..69_888));
        assert_eq!(places("0/273"), None);
        assert_eq!(places("0/273.p/112"), Some(69_888..70_000));
        assert_eq!(places("0/273.p/113"), None);
        assert_eq!(places("1/000"), Some(0..256));
        assert_eq!(places("1/001.p/17"), Some(256..273));
        assert_eq!(places("1/001.p/18"), None);
        assert_eq!(places("2/000.p/1"), Some(0..1));
        assert_eq!(places("2/000.p/2"), None);
        assert_eq!(places("3/000.p/1"), None);
    }

    #[test]
    fn entries_have_their_length_before_them() {
        let bundle = entry_bundle(&[Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32])]);
        let expected = format!("0020{}0020{}", "01".repeat(32), "02".repeat(32));
        assert_eq!(hex::encode(bundle), expected);
    }
}
