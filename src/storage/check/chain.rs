//! Headers, the best chain among them, and the Merkle paths that hang on it or once did.

use redb::ReadableTable;

use crate::bitcoin::MerklePath;
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::{
    StaleProof, StoreError, StoredHeader, StoredTransaction, Tables, TransactionOrigin,
    TransactionState, headers, transactions,
};
use crate::types::{BlockHash, Txid};

/// Checks every header and that the best chain is one.
pub(super) fn check_chain(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.headers(), "header", report, |key, stored: StoredHeader, report| {
        let hash = BlockHash::from_bytes(key);
        report.expect(
            stored.header.hash() == hash,
            "row",
            Row("header", hash),
            "under another key",
        );
        Ok(())
    })?;
    let mut below: Option<StoredHeader> = None;
    for row in tables.best_chain().iter()? {
        let (height, hash) = row?;
        let (height, hash) = (height.value(), BlockHash::from_bytes(hash.value()));
        let subject = format!("height {height}");
        let Some(stored) = readable(headers::header(tables, hash))? else {
            report.add("chain", subject, "its header is missing");
            below = None;
            continue;
        };
        report.expect(stored.height == height, "chain", &subject, "its header says another height");
        if let Some(below) = below {
            let holds = below.height.checked_add(1) == Some(height)
                && stored.header.previous == below.header.hash()
                && stored.chain_work > below.chain_work;
            report.expect(holds, "chain", &subject, "does not build on the header below");
        }
        below = Some(stored);
    }
    check_stale_blocks(tables, report)
}

/// Checks that blocks said to have left the best chain are known and not on it.
fn check_stale_blocks(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    for row in tables.stale_blocks().iter()? {
        let (hash, depth) = row?;
        let hash = BlockHash::from_bytes(hash.value());
        let Some(stored) = readable(headers::header(tables, hash))? else {
            report.add("chain", Row("stale block", hash), "its header is missing");
            continue;
        };
        let is_best = headers::best_hash_at(tables, stored.height)? == Some(hash);
        let holds = !is_best && depth.value() > 0;
        report.expect(holds, "chain", Row("stale block", hash), "did not leave the best chain");
    }
    Ok(())
}

/// Checks that every path of the history proved its transaction in its block.
pub(super) fn check_stale_proofs(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(
        tables.stale_proofs(),
        "stale Merkle path",
        report,
        |(txid, block), stale: StaleProof, report| {
            let (txid, block) = (Txid::from_bytes(txid), BlockHash::from_bytes(block));
            let subject = Row("stale Merkle path", (txid, block));
            let Ok(path) = stale.parse() else {
                report.add("row", subject, "cannot be read");
                return Ok(());
            };
            let is_known = readable(transactions::transaction(tables, txid))?.is_some();
            let header = readable(headers::header(tables, block))?;
            let holds = is_known
                && path.contains(&txid)
                && header.is_some_and(|it| {
                    it.height == path.block_height() && it.header.merkle_root == path.root()
                });
            report.expect(holds, "chain", subject, "never proved its transaction");
            Ok(())
        },
    )
}

/// Checks every Merkle path against its transaction and block, and that ours have one when mined.
pub(super) fn check_proofs(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for row in tables.proofs().iter()? {
        let (key, bytes) = row?;
        let txid = Txid::from_bytes(key.value());
        let Ok(path) = MerklePath::parse(bytes.value()) else {
            report.add("row", Row("Merkle path", txid), "cannot be read");
            continue;
        };
        let stored = readable(transactions::transaction(tables, txid))?;
        let Some(TransactionState::Mined { block, height }) = stored.map(|it| it.state) else {
            report.add("chain", txid, "is proved and yet in no block");
            continue;
        };
        let header = readable(headers::header(tables, block))?;
        let holds = path.contains(&txid)
            && path.block_height() == height
            && header.is_none_or(|it| it.height == height && it.header.merkle_root == path.root());
        report.expect(holds, "chain", txid, "its proof does not prove it");
    }
    // Rows that cannot be read are reported where all transactions are checked.
    let mut ignored = CheckReport::default();
    each_row(tables.transactions(), "transaction", &mut ignored, |key, it: StoredTransaction, _| {
        let is_ours = it.origin != TransactionOrigin::External;
        let is_mined = matches!(it.state, TransactionState::Mined { .. });
        let holds = !(is_ours && is_mined) || tables.proofs().get(key)?.is_some();
        report.expect(holds, "chain", it.txid, "is in a block, which is not proved");
        Ok(())
    })
}
