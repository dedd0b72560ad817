//! What may be spent in fees: for one transaction, and on one day (UTC). A hard stop: at the cap
//! nothing new is signed, whatever waits; what is signed is still sent.

use crate::anchor::lifecycle::Event;
use crate::service::anchoring::AnchoringService;
use crate::storage::fees::{day_of, fees_on};
use crate::storage::{StoreError, Tables};
use crate::types::{Satoshis, Timestamp};
use crate::wallet::builder::MAX_FEE;

/// The caps that an operator sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeCaps {
    /// The most that one transaction may pay.
    pub per_transaction: Satoshis,
    /// The most that all transactions signed on one day may pay; none for no cap.
    pub per_day: Option<Satoshis>,
}

impl Default for FeeCaps {
    fn default() -> Self {
        Self { per_transaction: MAX_FEE, per_day: Some(Satoshis::from_const(2_000_000)) }
    }
}

impl FeeCaps {
    /// Says in a sentence why nothing more may be signed for `fee` satoshis on the day of `now`;
    /// nothing while there is room.
    pub fn reached(
        &self,
        tables: &impl Tables,
        fee: u64,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some(cap) = self.per_day else { return Ok(None) };
        let spent = fees_on(tables, day_of(now))?.total();
        let wanted = spent.saturating_add(fee);
        Ok((wanted > cap.get()).then(|| {
            format!(
                "fees of {spent} satoshis are signed for today, {cap} are allowed a day: nothing \
                 new is signed until tomorrow or until MAX_FEE_PER_DAY_SATS is raised"
            )
        }))
    }
}

impl AnchoringService {
    /// Returns what a job is told for which no fee is left today, when `planned` satoshis are to be
    /// signed for beside its own `fee`.
    pub(super) fn capped(
        &self,
        planned: u64,
        fee: u64,
        now: Timestamp,
    ) -> Result<Option<Event>, StoreError> {
        let caps = self.settings.caps;
        let told = self.store.read(|tx| caps.reached(tx, planned.saturating_add(fee), now))?;
        Ok(told.map(Event::Capped))
    }
}
