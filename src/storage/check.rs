//! stub
/// s
#[derive(Debug)]
pub struct CheckReport;
/// s
#[derive(Debug)]
pub struct Violation;
