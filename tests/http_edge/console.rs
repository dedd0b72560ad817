//! The console's page and files: where they are, how they are packed, what they may do.

use crate::support::TestServer;

#[cfg(feature = "console")]
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Returns the addresses of files that the page names.
#[cfg(feature = "console")]
fn files_of(page: &str) -> Vec<&str> {
    page.split('"').filter(|text| text.starts_with("/admin/assets/")).collect()
}

#[cfg(feature = "console")]
async fn ask(server: &TestServer, path: &str, headers: &str) -> crate::client::Answer {
    server.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")).await
}

#[cfg(feature = "console")]
#[tokio::test]
async fn every_address_of_the_console_is_its_page() {
    let server = TestServer::start().await;
    let page = server.get("/admin").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    for deep in ["/admin/", "/admin/patches", "/admin/patches/A%2FB", "/admin/no/such/page"] {
        let answer = server.get(deep).await;
        assert_eq!((answer.status, answer.text()), (200, page.text()), "{deep}");
    }
    server.get("/administrators").await.problem(404, "NOT_FOUND");
}

#[cfg(feature = "console")]
#[tokio::test]
async fn the_page_runs_nothing_that_is_not_a_file_of_ours() {
    let server = TestServer::start().await;
    let page = server.get("/admin").await;
    let policy = page.header("content-security-policy").unwrap();
    for directive in
        ["default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.split("; ").any(|it| it == directive), "{directive}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert!(!page.text().contains("://"), "{}", page.text());
    assert!(!page.text().contains("style=") && !page.text().contains("<style"));
    let scripts = page.text().matches("<script").count();
    assert_eq!(
        scripts,
        page.text().matches("<script type=\"module\" src=\"/admin/assets/").count()
    );
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
}

#[cfg(feature = "console")]
#[tokio::test]
async fn files_are_kept_for_good_and_the_page_is_asked_for_again() {
    let server = TestServer::start().await;
    let page = server.get("/admin").await;
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let text = page.text();
    let files = files_of(text);
    assert!(files.len() > 10, "{files:?}");
    for address in files {
        let file = server.get(address).await;
        assert_eq!(file.status, 200, "{address}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        let condition = format!("If-None-Match: {}\r\n", file.header("etag").unwrap());
        assert_eq!(ask(&server, address, &condition).await.status, 304, "{address}");
    }
    let condition = format!("If-None-Match: {}\r\n", page.header("etag").unwrap());
    assert_eq!(ask(&server, "/admin/patches", &condition).await.status, 304);
}

#[cfg(feature = "console")]
#[tokio::test]
async fn whoever_takes_gzip_gets_it_with_a_tag_of_its_own() {
    let server = TestServer::start().await;
    let text = server.get("/admin").await.text().to_owned();
    let address = files_of(&text).into_iter().find(|it| it.ends_with("preact.js")).unwrap();
    let plain = ask(&server, address, "").await;
    let packed = ask(&server, address, "Accept-Encoding: gzip\r\n").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(packed.header("vary"), Some("Accept-Encoding"));
    assert!(packed.body.starts_with(&GZIP) && packed.body.len() * 2 < plain.body.len());
    assert_ne!(packed.header("etag"), plain.header("etag"));
    assert_eq!(plain.header("content-encoding"), None);
}

#[cfg(feature = "console")]
#[tokio::test]
async fn a_file_that_is_not_there_is_no_page() {
    let server = TestServer::start().await;
    let text = server.get("/admin").await.text().to_owned();
    let address = files_of(&text).into_iter().find(|it| it.ends_with("main.js")).unwrap();
    let folder = address.strip_suffix("/main.js").unwrap();
    for path in [
        format!("{folder}/nothing.js"),
        format!("{folder}/..%2f..%2fCargo.toml"),
        format!("{folder}/index.html"),
        "/admin/assets/0000000000000000/main.js".to_owned(),
        "/admin/assets/main.js".to_owned(),
    ] {
        server.get(&path).await.problem(404, "NOT_FOUND");
    }
}

#[cfg(not(feature = "console"))]
#[tokio::test]
async fn a_build_without_the_console_says_so() {
    let server = TestServer::start().await;
    for path in ["/admin", "/admin/patches", "/admin/assets/0/main.js"] {
        let answer = server.get(path).await;
        answer.problem(404, "NOT_FOUND");
        assert!(answer.text().contains("This build has no console"), "{}", answer.text());
    }
}
