//! The server's part in a login: a proof that its key took part, made at the signer.
//!
//! It adds to a token and decides nothing, so a login waits for it a moment only, and after a
//! failure the next ones do not wait at all for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::auth::svd::{Challenge, UserId, svd_proof};
use crate::crypto::PublicKey;
use crate::service::login::LoginError;
use crate::signer::{SecretDeriver, Signer, svd_kid};
use crate::types::Timestamp;

/// How long a silent signer is not asked by logins.
const REST: Duration = Duration::from_secs(10);
/// The signer's name for the server's login key.
const KEY_IDENTIFIER: &str = "svd";

/// What the server's key says to a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProof {
    /// The proof for the token.
    pub value: [u8; 32],
    /// The key's identifier.
    pub kid: String,
}

/// Where proofs come from.
#[derive(Clone)]
pub struct ProofSource {
    /// Derives shared secrets; none where there is no signer.
    pub deriver: Option<Arc<dyn SecretDeriver>>,
    /// Tells the server's public key.
    pub signer: Arc<dyn Signer>,
    /// How long a login waits.
    pub patience: Duration,
    /// The key's identifier if an operator fixed it.
    pub fixed_kid: Option<String>,
    /// What was learnt.
    pub state: Arc<Mutex<ProofState>>,
}

/// What was learnt of the signer.
#[derive(Debug, Default)]
pub struct ProofState {
    kid: Option<String>,
    silent_since: Option<Timestamp>,
}

impl ProofSource {
    /// Returns the proof for a login, if the signer answers in time.
    pub async fn prove(
        &self,
        user: UserId,
        challenge: &Challenge,
        user_key: &PublicKey,
        now: Timestamp,
    ) -> Option<KeyProof> {
        let silent_since = self.state().silent_since;
        if silent_since.is_some_and(|at| at <= now && now.since(at) < REST) {
            return None;
        }
        let proof = self.derive(user, challenge, user_key).await;
        self.state().silent_since = proof.is_none().then_some(now);
        proof
    }

    /// Asks the signer whatever happened before.
    pub(super) async fn derive(
        &self,
        user: UserId,
        challenge: &Challenge,
        user_key: &PublicKey,
    ) -> Option<KeyProof> {
        let deriver = self.deriver.as_ref()?;
        let bytes = challenge.to_bytes();
        let asked = deriver.derive_secret(&bytes, user_key);
        let derived = match tokio::time::timeout(self.patience, asked).await {
            Ok(Ok(derived)) => derived,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a login goes on without the signer's proof");
                return None;
            }
            Err(_) => {
                tracing::warn!("a login goes on without the signer's proof: no answer in time");
                return None;
            }
        };
        let value = svd_proof(user, &challenge.digest(), &derived.secret);
        self.state().kid = Some(derived.kid.clone());
        Some(KeyProof { value, kid: derived.kid })
    }

    /// Returns the identifier of the server's key: fixed, known, or asked for.
    pub async fn kid(&self) -> Result<String, LoginError> {
        if let Some(kid) = self.known_kid() {
            return Ok(kid);
        }
        let asked = self.signer.public_key(KEY_IDENTIFIER);
        let answer = tokio::time::timeout(self.patience, asked).await;
        let key = answer.ok().and_then(Result::ok).flatten();
        let kid = svd_kid(&key.ok_or(LoginError::SignerUnavailable)?);
        self.state().kid = Some(kid.clone());
        Ok(kid)
    }

    /// Returns the identifier as far as it is known.
    pub fn known_kid(&self) -> Option<String> {
        self.fixed_kid.clone().or_else(|| self.state().kid.clone())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, ProofState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
