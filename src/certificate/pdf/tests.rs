//! What is made is read back, is the same every time, and is no proof once it is changed.

use crate::certificate::pdf::render;
use crate::certificate::{CertificateView, Language, Qr, read_proof};
use crate::proof::fixture::custody;
use crate::proof::{Bundle, Trust, Verdict, verify, verify_read};

fn made(bundle: &Bundle, language: Language) -> Vec<u8> {
    let view = CertificateView::new(bundle, &verify(bundle, &Trust::default()));
    let qr = Qr::new(bundle, "https://proof.example/certificates/TAG-1").unwrap();
    render(bundle, &view, language, &qr).unwrap()
}

#[test]
fn a_document_carries_its_proof_and_is_the_same_every_time() {
    for (events, mined) in [(1, 1), (3, 2), (30, 30)] {
        let bundle = custody(events, mined);
        let pdf = made(&bundle, Language::English);
        assert_eq!(read_proof(&pdf).unwrap(), bundle);
        assert_eq!(made(&bundle, Language::English), pdf);
        assert_ne!(made(&bundle, Language::German), pdf);
        crate::certificate::pdf::samples::keep(&format!("{events}-{mined}.pdf"), &pdf);
    }
}

#[test]
fn every_state_and_every_letter_has_a_document() {
    let mut bundle = custody(2, 2);
    bundle.records[1].content = None;
    made(&bundle, Language::German);
    bundle.records[0].content = None;
    made(&bundle, Language::German);
    let mut forged = custody(2, 2);
    forged.records[0].content.as_mut().unwrap().record = custody(2, 2).records[0]
        .content
        .as_ref()
        .unwrap()
        .record
        .replace("Trikot", "漢字 Ωμέγα ﷽ 😀");
    let view = CertificateView::new(&forged, &verify(&forged, &Trust::default()));
    let qr = Qr::new(&forged, "https://proof.example/").unwrap();
    assert!(render(&forged, &view, Language::English, &qr).is_ok());
    let mut told = CertificateView::new(&custody(2, 2), &verify(&custody(2, 2), &Trust::default()));
    told.product.as_mut().unwrap().name = Some("漢字 Ωμέγα Жук ﷽ 😀 ẞ fi".repeat(9));
    told.product.as_mut().unwrap().image = Some("x".repeat(2_048));
    assert!(render(&custody(2, 2), &told, Language::English, &qr).is_ok());
}

#[test]
fn a_changed_attachment_proves_nothing() {
    let bundle = custody(2, 2);
    let pdf = made(&bundle, Language::English);
    let subtype = b"/Type/EmbeddedFile";
    let text: Vec<u8> = pdf.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert!(text.windows(subtype.len()).any(|it| it == subtype));
    let begin = pdf.windows(13).position(|it| it == b"/EmbeddedFile").unwrap();
    let begin = begin + pdf[begin..].windows(6).position(|it| it == b"stream").unwrap() + 8;
    let end = begin + pdf[begin..].windows(9).position(|it| it == b"endstream").unwrap() - 8;
    for at in (begin..end).step_by(7) {
        let mut changed = pdf.clone();
        changed[at] ^= 0x10;
        let report = verify_read(read_proof(&changed), &Trust::default());
        let same = read_proof(&changed).is_ok_and(|read| read == bundle);
        assert!(same || report.verdict != Verdict::Proved, "byte {at}");
    }
}
