//! Headers, the best chain among them, and the Merkle paths that hang on it.

use redb::ReadableTable;

use crate::bitcoin::MerklePath;
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::{
    StoreError, StoredHeader, StoredTransaction, Tables, TransactionOrigin, TransactionState,
    headers, transactions,
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
    Ok(())
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
