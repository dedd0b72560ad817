//! Erasing a person: at once where nothing can need it any more, and otherwise as soon as that is so.
//!
//! A record is needed until its transaction lies so deep that no reorganisation brings it back: until
//! then it may have to be anchored anew. It is told to nobody from the moment of the wish.

use crate::anchor::canonical::from_canonical_bytes;
use crate::anchor::lifecycle::Stage;
use crate::auth::Subject;
use crate::bitcoin::Address;
use crate::patch::erasure::{Erasure, ErasureKey, ProductFacts};
use crate::patch::record::AuthenticationRecord;
use crate::service::imports::erase_row;
use crate::service::privacy::PrivacyService;
use crate::storage::claims::{Claim, claims_for};
use crate::storage::erasures::{erasures_due, is_erasure_due, records_naming};
use crate::storage::headers::chain_head;
use crate::storage::imports::import_rows_naming;
use crate::storage::jobs::expect_job;
use crate::storage::records::{expect_record, record};
use crate::storage::{ErasedRecord, StoreError, StoredRecord, Tables, WriteTx};
use crate::types::{RecordId, Timestamp};

/// Blocks on top of a record's transaction, its own included, from which nothing needs its content.
pub const ERASE_DEPTH: u32 = 100;
/// Records that are erased in one storage transaction.
const BATCH: usize = 500;

/// What an erasure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErasureSummary {
    /// Whether there was a login key.
    pub had_key: bool,
    /// Codes to her mailbox that are gone, with the mails that carry them.
    pub codes: usize,
    /// Claims that are gone.
    pub claims: usize,
    /// Rows of imports that say nothing any more, and are not registered if they waited.
    pub import_rows: usize,
    /// Records whose content is gone.
    pub records: usize,
    /// Records whose content goes as soon as their transactions are buried.
    pub scheduled: usize,
}

impl PrivacyService {
    /// Erases what is held about a person. Her tokens end, this one included.
    pub async fn erase(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<ErasureSummary, StoreError> {
        let (held, claims, records, rows) = self.store.read(|tx| {
            let held = self.held(tx, subject)?;
            let hash = held.address.map(|address| *address.hash160());
            let claims = hash.map_or(Ok(Vec::new()), |hash| claims_for(tx, &hash))?;
            let records = hash.map_or(Ok(Vec::new()), |hash| records_naming(tx, &hash))?;
            let rows = held.address.map_or(Ok(Vec::new()), |it| import_rows_naming(tx, &it))?;
            Ok::<_, StoreError>((held, claims, records, rows))
        })?;
        let mut summary = ErasureSummary {
            had_key: held.key.is_some(),
            codes: held.codes.len(),
            claims: claims.len(),
            import_rows: rows.len(),
            ..ErasureSummary::default()
        };
        let (service, id, due) = (self.clone(), subject.id.clone(), records.clone());
        let (user, codes, address) = (held.key.map(|key| key.user), held.codes, held.address);
        self.store
            .write(move |tx| {
                if let Some(user) = user {
                    tx.remove_svd_key(user)?;
                }
                for code in &codes {
                    tx.remove_email_code(code.request)?;
                    tx.remove_mail(code.request)?;
                }
                service.persons.forget(tx, &id, now)?;
                claims.iter().try_for_each(|claim: &Claim| tx.remove_claim(claim))?;
                for (import, row) in &rows {
                    address.map_or(Ok(false), |owner| erase_row(tx, *import, *row, &owner))?;
                }
                for id in &due {
                    let found = expect_record(tx, *id)?;
                    tx.put_erasure_due(&found, now)?;
                }
                let person = service.persons.pseudonym(&id);
                tx.append_audit(now, &person, "privacy.erase", &person)
            })
            .await?;
        for some in records.chunks(BATCH) {
            summary.records += self.erase_ready(some.to_vec(), now).await?;
        }
        summary.scheduled = records.len() - summary.records;
        Ok(summary)
    }

    /// Erases what was to be erased and is not needed any more; returns how many went.
    pub async fn finish(&self, now: Timestamp) -> Result<usize, StoreError> {
        let (mut gone, mut last) = (0, None);
        loop {
            let due = self.store.read(|tx| erasures_due(tx, last, BATCH))?;
            last = due.last().copied();
            if due.is_empty() {
                return Ok(gone);
            }
            let ready = self.store.read(|tx| {
                let ready = due.iter().map(|id| Ok((is_ready(tx, *id)?, *id)));
                ready.collect::<Result<Vec<_>, StoreError>>()
            })?;
            let ready: Vec<RecordId> = ready.into_iter().filter(|it| it.0).map(|it| it.1).collect();
            if !ready.is_empty() {
                gone += self.erase_ready(ready, now).await?;
            }
        }
    }

    async fn erase_ready(&self, ids: Vec<RecordId>, now: Timestamp) -> Result<usize, StoreError> {
        let key = self.erasures.clone();
        self.store
            .write(move |tx| {
                let mut gone = 0;
                for id in &ids {
                    if is_erasure_due(tx, *id)? && is_ready(tx, *id)? {
                        let found = expect_record(tx, *id)?;
                        erase_one(tx, &found, &key, now)?;
                        gone += 1;
                    }
                }
                Ok(gone)
            })
            .await
    }
}

/// Says whether nothing can need a record's content any more.
fn is_ready(tables: &impl Tables, id: RecordId) -> Result<bool, StoreError> {
    if record(tables, id)?.is_none_or(|it| it.is_erased()) {
        return Ok(false);
    }
    let top = chain_head(tables)?.map_or(0, |head| head.height);
    Ok(match expect_job(tables, id)?.stage {
        Stage::Failed { .. } => true,
        Stage::Final { height, .. } => (top + 1).saturating_sub(height) >= ERASE_DEPTH,
        Stage::Accepted
        | Stage::Reserved
        | Stage::Signed { .. }
        | Stage::Seen { .. }
        | Stage::Mined { .. }
        | Stage::Held { .. } => false,
    })
}

fn erase_one(
    tx: &mut WriteTx<'_>,
    record: &StoredRecord,
    key: &ErasureKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    let corrupt = || StoreError::Corrupt { entity: "record" };
    let says: AuthenticationRecord =
        from_canonical_bytes(&record.canonical).map_err(|_| corrupt())?;
    let owner = Address::parse(&says.auth.owner, says.network).map_err(|_| corrupt())?;
    let facts = ProductFacts::of(&says.product, &says.metadata).to_json();
    let owner_mark = key.owner_mark(record.id, owner.hash160());
    let seal = key.seal(&Erasure {
        record: record.id,
        commitment: record.commitment,
        erased_at: now,
        facts: &facts,
        owner_mark,
    });
    let erased = ErasedRecord { erased_at: now, facts, owner_mark, seal };
    tx.erase_record(record, owner.hash160(), &erased)
}
