//! What an export says, an import into an empty store makes again: the same tags, the same products,
//! the same owners, whatever they are written with and in either kind of file.

use std::collections::BTreeMap;

use patchproof::patch::tag::UidTag;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reqwest::Method;
use serde_json::{Map, Value};

use crate::import::{IMPORTS, until_ended};
use crate::support::app::TestApp;
use crate::support::clients::Owner;

/// Products by tag, each as its columns say.
type Products = BTreeMap<String, Map<String, Value>>;

/// What only the store that exports knows.
const OWN: [&str; 4] = ["status", "current_txid", "created_at", "updated_at"];

/// Texts as they trouble files: separators, quotes, beginnings of formulas, apostrophes, other scripts.
const TEXT: &str = "['=+@＝-]{0,3}[a-z ,;\"'=ü汉\u{1f600}]{0,9}[\"a,']";
const NOTES: &str = "['=+@\n\t-]{0,3}[a-z,;\"'\n\tü汉]{0,12}[\"a\n\t]";

fn product() -> impl Strategy<Value = Map<String, Value>> {
    let tag = "['=+@＝-]{0,3}[a-z ,;\"'ü汉]{0,6}[0-9]{3}";
    let tag = tag.prop_filter("is a tag", |tag| UidTag::parse(tag).is_ok());
    let texts = (of(TEXT), of(TEXT), of(TEXT), of(TEXT), of(TEXT), of(NOTES), of(TEXT));
    (tag, texts, 1_u8..4).prop_map(|(tag, texts, owner)| {
        let (name, category, sku, serial, material, notes, location) = texts;
        let image = name.is_some().then(|| "https://x.example/a,b.png".to_owned());
        let columns = [
            ("uid_tag_id", Some(tag)),
            ("name", name),
            ("category", category),
            ("sku", sku),
            ("serial_number", serial),
            ("material", material),
            ("notes", notes),
            ("image", image),
            ("patch_location", location),
            ("owner", Some(Owner::number(owner).address())),
        ];
        let said = columns.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?.into())));
        said.collect()
    })
}

fn by_tag(products: impl Iterator<Item = Map<String, Value>>) -> Products {
    products.map(|it| (it["uid_tag_id"].as_str().unwrap().to_owned(), it)).collect()
}

async fn import(app: &TestApp, kind: &str, file: Vec<u8>) -> Value {
    let query = [("dryRun", "false")];
    let call = app.api().call(Method::POST, &IMPORTS).query(&query).body(kind, file);
    let import = call.send().await.expect(202);
    assert_eq!(import["bad"], 0, "{import}");
    until_ended(app, &import).await
}

async fn export(app: &TestApp, format: &str) -> Vec<u8> {
    let path = ["v1", "admin", "patches", "export"];
    app.api().call(Method::GET, &path).query(&[("format", format)]).send().await.body
}

async fn products_of(app: &TestApp) -> Products {
    let file = String::from_utf8(export(app, "jsonl").await).unwrap();
    let lines = file.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap());
    by_tag(lines.filter(|line| !line.contains_key("complete")).map(|mut line| {
        line.retain(|name, _| !OWN.contains(&name.as_str()));
        line
    }))
}

async fn goes_round(products: Products) {
    let app = TestApp::penniless().await;
    let file: String =
        products.values().map(|it| format!("{}\n", Value::Object(it.clone()))).collect();
    let _ = import(&app, "application/x-ndjson", file.into_bytes()).await;
    assert_eq!(products_of(&app).await, products);
    for (format, kind) in [("jsonl", "application/x-ndjson"), ("csv", "text/csv")] {
        let other = TestApp::penniless().await;
        let done = import(&other, kind, export(&app, format).await).await;
        assert_eq!(done["registered"], products.len(), "{format}");
        assert_eq!(products_of(&other).await, products, "{format}");
    }
}

#[test]
fn an_export_is_imported_as_the_same_products() {
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let products = vec(product(), 1..24).prop_map(|it| by_tag(it.into_iter()));
    let outcome = TestRunner::new_with_rng(config, rng).run(&products, |products| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(goes_round(products));
        Ok(())
    });
    outcome.unwrap();
}
