//! Whether a header's work fits the work before it: a bound that any chain under the network's own
//! rule keeps, with room to spare.
//!
//! Since November 2017 the network aims each block at the work of the 144 blocks before, times 600
//! seconds, over the time that they took, which counts as half a day at least and two days at most.
//! So no block has less than half of their average work. What is refused here is less than a
//! quarter: timestamps, and with them the exact target, are not checked. A forger of headers must
//! therefore go on doing work of the network's own order, and cannot fall to the easiest target.

use std::collections::VecDeque;

use crate::bitcoin::Work;

/// How many blocks before one decide its target.
pub const WINDOW: usize = 144;
/// How many times less work than the average is refused.
const MOST_DROP: u128 = 4;

/// The work of the headers before the next one, each by itself.
#[derive(Debug, Clone, Default)]
pub struct WorkWindow {
    works: VecDeque<Work>,
}

impl WorkWindow {
    /// Takes in the next header's own work.
    pub fn push(&mut self, work: Work) {
        if self.works.len() == WINDOW {
            self.works.pop_front();
        }
        self.works.push_back(work);
    }

    /// Says whether the next header may have this work; with less than a whole window known it may
    /// have any.
    pub fn allows(&self, work: Work) -> bool {
        if self.works.len() < WINDOW {
            return true;
        }
        let sum = self.works.iter().fold(Work::default(), |sum, work| sum.plus(*work));
        work.times(MOST_DROP).times(WINDOW as u128) >= sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(works: impl Iterator<Item = u128>) -> WorkWindow {
        let mut window = WorkWindow::default();
        works.for_each(|work| window.push(Work::ONE.times(work)));
        window
    }

    #[test]
    fn work_may_fall_to_a_quarter_of_the_average_and_rise_without_bound() {
        let even = window((0..200).map(|_| 1000));
        assert!(even.allows(Work::ONE.times(250)));
        assert!(!even.allows(Work::ONE.times(249)));
        assert!(even.allows(Work::ONE.times(u128::MAX)));
    }

    #[test]
    fn only_the_last_window_counts_and_only_when_it_is_whole() {
        assert!(window((0..143).map(|_| 1000)).allows(Work::ONE));
        let fallen = window((0..300).map(|at| if at < 156 { 1_000_000 } else { 4 }));
        assert!(fallen.allows(Work::ONE));
        assert!(!window((0..144).map(|at| if at < 1 { 1_000_000 } else { 4 })).allows(Work::ONE));
    }
}
