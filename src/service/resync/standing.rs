//! What is to be thought of a finding: whether it has become the transaction of a record, will by itself,
//! or is a conflict that somebody must read, and what he can do about it.

use crate::service::anchoring::{Adoption, Obstacle};
use crate::service::resync::ResyncService;
use crate::storage::fence::findings;
use crate::storage::{StoreError, StoredFinding, Tables};
use crate::types::{RecordId, Timestamp};

/// Where a finding stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It moves money between keys of ours, and commits to nothing.
    Money,
    /// It has become the transaction of this record, or batch.
    Adopted(RecordId),
    /// It will become that of this record by itself, as said.
    Waiting(RecordId, String),
    /// Somebody must look; with what he can do.
    Conflict(String),
}

/// A finding, with where it stands.
#[derive(Debug, Clone)]
pub struct JudgedFinding {
    /// The finding.
    pub finding: StoredFinding,
    /// Where it stands.
    pub standing: Standing,
}

const LOST_RECORD: &str = "no record here has its commitment: it was accepted after the backup and is \
    lost; restore a newer backup, or have whoever holds the product show its proof, and register it anew";
const LOST_BATCH: &str = "no batch here has its root: it was formed after the backup, and who its members \
    are is lost; restore a newer backup, or compare what waits for a batch with the proofs that owners hold";
const SEAL_ALONE: &str = "it spends the seal of a product and commits to nothing: somebody else has used \
    the custody key; look into the signer's log";

impl ResyncService {
    /// Takes over what can be, oldest record first: what follows a record follows its transaction.
    pub(super) async fn adopt_all(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut wanted: Vec<_> = self
            .store
            .read(|tx| findings(tx, usize::MAX))?
            .iter()
            .flat_map(|it| it.says.iter().filter_map(|said| Some((said.record?, it.txid))))
            .collect();
        wanted.sort_unstable();
        for (id, txid) in wanted {
            let service = self.anchoring.clone();
            let applied = self.store.write(move |tx| service.adopt_in(tx, id, txid, now)).await?;
            applied.iter().for_each(|it| self.anchoring.announce(it));
        }
        Ok(())
    }

    /// Judges a finding by what the store has now.
    pub(super) fn judge(
        &self,
        tables: &impl Tables,
        finding: StoredFinding,
    ) -> Result<JudgedFinding, StoreError> {
        let standing = self.standing(tables, &finding)?;
        Ok(JudgedFinding { finding, standing })
    }

    fn standing(
        &self,
        tables: &impl Tables,
        finding: &StoredFinding,
    ) -> Result<Standing, StoreError> {
        let conflict = |reason: &str| Ok(Standing::Conflict(reason.to_owned()));
        let said = match finding.says.as_slice() {
            [] if finding.products.is_empty() => return Ok(Standing::Money),
            [] => return conflict(SEAL_ALONE),
            [said] => said,
            _ => return conflict(&Obstacle::Foreign("it commits to several things").to_string()),
        };
        let Some(id) = said.record else {
            return conflict(if said.kind == "batch" { LOST_BATCH } else { LOST_RECORD });
        };
        Ok(match self.anchoring.judge_adoption(tables, id, finding.txid)? {
            Adoption::Done => Standing::Adopted(id),
            Adoption::Possible(_) => Standing::Waiting(id, "it is taken over next".to_owned()),
            Adoption::Waits(wait) => Standing::Waiting(id, wait.to_string()),
            Adoption::Refused(obstacle) => Standing::Conflict(obstacle.to_string()),
        })
    }
}
