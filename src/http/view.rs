//! What the world is told of a product: its verdict, its custody, its block.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::anchor::lifecycle::Stage;
use crate::http::HttpState;
use crate::http::problem::{Problem, ProblemCode};
use crate::patch::record::Purpose;
use crate::patch::tag::UidTag;
use crate::service::verification::{BlockFacts, CustodyEvent, Inclusion, Verdict, Verification};
use crate::types::{BlockHash, Digest, RecordId, Txid};

/// What verification says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VerifyBody<'a> {
    /// `authentic`, `pending`, `compromised`, `erased` or `not_found`.
    status: &'static str,
    /// The newest custody event's record as it was signed.
    #[schema(value_type = Option<Object>)]
    record: Option<&'a RawValue>,
    #[serde(rename = "verificationDetails")]
    details: DetailsBody,
}

/// Why, and what the verdict rests on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DetailsBody {
    reason: String,
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: String,
    /// `accepted`, `broadcast`, `seen`, `mined`, `final`, `held` or `failed`.
    stage: &'static str,
    /// The present owner's address; nothing if it was erased at his wish.
    owner: Option<String>,
    #[schema(value_type = Option<String>)]
    current_txid: Option<Txid>,
    issuer_public_key: Option<String>,
    issuer_signature: Option<String>,
    #[schema(value_type = Option<String>)]
    commitment: Option<Digest>,
    /// The 16 random bytes in front of the canonical record in the commitment, hexadecimal.
    salt: Option<String>,
    block: Option<BlockBody>,
    /// That the record stands in the batch that its transaction carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    merkle_proof: Option<MerkleProofBody>,
    events: usize,
    /// Those whose content was erased at the wish of the person they named.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_events: Option<usize>,
    is_transfer_pending: bool,
    certificate_url: String,
}

/// The block of a transaction.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockBody {
    height: u32,
    #[schema(value_type = String)]
    hash: BlockHash,
    /// The miner's clock, RFC 3339: not exact.
    time: String,
    confirmations: u32,
    /// BUMP (BRC-74), hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    merkle_path: Option<String>,
}

/// That a record stands in a batch: RFC 9162, the leaf is the commitment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MerkleProofBody {
    /// The leaf's place, from 0.
    leaf_index: u64,
    /// The number of leaves, as the transaction says.
    tree_size: u64,
    /// The sibling hashes from the leaf upwards.
    #[schema(value_type = Vec<String>)]
    path: Vec<Digest>,
    /// The root in the transaction.
    #[schema(value_type = String)]
    root: Digest,
}

/// A product's custody, oldest event first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryBody<'a> {
    pub(super) uid_tag_id: &'a str,
    pub(super) events: Vec<EventBody>,
}

/// One custody event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventBody {
    #[schema(value_type = String)]
    id: RecordId,
    /// `register` or `transfer`.
    #[serde(rename = "type")]
    kind: &'static str,
    stage: &'static str,
    #[schema(value_type = Option<String>)]
    txid: Option<Txid>,
    #[schema(value_type = Option<String>)]
    prev_txid: Option<Txid>,
    /// The owner after the event; nothing if its content was erased.
    owner: Option<String>,
    #[schema(value_type = String)]
    commitment: Digest,
    accepted_at: String,
    /// When its content was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<BlockBody>,
    /// That it stands in the batch that its transaction carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    merkle_proof: Option<MerkleProofBody>,
}

/// Writes the answer of verification.
pub(super) fn verify_body(
    state: &HttpState,
    uid: &UidTag,
    found: &Verification,
) -> Result<Vec<u8>, Problem> {
    let internal = || Problem::new(ProblemCode::Internal);
    let patch = found.patch.as_ref().ok_or_else(internal)?;
    let head = found.events.iter().find(|event| event.stored.id == patch.head);
    let kept = head.filter(|head| head.told().is_some());
    let content = kept.and_then(CustodyEvent::told);
    let is_kept = head.is_none() || kept.is_some();
    let erased = found.events.iter().filter(|event| event.told().is_none()).count();
    let (status, reason) = words(&found.verdict, erased);
    let canonical = kept.and_then(|head| std::str::from_utf8(&head.stored.canonical).ok());
    let record: Option<&RawValue> = canonical.and_then(|text| serde_json::from_str(text).ok());
    let details = DetailsBody {
        reason,
        uid_tag_id: uid.as_str().to_owned(),
        stage: head.map_or("accepted", |head| stage_word(&head.job.stage)),
        owner: is_kept.then(|| patch.owner.to_string()),
        current_txid: patch.current_txid,
        issuer_public_key: content.map(|record| record.auth.issuer.to_string()),
        issuer_signature: kept.and_then(issuer_signature),
        commitment: head.map(|head| head.stored.commitment),
        salt: kept.map(|head| hex::encode(head.stored.salt.as_bytes())),
        block: head.and_then(|head| head.block.as_ref()).map(block_body),
        merkle_proof: head.and_then(|head| head.inclusion.as_ref()).map(merkle_proof_body),
        events: found.events.len(),
        erased_events: (erased > 0).then_some(erased),
        is_transfer_pending: patch.pending.is_some(),
        certificate_url: certificate_url(state, uid),
    };
    serde_json::to_vec(&VerifyBody { status, record, details }).map_err(|_| internal())
}

fn issuer_signature(event: &CustodyEvent) -> Option<String> {
    let signature = event.stored.issuer_signature.as_ref()?.signature()?;
    Some(signature.to_string())
}

fn words(verdict: &Verdict, erased: usize) -> (&'static str, String) {
    match verdict {
        Verdict::NotFound => ("not_found", "Nobody has registered this tag.".to_owned()),
        Verdict::Pending => {
            ("pending", "Registered; the network has not taken the record yet.".to_owned())
        }
        Verdict::Authentic if erased == 0 => (
            "authentic",
            "Every event of its custody is signed, linked and committed to on chain.".to_owned(),
        ),
        Verdict::Authentic => (
            "authentic",
            format!(
                "Its custody is linked and committed to on chain, and every event that was not \
                 erased is signed. The content of {erased} was erased at the wish of those it named."
            ),
        ),
        Verdict::Erased => (
            "erased",
            "It was registered here, and everything its records said was erased at the wish of \
             those they named: only commitments on chain are left, which prove nothing about it."
                .to_owned(),
        ),
        Verdict::Compromised { reason } => ("compromised", reason.clone()),
    }
}

/// Returns the word for a stage of anchoring.
pub(super) const fn stage_word(stage: &Stage) -> &'static str {
    match stage {
        Stage::Accepted | Stage::Reserved => "accepted",
        Stage::Signed { .. } => "broadcast",
        Stage::Seen { .. } => "seen",
        Stage::Mined { .. } => "mined",
        Stage::Final { .. } => "final",
        Stage::Held { .. } => "held",
        Stage::Failed { .. } => "failed",
    }
}

fn block_body(block: &BlockFacts) -> BlockBody {
    BlockBody {
        height: block.height,
        hash: block.hash,
        time: block.time.to_string(),
        confirmations: block.confirmations,
        merkle_path: block.merkle_path.as_ref().map(|path| hex::encode(path.to_bytes())),
    }
}

fn merkle_proof_body(inclusion: &Inclusion) -> MerkleProofBody {
    MerkleProofBody {
        leaf_index: inclusion.proof.leaf_index,
        tree_size: inclusion.proof.tree_size,
        path: inclusion.proof.path.clone(),
        root: inclusion.root,
    }
}

/// Writes one custody event.
pub(super) fn event_body(event: &CustodyEvent) -> EventBody {
    EventBody {
        id: event.stored.id,
        kind: match event.stored.purpose {
            Purpose::RegisterPatch => "register",
            Purpose::TransferOwnership => "transfer",
        },
        stage: stage_word(&event.job.stage),
        txid: event.stored.txid.filter(|_| event.job.is_on_network()),
        prev_txid: event.told().and_then(|record| record.auth.prev_txid),
        owner: event.told().map(|record| record.auth.owner.clone()),
        commitment: event.stored.commitment,
        accepted_at: event.stored.accepted_at.to_string(),
        erased_at: event.erased.as_ref().map(|erased| erased.erased_at.to_string()),
        block: event.block.as_ref().map(block_body),
        merkle_proof: event.inclusion.as_ref().map(merkle_proof_body),
    }
}

/// Returns the address of a product's certificate, from the configured public address only.
pub(super) fn certificate_url(state: &HttpState, uid: &UidTag) -> String {
    let mut url = state.options.public_url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push("certificates").push(uid.as_str());
    }
    url.into()
}
