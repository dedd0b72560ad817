//! How the transaction of a record or a batch is laid out: payload, seal, the outputs that pay for it.

use crate::anchor::lifecycle::Event;
use crate::anchor::payload::Payload;
use crate::patch::record::Purpose;
use crate::service::anchoring::AnchoringSettings;
use crate::service::keys::Keyring;
use crate::storage::records::expect_record;
use crate::storage::utxos::{candidates, expect_utxo, largest_candidates, leased_by};
use crate::storage::{StoreError, StoredBatch, StoredRecord, Tables, TreasuryOperation, WriteTx};
use crate::types::{OutPoint, RecordId};
use crate::wallet::builder::{AnchorPlan, BuildError, Spend, UnsignedTransaction};
use crate::wallet::coin_selection::SelectionError;
use crate::wallet::operation::build_operation;
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

/// Outputs looked at for each transaction when one of them is to pay alone.
const SINGLE_CANDIDATES: usize = 8;
/// Outputs looked at when several must pay together.
const MANY_CANDIDATES: usize = 200;

/// Why a record has no transaction yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pool does not pay for it.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Returns what a record is told that cannot be paid for.
pub(super) fn not_funded(error: &BuildError) -> Event {
    match error {
        BuildError::Selection(SelectionError::Insufficient { needed, available }) => {
            Event::NotFunded { needed: *needed, available: *available }
        }
        BuildError::FeeCap { .. } => {
            Event::Capped(format!("{error}; raise MAX_FEE_PER_TX_SATS or lower FEE_PER_KB"))
        }
        BuildError::Selection(SelectionError::TooFragmented | SelectionError::Amount(_))
        | BuildError::Amount(_)
        | BuildError::SignatureCount { .. }
        | BuildError::Check(_) => Event::NotFunded { needed: 0, available: 0 },
    }
}

/// Returns what a job is told for which outputs were to be leased.
pub(super) fn reserved_or_not(leased: Result<(), PrepareError>) -> Result<Event, StoreError> {
    match leased {
        Ok(()) => Ok(Event::Reserved),
        Err(PrepareError::Build(error)) => Ok(not_funded(&error)),
        Err(PrepareError::Store(error)) => Err(error),
    }
}

/// Leases what a record's transaction will spend: the seal of the event before, and outputs of the
/// pool.
pub(super) fn lease(
    tx: &mut WriteTx<'_>,
    record: &StoredRecord,
    keyring: &Keyring,
    settings: &AnchoringSettings,
) -> Result<(), PrepareError> {
    let seal = previous_seal(tx, record)?;
    let plan = plan_of(record, seal.as_ref(), keyring, settings);
    lease_pool(tx, record.id, &plan, settings)?;
    if let Some(seal) = seal {
        let leased = seal.lease_seal(record.id).map_err(StoreError::Transition)?;
        tx.put_utxo(&leased)?;
    }
    Ok(())
}

/// Leases what a batch's transaction will spend: outputs of the pool.
pub(super) fn lease_batch(
    tx: &mut WriteTx<'_>,
    batch: &StoredBatch,
    keyring: &Keyring,
    settings: &AnchoringSettings,
) -> Result<(), PrepareError> {
    let plan = plan_of_batch(batch, keyring, settings);
    lease_pool(tx, batch.id, &plan, settings)
}

fn lease_pool(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    plan: &AnchorPlan,
    settings: &AnchoringSettings,
) -> Result<(), PrepareError> {
    for outpoint in choose(tx, plan, settings.max_chain_depth)? {
        let leased = expect_utxo(tx, outpoint)?.lease(id).map_err(StoreError::Transition)?;
        tx.put_utxo(&leased)?;
    }
    Ok(())
}

/// Returns the seal that a transfer spends. One that somebody else has spent, with the custody key in
/// other hands, is gone: the owner's consent alone must do.
fn previous_seal(tables: &impl Tables, record: &StoredRecord) -> Result<Option<Utxo>, StoreError> {
    let Some(previous) = record.previous else { return Ok(None) };
    let Some(outpoint) = expect_record(tables, previous)?.seal else { return Ok(None) };
    let seal = expect_utxo(tables, outpoint)?;
    if matches!(seal.state, UtxoState::Spent { .. }) {
        tracing::error!(record = %record.id, %outpoint, "a custody seal was spent elsewhere");
        return Ok(None);
    }
    Ok(Some(seal))
}

/// Returns what a record's own transaction commits to.
pub(super) const fn payload_of(record: &StoredRecord) -> Payload {
    match record.purpose {
        Purpose::RegisterPatch => Payload::Register(record.commitment),
        Purpose::TransferOwnership => Payload::Transfer(record.commitment),
    }
}

fn plan_of(
    record: &StoredRecord,
    seal: Option<&Utxo>,
    keyring: &Keyring,
    settings: &AnchoringSettings,
) -> AnchorPlan {
    let payload = payload_of(record);
    let published = settings.publishes_records.then_some(record.canonical.as_slice());
    AnchorPlan {
        data: payload.to_script(published),
        seal: seal.map(spend_of),
        next_seal: keyring.custody.as_ref().map(|key| *key.address.hash160()),
        change_key_hash: *keyring.change.address.hash160(),
        fee_rate: settings.runtime.current().fee_rate(),
        max_fee: settings.caps.per_transaction,
    }
}

/// A batch makes no seal: which product would it be of? Each gets its own at its first transfer.
fn plan_of_batch(
    batch: &StoredBatch,
    keyring: &Keyring,
    settings: &AnchoringSettings,
) -> AnchorPlan {
    AnchorPlan {
        data: Payload::Batch { root: batch.root, tree_size: batch.size, log: batch.log }
            .to_script(None),
        seal: None,
        next_seal: None,
        change_key_hash: *keyring.change.address.hash160(),
        fee_rate: settings.runtime.current().fee_rate(),
        max_fee: settings.caps.per_transaction,
    }
}

fn spend_of(utxo: &Utxo) -> Spend {
    Spend {
        outpoint: utxo.outpoint,
        value: utxo.value,
        key_hash: utxo.key_hash,
        key_identifier: utxo.key_identifier.clone(),
    }
}

fn choose(
    tables: &impl Tables,
    plan: &AnchorPlan,
    deepest: u32,
) -> Result<Vec<OutPoint>, PrepareError> {
    let least = plan.least_single_value()?;
    let mut pool = candidates(tables, least, SINGLE_CANDIDATES, deepest)?;
    if pool.is_empty() {
        // The largest first: any number of crumbs must not hide them.
        pool = largest_candidates(tables, MANY_CANDIDATES, deepest)?;
    }
    let selection = plan.select(&pool)?;
    Ok(selection.chosen.into_iter().map(|candidate| candidate.outpoint).collect())
}

/// Builds the transaction that a reserved record's lease pays for; the same lease gives the same
/// transaction, so that a crash between signing and storing changes nothing.
pub(super) fn build(
    tables: &impl Tables,
    record: &StoredRecord,
    keyring: &Keyring,
    settings: &AnchoringSettings,
) -> Result<UnsignedTransaction, PrepareError> {
    let leased = leased_by(tables, record.id)?;
    let (seals, pool): (Vec<Utxo>, Vec<Utxo>) =
        leased.into_iter().partition(|utxo| utxo.purpose == OutputPurpose::Seal);
    let plan = plan_of(record, seals.first(), keyring, settings);
    Ok(plan.build(pool.iter().map(spend_of).collect())?)
}

/// Builds the transaction that a reserved batch's lease pays for.
pub(super) fn build_batch(
    tables: &impl Tables,
    batch: &StoredBatch,
    keyring: &Keyring,
    settings: &AnchoringSettings,
) -> Result<UnsignedTransaction, PrepareError> {
    let leased = leased_by(tables, batch.id)?;
    let plan = plan_of_batch(batch, keyring, settings);
    Ok(plan.build(leased.iter().map(spend_of).collect())?)
}

/// Builds the transaction of a maintenance operation from what it holds.
pub(super) fn build_planned(
    tables: &impl Tables,
    operation: &TreasuryOperation,
    settings: &AnchoringSettings,
) -> Result<UnsignedTransaction, PrepareError> {
    let leased = leased_by(tables, operation.id)?;
    let mut spends = Vec::with_capacity(operation.inputs.len());
    for outpoint in &operation.inputs {
        let held = leased.iter().find(|utxo| utxo.outpoint == *outpoint);
        spends.push(spend_of(held.ok_or(StoreError::Missing { entity: "lease" })?));
    }
    Ok(build_operation(spends, &operation.outputs, settings.caps.per_transaction)?)
}

/// Says whether a transaction spends exactly what its record has leased.
pub(super) fn spends_lease(
    tables: &impl Tables,
    id: RecordId,
    inputs: impl Iterator<Item = OutPoint>,
) -> Result<bool, StoreError> {
    let mut leased: Vec<OutPoint> =
        leased_by(tables, id)?.into_iter().map(|utxo| utxo.outpoint).collect();
    let mut spent: Vec<OutPoint> = inputs.collect();
    leased.sort_unstable();
    spent.sort_unstable();
    Ok(leased == spent)
}
