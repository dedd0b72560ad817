//! What the demo keeps secret: drawn once for a data directory, and the password of its admin.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::auth::account::{AccountName, Password, Role};
use crate::cli::demo::world::write_private;
use crate::crypto::random_bytes;
use crate::service::Services;
use crate::service::accounts::NewAccount;
use crate::types::Timestamp;

/// The name of the demo's admin.
pub(super) const ADMIN: &str = "admin";

/// The secrets of a data directory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) api_key: String,
    pub(super) signer_key: String,
    pub(super) jwt_secret: String,
    pub(super) master_secret: String,
    pub(super) passphrase: String,
    /// Absent from folders of demos that had no console.
    #[serde(default)]
    pub(super) console_password: String,
}

impl Secrets {
    fn generate() -> Self {
        let secret = || hex::encode(random_bytes::<32>());
        Self {
            api_key: format!("demo-{}", hex::encode(random_bytes::<16>())),
            signer_key: secret(),
            jwt_secret: secret(),
            master_secret: secret(),
            passphrase: secret(),
            console_password: console_password(),
        }
    }

    /// Reads them, or draws them for a new folder.
    pub(super) fn load_or_create(directory: &Path) -> anyhow::Result<Self> {
        let file = directory.join("demo-secrets.json");
        if file.exists() {
            let bytes = std::fs::read(&file).context("demo-secrets.json cannot be read")?;
            let mut secrets: Self =
                serde_json::from_slice(&bytes).context("demo-secrets.json cannot be read")?;
            if !secrets.console_password.is_empty() {
                return Ok(secrets);
            }
            secrets.console_password = console_password();
            write_private(&file, &serde_json::to_vec_pretty(&secrets)?)?;
            return Ok(secrets);
        }
        let secrets = Self::generate();
        write_private(&file, &serde_json::to_vec_pretty(&secrets)?)?;
        Ok(secrets)
    }
}

/// Returns a password of 64 random bits, which nobody has to remember.
fn console_password() -> String {
    format!("demo-{}", hex::encode(random_bytes::<8>()))
}

/// Makes the demo's admin, unless there is an account.
pub(super) async fn admit(
    services: &Services,
    secrets: &Secrets,
    now: Timestamp,
) -> anyhow::Result<()> {
    if services.accounts.is_set_up()? {
        return Ok(());
    }
    let wanted = NewAccount { name: AccountName::parse(ADMIN)?, role: Role::Admin, shop: None };
    let password = Password::typed(&secrets.console_password);
    services.accounts.create_with_password(wanted, password, "demo", now).await?;
    Ok(())
}
