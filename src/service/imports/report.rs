//! What became of each row, and the rows that were not registered, as files.

use crate::service::imports::rows::{PROBLEM, WRITABLE};
use crate::service::imports::{
    ImportError, ImportService, ImportState, RowOutcome, StoredImportRow,
};
use crate::service::listing::{COLUMNS, neutral, write_csv};
use crate::storage::imports::import_rows;
use crate::types::ImportId;

const OUTCOME_COLUMNS: [&str; 5] = ["line", "uid_tag_id", "outcome", "code", "message"];
/// Rows in a piece.
const PIECE: usize = 500;

/// Which file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// What became of every row.
    Outcomes,
    /// The rows that were not registered as they came, with what is wrong with each: to be mended and
    /// sent again.
    Leftovers,
}

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
    pub fn report(
        &self,
        id: ImportId,
        report: Report,
        from: u32,
    ) -> Result<ReportPage, ImportError> {
        let is_cancelled = self.get(id)?.state == ImportState::Cancelled;
        let mut rows = self.store.read(|tx| import_rows(tx, id, from, PIECE + 1))?;
        let next = rows.get(PIECE).map(|(number, _)| *number);
        rows.truncate(PIECE);
        let mut bytes = Vec::new();
        if from == 0 {
            let header: Vec<&str> = match report {
                Report::Outcomes => OUTCOME_COLUMNS.to_vec(),
                Report::Leftovers => COLUMNS[..WRITABLE].iter().copied().chain([PROBLEM]).collect(),
            };
            write_csv(&mut bytes, header.into_iter().map(str::to_owned));
        }
        for (_, row) in rows {
            let cells = match report {
                Report::Outcomes => Some(outcome_cells(row)),
                Report::Leftovers => leftover_cells(row, is_cancelled),
            };
            if let Some(cells) = cells {
                write_csv(&mut bytes, cells.into_iter().map(neutral));
            }
        }
        Ok(ReportPage { bytes, next })
    }
}

fn outcome_cells(row: StoredImportRow) -> Vec<String> {
    let (outcome, code, message) = match row.outcome {
        RowOutcome::Good(_) => ("ok", "", String::new()),
        RowOutcome::Registered(record) => ("registered", "", record.to_string()),
        RowOutcome::Bad { fault, message, .. } => ("error", fault.as_str(), message),
    };
    vec![row.line.to_string(), row.tag, outcome.to_owned(), code.to_owned(), message]
}

/// Returns the cells of a row that was not registered and will not be.
fn leftover_cells(row: StoredImportRow, is_cancelled: bool) -> Option<Vec<String>> {
    let problem = match &row.outcome {
        RowOutcome::Good(_) if is_cancelled => String::new(),
        RowOutcome::Registered(_) | RowOutcome::Good(_) => return None,
        RowOutcome::Bad { message, .. } => format!("line {}: {message}", row.line),
    };
    let texts = row.texts().unwrap_or_default();
    Some(texts.into_iter().map(Option::unwrap_or_default).chain([problem]).collect())
}
