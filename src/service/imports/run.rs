//! Registering the rows of an import, a few at a time.

use std::sync::Arc;

use crate::patch::record::{Metadata, Product};
use crate::patch::tag::UidTag;
use crate::service::imports::intake::bad;
use crate::service::imports::{
    ImportError, ImportService, ImportState, KEPT_FOR, RowFault, RowOutcome, StoredImport,
    StoredImportRow,
};
use crate::service::registration::{
    EventDraft, Registration, RegistrationError, RegistrationService,
};
use crate::storage::imports::{import, import_row, import_rows, imports};
use crate::storage::{ImportFields, StoreError, WriteTx};
use crate::types::{ImportId, Timestamp};

/// Rows registered in one transaction: other writers wait no longer than for these.
const CHUNK: usize = 50;

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// No import runs.
    Idle,
    /// Rows were tried; there may be more.
    Worked,
}

/// A row whose turn it is.
struct Turn {
    number: u32,
    row: StoredImportRow,
    /// What is registered, for a good row.
    draft: Option<EventDraft>,
}

impl ImportService {
    /// Registers the next rows of the import that began first.
    ///
    /// The registrations, what became of each row and how far the import is are one transaction: it
    /// is on disk whole or not at all, and the next step goes on after it.
    pub async fn step(&self, now: Timestamp) -> Result<Step, ImportError> {
        let Some((running, rows)) = self.next_rows()? else { return Ok(Step::Idle) };
        let turns = rows.into_iter().map(|(number, row)| self.turn(number, row, now));
        let turns = Arc::new(turns.collect::<Result<Vec<_>, _>>()?);
        let (id, registration) = (running.id, self.registration.clone());
        let moved = self.store.write(move |tx| take_turns(tx, id, &registration, &turns, now));
        moved.await?;
        self.registration.wake_up();
        Ok(Step::Worked)
    }

    #[expect(clippy::type_complexity, reason = "an import and its next rows, used once")]
    fn next_rows(&self) -> Result<Option<(StoredImport, Vec<(u32, StoredImportRow)>)>, StoreError> {
        self.store.read(|tx| {
            let all = imports(tx, None, usize::MAX)?;
            let running = all.into_iter().rfind(|it| it.state == ImportState::Running);
            let Some(running) = running else { return Ok(None) };
            let rows = import_rows(tx, running.id, running.next, CHUNK)?;
            Ok(Some((running, rows)))
        })
    }

    fn turn(&self, number: u32, row: StoredImportRow, now: Timestamp) -> Result<Turn, ImportError> {
        let draft = match &row.outcome {
            RowOutcome::Good(fields) => {
                let registration = registration_of(&row.tag, fields)?;
                let draft = self.registration.draft(&registration, now);
                let draft = draft.map_err(RegistrationError::from);
                Some(draft.map_err(ImportError::Registration)?)
            }
            RowOutcome::Registered(_) | RowOutcome::Bad { .. } => None,
        };
        Ok(Turn { number, row, draft })
    }
}

fn take_turns(
    tx: &mut WriteTx<'_>,
    id: ImportId,
    registration: &RegistrationService,
    turns: &[Turn],
    now: Timestamp,
) -> Result<(), ImportError> {
    let mut running = import(tx, id)?.ok_or(ImportError::NotFound)?;
    if running.state != ImportState::Running {
        return Ok(());
    }
    for turn in turns {
        if turn.number != running.next {
            continue;
        }
        if import_row(tx, id, turn.number)?.as_ref() != Some(&turn.row) {
            // Its owner had it erased since it was read: the next step takes it as it is now.
            break;
        }
        running.next += 1;
        let Some(draft) = &turn.draft else { continue };
        let outcome = match registration.accept_draft(tx, draft, &running.actor, now) {
            Ok(record) => {
                running.registered += 1;
                RowOutcome::Registered(record)
            }
            Err(RegistrationError::UidTaken) => {
                running.failed += 1;
                let texts = turn.row.texts();
                bad(RowFault::Taken, "the tag was registered meanwhile".to_owned(), texts)
            }
            Err(error) => return Err(ImportError::Registration(error)),
        };
        tx.put_import_row(id, turn.number, &StoredImportRow { outcome, ..turn.row.clone() })?;
    }
    if running.next >= running.rows {
        running.state = ImportState::Done;
        running.ended_at = Some(now);
        running.forgotten_at = now.plus(KEPT_FOR);
        tx.append_audit(now, &running.actor, "import.done", &id.to_string())?;
    }
    tx.put_import(&running)?;
    Ok(())
}

fn registration_of(tag: &str, fields: &ImportFields) -> Result<Registration, StoreError> {
    let uid_tag_id =
        UidTag::parse(tag).map_err(|_| StoreError::Corrupt { entity: "import row" })?;
    let fields = fields.clone();
    let product = Product {
        uid_tag_id,
        name: fields.name,
        category: fields.category,
        sku: fields.sku,
        serial_number: fields.serial_number,
        material: fields.material,
    };
    let metadata = Metadata {
        notes: fields.notes,
        image: fields.image,
        patch_location: fields.patch_location,
    };
    Ok(Registration { product, metadata, owner: fields.owner })
}
