//! A build that sends no traces.

use std::sync::Arc;

use url::Url;

use crate::telemetry::{ServedRequest, TracesError};
use crate::types::Clock;

/// Sends nothing; there is none.
#[derive(Debug)]
pub enum Traces {}

impl Traces {
    /// Refuses: this build cannot.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn to(_: &Url, _: Option<&str>, _: Arc<dyn Clock>) -> Result<Self, TracesError> {
        Err(TracesError("this build has no OTLP".to_owned()))
    }

    /// Is never asked to.
    pub fn served(&self, _: &ServedRequest<'_>) {
        match *self {}
    }

    /// Is never asked to.
    pub fn finish(&self) {
        match *self {}
    }
}
