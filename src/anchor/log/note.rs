//! Signed checkpoints: [C2SP tlog-checkpoint] texts in [C2SP signed-note]s.
//!
//! A checkpoint is the origin, the size, the root in Base64, a line each. It is signed by the issuer's
//! key: ECDSA over secp256k1 of the SHA-256 of the text, in DER. The specification has no type byte
//! for that, so the type is 0xff and [`SIGNATURE_TYPE`], as it recommends.
//!
//! [C2SP tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [C2SP signed-note]: https://c2sp.org/signed-note

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::anchor::log::LogHead;
use crate::crypto::{PublicKey, Signature, sha256, sha256_parts};
use crate::types::Digest;

/// What stands after the type byte 0xff: which kind of signature it is.
pub const SIGNATURE_TYPE: &str = "patchproof/ecdsa-secp256k1-sha256";
/// The longest note that is read.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;
/// The most signatures of a note that are looked at.
const MAX_SIGNATURES: usize = 100;
const UNASSIGNED: u8 = 0xff;

/// A note that says nothing, or whose signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has not the form of a signed note.
    #[error("this is no signed note")]
    Malformed,
    /// Its text is no checkpoint of a log with a leaf.
    #[error("the note holds no checkpoint of a log")]
    NoCheckpoint,
    /// It is the checkpoint of another log.
    #[error("the checkpoint is of another log")]
    OtherOrigin,
    /// The key that is trusted has not signed it.
    #[error("the key that is trusted has not signed the note")]
    Unsigned,
    /// There is a signature of that key, and it is wrong.
    #[error("the signature does not match the note")]
    BadSignature,
    /// The text is no verifier key of this kind.
    #[error("this is no verifier key: NAME+ID+KEY with a key of this kind")]
    NotAKey,
    /// The name cannot stand in a note.
    #[error("a log's name is not empty and has neither spaces nor plus signs")]
    BadName,
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: String,
    /// Its state.
    pub head: LogHead,
}

impl Checkpoint {
    /// Returns the text that is signed.
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.head.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.head.size)
    }

    /// Reads a text. Extension lines after the root are allowed and passed over.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.strip_suffix('\n').ok_or(NoteError::NoCheckpoint)?.split('\n');
        let mut next = || lines.next().filter(|line| !line.is_empty());
        let origin = next().ok_or(NoteError::NoCheckpoint)?.to_owned();
        let size = next().and_then(parse_size).ok_or(NoteError::NoCheckpoint)?;
        let root = next().and_then(|line| STANDARD.decode(line).ok());
        let root = root.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let root = Digest::from_bytes(root.ok_or(NoteError::NoCheckpoint)?);
        if lines.any(str::is_empty) {
            return Err(NoteError::NoCheckpoint);
        }
        Ok(Self { origin, head: LogHead { size, root } })
    }

    /// Returns what the issuer signs: SHA-256 of the text.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(sha256(self.text().as_bytes()))
    }
}

/// A key that signs checkpoints, and the name under which it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    name: String,
    key: PublicKey,
}

impl LogKey {
    /// Makes the key of a log; its name is the log's origin.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::BadName);
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key.
    pub const fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Returns the four bytes by which signatures name the key.
    pub fn id(&self) -> [u8; 4] {
        let key = self.key.to_bytes();
        let hash = sha256_parts(&[
            self.name.as_bytes(),
            b"\n",
            &[UNASSIGNED],
            SIGNATURE_TYPE.as_bytes(),
            &key,
        ]);
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Reads a verifier key, as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let mut next = || parts.next().ok_or(NoteError::NotAKey);
        let (name, id, encoded) = (next()?, next()?, next()?);
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::NotAKey)?;
        let key = bytes
            .strip_prefix(&[UNASSIGNED])
            .and_then(|it| it.strip_prefix(SIGNATURE_TYPE.as_bytes()));
        let key = key.and_then(|bytes| PublicKey::from_bytes(bytes).ok());
        let found = Self::new(name, key.ok_or(NoteError::NotAKey)?)?;
        if hex::encode(found.id()) == id { Ok(found) } else { Err(NoteError::NotAKey) }
    }

    /// Puts a signature under a checkpoint of this log.
    pub fn note(&self, checkpoint: &Checkpoint, signature: &Signature) -> String {
        let signature = STANDARD.encode([self.id().as_slice(), &signature.to_der()].concat());
        format!("{}\n\u{2014} {} {signature}\n", checkpoint.text(), self.name)
    }

    /// Reads a note that this key signed, and of it the checkpoint of its log.
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let (text, signatures) = split_note(note)?;
        let own = |it: &&NoteSignature<'_>| it.name == self.name && it.id == self.id();
        let signature = signatures.iter().find(own).ok_or(NoteError::Unsigned)?;
        let signature =
            Signature::from_der(&signature.bytes).map_err(|_| NoteError::BadSignature)?;
        let digest = Digest::from_bytes(sha256(text.as_bytes()));
        self.key.verify(&digest, &signature).map_err(|_| NoteError::BadSignature)?;
        let checkpoint = Checkpoint::parse(text)?;
        if checkpoint.origin == self.name { Ok(checkpoint) } else { Err(NoteError::OtherOrigin) }
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key =
            [[UNASSIGNED].as_slice(), SIGNATURE_TYPE.as_bytes(), &self.key.to_bytes()].concat();
        write!(formatter, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

/// A signature under a note, whoever made it.
struct NoteSignature<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// Says whether a log or a key can have this name.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// Splits a note into its text and its signatures.
fn split_note(note: &str) -> Result<(&str, Vec<NoteSignature<'_>>), NoteError> {
    let has_control = note.bytes().any(|byte| byte < 0x20 && byte != b'\n');
    if note.len() > MAX_NOTE_BYTES || has_control {
        return Err(NoteError::Malformed);
    }
    let blank = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
    let (text, lines) = (&note[..=blank], &note[blank + 2..]);
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let signatures: Vec<_> = lines.split('\n').map(parse_signature).collect::<Result<_, _>>()?;
    if signatures.len() > MAX_SIGNATURES {
        return Err(NoteError::Malformed);
    }
    Ok((text, signatures))
}

fn parse_signature(line: &str) -> Result<NoteSignature<'_>, NoteError> {
    let parts = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
    let (name, encoded) = parts.filter(|(name, _)| is_name(name)).ok_or(NoteError::Malformed)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed)?;
    let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(NoteError::Malformed)?;
    if bytes.is_empty() {
        return Err(NoteError::Malformed);
    }
    Ok(NoteSignature { name, id: *id, bytes: bytes.to_vec() })
}

/// Reads a size in its one form; a log without a leaf has no checkpoint here.
fn parse_size(line: &str) -> Option<u64> {
    let size = line.parse::<u64>().ok()?;
    (size > 0 && size.to_string() == line).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SecretKey;

    const ORIGIN: &str = "proof.example/log";

    fn signed() -> (LogKey, Checkpoint, String) {
        let secret = SecretKey::from_bytes(&[7; 32]).unwrap();
        let key = LogKey::new(ORIGIN, secret.public_key()).unwrap();
        let head = LogHead { size: 257, root: Digest::from_bytes([0xab; 32]) };
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), head };
        let note = key.note(&checkpoint, &secret.sign(&checkpoint.digest()));
        (key, checkpoint, note)
    }

    #[test]
    fn a_signed_checkpoint_reads_back() {
        let (key, checkpoint, note) = signed();
        let text = "proof.example/log\n257\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n";
        assert_eq!(checkpoint.text(), text);
        assert!(note.starts_with(&format!("{text}\n\u{2014} proof.example/log ")), "{note}");
        assert_eq!(key.open(&note), Ok(checkpoint));
        assert_eq!(LogKey::parse(&key.to_string()), Ok(key));
    }

    #[test]
    fn signatures_of_others_beside_it_are_passed_over() {
        let (key, checkpoint, note) = signed();
        let other = STANDARD.encode([1, 2, 3, 4, 5]);
        let (text, own) = note.split_once("\n\n").unwrap();
        let witnessed = format!("{text}\n\n\u{2014} witness.example {other}\n{own}");
        assert_eq!(key.open(&witnessed), Ok(checkpoint));
        let same_name = format!("{text}\n\n\u{2014} {ORIGIN} {other}\n");
        assert_eq!(key.open(&same_name), Err(NoteError::Unsigned));
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let (key, _, note) = signed();
        for place in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(key.open(&changed).is_err(), "byte {place}: {changed}");
        }
        for cut in 1..note.len() {
            if let Some(cut) = note.get(..cut) {
                assert!(key.open(cut).is_err());
            }
        }
    }

    #[test]
    fn another_key_and_another_log_are_refused() {
        let (key, _, note) = signed();
        let stranger = SecretKey::from_bytes(&[8; 32]).unwrap();
        let other = LogKey::new(ORIGIN, stranger.public_key()).unwrap();
        assert_eq!(other.open(&note), Err(NoteError::Unsigned));
        // Whoever signs in a log's name signs of that log.
        let secret = SecretKey::from_bytes(&[7; 32]).unwrap();
        let head = LogHead { size: 1, root: Digest::from_bytes([1; 32]) };
        let foreign = Checkpoint { origin: "other.example/log".to_owned(), head };
        let note = key.note(&foreign, &secret.sign(&foreign.digest()));
        assert_eq!(key.open(&note), Err(NoteError::OtherOrigin));
    }

    #[test]
    fn texts_that_are_no_checkpoint_are_refused() {
        let root = STANDARD.encode([1; 32]);
        let good = format!("o\n1\n{root}\nextension\n");
        assert_eq!(Checkpoint::parse(&good).unwrap().head.size, 1);
        for text in [
            String::new(),
            format!("o\n1\n{root}"),
            format!("\n1\n{root}\n"),
            format!("o\n0\n{root}\n"),
            format!("o\n01\n{root}\n"),
            format!("o\n+1\n{root}\n"),
            format!("o\n1\n{}\n", STANDARD.encode([1; 31])),
            format!("o\n1\n{root}\n\n"),
            format!("o\n1\n{}\n", hex::encode([1; 32])),
            "o\n1\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(NoteError::NoCheckpoint), "{text:?}");
        }
    }

    #[test]
    fn verifier_keys_of_other_kinds_are_refused() {
        let (key, _, _) = signed();
        let text = key.to_string();
        for other in [
            text.replacen("proof", "prove", 1),
            text.replacen('+', " ", 1),
            text[..text.len() - 4].to_owned(),
            "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8".to_owned(),
        ] {
            assert!(LogKey::parse(&other).is_err(), "{other}");
        }
        for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb"] {
            assert_eq!(LogKey::new(name, key.public_key()), Err(NoteError::BadName), "{name:?}");
        }
    }
}
