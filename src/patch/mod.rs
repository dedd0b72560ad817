//! The rules of products and their custody: tags, records, what owners sign, what a verdict says.
//! Pure.

pub mod claim;
pub mod custody;
pub mod erasure;
pub mod message;
pub mod record;
pub mod tag;
