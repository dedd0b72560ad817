//! A view of a medium that cannot be written to any more: what redb writes while it opens the
//! database (repairs, its marks in the header) is kept in memory, what it reads comes from the
//! medium. Nothing is ever committed through it; readers go on.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::storage::backend::pass_locks_on;

/// Bytes that are kept together.
const BLOCK_SIZE: usize = 4096;
const BLOCK: u64 = BLOCK_SIZE as u64;

type Block = Box<[u8; BLOCK_SIZE]>;

/// Reads through, writes to memory.
#[derive(Debug)]
pub(super) struct OverlayBackend {
    inner: Box<dyn StorageBackend>,
    state: Mutex<OverlayState>,
}

#[derive(Debug)]
struct OverlayState {
    len: u64,
    /// The shortest the view has been: the medium shows through below, zeros above.
    shown: u64,
    /// Changed blocks by their number.
    changed: BTreeMap<u64, Block>,
}

impl OverlayBackend {
    /// Lays an empty overlay over a medium.
    pub(super) fn over(inner: Box<dyn StorageBackend>) -> io::Result<Self> {
        let len = inner.len()?;
        let state = Mutex::new(OverlayState { len, shown: len, changed: BTreeMap::new() });
        Ok(Self { inner, state })
    }

    fn state(&self) -> MutexGuard<'_, OverlayState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OverlayState {
    fn block(&self, inner: &dyn StorageBackend, number: u64) -> io::Result<Block> {
        if let Some(block) = self.changed.get(&number) {
            return Ok(block.clone());
        }
        let mut block: Block = Box::new([0; BLOCK_SIZE]);
        let start = number.saturating_mul(BLOCK);
        let shown = as_index(self.shown.saturating_sub(start).min(BLOCK))?;
        if shown > 0 {
            inner.read(start, &mut block[..shown])?;
        }
        Ok(block)
    }
}

fn as_index(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// A run of bytes inside one block.
struct Run {
    block: u64,
    at: usize,
    length: usize,
}

/// Cuts a range at block borders, refusing one that ends beyond `len`.
fn runs(offset: u64, length: usize, len: u64) -> io::Result<Vec<Run>> {
    let end = offset.checked_add(length as u64).filter(|end| *end <= len);
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut runs = Vec::new();
    let mut from = offset;
    while from < end {
        let block = from / BLOCK;
        let until = end.min((block + 1) * BLOCK);
        runs.push(Run { block, at: as_index(from % BLOCK)?, length: as_index(until - from)? });
        from = until;
    }
    Ok(runs)
}

impl StorageBackend for OverlayBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        for run in runs(offset, out.len(), state.len)? {
            let block = state.block(&*self.inner, run.block)?;
            let (head, tail) = out.split_at_mut(run.length);
            head.copy_from_slice(&block[run.at..run.at + run.length]);
            out = tail;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.shown = state.shown.min(len);
        state.len = len;
        let whole = len / BLOCK;
        let rest = as_index(len % BLOCK)?;
        state.changed.retain(|number, _| *number < whole || (*number == whole && rest > 0));
        if let Some(last) = state.changed.get_mut(&whole) {
            last[rest..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        for run in runs(offset, data.len(), state.len)? {
            let mut block = state.block(&*self.inner, run.block)?;
            let (head, tail) = data.split_at(run.length);
            block[run.at..run.at + run.length].copy_from_slice(head);
            state.changed.insert(run.block, block);
            data = tail;
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    pass_locks_on!();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    use super::*;

    #[derive(Debug, Clone)]
    enum Act {
        Write(u64, Vec<u8>),
        SetLen(u64),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let write = (0u64..20_000, prop::collection::vec(1u8.., 0..9000))
            .prop_map(|(offset, data)| Act::Write(offset, data));
        prop::collection::vec(
            prop_oneof![4 => write, 1 => (0u64..24_000).prop_map(Act::SetLen)],
            1..20,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The overlay behaves like the medium itself would, and the medium stays as it was.
        #[test]
        fn an_overlay_behaves_like_the_medium_it_covers(acts in acts()) {
            let first: Vec<u8> = (0u8..250).cycle().take(10_000).collect();
            let [covered, model] = [InMemoryBackend::new(), InMemoryBackend::new()];
            for medium in [&covered, &model] {
                medium.set_len(10_000).unwrap();
                medium.write(0, &first).unwrap();
            }
            let overlay = OverlayBackend::over(Box::new(covered)).unwrap();
            for act in acts {
                match act {
                    Act::Write(offset, data) => prop_assert_eq!(
                        overlay.write(offset, &data).is_ok(),
                        model.write(offset, &data).is_ok()
                    ),
                    Act::SetLen(len) => {
                        overlay.set_len(len).unwrap();
                        model.set_len(len).unwrap();
                    }
                }
                let len = model.len().unwrap();
                prop_assert_eq!(overlay.len().unwrap(), len);
                let size = usize::try_from(len).unwrap();
                let mut seen = [vec![0; size], vec![0; size]];
                overlay.read(0, &mut seen[0]).unwrap();
                model.read(0, &mut seen[1]).unwrap();
                prop_assert!(seen[0] == seen[1]);
                prop_assert!(overlay.read(len, &mut [0]).is_err());
            }
            let mut below = vec![0; 10_000];
            overlay.inner.read(0, &mut below).unwrap();
            prop_assert!(below == first);
        }
    }
}
