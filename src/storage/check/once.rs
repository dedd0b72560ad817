//! What may count only once: nonces, idempotency keys, unlocks, logins; and the audit trail, login
//! keys and settings.

use std::collections::HashSet;

use redb::ReadableTable;

use crate::storage::audit::audit_state;
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::{
    AuditEntry, Challenge, IdempotencyRow, StoreError, StoredApiKey, StoredContent, StoredSetting,
    SvdKey, Tables, challenges, idempotency, patches, records,
};
use crate::types::SettingName;

/// The action of an unlock in the audit trail is this and the nonce that paid for it.
const UNLOCK_ACTION: &str = "unlock.nonce:";
/// The action of a login is this and the challenge that was answered.
const LOGIN_ACTION: &str = "login.svd:";
/// The action of a login by a code is this and the request that the code was drawn for.
const EMAIL_ACTION: &str = "login.email:";

/// Checks nonces against their index.
pub(super) fn check_challenges(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.challenges(), "challenge", report, |key, it: Challenge, report| {
        let nonce = hex::encode(key);
        report.expect(key == it.nonce, "row", Row("challenge", &nonce), "under another key");
        let expiry = (it.expires_at.as_millis(), key);
        let indexed = tables.challenges_by_expiry().get(expiry)?.is_some();
        report.expect(indexed, "I9", nonce, "would never expire");
        Ok(())
    })?;
    for row in tables.challenges_by_expiry().iter()? {
        let (at, nonce) = row?.0.value();
        let stored = readable(challenges::challenge(tables, nonce))?;
        let holds = stored.is_some_and(|it| it.expires_at.as_millis() == at);
        report.expect(holds, "I9", hex::encode(nonce), "expires without being there");
    }
    Ok(())
}

/// Checks stored answers against their index and their records.
pub(super) fn check_idempotency(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(
        tables.idempotency(),
        "idempotency row",
        report,
        |key, it: IdempotencyRow, report| {
            let (scope, name) = key;
            let subject = Row("idempotency key", (scope, name));
            let expiry = (it.expires_at.as_millis(), scope, name);
            let indexed = tables.idempotency_by_expiry().get(expiry)?.is_some();
            report.expect(indexed, "I9", &subject, "would never expire");
            let is_there = it.record == idempotency::NO_RECORD
                || readable(records::record(tables, it.record))?.is_some();
            report.expect(is_there, "I2", &subject, "answers for a record that is missing");
            Ok(())
        },
    )?;
    for row in tables.idempotency_by_expiry().iter()? {
        let (key, _) = row?;
        let (at, scope, name) = key.value();
        let stored = readable(idempotency::idempotency(tables, scope, name))?;
        let holds = stored.is_some_and(|it| it.expires_at.as_millis() == at);
        let subject = Row("idempotency key", (scope, name));
        report.expect(holds, "I9", subject, "expires without being there");
    }
    Ok(())
}

/// Checks that content belongs to a product.
pub(super) fn check_contents(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.contents(), "content", report, |uid, _: StoredContent, report| {
        let has_patch = patches::has_patch(tables, uid)?;
        report.expect(has_patch, "I2", Row("content", uid), "belongs to no product");
        Ok(())
    })
}

/// Checks that login keys lie under their users.
pub(super) fn check_svd_keys(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.svd_keys(), "login key", report, |user, it: SvdKey, report| {
        let subject = Row("login key", hex::encode(user));
        report.expect(user == it.user.to_bytes(), "row", subject, "under another key");
        Ok(())
    })
}

/// Checks that API keys lie under their identifiers.
pub(super) fn check_api_keys(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.api_keys(), "API key", report, |id, it: StoredApiKey, report| {
        let subject = Row("API key", hex::encode(id));
        report.expect(id == it.id.to_bytes(), "row", subject, "under another key");
        Ok(())
    })
}

/// Checks that settings can be read and are within their bounds.
pub(super) fn check_settings(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.settings(), "setting", report, |name, it: StoredSetting, report| {
        let known = name.parse::<SettingName>().ok();
        let holds = known.is_none_or(|known| known.definition().allows(it.value));
        report.expect(holds, "row", Row("setting", name), "is out of its bounds");
        Ok(())
    })
}

/// Checks the links of the audit trail, and that no nonce unlocked twice.
pub(super) fn check_audit(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut paid = HashSet::new();
    each_row(tables.audit(), "audit line", report, |_, line: AuditEntry, report| {
        let once = [UNLOCK_ACTION, LOGIN_ACTION, EMAIL_ACTION];
        let is_paid = once.iter().any(|it| line.action.starts_with(it));
        if is_paid && paid.contains(&line.action) {
            report.add("I9", &line.action, "happened more than once");
        } else if is_paid {
            paid.insert(line.action);
        }
        Ok(())
    })?;
    if let Some(line) = audit_state(tables)?.first_broken {
        report.add("I15", format!("audit line {line}"), "does not follow the one before");
    }
    Ok(())
}
