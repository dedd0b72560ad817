//! `patchproof backup keygen`: a key pair for backups that the server itself cannot open.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::Surroundings;
use crate::crypto::SecretKey;
use crate::storage::backup::SECRET_PREFIX;

pub(super) fn make_keys(out: &Path, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let secret = SecretKey::generate();
    let digits = Zeroizing::new(hex::encode(secret.to_bytes().as_slice()));
    let text = Zeroizing::new(format!("{SECRET_PREFIX}{}\n", *digits));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("{} cannot be written", out.display()))?;
    let recipient = secret.public_key().to_string();
    if surroundings.output.is_json {
        surroundings.output.json(&json!({ "recipient": recipient, "identity": out }))?;
    } else {
        surroundings.output.line(&recipient)?;
        surroundings
            .output
            .talk("Set BACKUP_RECIPIENT to this. Keep the file away from the server.");
    }
    Ok(ExitCode::SUCCESS)
}
