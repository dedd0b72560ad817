//! Records that wait for money: taken up, oldest first, as outputs become usable, so that nobody waits
//! longer than there is nothing to spend.

use crate::anchor::lifecycle::Job;
use crate::storage::jobs::jobs_in_stage;
use crate::storage::{StageName, StoreError, WriteTx};
use crate::types::Timestamp;

/// Records looked at for each output that became usable: others of the stage wait for the signer.
const LOOKED_AT: usize = 16;

/// Makes as many of the records that wait for money due as there are new outputs to spend.
pub(in crate::service) fn take_up(
    tx: &mut WriteTx<'_>,
    outputs: usize,
    now: Timestamp,
) -> Result<(), StoreError> {
    if outputs == 0 {
        return Ok(());
    }
    let limit = outputs.saturating_mul(LOOKED_AT);
    let accepted = jobs_in_stage(tx, StageName::Accepted, None, limit)?;
    let waiting = accepted.into_iter().filter(|job| job.waits_for_money);
    for job in waiting.filter(|job| job.due.is_none_or(|due| due > now)).take(outputs) {
        tx.put_job(&Job { due: Some(now), ..job })?;
    }
    Ok(())
}
