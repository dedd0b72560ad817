//! stub
/// stub
#[derive(Debug)]
pub struct SignerServerConfig;
/// stub
pub fn signer_router(_config: SignerServerConfig) -> axum::Router {
    axum::Router::new()
}
