//! What a document becomes.

use crate::http::guide::{Document, Documents, embedded, page, place};

fn read(markdown: &str) -> Document {
    Document::read(markdown, place)
}

#[test]
fn anchors_have_the_names_that_github_gives_them() {
    let names = [
        ("# The `log` of all commitments", "the-log-of-all-commitments"),
        ("## `GET /v1/privacy/export`", "get-v1privacyexport"),
        ("## svd-v1, and what it does not promise", "svd-v1-and-what-it-does-not-promise"),
        ("## NODE_ENV", "node_env"),
        ("## A → B", "a--b"),
        ("## When *something* is [wrong](#x)", "when-something-is-wrong"),
        ("## Größe", "größe"),
    ];
    for (markdown, name) in names {
        assert_eq!(read(markdown).sections[0].anchor, name, "{markdown}");
    }
    let twice = read("# A\n## B\n## B\n### B\n");
    let anchors: Vec<&str> = twice.sections.iter().map(|it| it.anchor.as_str()).collect();
    assert_eq!(anchors, ["a", "b", "b-1", "b-2"]);
    assert_eq!((twice.title(), twice.sections[3].level), ("A", 3));
}

#[test]
fn html_in_a_document_is_text() {
    let page = read("# A\n\n<script>alert(1)</script>\n\nan <img src=x onerror=alert(1)> image\n");
    assert!(!page.html.contains("<script") && !page.html.contains("<img"), "{}", page.html);
    assert!(page.html.contains("&lt;script&gt;"), "{}", page.html);
    let heading = read("## a \"<b>\" & `<c>`\n").html;
    assert!(
        heading.contains("aria-label=\"Link to a &quot;&lt;b&gt;&quot; &amp; &lt;c&gt;\""),
        "{heading}"
    );
}

#[test]
fn links_lead_to_pages_and_what_has_none_is_text() {
    let page = read(
        "[a](SVD_AUTH.md#words-on-the-wire) [b](README.md) [c](../src/main.rs) [d](#x) [e](/docs)",
    );
    for href in ["/docs/guide/svd-auth#words-on-the-wire", "/docs/guide", "#x", "/docs"] {
        assert!(page.html.contains(&format!("<a href=\"{href}\">")), "{href}: {}", page.html);
    }
    assert!(page.html.contains(" c ") && !page.html.contains("main.rs"), "{}", page.html);
    assert_eq!(page.links.len(), 5);
}

#[test]
fn no_page_needs_what_its_policy_forbids() {
    let pages = embedded();
    assert!(pages.len() > 20, "{:?}", pages.keys());
    for file in Documents::iter().filter(|file| file.ends_with(".md")) {
        let page =
            page(&file, &String::from_utf8(Documents::get(&file).unwrap().data.into()).unwrap());
        for forbidden in ["<script", " style=", "<img", " onclick", "<th></th>"] {
            assert!(!page.contains(forbidden), "{file}: {forbidden}");
        }
        assert!(page.contains("<h1 id="), "{file} has a title");
    }
}
