//! What an ACME server gave, kept in the data folder: the certificate with its key, and the key of
//! the account. Files of mode 0600 in a folder of mode 0700, each whole or not there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rustls_acme::{AccountCache, CertCache};

use crate::crypto::{random_bytes, sha256};

/// Where all of it is kept.
#[derive(Debug, Clone)]
pub struct AcmeCache {
    folder: PathBuf,
}

impl AcmeCache {
    /// Keeps things in the folder `acme` of a data folder.
    pub fn in_data_dir(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("acme") }
    }

    /// Returns the file of the certificate for `domains` from the server at `directory`. Other names
    /// or another server have another.
    pub fn certificate_file(&self, domains: &[String], directory: &str) -> PathBuf {
        self.file("certificate", domains, directory)
    }

    fn file(&self, kind: &str, of: &[String], directory: &str) -> PathBuf {
        let text = format!("{}\n{directory}", of.join("\n"));
        let name = hex::encode(&sha256(text.as_bytes())[..8]);
        self.folder.join(format!("{kind}-{name}.pem"))
    }

    fn account_file(&self, contact: &[String], directory: &str) -> PathBuf {
        self.file("account", contact, directory).with_extension("p8")
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let temporary = self.folder.join(format!(".{}.tmp", hex::encode(random_bytes::<8>())));
        let written = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            drop(fs::remove_file(&temporary));
        }
        written?;
        File::open(&self.folder)?.sync_all()
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

// A few kilobytes, once in weeks: not worth a thread of their own.
#[async_trait]
impl CertCache for AcmeCache {
    type EC = io::Error;

    async fn load_cert(&self, domains: &[String], directory: &str) -> io::Result<Option<Vec<u8>>> {
        read(&self.certificate_file(domains, directory))
    }

    async fn store_cert(&self, domains: &[String], directory: &str, pem: &[u8]) -> io::Result<()> {
        self.write(&self.certificate_file(domains, directory), pem)
    }
}

#[async_trait]
impl AccountCache for AcmeCache {
    type EA = io::Error;

    async fn load_account(
        &self,
        contact: &[String],
        directory: &str,
    ) -> io::Result<Option<Vec<u8>>> {
        read(&self.account_file(contact, directory))
    }

    async fn store_account(
        &self,
        contact: &[String],
        directory: &str,
        key: &[u8],
    ) -> io::Result<()> {
        self.write(&self.account_file(contact, directory), key)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_private_and_belongs_to_names_and_server() {
        let data_dir = tempfile::tempdir().unwrap();
        let cache = AcmeCache::in_data_dir(data_dir.path());
        let (names, server) = (["a.example".to_owned()], "https://acme.example/directory");
        assert_eq!(cache.load_cert(&names, server).await.unwrap(), None);
        for text in [&b"first"[..], b"second"] {
            cache.store_cert(&names, server, text).await.unwrap();
            assert_eq!(cache.load_cert(&names, server).await.unwrap().as_deref(), Some(text));
        }
        cache.store_account(&[], server, b"key").await.unwrap();
        assert_eq!(cache.load_account(&[], server).await.unwrap().as_deref(), Some(&b"key"[..]));
        assert_eq!(cache.load_cert(&names, "https://other.example/").await.unwrap(), None);
        let more = [names[0].clone(), "b.example".to_owned()];
        assert_eq!(cache.load_cert(&more, server).await.unwrap(), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = data_dir.path().join("acme");
        assert_eq!(mode(&folder), 0o700);
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600));
    }
}
