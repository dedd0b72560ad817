//! What is wrong with a configuration, all of it at once.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave one, and there is no default.
    Unset,
    /// Nobody gave one.
    Default,
    /// Made at random at this start, outside production.
    Generated,
    /// An environment variable of this name.
    Environment(String),
    /// A file named by an environment variable.
    File {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// A line of the file of variables; 0 is the file as a whole.
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A file that the service manager put into its folder of credentials.
    Credential(PathBuf),
}

impl Origin {
    /// Says whether somebody gave the value.
    pub const fn is_given(&self) -> bool {
        match self {
            Self::Environment(_) | Self::File { .. } | Self::Line { .. } | Self::Credential(_) => {
                true
            }
            Self::Unset | Self::Default | Self::Generated => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => formatter.write_str("not set"),
            Self::Default => formatter.write_str("default"),
            Self::Generated => formatter.write_str("generated"),
            Self::Environment(name) => write!(formatter, "environment, {name}"),
            Self::File { variable, path } => {
                write!(formatter, "file {}, {variable}", path.display())
            }
            Self::Line { path, line: 0 } => write!(formatter, "{}", path.display()),
            Self::Line { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Credential(path) => write!(formatter, "credential {}", path.display()),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigProblem {
    /// The variable.
    pub variable: &'static str,
    /// Where its value came from.
    pub origin: Origin,
    /// The value, unless it is secret or there is none.
    pub got: Option<String>,
    /// What it should be.
    pub expected: String,
    /// A line that would do.
    pub example: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}): expected {}", self.variable, self.origin, self.expected)?;
        if let Some(got) = &self.got {
            write!(formatter, ", got {got:?}")?;
        }
        write!(formatter, "; for example {}", self.example)
    }
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl ConfigProblems {
    /// Returns the variables concerned, in the order of the table, each as often as it is wrong.
    pub fn variables(&self) -> Vec<&'static str> {
        self.0.iter().map(|problem| problem.variable).collect()
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [_] => formatter.write_str("the configuration has 1 problem:")?,
            problems => write!(formatter, "the configuration has {} problems:", problems.len())?,
        }
        self.0.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigProblems {}
