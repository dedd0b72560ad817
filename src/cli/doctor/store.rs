//! The store: whether it opens, whether what it holds agrees, and how much money is in the pool.

use crate::cli::desk::Place;
use crate::cli::doctor::finding::Findings;
use crate::cli::store::ReadStore;
use crate::config::PoolConfig;
use crate::service::keys::pinned_funding_address;
use crate::service::readiness::{Condition, Judged, judge_pool};
use crate::service::settings::effective_in;
use crate::storage::backup::next_waits;
use crate::storage::utxos::pool_totals;
use crate::storage::{StoreError, check, count_all_rows};
use crate::types::SettingName;
use crate::wallet::utxo::UtxoStatus;

/// More rows than this take longer to check than somebody who waits likes.
const MOST_CHECKED: u64 = 200_000;

/// Opens the store for looking.
pub(super) fn open(place: &Place, findings: &mut Findings) -> Option<ReadStore> {
    if next_waits(&place.data_dir) {
        findings.warn(
            "restore",
            "a restored store waits to take the place of this one, which is looked at here",
            "start the server anew, which puts it in place",
        );
    }
    match ReadStore::open(&place.data_dir) {
        Ok(store) => Some(store),
        Err(error) => {
            findings.fail(
                "store",
                format!("{error:#}"),
                "start the server once if the data directory is new; otherwise restore a backup",
            );
            None
        }
    }
}

/// Looks at whether everything stored agrees.
pub(super) fn examine(store: &ReadStore, findings: &mut Findings) {
    const CHECK: &str = "store";
    let rows = match store.read(count_all_rows) {
        Ok(rows) => rows,
        Err(error) => return findings.fail(CHECK, error.to_string(), "restore a backup"),
    };
    if rows > MOST_CHECKED {
        return findings.ok(CHECK, format!("opens; its {rows} rows are for patchproof check"));
    }
    match store.read(check) {
        Ok(report) if report.is_clean() => {
            findings.ok(CHECK, format!("opens; all {rows} rows agree"));
        }
        Ok(report) => findings.fail(
            CHECK,
            format!("{} rows do not agree with the others", report.violation_count),
            "patchproof check lists them; restore a backup",
        ),
        Err(error) => findings.fail(CHECK, error.to_string(), "restore a backup"),
    }
}

/// Looks at what the pool can pay.
pub(super) fn examine_pool(store: &ReadStore, parts: Option<&PoolConfig>, findings: &mut Findings) {
    const CHECK: &str = "pool";
    let initial = parts.map(|parts| parts.settings.clone()).unwrap_or_default();
    let read = store.read(|tx| {
        let settings = effective_in(tx, &initial)?;
        Ok::<_, StoreError>((pool_totals(tx)?, settings, pinned_funding_address(tx)?))
    });
    let (totals, settings, address) = match read {
        Ok(read) => read,
        Err(error) => return findings.fail(CHECK, error.to_string(), "restore a backup"),
    };
    let least = settings.value(SettingName::MinUtxoCount);
    let Judged { condition, text, .. } = judge_pool(&totals, least);
    let address = address.unwrap_or_else(|| "the funding address".to_owned());
    let fund = format!("pay to {address}, then run patchproof utxo sync");
    let waits =
        totals.iter().any(|((_, status), it)| *status == UtxoStatus::Unconfirmed && it.count > 0);
    let remedy = match condition {
        Condition::Warn if waits => "wait for a block, or pay more in".to_owned(),
        Condition::Warn => format!("run patchproof utxo split; if that has too little, {fund}"),
        Condition::Ok | Condition::Fail => fund,
    };
    findings.judged(CHECK, condition, text, remedy);
}
