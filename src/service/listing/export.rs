//! A list as a file, piece by piece: CSV for spreadsheets, JSON lines for programs.
//!
//! Each piece is read in a view of the store of its own, so an export of any length holds neither
//! memory nor an old version of the store. What is registered meanwhile may or may not be in it; what
//! was there is in it once. JSON lines end with a line that says so; CSV has no place for one, there
//! the transfer itself ends properly or not.

use crate::service::listing::{ListedPatch, MAX_PAGE, PatchQuery, list_page};
use crate::storage::{StoreError, Tables};

/// The columns of an export, in CSV as header, in JSON lines as names. An import knows all of them and
/// takes no notice of the last four.
pub const COLUMNS: [&str; 14] = [
    "uid_tag_id",
    "name",
    "category",
    "sku",
    "serial_number",
    "material",
    "notes",
    "image",
    "patch_location",
    "owner",
    "status",
    "current_txid",
    "created_at",
    "updated_at",
];

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// RFC 4180 in UTF-8, for spreadsheets: a cell that one would take for a formula is preceded by an
    /// apostrophe.
    Csv,
    /// One JSON object a line, as it is; the last line is `{"complete":true,"rows":N}`.
    JsonLines,
}

/// How far an export has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportPlace {
    after: Option<Vec<u8>>,
    /// Products written so far.
    pub rows: u64,
    /// Rows of the store looked at so far.
    pub scanned: u64,
}

/// A piece of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPage {
    /// The bytes; may be none where nothing fitted the filter.
    pub bytes: Vec<u8>,
    /// How far it has come.
    pub place: ExportPlace,
    /// Whether this was the last piece.
    pub is_last: bool,
    /// How many products there are, whatever the filter.
    pub total: u64,
}

impl ExportFormat {
    /// Returns the word for it, which is also the end of a file's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    /// Returns the media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/x-ndjson; charset=utf-8",
        }
    }
}

/// Returns the piece of an export that follows a place; begin with the default one.
pub fn export_page(
    tables: &impl Tables,
    confirmed_at_depth: u32,
    query: &PatchQuery,
    format: ExportFormat,
    place: &ExportPlace,
) -> Result<ExportPage, StoreError> {
    let page = list_page(tables, confirmed_at_depth, query, place.after.as_deref(), MAX_PAGE)?;
    let mut bytes = Vec::new();
    if format == ExportFormat::Csv && *place == ExportPlace::default() {
        write_csv(&mut bytes, COLUMNS.iter().map(|name| (*name).to_owned()));
    }
    let rows = place.rows + page.items.len() as u64;
    for item in &page.items {
        let cells = cells_of(item);
        match format {
            ExportFormat::Csv => {
                write_csv(
                    &mut bytes,
                    cells.into_iter().map(|cell| neutral(cell.unwrap_or_default())),
                );
            }
            ExportFormat::JsonLines => write_json(&mut bytes, cells),
        }
    }
    let is_last = page.next.is_none();
    if is_last && format == ExportFormat::JsonLines {
        bytes.extend_from_slice(format!("{{\"complete\":true,\"rows\":{rows}}}\n").as_bytes());
    }
    let scanned = place.scanned + page.scanned as u64;
    let place = ExportPlace { after: page.next, rows, scanned };
    Ok(ExportPage { bytes, place, is_last, total: page.total })
}

/// Returns the cells of a product in the order of [`COLUMNS`].
fn cells_of(item: &ListedPatch) -> [Option<String>; 14] {
    let facts = item.facts.as_ref();
    let product = facts.map(|facts| &facts.product);
    let metadata = facts.map(|facts| &facts.metadata);
    let patch = &item.patch;
    [
        Some(patch.uid.as_str().to_owned()),
        product.and_then(|it| it.name.clone()),
        product.and_then(|it| it.category.clone()),
        product.and_then(|it| it.sku.clone()),
        product.and_then(|it| it.serial_number.clone()),
        product.and_then(|it| it.material.clone()),
        metadata.and_then(|it| it.notes.clone()),
        metadata.and_then(|it| it.image.clone()),
        metadata.and_then(|it| it.patch_location.clone()),
        (!item.is_owner_erased).then(|| patch.owner.to_string()),
        Some(item.status.as_str().to_owned()),
        patch.current_txid.map(|txid| txid.to_string()),
        Some(patch.created_at.to_string()),
        Some(patch.updated_at.to_string()),
    ]
}

/// Writes a line of CSV (RFC 4180).
pub(in crate::service) fn write_csv(bytes: &mut Vec<u8>, cells: impl Iterator<Item = String>) {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(bytes);
    writer.write_record(cells.map(String::into_bytes)).expect("memory takes every line");
    writer.flush().expect("memory takes every line");
}

/// Puts an apostrophe before what a spreadsheet would calculate (OWASP, "CSV Injection"), wide forms
/// of the signs included; and before what looks as if that had been done, so that [`as_written`] finds
/// every text again.
pub(in crate::service) fn neutral(cell: String) -> String {
    if is_formula(cell.trim_start_matches('\'')) { format!("'{cell}") } else { cell }
}

/// Takes the apostrophe away that [`neutral`] put before a text.
pub(in crate::service) fn as_written(cell: String) -> String {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest.to_owned(),
        Some(_) | None => cell,
    }
}

fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

fn write_json(bytes: &mut Vec<u8>, cells: [Option<String>; 14]) {
    bytes.push(b'{');
    let mut separator = "";
    for (name, cell) in COLUMNS.iter().zip(cells) {
        let Some(cell) = cell else { continue };
        let value = serde_json::Value::String(cell);
        bytes.extend_from_slice(format!("{separator}\"{name}\":{value}").as_bytes());
        separator = ",";
    }
    bytes.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_calculate_is_text() {
        for cell in ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "＠x", "'=1", "''=1"] {
            assert_eq!(neutral(cell.to_owned()), format!("'{cell}"));
            assert_eq!(as_written(neutral(cell.to_owned())), cell);
        }
        for cell in ["", "a=1", "'a=1", "'", "1-2", "ü"] {
            assert_eq!(neutral(cell.to_owned()), cell);
            assert_eq!(as_written(cell.to_owned()), cell);
        }
        // What nobody made harmless is taken as it stands.
        assert_eq!(as_written("=1+1".to_owned()), "=1+1");
    }

    #[test]
    fn csv_is_quoted_as_the_standard_says() {
        let mut bytes = Vec::new();
        let cells = ["plain", "with, comma", "with \"quote\"", "two\nlines", ""];
        write_csv(&mut bytes, cells.map(str::to_owned).into_iter());
        let expected = "plain,\"with, comma\",\"with \"\"quote\"\"\",\"two\nlines\",\r\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
