//! The log of all commitments: signing its state, and proving what stands in it (docs/LOG.md).
//!
//! A state is signed only after it was proved, from what is stored, to begin with all of the state
//! that was signed last. So this program never signs two pasts of one log; that nobody else does
//! with the same key, those who keep its checkpoints find out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::anchor::log::LogHead;
use crate::anchor::log::note::{Checkpoint, LogKey, NoteError};
use crate::anchor::log::tile::{Tile, TileContent, entry_bundle};
use crate::anchor::log::tree::{ConsistencyError, verify_consistency};
use crate::anchor::merkle::InclusionProof;
use crate::service::keys::Keyring;
use crate::signer::{ExpectedKey, SignKind, SignRequest, Signer, SignerError};
use crate::storage::identity::identity;
use crate::storage::log::{
    indexed_leaves, last_log_checkpoint, log_checkpoint, log_hashes, log_head, log_leaves,
    log_place, log_place_of, log_size, prove_in_log, prove_log_growth,
};
use crate::storage::{IdentityClaim, LogCheckpoint, ReadTx, Store, StoreError, Tables};
use crate::types::{Digest, RecordId, Timestamp};

/// What the origin is bound to the store as.
const ORIGIN: &str = "log origin";
/// What the issuer's key is bound to the store as.
const ISSUER: &str = "issuer key";

/// Leaves whose places are written down in one storage transaction.
const INDEXED_AT_ONCE: u64 = 4_096;

/// What operators decide about the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The log's name; the public address without its scheme, and `/log`, where none is given.
    pub origin: Option<String>,
    /// The least time between two checkpoints that are signed by themselves.
    pub period: Duration,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { origin: None, period: Duration::from_secs(10) }
    }
}

/// A state of the log that could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The signer does not sign.
    #[error("the signer did not sign the log's checkpoint")]
    Signer(#[source] SignerError),
    /// What is stored does not begin with what was signed.
    #[error("the log does not begin with what was signed last: it was changed")]
    Rewritten(#[source] ConsistencyError),
    /// The log cannot have its name.
    #[error("the log cannot be called that")]
    Name(#[from] NoteError),
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

/// What a proof was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSubject {
    /// A commitment.
    Commitment(Digest),
    /// A custody event.
    Record(RecordId),
}

/// That a commitment stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogInclusion {
    /// The commitment.
    pub commitment: Digest,
    /// Its place and the path.
    pub proof: InclusionProof,
    /// The root that the path leads to.
    pub root: Digest,
}

/// That one state of the log begins with all of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGrowth {
    /// The earlier state.
    pub from: LogHead,
    /// The later one.
    pub to: LogHead,
    /// The path between them.
    pub path: Vec<Digest>,
}

/// What there is to be asked for: nothing beyond what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogAnswer<T> {
    /// The answer.
    Found(T),
    /// No such thing was accepted.
    Unknown,
    /// It stands in the log behind the newest checkpoint; the next one covers it.
    NotYetSigned,
    /// The sizes or places asked for are not those of the signed log, which has so many leaves.
    Beyond(u64),
}

/// How large the log is and what of it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// Leaves.
    pub size: u64,
    /// The newest signed state.
    pub signed: Option<LogCheckpoint>,
}

/// Signs the log's states and proves what is in it.
#[derive(Clone)]
pub struct LogService {
    /// The store.
    pub store: Store,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Signs checkpoints.
    pub signer: Arc<dyn Signer>,
    /// The name of a log that has none yet.
    pub origin: Arc<str>,
    /// One signature at a time.
    pub rounds: Arc<Mutex<()>>,
}

impl LogService {
    /// Signs the present state of the log, unless that is done, and returns the newest signed state;
    /// nothing while the log is empty.
    ///
    /// # Errors
    ///
    /// [`LogError::Rewritten`] if the stored log does not begin with what was signed last: nothing is
    /// signed any more. Others say what to wait for.
    pub async fn publish(&self, now: Timestamp) -> Result<Option<LogHead>, LogError> {
        let _round = self.rounds.lock().await;
        self.index().await?;
        let Some((next, is_signed)) = self.store.read(next_head)? else { return Ok(None) };
        if is_signed {
            return Ok(Some(next));
        }
        let key = self.key()?;
        let checkpoint = Checkpoint { origin: key.name().to_owned(), head: next };
        let request = SignRequest {
            key_identifier: self.keyring.issuer.identifier.clone(),
            sighash: checkpoint.digest(),
            expected: ExpectedKey::Key(self.keyring.issuer.public_key),
            kind: SignKind::Message,
        };
        let signed = self.signer.sign(&[request]).await.map_err(LogError::Signer)?;
        let silent = || SignerError::Untrustworthy("no signature in the answer".to_owned());
        let signature = &signed.first().ok_or_else(|| LogError::Signer(silent()))?.signature;
        let stored = LogCheckpoint { head: next, signature: signature.into(), signed_at: now };
        let origin = IdentityClaim { what: ORIGIN, value: checkpoint.origin };
        let keep = self.store.write(move |tx| {
            tx.bind_identity(std::slice::from_ref(&origin))?;
            tx.put_log_checkpoint(&stored)
        });
        keep.await?;
        Ok(Some(next))
    }

    /// Has what was accepted since the last time found by its commitment, in steps that do not hold the
    /// writer for long.
    async fn index(&self) -> Result<(), StoreError> {
        let behind = |tx: &ReadTx| Ok::<_, StoreError>(indexed_leaves(tx)? < log_size(tx)?);
        while self.store.read(behind)? {
            if self.store.write(|tx| tx.index_log(INDEXED_AT_ONCE)).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Returns the key under which checkpoints are signed, with the name of the log in it: the one
    /// that it was given first, whatever is configured since.
    pub fn key(&self) -> Result<LogKey, LogError> {
        let bound = self.store.read(|tx| identity(tx, ORIGIN))?;
        let name = bound.as_deref().unwrap_or(&self.origin);
        Ok(LogKey::new(name, self.keyring.issuer.public_key)?)
    }

    /// Returns the name that is configured where the log has another one.
    pub fn other_origin(&self) -> Result<Option<String>, StoreError> {
        let bound = self.store.read(|tx| identity(tx, ORIGIN))?;
        Ok(bound.filter(|bound| **bound != *self.origin))
    }

    /// Returns the newest checkpoint as a signed note, with the state in it.
    pub fn checkpoint(&self) -> Result<Option<(LogHead, String)>, StoreError> {
        self.store.read(newest_note)
    }

    /// Says how large the log is and what of it is signed.
    pub fn state(&self) -> Result<LogState, StoreError> {
        self.store.read(|tx| Ok(LogState { size: log_size(tx)?, signed: last_log_checkpoint(tx)? }))
    }

    /// Proves that something stands in the log of `size` leaves, or as it was signed last.
    pub fn inclusion(
        &self,
        subject: LogSubject,
        size: Option<u64>,
    ) -> Result<LogAnswer<LogInclusion>, StoreError> {
        self.store.read(|tx| inclusion_in(tx, subject, size))
    }

    /// Proves that the log of `to` leaves, or as it was signed last, begins with that of `from`.
    pub fn growth(&self, from: u64, to: Option<u64>) -> Result<LogAnswer<LogGrowth>, StoreError> {
        self.store.read(|tx| {
            let signed = signed_size(tx)?;
            let to = to.unwrap_or(signed);
            if from == 0 || from > to || to > signed {
                return Ok(LogAnswer::Beyond(signed));
            }
            let path = prove_log_growth(tx, from, to)?;
            let (from, to) = (log_head(tx, from)?, log_head(tx, to)?);
            Ok(LogAnswer::Found(LogGrowth { from, to, path }))
        })
    }

    /// Returns the bytes of a tile or bundle of the signed log.
    pub fn tile(&self, tile: Tile) -> Result<LogAnswer<Vec<u8>>, StoreError> {
        self.store.read(|tx| {
            let signed = signed_size(tx)?;
            let Some(places) = tile.places(signed) else { return Ok(LogAnswer::Beyond(signed)) };
            let bytes = match tile.content {
                TileContent::Entries => {
                    let leaves = log_leaves(tx, places)?;
                    let entries: Vec<_> = leaves.iter().map(|leaf| leaf.commitment).collect();
                    entry_bundle(&entries)
                }
                TileContent::Hashes { level } => log_hashes(tx, level, places)?.concat(),
            };
            Ok(LogAnswer::Found(bytes))
        })
    }
}

/// Returns the key under which the log of a store is signed; nothing while nothing of it is.
pub fn key_of(tables: &impl Tables) -> Result<Option<LogKey>, StoreError> {
    let corrupt = || StoreError::Corrupt { entity: "log" };
    let (Some(name), Some(issuer)) = (identity(tables, ORIGIN)?, identity(tables, ISSUER)?) else {
        return Ok(None);
    };
    let issuer = issuer.parse().map_err(|_| corrupt())?;
    LogKey::new(&name, issuer).map(Some).map_err(|_| corrupt())
}

/// Returns the newest checkpoint as a signed note, with the state in it.
pub fn newest_note(tables: &impl Tables) -> Result<Option<(LogHead, String)>, StoreError> {
    let (Some(stored), Some(key)) = (last_log_checkpoint(tables)?, key_of(tables)?) else {
        return Ok(None);
    };
    let head = stored.head;
    let signature = stored.signature().ok_or(StoreError::Corrupt { entity: "log" })?;
    let checkpoint = Checkpoint { origin: key.name().to_owned(), head };
    Ok(Some((head, key.note(&checkpoint, &signature))))
}

/// Proves that something stands in the log; shared with commands that read the store beside a server.
pub fn inclusion_in(
    tables: &impl Tables,
    subject: LogSubject,
    size: Option<u64>,
) -> Result<LogAnswer<LogInclusion>, StoreError> {
    let place = match subject {
        LogSubject::Commitment(commitment) => log_place(tables, &commitment)?,
        LogSubject::Record(id) => log_place_of(tables, id)?,
    };
    let Some(index) = place else { return Ok(LogAnswer::Unknown) };
    let signed = signed_size(tables)?;
    if index >= signed {
        return Ok(LogAnswer::NotYetSigned);
    }
    let size = size.unwrap_or(signed);
    if index >= size || size > signed {
        return Ok(LogAnswer::Beyond(signed));
    }
    let leaf = log_leaves(tables, index..index + 1)?;
    let commitment = leaf.first().ok_or(StoreError::Corrupt { entity: "log" })?.commitment;
    let (proof, head) = (prove_in_log(tables, index, size)?, log_head(tables, size)?);
    Ok(LogAnswer::Found(LogInclusion { commitment, proof, root: head.root }))
}

/// Returns how many leaves the newest signed state has.
fn signed_size(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(last_log_checkpoint(tables)?.map_or(0, |last| last.head.size))
}

/// Returns the present state, and whether it is signed; nothing while the log is empty. It is returned
/// only if it begins with all of what was signed last.
fn next_head(tables: &impl Tables) -> Result<Option<(LogHead, bool)>, LogError> {
    let size = log_size(tables)?;
    if size == 0 {
        return Ok(None);
    }
    let next = log_head(tables, size)?;
    let Some(last) = last_log_checkpoint(tables)? else { return Ok(Some((next, false))) };
    let path = match last.head.size <= size {
        true => prove_log_growth(tables, last.head.size, size)?,
        false => Vec::new(),
    };
    verify_consistency(&last.head, &next, &path).map_err(LogError::Rewritten)?;
    let is_signed = log_checkpoint(tables, size)?.is_some();
    Ok(Some((next, is_signed)))
}
