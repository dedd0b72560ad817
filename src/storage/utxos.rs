//! The output pool: every output a key of ours can spend, its leases and its totals.

use std::collections::BTreeMap;

use redb::ReadableTable;

use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{OutPoint, RecordId, Satoshis};
use crate::wallet::coin_selection::Candidate;
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState, UtxoStatus};

/// Number and sum of some outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UtxoTotal {
    /// How many.
    pub count: u64,
    /// Their sum in satoshis.
    pub satoshis: u64,
}

/// Totals of pool outputs by key identifier and status.
pub type PoolTotals = BTreeMap<(String, UtxoStatus), UtxoTotal>;

/// Distinguishes seals from pool outputs in index keys.
const SEAL_OFFSET: u8 = 8;

/// Returns the number for purpose and status used in index keys.
pub(super) fn index_code(utxo: &Utxo) -> u8 {
    let status = utxo.state.status().code();
    match utxo.purpose {
        OutputPurpose::Pool => status,
        OutputPurpose::Seal => SEAL_OFFSET + status,
    }
}

impl WriteTx<'_> {
    /// Stores an output, its indexes, its lease and the totals.
    pub fn put_utxo(&mut self, utxo: &Utxo) -> Result<(), StoreError> {
        self.is_dirty = true;
        let point = utxo.outpoint.to_bytes();
        let before = self
            .tables
            .utxos
            .insert(point, encode(utxo).as_slice())?
            .map(|bytes| decode::<Utxo>(bytes.value(), "output"))
            .transpose()?;
        if let Some(before) = &before {
            self.unindex(before)?;
        }
        self.trim_outside_spend(utxo)?;
        self.index(utxo)
    }

    /// Removes an output whose transaction is dead.
    pub fn remove_utxo(&mut self, outpoint: OutPoint) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.outside_spends.remove(outpoint.to_bytes())?;
        let before = self
            .tables
            .utxos
            .remove(outpoint.to_bytes())?
            .map(|bytes| decode::<Utxo>(bytes.value(), "output"))
            .transpose()?;
        before.map_or(Ok(()), |before| self.unindex(&before))
    }

    fn index(&mut self, utxo: &Utxo) -> Result<(), StoreError> {
        let point = utxo.outpoint.to_bytes();
        self.tables.utxos_by_status.insert((index_code(utxo), utxo.value.get(), point), ())?;
        if let UtxoState::Locked { by } = utxo.state {
            self.tables.leases.insert((by.to_bytes(), point), ())?;
        }
        self.adjust_total(utxo, |total| UtxoTotal {
            count: total.count + 1,
            satoshis: total.satoshis.saturating_add(utxo.value.get()),
        })
    }

    fn unindex(&mut self, utxo: &Utxo) -> Result<(), StoreError> {
        let point = utxo.outpoint.to_bytes();
        self.tables.utxos_by_status.remove((index_code(utxo), utxo.value.get(), point))?;
        if let UtxoState::Locked { by } = utxo.state {
            self.tables.leases.remove((by.to_bytes(), point))?;
        }
        self.adjust_total(utxo, |total| UtxoTotal {
            count: total.count.saturating_sub(1),
            satoshis: total.satoshis.saturating_sub(utxo.value.get()),
        })
    }

    fn adjust_total(
        &mut self,
        utxo: &Utxo,
        change: impl FnOnce(UtxoTotal) -> UtxoTotal,
    ) -> Result<(), StoreError> {
        let key = (utxo.key_identifier.as_str(), index_code(utxo));
        let (count, satoshis) =
            self.tables.utxo_totals.get(key)?.map_or((0, 0), |total| total.value());
        let total = change(UtxoTotal { count, satoshis });
        self.tables.utxo_totals.insert(key, (total.count, total.satoshis))?;
        Ok(())
    }
}

/// Returns an output.
pub fn utxo(tables: &impl Tables, outpoint: OutPoint) -> Result<Option<Utxo>, StoreError> {
    tables
        .utxos()
        .get(outpoint.to_bytes())?
        .map(|bytes| decode(bytes.value(), "output"))
        .transpose()
}

/// Returns an output that must exist.
pub fn expect_utxo(tables: &impl Tables, outpoint: OutPoint) -> Result<Utxo, StoreError> {
    utxo(tables, outpoint)?.ok_or(StoreError::Missing { entity: "output" })
}

/// Returns the outputs that a job holds, in the order of their outpoints.
pub fn leased_by(tables: &impl Tables, job: RecordId) -> Result<Vec<Utxo>, StoreError> {
    let id = job.to_bytes();
    tables
        .leases()
        .range((id, [0u8; 36])..=(id, [0xffu8; 36]))?
        .map(|row| {
            let (key, ()) = row.map(|(key, _)| (key.value().1, ()))?;
            expect_utxo(tables, OutPoint::from_bytes(&key))
        })
        .collect()
}

/// Returns usable pool outputs of at least `least`, smallest first, at most `limit`, leaving out
/// those that hang on more than `deepest` unmined transactions.
pub fn candidates(
    tables: &impl Tables,
    least: Satoshis,
    limit: usize,
    deepest: u32,
) -> Result<Vec<Candidate>, StoreError> {
    let available = UtxoStatus::Available.code();
    let mut found = Vec::new();
    let range = (available, least.get(), [0u8; 36])..=(available, u64::MAX, [0xffu8; 36]);
    for row in tables.utxos_by_status().range(range)? {
        let (key, _) = row?;
        let utxo = expect_utxo(tables, OutPoint::from_bytes(&key.value().2))?;
        if utxo.chain_depth < deepest {
            found.push(Candidate {
                outpoint: utxo.outpoint,
                value: utxo.value,
                chain_depth: utxo.chain_depth,
            });
        }
        if found.len() == limit {
            break;
        }
    }
    Ok(found)
}

/// Returns usable pool outputs, largest first, at most `limit`, leaving out those that hang on more
/// than `deepest` unmined transactions.
pub fn largest_candidates(
    tables: &impl Tables,
    limit: usize,
    deepest: u32,
) -> Result<Vec<Candidate>, StoreError> {
    let available = UtxoStatus::Available.code();
    let mut found = Vec::new();
    let range = (available, 0, [0u8; 36])..=(available, u64::MAX, [0xffu8; 36]);
    for row in tables.utxos_by_status().range(range)?.rev() {
        let (key, _) = row?;
        let utxo = expect_utxo(tables, OutPoint::from_bytes(&key.value().2))?;
        let Utxo { outpoint, value, chain_depth, .. } = utxo;
        if chain_depth < deepest {
            found.push(Candidate { outpoint, value, chain_depth });
        }
        if found.len() == limit {
            break;
        }
    }
    Ok(found)
}

/// Returns every output, seals too, that counts as unspent here: unconfirmed, available or held.
pub fn unspent_outputs(tables: &impl Tables) -> Result<Vec<Utxo>, StoreError> {
    let mut unspent = Vec::new();
    for row in tables.utxos().iter()? {
        let output: Utxo = decode(row?.1.value(), "output")?;
        if !matches!(output.state, UtxoState::Spent { .. }) {
            unspent.push(output);
        }
    }
    Ok(unspent)
}

/// Lists pool outputs of one status, smallest first, at most `limit`.
pub fn list_utxos(
    tables: &impl Tables,
    status: UtxoStatus,
    limit: usize,
) -> Result<Vec<Utxo>, StoreError> {
    let code = status.code();
    tables
        .utxos_by_status()
        .range((code, 0, [0u8; 36])..=(code, u64::MAX, [0xffu8; 36]))?
        .take(limit)
        .map(|row| expect_utxo(tables, OutPoint::from_bytes(&row?.0.value().2)))
        .collect()
}

/// Returns the totals of pool outputs, without counting them anew.
pub fn pool_totals(tables: &impl Tables) -> Result<PoolTotals, StoreError> {
    let mut totals = PoolTotals::new();
    for row in tables.utxo_totals().iter()? {
        let (key, total) = row?;
        let (identifier, code) = key.value();
        let (count, satoshis) = total.value();
        if let Some(status) = UtxoStatus::ALL.into_iter().find(|status| status.code() == code) {
            totals.insert((identifier.to_owned(), status), UtxoTotal { count, satoshis });
        }
    }
    Ok(totals)
}
