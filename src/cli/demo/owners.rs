//! The owners of the sample products and their keys, kept in the demo's data directory so that
//! whoever tries the demo can sign as an owner would.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::bitcoin::Address;
use crate::crypto::SecretKey;
use crate::types::Network;

/// An owner of sample products.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    /// The owner's name.
    pub(super) name: String,
    /// The owner's address.
    pub(super) address: String,
    /// The owner's public key.
    pub(super) public_key: String,
    /// The owner's secret key: this is a demo.
    pub(super) private_key_hex: String,
}

impl Owner {
    fn generate(name: &str) -> Self {
        let key = SecretKey::generate();
        Self {
            name: name.to_owned(),
            address: Address::of_key(&key.public_key(), Network::Test).to_string(),
            public_key: key.public_key().to_string(),
            private_key_hex: hex::encode(*key.to_bytes()),
        }
    }

    /// Returns the owner's key.
    pub(super) fn key(&self) -> anyhow::Result<SecretKey> {
        let bytes: [u8; 32] = hex::decode(&self.private_key_hex)?
            .try_into()
            .map_err(|_| anyhow::anyhow!("the key of {} is not 32 bytes", self.name))?;
        Ok(SecretKey::from_bytes(&bytes)?)
    }
}

/// Reads the owners of an earlier run, or makes new ones.
pub(super) fn load_or_create(
    directory: &Path,
    names: &[String],
) -> anyhow::Result<BTreeMap<String, Owner>> {
    let file = directory.join("demo-owners.json");
    let mut owners: Vec<Owner> = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).context("demo-owners.json cannot be read")?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).context("demo-owners.json cannot be read"),
    };
    for name in names {
        if !owners.iter().any(|owner| owner.name == *name) {
            owners.push(Owner::generate(name));
        }
    }
    super::world::write_private(&file, &serde_json::to_vec_pretty(&owners)?)?;
    Ok(owners.into_iter().map(|owner| (owner.name.clone(), owner)).collect())
}
