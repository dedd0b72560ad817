//! The proof out of a certificate in PDF: the embedded file with the name that we give it.
//!
//! Any PDF may be given here, also one that another program has saved again. What is found is
//! checked as a bundle afterwards; so nothing else of the file is looked at or believed.

use std::io::Read;

use flate2::read::ZlibDecoder;
use hayro_syntax::Pdf;
use hayro_syntax::object::dict::Dict;
use hayro_syntax::object::stream::Stream;
use hayro_syntax::object::{Array, Name, Object, String as PdfString};

/// The name of the attached bundle.
pub const ATTACHMENT: &str = "proof.json";
/// What every PDF begins with.
const BEGINNING: &[u8] = b"%PDF-";
/// The longest bundle that is taken out.
const MAX_BUNDLE_BYTES: u64 = 64 * 1024 * 1024;

/// A PDF that holds no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// It cannot be read at all.
    #[error("the PDF is damaged or locked")]
    Unreadable,
    /// No file of the name.
    #[error("the PDF has no attached file {ATTACHMENT}")]
    Missing,
    /// Which of them is meant cannot be told.
    #[error("the PDF has more than one attached file {ATTACHMENT}")]
    Several,
    /// The file cannot be unpacked.
    #[error("the attached file {ATTACHMENT} is damaged")]
    Damaged,
    /// It is longer than any bundle.
    #[error("the attached file {ATTACHMENT} is longer than {MAX_BUNDLE_BYTES} bytes")]
    TooLarge,
}

/// Says whether a file is a PDF by its first bytes.
pub fn is_pdf(bytes: &[u8]) -> bool {
    bytes.starts_with(BEGINNING)
}

/// Returns the bytes of the attached bundle.
pub fn attached_bundle(pdf: &[u8]) -> Result<Vec<u8>, AttachmentError> {
    let pdf = Pdf::new(pdf.to_vec()).map_err(|_| AttachmentError::Unreadable)?;
    let mut specifications = pdf.objects().into_iter().filter_map(|object| {
        let Object::Dict(dict) = object else { return None };
        is_ours(&dict).then_some(dict)
    });
    let first = specifications.next().ok_or(AttachmentError::Missing)?;
    if specifications.next().is_some() {
        return Err(AttachmentError::Several);
    }
    let files = first.get::<Dict<'_>>("EF").ok_or(AttachmentError::Damaged)?;
    let stream = files.get::<Stream<'_>>("F").ok_or(AttachmentError::Damaged)?;
    unpack(&stream)
}

/// A file specification with an embedded file of our name.
fn is_ours(dict: &Dict<'_>) -> bool {
    let named = |key: &str| {
        dict.get::<PdfString<'_>>(key).is_some_and(|name| name.as_bytes() == ATTACHMENT.as_bytes())
    };
    dict.contains_key("EF") && (named("F") || named("UF"))
}

/// Unpacks a stream up to the limit: a small file must not unfold without end.
fn unpack(stream: &Stream<'_>) -> Result<Vec<u8>, AttachmentError> {
    let raw = stream.raw_data();
    let mut bytes = Vec::new();
    let is_packed =
        match (stream.dict().get::<Name<'_>>("Filter"), stream.dict().get::<Array<'_>>("Filter")) {
            (Some(name), _) => Some(name.as_str() == "FlateDecode"),
            (None, Some(names)) => {
                let names: Vec<Name<'_>> = names.iter().collect();
                Some(matches!(names.as_slice(), [name] if name.as_str() == "FlateDecode"))
            }
            (None, None) => None,
        };
    match is_packed {
        None => bytes.extend_from_slice(&raw),
        Some(true) => {
            let mut packed = ZlibDecoder::new(&raw[..]).take(MAX_BUNDLE_BYTES + 1);
            packed.read_to_end(&mut bytes).map_err(|_| AttachmentError::Damaged)?;
        }
        Some(false) => return Err(AttachmentError::Damaged),
    }
    let is_longer = u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BUNDLE_BYTES);
    if is_longer { Err(AttachmentError::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_bundle_says_so() {
        assert!(is_pdf(b"%PDF-1.7\n") && !is_pdf(b"{}"));
        for bytes in [&b"%PDF-1.7"[..], b"%PDF-", b"%PDF-1.7\ntrailer\n<< /Root 1 0 R >>\n%%EOF"] {
            assert_eq!(attached_bundle(bytes), Err(AttachmentError::Unreadable));
        }
    }
}
