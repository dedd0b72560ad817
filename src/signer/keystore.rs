//! The signer's keys, encrypted at rest under a passphrase.
//!
//! The file is JSON with a readable header (format, version, cost of the passphrase, salt) and one
//! AES-256-GCM ciphertext that is bound to that header. Any changed byte is noticed: the header and
//! ciphertext by the cipher, the writing of the file by comparing it with its one canonical form.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{
    AeadKey, PassphraseCost, PublicKey, SecretKey, Signature, derive_key, random_bytes,
};
use crate::signer::{SignKind, keystore_file};
use crate::types::{Digest, Timestamp};

const FORMAT: &str = "patchproof-keystore";
const VERSION: u32 = 1;
const KDF: &str = "argon2id";
/// Shorter passphrases are guessed whatever their stretching costs.
const MIN_PASSPHRASE_BYTES: usize = 8;

/// Why there is no keystore.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// There is a file already; keys are never overwritten.
    #[error("{path} exists already; a keystore is never overwritten", path = path.display())]
    AlreadyExists {
        /// The file.
        path: PathBuf,
    },
    /// Group or others may read or change the file.
    #[error(
        "{path} has mode {mode:03o}: others can reach the keys; run: chmod 600 {path}",
        path = path.display()
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file cannot be read.
    #[error("the keystore {path} cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("the keystore {path} cannot be written", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file is something else or was changed.
    #[error("the file is not a keystore, or it was changed")]
    NotAKeystore,
    /// The file was written by a newer version of this program.
    #[error("the keystore has version {0}, which this program does not know")]
    UnknownVersion(u32),
    /// The passphrase does not open the file.
    #[error("the passphrase is wrong, or the keystore was changed")]
    WrongPassphrase,
    /// The passphrase or its cost cannot be used for a new keystore.
    #[error("the passphrase is shorter than {MIN_PASSPHRASE_BYTES} bytes, or its cost is refused")]
    UnusablePassphrase,
    /// Two keys have one identifier.
    #[error("two keys have the identifier {0:?}")]
    DuplicateKey(String),
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPurpose {
    /// Signs the issuer's statements.
    Issuer,
    /// Spends custody seals.
    Custody,
    /// Spends the pool.
    Funding,
    /// Spends change.
    Change,
    /// The server's side of the passwordless login.
    Svd,
}

impl KeyPurpose {
    /// All purposes, in the order in which a new keystore lists its keys.
    pub const ALL: [Self; 5] =
        [Self::Issuer, Self::Custody, Self::Funding, Self::Change, Self::Svd];

    /// Returns the name, which is also the identifier of the key in a new keystore.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Custody => "custody",
            Self::Funding => "funding",
            Self::Change => "change",
            Self::Svd => "svd",
        }
    }

    /// Returns the only kind of hash that a key of this purpose signs.
    pub const fn kind(self) -> SignKind {
        match self {
            Self::Issuer | Self::Svd => SignKind::Message,
            Self::Custody | Self::Funding | Self::Change => SignKind::Transaction,
        }
    }
}

/// One key.
#[derive(Debug, Clone)]
pub struct KeystoreKey {
    /// Its name.
    pub identifier: String,
    /// Its use.
    pub purpose: KeyPurpose,
    /// When it was made.
    pub created_at: Timestamp,
    public_key: PublicKey,
    secret_key: SecretKey,
}

impl KeystoreKey {
    /// Wraps an existing secret key.
    pub fn new(
        identifier: impl Into<String>,
        purpose: KeyPurpose,
        secret_key: SecretKey,
        created_at: Timestamp,
    ) -> Self {
        let public_key = secret_key.public_key();
        Self { identifier: identifier.into(), purpose, created_at, public_key, secret_key }
    }

    /// Returns the public key.
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Signs a hash.
    pub fn sign(&self, sighash: &Digest) -> Signature {
        self.secret_key.sign(sighash)
    }

    pub(super) const fn secret_key(&self) -> &SecretKey {
        &self.secret_key
    }
}

/// The keys of one signer.
#[derive(Debug, Clone)]
pub struct Keystore {
    keys: Vec<KeystoreKey>,
}

impl Keystore {
    /// Makes one new key of each purpose, in memory only.
    pub fn generate(now: Timestamp) -> Self {
        let new = |purpose: KeyPurpose| {
            KeystoreKey::new(purpose.as_str(), purpose, SecretKey::generate(), now)
        };
        Self { keys: KeyPurpose::ALL.map(new).into() }
    }

    /// Takes existing keys, each identifier once.
    pub fn from_keys(keys: Vec<KeystoreKey>) -> Result<Self, KeystoreError> {
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|other| other.identifier == key.identifier) {
                return Err(KeystoreError::DuplicateKey(key.identifier.clone()));
            }
        }
        Ok(Self { keys })
    }

    /// Makes one new key of each purpose and writes them to a new file at `path`.
    pub fn create(
        path: &Path,
        passphrase: &str,
        cost: PassphraseCost,
        now: Timestamp,
    ) -> Result<Self, KeystoreError> {
        let keystore = Self::generate(now);
        keystore.save_new(path, passphrase, cost)?;
        Ok(keystore)
    }

    /// Writes the keys to a new file at `path`.
    pub fn save_new(
        &self,
        path: &Path,
        passphrase: &str,
        cost: PassphraseCost,
    ) -> Result<(), KeystoreError> {
        if passphrase.len() < MIN_PASSPHRASE_BYTES {
            return Err(KeystoreError::UnusablePassphrase);
        }
        let header = Header::new(cost, &random_bytes());
        let key = header.derive_key(passphrase).ok_or(KeystoreError::UnusablePassphrase)?;
        let sealed = key.seal(&self.to_plaintext(), &header.to_bytes());
        let (nonce, ciphertext) = sealed.split_at(12);
        let file =
            File { header, nonce_hex: hex::encode(nonce), ciphertext_hex: hex::encode(ciphertext) };
        keystore_file::write_new(path, &file.to_bytes())
    }

    /// Opens the file at `path`.
    pub fn open(path: &Path, passphrase: &str) -> Result<Self, KeystoreError> {
        let file = File::parse(&keystore_file::read(path)?)?;
        let key = file.header.derive_key(passphrase).ok_or(KeystoreError::NotAKeystore)?;
        let mut nonce = [0u8; 12];
        hex::decode_to_slice(&file.nonce_hex, &mut nonce)
            .map_err(|_| KeystoreError::NotAKeystore)?;
        let ciphertext =
            hex::decode(&file.ciphertext_hex).map_err(|_| KeystoreError::NotAKeystore)?;
        let plaintext = key
            .open_detached(&nonce, &ciphertext, &file.header.to_bytes())
            .map_err(|_| KeystoreError::WrongPassphrase)?;
        Self::from_plaintext(&Zeroizing::new(plaintext))
    }

    /// Returns all keys.
    pub fn keys(&self) -> &[KeystoreKey] {
        &self.keys
    }

    /// Returns the key with this identifier.
    pub fn get(&self, identifier: &str) -> Option<&KeystoreKey> {
        self.keys.iter().find(|key| key.identifier == identifier)
    }

    /// Returns the first key of this purpose.
    pub fn find(&self, purpose: KeyPurpose) -> Option<&KeystoreKey> {
        self.keys.iter().find(|key| key.purpose == purpose)
    }

    fn to_plaintext(&self) -> Zeroizing<Vec<u8>> {
        let mut plaintext = Zeroizing::new(Vec::with_capacity(256 * self.keys.len()));
        let secrets: Vec<_> = self.keys.iter().map(|key| secret_hex(&key.secret_key)).collect();
        let stored: Vec<_> = self.keys.iter().zip(&secrets).map(StoredKey::new).collect();
        serde_json::to_writer(&mut *plaintext, &stored).expect("keys have a JSON form");
        plaintext
    }

    fn from_plaintext(plaintext: &[u8]) -> Result<Self, KeystoreError> {
        let stored: Vec<StoredKey<'_>> =
            serde_json::from_slice(plaintext).map_err(|_| KeystoreError::NotAKeystore)?;
        Self::from_keys(stored.iter().map(StoredKey::restore).collect::<Result<_, _>>()?)
    }
}

fn secret_hex(key: &SecretKey) -> Zeroizing<[u8; 64]> {
    let mut text = Zeroizing::new([0u8; 64]);
    hex::encode_to_slice(key.to_bytes().as_slice(), text.as_mut_slice())
        .expect("32 bytes are 64 digits");
    text
}

/// A key as it stands inside the ciphertext; borrows, so that no copy of a secret is left behind.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredKey<'a> {
    identifier: String,
    purpose: KeyPurpose,
    created_at: Timestamp,
    secret_key: &'a str,
}

impl<'a> StoredKey<'a> {
    fn new((key, secret): (&KeystoreKey, &'a Zeroizing<[u8; 64]>)) -> Self {
        Self {
            identifier: key.identifier.clone(),
            purpose: key.purpose,
            created_at: key.created_at,
            secret_key: std::str::from_utf8(secret.as_slice()).expect("digits are text"),
        }
    }

    fn restore(&self) -> Result<KeystoreKey, KeystoreError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(self.secret_key, bytes.as_mut_slice())
            .map_err(|_| KeystoreError::NotAKeystore)?;
        let secret = SecretKey::from_bytes(&bytes).map_err(|_| KeystoreError::NotAKeystore)?;
        Ok(KeystoreKey::new(self.identifier.clone(), self.purpose, secret, self.created_at))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    format: String,
    version: u32,
    kdf: String,
    cost: PassphraseCost,
    salt_hex: String,
}

impl Header {
    fn new(cost: PassphraseCost, salt: &[u8; 16]) -> Self {
        let salt_hex = hex::encode(salt);
        Self { format: FORMAT.into(), version: VERSION, kdf: KDF.into(), cost, salt_hex }
    }

    /// Returns the bytes to which the ciphertext is bound.
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a header has a JSON form")
    }

    fn derive_key(&self, passphrase: &str) -> Option<AeadKey> {
        let mut salt = [0u8; 16];
        hex::decode_to_slice(&self.salt_hex, &mut salt).ok()?;
        let key = derive_key(passphrase.as_bytes(), &salt, self.cost).ok()?;
        Some(AeadKey::new(*key))
    }
}

/// The part of a file that every version has.
#[derive(Deserialize)]
struct Marked {
    header: Marks,
}

#[derive(Deserialize)]
struct Marks {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    header: Header,
    nonce_hex: String,
    ciphertext_hex: String,
}

impl File {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a keystore has a JSON form");
        bytes.push(b'\n');
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Self, KeystoreError> {
        // What follows format and version may look different in a newer file.
        let marks: Marked =
            serde_json::from_slice(bytes).map_err(|_| KeystoreError::NotAKeystore)?;
        if marks.header.format != FORMAT {
            return Err(KeystoreError::NotAKeystore);
        }
        if marks.header.version != VERSION {
            return Err(KeystoreError::UnknownVersion(marks.header.version));
        }
        let file: Self = serde_json::from_slice(bytes).map_err(|_| KeystoreError::NotAKeystore)?;
        let has_capitals = |text: &str| text.bytes().any(|byte| byte.is_ascii_uppercase());
        if file.header.kdf != KDF
            || file.to_bytes() != bytes
            || has_capitals(&file.nonce_hex)
            || has_capitals(&file.ciphertext_hex)
        {
            return Err(KeystoreError::NotAKeystore);
        }
        Ok(file)
    }
}
