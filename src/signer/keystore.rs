//! stub
/// stub
#[derive(Debug)]
pub struct Keystore;
/// stub
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct KeystoreError;
