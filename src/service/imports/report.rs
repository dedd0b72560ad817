//! What became of each row, as a file.

use crate::service::imports::{ImportError, ImportService, RowOutcome, StoredImportRow};
use crate::service::listing::{neutral, write_csv};
use crate::storage::imports::import_rows;
use crate::types::ImportId;

const COLUMNS: [&str; 5] = ["line", "uid_tag_id", "outcome", "code", "message"];
/// Rows in a piece.
const PIECE: usize = 500;

/// A piece of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPage {
    /// Its CSV, with the header in the first piece.
    pub bytes: Vec<u8>,
    /// The row to go on with.
    pub next: Option<u32>,
}

impl ImportService {
    /// Returns the piece of a report that begins at row `from`.
    pub fn report(&self, id: ImportId, from: u32) -> Result<ReportPage, ImportError> {
        self.get(id)?;
        let mut rows = self.store.read(|tx| import_rows(tx, id, from, PIECE + 1))?;
        let next = rows.get(PIECE).map(|(number, _)| *number);
        rows.truncate(PIECE);
        let mut bytes = Vec::new();
        if from == 0 {
            write_csv(&mut bytes, COLUMNS.iter().map(|name| (*name).to_owned()));
        }
        for (_, row) in rows {
            write_csv(&mut bytes, cells(row).into_iter().map(neutral));
        }
        Ok(ReportPage { bytes, next })
    }
}

fn cells(row: StoredImportRow) -> [String; 5] {
    let (outcome, code, message) = match row.outcome {
        RowOutcome::Good(_) => ("ok", "", String::new()),
        RowOutcome::Registered(record) => ("registered", "", record.to_string()),
        RowOutcome::Bad { fault, message } => ("error", fault.as_str(), message),
    };
    [row.line.to_string(), row.tag, outcome.to_owned(), code.to_owned(), message]
}
