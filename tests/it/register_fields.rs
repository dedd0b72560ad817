//! What may stand in a registration, field by field: the corpus of wrong bodies.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, full_registration, registration};

/// The texts beside the tag, with the most characters of each.
const TEXTS: [(&str, &str, usize); 7] = [
    ("product", "name", 256),
    ("product", "category", 256),
    ("product", "sku", 256),
    ("product", "serial_number", 256),
    ("product", "material", 256),
    ("metadata", "notes", 4096),
    ("metadata", "patch_location", 256),
];

async fn register(app: &TestApp, body: &Value) -> Answer {
    let call = app.api().registering(body);
    call.header("prefer", "respond-async").send().await
}

async fn register_text(app: &TestApp, text: &str) -> Answer {
    app.api().call(Method::POST, &["v1", "patches"]).text(text).send().await
}

fn with(section: &str, field: &str, value: Value) -> Value {
    let mut body = full_registration("TAG-1", &Owner::number(1));
    body[section][field] = value;
    body
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_refused_on_every_level() {
    let app = TestApp::start().await;
    let sections = ["product", "metadata", "auth"];
    for name in ["extra", "names", "uid", "__proto__", "constructor", "txid", "status"] {
        let mut body = full_registration("TAG-1", &Owner::number(1));
        body[name] = json!("x");
        register(&app, &body).await.invalid(&[name]);
        for section in sections {
            let field = format!("{section}.{name}");
            register(&app, &with(section, name, json!("x"))).await.invalid(&[&field]);
        }
    }
    assert_eq!(app.anonymous().verify("TAG-1").await.status, 404);
}

#[tokio::test]
async fn a_value_of_another_type_is_refused_and_null_is_no_value() {
    let app = TestApp::start().await;
    let wrong = [
        json!(null),
        json!(7),
        json!(1.5),
        json!(true),
        json!(["x"]),
        json!({"x": "y"}),
        json!([]),
    ];
    let mut fields: Vec<(&str, &str)> =
        TEXTS.iter().map(|(section, field, _)| (*section, *field)).collect();
    fields.extend([("product", "uid_tag_id"), ("metadata", "image"), ("auth", "owner")]);
    for (section, field) in fields {
        for value in &wrong {
            let path = format!("{section}.{field}");
            register(&app, &with(section, field, value.clone())).await.invalid(&[&path]);
        }
    }
    for section in ["product", "metadata", "auth"] {
        for value in wrong.iter().filter(|value| !value.is_object()).chain([&json!("x")]) {
            let mut body = full_registration("TAG-1", &Owner::number(1));
            body[section] = value.clone();
            register(&app, &body).await.invalid(&[section]);
        }
    }
    for document in wrong.iter().filter(|value| !value.is_object()) {
        register(&app, document).await.invalid(&[""]);
    }
}

#[tokio::test]
async fn an_array_is_no_object_however_well_its_items_fit() {
    let app = TestApp::start().await;
    let address = Owner::number(1).address();
    let product = json!(["TAG-1", "name", "category", "sku", "serial", "material"]);
    let auth = json!([address]);
    register(&app, &json!([{"uid_tag_id": "TAG-1"}, {}, {"owner": address}])).await.invalid(&[""]);
    register(&app, &json!({"product": product, "auth": {"owner": address}}))
        .await
        .invalid(&["product"]);
    register(&app, &json!({"product": {"uid_tag_id": "TAG-1"}, "auth": auth}))
        .await
        .invalid(&["auth"]);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let app = TestApp::start().await;
    let address = Owner::number(1).address();
    for (body, field) in [
        (json!({}), "product"),
        (json!({"product": {"uid_tag_id": "TAG-1"}}), "auth"),
        (json!({"product": {}, "auth": {"owner": address}}), "product.uid_tag_id"),
        (json!({"product": {"uid_tag_id": "TAG-1"}, "auth": {}}), "auth.owner"),
    ] {
        register(&app, &body).await.invalid(&[field]);
    }
}

#[tokio::test]
async fn texts_have_a_longest_length_counted_in_characters() {
    let app = TestApp::start().await;
    for (number, (section, field, most)) in TEXTS.into_iter().enumerate() {
        // Four bytes each, to tell characters from bytes.
        let mut longest = with(section, field, json!("𝔘".repeat(most)));
        longest["product"]["uid_tag_id"] = json!(format!("LONG-{number}"));
        let _ = register(&app, &longest).await.expect(202);
        let path = format!("{section}.{field}");
        register(&app, &with(section, field, json!("x".repeat(most + 1)))).await.invalid(&[&path]);
        register(&app, &with(section, field, json!(""))).await.invalid(&[&path]);
    }
}

#[tokio::test]
async fn g12_texts_hold_what_can_be_seen() {
    let app = TestApp::start().await;
    let unseen =
        ["\u{0}", "\u{7}", "\u{1b}[31m", "\u{202e}x", "\u{200b}", "\u{feff}", "\u{85}", "\r"];
    for (section, field, _) in TEXTS {
        for text in unseen {
            let path = format!("{section}.{field}");
            let text = json!(format!("a{text}b"));
            register(&app, &with(section, field, text)).await.invalid(&[&path]);
        }
        if field != "notes" {
            let path = format!("{section}.{field}");
            register(&app, &with(section, field, json!("a\nb"))).await.invalid(&[&path]);
        }
    }
    let several = {
        let mut body = with("product", "name", json!("\u{0}"));
        body["metadata"]["notes"] = json!("\u{0}");
        body
    };
    register(&app, &several).await.invalid(&["product.name", "metadata.notes"]);
}

#[tokio::test]
async fn script_and_formulas_are_only_text() {
    let app = TestApp::start().await;
    for (number, text) in [
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "'; DROP TABLE x; --",
        "${jndi:x}",
        "👩‍👩‍👧",
    ]
    .into_iter()
    .enumerate()
    {
        let uid = format!("TEXT-{number}");
        let mut body = with("metadata", "notes", json!(text));
        body["product"]["uid_tag_id"] = json!(uid);
        // A joiner between emoji does not show by itself, so it is refused like the others.
        if text.contains('\u{200d}') {
            register(&app, &body).await.invalid(&["metadata.notes"]);
            continue;
        }
        let _ = register(&app, &body).await.expect(202);
        let record = &app.anonymous().verify(&uid).await.expect(200)["record"];
        assert_eq!(record["metadata"]["notes"], text);
    }
}

#[tokio::test]
async fn g12_an_image_is_a_plain_https_address() {
    let app = TestApp::start().await;
    for bad in [
        "http://brand.example/a.png",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "https://user:pass@brand.example/",
        "https://user@brand.example/",
        "https://bränd.example/",
        "https://brand.example/\u{202e}gpj.exe",
        "https://brand.example/a b",
        "https://",
        "//brand.example/a.png",
        "brand.example/a.png",
        "ftp://brand.example/a.png",
        "HTTPS:brand.example\u{0}",
        "",
        &format!("https://brand.example/{}", "a".repeat(2048)),
    ] {
        register(&app, &with("metadata", "image", json!(bad))).await.invalid(&["metadata.image"]);
    }
    let longest = format!("https://brand.example/{}", "a".repeat(2048 - 22));
    let _ = register(&app, &with("metadata", "image", json!(longest))).await.expect(202);
}

#[tokio::test]
async fn g12_a_tag_has_3_to_128_characters_that_show() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let too_long = "x".repeat(129);
    let bad = [
        "",
        "a",
        "ab",
        &too_long,
        "a\u{0}b",
        "a\nb",
        "a\tb",
        "\u{202e}abc",
        "a\u{200b}bc",
        "a\u{200d}b",
        "\u{feff}abc",
        " abc",
        "abc ",
        "a\u{a0}bc",
        "a\u{2028}bc",
        "cafe\u{301}",
        "a\u{e000}bc",
        "verify",
        "pending",
        "a\u{ad}bc",
    ];
    for uid in bad {
        register(&app, &registration(uid, &owner)).await.invalid(&["product.uid_tag_id"]);
    }
}

#[tokio::test]
async fn g12_every_tag_that_can_be_registered_can_be_verified() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let longest = "é".repeat(128);
    let tags = [
        "abc",
        &longest,
        "04:A2:2C:12:34",
        "a/b/c",
        "a?b#c",
        "a%00b",
        "a%2Fb",
        "../../etc/passwd",
        "...",
        "\"quoted\"",
        "{\"a\":1}",
        "a b",
        "café",
        "徽章一号",
        "🏷️-1",
        "🏳️🏳️",
        "AbC",
        "аbс",
        "אבג",
        "history",
        "VERIFY",
        "verify/x",
        "a\\b",
        "a+b",
        "a&b=c",
        "+++",
        "%%%",
    ];
    for uid in tags {
        let _ = register(&app, &registration(uid, &owner)).await.expect(202);
    }
    for uid in tags {
        let state = app
            .until(uid, async || {
                let state = app.anonymous().verify(uid).await.expect(200);
                (state["status"] == "authentic").then_some(state)
            })
            .await;
        assert_eq!(state["verificationDetails"]["uid_tag_id"], uid);
        assert_eq!(app.anonymous().history(uid).await.expect(200)["uid_tag_id"], uid);
    }
}

#[tokio::test]
async fn only_p2pkh_addresses_of_this_network_are_owners() {
    let app = TestApp::start().await;
    let good = Owner::number(1).address();
    let main = "16Jswqk47s9PUcyCc88MMVwzgvHPvtEpf";
    let padded = format!(" {good}");
    let leading = format!("1{good}");
    let long = good.repeat(1000);
    let mut bad = vec![
        main,
        "1111111111111111111114oLvT2",
        "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc",
        "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
        "cVbZ8ovhye9AoAHFsqobCf7LxbXDAECy9Kb8TZdfsDYMZGBUyCnm",
        "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
        "bchtest:qpm2qsznhks23z7629mms6s4cwef74vcwvqcw003ap",
        "",
        "1",
        "not an address",
        &padded,
        &leading,
        &long,
    ];
    let shorter = &good[..good.len() - 1];
    bad.push(shorter);
    for address in bad {
        let body = with("auth", "owner", json!(address));
        register(&app, &body).await.invalid(&["auth.owner"]);
    }
    for index in 0..good.len() {
        let other = if &good[index..=index] == "2" { "3" } else { "2" };
        let mut mistyped = good.clone();
        mistyped.replace_range(index..=index, other);
        let body = with("auth", "owner", json!(mistyped));
        register(&app, &body).await.invalid(&["auth.owner"]);
    }
}

#[tokio::test]
async fn a_body_that_is_not_one_plain_json_document_is_malformed() {
    let app = TestApp::start().await;
    let good = registration("TAG-1", &Owner::number(1)).to_string();
    let twice = good.replacen("\"auth\"", "\"auth\":{\"owner\":\"x\"},\"auth\"", 1);
    let nested = good.replacen("\"owner\"", "\"owner\":\"x\",\"owner\"", 1);
    let cased = good.replacen("\"owner\"", "\"Owner\":\"x\",\"owner\"", 1);
    let escaped = good.replacen("\"owner\"", "\"\\u006fwner\":\"x\",\"owner\"", 1);
    let deep = "[".repeat(1_000_000);
    let bad = [
        "",
        " ",
        "{",
        "null x",
        &format!("{good}{good}"),
        &format!("{good}x"),
        &format!("\u{feff}{good}"),
        &format!("// c\n{good}"),
        &good.replace('"', "'"),
        &twice,
        &nested,
        &cased,
        &escaped,
        &deep,
        &good.replacen("TAG-1", "\\ud800", 1),
        &good.replacen("TAG-1", "a\tb", 1),
        "{\"product\":NaN}",
    ];
    for text in bad {
        register_text(&app, text).await.problem(400, "MALFORMED_JSON");
    }
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let call = app.api().call(Method::POST, &["v1", "patches"]).text(utf16);
    call.send().await.problem(400, "MALFORMED_JSON");
    for kind in ["text/plain", "application/json; charset=utf-16", "text/json", "application/xml"] {
        let call = app.api().call(Method::POST, &["v1", "patches"]).body(kind, good.clone());
        call.send().await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let large = format!("{{\"product\":\"{}\"}}", "x".repeat(1 << 20));
    register_text(&app, &large).await.problem(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(app.anonymous().verify("TAG-1").await.status, 404);
    // The same words in another order and spelling are one registration.
    let spelled = good.replacen("TAG-1", "T\\u0041G-1", 1);
    let _ = register_text(&app, &spelled).await.expect(201);
}
