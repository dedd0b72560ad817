//! The program as operators see it: arguments, exit status, what it prints and where.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
#[path = "../http_edge/authority.rs"]
mod authority;
mod backups;
mod batches;
mod boot;
mod canaries;
mod canary_requests;
mod configuration;
mod desk;
mod doctor;
mod email_codes;
mod headers;
mod help;
mod keys;
mod log;
mod migration;
mod operation;
mod patches;
mod pool;
#[path = "../it/support/post_office.rs"]
mod post_office;
mod program;
mod proof;
mod records;
mod request_ids;
mod restores;
mod servers;
mod service_manager;
mod settings;
mod setup;
mod stub;
mod tls;
mod token;
#[cfg(feature = "otlp")]
mod traces;
mod world;
