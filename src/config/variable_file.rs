//! The file of variables that stand beneath those of the process: where it is, and how it is read.
//!
//! It is the one that `PATCHPROOF_CONFIG` names, else the credential `patchproof.env` of the service
//! manager, else `/etc/patchproof/patchproof.env` where this process may read it. So a command that
//! root runs on an installed machine knows what the server knows, and the server's secrets stand
//! neither in its environment nor in that of anything it could start.
//!
//! Its form is the part of systemd's `EnvironmentFile=` that says what it looks like: `NAME=value`,
//! the value with or without quotes around it, lines that begin with `#` or `;`, empty lines. What
//! systemd would read in another way (an escape, a line that goes on) is refused.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::problem::{ConfigProblem, Origin};

/// Names the file.
pub(super) const NAMED_BY: &str = "PATCHPROOF_CONFIG";
/// Where an installed package has it.
pub const INSTALLED: &str = "/etc/patchproof/patchproof.env";
/// What the service manager calls it.
const CREDENTIAL: &str = "patchproof.env";

/// A file of variables.
#[derive(Debug, Clone, Default)]
pub(super) struct VariableFile {
    pub(super) path: PathBuf,
    /// Permission bits, if others than its owner may reach the file.
    pub(super) open_mode: Option<u32>,
    /// Values and lines by name.
    pub(super) variables: BTreeMap<String, (String, usize)>,
    faults: Vec<(usize, String)>,
}

impl VariableFile {
    /// Finds the file by the variables of the process and reads it.
    pub(super) fn find(
        named: Option<&str>,
        credentials_directory: Option<&str>,
        installed: &Path,
    ) -> Option<Self> {
        if let Some(path) = named {
            return Some(Self::read(Path::new(path), false).unwrap_or_else(|error| Self {
                path: path.into(),
                faults: vec![(0, format!("a file that can be read: {error}"))],
                ..Self::default()
            }));
        }
        let credential = credentials_directory.map(|folder| Path::new(folder).join(CREDENTIAL));
        if let Some(path) = credential.filter(|path| path.is_file()) {
            return Self::find_at(&path, true);
        }
        Self::find_at(installed, false)
    }

    /// Reads a file that need not be there, nor be there for us.
    fn find_at(path: &Path, is_credential: bool) -> Option<Self> {
        match Self::read(path, is_credential) {
            Ok(file) => Some(file),
            Err(error) if is_not_ours(error.kind()) => None,
            Err(error) => Some(Self {
                path: path.to_owned(),
                faults: vec![(0, format!("a file that can be read: {error}"))],
                ..Self::default()
            }),
        }
    }

    fn read(path: &Path, is_credential: bool) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
        // The folder of credentials is private, whatever the mode of what lies in it says.
        let open_mode = (mode & 0o077 != 0 && !is_credential).then_some(mode);
        let mut file = Self { path: path.to_owned(), open_mode, ..Self::default() };
        for (at, line) in text.lines().enumerate() {
            file.take(at + 1, line.trim());
        }
        Ok(file)
    }

    fn take(&mut self, number: usize, line: &str) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            return;
        }
        let Some((name, value)) = parse_line(line) else {
            self.faults.push((number, "NAME=value, without escapes, or a comment".to_owned()));
            return;
        };
        if let Some((_, first)) = self.variables.get(name) {
            let expected = format!("{name} only once, it stands in line {first} already");
            self.faults.push((number, expected));
            return;
        }
        self.variables.insert(name.to_owned(), (value.to_owned(), number));
    }

    /// Returns everything that is wrong with the file; nothing of its values.
    pub(super) fn problems(&self) -> Vec<ConfigProblem> {
        let problem = |(line, expected): &(usize, String)| ConfigProblem {
            variable: NAMED_BY,
            origin: Origin::Line { path: self.path.clone(), line: *line },
            got: None,
            expected: expected.clone(),
            example: "PORT=3001".to_owned(),
        };
        self.faults.iter().map(problem).collect()
    }
}

/// A file that is not there, or is there for others.
fn is_not_ours(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory)
}

/// Splits a line; nothing if systemd would refuse it or read it in another way.
pub(super) fn parse_line(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim());
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|byte| is_name(byte) && !byte.is_ascii_digit());
    if !begins || !name.bytes().all(is_name) || value.contains('\\') {
        return None;
    }
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let inner = rest.strip_suffix(quote)?;
            return (!inner.contains(quote)).then_some((name, inner));
        }
    }
    (!value.contains(['"', '\''])).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> VariableFile {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patchproof.env");
        std::fs::write(&path, text).unwrap();
        VariableFile::find(path.to_str(), None, Path::new("/dev/null")).unwrap()
    }

    #[test]
    fn lines_are_read_as_systemd_reads_them() {
        let file = read(
            "# a comment\n; another\n\nPORT=3001\nEMAIL_FROM=\"Shop <a@b.example>\"\nX='a \"b\"'\nE=\n A = b c \n",
        );
        let values = file.variables.iter().map(|(n, (v, l))| (n.as_str(), v.as_str(), *l));
        let expected = [
            ("A", "b c", 8),
            ("E", "", 7),
            ("EMAIL_FROM", "Shop <a@b.example>", 5),
            ("PORT", "3001", 4),
            ("X", "a \"b\"", 6),
        ];
        assert_eq!(values.collect::<Vec<_>>(), expected);
        assert!(file.problems().is_empty());
    }

    #[test]
    fn what_is_no_line_is_told_by_its_number_and_without_its_value() {
        let file = read("export PORT=1\nPORT\n1A=b\nA=\"open\nA='a' b\nA=a\\\nPORT=1\nPORT=2\n");
        let told: Vec<String> = file.problems().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 7, "{told:#?}");
        for (line, text) in [1, 2, 3, 4, 5, 6, 8].iter().zip(&told) {
            assert!(text.contains(&format!("patchproof.env:{line})")), "{text}");
        }
        assert!(told[6].contains("only once, it stands in line 7"), "{}", told[6]);
        assert_eq!(file.variables["PORT"].0, "1");
    }

    #[test]
    fn the_file_that_is_named_comes_first_then_the_credential_then_the_installed_one() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("A={name}\n")).unwrap();
            path
        };
        let (named, installed) = (write("named"), write("installed"));
        let credentials = folder.path().to_str();
        let value = |named: Option<&str>, credentials: Option<&str>, installed: &Path| {
            VariableFile::find(named, credentials, installed)
                .map(|file| file.variables["A"].0.clone())
        };
        assert_eq!(value(None, credentials, &installed).unwrap(), "installed");
        write(CREDENTIAL);
        assert_eq!(value(named.to_str(), credentials, &installed).unwrap(), "named");
        assert_eq!(value(None, credentials, &installed).unwrap(), CREDENTIAL);
        assert_eq!(value(None, None, &folder.path().join("absent")), None);
        let absent = VariableFile::find(Some("/nonexistent/file"), None, &installed).unwrap();
        assert_eq!(absent.problems().len(), 1, "a file that is named must be there");
    }
}
