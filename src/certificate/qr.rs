//! The QR code of a certificate: the whole compact proof where a telephone still reads it from paper,
//! else the certificate's address.

use std::fmt::Write;

use fast_qr::{ECL, Mode, QRBuilder, Version};

use crate::proof::Bundle;

/// The largest code that carries a proof. Its 137 modules are 0.43 mm each on the 59 mm that the document
/// gives them: what a telephone reads from a laser print without help. Larger codes (there are versions
/// up to 40) would come below 0.35 mm, where that ends.
const LARGEST: Version = Version::V30;
/// Light modules that a reader needs on every side.
const QUIET: usize = 4;

/// What a code carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QrKind {
    /// The whole proof, docs/COMPACT_PROOF.md: it can be checked without any network.
    Proof,
    /// Where the certificate is.
    Address,
}

/// A QR code (ISO/IEC 18004).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qr {
    /// What it carries.
    pub kind: QrKind,
    /// Its text.
    pub text: String,
    /// How many modules it is wide and high, without the light border.
    pub width: usize,
    /// The modules line by line from the top left; true is dark.
    modules: Vec<bool>,
}

/// Neither proof nor address fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certificate's address is too long for a QR code")]
pub struct QrError;

impl Qr {
    /// Makes the code of a bundle; `address` is where its certificate is.
    ///
    /// A proof gets the lowest error correction: every module that this saves makes the others larger,
    /// and what was misread fails the check. An address is short and gets a quarter of redundancy.
    pub fn new(bundle: &Bundle, address: &str) -> Result<Self, QrError> {
        let proof = bundle.to_compact_text().ok();
        proof
            .and_then(|text| Self::of_proof(text).ok())
            .map_or_else(|| Self::of_address(address), Ok)
    }

    fn of_proof(text: String) -> Result<Self, QrError> {
        // The builder chooses the least version that holds the text.
        let mut builder = QRBuilder::new(text.as_bytes());
        let code = builder.ecl(ECL::L).mode(Mode::Alphanumeric).build().map_err(|_| QrError)?;
        let largest = LARGEST as usize * 4 + 21;
        if code.size > largest { Err(QrError) } else { Ok(Self::drawn(QrKind::Proof, text, &code)) }
    }

    fn of_address(address: &str) -> Result<Self, QrError> {
        let code = QRBuilder::new(address.as_bytes()).ecl(ECL::Q).build().map_err(|_| QrError)?;
        Ok(Self::drawn(QrKind::Address, address.to_owned(), &code))
    }

    fn drawn(kind: QrKind, text: String, code: &fast_qr::QRCode) -> Self {
        let width = code.size;
        let modules = (0..width).flat_map(|row| code[row].iter().take(width).map(|it| it.value()));
        Self { kind, text, width, modules: modules.collect() }
    }

    /// Lists the dark stretches of the lines, each as (column, row, length) in modules.
    pub fn stretches(&self) -> Vec<(usize, usize, usize)> {
        let mut stretches = Vec::new();
        for (row, line) in self.modules.chunks(self.width.max(1)).enumerate() {
            let mut column = 0;
            for run in line.chunk_by(|a, b| a == b) {
                if run.first() == Some(&true) {
                    stretches.push((column, row, run.len()));
                }
                column += run.len();
            }
        }
        stretches
    }

    /// Draws the code as SVG, with its light border; `title` says what it is to whoever does not see it.
    /// No style stands in it, so it may stand in a page that allows none.
    pub fn to_svg(&self, title: &str) -> String {
        let whole = self.width + 2 * QUIET;
        let mut path = String::new();
        for (column, row, length) in self.stretches() {
            let (x, y) = (column + QUIET, row + QUIET);
            write!(path, "M{x} {y}h{length}v1h-{length}z").expect("a string takes what is written");
        }
        let title: String = title.chars().map(escaped).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {whole}\" role=\"img\" \
             aria-labelledby=\"qr-title\" shape-rendering=\"crispEdges\"><title id=\"qr-title\">{title}\
             </title><path fill=\"#fff\" d=\"M0 0h{whole}v{whole}h-{whole}z\"/>\
             <path fill=\"#000\" d=\"{path}\"/></svg>\n"
        )
    }
}

fn escaped(letter: char) -> String {
    match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::fixture::custody;

    const ADDRESS: &str = "https://proof.example/certificates/TAG-1";

    #[test]
    fn a_proof_that_fits_is_carried_whole_and_a_longer_one_by_its_address() {
        let qr = Qr::new(&custody(1, 1), ADDRESS).unwrap();
        assert_eq!((qr.kind, qr.modules.len()), (QrKind::Proof, qr.width * qr.width));
        assert_eq!(Bundle::from_compact_text(&qr.text).unwrap(), custody(1, 1));
        let qr = Qr::new(&custody(9, 9), ADDRESS).unwrap();
        assert_eq!((qr.kind, qr.text.as_str()), (QrKind::Address, ADDRESS));
        let fits = |length| Qr::of_proof("A".repeat(length)).map(|qr| qr.width);
        assert_eq!((fits(2_520), fits(2_521)), (Ok(137), Err(QrError)));
        assert_eq!(Qr::new(&custody(9, 9), &"x".repeat(3_000)), Err(QrError));
    }

    #[test]
    fn the_picture_has_a_border_a_title_and_no_style() {
        let qr = Qr::new(&custody(1, 1), ADDRESS).unwrap();
        let svg = qr.to_svg("Proof <of> this & that");
        assert!(svg.contains("<title id=\"qr-title\">Proof &lt;of&gt; this &amp; that</title>"));
        assert!(svg.contains(&format!("viewBox=\"0 0 {0} {0}\"", qr.width + 8)));
        // The first finder pattern: seven dark modules, four from either side.
        assert!(svg.contains("d=\"M4 4h7v1h-7z") && !svg.contains("style"));
        let dark: usize = qr.stretches().iter().map(|(.., length)| length).sum();
        assert_eq!(dark, qr.modules.iter().filter(|it| **it).count());
    }
}
