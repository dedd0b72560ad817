//! Which outputs are chosen, split and swept, over ten thousand random pools: not a satoshi is lost,
//! nothing is chosen twice, the fee lies between floor and cap, nothing useless is made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashSet;

use patchproof::bitcoin::{P2PKH_INPUT_SIZE, P2PKH_OUTPUT_SIZE};
use patchproof::types::{FeeRate, OutPoint, Satoshis, Txid};
use patchproof::wallet::coin_selection::{
    Candidate, MAX_SELECTED, SelectionError, Target, least_change, needed_with, select_coins,
};
use patchproof::wallet::operation::{
    MOST_INPUTS, MOST_OUTPUTS, OperationKind, OperationPlan, operation_size,
};
use patchproof::wallet::policy::PoolPolicy;
use patchproof::wallet::split::{NoSplit, SplitRequest, split_plan};
use patchproof::wallet::sweep::{NoSweep, SweepCandidate, dust_of, sweep_plans};
use proptest::prelude::*;

const FUNDING: [u8; 20] = [1; 20];
const CHANGE: [u8; 20] = [2; 20];

fn sats(value: u64) -> Satoshis {
    Satoshis::new(value).unwrap()
}

/// Pools as they come: crumbs, useful outputs and the occasional large one.
fn pool() -> impl Strategy<Value = Vec<Candidate>> {
    let value = prop_oneof![3 => 1u64..3_000, 4 => 3_000u64..30_000, 1 => 30_000u64..5_000_000];
    prop::collection::vec((value, 0u32..30), 0..120).prop_map(|outputs| {
        let numbered = (0u32..).zip(outputs);
        numbered
            .map(|(n, (value, chain_depth))| Candidate {
                outpoint: OutPoint::new(Txid::from_bytes([7; 32]), n),
                value: sats(value),
                chain_depth,
            })
            .collect()
    })
}

fn policy() -> impl Strategy<Value = PoolPolicy> {
    let rate = prop_oneof![Just(100u64), Just(512), 1u64..5_000];
    (rate, 1u64..60, 500u64..50_000, 2u64..200, 0u64..5_000, any::<bool>()).prop_map(
        |(rate, min_utxo_count, size, max_split_outputs, buffer, free_consolidation)| PoolPolicy {
            min_utxo_count,
            split_size: sats(size),
            max_split_outputs,
            fee_buffer: sats(buffer),
            dust_threshold: sats(size.min(2_000)),
            free_consolidation,
            ..PoolPolicy::of(FeeRate::from_sat_per_kb(rate).unwrap(), 25)
        },
    )
}

fn request(count: Option<u64>) -> SplitRequest {
    SplitRequest { count, size: None, key_hash: FUNDING, change_key_hash: CHANGE, living: 0 }
}

/// What must hold of every plan, whatever it is for.
fn check_plan(plan: &OperationPlan, pool: &[Candidate], policy: &PoolPolicy) {
    assert!(plan.is_sound(), "{plan:?}");
    let brought: u64 = plan.inputs.iter().map(|it| it.value.get()).sum();
    let made: u64 = plan.outputs.iter().map(|it| it.value.get()).sum();
    assert_eq!(brought, made + plan.fee.get(), "a satoshi is lost or made");
    assert!((1..=MOST_INPUTS).contains(&plan.inputs.len()));
    assert!((1..=MOST_OUTPUTS).contains(&plan.outputs.len()));
    let chosen: HashSet<OutPoint> = plan.inputs.iter().map(|it| it.outpoint).collect();
    assert_eq!(chosen.len(), plan.inputs.len(), "an output is chosen twice");
    for input in &plan.inputs {
        assert!(pool.iter().any(|it| (it.outpoint, it.value) == (input.outpoint, input.value)));
    }
    let floor = policy.fee_rate.fee_for(operation_size(plan.inputs.len(), plan.outputs.len()));
    // At most one output was not worth making.
    let cap = floor.get() + 2 * least_change(policy.fee_rate).get();
    match plan.fee_rate {
        Some(_) => assert!((floor.get()..=cap).contains(&plan.fee.get()), "{plan:?}"),
        None => assert_eq!(plan.fee, Satoshis::ZERO),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn a_split_makes_more_useful_outputs_than_it_spends(
        pool in pool(), policy in policy(), count in prop::option::of(2u64..80),
    ) {
        let size = policy.useful_size();
        match split_plan(&pool, &request(count), &policy) {
            Ok(plan) => {
                check_plan(&plan, &pool, &policy);
                let made = plan.outputs.iter().filter(|it| it.key_hash == FUNDING).count();
                prop_assert!(plan.outputs[..made].iter().all(|it| it.value == size));
                let useful = plan.outputs.iter().filter(|it| it.value >= size).count();
                prop_assert!(useful > plan.inputs.len(), "{plan:?}");
                let most = usize::try_from(policy.max_split_outputs).unwrap();
                prop_assert!(made <= most);
                for input in &plan.inputs {
                    prop_assert!(input.value.get() >= 2 * size.get(), "of a useful size already");
                }
                let change: Vec<_> = plan.outputs.iter().skip(made).collect();
                prop_assert!(change.len() <= 1);
                for change in change {
                    prop_assert_eq!(change.key_hash, CHANGE);
                    prop_assert!(change.value >= least_change(policy.fee_rate));
                }
                // The fewest: without the last input the wished number could not be made.
                let smallest = plan.inputs.iter().map(|it| it.value.get()).min().unwrap();
                let largest_left = pool
                    .iter()
                    .filter(|it| !plan.inputs.iter().any(|input| input.outpoint == it.outpoint))
                    .map(|it| it.value.get())
                    .max();
                prop_assert!(largest_left.is_none_or(|left| left <= smallest));
            }
            Err(NoSplit::Enough { available, wanted }) => {
                let useful = pool.iter().filter(|it| it.value >= policy.least_useful()).count();
                prop_assert_eq!(available, u64::try_from(useful).unwrap());
                prop_assert!(available >= wanted && count.is_none());
            }
            Err(NoSplit::TooLittle { needed, available }) => prop_assert!(available < needed),
            Err(NoSplit::NotWorthIt { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn a_sweep_gathers_what_pays_for_itself(
        pool in pool(), policy in policy(), confirmations in 0u32..12,
    ) {
        let candidates: Vec<SweepCandidate> = pool
            .iter()
            .map(|candidate| SweepCandidate { candidate: *candidate, confirmations })
            .collect();
        let dust = match dust_of(&candidates, &policy) {
            Ok(dust) => dust,
            Err(NoSweep::LittleDust { dust, limit }) => {
                prop_assert!(dust <= limit);
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        prop_assert!(dust.iter().all(|it| it.candidate.value < policy.dust_threshold));
        let Ok(plans) = sweep_plans(OperationKind::Sweep, &dust, FUNDING, &policy) else {
            return Ok(());
        };
        let mut seen = HashSet::new();
        for plan in &plans {
            check_plan(plan, &pool, &policy);
            prop_assert!(plan.inputs.iter().all(|it| seen.insert(it.outpoint)), "in two plans");
            prop_assert_eq!(plan.outputs.len(), 1);
            prop_assert!(plan.outputs[0].value >= plan.fee, "worth less than its fee");
            let is_free = plan.kind == OperationKind::Consolidate;
            let may_be_free =
                policy.free_consolidation && plan.inputs.len() >= 20 && confirmations >= 6;
            prop_assert!(!is_free || may_be_free);
            let own_cost = policy.fee_rate.fee_for(P2PKH_INPUT_SIZE);
            prop_assert!(is_free || plan.inputs.iter().all(|it| it.value > own_cost));
        }
    }

    #[test]
    fn a_selection_wastes_little(
        pool in pool(), rate in 1u64..5_000, wanted in 0u64..100_000,
    ) {
        let fee_rate = FeeRate::from_sat_per_kb(rate).unwrap();
        let target = Target {
            output_total: sats(wanted), input_total: Satoshis::ZERO, base_size: 101, fee_rate,
        };
        match select_coins(&pool, &target) {
            Ok(selection) => {
                let brought: u64 = selection.chosen.iter().map(|it| it.value.get()).sum();
                let change = selection.change.map_or(0, Satoshis::get);
                prop_assert_eq!(brought, wanted + change + selection.fee.get());
                prop_assert!((1..=MAX_SELECTED).contains(&selection.chosen.len()));
                let points: HashSet<_> = selection.chosen.iter().map(|it| it.outpoint).collect();
                prop_assert_eq!(points.len(), selection.chosen.len());
                let size = 101 + selection.chosen.len() * P2PKH_INPUT_SIZE
                    + usize::from(selection.change.is_some()) * P2PKH_OUTPUT_SIZE;
                let floor = fee_rate.fee_for(size).get();
                // Waste: what goes to the fee because change would not be worth making.
                let most = floor + 2 * least_change(fee_rate).get();
                prop_assert!((floor..=most).contains(&selection.fee.get()));
                prop_assert!(selection.change.is_none_or(|it| it >= least_change(fee_rate)));
                if selection.chosen.len() > 1 {
                    let alone = needed_with(&target, 1).unwrap();
                    prop_assert!(pool.iter().all(|it| it.value < alone), "one would have done");
                }
            }
            Err(SelectionError::Insufficient { needed, available }) => {
                prop_assert!(available < needed);
            }
            Err(SelectionError::TooFragmented) => prop_assert!(pool.len() > MAX_SELECTED),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
