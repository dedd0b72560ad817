//! The log: on standard error, as text for people or as JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, LogLevel, LoggingSettings};
use crate::mail::NOT_SENT;

/// Starts the log of this process; a second call changes nothing.
pub fn start(settings: LoggingSettings, with_colour: bool) {
    let level = match settings.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // Of the libraries only what is wrong: their details say nothing to an operator.
    // Letters that are shown because nobody sends them are shown at every level.
    let filter = EnvFilter::new(format!("warn,patchproof={level},{NOT_SENT}=info"));
    let is_terminal = std::io::stderr().is_terminal();
    let is_json = match settings.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if is_json {
        log.json().flatten_event(true).try_init()
    } else {
        log.with_ansi(is_terminal && with_colour).try_init()
    };
    // It fails only where a log was started before, as in tests.
    drop(started);
}
