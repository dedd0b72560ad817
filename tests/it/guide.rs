//! The documents as they are served: every page is there, and every link of it leads somewhere.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;

use crate::support::app::TestApp;

/// Finds the values of an attribute in a page of ours, which writes them in one way.
fn attributes<'a>(page: &'a str, opening: &str) -> Vec<&'a str> {
    page.split(opening).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Asks for a page of this server; nothing if it is not there.
async fn page(app: &TestApp, url: &Url) -> Option<String> {
    let answer = app.client.get(url.clone()).send().await.unwrap();
    if answer.status() != 200 {
        return None;
    }
    let policy = answer.headers().get("content-security-policy");
    assert!(policy.is_some_and(|policy| !policy.to_str().unwrap().contains("unsafe")), "{url}");
    Some(answer.text().await.unwrap())
}

#[tokio::test]
async fn every_link_of_every_page_leads_somewhere() {
    let app = TestApp::penniless().await;
    let mut pages: BTreeMap<Url, Option<String>> = BTreeMap::new();
    let mut waiting = vec![app.base.join("docs/guide").unwrap()];
    let mut wrong = Vec::new();
    let mut wanted: BTreeSet<(Url, Url)> = BTreeSet::new();
    while let Some(url) = waiting.pop() {
        let text = page(&app, &url).await;
        let is_guide = url.path().starts_with("/docs/guide");
        for href in text.iter().filter(|_| is_guide).flat_map(|text| attributes(text, "href=\"")) {
            let target = url.join(href).unwrap();
            let mut without = target.clone();
            without.set_fragment(None);
            if target.origin() != app.base.origin() {
                continue;
            }
            wanted.insert((url.clone(), target));
            if !pages.contains_key(&without) && !waiting.contains(&without) {
                waiting.push(without);
            }
        }
        pages.insert(url, text);
    }
    for (from, target) in &wanted {
        let mut without = target.clone();
        without.set_fragment(None);
        let anchor = target.fragment().map(|name| {
            // A browser looks for the letters themselves where the escaped name is not there.
            percent_decoded(name)
        });
        let is_there = pages[&without].as_ref().is_some_and(|text| {
            anchor.is_none_or(|anchor| attributes(text, " id=\"").contains(&anchor.as_str()))
        });
        if !is_there {
            wrong.push(format!("{from}: {target}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let documents = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
    let guides = pages.keys().filter(|url| url.path().starts_with("/docs/guide")).count();
    // The style sheet is one more.
    assert_eq!(guides, documents.count() + 1, "the index leads to every document");
}

fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_page_is_known_by_its_tag_and_what_is_not_there_is_a_problem() {
    let app = TestApp::penniless().await;
    let answer = app.anonymous().get(&["docs", "guide", "svd-auth"]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("<title>Passwordless login (SVD) · PatchProof</title>"));
    let tag = answer.header("etag").unwrap().to_owned();
    let again = app.anonymous().call(reqwest::Method::GET, &["docs", "guide", "svd-auth"]);
    assert_eq!(again.header("if-none-match", &tag).send().await.status, 304);
    for name in ["SVD_AUTH.md", "Cargo.toml", "nothing"] {
        app.anonymous().get(&["docs", "guide", name]).await.problem(404, "NOT_FOUND");
    }
}
