//! The head of a backup: what it is of, and how its key is found. It can be read without the key; that
//! nobody changed it is known only with the key.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{
    PassphraseCost, PublicKey, SecretKey, constant_time_eq, derive_key, hkdf_sha256, hmac_sha256,
    random_bytes, sha256_parts,
};
use crate::storage::backup::BackupError;
use crate::types::Timestamp;

const MAGIC: &[u8; 18] = b"patchproof-backup\n";
/// The newest format this program knows.
pub const FORMAT: u16 = 1;
/// Far longer than any header.
const MOST_HEADER: u32 = 64 * 1024;
/// Half of what a login costs, in memory: a backup is made beside a running server.
const COST: PassphraseCost = PassphraseCost { memory_kib: 32 * 1024, passes: 4, lanes: 1 };
/// The most that a file may ask for.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;

/// What a backup is locked with.
#[derive(Clone)]
pub enum BackupLock {
    /// Whoever knows it opens the backup.
    Passphrase(Zeroizing<String>),
    /// Whoever has its secret key opens the backup; the server that makes it cannot.
    Recipient(PublicKey),
}

/// What a backup is opened with.
#[derive(Clone)]
pub enum BackupKey {
    /// See [`BackupLock::Passphrase`].
    Passphrase(Zeroizing<String>),
    /// The secret key of [`BackupLock::Recipient`].
    Identity(SecretKey),
}

/// What the text of a secret key begins with, so that nobody takes it for another.
pub const SECRET_PREFIX: &str = "patchproof-backup-secret-";

impl BackupKey {
    /// Reads a secret key as `backup keygen` wrote it; none if the text is no such key.
    pub fn of_identity(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        let digits = text.trim().strip_prefix(SECRET_PREFIX)?;
        hex::decode_to_slice(digits, bytes.as_mut_slice()).ok()?;
        SecretKey::from_bytes(&bytes).ok().map(Self::Identity)
    }
}

impl BackupLock {
    /// Returns what opens the backups that are locked with it, where that is known here.
    pub fn key(&self) -> Option<BackupKey> {
        match self {
            Self::Passphrase(passphrase) => Some(BackupKey::Passphrase(passphrase.clone())),
            Self::Recipient(_) => None,
        }
    }
}

impl std::fmt::Debug for BackupLock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passphrase(_) => formatter.write_str("Passphrase(***)"),
            Self::Recipient(key) => write!(formatter, "Recipient({key})"),
        }
    }
}

/// How the key of a backup is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum KeyKind {
    /// By argon2id from a passphrase.
    Passphrase {
        /// 16 bytes in hex.
        salt: String,
        /// What the derivation costs.
        cost: PassphraseCost,
    },
    /// From the X coordinate of the point that recipient and one-time key share (ECDH on secp256k1).
    Recipient {
        /// Whose backup it is.
        recipient: PublicKey,
        /// Made for this backup only.
        ephemeral: PublicKey,
    },
}

impl KeyKind {
    /// Returns what whoever has no key is told.
    pub fn needed(&self) -> BackupError {
        match self {
            Self::Passphrase { .. } => BackupError::NeedsPassphrase,
            Self::Recipient { recipient, .. } => BackupError::NeedsIdentity(recipient.to_string()),
        }
    }
}

/// The head of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupHeader {
    /// Version of the program that made it.
    pub program: String,
    /// Schema version of the store in it.
    pub schema: u32,
    /// When the view that it shows was opened, in milliseconds since 1970.
    pub taken_at: i64,
    /// What the store is bound to: network, keys.
    pub identity: BTreeMap<String, String>,
    /// How its key is found.
    pub key: KeyKind,
    /// 32 random bytes in hex that make all keys of this file its own.
    pub salt: String,
    /// 7 random bytes in hex with which the nonce of each chunk begins.
    pub nonce: String,
}

/// The keys of one file.
pub(super) struct FileKeys {
    pub(super) stream: Zeroizing<[u8; 32]>,
    pub(super) nonce: [u8; 7],
    header: Zeroizing<[u8; 32]>,
}

/// A header as it lies in a file, not yet authenticated.
pub(super) struct RawHeader {
    pub(super) header: BackupHeader,
    bytes: Vec<u8>,
    mac: [u8; 32],
}

impl BackupHeader {
    /// Returns when the view that it shows was opened.
    pub const fn taken_at(&self) -> Timestamp {
        Timestamp::from_millis(self.taken_at)
    }

    /// Makes the head of a new backup, and its keys.
    pub(super) fn new(
        lock: &BackupLock,
        schema: u32,
        identity: BTreeMap<String, String>,
        taken_at: Timestamp,
    ) -> Result<(Self, FileKeys), BackupError> {
        let salt = random_bytes::<32>();
        let (key, secret) = match lock {
            BackupLock::Passphrase(passphrase) => {
                let salt = random_bytes::<16>();
                let secret = derive_key(passphrase.as_bytes(), &salt, COST)
                    .map_err(|_| BackupError::Malformed("the cost of its passphrase"))?;
                (KeyKind::Passphrase { salt: hex::encode(salt), cost: COST }, secret)
            }
            BackupLock::Recipient(recipient) => {
                let ephemeral = SecretKey::generate();
                let public = ephemeral.public_key();
                let secret = shared(&ephemeral, recipient, recipient, &public);
                (KeyKind::Recipient { recipient: *recipient, ephemeral: public }, secret)
            }
        };
        let nonce = random_bytes::<7>();
        let header = Self {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema,
            taken_at: taken_at.as_millis(),
            identity,
            key,
            salt: hex::encode(salt),
            nonce: hex::encode(nonce),
        };
        Ok((header, FileKeys::of(&secret, &salt, nonce)))
    }

    /// Writes the head.
    pub(super) fn write(&self, keys: &FileKeys, sink: &mut impl Write) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        let length = u32::try_from(json.len()).map_err(io::Error::other)?;
        let bytes =
            [&MAGIC[..], &FORMAT.to_be_bytes(), &length.to_be_bytes(), json.as_slice()].concat();
        let mac = hmac_sha256(keys.header.as_slice(), &bytes);
        sink.write_all(&bytes)?;
        sink.write_all(&mac)?;
        sink.write_all(&sha256_parts(&[&bytes, &mac]))
    }
}

impl FileKeys {
    fn of(secret: &Zeroizing<[u8; 32]>, salt: &[u8; 32], nonce: [u8; 7]) -> Self {
        let key = |purpose: &[u8]| Zeroizing::new(hkdf_sha256(secret.as_slice(), salt, purpose));
        Self {
            stream: key(b"patchproof backup stream"),
            nonce,
            header: key(b"patchproof backup header"),
        }
    }
}

/// Reads the head of a file; whether it is genuine is not known yet.
pub(super) fn read_raw(source: &mut impl Read) -> Result<RawHeader, BackupError> {
    let mut fixed = [0u8; MAGIC.len() + 6];
    let known = read_up_to(source, &mut fixed)?;
    if known < MAGIC.len() && MAGIC.starts_with(&fixed[..known]) && known > 0 {
        return Err(BackupError::CutHeader);
    }
    let (magic, rest) = fixed.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(BackupError::NotABackup);
    }
    if known < fixed.len() {
        return Err(BackupError::CutHeader);
    }
    let found = u16::from_be_bytes([rest[0], rest[1]]);
    if found > FORMAT {
        return Err(BackupError::NewerFormat { found, known: FORMAT });
    }
    let length = u32::from_be_bytes([rest[2], rest[3], rest[4], rest[5]]);
    if found == 0 || length > MOST_HEADER {
        return Err(BackupError::DamagedHeader);
    }
    let mut json = vec![0u8; usize::try_from(length).unwrap_or(0)];
    let (mut mac, mut checksum) = ([0u8; 32], [0u8; 32]);
    for part in [json.as_mut_slice(), &mut mac, &mut checksum] {
        if read_up_to(source, part)? < part.len() {
            return Err(BackupError::CutHeader);
        }
    }
    let bytes = [&fixed[..], &json].concat();
    if sha256_parts(&[&bytes, &mac]) != checksum {
        return Err(BackupError::DamagedHeader);
    }
    let header = serde_json::from_slice(&json).map_err(|_| BackupError::Malformed("its header"))?;
    Ok(RawHeader { header, bytes, mac })
}

impl RawHeader {
    /// Proves the head with keys that are known.
    pub(super) fn prove(&self, keys: &FileKeys) -> bool {
        constant_time_eq(&hmac_sha256(keys.header.as_slice(), &self.bytes), &self.mac)
    }

    /// Finds the keys of the file, and proves the head with them.
    pub(super) fn unlock(&self, key: &BackupKey) -> Result<FileKeys, BackupError> {
        let malformed = BackupError::Malformed("its header");
        let (Some(salt), Some(nonce)) =
            (bytes::<32>(&self.header.salt), bytes::<7>(&self.header.nonce))
        else {
            return Err(malformed);
        };
        let (secret, wrong) = match (&self.header.key, key) {
            (KeyKind::Passphrase { salt, cost }, BackupKey::Passphrase(passphrase)) => {
                let is_bounded = cost.memory_kib <= MOST_MEMORY_KIB && cost.passes <= MOST_PASSES;
                let salt = bytes::<16>(salt).filter(|_| is_bounded).ok_or(malformed)?;
                let secret = derive_key(passphrase.as_bytes(), &salt, *cost)
                    .map_err(|_| BackupError::Malformed("the cost of its passphrase"))?;
                (secret, BackupError::WrongPassphrase)
            }
            (KeyKind::Recipient { recipient, ephemeral }, BackupKey::Identity(identity)) => {
                let secret = shared(identity, ephemeral, recipient, ephemeral);
                (secret, BackupError::WrongIdentity(recipient.to_string()))
            }
            (KeyKind::Passphrase { .. }, BackupKey::Identity(_)) => {
                return Err(BackupError::NeedsPassphrase);
            }
            (KeyKind::Recipient { recipient, .. }, BackupKey::Passphrase(_)) => {
                return Err(BackupError::NeedsIdentity(recipient.to_string()));
            }
        };
        let keys = FileKeys::of(&secret, &salt, nonce);
        if self.prove(&keys) { Ok(keys) } else { Err(wrong) }
    }
}

/// The secret that the two keys share, bound to both.
fn shared(
    mine: &SecretKey,
    theirs: &PublicKey,
    recipient: &PublicKey,
    ephemeral: &PublicKey,
) -> Zeroizing<[u8; 32]> {
    let salt = [recipient.to_bytes(), ephemeral.to_bytes()].concat();
    let x = mine.shared_x(theirs);
    Zeroizing::new(hkdf_sha256(x.as_slice(), &salt, b"patchproof backup recipient"))
}

fn bytes<const N: usize>(hexadecimal: &str) -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    hex::decode_to_slice(hexadecimal, &mut bytes).ok().map(|()| bytes)
}

/// Fills as much as there is, and says how much that was.
fn read_up_to(source: &mut impl Read, mut into: &mut [u8]) -> Result<usize, BackupError> {
    let mut total = 0;
    while !into.is_empty() {
        match source.read(into) {
            Ok(0) => break,
            Ok(count) => {
                total += count;
                into = &mut into[count..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(BackupError::Io(error)),
        }
    }
    Ok(total)
}
