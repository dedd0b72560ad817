//! stub
/// stub
#[derive(Debug)]
pub struct KmsConfig;
/// stub
#[derive(Debug)]
pub struct KmsSigner;
