//! Sweeping: many small outputs become one.
//!
//! Guarantees: bounded inputs for each transaction; an input that costs more to spend than it is
//! worth is left alone; nothing is swept whose result is worth less than the fee; without a fee only
//! what miners may take for nothing (WIRE.md 2.6: at least 20 inputs for one output by script bytes,
//! each 6 confirmations deep).

use crate::bitcoin::P2PKH_INPUT_SIZE;
use crate::types::{AmountError, Satoshis};
use crate::wallet::coin_selection::Candidate;
use crate::wallet::operation::{
    MOST_INPUTS, OperationKind, OperationPlan, PlannedInput, PlannedOutput, operation_size,
};
use crate::wallet::policy::PoolPolicy;

/// The most transactions that one sweep makes.
pub const MOST_SWEEPS: usize = 10;
/// Inputs from which a consolidation may be free.
const FREE_INPUTS: usize = 20;
/// Confirmations from which an input may be consolidated for nothing.
const FREE_CONFIRMATIONS: u32 = 6;

/// An output that may be swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepCandidate {
    /// The output.
    pub candidate: Candidate,
    /// Blocks on top of it, its own included.
    pub confirmations: u32,
}

/// Why nothing is swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSweep {
    /// There is too little dust to bother.
    #[error("{dust} outputs are dust, a sweep begins beyond {limit}")]
    LittleDust {
        /// Outputs under the threshold.
        dust: u64,
        /// The most that are left alone.
        limit: u64,
    },
    /// There is nothing.
    #[error("there is nothing to sweep")]
    Nothing,
    /// The fee would eat it.
    #[error("the outputs bring {brought} satoshis, the fee alone would be {fee}")]
    NotWorthIt {
        /// What they bring.
        brought: u64,
        /// What gathering them costs.
        fee: u64,
    },
    /// The sums make no sense.
    #[error("the amounts cannot be added up")]
    Amount(#[from] AmountError),
}

/// Picks the dust among available outputs, once there is enough of it, smallest first.
pub fn dust_of(
    candidates: &[SweepCandidate],
    policy: &PoolPolicy,
) -> Result<Vec<SweepCandidate>, NoSweep> {
    let mut dust: Vec<SweepCandidate> = candidates
        .iter()
        .filter(|it| it.candidate.value < policy.dust_threshold)
        .copied()
        .collect();
    let found = u64::try_from(dust.len()).unwrap_or(u64::MAX);
    if found <= policy.dust_sweep_limit {
        return Err(NoSweep::LittleDust { dust: found, limit: policy.dust_sweep_limit });
    }
    dust.sort_by_key(|it| (it.candidate.value, it.candidate.outpoint));
    Ok(dust)
}

/// Plans the transactions that gather `outputs` at a key: as many as are needed, each with a bounded
/// number of inputs; what does not pay for itself is left out.
pub fn sweep_plans(
    kind: OperationKind,
    outputs: &[SweepCandidate],
    key_hash: [u8; 20],
    policy: &PoolPolicy,
) -> Result<Vec<OperationPlan>, NoSweep> {
    if outputs.is_empty() {
        return Err(NoSweep::Nothing);
    }
    let (free, rest) = if policy.free_consolidation {
        outputs.iter().partition(|it| it.confirmations >= FREE_CONFIRMATIONS)
    } else {
        (Vec::new(), outputs.to_vec())
    };
    let (free, rest) =
        if free.len() >= FREE_INPUTS { (free, rest) } else { (vec![], outputs.to_vec()) };
    let mut plans = Vec::new();
    let mut refusal = None;
    for chunk in free.chunks(MOST_INPUTS) {
        match gather(kind, chunk, key_hash, policy, chunk.len() >= FREE_INPUTS) {
            Ok(plan) => plans.push(plan),
            Err(error) => refusal = Some(error),
        }
    }
    let own_cost = policy.fee_rate.fee_for(P2PKH_INPUT_SIZE);
    let paying: Vec<SweepCandidate> =
        rest.iter().filter(|it| it.candidate.value > own_cost).copied().collect();
    if paying.is_empty() && !rest.is_empty() {
        let brought = Satoshis::sum(rest.iter().map(|it| it.candidate.value))?.get();
        let fee = policy.fee_rate.fee_for(operation_size(rest.len(), 1)).get();
        refusal = Some(NoSweep::NotWorthIt { brought, fee });
    }
    for chunk in paying.chunks(MOST_INPUTS) {
        match gather(kind, chunk, key_hash, policy, false) {
            Ok(plan) => plans.push(plan),
            Err(error) => refusal = Some(error),
        }
    }
    plans.truncate(MOST_SWEEPS);
    if plans.is_empty() {
        return Err(refusal.unwrap_or(NoSweep::Nothing));
    }
    Ok(plans)
}

fn gather(
    kind: OperationKind,
    inputs: &[SweepCandidate],
    key_hash: [u8; 20],
    policy: &PoolPolicy,
    is_free: bool,
) -> Result<OperationPlan, NoSweep> {
    if kind == OperationKind::Sweep && inputs.len() < 2 {
        // One for one gathers nothing.
        return Err(NoSweep::Nothing);
    }
    let brought = Satoshis::sum(inputs.iter().map(|it| it.candidate.value))?;
    let due = policy.fee_rate.fee_for(operation_size(inputs.len(), 1));
    let fee = if is_free { Satoshis::ZERO } else { due };
    let not_worth = NoSweep::NotWorthIt { brought: brought.get(), fee: fee.get() };
    let value = brought.checked_sub(fee).map_err(|_| not_worth)?;
    // One output more costs as much again when it is spent.
    if value < fee || value < policy.fee_rate.fee_for(P2PKH_INPUT_SIZE) {
        return Err(not_worth);
    }
    let inputs = inputs
        .iter()
        .map(|it| PlannedInput { outpoint: it.candidate.outpoint, value: it.candidate.value })
        .collect();
    Ok(OperationPlan {
        kind: if is_free { OperationKind::Consolidate } else { kind },
        inputs,
        outputs: vec![PlannedOutput { value, key_hash }],
        fee,
        fee_rate: (!is_free).then_some(policy.fee_rate),
    })
}
