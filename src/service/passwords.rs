//! The work that passwords cost, bounded: 19 MiB each, two at a time, off the threads that answer.
//!
//! Whoever waits holds no memory but his password; beyond a short queue logins are refused, so that
//! a flood of them takes a bounded part of the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;

use crate::auth::account::{PASSWORD_COST, Password, PasswordHash};
use crate::crypto::random_bytes;

/// How many are worked on at a time.
const AT_A_TIME: usize = 2;
/// How many wait for their turn.
const MOST_WAITING: usize = 32;

/// Too many passwords wait to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords wait to be looked at")]
pub struct Busy;

/// Checks and makes what is kept of passwords.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// What a password for nobody is checked against.
    nobodys: Arc<PasswordHash>,
}

impl Default for Passwords {
    fn default() -> Self {
        let nobodys = PasswordHash::nobodys(random_bytes(), random_bytes());
        let turns = Arc::new(Semaphore::new(AT_A_TIME));
        Self { turns, waiting: Arc::default(), nobodys: Arc::new(nobodys) }
    }
}

/// Leaves the queue, however the waiting ends.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Passwords {
    /// Says whether a password is the one of which `kept` is kept; where nothing is, the answer is no
    /// after as much work.
    pub async fn check(
        &self,
        password: Password,
        kept: Option<PasswordHash>,
    ) -> Result<bool, Busy> {
        let _turn = self.queue().await?;
        let is_somebodys = kept.is_some();
        let kept = kept.unwrap_or_else(|| (*self.nobodys).clone());
        let is_right = spawn_blocking(move || kept.is_of(&password)).await.map_err(|_| Busy)?;
        Ok(is_right && is_somebodys)
    }

    /// Makes what is to be kept of a password.
    pub async fn make(&self, password: Password) -> Result<PasswordHash, Busy> {
        let _turn = self.queue().await?;
        Self::derive(password).await
    }

    /// The same for whoever proved before that he may: waits however long the queue is, and then looks
    /// with `is_wanted` whether it is still worth the work.
    pub async fn make_patiently<E: From<Busy>>(
        &self,
        password: Password,
        is_wanted: impl Fn() -> Result<(), E>,
    ) -> Result<PasswordHash, E> {
        let _turn = self.turns.acquire().await.map_err(|_| Busy)?;
        is_wanted()?;
        Ok(Self::derive(password).await?)
    }

    async fn derive(password: Password) -> Result<PasswordHash, Busy> {
        let make = move || PasswordHash::make(&password, random_bytes(), PASSWORD_COST);
        spawn_blocking(make).await.ok().flatten().ok_or(Busy)
    }

    async fn queue(&self) -> Result<SemaphorePermit<'_>, Busy> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(&self.waiting);
        if before >= MOST_WAITING {
            return Err(Busy);
        }
        self.turns.acquire().await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_flood_of_logins_is_refused_beyond_a_short_queue() {
        let passwords = Passwords::default();
        let right = Password::typed("a good password");
        let kept = passwords.make(right.clone()).await.unwrap();
        let tries = (0..100).map(|_| passwords.check(right.clone(), Some(kept.clone())));
        let outcomes = join_all(tries).await;
        let done = outcomes.iter().filter(|it| **it == Ok(true)).count();
        assert_eq!(done, AT_A_TIME + MOST_WAITING);
        assert_eq!(outcomes.iter().filter(|it| **it == Err(Busy)).count(), 100 - done);
        // The queue is empty again.
        assert_eq!(passwords.check(right.clone(), None).await, Ok(false));
        assert_eq!(passwords.waiting.load(Ordering::Acquire), 0);
    }
}
