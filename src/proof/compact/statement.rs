//! What a record says, in fields instead of JSON; only where the fields give its exact bytes again.

use crate::anchor::canonical::to_canonical_bytes;
use crate::bitcoin::Address;
use crate::crypto::{PublicKey, Signature};
use crate::patch::record::{
    AuthenticationRecord, Metadata, PreviousEvent, Product, Purpose, RecordFacts,
};
use crate::patch::tag::UidTag;
use crate::proof::compact::CompactError;
use crate::proof::compact::layout::{Previous, Statement};
use crate::proof::compact::references::Known;
use crate::types::{Digest, Network, Timestamp, Txid};

const REGISTRATION: u8 = 0;
const TRANSFER: u8 = 1;

/// What every record of a proof shares.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) network: Network,
    pub(super) uid: &'a UidTag,
}

/// Returns the fields of a record, if they give its text again.
pub(super) fn shorten(text: &str, subject: Subject<'_>, known: &Known) -> Option<Statement> {
    let record: AuthenticationRecord = serde_json::from_str(text).ok()?;
    let statement = fields(record, subject.network, known)?;
    let again = restore(&statement, subject, known).ok()?;
    (again == text).then_some(statement)
}

fn fields(record: AuthenticationRecord, network: Network, known: &Known) -> Option<Statement> {
    let AuthenticationRecord { purpose, product, metadata, auth, .. } = record;
    let owner = Address::parse(&auth.owner, network).ok()?;
    let issued_at: Timestamp = auth.issued_at.parse().ok()?;
    let previous = match auth.prev_txid {
        None => None,
        Some(txid) => Some(Previous {
            txid: known.shorten(txid.as_bytes()),
            commitment: known.shorten(auth.prev_commitment?.as_bytes()),
            owner_public_key: known.shorten(&auth.prev_owner_public_key?.to_bytes()),
            owner_signature: auth.prev_owner_signature?.to_compact(),
        }),
    };
    Some(Statement {
        purpose: match purpose {
            Purpose::RegisterPatch => REGISTRATION,
            Purpose::TransferOwnership => TRANSFER,
        },
        name: product.name,
        category: product.category,
        sku: product.sku,
        serial_number: product.serial_number,
        material: product.material,
        notes: metadata.notes,
        image: metadata.image,
        patch_location: metadata.patch_location,
        owner: known.shorten(owner.hash160()),
        issuer: known.shorten(&auth.issuer.to_bytes()),
        issued_at: issued_at.as_millis(),
        previous,
    })
}

/// Returns the canonical bytes of a record.
pub(super) fn restore(
    statement: &Statement,
    subject: Subject<'_>,
    known: &Known,
) -> Result<String, CompactError> {
    let unfit = |_| CompactError::Part("a record cannot be written");
    let record = AuthenticationRecord::new(RecordFacts {
        purpose: match statement.purpose {
            REGISTRATION => Purpose::RegisterPatch,
            TRANSFER => Purpose::TransferOwnership,
            _ => return Err(CompactError::Part("a record is neither registration nor transfer")),
        },
        network: subject.network,
        product: &Product {
            uid_tag_id: subject.uid.clone(),
            name: statement.name.clone(),
            category: statement.category.clone(),
            sku: statement.sku.clone(),
            serial_number: statement.serial_number.clone(),
            material: statement.material.clone(),
        },
        metadata: &Metadata {
            notes: statement.notes.clone(),
            image: statement.image.clone(),
            patch_location: statement.patch_location.clone(),
        },
        owner: Address::of_hash(known.array(&statement.owner)?, subject.network).to_string(),
        issuer: key(&known.array(&statement.issuer)?)?,
        issued_at: Timestamp::from_millis(statement.issued_at),
        previous: statement.previous.as_ref().map(|it| event(it, known)).transpose()?,
    });
    String::from_utf8(to_canonical_bytes(&record).map_err(|_| unfit(()))?).map_err(|_| unfit(()))
}

fn event(previous: &Previous, known: &Known) -> Result<PreviousEvent, CompactError> {
    Ok(PreviousEvent {
        txid: Txid::from_bytes(known.array(&previous.txid)?),
        commitment: Digest::from_bytes(known.array(&previous.commitment)?),
        owner_public_key: key(&known.array(&previous.owner_public_key)?)?,
        owner_signature: signature(&previous.owner_signature)?,
    })
}

fn key(bytes: &[u8; 33]) -> Result<PublicKey, CompactError> {
    PublicKey::from_bytes(bytes).map_err(|_| CompactError::Part("a public key is not on the curve"))
}

/// Reads a signature of 64 bytes.
pub(super) fn signature(bytes: &[u8; 64]) -> Result<Signature, CompactError> {
    Signature::from_compact(bytes).ok_or(CompactError::Part("a signature is out of range"))
}
