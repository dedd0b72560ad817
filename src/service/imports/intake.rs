//! A file on its way in: read, checked and stored a few hundred rows at a time.

use std::collections::HashMap;
use std::time::Duration;

use crate::crypto::{random_bytes, sha256};
use crate::patch::record::Metadata;
use crate::service::imports::rows::{ReadRow, RowReader, Texts};
use crate::service::imports::{
    ImportError, ImportFormat, ImportService, ImportState, KEPT_FOR, MAX_ROWS, RowFault,
    RowOutcome, StoredImport, StoredImportRow,
};
use crate::service::registration::{Registration, RegistrationTexts};
use crate::storage::imports::import;
use crate::storage::patches::has_patch;
use crate::storage::{ImportFields, StoreError};
use crate::types::{ImportId, Network, Timestamp};

/// Rows stored in one transaction.
const CHUNK: usize = 500;
/// How long a file may be on its way before what came of it is forgotten.
const ARRIVES_WITHIN: Duration = Duration::from_secs(3600);
/// The most characters that are kept of what stands in the place of a tag.
const MAX_SHOWN: usize = 128;

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
    /// Begins to take a file in.
    pub async fn receive(
        &self,
        format: ImportFormat,
        actor: &str,
        now: Timestamp,
    ) -> Result<Intake, StoreError> {
        let unix_ms = u64::try_from(now.as_millis()).unwrap_or(0);
        let import = StoredImport {
            id: ImportId::from_parts(unix_ms, &random_bytes()),
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
        self.store.write(move |tx| tx.put_import(&stored)).await?;
        let (reader, seen) = (RowReader::new(format), HashMap::new());
        Ok(Intake { service: self.clone(), import, reader, seen, checked: Vec::new() })
    }
}

impl Intake {
    /// Takes a piece of the file.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), ImportError> {
        let rows = self.reader.push(bytes)?;
        self.check(rows).await
    }

    /// Ends the file; every row is checked and stored then.
    pub async fn finish(&mut self, now: Timestamp) -> Result<StoredImport, ImportError> {
        let network = self.service.registration.keyring.network;
        let reader = std::mem::replace(&mut self.reader, RowReader::new(ImportFormat::Csv));
        let last = reader.finish()?;
        for row in last {
            self.note(row, network)?;
        }
        self.store().await?;
        let id = self.import.id;
        let checked = self.service.change(id, move |_, old| {
            if old.state != ImportState::Receiving {
                return Err(ImportError::WrongState(old.state));
            }
            let (state, forgotten_at) = (ImportState::Checked, now.plus(KEPT_FOR));
            Ok(StoredImport { state, forgotten_at, ..old })
        });
        checked.await
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
            Err(message) => (String::new(), bad(RowFault::Malformed, message)),
            Ok(texts) => {
                let tag = texts[0].clone().unwrap_or_default();
                let outcome = self.judge(line, &tag, texts, network);
                (tag.chars().filter(|it| !it.is_control()).take(MAX_SHOWN).collect(), outcome)
            }
        };
        self.checked.push(StoredImportRow { line, tag, outcome });
        Ok(())
    }

    fn judge(&mut self, line: u32, tag: &str, texts: Texts, network: Network) -> RowOutcome {
        let registration = match Registration::read(texts_of(texts), network) {
            Ok(registration) => registration,
            Err(fields) => {
                let told = fields.into_iter().map(|it| {
                    let column = it.field.rsplit('.').next().unwrap_or(it.field);
                    format!("{column} {}", it.message)
                });
                return bad(RowFault::Invalid, told.collect::<Vec<_>>().join("; "));
            }
        };
        let mut key = [0; 16];
        key.copy_from_slice(&sha256(tag.as_bytes())[..16]);
        if let Some(first) = self.seen.get(&key) {
            return bad(RowFault::Duplicate, format!("has the tag of line {first}"));
        }
        self.seen.insert(key, line);
        RowOutcome::Good(Box::new(fields_of(registration)))
    }

    /// Stores the rows that were checked; one whose tag is registered is bad.
    async fn store(&mut self) -> Result<(), ImportError> {
        let rows = std::mem::take(&mut self.checked);
        let id = self.import.id;
        let stored = self.service.store.write(move |tx| {
            let mut import = import(tx, id)?.ok_or(StoreError::Missing { entity: "import" })?;
            for row in &rows {
                let is_taken =
                    matches!(row.outcome, RowOutcome::Good(_)) && has_patch(tx, &row.tag)?;
                let taken = StoredImportRow {
                    outcome: bad(RowFault::Taken, "the tag is already registered".to_owned()),
                    ..row.clone()
                };
                let row = if is_taken { &taken } else { row };
                import.bad += u32::from(matches!(row.outcome, RowOutcome::Bad { .. }));
                tx.put_import_row(id, import.rows, row)?;
                import.rows += 1;
            }
            tx.put_import(&import)?;
            Ok::<_, StoreError>(import)
        });
        self.import = stored.await?;
        Ok(())
    }
}

/// Makes the outcome of a row that cannot be registered.
pub(super) const fn bad(fault: RowFault, message: String) -> RowOutcome {
    RowOutcome::Bad { fault, message }
}

fn texts_of(texts: Texts) -> RegistrationTexts {
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
