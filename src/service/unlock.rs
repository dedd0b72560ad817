//! Content that only the present owner opens, by a signature over a one-use challenge.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{AeadKey, PublicKey, Signature, hkdf_sha256, random_bytes};
use crate::patch::message::{message_digest, unlock_message};
use crate::patch::tag::UidTag;
use crate::storage::challenges::{challenge, challenge_count};
use crate::storage::contents::content;
use crate::storage::patches::patch;
use crate::storage::{Challenge, Patch, Store, StoreError, StoredContent};
use crate::types::{Timestamp, Txid};

/// How long a challenge is good.
pub const CHALLENGE_TTL: Duration = Duration::from_secs(120);
/// The most challenges that wait at a time; beyond it the oldest expire first.
const MAX_CHALLENGES: u64 = 100_000;
/// The largest content in bytes.
pub const MAX_CONTENT: usize = 1 << 20;

/// The predecessor's name for the keys that wrap a client's own ciphertexts.
const WRAPPING_PURPOSE: &[u8] = b"patchproof-unlock-key";
const CONTENT_PURPOSE: &[u8] = b"patchproof/content/v1";

/// A request that opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// Nobody registered the tag, or the network has not taken it yet.
    #[error("the tag is not registered, or not anchored yet")]
    NotFound,
    /// The key is not the present owner's.
    #[error("the key is not the present owner's")]
    NotOwner,
    /// The signature does not match.
    #[error("the signature does not match this request")]
    BadSignature,
    /// A nonce is required here.
    #[error("a nonce from the unlock challenge is required")]
    NonceRequired,
    /// The nonce was never given out for this tag, was used, or is too old.
    #[error("the nonce is not valid: unknown, used or expired")]
    BadNonce,
    /// The client's ciphertexts do not open.
    #[error("the ciphertext does not open")]
    Ciphertext,
    /// Too many challenges wait.
    #[error("too many challenges wait")]
    Overloaded,
    /// The content is larger than allowed.
    #[error("the content is larger than {MAX_CONTENT} bytes")]
    TooLarge,
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

/// A client's own ciphertexts, in the predecessor's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedContent {
    /// The content's key, encrypted under the wrapping key; base64.
    pub wrapped_key: String,
    /// Its 12-byte nonce; base64.
    pub wrap_nonce: String,
    /// The content, encrypted under that key; base64.
    pub ciphertext: String,
    /// Its 12-byte nonce; base64.
    pub cipher_nonce: String,
}

/// An owner's request to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlock {
    /// The tag.
    pub uid: UidTag,
    /// The owner's key.
    pub owner_public_key: PublicKey,
    /// The owner's signature of the unlock message.
    pub owner_signature: Signature,
    /// The nonce in that message, if any.
    pub nonce: Option<String>,
    /// Ciphertexts to open, if the client keeps them itself.
    pub wrapped: Option<WrappedContent>,
}

/// What was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlocked {
    /// The transaction of the present state.
    pub txid: Txid,
    /// The content with its media type, if there is any.
    pub content: Option<(String, Vec<u8>)>,
}

/// Opens content.
#[derive(Clone)]
pub struct UnlockService {
    /// The store.
    pub store: Store,
    /// The master secret; each use derives a key of its own.
    pub master_secret: zeroize::Zeroizing<Vec<u8>>,
    /// Whether messages without a nonce are refused.
    pub requires_nonce: bool,
}

impl UnlockService {
    /// Gives out a nonce for a tag.
    pub async fn challenge(&self, uid: UidTag, now: Timestamp) -> Result<Challenge, UnlockError> {
        let given = Challenge { nonce: random_bytes(), uid, expires_at: now.plus(CHALLENGE_TTL) };
        let stored = given.clone();
        self.store
            .write(move |tx| {
                if patch(tx, stored.uid.as_str())?.is_none() {
                    return Err(UnlockError::NotFound);
                }
                if challenge_count(tx)? >= MAX_CHALLENGES && tx.expire_challenges(now, 256)? == 0 {
                    return Err(UnlockError::Overloaded);
                }
                tx.put_challenge(&stored)?;
                Ok(())
            })
            .await?;
        Ok(given)
    }

    /// Checks the owner's signature, consumes the nonce, opens the content. Nothing is consumed by
    /// a request that fails.
    pub async fn unlock(&self, request: Unlock, now: Timestamp) -> Result<Unlocked, UnlockError> {
        let found = self.store.read(|tx| patch(tx, request.uid.as_str()))?;
        let found = found.ok_or(UnlockError::NotFound)?;
        let txid = self.check_signature(&request, &found)?;
        let opened = request.wrapped.as_ref().map(|w| self.open_wrapped(&request.uid, w));
        let opened = opened.transpose()?;
        if let Some(nonce) = &request.nonce {
            self.consume(nonce, &request.uid, &found, now).await?;
        }
        let content = match opened {
            Some(bytes) => Some(("application/octet-stream".to_owned(), bytes)),
            None => self.open_stored(&request.uid)?,
        };
        Ok(Unlocked { txid, content })
    }

    fn check_signature(&self, request: &Unlock, found: &Patch) -> Result<Txid, UnlockError> {
        if request.nonce.is_none() && self.requires_nonce {
            return Err(UnlockError::NonceRequired);
        }
        let txid = found.current_txid.ok_or(UnlockError::NotFound)?;
        if !found.owner.belongs_to(&request.owner_public_key) {
            return Err(UnlockError::NotOwner);
        }
        let message = unlock_message(request.uid.as_str(), txid, request.nonce.as_deref());
        request
            .owner_public_key
            .verify(&message_digest(&message), &request.owner_signature)
            .map_err(|_| UnlockError::BadSignature)?;
        Ok(txid)
    }

    /// Uses up a nonce; the audit trail notes it in the same transaction.
    async fn consume(
        &self,
        nonce: &str,
        uid: &UidTag,
        seen: &Patch,
        now: Timestamp,
    ) -> Result<(), UnlockError> {
        let bytes: [u8; 16] =
            hex::decode(nonce).ok().and_then(|b| b.try_into().ok()).ok_or(UnlockError::BadNonce)?;
        let (uid, seen, subject) = (uid.clone(), seen.clone(), nonce.to_ascii_lowercase());
        self.store
            .write(move |tx| {
                let given = challenge(tx, bytes)?.ok_or(UnlockError::BadNonce)?;
                if given.uid != uid || given.expires_at <= now {
                    return Err(UnlockError::BadNonce);
                }
                // The owner may have changed since the signature was checked.
                let present = patch(tx, uid.as_str())?.ok_or(UnlockError::NotFound)?;
                if present.owner != seen.owner || present.current_txid != seen.current_txid {
                    return Err(UnlockError::NotOwner);
                }
                if !tx.consume_challenge(&given)? {
                    return Err(UnlockError::BadNonce);
                }
                let action = format!("unlock.nonce:{subject}");
                tx.append_audit(now, "owner", &action, uid.as_str())?;
                Ok(())
            })
            .await
    }

    /// Encrypts and stores content, in place of older content.
    pub async fn put_content(
        &self,
        uid: UidTag,
        content_type: String,
        bytes: Vec<u8>,
        actor: &str,
        now: Timestamp,
    ) -> Result<u32, UnlockError> {
        if bytes.len() > MAX_CONTENT {
            return Err(UnlockError::TooLarge);
        }
        let (service, actor) = (self.clone(), actor.to_owned());
        self.store
            .write(move |tx| {
                if patch(tx, uid.as_str())?.is_none() {
                    return Err(UnlockError::NotFound);
                }
                let version = content(tx, uid.as_str())?.map_or(1, |old| old.version + 1);
                let context = content_context(&uid, version);
                let sealed = service.content_key(&context).seal(&bytes, &context);
                let content_type = content_type.clone();
                let stored = StoredContent { version, content_type, sealed, put_at: now };
                tx.put_content(uid.as_str(), &stored)?;
                tx.append_audit(now, &actor, "content.put", uid.as_str())?;
                Ok(version)
            })
            .await
    }

    fn open_stored(&self, uid: &UidTag) -> Result<Option<(String, Vec<u8>)>, UnlockError> {
        let Some(stored) = self.store.read(|tx| content(tx, uid.as_str()))? else {
            return Ok(None);
        };
        let context = content_context(uid, stored.version);
        let bytes = self
            .content_key(&context)
            .open(&stored.sealed, &context)
            .map_err(|_| UnlockError::Ciphertext)?;
        Ok(Some((stored.content_type, bytes)))
    }

    /// Each version of each tag's content has a key of its own.
    fn content_key(&self, context: &[u8]) -> AeadKey {
        AeadKey::new(hkdf_sha256(&self.master_secret, context, CONTENT_PURPOSE))
    }

    fn open_wrapped(&self, uid: &UidTag, wrapped: &WrappedContent) -> Result<Vec<u8>, UnlockError> {
        let salt = uid.as_str().as_bytes();
        let wrapping = AeadKey::new(hkdf_sha256(&self.master_secret, salt, WRAPPING_PURPOSE));
        let key = open_base64(&wrapping, &wrapped.wrap_nonce, &wrapped.wrapped_key)?;
        let key: [u8; 32] = key.try_into().map_err(|_| UnlockError::Ciphertext)?;
        open_base64(&AeadKey::new(key), &wrapped.cipher_nonce, &wrapped.ciphertext)
    }
}

fn open_base64(key: &AeadKey, nonce: &str, sealed: &str) -> Result<Vec<u8>, UnlockError> {
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| UnlockError::Ciphertext);
    let nonce: [u8; 12] = decode(nonce)?.try_into().map_err(|_| UnlockError::Ciphertext)?;
    key.open_detached(&nonce, &decode(sealed)?, b"").map_err(|_| UnlockError::Ciphertext)
}

fn content_context(uid: &UidTag, version: u32) -> Vec<u8> {
    [&version.to_be_bytes()[..], uid.as_str().as_bytes()].concat()
}
