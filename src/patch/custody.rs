//! Whether a chain of custody events holds together: the check behind every "this is authentic".
//!
//! Nothing stored is believed beyond its evidence: the commitment is recomputed from salt and
//! bytes, the issuer's signature is checked against the *pinned* issuer key and not the one in the
//! record, every transfer needs the signature of the owner before it, every link is compared.

use crate::bitcoin::Address;
use crate::crypto::{PublicKey, Signature, sha256, sha256_parts};
use crate::patch::message::{message_digest, transfer_message};
use crate::patch::record::{AuthenticationRecord, Purpose};
use crate::patch::tag::UidTag;
use crate::types::{Digest, Network, Txid};

/// What an event says, with what proves it.
#[derive(Debug, Clone, Copy)]
pub struct SignedContent<'a> {
    /// The canonical bytes as they were signed.
    pub canonical: &'a [u8],
    /// The record those bytes say.
    pub record: &'a AuthenticationRecord,
    /// The 16 random bytes of the commitment.
    pub salt: &'a [u8; 16],
    /// The issuer's signature, once there is one.
    pub issuer_signature: Option<&'a Signature>,
}

/// One event with its evidence.
#[derive(Debug, Clone)]
pub struct EventEvidence<'a> {
    /// What it says; nothing if that was erased. Whoever asks has made sure that it was erased by
    /// right: only its place in the chain can be checked.
    pub content: Option<SignedContent<'a>>,
    /// The commitment that was sent to the chain.
    pub commitment: Digest,
    /// The transaction that carries the commitment, once there is one.
    pub txid: Option<Txid>,
    /// The commitment found in that transaction's data output.
    pub committed_on_chain: Option<Digest>,
}

/// What a chain of events must be checked against.
#[derive(Debug, Clone, Copy)]
pub struct CustodyRules<'a> {
    /// The tag whose chain it is.
    pub uid: &'a UidTag,
    /// The network.
    pub network: Network,
    /// The keys that may issue, pinned by the operator.
    pub issuers: &'a [PublicKey],
}

/// A chain of events that does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustodyError {
    /// No events.
    #[error("there is no event")]
    Empty,
    /// One event is wrong.
    #[error("event {index}: {flaw}")]
    Event {
        /// Its place, from 0.
        index: usize,
        /// What is wrong.
        flaw: Flaw,
    },
}

/// What can be wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Salt and bytes give another commitment.
    #[error("the stored record does not match its commitment")]
    Commitment,
    /// The transaction commits to something else.
    #[error("the transaction on chain commits to something else")]
    OnChain,
    /// The issuer's signature is missing although the event is on chain.
    #[error("the issuer's signature is missing")]
    Unsigned,
    /// The issuer is not one of ours.
    #[error("the issuer's key is not one this operator trusts")]
    UnknownIssuer,
    /// The issuer's signature does not match.
    #[error("the issuer's signature does not match the record")]
    IssuerSignature,
    /// The event belongs to another tag, network or place in the chain.
    #[error("the record belongs elsewhere")]
    Misplaced,
    /// The link to the event before is wrong.
    #[error("the record does not follow the one before it")]
    BrokenLink,
    /// The owner before did not sign this transfer.
    #[error("the previous owner's signature does not match")]
    OwnerSignature,
}

/// Checks a whole chain, oldest event first.
pub fn check_custody(
    events: &[EventEvidence<'_>],
    rules: &CustodyRules<'_>,
) -> Result<(), CustodyError> {
    if events.is_empty() {
        return Err(CustodyError::Empty);
    }
    for (index, event) in events.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &events[before]);
        check_event(event, before, rules).map_err(|flaw| CustodyError::Event { index, flaw })?;
    }
    Ok(())
}

/// Checks one event against the one before it, which is nothing for the first.
pub fn check_event(
    event: &EventEvidence<'_>,
    before: Option<&EventEvidence<'_>>,
    rules: &CustodyRules<'_>,
) -> Result<(), Flaw> {
    let Some(content) = &event.content else { return check_on_chain(event) };
    let recomputed = Digest::from_bytes(sha256_parts(&[content.salt, content.canonical]));
    if recomputed != event.commitment {
        return Err(Flaw::Commitment);
    }
    check_on_chain(event)?;
    let record = content.record;
    if record.product.uid_tag_id != *rules.uid || record.network != rules.network {
        return Err(Flaw::Misplaced);
    }
    check_issuer(content, event.txid.is_some(), rules)?;
    match before {
        None => check_registration(record),
        Some(before) => check_transfer(record, before, rules),
    }
}

fn check_on_chain(event: &EventEvidence<'_>) -> Result<(), Flaw> {
    let is_other = event.committed_on_chain.is_some_and(|it| it != event.commitment);
    if is_other { Err(Flaw::OnChain) } else { Ok(()) }
}

fn check_issuer(
    content: &SignedContent<'_>,
    has_transaction: bool,
    rules: &CustodyRules<'_>,
) -> Result<(), Flaw> {
    let issuer = &content.record.auth.issuer;
    if !rules.issuers.contains(issuer) {
        return Err(Flaw::UnknownIssuer);
    }
    let digest = Digest::from_bytes(sha256(content.canonical));
    match content.issuer_signature {
        Some(signature) => issuer.verify(&digest, signature).map_err(|_| Flaw::IssuerSignature),
        None if has_transaction => Err(Flaw::Unsigned),
        None => Ok(()),
    }
}

fn check_registration(record: &AuthenticationRecord) -> Result<(), Flaw> {
    let auth = &record.auth;
    let is_first = record.purpose == Purpose::RegisterPatch
        && auth.prev_txid.is_none()
        && auth.prev_commitment.is_none();
    if is_first { Ok(()) } else { Err(Flaw::Misplaced) }
}

fn check_transfer(
    record: &AuthenticationRecord,
    before: &EventEvidence<'_>,
    rules: &CustodyRules<'_>,
) -> Result<(), Flaw> {
    let auth = &record.auth;
    if record.purpose != Purpose::TransferOwnership {
        return Err(Flaw::Misplaced);
    }
    let (Some(prev_txid), Some(prev_commitment)) = (auth.prev_txid, auth.prev_commitment) else {
        return Err(Flaw::BrokenLink);
    };
    if prev_commitment != before.commitment || before.txid != Some(prev_txid) {
        return Err(Flaw::BrokenLink);
    }
    let (Some(key), Some(signature)) = (&auth.prev_owner_public_key, &auth.prev_owner_signature)
    else {
        return Err(Flaw::OwnerSignature);
    };
    // Where the record of the owner before was erased, the signature is still checked, under the key
    // that this record names for him.
    let erased = || Address::of_key(key, rules.network).to_string();
    let owner = before.content.map_or_else(erased, |before| before.record.auth.owner.clone());
    check_owner_consent(&OwnerConsent {
        uid: rules.uid,
        current_txid: prev_txid,
        owner: &owner,
        new_owner: &auth.owner,
        network: rules.network,
        public_key: key,
        signature,
    })
}

/// An owner's consent to a transfer, with all it must match.
#[derive(Debug, Clone, Copy)]
pub struct OwnerConsent<'a> {
    /// The tag.
    pub uid: &'a UidTag,
    /// The transaction of the state the owner hands over.
    pub current_txid: Txid,
    /// The owner's address on record.
    pub owner: &'a str,
    /// The new owner's address.
    pub new_owner: &'a str,
    /// The network.
    pub network: Network,
    /// The key that signed.
    pub public_key: &'a PublicKey,
    /// The signature.
    pub signature: &'a Signature,
}

/// Checks that the owner on record signed exactly this transfer.
pub fn check_owner_consent(consent: &OwnerConsent<'_>) -> Result<(), Flaw> {
    let address = Address::of_key(consent.public_key, consent.network);
    if address.to_string() != consent.owner {
        return Err(Flaw::OwnerSignature);
    }
    let message = transfer_message(consent.uid.as_str(), consent.current_txid, consent.new_owner);
    consent
        .public_key
        .verify(&message_digest(&message), consent.signature)
        .map_err(|_| Flaw::OwnerSignature)
}
