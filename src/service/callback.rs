//! Reports of the network about transactions: hints to look, never evidence.
//!
//! They can be lost, doubled, late and forged, so nothing in them is read. Whoever presents the
//! token makes the background look at once instead of at its next round.

use crate::crypto::{constant_time_eq, sha256};
use crate::service::registration::Wake;

/// Why a report was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// No reports are expected: no token is configured.
    #[error("no reports of the network are expected")]
    NotExpected,
    /// The token is missing or wrong.
    #[error("the token of a report is not the one that was agreed upon")]
    WrongToken,
}

/// What a reporter must present; only its hash is kept.
#[derive(Clone)]
pub struct CallbackToken([u8; 32]);

impl CallbackToken {
    /// Takes the token's text.
    pub fn new(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }

    fn is(&self, presented: &str) -> bool {
        constant_time_eq(&sha256(presented.as_bytes()), &self.0)
    }
}

/// Takes reports.
#[derive(Clone)]
pub struct CallbackService {
    /// What reporters must present; none takes no reports.
    pub token: Option<CallbackToken>,
    /// Wakes what looks for transactions.
    pub wake: Wake,
}

impl CallbackService {
    /// Takes a report by whoever presents `token`.
    pub fn report(&self, token: Option<&str>) -> Result<(), CallbackError> {
        let expected = self.token.as_ref().ok_or(CallbackError::NotExpected)?;
        if !token.is_some_and(|token| expected.is(token)) {
            return Err(CallbackError::WrongToken);
        }
        (self.wake)();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn only_the_token_wakes() {
        let woken = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&woken);
        let wake: Wake = Arc::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let token = Some(CallbackToken::new("agreed"));
        let service = CallbackService { token, wake };
        for wrong in [None, Some(""), Some("agree"), Some("agreed ")] {
            assert_eq!(service.report(wrong), Err(CallbackError::WrongToken));
        }
        assert_eq!(woken.load(Ordering::SeqCst), 0);
        assert_eq!(service.report(Some("agreed")), Ok(()));
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        let closed = CallbackService { token: None, ..service };
        assert_eq!(closed.report(Some("agreed")), Err(CallbackError::NotExpected));
        assert_eq!(woken.load(Ordering::SeqCst), 1);
    }
}
