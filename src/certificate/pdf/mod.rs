//! The certificate as a document: PDF/A-3 for archives and PDF/UA-1 for readers of screens, with the
//! bundle attached.

mod attachment;

pub use attachment::{ATTACHMENT, AttachmentError, attached_bundle, is_pdf};
