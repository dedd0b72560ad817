//! CSV as it comes, byte by byte: RFC 4180 and nothing looser.
//!
//! The usual readers go on past what the standard forbids (a quote in the midst of a cell, a quoted
//! cell that never ends), and a file that was cut short would pass as a whole one. Here both are faults
//! that name their line. Memory is bounded by one row.

/// The longest row in bytes; the longest good one is shorter.
pub(super) const MAX_ROW: usize = 128 * 1024;
/// What cells may be separated by; the first of them in the header counts for the whole file.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// A row as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawRow {
    /// The line at which it begins, from 1.
    pub(super) line: u32,
    /// Its cells; what is beyond [`MAX_ROW`] is left out.
    pub(super) cells: Vec<Vec<u8>>,
    /// Whether something was left out.
    pub(super) is_cut: bool,
}

/// What is not CSV, with its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CsvFault {
    pub(super) line: u32,
    pub(super) message: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A cell begins.
    Begin,
    /// In a cell without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote that may end the cell or be the first of two.
    Quote,
}

/// Reads CSV piece by piece.
pub(super) struct CsvReader {
    state: State,
    separator: Option<u8>,
    line: u32,
    row: RawRow,
    cell: Vec<u8>,
    size: usize,
    was_return: bool,
}

impl CsvReader {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Begin,
            separator: None,
            line: 1,
            row: RawRow { line: 1, cells: Vec::new(), is_cut: false },
            cell: Vec::new(),
            size: 0,
            was_return: false,
        }
    }

    /// Reads a piece and adds the rows that it completes.
    pub(super) fn push(&mut self, bytes: &[u8], rows: &mut Vec<RawRow>) -> Result<(), CsvFault> {
        for &byte in bytes {
            let follows_return = std::mem::take(&mut self.was_return);
            if follows_return && byte == b'\n' {
                continue;
            }
            self.step(byte, rows)?;
        }
        Ok(())
    }

    /// Ends the file.
    pub(super) fn finish(mut self, rows: &mut Vec<RawRow>) -> Result<(), CsvFault> {
        if self.state == State::Quoted {
            let message = "a quoted cell begins in this row and never ends: the file was cut short";
            return Err(CsvFault { line: self.row.line, message });
        }
        self.end_row(rows);
        Ok(())
    }

    fn step(&mut self, byte: u8, rows: &mut Vec<RawRow>) -> Result<(), CsvFault> {
        let is_separator = match self.separator {
            Some(separator) => byte == separator,
            None => SEPARATORS.contains(&byte),
        };
        match (self.state, byte) {
            (State::Quoted, b'"') => self.state = State::Quote,
            (State::Quoted, _) => {
                self.line = self.line.saturating_add(u32::from(byte == b'\n'));
                self.keep(byte);
            }
            (State::Quote, b'"') => {
                self.keep(byte);
                self.state = State::Quoted;
            }
            (_, b'\r' | b'\n') => {
                self.was_return = byte == b'\r';
                self.line = self.line.saturating_add(1);
                self.end_row(rows);
            }
            _ if is_separator => {
                self.separator = Some(byte);
                self.end_cell();
            }
            (State::Quote, _) => return Err(self.fault("text follows the closing quote of a cell")),
            (State::Begin, b'"') => self.state = State::Quoted,
            (State::Plain, b'"') => {
                return Err(self.fault("a quote stands in a cell that is not quoted"));
            }
            (State::Begin | State::Plain, _) => {
                self.keep(byte);
                self.state = State::Plain;
            }
        }
        Ok(())
    }

    const fn fault(&self, message: &'static str) -> CsvFault {
        CsvFault { line: self.line, message }
    }

    fn keep(&mut self, byte: u8) {
        self.size += 1;
        if self.size > MAX_ROW {
            self.row.is_cut = true;
        } else {
            self.cell.push(byte);
        }
    }

    fn end_cell(&mut self) {
        // Empty cells cost memory too.
        self.size += 1;
        if self.size > MAX_ROW {
            self.row.is_cut = true;
            self.cell.clear();
        } else {
            self.row.cells.push(std::mem::take(&mut self.cell));
        }
        self.state = State::Begin;
    }

    fn end_row(&mut self, rows: &mut Vec<RawRow>) {
        let is_blank = self.state == State::Begin && self.row.cells.is_empty() && !self.row.is_cut;
        if !is_blank {
            self.end_cell();
        }
        self.state = State::Begin;
        self.size = 0;
        let next = RawRow { line: self.line, cells: Vec::new(), is_cut: false };
        let row = std::mem::replace(&mut self.row, next);
        if !is_blank {
            rows.push(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8], piece: usize) -> Result<Vec<RawRow>, CsvFault> {
        let (mut reader, mut rows) = (CsvReader::new(), Vec::new());
        for piece in text.chunks(piece.max(1)) {
            reader.push(piece, &mut rows)?;
        }
        reader.finish(&mut rows)?;
        Ok(rows)
    }

    fn texts(text: &str) -> Vec<(u32, Vec<String>)> {
        let rows = read(text.as_bytes(), 3).unwrap();
        let cells = |row: RawRow| row.cells.into_iter().map(|it| String::from_utf8(it).unwrap());
        rows.into_iter().map(|row| (row.line, cells(row).collect())).collect()
    }

    fn row(line: u32, cells: &[&str]) -> (u32, Vec<String>) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn rows_know_the_line_they_begin_at() {
        let read = texts("a,b\r\n\"1\r\n2\",\"say \"\"x\"\"\"\r\n\r\n3,\n4,5");
        let expected = [
            row(1, &["a", "b"]),
            row(2, &["1\r\n2", "say \"x\""]),
            row(5, &["3", ""]),
            row(6, &["4", "5"]),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn the_header_decides_what_separates() {
        assert_eq!(texts("a;b\n1,5;2\n"), [row(1, &["a", "b"]), row(2, &["1,5", "2"])]);
        assert_eq!(texts("a\tb\n1;2,3\tx"), [row(1, &["a", "b"]), row(2, &["1;2,3", "x"])]);
    }

    #[test]
    fn what_the_standard_forbids_is_a_fault() {
        for (text, line) in [("a,b\n1,2\"3\n", 2), ("a\n\"1\"x\n", 2), ("a\n1\n\"2\n3", 3)] {
            assert_eq!(read(text.as_bytes(), 4).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn a_row_beyond_the_limit_is_cut_and_the_next_one_is_whole() {
        let text = format!("a,b\n{},{}\n1,2\n", "x".repeat(1024 * 1024), ",".repeat(MAX_ROW));
        let rows = read(text.as_bytes(), 4096).unwrap();
        assert!(rows[1].is_cut && rows[1].cells.iter().map(Vec::len).sum::<usize>() <= MAX_ROW);
        assert_eq!((rows[2].is_cut, rows[2].line), (false, 3));
    }

    proptest! {
        /// Whatever the usual crate writes is read as it was, in whatever pieces it comes.
        #[test]
        fn what_another_writer_writes_is_read(
            cells in proptest::collection::vec(proptest::collection::vec(".{0,8}|[\",\r\n]{0,4}", 3), 1..6),
            piece in 1_usize..9,
        ) {
            let mut bytes = Vec::new();
            let mut writer = csv::Writer::from_writer(&mut bytes);
            writer.write_record(["x", "y", "z"]).unwrap();
            for row in &cells {
                writer.write_record(row).unwrap();
            }
            drop(writer);
            let rows = read(&bytes, piece).unwrap();
            let read: Vec<Vec<Vec<u8>>> = rows.into_iter().skip(1).map(|row| row.cells).collect();
            let written: Vec<Vec<Vec<u8>>> = cells.iter().map(|row| {
                row.iter().map(|cell| cell.clone().into_bytes()).collect()
            }).collect();
            prop_assert_eq!(read, written);
        }
    }
}
