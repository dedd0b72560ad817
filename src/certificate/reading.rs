//! A proof in any of its forms: the bundle, the compact text, that text in JSON, the document.

use crate::certificate::pdf::{AttachmentError, attached_bundle, is_pdf};
use crate::proof::{Bundle, BundleError, COMPACT_PREFIX, CompactError, CompactJson};

/// A file that holds no proof.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bundle is none.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The compact proof is none.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// The PDF has no proof.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
}

/// Reads a proof; its first bytes tell the form. An end of line after the text of a QR code is
/// not counted: every program that scans writes one.
pub fn read_proof(bytes: &[u8]) -> Result<Bundle, ReadError> {
    if is_pdf(bytes) {
        return Ok(Bundle::parse(&attached_bundle(bytes)?)?);
    }
    if bytes.starts_with(COMPACT_PREFIX.as_bytes()) {
        let text = std::str::from_utf8(bytes).map_err(|_| CompactError::Base45)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        return Ok(Bundle::from_compact_text(text.strip_suffix('\r').unwrap_or(text))?);
    }
    match CompactJson::parse(bytes) {
        Some(compact) => Ok(compact.bundle()?),
        None => Ok(Bundle::parse(bytes)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::fixture::custody;

    #[test]
    fn every_form_is_told_by_its_beginning() {
        let bundle = custody(2, 2);
        let text = bundle.to_compact_text().unwrap();
        let json = CompactJson::new(&bundle).unwrap().to_bytes().unwrap();
        assert!(json.starts_with(b"{\"format\":\"patchproof-compact\",\"proof\":\"PP1:"));
        let forms = [bundle.to_bytes().unwrap(), text.clone().into_bytes(), json];
        for form in &forms {
            assert_eq!(read_proof(form).unwrap(), bundle);
        }
        for end in ["\n", "\r\n"] {
            assert_eq!(read_proof(format!("{text}{end}").as_bytes()).unwrap(), bundle);
        }
        for wrong in [format!("{text}\n\n"), format!("{text} "), "PP1:".to_owned(), String::new()] {
            assert!(read_proof(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(matches!(read_proof(b"%PDF-1.7"), Err(ReadError::Attachment(_))));
        let other = String::from_utf8(forms[2].clone()).unwrap();
        assert!(read_proof(other.replace("\"version\":1", "\"version\":2").as_bytes()).is_err());
        assert!(read_proof(other.replace("{\"f", "{\"a\":1,\"f").as_bytes()).is_err());
    }
}
