//! What was found: a level, a sentence, and what to do.

use std::fmt;

use serde::Serialize;

use crate::service::readiness::Condition;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Works, and will not for ever or not in every case.
    #[serde(rename = "warn")]
    Warning,
    /// Does not work.
    #[serde(rename = "fail")]
    Failure,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warn",
            Self::Failure => "fail",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    /// How bad it is.
    pub(super) level: Level,
    /// What was found.
    pub(super) finding: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// All that was found, in the order of looking.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Notes what is as it should be.
    pub(super) fn ok(&mut self, check: &'static str, finding: impl Into<String>) {
        self.0.push(Finding { check, level: Level::Ok, finding: finding.into(), remedy: None });
    }

    /// Notes what works and should not stay so.
    pub(super) fn warn(
        &mut self,
        check: &'static str,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (finding, remedy) = (finding.into(), Some(remedy.into()));
        self.0.push(Finding { check, level: Level::Warning, finding, remedy });
    }

    /// Notes what does not work.
    pub(super) fn fail(
        &mut self,
        check: &'static str,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (finding, remedy) = (finding.into(), Some(remedy.into()));
        self.0.push(Finding { check, level: Level::Failure, finding, remedy });
    }

    /// Notes what was judged elsewhere; what is as it should be needs no remedy.
    pub(super) fn judged(
        &mut self,
        check: &'static str,
        condition: Condition,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        match condition {
            Condition::Ok => self.ok(check, finding),
            Condition::Warn => self.warn(check, finding, remedy),
            Condition::Fail => self.fail(check, finding, remedy),
        }
    }

    /// Returns everything that was found.
    pub(super) fn all(&self) -> &[Finding] {
        &self.0
    }

    /// Returns the worst level there is.
    pub(super) fn worst(&self) -> Level {
        self.0.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }

    /// Returns how many are as they should be, warnings, failures.
    pub(super) fn counts(&self) -> [usize; 3] {
        [Level::Ok, Level::Warning, Level::Failure]
            .map(|level| self.0.iter().filter(|finding| finding.level == level).count())
    }
}
