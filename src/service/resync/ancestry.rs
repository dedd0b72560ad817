//! The walk back from outputs that the network lists and the store does not know: money that came after
//! the backup may have paid for a record that is here, and no output of the store leads there.

use std::collections::HashSet;

use crate::bitcoin::{Script, Transaction};
use crate::crypto::hash160;
use crate::service::anchoring::prove;
use crate::service::funding::unlocks;
use crate::service::resync::search::Found;
use crate::service::resync::{ResyncError, ResyncService};
use crate::storage::StoreError;
use crate::storage::fence::finding;
use crate::storage::utxos::utxo;
use crate::types::{OutPoint, Txid};

/// What the walk back has brought.
#[derive(Default)]
pub(super) struct Ancestry {
    pub(super) found: Vec<Found>,
    /// Transactions that the network lists outputs of, or that ours descend from, and would not show.
    pub(super) unknown: usize,
}

impl ResyncService {
    /// Finds the transactions that keys of ours have signed among those that made listed outputs, and
    /// what they descend from, down to the money that came from outside. `seen` is what is found already.
    pub(super) async fn search_back(
        &self,
        listed: &HashSet<OutPoint>,
        seen: &mut HashSet<Txid>,
    ) -> Result<Ancestry, ResyncError> {
        let mut ancestry = Ancestry::default();
        let mut queue: Vec<(Txid, bool)> =
            self.unheard_of(listed)?.into_iter().map(|txid| (txid, false)).collect();
        while let Some((txid, is_spent_by_us)) = queue.pop() {
            if seen.contains(&txid) || !self.is_new(txid)? {
                continue;
            }
            let made = self.tracker.transaction(txid).await?.filter(|it| it.txid() == txid);
            let Some(transaction) = made else {
                ancestry.unknown += 1;
                continue;
            };
            let own: Vec<OutPoint> = self.signed_by_us(&transaction);
            if own.is_empty() && !is_spent_by_us {
                // Money from outside that nothing of ours has spent is for the pool to take in.
                continue;
            }
            let (mut parents, mut is_refuted) = (Vec::new(), false);
            for outpoint in own {
                match self.parent_of(&transaction, txid, outpoint).await? {
                    Parent::Here => {}
                    Parent::Before(parent) => parents.push((parent, true)),
                    Parent::Unknown => ancestry.unknown += 1,
                    Parent::Refuted => is_refuted = true,
                }
            }
            if is_refuted {
                continue;
            }
            seen.insert(txid);
            queue.extend(parents);
            let pays = self.own_outputs(&transaction);
            let proved = prove(&self.store, &self.anchors, self.tracker.as_ref(), txid).await?.ok();
            ancestry.found.push(Found { transaction, proved, pays });
        }
        Ok(ancestry)
    }

    /// Returns the transactions whose listed outputs the store does not know.
    fn unheard_of(&self, listed: &HashSet<OutPoint>) -> Result<HashSet<Txid>, StoreError> {
        self.store.read(|tx| {
            let mut unheard = HashSet::new();
            for outpoint in listed {
                if utxo(tx, *outpoint)?.is_none() {
                    unheard.insert(outpoint.txid);
                }
            }
            Ok(unheard)
        })
    }

    /// Says whether a transaction is neither one that the store made itself nor a finding already.
    fn is_new(&self, txid: Txid) -> Result<bool, StoreError> {
        Ok(!self.is_own(txid)? && self.store.read(|tx| finding(tx, txid))?.is_none())
    }

    /// Returns the inputs that name a key of ours; whether that has signed is for the interpreter to say.
    fn signed_by_us(&self, transaction: &Transaction) -> Vec<OutPoint> {
        let is_ours = |script: &Script| {
            let key = named_key(script);
            key.is_some_and(|key| self.keyring.owner_of_output(&hash160(key)).is_some())
        };
        let inputs = transaction.inputs.iter();
        inputs.filter(|it| is_ours(&it.unlocking_script)).map(|it| it.previous).collect()
    }

    /// Looks for the output that an input spends, and has the interpreter unlock it.
    async fn parent_of(
        &self,
        spender: &Transaction,
        txid: Txid,
        outpoint: OutPoint,
    ) -> Result<Parent, ResyncError> {
        if let Some(output) = self.store.read(|tx| utxo(tx, outpoint))? {
            return Ok(if unlocks(&output, spender, txid) {
                Parent::Here
            } else {
                Parent::Refuted
            });
        }
        let parent = self.tracker.transaction(outpoint.txid).await?;
        let Some(parent) = parent.filter(|it| it.txid() == outpoint.txid) else {
            return Ok(Parent::Unknown);
        };
        let output = self.own_outputs(&parent).into_iter().find(|it| it.outpoint == outpoint);
        Ok(match output {
            Some(output) if unlocks(&output, spender, txid) => Parent::Before(outpoint.txid),
            Some(_) | None => Parent::Refuted,
        })
    }
}

/// Where the output is that an input spends.
enum Parent {
    /// In the store.
    Here,
    /// In a transaction that is to be looked at next.
    Before(Txid),
    /// The network does not show it.
    Unknown,
    /// The input does not unlock it.
    Refuted,
}

/// Returns the public key at the end of an ordinary payment's unlocking script.
fn named_key(script: &Script) -> Option<&[u8]> {
    let (_, tail) = script.as_bytes().split_last_chunk::<34>()?;
    let (length, key) = tail.split_first()?;
    (*length == 33).then_some(key)
}
