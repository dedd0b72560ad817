//! A certificate and its key, as they lie in two files in PEM form, and what the certificate says.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

use crate::types::Timestamp;

/// Longer files are no certificates but a slip.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const READABLE_BY_ALL: u32 = 0o007;

/// Where certificate and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead from it to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A certificate that connections can be secured with.
#[derive(Debug, Clone)]
pub struct TlsPair {
    /// Certificate and key.
    pub certified: Arc<CertifiedKey>,
    /// What the certificate says.
    pub facts: CertificateFacts,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The names and addresses it is for.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// Why a pair of files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// There is no certificate in the file.
    #[error("{} holds no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    /// There is no key in the file.
    #[error("{} holds no private key in PEM form without a password", .0.display())]
    NoKey(PathBuf),
    /// Everybody may read the key.
    #[error("{} has mode {mode:03o}, so everybody can reach it; run: chmod o= {}", path.display(), path.display())]
    OpenKey {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key belongs to another certificate.
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The certificate is not one, or the key is of a kind that is not supported.
    #[error("certificate or key cannot be used: {0}")]
    Unusable(String),
}

impl TlsFileError {
    /// Says whether the certificate's file is at fault, and not the key's.
    pub fn is_of_certificate(&self, files: &TlsFiles) -> bool {
        match self {
            Self::Read { path, .. } => *path == files.certificate,
            Self::NoCertificate(_) | Self::Unusable(_) => true,
            Self::NoKey(_) | Self::OpenKey { .. } | Self::Mismatch { .. } => false,
        }
    }
}

impl TlsFiles {
    /// Reads both files and sees that they belong together. A certificate that is over is read like
    /// any other: who visits is warned, and that is better than no answer.
    pub fn load(&self) -> Result<TlsPair, TlsFileError> {
        let chain = certificates(&self.certificate)?;
        let facts = chain.first().map(CertificateFacts::of).transpose()?;
        let facts = facts.ok_or_else(|| TlsFileError::NoCertificate(self.certificate.clone()))?;
        let pem = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| TlsFileError::NoKey(self.key.clone()))?;
        let made = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let certified = made.map_err(|error| {
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                let TlsFiles { certificate, key } = self.clone();
                return TlsFileError::Mismatch { key, certificate };
            }
            TlsFileError::Unusable(error.to_string())
        })?;
        Ok(TlsPair { certified: Arc::new(certified), facts })
    }

    /// Refuses a key that everybody on the machine may read or change. A group may: certificates are
    /// often handed out through one.
    pub fn check_key_mode(&self) -> Result<(), TlsFileError> {
        let path = self.key.clone();
        let found = fs::metadata(&path);
        let found = found.map_err(|source| TlsFileError::Read { path: path.clone(), source })?;
        let mode = found.permissions().mode() & 0o777;
        if mode & READABLE_BY_ALL == 0 { Ok(()) } else { Err(TlsFileError::OpenKey { path, mode }) }
    }
}

impl CertificateFacts {
    /// Reads what a certificate says.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, TlsFileError> {
        let unusable = |reason: String| TlsFileError::Unusable(reason);
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|error| unusable(error.to_string()))?;
        let time = Timestamp::from_secs;
        let validity = parsed.validity();
        Ok(Self {
            names: names(&parsed),
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
        })
    }

    /// Reads what the first certificate of a text in PEM form says.
    pub fn of_pem(pem: &[u8]) -> Result<Self, TlsFileError> {
        let certificate = CertificateDer::from_pem_slice(pem)
            .map_err(|error| TlsFileError::Unusable(error.to_string()))?;
        Self::of(&certificate)
    }
}

fn names(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| {
            if let GeneralName::DNSName(name) = name {
                return Some((*name).to_owned());
            }
            if let GeneralName::IPAddress(bytes) = name { address(bytes) } else { None }
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|it| std::net::Ipv4Addr::from(it).to_string());
    let v6 = <[u8; 16]>::try_from(bytes).map(|it| std::net::Ipv6Addr::from(it).to_string());
    v4.or(v6).ok()
}

/// Reads the certificates of a file in PEM form; there may be none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let pem = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    all.map_err(|error| TlsFileError::Unusable(error.to_string()))
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, TlsFileError> {
    let failed = |source| TlsFileError::Read { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    fs::read(path).map(zeroize::Zeroizing::new).map_err(failed)
}
