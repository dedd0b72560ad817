//! How long to wait before the next attempt: doubling, bounded, spread by a jitter that needs no
//! random number because it comes from the record's identifier.

use std::time::Duration;

use crate::crypto::sha256_parts;
use crate::types::RecordId;

/// The waiting times of the lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first wait after an attempt that brought nothing.
    pub first_wait: Duration,
    /// The longest wait between attempts.
    pub longest_wait: Duration,
    /// The first wait between two looks for a transaction's block.
    pub look_wait: Duration,
    /// The longest wait between two looks.
    pub longest_look_wait: Duration,
    /// The wait between two looks at a held record.
    pub held_wait: Duration,
}

impl Default for RetryPolicy {
    /// Rebroadcast within 30 s until seen; look for the block every 10 s at first, every 10 min in
    /// the end.
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            look_wait: Duration::from_secs(10),
            longest_look_wait: Duration::from_secs(600),
            held_wait: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Returns the wait after `attempts` attempts that brought nothing.
    pub fn wait(&self, id: RecordId, attempts: u32) -> Duration {
        spread(doubled(self.first_wait, self.longest_wait, attempts), id, attempts)
    }

    /// Returns a time that no wait exceeds, pauses that endpoints ask for included.
    pub fn longest(&self) -> Duration {
        let waits = [self.longest_wait, self.longest_look_wait, self.held_wait];
        waits.into_iter().max().unwrap_or_default().saturating_mul(2)
    }

    /// Returns the wait before the next look for a block.
    pub fn look(&self, id: RecordId, attempts: u32) -> Duration {
        spread(doubled(self.look_wait, self.longest_look_wait, attempts / 4), id, attempts)
    }
}

fn doubled(first: Duration, longest: Duration, times: u32) -> Duration {
    first.saturating_mul(1u32 << times.min(20)).min(longest)
}

/// Adds up to a fifth, so that many jobs of one moment do not come back in one moment.
fn spread(wait: Duration, id: RecordId, attempts: u32) -> Duration {
    let hash = sha256_parts(&[&id.to_bytes(), &attempts.to_le_bytes()]);
    let fraction = u32::from(u16::from_le_bytes([hash[0], hash[1]]));
    wait + wait.saturating_mul(fraction) / (5 * 65_536)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_differ_by_record() {
        let policy = RetryPolicy::default();
        let id = RecordId::from_bytes([1; 16]);
        let mut last = Duration::ZERO;
        for attempts in 0..64 {
            let wait = policy.wait(id, attempts);
            assert!(wait <= policy.longest_wait * 6 / 5);
            assert!(wait.max(policy.look(id, attempts)) < policy.longest());
            assert!(attempts > 5 || wait > last);
            last = wait;
        }
        assert_ne!(policy.wait(id, 3), policy.wait(RecordId::from_bytes([2; 16]), 3));
        assert_eq!(policy.wait(id, 3), policy.wait(id, 3));
    }
}
