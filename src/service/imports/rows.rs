//! Rows of a file as texts, whatever the file is written as.
//!
//! What concerns one row is told for that row and the next is read; what makes the rest of the file
//! unreadable (a header with unknown columns, broken quotes) refuses the file and names the line.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::service::imports::csv::{CsvFault, CsvReader, MAX_ROW, RawRow};
use crate::service::listing::{COLUMNS, as_written};
use crate::storage::RowTexts;

/// How many of [`COLUMNS`] say what a product is, in the order of [`RowTexts`]; the others are what an
/// export says beside.
pub(super) const WRITABLE: usize = 10;
/// What a file of rows that were not registered says of each; an import takes no notice of it.
pub(super) const PROBLEM: &str = "problem";
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// RFC 4180, with a header; commas, semicolons or tabs, whichever the header has.
    Csv,
    /// One flat JSON object a line.
    JsonLines,
}

/// A file that cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct FileFault {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong there.
    pub message: String,
}

/// A row: its texts, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadRow {
    pub(super) line: u32,
    pub(super) texts: Result<RowTexts, String>,
}

/// Reads rows piece by piece.
pub(super) struct RowReader {
    /// How much of a byte order mark there was; all of it once anything else came.
    marks: usize,
    kind: Kind,
}

enum Kind {
    Csv { reader: CsvReader, columns: Option<Vec<usize>> },
    JsonLines(JsonReader),
}

#[derive(Default)]
struct JsonReader {
    lines: u32,
    line: Vec<u8>,
    is_cut: bool,
    /// Rows so far, and how many the last line says there are.
    rows: u64,
    end: Option<u64>,
}

impl RowReader {
    pub(super) fn new(format: ImportFormat) -> Self {
        let kind = match format {
            ImportFormat::Csv => Kind::Csv { reader: CsvReader::new(), columns: None },
            ImportFormat::JsonLines => Kind::JsonLines(JsonReader::default()),
        };
        Self { marks: 0, kind }
    }

    /// Reads a piece and returns the rows that it completes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<ReadRow>, FileFault> {
        while self.marks < BYTE_ORDER_MARK.len() {
            let Some((first, rest)) = bytes.split_first() else { return Ok(Vec::new()) };
            if *first != BYTE_ORDER_MARK[self.marks] {
                let held = &BYTE_ORDER_MARK[..std::mem::replace(&mut self.marks, 3)];
                let mut rows = self.read(held)?;
                rows.extend(self.read(bytes)?);
                return Ok(rows);
            }
            self.marks += 1;
            bytes = rest;
        }
        self.read(bytes)
    }

    /// Ends the file and returns its last row, if that had no line end.
    pub(super) fn finish(self) -> Result<Vec<ReadRow>, FileFault> {
        match self.kind {
            Kind::Csv { reader, mut columns } => {
                let mut raw = Vec::new();
                reader.finish(&mut raw)?;
                let rows = csv_rows(raw, &mut columns)?;
                let no_header = FileFault { line: 1, message: "the header is missing".to_owned() };
                columns.map(|_| rows).ok_or(no_header)
            }
            Kind::JsonLines(mut reader) => {
                let last = reader.end_line()?;
                match reader.end {
                    Some(rows) if rows != reader.rows => Err(FileFault {
                        line: reader.lines,
                        message: format!("says {rows} rows where there are {}", reader.rows),
                    }),
                    Some(_) | None => Ok(last.into_iter().collect()),
                }
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Vec<ReadRow>, FileFault> {
        match &mut self.kind {
            Kind::Csv { reader, columns } => {
                let mut raw = Vec::new();
                reader.push(bytes, &mut raw)?;
                csv_rows(raw, columns)
            }
            Kind::JsonLines(reader) => reader.push(bytes),
        }
    }
}

impl From<CsvFault> for FileFault {
    fn from(fault: CsvFault) -> Self {
        Self { line: fault.line, message: fault.message.to_owned() }
    }
}

/// Takes the header for the columns, and what follows for rows under them.
fn csv_rows(raw: Vec<RawRow>, columns: &mut Option<Vec<usize>>) -> Result<Vec<ReadRow>, FileFault> {
    let mut rows = Vec::new();
    for row in raw {
        match columns {
            None => *columns = Some(header(&row)?),
            Some(columns) => rows.push(ReadRow { line: row.line, texts: cells(row, columns) }),
        }
    }
    Ok(rows)
}

fn header(row: &RawRow) -> Result<Vec<usize>, FileFault> {
    let refuse = |message: String| FileFault { line: row.line, message };
    let mut columns = Vec::new();
    for cell in &row.cells {
        let name = String::from_utf8_lossy(cell);
        let column = column_of(name.trim());
        let column = column.ok_or_else(|| refuse(unknown("column", &name)))?;
        if columns.contains(&column) {
            return Err(refuse(format!("the column {} occurs twice", name.trim())));
        }
        columns.push(column);
    }
    for needed in [0, WRITABLE - 1] {
        if !columns.contains(&needed) {
            return Err(refuse(format!("the column {} is missing", COLUMNS[needed])));
        }
    }
    Ok(columns)
}

/// Returns the place of a column; [`PROBLEM`] comes after all others.
fn column_of(name: &str) -> Option<usize> {
    COLUMNS.iter().chain([&PROBLEM]).position(|column| *column == name)
}

/// Names what is not known, as much of it as is fit to be repeated.
fn unknown(what: &str, name: &str) -> String {
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(40).collect();
    format!("the {what} \"{name}\" is not known; known are {}", COLUMNS.join(", "))
}

fn cells(row: RawRow, columns: &[usize]) -> Result<RowTexts, String> {
    if row.is_cut {
        return Err(format!("is longer than {MAX_ROW} bytes"));
    }
    if row.cells.len() != columns.len() {
        return Err(format!("has {} cells, the header has {}", row.cells.len(), columns.len()));
    }
    let mut texts = RowTexts::default();
    for (cell, &column) in row.cells.into_iter().zip(columns) {
        let text = String::from_utf8(cell).map_err(|_| "is not UTF-8".to_owned())?;
        if let Some(place) = texts.get_mut(column) {
            *place = (!text.is_empty()).then(|| as_written(text));
        }
    }
    Ok(texts)
}

impl JsonReader {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<ReadRow>, FileFault> {
        let mut rows = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = MAX_ROW.saturating_sub(self.line.len());
            self.is_cut |= text.len() > room;
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                rows.extend(self.end_line()?);
            }
        }
        Ok(rows)
    }

    fn end_line(&mut self) -> Result<Option<ReadRow>, FileFault> {
        let bytes = std::mem::take(&mut self.line);
        let is_cut = std::mem::take(&mut self.is_cut);
        self.lines = self.lines.saturating_add(1);
        let line = self.lines;
        if bytes.trim_ascii().is_empty() && !is_cut {
            return Ok(None);
        }
        if self.end.is_some() {
            let message = "follows the line that says the file is complete".to_owned();
            return Err(FileFault { line, message });
        }
        let texts = if is_cut {
            Err(format!("is longer than {MAX_ROW} bytes"))
        } else {
            match json_texts(&bytes) {
                Ok(JsonLine::Row(texts)) => Ok(*texts),
                Ok(JsonLine::End(rows)) => {
                    self.end = Some(rows);
                    return Ok(None);
                }
                Err(message) => Err(message),
            }
        };
        self.rows += 1;
        Ok(Some(ReadRow { line, texts }))
    }
}

enum JsonLine {
    Row(Box<RowTexts>),
    End(u64),
}

fn json_texts(bytes: &[u8]) -> Result<JsonLine, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let line = reader.deserialize_map(LineVisitor).and_then(|line| reader.end().map(|()| line));
    line.map_err(|error| {
        if error.is_data() {
            let told = error.to_string();
            told.split(" at line ").next().unwrap_or_default().to_owned()
        } else {
            format!("is not JSON from column {}", error.column())
        }
    })
}

/// Reads a flat object of texts; every name is known and stands once.
struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = JsonLine;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonLine, A::Error> {
        let (mut texts, mut seen) = (RowTexts::default(), [false; COLUMNS.len()]);
        let (mut is_complete, mut rows) = (false, None);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "complete" => is_complete = members.next_value::<bool>()?,
                "rows" => rows = Some(members.next_value::<u64>()?),
                _ => {
                    let column = COLUMNS.iter().position(|column| *column == name);
                    let column =
                        column.ok_or_else(|| de::Error::custom(unknown("field", &name)))?;
                    if std::mem::replace(&mut seen[column], true) {
                        return Err(de::Error::custom(format!("has {name} twice")));
                    }
                    let text = members.next_value::<Text>().map_err(|_| {
                        de::Error::custom(format!("{name} must be a text, or be left out"))
                    })?;
                    if let Some(place) = texts.get_mut(column) {
                        *place = Some(text.0);
                    }
                }
            }
        }
        match (is_complete, rows, seen.contains(&true)) {
            (true, Some(rows), false) => Ok(JsonLine::End(rows)),
            (false, None, _) => Ok(JsonLine::Row(Box::new(texts))),
            _ => Err(de::Error::custom("mixes a product with the end of the file")),
        }
    }
}

/// A text and nothing else, so that an error repeats nothing of another value.
#[derive(serde::Deserialize)]
struct Text(String);
