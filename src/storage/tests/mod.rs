//! Tests of what callers of the store cannot see; the others are in `tests/storage`.

mod stored_format;
mod stored_settings;
mod unwritable;
