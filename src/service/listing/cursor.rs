//! The place in a list, with what the list was: a cursor of another list is refused.

use crate::crypto::sha256;
use crate::service::listing::{PatchQuery, PatchSort};

const HASH_BYTES: usize = 8;

/// Bytes that are no cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// No page gave it out.
    #[error("must be the nextCursor of a page")]
    Malformed,
    /// It belongs to a list with another sort or other filters.
    #[error("belongs to a list with another sort or other filters; begin that list anew")]
    OtherList,
}

/// Writes a place of a list down.
pub fn write_cursor(query: &PatchQuery, place: &[u8]) -> Vec<u8> {
    let mut bytes = fingerprint(query).to_vec();
    bytes.extend_from_slice(place);
    bytes
}

/// Reads the place that [`write_cursor`] wrote for the same list.
pub fn read_cursor(query: &PatchQuery, bytes: &[u8]) -> Result<Vec<u8>, CursorError> {
    let (hash, place) = bytes.split_at_checked(HASH_BYTES).ok_or(CursorError::Malformed)?;
    if hash != fingerprint(query) {
        return Err(CursorError::OtherList);
    }
    let is_place = match query.sort {
        PatchSort::Tag | PatchSort::TagDescending => std::str::from_utf8(place).is_ok(),
        PatchSort::Created | PatchSort::CreatedDescending => place.len() == 16,
    };
    if is_place { Ok(place.to_vec()) } else { Err(CursorError::Malformed) }
}

/// Returns the first bytes of SHA-256 over sort and filters, each with its length.
fn fingerprint(query: &PatchQuery) -> [u8; HASH_BYTES] {
    let filter = &query.filter;
    let owner = filter.owner.map(|owner| owner.to_string());
    let parts = [
        Some(query.sort.as_str()),
        filter.search.as_deref(),
        owner.as_deref(),
        filter.status.map(|status| status.as_str()),
        filter.category.as_deref(),
    ];
    let mut text = Vec::new();
    for part in parts {
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        text.extend_from_slice(&length.to_be_bytes());
        text.extend_from_slice(part.unwrap_or_default().as_bytes());
    }
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&sha256(&text)[..HASH_BYTES]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::listing::PatchFilter;

    #[test]
    fn a_cursor_belongs_to_its_list_only() {
        let query = PatchQuery::default();
        let cursor = write_cursor(&query, b"TAG-1");
        assert_eq!(read_cursor(&query, &cursor), Ok(b"TAG-1".to_vec()));
        let search = |text: &str| PatchFilter { search: Some(text.into()), ..query.filter.clone() };
        for other in [
            PatchQuery { sort: PatchSort::Created, ..query.clone() },
            PatchQuery { filter: search(""), ..query.clone() },
            PatchQuery { filter: search("x"), ..query.clone() },
        ] {
            assert_eq!(read_cursor(&other, &cursor), Err(CursorError::OtherList));
        }
        assert_eq!(read_cursor(&query, b"short"), Err(CursorError::Malformed));
        let by_time = PatchQuery { sort: PatchSort::Created, ..query };
        let cursor = write_cursor(&by_time, &[0; 15]);
        assert_eq!(read_cursor(&by_time, &cursor), Err(CursorError::Malformed));
    }
}
