//! Tests of what callers of the store cannot see; the others are in `tests/storage`.

mod stored_accounts;
mod stored_batches;
mod stored_claims;
mod stored_email;
mod stored_erasures;
mod stored_format;
mod stored_imports;
mod stored_jobs;
mod stored_proofs;
mod stored_restores;
mod stored_settings;
mod treasury_format;
mod unwritable;
