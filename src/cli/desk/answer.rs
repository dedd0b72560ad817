//! What came of a request: an answer, or a refusal in the words of its problem document.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

use crate::http::NO_SUCH_ROUTE;
use crate::http::problem::ProblemCode;

const UNAVAILABLE: u16 = 503;

/// The answer to a request.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Answer {
    pub(super) status: u16,
    /// The body.
    pub(in crate::cli) body: Value,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) struct Refusal {
    /// The HTTP status.
    pub(in crate::cli) status: u16,
    /// The stable name of the problem.
    code: String,
    /// What the problem document says.
    pub(in crate::cli) message: String,
}

/// The control socket is not open to this user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the control socket {} is open to root and to the user that the server runs as, and to nobody \
     else; run the command as one of them, such as with sudo -u",
    .0.display()
)]
pub(in crate::cli) struct NotPermitted(pub(super) PathBuf);

impl Refusal {
    /// Says whether the same request has a chance a little later.
    pub(in crate::cli) fn is_temporary(&self) -> bool {
        self.status == UNAVAILABLE || self.code.ends_with("_RUNNING")
    }

    /// Says whether only another run of maintenance is in the way.
    pub(super) fn is_waiting_its_turn(&self) -> bool {
        self.code == ProblemCode::MaintenanceRunning.as_str()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Answer {
    /// Takes an answer apart.
    pub(super) fn new(status: u16, body: &[u8]) -> anyhow::Result<Self> {
        let body = serde_json::from_slice(body).context("the answer is no JSON")?;
        Ok(Self { status, body })
    }

    /// Returns the answer if it is a success, or the refusal in its own words.
    pub(super) fn success(self, path: &str) -> anyhow::Result<Self> {
        if self.status < 400 {
            return Ok(self);
        }
        let word = |name: &str| self.body[name].as_str();
        let (status, code) = (self.status, word("code").unwrap_or_default().to_owned());
        if word("detail") == Some(NO_SUCH_ROUTE) {
            let message = format!(
                "the server does not know {path}: it is older than this command; start it anew with \
                 the same version"
            );
            return Err(Refusal { status, code, message }.into());
        }
        let mut message = word("detail")
            .or_else(|| word("title"))
            .unwrap_or("the request was refused")
            .to_owned();
        let fields = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        for field in fields {
            let text = |name: &str| field[name].as_str().unwrap_or_default();
            message.push_str(&format!("; {}: {}", text("field"), text("message")));
        }
        Err(Refusal { status, code, message }.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(body: &Value) -> String {
        let answer = Answer::new(400, body.to_string().as_bytes()).unwrap();
        answer.success("/v1/x").unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_says_what_is_wrong_in_the_words_of_the_document() {
        let fields = json!([{ "field": "FEE_PER_KB", "message": "must be 100 to 100000" }]);
        let body = json!({ "title": "Validation failed", "errors": fields });
        assert_eq!(refusal(&body), "Validation failed; FEE_PER_KB: must be 100 to 100000");
        let body = json!({ "title": "State moved on", "detail": "The output is spent." });
        assert_eq!(refusal(&body), "The output is spent.");
        assert!(refusal(&json!({ "detail": NO_SUCH_ROUTE })).contains("older than this command"));
        assert!(refusal(&json!([])).contains("refused"));
    }
}
