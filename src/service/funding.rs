//! The pool's money: outputs from outside come in here, and its state is told here.

mod outside;
mod taking;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::bitcoin::Transaction;
use crate::chain::{ChainError, ChainTracker, SpendStatus, UnspentOutput, UtxoSource};
use crate::service::headers::TrustAnchors;
use crate::service::keys::{Keyring, PaymentKey};
use crate::service::once::Keep;
use crate::service::settings::RuntimeSettings;
use crate::storage::transactions::transaction;
use crate::storage::utxos::{pool_totals, utxo};
use crate::storage::{Store, StoreError, UtxoTotal};
use crate::types::{OutPoint, Satoshis, Timestamp, Txid};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState, UtxoStatus};

pub(in crate::service) use outside::unlocks;
pub(in crate::service) use taking::external;

/// An output that was not taken into the pool.
#[derive(Debug, thiserror::Error)]
pub enum FundingError {
    /// The endpoint did not answer.
    #[error("the network endpoint did not answer")]
    Chain(#[from] ChainError),
    /// Nobody knows the transaction.
    #[error("the network does not know transaction {0}")]
    UnknownTransaction(Txid),
    /// The transaction has no such output.
    #[error("transaction {0} has no such output")]
    NoSuchOutput(Txid),
    /// The output differs from what was stated.
    #[error("the output's {what} is {actual}, not what was stated")]
    Mismatch {
        /// The field that states it.
        field: &'static str,
        /// What differs.
        what: &'static str,
        /// On chain.
        actual: String,
    },
    /// The output pays to a key that is not ours, or holds custody.
    #[error("the output does not pay to the funding or change key")]
    NotOurs,
    /// The output is spent.
    #[error("the output is spent by {0}")]
    Spent(Txid),
    /// Whether the output is spent is not known.
    #[error("it is not known whether the output is spent; nothing was added")]
    SpendUnknown,
    /// The output was to be the only one that can be spent, and is not.
    #[error(
        "{count} other outputs with {satoshis} satoshis can be spent; nothing is marked as spent \
         that no transaction spends, so this one cannot be the only one"
    )]
    NotAlone {
        /// Other available outputs.
        count: u64,
        /// Their sum.
        satoshis: u64,
    },
    /// The store does not work.
    #[error("the store did not take the output")]
    Store(#[from] StoreError),
}

/// An output stated by an operator; every part of it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedOutput {
    /// Which output.
    pub outpoint: OutPoint,
    /// Its amount, as stated.
    pub value: Option<Satoshis>,
    /// Its locking script in hex, as stated.
    pub script: Option<String>,
    /// The signer's name for its key, as stated.
    pub key_identifier: Option<String>,
    /// Whether it is refused while other outputs can be spent.
    pub is_exclusive: bool,
}

/// What a synchronisation brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SyncSummary {
    /// Outputs that the endpoint lists.
    pub listed: usize,
    /// Outputs that are new in the pool.
    pub added: usize,
    /// Outputs that became usable or got their height.
    pub updated: usize,
    /// Outputs that could not be checked and were left alone.
    pub skipped: usize,
    /// Outputs that a transaction from outside was found to spend: set aside, or spent for good.
    pub spent_elsewhere: usize,
}

/// What the chain says about an address, for comparison with the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainView {
    /// Unspent outputs listed.
    pub count: usize,
    /// Their sum.
    pub total_satoshis: u64,
}

/// The pool's state by status.
pub type PoolByStatus = BTreeMap<&'static str, UtxoTotal>;

/// Takes money in and tells what there is.
#[derive(Clone)]
pub struct FundingService {
    /// The store.
    pub store: Store,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Asks about transactions.
    pub tracker: Arc<dyn ChainTracker>,
    /// Lists outputs.
    pub source: Arc<dyn UtxoSource>,
    /// What our chain of headers hangs on.
    pub anchors: TrustAnchors,
    /// Confirmations before an output may be spent, which may change at any time.
    pub runtime: RuntimeSettings,
    /// How long an answer of the network is remembered for `utxo-health`.
    pub chain_view_ttl: Duration,
    /// The remembered answer.
    pub chain_view: Arc<Mutex<Option<(Timestamp, ChainView)>>>,
    /// The output whose spender was asked about last, of those that a list left out.
    pub last_asked: Arc<Mutex<Option<OutPoint>>>,
}

impl FundingService {
    /// Adds one output after checking that it exists, pays us, and is not spent.
    pub async fn add(
        &self,
        stated: &StatedOutput,
        actor: &str,
        keep: Keep<Utxo>,
        now: Timestamp,
    ) -> Result<Utxo, FundingError> {
        if stated.is_exclusive {
            self.refuse_others(stated.outpoint)?;
        }
        let txid = stated.outpoint.txid;
        let parent = self.tracker.transaction(txid).await?;
        let parent = parent.ok_or(FundingError::UnknownTransaction(txid))?;
        let (utxo, key) = self.read_output(&parent, stated.outpoint)?;
        check_stated(stated, &utxo, &key)?;
        match self.tracker.spender(stated.outpoint).await? {
            SpendStatus::Unspent => {}
            SpendStatus::SpentBy(by) => return Err(FundingError::Spent(by)),
            SpendStatus::Unknown => return Err(FundingError::SpendUnknown),
        }
        let top = self.tracker.tip().await?.height;
        let height = self.height_of(txid).await?;
        let utxo = self.with_state(utxo, height, top);
        Ok(self.take_one_in(parent, utxo, keep, actor, now).await?)
    }

    fn refuse_others(&self, outpoint: OutPoint) -> Result<(), FundingError> {
        let (totals, known) =
            self.store.read(|tx| Ok::<_, StoreError>((pool_totals(tx)?, utxo(tx, outpoint)?)))?;
        let available = totals.iter().filter(|((_, it), _)| *it == UtxoStatus::Available);
        let (count, satoshis) = available.fold((0u64, 0u64), |(count, satoshis), (_, total)| {
            (count.saturating_add(total.count), satoshis.saturating_add(total.satoshis))
        });
        let own = known.filter(|it| it.state == UtxoState::Available).map(|it| it.value.get());
        let count = count.saturating_sub(own.map_or(0, |_| 1));
        let satoshis = satoshis.saturating_sub(own.unwrap_or(0));
        if count == 0 { Ok(()) } else { Err(FundingError::NotAlone { count, satoshis }) }
    }

    /// Takes in every output that the endpoint lists for our payment keys, and asks who spends those
    /// that it does not. States only move forward: what is locked or spent here stays so, and absence
    /// from the list proves nothing.
    pub async fn sync(&self, actor: &str, now: Timestamp) -> Result<SyncSummary, FundingError> {
        let top = self.tracker.tip().await?.height;
        let mut summary = SyncSummary::default();
        let (mut found, mut named) = (Vec::new(), HashSet::new());
        for key in self.keyring.payment_keys() {
            let listed = self.source.unspent(&key.address.to_string()).await?;
            summary.listed += listed.len();
            named.extend(listed.iter().map(|output| output.outpoint));
            for output in listed {
                match self.examine(&output, top).await? {
                    Some(checked) => found.push(checked),
                    None => summary.skipped += 1,
                }
            }
        }
        let (added, updated) = self.take_in(found, actor, now).await?;
        let spent_elsewhere = self.find_spent(&named, actor, now).await?;
        Ok(SyncSummary { added, updated, spent_elsewhere, ..summary })
    }

    /// Checks a listed output against its own transaction; nothing if it cannot be.
    async fn examine(
        &self,
        listed: &UnspentOutput,
        top: u32,
    ) -> Result<Option<(Transaction, Utxo)>, FundingError> {
        let txid = listed.outpoint.txid;
        let known = self.store.read(|tx| transaction(tx, txid))?;
        let parent = match known {
            Some(stored) => Some(stored.parse()?),
            None => self.tracker.transaction(txid).await?,
        };
        let Some(parent) = parent else { return Ok(None) };
        match self.read_output(&parent, listed.outpoint) {
            Ok((utxo, _)) if utxo.value == listed.value => {
                Ok(Some((parent, self.with_state(utxo, listed.height, top))))
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }

    fn read_output(
        &self,
        parent: &Transaction,
        outpoint: OutPoint,
    ) -> Result<(Utxo, PaymentKey), FundingError> {
        let missing = FundingError::NoSuchOutput(outpoint.txid);
        let place = usize::try_from(outpoint.vout).unwrap_or(usize::MAX);
        let output = parent.outputs.get(place).ok_or(missing)?;
        let hash = output.locking_script.as_public_key_hash().ok_or(FundingError::NotOurs)?;
        let keys = self.keyring.payment_keys();
        let key = keys.into_iter().find(|key| *key.address.hash160() == hash);
        let key = key.ok_or(FundingError::NotOurs)?.clone();
        let utxo = Utxo {
            outpoint,
            value: output.value,
            key_identifier: key.identifier.clone(),
            key_hash: hash,
            purpose: OutputPurpose::Pool,
            state: UtxoState::Unconfirmed,
            height: None,
            chain_depth: 0,
        };
        Ok((utxo, key))
    }

    fn with_state(&self, utxo: Utxo, height: Option<u32>, top: u32) -> Utxo {
        let confirmations = height.map_or(0, |height| (top + 1).saturating_sub(height));
        let is_usable = confirmations >= self.runtime.current().min_confirmations();
        let state = if is_usable { UtxoState::Available } else { UtxoState::Unconfirmed };
        Utxo { state, height, ..utxo }
    }

    async fn height_of(&self, txid: Txid) -> Result<Option<u32>, FundingError> {
        let path = self.tracker.merkle_path(txid).await?;
        Ok(path.map(|(path, _)| path.block_height()))
    }

    /// Returns the pool's totals by status.
    pub fn pool(&self) -> Result<PoolByStatus, StoreError> {
        let totals = self.store.read(pool_totals)?;
        let mut by_status: PoolByStatus =
            UtxoStatus::ALL.iter().map(|status| (status.as_str(), UtxoTotal::default())).collect();
        for ((_, status), total) in totals {
            let sum = by_status.entry(status.as_str()).or_default();
            sum.count += total.count;
            sum.satoshis = sum.satoshis.saturating_add(total.satoshis);
        }
        Ok(by_status)
    }

    /// Asks the network what the funding address holds; an answer is remembered for a short while.
    pub async fn chain_view(&self, now: Timestamp) -> Result<ChainView, ChainError> {
        if let Some((at, view)) = self.remembered()
            && now.since(at) < self.chain_view_ttl
        {
            return Ok(view);
        }
        let listed = self.source.unspent(&self.keyring.funding.address.to_string()).await?;
        let total = listed.iter().fold(0u64, |sum, o| sum.saturating_add(o.value.get()));
        let view = ChainView { count: listed.len(), total_satoshis: total };
        *self.chain_view.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, view.clone()));
        Ok(view)
    }

    fn remembered(&self) -> Option<(Timestamp, ChainView)> {
        self.chain_view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn check_stated(stated: &StatedOutput, utxo: &Utxo, key: &PaymentKey) -> Result<(), FundingError> {
    let mismatch = |field, what, actual| Err(FundingError::Mismatch { field, what, actual });
    if stated.value.is_some_and(|value| value != utxo.value) {
        return mismatch("satoshis", "amount", utxo.value.to_string());
    }
    let script = hex::encode(key.address.locking_script().as_bytes());
    if stated.script.as_ref().is_some_and(|other| !other.eq_ignore_ascii_case(&script)) {
        return mismatch("script", "locking script", script);
    }
    if stated.key_identifier.as_ref().is_some_and(|other| *other != key.identifier) {
        return mismatch("keyId", "key identifier", key.identifier.clone());
    }
    Ok(())
}
