//! How entities become bytes: one byte of format version, then the fields (postcard).
//!
//! A change of a stored struct's shape needs a new version and a conversion from the old one; the
//! golden bytes in `src/storage/tests/stored_format.rs` catch a change made by accident.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::storage::StoreError;

const VERSION_1: u8 = 1;
const VERSION_2: u8 = 2;

/// Writes an entity in format version 1.
pub(super) fn encode<T: Serialize>(entity: &T) -> Vec<u8> {
    postcard::to_extend(entity, vec![VERSION_1]).expect("stored structs always have a byte form")
}

/// Writes an entity in format version 2, for those that have had another form before.
pub(super) fn encode_second<T: Serialize>(entity: &T) -> Vec<u8> {
    postcard::to_extend(entity, vec![VERSION_2]).expect("stored structs always have a byte form")
}

/// Reads an entity in format version 2, or in version 1 and converts it.
pub(super) fn decode_second<First: DeserializeOwned + Into<T>, T: DeserializeOwned>(
    bytes: &[u8],
    name: &'static str,
) -> Result<T, StoreError> {
    let Some((&VERSION_2, payload)) = bytes.split_first() else {
        return decode::<First>(bytes, name).map(Into::into);
    };
    match postcard::take_from_bytes(payload) {
        Ok((entity, [])) => Ok(entity),
        Ok(_) | Err(_) => Err(StoreError::Corrupt { entity: name }),
    }
}

/// Reads the first fields of an entity, borrowing from its bytes; for what needs no more of it.
pub(super) fn decode_beginning<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    name: &'static str,
) -> Result<T, StoreError> {
    let corrupt = StoreError::Corrupt { entity: name };
    match bytes.split_first() {
        Some((&VERSION_1, payload)) => {
            postcard::take_from_bytes(payload).map(|(entity, _)| entity).map_err(|_| corrupt)
        }
        Some(_) | None => Err(corrupt),
    }
}

/// Reads an entity; `name` is its kind, for the error.
pub(super) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    name: &'static str,
) -> Result<T, StoreError> {
    let corrupt = StoreError::Corrupt { entity: name };
    match bytes.split_first() {
        Some((&VERSION_1, payload)) => match postcard::take_from_bytes(payload) {
            Ok((entity, [])) => Ok(entity),
            Ok(_) | Err(_) => Err(corrupt),
        },
        Some(_) | None => Err(corrupt),
    }
}
