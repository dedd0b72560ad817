//! The certificate of a product: what its stored proof says, in words for people. Pure.
//!
//! A floor of its own above `proof`: [`CertificateView`] is made from a bundle and the report of its
//! check and from nothing else, so a certificate can say nothing that is not proved;
//! [`Texts`] holds every sentence, once for each language. docs/CERTIFICATES.md has the whole.

mod anchors;
mod page;
pub mod pdf;
mod qr;
mod reading;
mod texts;
mod view;

pub use anchors::{AnchorRow, AnchorRowKind, AnchorsPage, anchors_page};
pub use page::{PageParts, certificate_page, unknown_page};
pub use qr::{Qr, QrError, QrKind};
pub use reading::{ReadError, read_proof};
pub use texts::{CheckTexts, Language, Texts, fill};
pub use view::{
    BlockView, Caveat, CertificateView, EventStatus, EventView, FailedStep, Finding, LeafView,
    ProductView, State,
};
