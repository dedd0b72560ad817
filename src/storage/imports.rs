//! Files of products to register, row by row: what was read, what is wrong with it, what became of it.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::bitcoin::Address;
use crate::storage::codec::{decode_second, encode_second};
use crate::storage::{StoreChange, StoreError, Tables, WriteTx};
use crate::types::{ImportId, Network, RecordId, Timestamp};

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportState {
    /// Its file is coming in.
    Receiving,
    /// Every row was looked at; nothing is registered yet.
    Checked,
    /// Its rows are being registered.
    Running,
    /// Every good row was tried.
    Done,
    /// Stopped by somebody; what was registered stays so.
    Cancelled,
    /// Its rows are being removed.
    Forgetting,
}

/// A file of products to register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImport {
    /// Its identifier.
    pub id: ImportId,
    /// What its sender calls the file.
    pub name: Option<String>,
    /// Bytes of the file; 0 where that was not noted yet.
    pub bytes: u64,
    /// Who sent the file, or, since then, who had it registered.
    pub actor: String,
    /// Where it stands.
    pub state: ImportState,
    /// Rows in it.
    pub rows: u32,
    /// Rows that are not acceptable, found before anything was registered.
    pub bad: u32,
    /// Rows that were registered.
    pub registered: u32,
    /// Good rows that could not be registered when it was their turn.
    pub failed: u32,
    /// The first row that was not tried yet; those before it are decided.
    pub next: u32,
    /// When the file came.
    pub created_at: Timestamp,
    /// When registering began.
    pub started_at: Option<Timestamp>,
    /// When it was done or cancelled.
    pub ended_at: Option<Timestamp>,
    /// When it is forgotten.
    pub forgotten_at: Timestamp,
}

/// What a row says of a product beside its tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportFields {
    /// The product's name.
    pub name: Option<String>,
    /// Its kind.
    pub category: Option<String>,
    /// The stock-keeping unit.
    pub sku: Option<String>,
    /// The serial number.
    pub serial_number: Option<String>,
    /// The material.
    pub material: Option<String>,
    /// Free text.
    pub notes: Option<String>,
    /// The https address of an image.
    pub image: Option<String>,
    /// Where the patch sits.
    pub patch_location: Option<String>,
    /// The first owner.
    pub owner: Address,
}

/// Why a row cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowFault {
    /// It cannot be read.
    Malformed,
    /// A field is not acceptable.
    Invalid,
    /// An earlier row of the file has the same tag.
    Duplicate,
    /// A product with the tag is registered.
    Taken,
    /// The owner that it named had himself erased.
    Erased,
}

/// The texts of a row as they came: tag, name, category, article number, serial number, material,
/// notes, image, place of the patch, owner.
pub type RowTexts = [Option<String>; 10];

/// What is known of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowOutcome {
    /// It is good and waits.
    Good(Box<ImportFields>),
    /// It was registered; what it said is in the record.
    Registered(RecordId),
    /// It cannot be registered.
    Bad {
        /// Why, for programs.
        fault: RowFault,
        /// Why, in words.
        message: String,
        /// What it said, so that it can be mended; nothing of what cannot be read.
        texts: Option<Box<RowTexts>>,
    },
}

/// A row of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImportRow {
    /// The line at which it begins, from 1.
    pub line: u32,
    /// The tag, or the beginning of what stands in its place.
    pub tag: String,
    /// What is known of it.
    pub outcome: RowOutcome,
}

impl RowFault {
    /// Returns the stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED_ROW",
            Self::Invalid => "VALIDATION_FAILED",
            Self::Duplicate => "DUPLICATE_IN_FILE",
            Self::Taken => "UID_TAKEN",
            Self::Erased => "ERASED",
        }
    }
}

impl ImportState {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Checked => "checked",
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Forgetting => "forgetting",
        }
    }
}

impl ImportFields {
    /// Returns the texts that a row with this tag would have.
    pub fn to_texts(&self, tag: &str) -> RowTexts {
        let fields = self.clone();
        [
            Some(tag.to_owned()),
            fields.name,
            fields.category,
            fields.sku,
            fields.serial_number,
            fields.material,
            fields.notes,
            fields.image,
            fields.patch_location,
            Some(fields.owner.to_string()),
        ]
    }
}

impl StoredImportRow {
    /// Returns what the row said, if it was not registered and is known.
    pub fn texts(&self) -> Option<RowTexts> {
        match &self.outcome {
            RowOutcome::Good(fields) => Some(fields.to_texts(&self.tag)),
            RowOutcome::Registered(_) => None,
            RowOutcome::Bad { texts, .. } => texts.as_deref().cloned(),
        }
    }
}

impl RowOutcome {
    /// Says whether the row gives a product to an owner; what was registered does so in its record.
    pub fn names(&self, owner: &Address) -> bool {
        match self {
            Self::Good(fields) => fields.owner.hash160() == owner.hash160(),
            Self::Registered(_) => false,
            Self::Bad { texts, .. } => {
                let text = texts.as_ref().and_then(|texts| texts[9].as_deref());
                [Network::Main, Network::Test].into_iter().any(|network| {
                    let read = text.map(|text| Address::parse(text.trim(), network));
                    read.is_some_and(|it| it.is_ok_and(|it| it.hash160() == owner.hash160()))
                })
            }
        }
    }
}

impl WriteTx<'_> {
    /// Stores an import in place of what was stored of it.
    pub fn put_import(&mut self, import: &StoredImport) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.imports.insert(import.id.to_bytes(), encode_second(import).as_slice())?;
        self.changes.push(StoreChange::Import(import.id));
        Ok(())
    }

    /// Stores a row in place of what was stored of it.
    pub fn put_import_row(
        &mut self,
        id: ImportId,
        number: u32,
        row: &StoredImportRow,
    ) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.import_rows.insert((id.to_bytes(), number), encode_second(row).as_slice())?;
        Ok(())
    }

    /// Forgets imports whose time to be forgotten came before `now`, at most `limit` rows, and returns
    /// how many rows went, an import counting as one.
    pub fn forget_imports(&mut self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut gone = 0;
        let is_over = |it: &StoredImport| it.forgotten_at < now && it.state != ImportState::Running;
        for import in imports(self, None, usize::MAX)?.into_iter().filter(is_over) {
            if gone >= limit {
                break;
            }
            let id = import.id.to_bytes();
            let rows = self
                .tables
                .import_rows
                .range((id, 0)..=(id, u32::MAX))?
                .take(limit - gone)
                .map(|row| row.map(|(key, _)| key.value().1))
                .collect::<Result<Vec<u32>, _>>()?;
            self.is_dirty = true;
            for number in &rows {
                self.tables.import_rows.remove((id, *number))?;
            }
            gone += rows.len();
            if gone < limit {
                self.tables.imports.remove(id)?;
                gone += 1;
            } else {
                self.put_import(&StoredImport { state: ImportState::Forgetting, ..import })?;
            }
        }
        Ok(gone)
    }
}

/// Returns an import.
pub fn import(tables: &impl Tables, id: ImportId) -> Result<Option<StoredImport>, StoreError> {
    tables.imports().get(id.to_bytes())?.map(|row| decode_import(row.value())).transpose()
}

/// Reads an import's row.
pub(super) fn decode_import(bytes: &[u8]) -> Result<StoredImport, StoreError> {
    decode_second::<FirstImport, StoredImport>(bytes, "import")
}

/// Reads a row of an import.
pub(super) fn decode_import_row(bytes: &[u8]) -> Result<StoredImportRow, StoreError> {
    decode_second::<FirstImportRow, StoredImportRow>(bytes, "import row")
}

/// Returns imports that came before `before`, newest first, at most `limit`.
pub fn imports(
    tables: &impl Tables,
    before: Option<ImportId>,
    limit: usize,
) -> Result<Vec<StoredImport>, StoreError> {
    let rows = match before {
        Some(id) => tables.imports().range(..id.to_bytes())?,
        None => tables.imports().range::<[u8; 16]>(..)?,
    };
    rows.rev().take(limit).map(|row| decode_import(row?.1.value())).collect()
}

/// Returns a row of an import.
pub fn import_row(
    tables: &impl Tables,
    id: ImportId,
    number: u32,
) -> Result<Option<StoredImportRow>, StoreError> {
    let row = tables.import_rows().get((id.to_bytes(), number))?;
    row.map(|row| decode_import_row(row.value())).transpose()
}

/// Returns rows of an import from number `from`, at most `limit`, each with its number.
pub fn import_rows(
    tables: &impl Tables,
    id: ImportId,
    from: u32,
    limit: usize,
) -> Result<Vec<(u32, StoredImportRow)>, StoreError> {
    let id = id.to_bytes();
    let rows = tables.import_rows().range((id, from)..=(id, u32::MAX))?;
    rows.take(limit)
        .map(|row| {
            let (key, bytes) = row?;
            Ok((key.value().1, decode_import_row(bytes.value())?))
        })
        .collect()
}

/// Returns the rows, of whatever import, that still [name](RowOutcome::names) an owner. Looks at every
/// row there is.
pub fn import_rows_naming(
    tables: &impl Tables,
    owner: &Address,
) -> Result<Vec<(ImportId, u32)>, StoreError> {
    let mut found = Vec::new();
    for row in tables.import_rows().iter()? {
        let (key, bytes) = row?;
        if decode_import_row(bytes.value())?.outcome.names(owner) {
            let (id, number) = key.value();
            found.push((ImportId::from_bytes(id), number));
        }
    }
    Ok(found)
}

/// An import as it was stored before files had names and sizes.
#[derive(Deserialize)]
struct FirstImport {
    id: ImportId,
    actor: String,
    state: ImportState,
    rows: u32,
    bad: u32,
    registered: u32,
    failed: u32,
    next: u32,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    forgotten_at: Timestamp,
}

impl From<FirstImport> for StoredImport {
    fn from(first: FirstImport) -> Self {
        Self {
            id: first.id,
            name: None,
            bytes: 0,
            actor: first.actor,
            state: first.state,
            rows: first.rows,
            bad: first.bad,
            registered: first.registered,
            failed: first.failed,
            next: first.next,
            created_at: first.created_at,
            started_at: first.started_at,
            ended_at: first.ended_at,
            forgotten_at: first.forgotten_at,
        }
    }
}

/// A row as it was stored before bad ones kept what they said.
#[derive(Deserialize)]
struct FirstImportRow {
    line: u32,
    tag: String,
    outcome: FirstRowOutcome,
}

#[derive(Deserialize)]
enum FirstRowOutcome {
    Good(Box<ImportFields>),
    Registered(RecordId),
    Bad { fault: RowFault, message: String },
}

impl From<FirstImportRow> for StoredImportRow {
    fn from(first: FirstImportRow) -> Self {
        let outcome = match first.outcome {
            FirstRowOutcome::Good(fields) => RowOutcome::Good(fields),
            FirstRowOutcome::Registered(record) => RowOutcome::Registered(record),
            FirstRowOutcome::Bad { fault, message } => {
                RowOutcome::Bad { fault, message, texts: None }
            }
        };
        Self { line: first.line, tag: first.tag, outcome }
    }
}
