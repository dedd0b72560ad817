//! The certificate as a document: PDF/A-3a for archives and PDF/UA-1 for readers of screens, with the
//! bundle attached. The same proof in the same language gives the same bytes.

mod attachment;
mod document;
mod fonts;
mod sections;
mod sheet;
#[cfg(test)]
#[cfg(feature = "console")]
mod tests;

use crate::proof::BundleError;

pub use attachment::{ATTACHMENT, AttachmentError, attached_bundle, is_pdf};
pub use document::render;

/// A document that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// This build has no fonts: it was made without the feature `console`.
    #[error("this build makes no documents: it was made without the feature `console`")]
    NoFonts,
    /// The bundle cannot be attached.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The writer of documents refused.
    #[error("the document cannot be written: {0}")]
    Unwritable(String),
}

#[cfg(test)]
mod samples {
    use std::path::Path;

    /// Keeps a document for programs of another make (tests/documents/run), where that is asked for.
    pub(super) fn keep(name: &str, document: &[u8]) {
        if let Some(folder) = std::env::var_os("PDF_SAMPLES") {
            std::fs::write(Path::new(&folder).join(name), document).unwrap();
        }
    }
}
