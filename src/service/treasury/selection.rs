//! Which outputs an operation may spend: pool outputs that are available, never seals.

use crate::service::treasury::TreasuryError;
use crate::storage::headers::chain_head;
use crate::storage::utxos::{list_utxos, utxo};
use crate::storage::{StoreError, Tables};
use crate::types::OutPoint;
use crate::wallet::coin_selection::Candidate;
use crate::wallet::policy::PoolPolicy;
use crate::wallet::sweep::SweepCandidate;
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState, UtxoStatus};

/// The most outputs that are looked at for one run; the next run looks at the rest.
const MOST_LOOKED_AT: usize = 10_000;

/// Returns the available outputs of the pool that are `wanted` and do not hang on too many unmined
/// transactions.
pub(super) fn available(
    tables: &impl Tables,
    policy: &PoolPolicy,
    wanted: impl Fn(&Utxo) -> bool,
) -> Result<Vec<SweepCandidate>, StoreError> {
    let top = chain_head(tables)?.map_or(0, |head| head.height);
    let outputs = list_utxos(tables, UtxoStatus::Available, MOST_LOOKED_AT)?;
    let usable = outputs.iter().filter(|it| it.chain_depth < policy.max_chain_depth && wanted(it));
    Ok(usable.map(|it| candidate(it, top)).collect())
}

/// Returns the outputs that an operator named, each once; every one must be available.
pub(super) fn named(
    tables: &impl Tables,
    outpoints: &[OutPoint],
    policy: &PoolPolicy,
) -> Result<Vec<SweepCandidate>, TreasuryError> {
    let top = chain_head(tables)?.map_or(0, |head| head.height);
    let mut wanted = outpoints.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = Vec::with_capacity(wanted.len());
    for outpoint in wanted {
        let refuse = |found| Err(TreasuryError::NotAvailable { outpoint, found });
        let Some(known) = utxo(tables, outpoint)? else { return refuse("unknown") };
        match (known.purpose, known.state) {
            (OutputPurpose::Seal, _) => return refuse("a custody seal"),
            (OutputPurpose::Pool, UtxoState::Available) => {}
            (OutputPurpose::Pool, state) => return refuse(state.status().as_str()),
        }
        if known.chain_depth >= policy.max_chain_depth {
            return refuse("waiting for a block");
        }
        found.push(candidate(&known, top));
    }
    Ok(found)
}

fn candidate(utxo: &Utxo, top: u32) -> SweepCandidate {
    SweepCandidate {
        candidate: Candidate {
            outpoint: utxo.outpoint,
            value: utxo.value,
            chain_depth: utxo.chain_depth,
        },
        confirmations: utxo.height.map_or(0, |height| top.saturating_add(1).saturating_sub(height)),
    }
}
