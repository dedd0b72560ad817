//! The description of the API and the pages about it, all without the internet.

use patchproof::http::problem::ProblemCode;

use crate::support::TestServer;

#[tokio::test]
async fn the_description_lists_the_routes_and_the_shape_of_errors() {
    let server = TestServer::start().await;
    let description = server.get("/openapi.json").await.json();
    for path in ["/health", "/ready", "/metrics", "/echo", "/items/{id}"] {
        assert!(description["paths"].get(path).is_some(), "{path} is missing");
    }
    let problem = &description["components"]["schemas"]["Problem"]["properties"];
    for member in ["type", "title", "status", "code", "requestId", "errors"] {
        assert!(problem.get(member).is_some(), "{member} is missing from {problem}");
    }
    assert!(description["components"]["securitySchemes"].get("apiKey").is_some());
    let yaml = server.get("/openapi.yaml").await;
    assert_eq!(yaml.header("content-type"), Some("application/yaml"));
    assert!(yaml.text().contains("\n  \"/items/{id}\":\n    get:\n"), "{}", yaml.text());
}

#[tokio::test]
async fn a_client_that_has_the_description_is_not_sent_it_again() {
    let server = TestServer::start().await;
    let tag = server.get("/openapi.json").await.header("etag").unwrap().to_owned();
    let again = |tag: &str| {
        format!("GET /openapi.json HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n\r\n")
    };
    let mut client = server.connect().await;
    client.send(again(&tag)).await;
    let answer = client.head().await;
    assert_eq!((answer.status, answer.header("etag")), (304, Some(tag.as_str())));
    client.send(again("\"other\"")).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn every_problem_has_its_page() {
    let server = TestServer::start().await;
    for code in ProblemCode::ALL {
        let page = server.get(&code.documentation_path()).await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains(code.as_str()) && page.text().contains(code.title()));
    }
    server.get("/docs/errors/no_such_code").await.problem(404, "NOT_FOUND");
}

#[cfg(feature = "console")]
#[tokio::test]
async fn the_explorer_needs_nothing_from_elsewhere() {
    let server = TestServer::start().await;
    let page = server.get("/docs").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"));
    assert!(!page.text().contains("http://") && !page.text().contains("https://"));
    let scripts = page.text().matches("<script").count();
    assert_eq!(scripts, page.text().matches("<script src=\"/docs/assets/").count());
    let addresses = page.text().split(['"']).filter(|text| text.starts_with("/docs/assets/"));
    let mut files = 0;
    for address in addresses {
        let file = server.get(address).await;
        assert_eq!(file.status, 200, "{address}");
        assert!(file.header("etag").is_some() && file.header("cache-control").is_some());
        files += 1;
    }
    assert_eq!(files, 4);
    server.get("/docs/assets/..%2fCargo.toml").await.problem(404, "NOT_FOUND");
}

#[cfg(not(feature = "console"))]
#[tokio::test]
async fn without_the_explorer_the_routes_are_listed() {
    let server = TestServer::start().await;
    let page = server.get("/docs").await;
    assert!(page.text().contains("<code>/items/{id}</code>"));
}
