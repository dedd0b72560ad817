//! A certificate as a document (`{tag}.pdf`), and its QR code as a picture (`{tag}.svg`).

use std::sync::Arc;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HeaderValue, VARY,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::certificate::pdf::{PdfError, render};
use crate::certificate::{CertificateView, Language, Qr};
use crate::http::HttpState;
use crate::http::certificates::Visitor;
use crate::http::headers::EntityTag;
use crate::http::problem::{Problem, ProblemCode};
use crate::http::view::certificate_url;
use crate::patch::tag::UidTag;
use crate::proof::{Bundle, Trust, verify};

/// How many documents are made at once: the other cores are for everybody else.
const AT_ONCE: usize = 2;

/// What was asked for.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The document.
    Pdf,
    /// The QR code.
    Svg,
}

/// The places of documents that are being made.
pub(super) type Workshop = Arc<Semaphore>;

/// Returns a workshop.
pub(super) fn workshop() -> Workshop {
    Arc::new(Semaphore::new(AT_ONCE))
}

/// Finds the product of a name such as `TAG-1.pdf`. A stored tag of the whole name is no file.
pub(super) fn find(state: &HttpState, name: &str) -> Result<Option<(Kind, Bundle)>, Problem> {
    let kinds = [(".pdf", Kind::Pdf), (".svg", Kind::Svg)];
    let named = kinds.into_iter().find_map(|(end, kind)| Some((kind, name.strip_suffix(end)?)));
    let Some((kind, tag)) = named else { return Ok(None) };
    let verification = &state.services.verification;
    if let Ok(whole) = UidTag::parse(name)
        && verification.bundle(&whole)?.is_some()
    {
        return Ok(None);
    }
    let Ok(uid) = UidTag::parse(tag) else { return Ok(None) };
    Ok(verification.bundle(&uid)?.map(|bundle| (kind, bundle)))
}

/// Answers with the file.
pub(super) async fn give(
    state: &HttpState,
    workshop: &Workshop,
    visitor: &Visitor,
    (kind, bundle): (Kind, Bundle),
) -> Result<Response, Problem> {
    let internal = || Problem::new(ProblemCode::Internal);
    let address = certificate_url(state, &bundle.uid);
    let language = visitor.language;
    // The same proof, language and address give the same file: it need not be made to be compared.
    let bytes = bundle.to_bytes().map_err(|_| internal())?;
    let basis = [&bytes[..], language.tag().as_bytes(), address.as_bytes()].concat();
    let tag = EntityTag::of(&basis);
    let headers = common(&tag, language, &bundle.uid, kind);
    if visitor.known.has(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let _place = workshop.acquire().await.map_err(|_| internal())?;
    let made = tokio::task::spawn_blocking(move || make(kind, &bundle, language, &address));
    let file = made.await.map_err(|_| internal())??;
    Ok((headers, file).into_response())
}

fn make(
    kind: Kind,
    bundle: &Bundle,
    language: Language,
    address: &str,
) -> Result<Vec<u8>, Problem> {
    let qr = Qr::new(bundle, address).map_err(|_| Problem::new(ProblemCode::Internal))?;
    match kind {
        Kind::Svg => Ok(qr.to_svg(language.texts().qr_alt).into_bytes()),
        Kind::Pdf => {
            let view = CertificateView::new(bundle, &verify(bundle, &Trust::default()));
            render(bundle, &view, language, &qr).map_err(|error| match error {
                PdfError::NoFonts => Problem::new(ProblemCode::NotFound).detail(
                    "This server was built without documents; the page and the proof are there.",
                ),
                PdfError::Bundle(_) | PdfError::Unwritable(_) => {
                    Problem::new(ProblemCode::Internal)
                }
            })
        }
    }
}

fn common(
    tag: &EntityTag,
    language: Language,
    uid: &UidTag,
    kind: Kind,
) -> [(HeaderName, HeaderValue); 6] {
    let (media_type, end) = match kind {
        Kind::Pdf => ("application/pdf", "certificate.pdf"),
        Kind::Svg => ("image/svg+xml", "qr.svg"),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let plain: String = uid.as_str().chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let name = HeaderValue::from_str(&format!("inline; filename=\"{plain}.{end}\""))
        .expect("letters, digits and dashes are a header value");
    [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_DISPOSITION, name),
        (CONTENT_LANGUAGE, HeaderValue::from_static(language.tag())),
        (ETAG, tag.header_value()),
        // Asked for every time: a block that is taken back shows at once.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (VARY, HeaderValue::from_static("Accept-Language")),
    ]
}
