//! The variables a process was started with, those of a file beneath them, and the files they name.
//!
//! A secret `X` may be given as `X`, as the file named by `X_FILE`, or as the credential `X` or `x`
//! of the service manager, but only in one of these ways. An empty variable counts as not set.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::problem::{ConfigProblem, Origin};
use crate::config::secret::Secret;
use crate::config::variable::Variable;
use crate::config::variable_file::{INSTALLED, NAMED_BY, VariableFile};

const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// Longer files are no secrets but a slip.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// The variables a process was started with, and those of a file that they stand above.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    file: Option<VariableFile>,
}

/// A value that was given.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) text: Zeroizing<String>,
    pub(super) origin: Origin,
}

/// A value that was given but cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) origin: Origin,
    pub(super) expected: String,
}

/// Why a file does not give a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file cannot be read.
    #[error("{path} cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Group or others may read or change the file.
    #[error(
        "{path} has mode {mode:03o}, so others can reach it; run: chmod 600 {path}",
        path = path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no secret.
    #[error("{path} is empty, is not text, or is longer than a secret", path = path.display())]
    NotASecret {
        /// The file.
        path: PathBuf,
    },
}

/// Whether a file of secrets may be open to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRule {
    /// Only its owner may reach it.
    Private,
    /// Anybody may, as on a developer's machine.
    Any,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// Takes the variables of this process, and beneath them those of the file that belongs to it.
    pub fn of_process() -> Self {
        // Bytes that are not UTF-8 become U+FFFD, which is refused where the variable is read.
        let text = |bytes: std::ffi::OsString| bytes.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        variables.collect::<Self>().with_file(Path::new(INSTALLED))
    }

    /// Lays the file that belongs to these variables beneath them.
    fn with_file(mut self, installed: &Path) -> Self {
        let (named, credentials) = (self.get(NAMED_BY), self.get(CREDENTIALS_DIRECTORY));
        let Some(mut file) = VariableFile::find(named, credentials, installed) else { return self };
        // An empty variable counts as not set, so it hides nothing of the file.
        file.variables.retain(|name, _| self.get(name).is_none());
        let values = file.variables.iter().map(|(name, (value, _))| (name.clone(), value.clone()));
        self.variables.extend(values);
        self.file = Some(file);
        self
    }

    /// Reads a file of variables and nothing else.
    pub fn of_file(path: &Path) -> Self {
        let named = (NAMED_BY, path.to_string_lossy());
        [named].into_iter().collect::<Self>().with_file(path)
    }

    /// Returns everything that is wrong with the file of variables as a whole.
    pub(super) fn file_problems(&self) -> Vec<ConfigProblem> {
        self.file.as_ref().map(VariableFile::problems).unwrap_or_default()
    }

    /// Says where the variable `name`, which is set, stands.
    fn place_of(
        &self,
        name: &str,
        variable: &Variable,
        rule: FileRule,
    ) -> Result<Origin, Unreadable> {
        let found = self.file.as_ref().and_then(|file| Some((file, file.variables.get(name)?)));
        let Some((file, (_, line))) = found else {
            return Ok(Origin::Environment(name.to_owned()));
        };
        let origin = Origin::Line { path: file.path.clone(), line: *line };
        match file.open_mode {
            Some(mode) if variable.is_secret() && rule == FileRule::Private => {
                let path = file.path.clone();
                let expected = SecretFileError::OpenToOthers { path, mode }.to_string();
                Err(Unreadable { origin, expected: format!("a private file, but {expected}") })
            }
            Some(_) | None => Ok(origin),
        }
    }

    /// Returns the names of all variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// Returns a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Finds what was given for `variable`, in whatever way.
    pub(super) fn find(
        &self,
        variable: &Variable,
        rule: FileRule,
    ) -> Result<Option<Given>, Unreadable> {
        let mut found: Option<Given> = None;
        for given in self.ways(variable, rule) {
            let given = given?;
            match &found {
                None => found = Some(given),
                Some(first) if is_same(variable, first, &given) => {}
                Some(first) => {
                    let expected = format!("only one value, it is also given by {}", first.origin);
                    return Err(Unreadable { origin: given.origin, expected });
                }
            }
        }
        match found {
            Some(given) if given.text.contains('\u{fffd}') => {
                Err(Unreadable { origin: given.origin, expected: "text in UTF-8".to_owned() })
            }
            found => Ok(found),
        }
    }

    fn ways(&self, variable: &Variable, rule: FileRule) -> Vec<Result<Given, Unreadable>> {
        let mut ways: Vec<Result<Given, Unreadable>> = variable
            .names()
            .filter_map(|name| {
                let trimmed = self.get(name)?;
                // A secret is what it is, spaces included.
                let text = if variable.is_secret() { &self.variables[name] } else { trimmed };
                let text = Zeroizing::new(text.to_owned());
                let origin = self.place_of(name, variable, rule);
                Some(origin.map(|origin| Given { text, origin }))
            })
            .collect();
        if variable.is_secret() {
            let files = variable.names().filter_map(|name| {
                let file_variable = format!("{name}_FILE");
                let path = PathBuf::from(self.get(&file_variable)?);
                Some(Origin::File { variable: file_variable, path })
            });
            let mut origins: Vec<Origin> = files.collect();
            origins.extend(self.credential(variable, &origins));
            ways.extend(origins.into_iter().map(|origin| self.given_by_file(origin, rule)));
        }
        ways
    }

    /// Finds the service manager's credential, unless one of `named` files is that very file.
    fn credential(&self, variable: &Variable, named: &[Origin]) -> Option<Origin> {
        let folder = Path::new(self.get(CREDENTIALS_DIRECTORY)?);
        let names = variable.names().flat_map(|name| [name.to_owned(), name.to_lowercase()]);
        let path = names.map(|name| folder.join(name)).find(|path| path.is_file())?;
        let is_named =
            |origin: &Origin| matches!(origin, Origin::File { path: other, .. } if *other == path);
        (!named.iter().any(is_named)).then_some(Origin::Credential(path))
    }

    fn given_by_file(&self, origin: Origin, rule: FileRule) -> Result<Given, Unreadable> {
        let (Origin::File { path, .. } | Origin::Credential(path)) = &origin else {
            return Err(Unreadable { origin, expected: "a file".to_owned() });
        };
        match self.read_secret_file(path, rule) {
            Ok(secret) => Ok(Given { text: Zeroizing::new(secret.expose().to_owned()), origin }),
            Err(error) => {
                let reason = std::error::Error::source(&error);
                let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
                let expected = format!("a file with a secret, but {error}{reason}");
                Err(Unreadable { origin, expected })
            }
        }
    }

    /// Reads a secret from a file, without the line break at its end.
    ///
    /// What lies in the service manager's folder of credentials is private whatever its mode says:
    /// the folder is, and the mode shows the mask of an access list.
    pub fn read_secret_file(&self, path: &Path, rule: FileRule) -> Result<Secret, SecretFileError> {
        let read_error = |source| SecretFileError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read_error)?;
        let mode = file.metadata().map_err(read_error)?.permissions().mode() & 0o777;
        let is_credential =
            self.get(CREDENTIALS_DIRECTORY).is_some_and(|folder| path.starts_with(folder));
        if rule == FileRule::Private && mode & 0o077 != 0 && !is_credential {
            return Err(SecretFileError::OpenToOthers { path: path.to_owned(), mode });
        }
        let not_a_secret = || SecretFileError::NotASecret { path: path.to_owned() };
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(read_error)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| not_a_secret())?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() || u64::try_from(bytes.len()).is_ok_and(|size| size > MAX_SECRET_BYTES) {
            return Err(not_a_secret());
        }
        Ok(Secret::new(text))
    }
}

/// An alias that says the same does no harm; a secret given twice is a slip in any case.
fn is_same(variable: &Variable, first: &Given, second: &Given) -> bool {
    !variable.is_secret() && first.text == second.text
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let variables = pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        Self { variables, file: None }
    }
}
