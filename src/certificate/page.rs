//! The certificate as a page: HTML without a script or a style in it, which reads without either.
//!
//! The proof stands in the page as a data block, so that the check in the browser asks for nothing.
//! Every text that somebody else wrote passes the template, which escapes it.

mod parts;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::certificate::{CertificateView, Language, State, Texts, fill};

/// What a page needs beside what it says.
#[derive(Debug, Clone, Copy)]
pub struct PageParts<'a> {
    /// The language.
    pub language: Language,
    /// Where style and scripts lie, without a `/` at its end.
    pub assets: &'a str,
    /// The modules of the check, that which begins first; none in a build without it.
    pub modules: &'a [String],
    /// The certificate's path.
    pub path: &'a str,
    /// The certificate's whole address, as it is printed.
    pub address: &'a str,
    /// The path of the bundle.
    pub proof: &'a str,
    /// The path of the PDF, if it is offered.
    pub pdf: Option<&'a str>,
    /// The path of the QR code, if it is offered.
    pub qr: Option<&'a str>,
}

/// Writes a certificate; `bundle` is the canonical text of the proof that `view` was made from.
pub fn certificate_page(view: &CertificateView, bundle: &str, parts: &PageParts<'_>) -> String {
    let texts = parts.language.texts();
    let product = view.product.as_ref().and_then(|it| it.name.as_deref());
    let title = fill(texts.window_title, &[("product", product.unwrap_or(&view.uid))]);
    let body = html! {
        (network_notice(view, texts))
        p.alarm #alarm role="alert" {}
        article.certificate #certificate data-state=(state_name(view.state)) {
            (parts::head(view, texts))
            (parts::qr(parts.qr, texts))
            @if let Some(failure) = &view.failure { (parts::failure(failure, texts)) }
            (parts::product(view, texts))
            (parts::custody(view, texts))
            (parts::evidence(view, texts))
            (parts::statements(view, texts))
            (check(parts, texts))
        }
        nav.actions aria-label=(texts.save_proof) {
            @if let Some(pdf) = parts.pdf { a href=(pdf) { (texts.save_pdf) } }
            a href=(parts.proof) { (texts.save_proof) }
        }
        (data("proof", bundle))
        @if !parts.modules.is_empty() {
            (data("texts", &serde_json::to_string(&texts.check).unwrap_or_default()))
        }
    };
    frame(&title, parts, &body)
}

/// Writes the page for an address under which nobody registered a product. It says nothing of what
/// was asked for, so that nobody can make it say something.
pub fn unknown_page(language: Language, assets: &str) -> String {
    let texts = language.texts();
    let parts = PageParts {
        language,
        assets,
        modules: &[],
        path: "",
        address: "",
        proof: "",
        pdf: None,
        qr: None,
    };
    let body = html! {
        article.certificate.unknown #certificate {
            header.head {
                p.kicker { (texts.title) }
                h1 { (texts.unknown_title) }
            }
            p.lead { (texts.unknown_detail) }
            p { (texts.unknown_advice) }
        }
    };
    frame(texts.unknown_title, &parts, &body)
}

/// Puts head and foot around a page.
pub(super) fn frame(title: &str, parts: &PageParts<'_>, body: &Markup) -> String {
    let texts = parts.language.texts();
    let page = html! {
        (DOCTYPE)
        html lang=(parts.language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="icon" href=(format!("{}/mark.svg", parts.assets)) type="image/svg+xml";
                link rel="stylesheet" href=(format!("{}/certificate.css", parts.assets));
                @for module in parts.modules { link rel="modulepreload" href=(module); }
                @if let Some(first) = parts.modules.first() { script type="module" src=(first) {} }
            }
            body {
                a.skip href="#certificate" { (texts.skip) }
                header.page {
                    p.brand { "PatchProof" }
                    (languages(parts, texts))
                }
                main { (body) }
                footer.page {
                    @if !parts.address.is_empty() {
                        p { (texts.footer) }
                        p.address { (parts.address) }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn languages(parts: &PageParts<'_>, texts: &Texts) -> Markup {
    html! {
        nav.languages aria-label=(texts.languages) {
            @for language in Language::ALL {
                @let is_current = language == parts.language;
                a href=(format!("{}?lang={}", parts.path, language.tag())) hreflang=(language.tag())
                    lang=(language.tag()) aria-current=[is_current.then_some("true")] {
                    (language.name())
                }
            }
        }
    }
}

fn network_notice(view: &CertificateView, texts: &Texts) -> Markup {
    let is_test = view.network == crate::types::Network::Test;
    html! {
        @if view.is_simulated {
            p.notice role="note" { (texts.simulated) }
        } @else if is_test {
            p.notice role="note" { (texts.test_network) }
        }
    }
}

/// The place of the check: hidden until the script fills it.
fn check(parts: &PageParts<'_>, texts: &Texts) -> Markup {
    let check = &texts.check;
    if parts.modules.is_empty() {
        return html! { p.aside { (check.absent) } };
    }
    html! {
        section.check #check aria-labelledby="check-heading" hidden {
            h2 #check-heading { (check.heading) }
            p.verdict #verdict role="status" aria-live="polite" {}
            p.aside { (check.intro) }
            details {
                summary { (check.details) }
                div.wide tabindex="0" role="region" aria-labelledby="check-heading" {
                    table.steps {
                        caption.unseen { (check.heading) }
                        thead {
                            tr {
                                th scope="col" { (check.step) }
                                th scope="col" { (check.subject) }
                                th scope="col" { (check.result) }
                            }
                        }
                        tbody #steps {}
                    }
                }
            }
        }
        noscript { p.aside { (check.no_script) } }
    }
}

/// Puts JSON into a block that no browser runs; `<` as an escape, so that no text in it ends it.
fn data(id: &str, json: &str) -> Markup {
    let safe = json.replace('<', "\\u003c");
    html! { script type="application/json" id=(id) { (PreEscaped(safe)) } }
}

/// Returns the name of a state for scripts and styles.
const fn state_name(state: State) -> &'static str {
    match state {
        State::Anchored => "anchored",
        State::Waiting => "waiting",
        State::Withheld => "withheld",
        State::Erased => "erased",
        State::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::ProductView;
    use crate::proof::fixture::custody;
    use crate::proof::{Bundle, Trust, verify};

    const EVIL: &str = "</script><script>alert(1)</script><img src=x onerror=\"alert(2)\">";

    fn page(view: &CertificateView, bundle: &str, modules: &[String]) -> String {
        let parts = PageParts {
            language: Language::English,
            assets: "/certificates/assets/1",
            modules,
            path: "/certificates/TAG-1",
            address: "https://brand.example/certificates/TAG-1",
            proof: "/v1/patches/TAG-1/proof",
            pdf: None,
            qr: None,
        };
        certificate_page(view, bundle, &parts)
    }

    fn view(bundle: &Bundle) -> CertificateView {
        CertificateView::new(bundle, &verify(bundle, &Trust::default()))
    }

    #[test]
    fn what_others_wrote_is_text_and_nothing_else() {
        let evil = || Some(EVIL.to_owned());
        let mut told = view(&custody(2, 2));
        told.uid = EVIL.to_owned();
        told.owner = evil();
        told.events[0].owner = evil();
        told.events[0].claimed_time = evil();
        told.product = Some(ProductView {
            name: evil(),
            category: evil(),
            sku: evil(),
            serial_number: evil(),
            material: evil(),
            patch_location: evil(),
            image: evil(),
        });
        let json = serde_json::to_string(EVIL).unwrap();
        let page = page(&told, &json, &["/certificates/assets/1/page.mjs".to_owned()]);
        assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
        assert_eq!(page.matches("<script").count(), 3);
        assert!(page.contains("&lt;script&gt;alert(1)"));
        let (_, data) = page.split_once("id=\"proof\">").unwrap();
        let data = data.split_once("</script>").unwrap().0;
        assert_eq!(serde_json::from_str::<String>(data).unwrap(), EVIL);
    }

    #[test]
    fn a_failed_certificate_shows_nothing_of_what_the_records_say() {
        let mut bundle = custody(2, 2);
        let name = "Trikot";
        assert!(page(&view(&bundle), "{}", &[]).contains(name));
        bundle.records[1].commitment = crate::types::Digest::from_bytes([1; 32]);
        let failed = page(&view(&bundle), "{}", &[]);
        assert!(failed.contains("Not authentic") && failed.contains("event 2"), "{failed}");
        assert!(!failed.contains(name) && !failed.contains("Owner’s address"));
    }

    #[test]
    fn a_build_without_the_check_says_so() {
        let page = page(&view(&custody(1, 1)), "{}", &[]);
        assert!(page.contains("built without the check") && !page.contains("type=\"module\""));
    }

    #[test]
    fn the_page_is_this_one() {
        let mut bundle = custody(2, 1);
        bundle.records[0].content = None;
        let page = page(&view(&bundle), "{}", &["/certificates/assets/1/page.mjs".to_owned()]);
        insta::assert_snapshot!(page.replace("><", ">\n<"));
    }
}
