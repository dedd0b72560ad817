//! The answers that are pages.

use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, HeaderValue, VARY,
};
use axum::response::Response;

use crate::certificate::{CertificateView, PageParts, certificate_page, unknown_page};
use crate::http::HttpState;
use crate::http::certificates::assets::Assets;
use crate::http::certificates::encoding::Encoded;
use crate::http::certificates::{Visitor, path, path_of};
use crate::http::problem::{Problem, ProblemCode};
use crate::http::view::certificate_url;
use crate::proof::{Bundle, Trust, verify};

/// Files from here alone, and no request of a script: the proof stands in the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'none'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";
/// Whether documents can be made: a build without the browser parts has no fonts.
const HAS_FONTS: bool = cfg!(feature = "console");
/// Pages are compressed while somebody waits.
const QUICK: u32 = 6;
const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// Answers with a certificate.
pub(super) fn certificate(
    state: &HttpState,
    assets: &Assets,
    visitor: &Visitor,
    bundle: &Bundle,
) -> Result<Response, Problem> {
    let bytes = bundle.to_bytes().map_err(|_| Problem::new(ProblemCode::Internal))?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::new(ProblemCode::Internal))?;
    let view = CertificateView::new(bundle, &verify(bundle, &Trust::default()));
    let uid = &bundle.uid;
    let file = |end: &str| path(&["certificates", &format!("{}{end}", uid.as_str())]);
    let (pdf, qr) = (HAS_FONTS.then(|| file(".pdf")), file(".svg"));
    let page = certificate_page(
        &view,
        &text,
        &PageParts {
            language: visitor.language,
            assets: assets.folder(),
            modules: assets.modules(),
            path: &path_of(uid),
            address: &certificate_url(state, uid),
            proof: &path(&["v1", "patches", uid.as_str(), "proof"]),
            pdf: pdf.as_deref(),
            qr: Some(&qr),
        },
    );
    Ok(give(page, visitor))
}

/// Answers that nothing is known under this name.
pub(super) fn unknown(assets: &Assets, visitor: &Visitor) -> Response {
    let mut answer = give(unknown_page(visitor.language, assets.folder()), visitor);
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

pub(super) fn give(page: String, visitor: &Visitor) -> Response {
    let mut answer =
        Encoded::new(page.into_bytes(), MEDIA_TYPE, QUICK).give(&visitor.known, &visitor.headers);
    let headers = answer.headers_mut();
    let fixed = [
        // Asked for every time: a block that is taken back shows at once.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CONTENT_LANGUAGE, visitor.language.tag()),
        (VARY, "Accept, Accept-Language, Accept-Encoding"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
