//! Reads variables one after another and remembers everything that is wrong with them.

use std::time::Duration;

use serde::Serialize;

use crate::config::endpoint::Endpoint;
use crate::config::environment::{Environment, FileRule};
use crate::config::problem::{ConfigProblem, ConfigProblems, Origin};
use crate::config::secret::Secret;
use crate::config::variable::{Kind, Required, Variable};

/// What a variable is in force as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveVariable {
    /// Its name.
    pub variable: &'static str,
    /// Its value, `***` if it is secret; none if it is not set.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// When a change of it counts: `restart` or `hot`.
    pub takes_effect: &'static str,
}

/// Reads variables and remembers what is wrong.
///
/// After a problem the reading goes on with some other value; [`Reader::finish`] sees to it that
/// such a value is never used.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    pub(super) is_production: bool,
    problems: Vec<ConfigProblem>,
    pub(super) warnings: Vec<String>,
    effective: Vec<EffectiveVariable>,
}

/// What was read, beside the values.
pub(super) struct Readings {
    pub(super) warnings: Vec<String>,
    pub(super) effective: Vec<EffectiveVariable>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            is_production: false,
            problems: environment.file_problems(),
            warnings: Vec::new(),
            effective: Vec::new(),
        }
    }

    /// Returns what was read if nothing is wrong.
    pub(super) fn finish(self) -> Result<Readings, ConfigProblems> {
        if self.problems.is_empty() {
            return Ok(Readings { warnings: self.warnings, effective: self.effective });
        }
        Err(ConfigProblems(self.problems))
    }

    /// Reads a variable and turns its text into a value; nothing if it is not set and has no
    /// default, or if it is wrong.
    pub(super) fn parsed<T>(
        &mut self,
        variable: &'static Variable,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let rule = if self.is_production { FileRule::Private } else { FileRule::Any };
        let (text, origin) = match self.environment.find(variable, rule) {
            Ok(Some(given)) => (given.text, given.origin),
            Ok(None) => match variable.default {
                Some(default) => (default.to_owned().into(), Origin::Default),
                None => {
                    self.note(variable, None, Origin::Unset);
                    return None;
                }
            },
            Err(unreadable) => {
                self.note(variable, None, unreadable.origin);
                self.problem(variable, unreadable.expected);
                return None;
            }
        };
        self.note(variable, Some(variable.shown(&text)), origin);
        let value = parse(&text);
        if value.is_none() {
            self.problem(variable, variable.kind.expected());
        }
        value
    }

    fn note(&mut self, variable: &'static Variable, value: Option<String>, origin: Origin) {
        self.effective.push(EffectiveVariable {
            variable: variable.name,
            value,
            origin,
            takes_effect: variable.takes_effect.as_str(),
        });
    }

    /// Says that a variable is in force as `value` although nobody set it.
    pub(super) fn note_instead(
        &mut self,
        variable: &'static Variable,
        value: String,
        origin: Origin,
    ) {
        if let Some(noted) = self.noted(variable) {
            noted.value = Some(value);
            noted.origin = origin;
        }
    }

    fn noted(&mut self, variable: &Variable) -> Option<&mut EffectiveVariable> {
        self.effective.iter_mut().rfind(|noted| noted.variable == variable.name)
    }

    /// Returns where the value of a variable that was read came from.
    pub(super) fn origin_of(&self, variable: &Variable) -> Option<&Origin> {
        let noted = self.effective.iter().rfind(|noted| noted.variable == variable.name);
        noted.map(|noted| &noted.origin)
    }

    /// Remembers that a variable that was read should be something else.
    pub(super) fn problem(&mut self, variable: &'static Variable, expected: impl Into<String>) {
        let (got, origin) = match self.noted(variable) {
            Some(noted) => (noted.value.clone(), noted.origin.clone()),
            None => (None, Origin::Unset),
        };
        self.problems.push(ConfigProblem {
            variable: variable.name,
            origin,
            got: got.filter(|_| !variable.is_secret()),
            expected: expected.into(),
            example: variable.example_line(),
        });
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Says whether something was wrong with a variable that was read.
    pub(super) fn is_faulty(&self, variable: &Variable) -> bool {
        self.problems.iter().any(|problem| problem.variable == variable.name)
    }

    pub(super) fn text(&mut self, variable: &'static Variable) -> Option<String> {
        self.parsed(variable, |text| Some(text.to_owned()))
    }

    /// Reads a text that must be there.
    pub(super) fn required_text(&mut self, variable: &'static Variable) -> String {
        let text = self.text(variable);
        self.demand(variable, text.is_some());
        text.unwrap_or_default()
    }

    pub(super) fn secret(&mut self, variable: &'static Variable) -> Option<Secret> {
        self.parsed(variable, |text| Some(Secret::new(text)))
    }

    pub(super) fn integer(&mut self, variable: &'static Variable) -> Option<u64> {
        let Kind::Integer { least, most } = variable.kind else { return None };
        self.parsed(variable, |text| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_plain)?;
            (least..=most).contains(&number).then_some(number)
        })
    }

    /// Reads a whole number of a narrower type, whose bounds the table keeps.
    pub(super) fn number<T: TryFrom<u64> + Default>(&mut self, variable: &'static Variable) -> T {
        let number = self.integer(variable).unwrap_or_default();
        T::try_from(number).unwrap_or_default()
    }

    pub(super) fn milliseconds(&mut self, variable: &'static Variable) -> Duration {
        Duration::from_millis(self.integer(variable).unwrap_or_default())
    }

    pub(super) fn switch(&mut self, variable: &'static Variable) -> bool {
        self.switch_or(variable, false)
    }

    /// Reads a switch that is in a position of its own when it is not set.
    pub(super) fn switch_or(&mut self, variable: &'static Variable, unset: bool) -> bool {
        let value = self.parsed(variable, |text| match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Some(true),
            "0" | "false" | "no" | "off" => Some(false),
            _ => None,
        });
        value.unwrap_or(unset)
    }

    /// Reads one of the words of a choice.
    pub(super) fn choice(&mut self, variable: &'static Variable) -> Option<&'static str> {
        let Kind::Choice(words) = variable.kind else { return None };
        self.parsed(variable, |text| words.iter().copied().find(|word| *word == text))
    }

    pub(super) fn endpoint(&mut self, variable: &'static Variable) -> Option<Endpoint> {
        self.parsed(variable, |text| endpoint_of(variable, text))
    }

    /// Reads a list separated by commas.
    pub(super) fn list<T>(
        &mut self,
        variable: &'static Variable,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let items = self.parsed(variable, |text| {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            items.map(parse).collect()
        });
        items.unwrap_or_default()
    }

    /// Remembers that a variable must be set, if it is not.
    pub(super) fn demand(&mut self, variable: &'static Variable, is_set: bool) {
        let is_demanded = match variable.required {
            Required::Never => false,
            Required::InProduction => self.is_production,
            Required::Always => true,
        };
        if is_demanded && !is_set && !self.is_faulty(variable) {
            self.problem(variable, variable.kind.expected());
        }
    }
}

/// Turns the text of a variable into the address it means.
pub(super) fn endpoint_of(variable: &Variable, text: &str) -> Option<Endpoint> {
    let Kind::Url(schemes) = variable.kind else { return None };
    let url: url::Url = text.parse().ok()?;
    let is_placed = if url.scheme() == "unix" { !url.has_host() } else { url.has_host() };
    (schemes.contains(&url.scheme()) && is_placed).then(|| Endpoint::new(url))
}
