//! Everything that is held about a person, as one document.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::auth::Subject;
use crate::bitcoin::Address;
use crate::service::audit::{AuditFilter, MAX_LINES, list_audit};
use crate::service::listing::COLUMNS;
use crate::service::privacy::PrivacyService;
use crate::storage::claims::{Claim, ClaimState, claims_for};
use crate::storage::erasures::{is_erasure_due, records_naming, tags_of};
use crate::storage::imports::{import_row, import_rows_naming};
use crate::storage::records::expect_record;
use crate::storage::{AuditLine, StoreError, StoredEmailCode, StoredRecord, SvdKey, Tables};
use crate::types::{Digest, ImportId, RecordId, Timestamp, Txid};

/// Everything that is held about a person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonalData {
    /// Whom the token speaks for.
    pub subject: String,
    /// Under which name audit lines speak of the person.
    pub pseudonym: String,
    /// When this was put together.
    pub exported_at: String,
    /// The login key.
    pub login_key: Option<LoginKeyData>,
    /// How often the person's tokens were taken back.
    pub token_epoch: u64,
    /// The address of the login key, by which records name the person.
    pub address: Option<String>,
    /// The tags of the products that she owns.
    pub products: Vec<String>,
    /// Every record that names her as the owner.
    pub records: Vec<RecordData>,
    /// Claims that she filed and that are not forgotten yet.
    pub claims: Vec<ClaimData>,
    /// Rows of imports that name her as the owner of a product that is not registered.
    pub import_rows: Vec<ImportRowData>,
    /// Codes that were sent to her mailbox and are not over.
    pub email_codes: Vec<EmailCodeData>,
    /// What the audit trail says of her, oldest first.
    pub audit: Vec<AuditData>,
}

/// A login key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginKeyData {
    user_id: String,
    pmc_hex: String,
    registered_at: String,
    changed_at: String,
}

/// A record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordData {
    id: RecordId,
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: String,
    position: u32,
    accepted_at: String,
    txid: Option<Txid>,
    commitment: Digest,
    salt: String,
    issuer_signature: Option<String>,
    /// The record as it was signed.
    record: Value,
    /// Whether it goes as soon as its transaction is buried.
    is_to_be_erased: bool,
}

/// A claim.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimData {
    claim_id: String,
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: String,
    filed_at: String,
    expires_at: String,
    is_approved: bool,
}

/// A row of a file of products to register.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportRowData {
    import_id: ImportId,
    line: u32,
    /// What the row says, under the names of an import's columns.
    says: Map<String, Value>,
}

/// A code that was sent to a mailbox; the code itself is not held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailCodeData {
    requested_at: String,
    expires_at: String,
    attempts: u32,
}

/// A line of the audit trail.
#[derive(Debug, Serialize)]
pub struct AuditData {
    number: u64,
    at: String,
    actor: String,
    action: String,
    subject: String,
}

impl PrivacyService {
    /// Puts everything together that is held about a person, from one view of the store.
    pub fn export(&self, subject: &Subject, now: Timestamp) -> Result<PersonalData, StoreError> {
        self.store.read(|tx| {
            let held = self.held(tx, subject)?;
            let hash = held.address.map(|address| *address.hash160());
            let ids = hash.map_or(Ok(Vec::new()), |hash| records_naming(tx, &hash))?;
            let records = ids.into_iter().map(|id| record_data(tx, id));
            let claims = hash.map_or(Ok(Vec::new()), |hash| claims_for(tx, &hash))?;
            let pseudonym = self.persons.pseudonym(&subject.id);
            Ok(PersonalData {
                subject: subject.id.clone(),
                exported_at: now.to_string(),
                login_key: held.key.as_ref().map(login_key_data),
                token_epoch: self.persons.epoch(tx, &subject.id)?,
                address: held.address.map(|address| address.to_string()),
                products: hash.map_or(Ok(Vec::new()), |hash| tags_of(tx, &hash))?,
                records: records.collect::<Result<_, StoreError>>()?,
                claims: claims.iter().map(claim_data).collect(),
                import_rows: held
                    .address
                    .map_or(Ok(Vec::new()), |owner| import_rows_data(tx, &owner))?,
                email_codes: held.codes.iter().map(email_code_data).collect(),
                audit: audit_data(tx, &pseudonym)?,
                pseudonym,
            })
        })
    }
}

fn login_key_data(key: &SvdKey) -> LoginKeyData {
    LoginKeyData {
        user_id: key.user.to_string(),
        pmc_hex: key.public_key.to_string(),
        registered_at: key.registered_at.to_string(),
        changed_at: key.changed_at.to_string(),
    }
}

fn record_data(tables: &impl Tables, id: RecordId) -> Result<RecordData, StoreError> {
    let found: StoredRecord = expect_record(tables, id)?;
    let record = serde_json::from_slice(&found.canonical)
        .map_err(|_| StoreError::Corrupt { entity: "record" })?;
    let signature = found.issuer_signature.as_ref().and_then(|stored| stored.signature());
    Ok(RecordData {
        id,
        position: found.position,
        accepted_at: found.accepted_at.to_string(),
        txid: found.txid,
        commitment: found.commitment,
        salt: hex::encode(found.salt.as_bytes()),
        issuer_signature: signature.map(|signature| signature.to_string()),
        record,
        is_to_be_erased: is_erasure_due(tables, id)?,
        uid_tag_id: found.uid.into(),
    })
}

fn import_rows_data(
    tables: &impl Tables,
    owner: &Address,
) -> Result<Vec<ImportRowData>, StoreError> {
    let mut data = Vec::new();
    for (import_id, number) in import_rows_naming(tables, owner)? {
        let Some(row) = import_row(tables, import_id, number)? else { continue };
        let texts = row.texts().unwrap_or_default();
        let named = COLUMNS.iter().zip(texts);
        let says = named.filter_map(|(name, text)| Some(((*name).to_owned(), text?.into())));
        data.push(ImportRowData { import_id, line: row.line, says: says.collect() });
    }
    Ok(data)
}

fn claim_data(claim: &Claim) -> ClaimData {
    ClaimData {
        claim_id: hex::encode(claim.id),
        uid_tag_id: claim.uid.as_str().to_owned(),
        filed_at: claim.filed_at.to_string(),
        expires_at: claim.expires_at.to_string(),
        is_approved: matches!(claim.state, ClaimState::Approved { .. }),
    }
}

fn email_code_data(code: &StoredEmailCode) -> EmailCodeData {
    EmailCodeData {
        requested_at: code.created_at.to_string(),
        expires_at: code.expires_at().to_string(),
        attempts: code.attempts,
    }
}

fn audit_data(tables: &impl Tables, pseudonym: &str) -> Result<Vec<AuditData>, StoreError> {
    let filter = AuditFilter { person: Some(pseudonym.to_owned()), ..AuditFilter::default() };
    let (mut lines, mut before) = (Vec::new(), None);
    loop {
        let (page, next) = list_audit(tables, &filter, before, MAX_LINES)?;
        lines.extend(page);
        before = next;
        if before.is_none() {
            lines.reverse();
            return Ok(lines.into_iter().map(line_data).collect());
        }
    }
}

fn line_data(line: AuditLine) -> AuditData {
    AuditData {
        number: line.number,
        at: line.entry.at.to_string(),
        actor: line.entry.actor,
        action: line.entry.action,
        subject: line.entry.subject,
    }
}
