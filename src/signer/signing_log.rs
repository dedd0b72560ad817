//! The append-only log of what was signed.
//!
//! A line reaches the operating system before the signature leaves the process; if it cannot, there
//! is no signature. Hashes only: neither keys nor signatures can be taken from it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use serde::Serialize;

use crate::crypto::{Signature, sha256};
use crate::signer::SignKind;
use crate::types::{Digest, Timestamp};

/// A log that cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum SigningLogError {
    /// The file cannot be opened for appending.
    #[error("the signing log cannot be opened")]
    Open(#[source] std::io::Error),
    /// A line cannot be written.
    #[error("the signing log cannot be written")]
    Write(#[source] std::io::Error),
}

/// One signature that is about to be handed out.
pub(super) struct SignedHash<'a> {
    pub(super) key_identifier: &'a str,
    pub(super) kind: Option<SignKind>,
    pub(super) sighash: Digest,
    pub(super) signature: Signature,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    time: String,
    key_identifier: &'a str,
    kind: Option<SignKind>,
    sighash: Digest,
    signature_sha256: Digest,
}

/// A file to which lines are only ever added.
pub struct SigningLog(Mutex<Appender>);

struct Appender {
    file: File,
    /// The last write broke off, so the file may end inside a line.
    torn: bool,
}

impl SigningLog {
    /// Opens the log at `path`, made with mode 0600 if there is none.
    pub fn open(path: &Path) -> Result<Self, SigningLogError> {
        let mut options = OpenOptions::new();
        options.append(true).read(true).create(true).mode(0o600);
        let mut file = options.open(path).map_err(SigningLogError::Open)?;
        let torn = !ends_with_newline(&mut file).map_err(SigningLogError::Open)?;
        Ok(Self(Mutex::new(Appender { file, torn })))
    }

    /// Appends a line for each of `signed`, all in one write.
    pub(super) fn append(
        &self,
        signed: &[SignedHash<'_>],
        now: Timestamp,
    ) -> Result<(), SigningLogError> {
        let mut appender = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut text = Vec::with_capacity(signed.len() * 256);
        if appender.torn {
            text.push(b'\n');
        }
        for entry in signed {
            let line = Line {
                time: now.to_string(),
                key_identifier: entry.key_identifier,
                kind: entry.kind,
                sighash: entry.sighash,
                signature_sha256: Digest::from_bytes(sha256(&entry.signature.to_der())),
            };
            serde_json::to_writer(&mut text, &line)
                .map_err(|error| SigningLogError::Write(error.into()))?;
            text.push(b'\n');
        }
        appender.torn = true;
        appender.file.write_all(&text).map_err(SigningLogError::Write)?;
        appender.torn = false;
        Ok(())
    }
}

impl fmt::Debug for SigningLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningLog")
    }
}

fn ends_with_newline(file: &mut File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0u8];
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SecretKey;

    #[test]
    fn a_torn_last_line_never_swallows_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signed.log");
        std::fs::write(&path, b"{\"time\":\"20").unwrap();
        let sighash = Digest::from_bytes([7; 32]);
        let signature = SecretKey::generate().sign(&sighash);
        let log = SigningLog::open(&path).unwrap();
        let entry =
            SignedHash { key_identifier: "k", kind: Some(SignKind::Message), sighash, signature };
        log.append(&[entry], Timestamp::from_secs(0)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        let line: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(line["kind"], "message");
        assert_eq!(line["time"], "1970-01-01T00:00:00.000Z");
        assert!(text.ends_with('\n'));
        assert!(!text.contains(&signature.to_string()), "only its hash is kept");
    }
}
