//! Lines on their way out, kept as they pass.

use std::io::{self, Write};
use std::sync::OnceLock;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::service::logs::{LineLevel, LogBuffer};
use crate::types::{Clock, SystemClock};

static KEPT: OnceLock<LogBuffer> = OnceLock::new();

/// Returns the newest lines of the log of this process, which has one log.
pub fn kept() -> LogBuffer {
    KEPT.get_or_init(LogBuffer::default).clone()
}

/// Makes writers that keep what they write.
pub(super) struct KeptAndWritten<M> {
    buffer: LogBuffer,
    out: M,
}

impl<M> KeptAndWritten<M> {
    /// Keeps in `buffer` what is written to what `out` makes.
    pub(super) const fn new(buffer: LogBuffer, out: M) -> Self {
        Self { buffer, out }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for KeptAndWritten<M> {
    type Writer = KeptLine<'a, M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        KeptLine { buffer: &self.buffer, level: LineLevel::Info, out: self.out.make_writer() }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        let level = match *metadata.level() {
            Level::ERROR => LineLevel::Error,
            Level::WARN => LineLevel::Warn,
            Level::INFO => LineLevel::Info,
            Level::DEBUG => LineLevel::Debug,
            Level::TRACE => LineLevel::Trace,
        };
        KeptLine { buffer: &self.buffer, level, out: self.out.make_writer_for(metadata) }
    }
}

/// Writes one line, which comes in one piece.
pub(super) struct KeptLine<'a, W> {
    buffer: &'a LogBuffer,
    level: LineLevel,
    out: W,
}

impl<W: Write> Write for KeptLine<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = without_colours(&String::from_utf8_lossy(bytes));
        self.buffer.keep(SystemClock.now(), self.level, &text);
        // It is kept even where nobody takes it any more: a closed standard error is no reason.
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Removes what tells a terminal to change its colours: from ESC and a bracket up to a letter.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split("\u{1b}[");
    plain.extend(pieces.next());
    for piece in pieces {
        let end = piece.find(|letter: char| letter.is_ascii_alphabetic());
        plain.push_str(end.map_or("", |end| &piece[end + 1..]));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::logs::LogFilter;

    #[test]
    fn what_is_written_is_kept_without_its_colours() {
        let buffer = LogBuffer::default();
        let out = tracing_subscriber::fmt::TestWriter::new();
        let writer = KeptAndWritten::new(buffer.clone(), out);
        let log = tracing_subscriber::fmt().with_ansi(true).with_writer(writer).finish();
        tracing::subscriber::with_default(log, || {
            tracing::warn!(number = 1, "the disk is full");
            tracing::debug!("nobody wants to know");
        });
        let lines = buffer.lines(&LogFilter::default(), 10);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].level, LineLevel::Warn);
        let text = &lines[0].text;
        assert!(text.ends_with("the disk is full number=1"), "{text:?}");
        assert!(!text.contains('\u{1b}') && text.contains(" WARN "), "{text:?}");
    }
}
