//! The certificate of a product: what its stored proof says, in words for people. Pure.
//!
//! A floor of its own above `proof`: [`CertificateView`] is made from a bundle and the report of its
//! check and from nothing else, so a certificate can say nothing that is not proved;
//! [`Texts`] holds every sentence, once for each language. docs/CERTIFICATES.md has the whole.

mod page;
mod texts;
mod view;

pub use page::{PageParts, certificate_page, unknown_page};
pub use texts::{CheckTexts, Language, Texts, fill};
pub use view::{
    BlockView, Caveat, CertificateView, EventStatus, EventView, FailedStep, Finding, LeafView,
    ProductView, State,
};
