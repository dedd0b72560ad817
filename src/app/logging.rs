//! The log: on standard error, as text for people or as JSON for machines.
//!
//! Every line that is written while a request is worked on carries its identifier, whatever the level
//! and whoever writes it: as the member `request_id` of the JSON, as `request_id=` at the end of a text.
//! The newest lines are kept as they were written, for the console.

mod kept;

use std::fmt;
use std::io::IsTerminal;

use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Json, Writer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, LogLevel, LoggingSettings};
use crate::http::edge::RequestId;
use crate::mail::NOT_SENT;

use kept::KeptAndWritten;
pub use kept::kept;

/// Starts the log of this process; a second call changes nothing.
pub fn start(settings: LoggingSettings, with_colour: bool) {
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Of the libraries only what is wrong: their details say nothing to an operator.
    // Letters that are shown because nobody sends them are shown at every level.
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("patchproof", level)
        .with_target(NOT_SENT, LevelFilter::INFO);
    let is_terminal = std::io::stderr().is_terminal();
    let is_json = match settings.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let writer = KeptAndWritten::new(kept(), std::io::stderr);
    // The filter alone decides what is written.
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(writer);
    let started = if is_json {
        let log = log.json().map_event_format(|_| JsonLines::new());
        log.finish().with(filter).try_init()
    } else {
        let is_coloured = is_terminal && with_colour;
        let log = log.with_ansi(is_coloured).map_event_format(|_| TextLines::new(is_coloured));
        log.finish().with(filter).try_init()
    };
    // It fails only where a log was started before, as in tests.
    drop(started);
}

/// Lines of JSON.
struct JsonLines(Format<Json>);

impl JsonLines {
    fn new() -> Self {
        Self(Format::default().json().flatten_event(true))
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(id) = RequestId::with_current(Clone::clone) else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        // Nothing in an identifier needs to be escaped: letters, digits and hyphens.
        match line.strip_prefix('{') {
            Some(rest) => write!(writer, "{{\"request_id\":\"{}\",{rest}", id.as_str()),
            None => writer.write_str(&line),
        }
    }
}

/// Lines of text.
struct TextLines(Format<Full>);

impl TextLines {
    fn new(is_coloured: bool) -> Self {
        Self(Format::default().with_ansi(is_coloured))
    }
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(id) = RequestId::with_current(Clone::clone) else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{} request_id={}", line.trim_end_matches('\n'), id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::types::Timestamp;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    impl Kept {
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    /// Writes a line of every level for a request, and one for nobody.
    fn speak(id: &RequestId) {
        id.during(|| {
            tracing::error!(number = 1, "error {{\"");
            tracing::warn!(number = 2, "warn");
            tracing::info!(number = 3, "info");
            tracing::debug!(number = 4, "debug");
            tracing::trace!(number = 5, "trace");
        });
        tracing::info!("nobody's");
    }

    #[test]
    fn h_request_id_is_in_every_line_of_json_at_every_level() {
        let (kept, id) = (Kept::default(), RequestId::generate(Timestamp::from_secs(1)));
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let log = log.with_writer(kept.clone()).json().map_event_format(|_| JsonLines::new());
        tracing::subscriber::with_default(log.finish(), || speak(&id));
        let lines = kept.lines();
        assert_eq!(lines.len(), 6, "{lines:#?}");
        for (number, line) in lines.iter().enumerate() {
            let said: serde_json::Value = serde_json::from_str(line).unwrap();
            let expected = if number < 5 { id.as_str().into() } else { serde_json::Value::Null };
            assert_eq!(said["request_id"], expected, "{line}");
            assert!(said["message"].is_string() && said["level"].is_string(), "{line}");
        }
    }

    #[test]
    fn h_request_id_is_in_every_line_of_text_at_every_level() {
        let (kept, id) = (Kept::default(), RequestId::generate(Timestamp::from_secs(1)));
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let log = log.with_writer(kept.clone()).map_event_format(|_| TextLines::new(false));
        tracing::subscriber::with_default(log.finish(), || speak(&id));
        let (lines, end) = (kept.lines(), format!(" request_id={}", id.as_str()));
        assert_eq!(lines.len(), 6, "{lines:#?}");
        assert!(lines[..5].iter().all(|line| line.ends_with(&end)), "{lines:#?}");
        assert!(lines[5].ends_with("nobody's"), "{lines:#?}");
    }
}
