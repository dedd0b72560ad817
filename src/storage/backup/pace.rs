//! Holding back: a backup is in no hurry, and those whose writes it would delay are. It works in slices
//! of a quarter of a millisecond and rests after each, and what it writes goes to the disk a little at a time,
//! since whoever commits meanwhile waits for all that the disk was given before.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// How long it works before it rests.
const SLICE: Duration = Duration::from_micros(250);
/// How long it rests for every two parts that it worked. Not longer: while it reads its view no page that it
/// may need is used again, so every commit meanwhile makes the file grow.
const REST_PER_TWO: u32 = 3;
/// The longest rest: a slice that was long for its own reasons, as by a slow disk, has made way already.
const LONGEST_REST: Duration = Duration::from_millis(20);
/// Bytes that are written before they are synced.
const UNSYNCED: usize = 1 << 20;

/// The measure of one long job.
pub(super) struct Pace {
    working_since: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { working_since: Instant::now() }
    }

    /// Rests where a slice is over; cheap enough to be asked for each row.
    #[expect(clippy::disallowed_methods, reason = "a thread of its own that makes way for others")]
    pub(super) fn step(&mut self) {
        let worked = self.working_since.elapsed();
        if worked >= SLICE {
            std::thread::sleep((worked * REST_PER_TWO / 2).min(LONGEST_REST));
            self.working_since = Instant::now();
        }
    }
}

/// A source that is read at a measured pace.
pub(super) struct Paced<R> {
    source: R,
    pace: Pace,
}

impl<R> Paced<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, pace: Pace::new() }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.pace.step();
        self.source.read(into)
    }
}

/// A file that never has much in it that is not on the disk yet.
pub(super) struct SteadyFile {
    /// The file; what was written last is not synced.
    pub(super) file: File,
    unsynced: usize,
}

impl SteadyFile {
    pub(super) const fn new(file: File) -> Self {
        Self { file, unsynced: 0 }
    }
}

impl Write for SteadyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.unsynced += count;
        if self.unsynced >= UNSYNCED {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for a step until a slice is over, and returns how long it worked and how long that took.
    fn work_a_slice() -> (Duration, Duration) {
        let mut pace = Pace::new();
        let begun = Instant::now();
        while begun.elapsed() < SLICE {}
        let worked = begun.elapsed();
        pace.step();
        (worked, begun.elapsed())
    }

    #[test]
    fn a_slice_is_followed_by_a_rest() {
        let (worked, in_all) = work_a_slice();
        assert!(in_all >= worked + SLICE * REST_PER_TWO / 2, "{worked:?} of {in_all:?}");
    }

    #[test]
    fn between_slices_nobody_waits() {
        let mut pace = Pace::new();
        let begun = Instant::now();
        pace.working_since = begun + Duration::from_secs(60);
        (0..1000).for_each(|_| pace.step());
        assert_eq!(pace.working_since, begun + Duration::from_secs(60));
    }

    #[test]
    fn what_goes_through_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it");
        let bytes: Vec<u8> = (0..=250u8).cycle().take(3 * UNSYNCED).collect();
        let mut file = SteadyFile::new(File::create(&path).unwrap());
        file.write_all(&bytes).unwrap();
        assert!(file.unsynced < UNSYNCED);
        let mut read = Vec::new();
        Paced::new(File::open(&path).unwrap()).read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
    }
}
