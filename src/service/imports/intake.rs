//! A file on its way in: read, checked and stored a few hundred rows at a time.

use std::collections::HashMap;
use std::time::Duration;

use crate::crypto::{random_bytes, sha256};
use crate::patch::record::Metadata;
use crate::service::imports::rows::{ReadRow, RowReader};
use crate::service::imports::{
    ImportError, ImportFormat, ImportService, ImportState, KEPT_FOR, MAX_ROWS, RowFault,
    RowOutcome, StoredImport, StoredImportRow, expect_room, set_off,
};
use crate::service::once::Keep;
use crate::service::registration::{Registration, RegistrationTexts};
use crate::storage::imports::import;
use crate::storage::patches::has_patch;
use crate::storage::{ImportFields, RowTexts, StoreError, Tables};
use crate::types::{ImportId, Network, Timestamp};

/// Rows stored in one transaction.
const CHUNK: usize = 500;
/// How long a file may be on its way before what came of it is forgotten.
const ARRIVES_WITHIN: Duration = Duration::from_secs(3600);
/// The most characters that are kept of what stands in the place of a tag.
const MAX_SHOWN: usize = 128;

/// That a file is to be registered as soon as it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Whether to register the others if some rows are not acceptable.
    pub skips_bad: bool,
}

/// A file on its way in. One that is dropped before its end is forgotten within the hour.
pub struct Intake {
    service: ImportService,
    import: StoredImport,
    reader: RowReader,
    /// The tags so far, by the beginning of their SHA-256, with their lines.
    seen: HashMap<[u8; 16], u32>,
    checked: Vec<StoredImportRow>,
}

impl ImportService {
    /// Begins to take a file in, under the name that its sender gives it.
    ///
    /// # Errors
    ///
    /// [`ImportError::Full`] if as many are kept as may be.
    pub async fn receive(
        &self,
        format: ImportFormat,
        name: Option<String>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Intake, ImportError> {
        let unix_ms = u64::try_from(now.as_millis()).unwrap_or(0);
        let import = StoredImport {
            id: ImportId::from_parts(unix_ms, &random_bytes()),
            name,
            bytes: 0,
            actor: actor.to_owned(),
            state: ImportState::Receiving,
            rows: 0,
            bad: 0,
            registered: 0,
            failed: 0,
            next: 0,
            created_at: now,
            started_at: None,
            ended_at: None,
            forgotten_at: now.plus(ARRIVES_WITHIN),
        };
        let stored = import.clone();
        let begun = self.store.write(move |tx| {
            expect_room(tx, 1, 0)?;
            tx.put_import(&stored)?;
            Ok::<_, ImportError>(())
        });
        begun.await?;
        let (reader, seen) = (RowReader::new(format), HashMap::new());
        Ok(Intake { service: self.clone(), import, reader, seen, checked: Vec::new() })
    }
}

impl Intake {
    /// Takes a piece of the file.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), ImportError> {
        self.import.bytes = self.import.bytes.saturating_add(bytes.len() as u64);
        let rows = self.reader.push(bytes)?;
        self.check(rows).await
    }

    /// Ends the file; every row is checked and stored then. With [`Start`] its import runs from the same
    /// transaction on, if its rows allow it: nobody finds it checked and not started.
    pub async fn finish(
        &mut self,
        start: Option<Start>,
        keep: Keep<StoredImport>,
        now: Timestamp,
    ) -> Result<StoredImport, ImportError> {
        let network = self.service.registration.keyring.network;
        let reader = std::mem::replace(&mut self.reader, RowReader::new(ImportFormat::Csv));
        let last = reader.finish()?;
        for row in last {
            self.note(row, network)?;
        }
        self.store().await?;
        let (id, actor) = (self.import.id, self.import.actor.clone());
        let finished = self.service.change(id, move |tx, old| {
            if old.state != ImportState::Receiving {
                return Err(ImportError::WrongState(old.state));
            }
            let (state, forgotten_at) = (ImportState::Checked, now.plus(KEPT_FOR));
            let checked = StoredImport { state, forgotten_at, ..old };
            let starts = start.is_some_and(|it| checked.bad == 0 || it.skips_bad);
            let new = if starts { set_off(tx, checked, &actor, now)? } else { checked };
            keep.put(tx, &new)?;
            Ok(new)
        });
        let finished = finished.await?;
        if finished.state == ImportState::Running {
            (self.service.wake)();
        }
        Ok(finished)
    }

    /// Forgets what came of a file that is refused.
    pub async fn discard(self) -> Result<(), StoreError> {
        let over = StoredImport {
            state: ImportState::Forgetting,
            forgotten_at: Timestamp::from_millis(0),
            ..self.import
        };
        self.service.store.write(move |tx| tx.put_import(&over)).await
    }

    async fn check(&mut self, rows: Vec<ReadRow>) -> Result<(), ImportError> {
        let network = self.service.registration.keyring.network;
        for row in rows {
            self.note(row, network)?;
            if self.checked.len() >= CHUNK {
                self.store().await?;
            }
        }
        Ok(())
    }

    fn note(&mut self, row: ReadRow, network: Network) -> Result<(), ImportError> {
        let so_far = self.import.rows as usize + self.checked.len();
        if so_far >= MAX_ROWS as usize {
            return Err(ImportError::TooManyRows);
        }
        let ReadRow { line, texts } = row;
        let (tag, outcome) = match texts {
            Err(message) => (String::new(), bad(RowFault::Malformed, message, None)),
            Ok(texts) => {
                let tag = texts[0].clone().unwrap_or_default();
                let outcome = self.judge(line, &tag, texts, network);
                (tag.chars().filter(|it| !it.is_control()).take(MAX_SHOWN).collect(), outcome)
            }
        };
        self.checked.push(StoredImportRow { line, tag, outcome });
        Ok(())
    }

    fn judge(&mut self, line: u32, tag: &str, texts: RowTexts, network: Network) -> RowOutcome {
        let registration = match Registration::read(texts_of(texts.clone()), network) {
            Ok(registration) => registration,
            Err(fields) => {
                let told = fields.into_iter().map(|it| {
                    let column = it.field.rsplit('.').next().unwrap_or(it.field);
                    format!("{column} {}", it.message)
                });
                return bad(RowFault::Invalid, told.collect::<Vec<_>>().join("; "), Some(texts));
            }
        };
        let mut key = [0; 16];
        key.copy_from_slice(&sha256(tag.as_bytes())[..16]);
        if let Some(first) = self.seen.get(&key) {
            return bad(RowFault::Duplicate, format!("has the tag of line {first}"), Some(texts));
        }
        self.seen.insert(key, line);
        RowOutcome::Good(Box::new(fields_of(registration)))
    }

    /// Stores the rows that were checked; one whose tag is registered is bad.
    async fn store(&mut self) -> Result<(), ImportError> {
        let rows = std::mem::take(&mut self.checked);
        let (id, bytes) = (self.import.id, self.import.bytes);
        let stored = self.service.store.write(move |tx| {
            let mut import = import(tx, id)?.ok_or(StoreError::Missing { entity: "import" })?;
            expect_room(tx, 0, bytes.saturating_sub(import.bytes))?;
            import.bytes = bytes;
            for row in &rows {
                let taken = taken_row(tx, row)?;
                let row = taken.as_ref().unwrap_or(row);
                import.bad += u32::from(matches!(row.outcome, RowOutcome::Bad { .. }));
                tx.put_import_row(id, import.rows, row)?;
                import.rows += 1;
            }
            tx.put_import(&import)?;
            Ok::<_, ImportError>(import)
        });
        self.import = stored.await?;
        Ok(())
    }
}

/// Returns a good row as a bad one if its tag is registered.
fn taken_row(
    tables: &impl Tables,
    row: &StoredImportRow,
) -> Result<Option<StoredImportRow>, StoreError> {
    let RowOutcome::Good(fields) = &row.outcome else { return Ok(None) };
    if !has_patch(tables, &row.tag)? {
        return Ok(None);
    }
    let message = "the tag is already registered".to_owned();
    let outcome = bad(RowFault::Taken, message, Some(fields.to_texts(&row.tag)));
    Ok(Some(StoredImportRow { outcome, ..row.clone() }))
}

/// Makes the outcome of a row that cannot be registered.
pub(super) fn bad(fault: RowFault, message: String, texts: Option<RowTexts>) -> RowOutcome {
    RowOutcome::Bad { fault, message, texts: texts.map(Box::new) }
}

fn texts_of(texts: RowTexts) -> RegistrationTexts {
    let [uid, name, category, sku, serial_number, material, notes, image, location, owner] = texts;
    RegistrationTexts {
        uid_tag_id: uid.unwrap_or_default(),
        name,
        category,
        sku,
        serial_number,
        material,
        metadata: Metadata { notes, image, patch_location: location },
        owner: owner.unwrap_or_default(),
    }
}

fn fields_of(registration: Registration) -> ImportFields {
    let Registration { product, metadata, owner } = registration;
    ImportFields {
        name: product.name,
        category: product.category,
        sku: product.sku,
        serial_number: product.serial_number,
        material: product.material,
        notes: metadata.notes,
        image: metadata.image,
        patch_location: metadata.patch_location,
        owner,
    }
}
