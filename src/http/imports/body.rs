//! What is told of imports and their rows.

use serde::Serialize;
use utoipa::ToSchema;

use crate::service::imports::{RowOutcome, StoredImport, StoredImportRow};
use crate::types::ImportId;

/// A file of products to register.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ImportBody {
    #[schema(value_type = String)]
    id: ImportId,
    /// What its sender called the file.
    name: Option<String>,
    /// Bytes of the file; 0 where that was not noted yet.
    bytes: u64,
    /// `receiving`, `checked`, `running`, `done` or `cancelled`.
    state: &'static str,
    /// Rows in the file.
    rows: u32,
    /// Rows that are not acceptable.
    bad: u32,
    /// Rows that were registered.
    registered: u32,
    /// Acceptable rows that could not be registered when it was their turn.
    failed: u32,
    /// Rows that were tried, bad ones included.
    done: u32,
    actor: String,
    created_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
}

/// A page of imports.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ImportsBody {
    pub(super) items: Vec<ImportBody>,
    pub(super) next_cursor: Option<String>,
}

/// A row of a file and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ImportRowBody {
    /// The line at which it begins, from 1.
    line: u32,
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: String,
    /// `ok`, `registered` or `error`.
    outcome: &'static str,
    /// Why it cannot be registered: `MALFORMED_ROW`, `VALIDATION_FAILED`, `DUPLICATE_IN_FILE`,
    /// `UID_TAKEN` or `ERASED`.
    code: Option<&'static str>,
    /// The same in words.
    message: Option<String>,
    /// The registration, to be asked for under /v1/patches/pending/registration.
    pending_id: Option<String>,
}

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ImportRowsBody {
    pub(super) items: Vec<ImportRowBody>,
    pub(super) next_cursor: Option<String>,
}

/// An import that is forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForgottenBody {
    #[schema(value_type = String)]
    pub(super) id: ImportId,
}

impl From<&StoredImport> for ImportBody {
    fn from(import: &StoredImport) -> Self {
        Self {
            id: import.id,
            name: import.name.clone(),
            bytes: import.bytes,
            state: import.state.as_str(),
            rows: import.rows,
            bad: import.bad,
            registered: import.registered,
            failed: import.failed,
            done: import.next,
            actor: import.actor.clone(),
            created_at: import.created_at.to_string(),
            started_at: import.started_at.map(|at| at.to_string()),
            ended_at: import.ended_at.map(|at| at.to_string()),
        }
    }
}

impl From<StoredImportRow> for ImportRowBody {
    fn from(row: StoredImportRow) -> Self {
        let (outcome, code, message, pending_id) = match row.outcome {
            RowOutcome::Good(_) => ("ok", None, None, None),
            RowOutcome::Registered(record) => ("registered", None, None, Some(record.to_string())),
            RowOutcome::Bad { fault, message, .. } => {
                ("error", Some(fault.as_str()), Some(message), None)
            }
        };
        Self { line: row.line, uid_tag_id: row.tag, outcome, code, message, pending_id }
    }
}
