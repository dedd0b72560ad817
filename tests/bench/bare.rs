//! The bare server beside which ours is measured: axum's own, one route, one constant body.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

/// Serves `body` (a file's content) under `/` on a free port and prints the address.
pub(crate) fn serve(body: &str) {
    let bytes = bytes::Bytes::from(std::fs::read(body).expect("the body can be read"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let router = Router::new().route(
            "/",
            get(move || {
                let bytes = bytes.clone();
                async move { ([(CONTENT_TYPE, "application/json")], bytes) }
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}
