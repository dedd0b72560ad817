//! What the transaction of an event commits to. A batch commits to a root: whether the event is under
//! it, a proof decides, made of what is stored of the tree and checked against the size and the root
//! that stand on chain.

use crate::anchor::merkle::{InclusionProof, verify_on_chain};
use crate::anchor::payload::Payload;
use crate::storage::batches::{place_in_batch, prove_in_batch};
use crate::storage::transactions::expect_transaction;
use crate::storage::{StoreError, StoredRecord, Tables};
use crate::types::Digest;

/// That an event stands in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Leaf, size of the tree, path.
    pub proof: InclusionProof,
    /// The root that stands on chain.
    pub root: Digest,
}

/// Returns what the event's transaction commits to, if it has one: its own commitment where a proof
/// leads from that to the root of a batch.
pub(super) fn committed(
    tables: &impl Tables,
    event: &StoredRecord,
) -> Result<Option<Digest>, StoreError> {
    let nothing = Digest::from_bytes([0; 32]);
    Ok(match payload_of(tables, event)? {
        None => None,
        Some(Some(Payload::Register(digest) | Payload::Transfer(digest))) => Some(digest),
        Some(Some(Payload::Batch { root, tree_size, .. })) => {
            let proof = inclusion_under(tables, event, root, tree_size)?;
            Some(proof.map_or(nothing, |_| event.commitment))
        }
        Some(None) => Some(nothing),
    })
}

/// Returns the proof that an event stands in a batch, if it does and that is signed.
pub(super) fn inclusion(
    tables: &impl Tables,
    event: &StoredRecord,
) -> Result<Option<Inclusion>, StoreError> {
    match payload_of(tables, event)? {
        Some(Some(Payload::Batch { root, tree_size, .. })) => {
            inclusion_under(tables, event, root, tree_size)
        }
        Some(Some(Payload::Register(_) | Payload::Transfer(_)) | None) | None => Ok(None),
    }
}

/// Returns the payload of an event's transaction, if it has one.
fn payload_of(
    tables: &impl Tables,
    event: &StoredRecord,
) -> Result<Option<Option<Payload>>, StoreError> {
    let Some(txid) = event.txid else { return Ok(None) };
    let parsed = expect_transaction(tables, txid)?.parse()?;
    let mut outputs = parsed.outputs.iter();
    Ok(Some(outputs.find_map(|output| Payload::from_script(&output.locking_script))))
}

fn inclusion_under(
    tables: &impl Tables,
    event: &StoredRecord,
    root: Digest,
    tree_size: u64,
) -> Result<Option<Inclusion>, StoreError> {
    let Some(place) = place_in_batch(tables, event.id)? else { return Ok(None) };
    let proof = match prove_in_batch(tables, place) {
        Ok(proof) => proof,
        // What cannot be proved is not under the root, whatever is wrong with what is stored.
        Err(StoreError::Corrupt { .. } | StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let holds = verify_on_chain(&event.commitment, &proof, &root, tree_size).is_ok();
    Ok(holds.then_some(Inclusion { proof, root }))
}
