//! A self-test of the login: the whole of it with a user made up for the purpose, but for the store,
//! in which nothing is changed.

use std::time::Duration;

use crate::auth::svd::{Challenge, UserId};
use crate::auth::token::Grant;
use crate::auth::{Subject, TokenScope};
use crate::crypto::{SecretKey, random_bytes};
use crate::service::login::{LoginService, TOKEN_TTL};
use crate::storage::used_challenges::used_challenge_count;
use crate::types::{Clock, Timestamp};

/// One step and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryStep {
    /// What was tried.
    pub name: &'static str,
    /// Whether it worked.
    pub is_ok: bool,
    /// Whether a login works without it.
    pub is_optional: bool,
    /// How long it took.
    pub took: Duration,
}

/// How the self-test went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryReport {
    /// Every step, in order.
    pub steps: Vec<CanaryStep>,
    /// The identifier of the server's key, if the signer told it.
    pub kid: Option<String>,
}

impl CanaryReport {
    /// Says whether logins work.
    pub fn is_ok(&self) -> bool {
        self.steps.iter().all(|step| step.is_ok || step.is_optional)
    }
}

/// Collects steps and measures them.
struct Steps<'a> {
    clock: &'a dyn Clock,
    last: Timestamp,
    steps: Vec<CanaryStep>,
}

impl Steps<'_> {
    fn note(&mut self, name: &'static str, is_ok: bool, is_optional: bool) {
        let now = self.clock.now();
        self.steps.push(CanaryStep { name, is_ok, is_optional, took: now.since(self.last) });
        self.last = now;
    }
}

impl LoginService {
    /// Goes through a login of a user who does not exist.
    pub async fn canary(&self, clock: &dyn Clock) -> CanaryReport {
        let now = clock.now();
        let mut steps = Steps { clock, last: now, steps: Vec::new() };
        let (user, secret) = (UserId::from_bytes(random_bytes()), SecretKey::generate());
        let public_key = secret.public_key();
        let challenge = self.challenges.issue(user, now, &random_bytes());
        let is_fresh = self.check_fresh(user, &challenge, now).is_ok();
        steps.note("challenge", is_fresh, false);
        let signature = secret.plus(&challenge.digest()).map(|key| key.sign(&challenge.digest()));
        let der = signature.map(|it| it.to_der()).unwrap_or_default();
        steps.note("signature", challenge.check_answer(&public_key, &der).is_ok(), false);
        steps.note("refusal", self.refuses(user, &challenge, &der, now), false);
        let stored = self.store.read(used_challenge_count).is_ok();
        steps.note("store", stored, false);
        steps.note("token", self.makes_tokens(user, &challenge, now), false);
        let proof = self.proofs.derive(user, &challenge, &public_key).await;
        steps.note("signer", proof.is_some(), true);
        CanaryReport { steps: steps.steps, kid: self.proofs.known_kid() }
    }

    /// Tries what must not work: another user's challenge, and a changed signature.
    fn refuses(&self, user: UserId, challenge: &Challenge, der: &[u8], now: Timestamp) -> bool {
        let mut other = user.to_bytes();
        other[0] ^= 1;
        let is_foreign = self.check_fresh(UserId::from_bytes(other), challenge, now).is_err();
        let mut changed = der.to_vec();
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        let key = self.challenges.decoy(user);
        is_foreign && challenge.check_answer(&key, &changed).is_err()
    }

    fn makes_tokens(&self, user: UserId, challenge: &Challenge, now: Timestamp) -> bool {
        let subject = Subject { id: user.to_string(), scope: TokenScope::Svd };
        let jti = hex::encode(challenge.digest().as_bytes());
        let grant = Grant { subject, epoch: 0, jti, svd_proof: None, ttl: TOKEN_TTL };
        let token = self.tokens.grant(&grant, now);
        token.is_ok_and(|token| self.tokens.claims(&token, now).is_ok())
    }
}
