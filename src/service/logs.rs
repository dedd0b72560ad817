//! The newest lines of the log, kept in memory as they were written: what the log may not say is not
//! in here either.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::types::Timestamp;

/// Lines that are kept.
pub const MOST_LINES: usize = 2_000;
/// The most bytes of a line; of a longer one the beginning is kept.
const LONGEST_LINE: usize = 8 * 1024;
/// The most bytes of all lines together.
pub const MOST_BYTES: usize = 2 * 1024 * 1024;
/// Lines in one answer.
pub const MAX_PAGE: usize = 500;

/// How bad what a line says is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineLevel {
    /// Something does not work.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Something happened.
    Info,
    /// Something that helps to find a mistake.
    Debug,
    /// More of that.
    Trace,
}

impl LineLevel {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Returns the word for answers and queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its number in this run of the process, from 1.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// How bad it is.
    pub level: LineLevel,
    /// The line as it was written, without its end.
    pub text: String,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// This bad or worse.
    pub level: Option<LineLevel>,
    /// With this text in it, in any case.
    pub text: Option<String>,
    /// With a higher number than this.
    pub after: Option<u64>,
}

/// Keeps the newest lines; clones keep the same.
#[derive(Clone, Default)]
pub struct LogBuffer(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    newest: u64,
}

impl LogBuffer {
    /// Keeps a line as it was written.
    pub fn keep(&self, at: Timestamp, level: LineLevel, written: &str) {
        let mut text = written.trim_end_matches('\n');
        if text.len() > LONGEST_LINE {
            text = &text[..text.floor_char_boundary(LONGEST_LINE)];
        }
        let mut kept = self.lock();
        kept.newest += 1;
        let line = LogLine { number: kept.newest, at, level, text: text.to_owned() };
        kept.bytes += line.text.len();
        kept.lines.push_back(Arc::new(line));
        while kept.lines.len() > MOST_LINES || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.text.len();
        }
    }

    /// Returns the lines that are wanted, oldest first: the newest `limit` of them, or the first
    /// `limit` after a line if one is named.
    pub fn lines(&self, filter: &LogFilter, limit: usize) -> Vec<Arc<LogLine>> {
        let text = filter.text.as_deref().map(str::to_lowercase);
        // Searching is done on a copy of the list: whoever writes a line does not wait for it.
        let all: Vec<Arc<LogLine>> = self.lock().lines.iter().cloned().collect();
        let is_wanted = |line: &&Arc<LogLine>| {
            filter.after.is_none_or(|after| line.number > after)
                && filter.level.is_none_or(|level| line.level <= level)
                && text.as_deref().is_none_or(|text| line.text.to_lowercase().contains(text))
        };
        if filter.after.is_some() {
            return all.iter().filter(is_wanted).take(limit).cloned().collect();
        }
        let mut found: Vec<_> = all.iter().rev().filter(is_wanted).take(limit).cloned().collect();
        found.reverse();
        found
    }

    /// Returns the number of the newest line, 0 before the first.
    pub fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// Returns how many bytes of text are kept.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn numbers(lines: &[Arc<LogLine>]) -> Vec<u64> {
        lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn the_newest_lines_stay_and_their_bytes_are_bounded() {
        let buffer = LogBuffer::default();
        for number in 1..=2_500 {
            buffer.keep(NOW, LineLevel::Info, &format!("line {number}\n"));
        }
        let found = buffer.lines(&LogFilter::default(), 3);
        assert_eq!(numbers(&found), [2_498, 2_499, 2_500]);
        assert_eq!(found[2].text, "line 2500");
        let first = buffer.lines(&LogFilter { after: Some(0), ..LogFilter::default() }, 1);
        assert_eq!(numbers(&first), [501]);
        for _ in 0..2_000 {
            buffer.keep(NOW, LineLevel::Info, &"ü".repeat(50_000));
        }
        assert!(buffer.bytes() <= MOST_BYTES, "{}", buffer.bytes());
        assert!(buffer.lines(&LogFilter::default(), 1)[0].text.len() <= LONGEST_LINE);
    }

    #[test]
    fn lines_are_found_by_level_text_and_number() {
        let buffer = LogBuffer::default();
        let written = [
            (LineLevel::Error, "The Disk is full"),
            (LineLevel::Info, "answered"),
            (LineLevel::Warn, "the disk is slow"),
        ];
        written.iter().for_each(|(level, text)| buffer.keep(NOW, *level, text));
        let of = |level, text: Option<&str>, after| {
            let filter = LogFilter { level, text: text.map(str::to_owned), after };
            numbers(&buffer.lines(&filter, 10))
        };
        assert_eq!(of(None, None, None), [1, 2, 3]);
        assert_eq!(of(Some(LineLevel::Warn), None, None), [1, 3]);
        assert_eq!(of(None, Some("DISK"), None), [1, 3]);
        assert_eq!(of(None, Some("disk"), Some(1)), [3]);
        assert_eq!(of(Some(LineLevel::Error), Some("slow"), None), [0u64; 0]);
    }
}
