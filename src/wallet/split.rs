//! Splitting: many outputs of the useful size from the fewest of the large ones.
//!
//! Guarantees: what is spent brings at least two useful outputs; inputs are outputs and fee; the fee
//! is exactly the rate's unless change would not be worth making; a buffer stays as change.

use std::cmp::Reverse;

use crate::types::{AmountError, Satoshis};
use crate::wallet::coin_selection::{Candidate, least_change};
use crate::wallet::operation::{
    OperationKind, OperationPlan, PlannedInput, PlannedOutput, operation_size,
};
use crate::wallet::policy::PoolPolicy;

/// The most useful outputs that a split makes, whatever the policy says: one place is for the change.
const MOST_OUTPUTS_BESIDE_CHANGE: u64 = 249;
/// The most inputs that a split spends.
pub const MOST_SPLIT_INPUTS: usize = 20;

/// What is asked of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitRequest {
    /// How many outputs to make; as many as are missing if not said.
    pub count: Option<u64>,
    /// What each is to be worth; the policy's size if not said.
    pub size: Option<Satoshis>,
    /// The key that gets them.
    pub key_hash: [u8; 20],
    /// The key that gets the change.
    pub change_key_hash: [u8; 20],
    /// Outputs of the pool that are available, under way or bound to come back.
    pub living: u64,
}

/// Why nothing is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSplit {
    /// There are enough.
    #[error("{available} useful outputs are available, {wanted} are wanted")]
    Enough {
        /// Useful outputs that are available.
        available: u64,
        /// Useful outputs that should be.
        wanted: u64,
    },
    /// There are enough, though not all are available at this moment.
    #[error("the pool holds {living} outputs, no more than {ceiling} are made")]
    Ceiling {
        /// Outputs in the pool.
        living: u64,
        /// The most that splitting makes.
        ceiling: u64,
    },
    /// No output is large enough.
    #[error("the largest outputs bring {available} satoshis, {needed} are needed for a split")]
    TooLittle {
        /// What two outputs, fee and buffer need.
        needed: u64,
        /// What there is.
        available: u64,
    },
    /// The pool would have no more outputs than before.
    #[error("a split of {inputs} outputs would make no more of them")]
    NotWorthIt {
        /// Outputs that it would spend.
        inputs: usize,
    },
    /// The sums make no sense.
    #[error("the amounts cannot be added up")]
    Amount(#[from] AmountError),
}

/// Plans a split of some of `candidates`, which are the available outputs of the pool.
pub fn split_plan(
    candidates: &[Candidate],
    request: &SplitRequest,
    policy: &PoolPolicy,
) -> Result<OperationPlan, NoSplit> {
    let size = request.size.unwrap_or_else(|| policy.useful_size());
    let count = wanted_count(candidates, request, policy)?;
    let inputs = choose(candidates, count, size, policy)?;
    let mut refusal = NoSplit::NotWorthIt { inputs: inputs.len() };
    // A large buffer may want more inputs than the outputs are worth: then fewer of both.
    for used in (1..=inputs.len()).rev() {
        match plan_with(&inputs[..used], count, size, request, policy) {
            Ok(plan) if gains(&plan, size) => return Ok(plan),
            Ok(_) => refusal = NoSplit::NotWorthIt { inputs: used },
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// Says whether a plan makes more outputs of a useful size than it spends.
fn gains(plan: &OperationPlan, size: Satoshis) -> bool {
    plan.outputs.iter().filter(|output| output.value >= size).count() > plan.inputs.len()
}

/// Plans a split of exactly `inputs`, which an operator named.
pub fn split_of(
    inputs: &[Candidate],
    request: &SplitRequest,
    policy: &PoolPolicy,
) -> Result<OperationPlan, NoSplit> {
    let size = request.size.unwrap_or_else(|| policy.useful_size());
    let most = policy.max_split_outputs.min(MOST_OUTPUTS_BESIDE_CHANGE);
    let count = request.count.unwrap_or(most).clamp(1, most);
    plan_with(inputs, count, size, request, policy)
}

fn wanted_count(
    candidates: &[Candidate],
    request: &SplitRequest,
    policy: &PoolPolicy,
) -> Result<u64, NoSplit> {
    let most = policy.max_split_outputs.min(MOST_OUTPUTS_BESIDE_CHANGE);
    if let Some(count) = request.count {
        return Ok(count.clamp(1, most));
    }
    let least = policy.least_useful();
    let useful = candidates.iter().filter(|candidate| candidate.value >= least).count();
    let available = u64::try_from(useful).unwrap_or(u64::MAX);
    let wanted = policy.min_utxo_count;
    if available >= wanted {
        return Err(NoSplit::Enough { available, wanted });
    }
    let (living, ceiling) = (request.living, policy.ceiling());
    if living >= ceiling {
        return Err(NoSplit::Ceiling { living, ceiling });
    }
    // What is spent is missing afterwards, so there is one to make in its place.
    let missing = wanted.saturating_sub(available).saturating_add(1);
    Ok(missing.min(ceiling.saturating_sub(living)).clamp(1, most).max(2))
}

/// The largest first, as few as bring enough; never one that is of a useful size already.
fn choose(
    candidates: &[Candidate],
    count: u64,
    size: Satoshis,
    policy: &PoolPolicy,
) -> Result<Vec<Candidate>, NoSplit> {
    let least = worth_splitting(size, policy)?;
    let mut large: Vec<Candidate> =
        candidates.iter().filter(|it| it.value >= least).copied().collect();
    large.sort_by_key(|it| (Reverse(it.value), it.chain_depth, it.outpoint));
    let mut chosen = Vec::new();
    let mut total = Satoshis::ZERO;
    for candidate in large.into_iter().take(MOST_SPLIT_INPUTS) {
        total = total.checked_add(candidate.value)?;
        chosen.push(candidate);
        if total >= needed(chosen.len(), count, size, policy)? {
            break;
        }
    }
    if chosen.is_empty() {
        let largest = candidates.iter().map(|it| it.value).max().unwrap_or(Satoshis::ZERO);
        return Err(NoSplit::TooLittle { needed: least.get(), available: largest.get() });
    }
    Ok(chosen)
}

/// Returns what an output must bring that makes two of the size and pays for it.
fn worth_splitting(size: Satoshis, policy: &PoolPolicy) -> Result<Satoshis, AmountError> {
    let fee = policy.fee_rate.fee_for(operation_size(1, 3));
    size.checked_add(size)?.checked_add(fee)
}

fn needed(
    inputs: usize,
    count: u64,
    size: Satoshis,
    policy: &PoolPolicy,
) -> Result<Satoshis, AmountError> {
    let outputs = usize::try_from(count).unwrap_or(usize::MAX).saturating_add(1);
    let fee = policy.fee_rate.fee_for(operation_size(inputs, outputs));
    times(size, count)?.checked_add(fee)?.checked_add(policy.fee_buffer)
}

fn times(size: Satoshis, count: u64) -> Result<Satoshis, AmountError> {
    size.get().checked_mul(count).ok_or(AmountError::TooLarge).and_then(Satoshis::new)
}

fn plan_with(
    inputs: &[Candidate],
    count: u64,
    size: Satoshis,
    request: &SplitRequest,
    policy: &PoolPolicy,
) -> Result<OperationPlan, NoSplit> {
    let total = Satoshis::sum(inputs.iter().map(|it| it.value))?;
    let mut count = count;
    while count > 0 && total < needed(inputs.len(), count, size, policy)? {
        count -= 1;
    }
    // One in, one out would only cost; unless it is asked for.
    let fewest = if request.count == Some(1) { 1 } else { 2 };
    if inputs.is_empty() || count < fewest {
        let needed = needed(inputs.len().max(1), fewest, size, policy)?.get();
        return Err(NoSplit::TooLittle { needed, available: total.get() });
    }
    let made = usize::try_from(count).unwrap_or(usize::MAX);
    let fee = policy.fee_rate.fee_for(operation_size(inputs.len(), made.saturating_add(1)));
    let left = total.checked_sub(times(size, count)?)?;
    let change = left.checked_sub(fee)?;
    let mut outputs = vec![PlannedOutput { value: size, key_hash: request.key_hash }; made];
    let change = Some(change).filter(|change| *change >= least_change(policy.fee_rate));
    outputs.extend(change.map(|value| PlannedOutput { value, key_hash: request.change_key_hash }));
    let inputs = inputs
        .iter()
        .map(|it| PlannedInput { outpoint: it.outpoint, value: it.value })
        .collect::<Vec<_>>();
    Ok(OperationPlan {
        kind: OperationKind::Split,
        inputs,
        outputs,
        fee: left.checked_sub(change.unwrap_or(Satoshis::ZERO))?,
        fee_rate: Some(policy.fee_rate),
    })
}
