//! The passwordless login: challenges given out, answers checked, each counted once.
//!
//! Nothing is written until an answer is right: a stranger's guesses leave no trace and use nothing
//! up. A right answer uses its challenge up in one durable transaction, and only then is there a
//! token. Users who are unknown or revoked go the same way as others, with a key that is nobody's.

mod browser;
mod canary;
mod keys;
mod known;
mod proof;

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use crate::auth::svd::{AnswerRejection, Challenge, ChallengeKey, ChallengeRejection, UserId};
use crate::auth::token::{Grant, TokenError, TokenKeys};
use crate::auth::{Subject, TokenScope};
use crate::crypto::{PublicKey, random_bytes};
use crate::service::persons::Persons;
use crate::storage::svd_keys::{is_present_key, svd_key, svd_key_or};
use crate::storage::{Store, StoreError, SvdKey, WriteTx};
use crate::telemetry::{Metrics, SvdMetrics, observe};
use crate::types::Timestamp;

pub use browser::{BrowserKey, MAX_BROWSER_KEYS};
pub(in crate::service) use browser::{end_browser_keys, is_registered};
pub use canary::{CanaryReport, CanaryStep};
pub use keys::{KeyChange, Revocation};
pub use known::KnownKeys;
pub use proof::{KeyProof, ProofSource};

/// How long a token from a login is valid.
pub const TOKEN_TTL: Duration = Duration::from_secs(600);
/// How long an answered challenge is remembered: the longest time to live and a day, so that a clock
/// that is set back by less revives none.
pub const REMEMBERED: Duration = Duration::from_secs(25 * 60 * 60);
/// Answered challenges in memory, which save a look into the store; the store decides.
const MOST_HOT: u64 = 50_000;

/// A login, or a change of a login key, that was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The challenge is not one that was issued to this user.
    #[error("the challenge was not issued to this user")]
    BadChallenge,
    /// Its time is over.
    #[error("the challenge has expired")]
    Expired,
    /// It was answered before.
    #[error("the challenge was answered before")]
    Replayed,
    /// The signature does not verify, or could be altered by others.
    #[error("the signature is not acceptable")]
    InvalidSignature,
    /// The user has no login key that could be revoked.
    #[error("the user has no login key")]
    NoKey,
    /// The user has a login key, and it is never overwritten.
    #[error("the user has a login key")]
    DuplicateKey,
    /// The signer, who knows the server's key, does not answer.
    #[error("the signer does not answer")]
    SignerUnavailable,
    /// The token cannot be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

impl From<ChallengeRejection> for LoginError {
    fn from(rejection: ChallengeRejection) -> Self {
        match rejection {
            ChallengeRejection::NotIssued => Self::BadChallenge,
            ChallengeRejection::Expired => Self::Expired,
        }
    }
}

/// A challenge and the key that the user answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// M.
    pub challenge: Challenge,
    /// The user's key (PMC), or what looks like one.
    pub public_key: PublicKey,
}

/// Logs users in.
#[derive(Clone)]
pub struct LoginService {
    /// The store.
    pub store: Store,
    /// Issues and recognises challenges.
    pub challenges: ChallengeKey,
    /// Signs tokens.
    pub tokens: Arc<TokenKeys>,
    /// How long a challenge may be answered.
    pub ttl: Duration,
    /// The server's part in a login, at the signer.
    pub proofs: ProofSource,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The commit that was deployed, for the metrics.
    pub deploy_sha: Option<String>,
    /// Challenges that were answered, as far as memory goes.
    pub hot: Cache<Challenge, ()>,
    /// Keys that were looked up.
    pub keys: KnownKeys,
    /// Names users where their own names must not stand.
    pub persons: Persons,
}

/// Makes room for answered challenges in memory.
pub fn hot_challenges(ttl: Duration) -> Cache<Challenge, ()> {
    Cache::builder().max_capacity(MOST_HOT).time_to_live(ttl).build()
}

impl LoginService {
    /// Gives out a challenge. Nothing is stored, whoever asks however often.
    pub fn begin(&self, user: UserId, now: Timestamp) -> Result<Begun, LoginError> {
        let (public_key, _) = self.look_up(user)?;
        let challenge = self.challenges.issue(user, now, &random_bytes());
        self.metrics.challenges_issued.inc();
        self.metrics.logins_begun.inc();
        self.meters().begin.inc();
        Ok(Begun { challenge, public_key })
    }

    /// Checks an answer and returns a token. Only a right answer uses the challenge up.
    pub async fn complete(
        &self,
        user: UserId,
        challenge: Challenge,
        signature_der: &[u8],
        now: Timestamp,
    ) -> Result<String, LoginError> {
        let result = self.answer(user, challenge, signature_der, now).await;
        self.count(&result, &challenge, now);
        result
    }

    async fn answer(
        &self,
        user: UserId,
        challenge: Challenge,
        signature_der: &[u8],
        now: Timestamp,
    ) -> Result<String, LoginError> {
        self.check_fresh(user, &challenge, now)?;
        let (public_key, is_known) = self.key_of(user)?;
        let answer = challenge.check_answer(&public_key, signature_der);
        if let Err(rejection) = answer {
            if rejection == AnswerRejection::Malleable {
                self.meters().malleable_reject.inc();
            }
            return Err(LoginError::InvalidSignature);
        }
        // Nobody has the secret of a stranger's key; were it otherwise, it would open nothing.
        if !is_known {
            return Err(LoginError::InvalidSignature);
        }
        let proof = self.proofs.prove(user, &challenge, &public_key, now).await;
        // Written out here: what the writer does, everybody waits for.
        let persons = self.persons.clone();
        let (name, action) = (user.to_string(), format!("login.svd:{challenge}"));
        let person = persons.pseudonym(&name);
        let epoch = self
            .store
            .write(move |tx| {
                // It may have changed since it was looked up.
                if !is_present_key(tx, user, &public_key)? {
                    return Err(LoginError::InvalidSignature);
                }
                use_up(tx, &challenge, now)?;
                tx.append_audit(now, &person, &action, &person)?;
                Ok::<_, LoginError>(persons.epoch_of(tx, &name, &person)?)
            })
            .await?;
        self.hot.insert(challenge, ());
        let subject = Subject { id: user.to_string(), scope: TokenScope::Svd };
        let jti = challenge.digest().to_string();
        let svd_proof = proof.map(|proof| hex::encode(proof.value));
        let grant = Grant { subject, epoch, jti, svd_proof, ttl: TOKEN_TTL };
        Ok(self.tokens.grant(&grant, now)?)
    }

    /// Checks that a challenge is ours, in time, and not known to be used.
    fn check_fresh(
        &self,
        user: UserId,
        challenge: &Challenge,
        now: Timestamp,
    ) -> Result<(), LoginError> {
        self.challenges.check(challenge, user, now, self.ttl)?;
        if self.hot.contains_key(challenge) {
            return Err(LoginError::Replayed);
        }
        Ok(())
    }

    /// Returns a user's key, or one that looks like it, and whether there is one, as remembered from
    /// the beginning of the login if nothing has changed since.
    fn key_of(&self, user: UserId) -> Result<(PublicKey, bool), LoginError> {
        match self.keys.get(user, self.store.credential_generation()) {
            Some(found) => Ok(found),
            None => self.look_up(user),
        }
    }

    /// Looks a user's key up in the store. The same work is done for everyone, and always all of it:
    /// neither who is registered nor who was here a moment ago shows in the time that it takes.
    fn look_up(&self, user: UserId) -> Result<(PublicKey, bool), LoginError> {
        let generation = self.store.credential_generation();
        let never = Timestamp::from_millis(0);
        let stranger = SvdKey {
            user,
            public_key: self.challenges.decoy(user),
            revoked_at: None,
            registered_at: never,
            changed_at: never,
        };
        let (key, is_there) = self.store.read(|tx| svd_key_or(tx, user, &stranger))?;
        let is_known = is_there && key.revoked_at.is_none();
        let found = (if is_known { key.public_key } else { stranger.public_key }, is_known);
        self.keys.remember(user, generation, found);
        Ok(found)
    }

    fn meters(&self) -> Arc<SvdMetrics> {
        let kid = self.proofs.known_kid();
        let sha = self.deploy_sha.as_deref().unwrap_or("unknown");
        self.metrics.svd(kid.as_deref().unwrap_or("unknown"), sha)
    }

    fn count(&self, result: &Result<String, LoginError>, challenge: &Challenge, now: Timestamp) {
        let meters = self.meters();
        let counter = match result {
            Ok(_) => {
                self.metrics.jwt_success.inc();
                observe(&meters.challenge_age_seconds, now.since(challenge.issued_at()));
                &meters.complete
            }
            Err(LoginError::Expired) => &meters.expired,
            Err(LoginError::Replayed) => &meters.replayed,
            Err(LoginError::InvalidSignature) => &meters.invalid,
            Err(
                LoginError::BadChallenge
                | LoginError::NoKey
                | LoginError::DuplicateKey
                | LoginError::SignerUnavailable
                | LoginError::Token(_)
                | LoginError::Store(_),
            ) => return,
        };
        counter.inc();
        if result.is_err() {
            self.metrics.logins_failed.inc();
        }
    }
}

/// Returns a user's row if the key is still this one: it may have changed since it was looked up.
fn present_key(
    tx: &WriteTx<'_>,
    user: UserId,
    public_key: &PublicKey,
) -> Result<SvdKey, LoginError> {
    svd_key(tx, user)?
        .filter(|key| key.revoked_at.is_none() && key.public_key == *public_key)
        .ok_or(LoginError::InvalidSignature)
}

/// Uses a challenge up, once.
fn use_up(tx: &mut WriteTx<'_>, challenge: &Challenge, now: Timestamp) -> Result<(), LoginError> {
    if tx.use_challenge(challenge, now)? { Ok(()) } else { Err(LoginError::Replayed) }
}
