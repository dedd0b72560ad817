//! The product as its clients meet it: every resource over HTTP, with a network that validates and
//! a signer that signs, and what each does wrong on command.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod anchors;
#[cfg(test)]
mod api_reference;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod batch;
#[cfg(test)]
mod batch_defects;
#[cfg(test)]
mod batch_trouble;
#[cfg(test)]
mod browser_keys;
#[cfg(test)]
mod bundle;
#[cfg(test)]
mod cashiers;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod claim_list;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod console;
#[cfg(test)]
mod description;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod documentation;
#[cfg(test)]
mod email_codes;
#[cfg(test)]
mod email_delivery;
#[cfg(test)]
mod email_guesses;
#[cfg(test)]
mod email_long_codes;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod export;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod health;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod import;
#[cfg(test)]
mod import_again;
#[cfg(test)]
mod import_hostile;
#[cfg(test)]
mod import_kept;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod live;
#[cfg(test)]
mod log;
#[cfg(test)]
mod login;
#[cfg(test)]
mod login_keys;
#[cfg(test)]
mod login_tokens;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod lying_proofs;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod network;
#[cfg(test)]
mod once;
#[cfg(test)]
mod pending;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod privacy_others;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod purposes;
#[cfg(test)]
mod records;
#[cfg(test)]
mod register;
#[cfg(test)]
mod register_fields;
#[cfg(test)]
mod reorganisation;
#[cfg(test)]
mod reorganisation_depth;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod restore_adoption;
#[cfg(test)]
mod restore_foreign;
#[cfg(test)]
mod restores;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod signer;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod treasury;
#[cfg(test)]
mod treasury_unasked;
#[cfg(test)]
mod unlock;
#[cfg(test)]
mod utxos;
#[cfg(test)]
mod verify;
