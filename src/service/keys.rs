//! The keys this installation uses, by the signer's names for them, and how they become known.
//!
//! A key is learnt once and pinned in the store: a signer that suddenly answers with another key
//! is refused at start-up and at every signature.

use std::sync::Arc;

use crate::bitcoin::{Address, AddressError};
use crate::crypto::{PublicKey, random_bytes, sha256_parts};
use crate::signer::{ExpectedKey, SignKind, SignRequest, Signer, SignerError};
use crate::storage::{IdentityClaim, Store, StoreError, Tables, identity};
use crate::types::{Digest, Network};
use crate::wallet::utxo::OutputPurpose;

const FUNDING_ADDRESS: &str = "funding address";

/// A key that is known whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// The signer's name for it.
    pub identifier: String,
    /// The key.
    pub public_key: PublicKey,
}

/// A key of which only the hash in its address matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentKey {
    /// The signer's name for it.
    pub identifier: String,
    /// Its address.
    pub address: Address,
}

/// All keys of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    /// The network of the addresses.
    pub network: Network,
    /// Signs statements about products.
    pub issuer: NamedKey,
    /// Holds custody seals; none where custody is not sealed.
    pub custody: Option<PaymentKey>,
    /// Pays.
    pub funding: PaymentKey,
    /// Gets change; the funding key where nothing else is configured.
    pub change: PaymentKey,
}

/// The names in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNames {
    /// The network of the addresses.
    pub network: Network,
    /// Name of the issuer's key.
    pub issuer: String,
    /// Name of the custody key.
    pub custody: Option<String>,
    /// Name of the funding key.
    pub funding: String,
    /// Address of the funding key, if configured.
    pub funding_address: Option<String>,
    /// Name of the change key.
    pub change: Option<String>,
    /// Address of the change key, if configured.
    pub change_address: Option<String>,
}

/// Keys that cannot be established.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The signer does not help.
    #[error("the key {identifier:?} cannot be learnt from the signer")]
    Signer {
        /// The name of the key.
        identifier: String,
        /// What the signer said.
        #[source]
        source: SignerError,
    },
    /// An address in the configuration is wrong.
    #[error("{variable} is not an address of this network")]
    Address {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        source: AddressError,
    },
    /// The signer's key has another address than the configuration says.
    #[error(
        "the signer's key {identifier:?} has the address {actual}, the configuration says {configured}"
    )]
    OtherAddress {
        /// The name of the key.
        identifier: String,
        /// The address of the signer's key.
        actual: String,
        /// The address in the configuration.
        configured: String,
    },
    /// One key is used for two things that must be apart.
    #[error(
        "{one} and {other} are the same key; statements and transactions need keys of their own"
    )]
    Shared {
        /// One use.
        one: &'static str,
        /// The other use.
        other: &'static str,
    },
    /// The store does not work or belongs to others.
    #[error("the store does not accept these keys")]
    Store(#[from] StoreError),
}

/// Returns the funding address that the store is bound to, if it was ever served.
pub fn pinned_funding_address(tables: &impl Tables) -> Result<Option<String>, StoreError> {
    identity::identity(tables, FUNDING_ADDRESS)
}

/// Returns the key that the store remembers under a signer's name, if it was ever learnt.
pub fn pinned_key(tables: &impl Tables, identifier: &str) -> Result<Option<PublicKey>, StoreError> {
    let pinned = identity::identity(tables, &pin_of(identifier))?;
    Ok(pinned.and_then(|text| text.parse().ok()))
}

/// Names the row in which the key of an identifier is remembered.
fn pin_of(identifier: &str) -> String {
    format!("key of {identifier}")
}

/// Learns or recognises all keys, pins them in the store and refuses any that changed.
pub async fn establish_keyring(
    store: &Store,
    signer: &Arc<dyn Signer>,
    names: &KeyNames,
) -> Result<Keyring, KeyringError> {
    let issuer = NamedKey {
        public_key: learn(store, signer, &names.issuer, SignKind::Message).await?,
        identifier: names.issuer.clone(),
    };
    let learn_payment = |identifier: String| async move {
        let key = learn(store, signer, &identifier, SignKind::Transaction).await?;
        Ok::<_, KeyringError>(PaymentKey {
            address: Address::of_key(&key, names.network),
            identifier,
        })
    };
    let custody = match names.custody.clone() {
        Some(identifier) => Some(learn_payment(identifier).await?),
        None => None,
    };
    let funding = learn_payment(names.funding.clone()).await?;
    check_address(
        &funding,
        names.funding_address.as_deref(),
        "UTXO_FUNDING_ADDRESS",
        names.network,
    )?;
    let change = match names.change.clone() {
        Some(identifier) => learn_payment(identifier).await?,
        None => funding.clone(),
    };
    check_address(&change, names.change_address.as_deref(), "UTXO_CHANGE_ADDRESS", names.network)?;
    let keyring = Keyring { network: names.network, issuer, custody, funding, change };
    keyring.check_apart()?;
    keyring.pin(store).await?;
    Ok(keyring)
}

impl Keyring {
    /// A key that signs statements must never sign transactions, and custody never pays.
    fn check_apart(&self) -> Result<(), KeyringError> {
        let issuer = self.issuer.public_key.hash160();
        let payments = [("funding", &self.funding), ("change", &self.change)];
        for (other, key) in
            payments.into_iter().chain(self.custody.as_ref().map(|k| ("custody", k)))
        {
            if *key.address.hash160() == issuer {
                return Err(KeyringError::Shared { one: "issuer", other });
            }
        }
        let Some(custody) = &self.custody else { return Ok(()) };
        match payments.into_iter().find(|(_, key)| key.address == custody.address) {
            Some((other, _)) => Err(KeyringError::Shared { one: "custody", other }),
            None => Ok(()),
        }
    }

    async fn pin(&self, store: &Store) -> Result<(), KeyringError> {
        let mut claims = vec![
            claim("network", self.network.to_string()),
            claim("issuer key", self.issuer.public_key.to_string()),
            claim(FUNDING_ADDRESS, self.funding.address.to_string()),
        ];
        claims.extend(
            self.custody.as_ref().map(|key| claim("custody address", key.address.to_string())),
        );
        store.write(move |tx| tx.bind_identity(&claims)).await?;
        Ok(())
    }

    /// Says which of our keys an output pays to and what such an output is for.
    pub fn owner_of_output(&self, key_hash: &[u8; 20]) -> Option<(String, OutputPurpose)> {
        let is_custody = |key: &&PaymentKey| key.address.hash160() == key_hash;
        if let Some(custody) = self.custody.as_ref().filter(is_custody) {
            return Some((custody.identifier.clone(), OutputPurpose::Seal));
        }
        [&self.funding, &self.change]
            .into_iter()
            .find(|key| key.address.hash160() == key_hash)
            .map(|key| (key.identifier.clone(), OutputPurpose::Pool))
    }

    /// Returns the payment keys, each once.
    pub fn payment_keys(&self) -> Vec<&PaymentKey> {
        let mut keys = vec![&self.funding];
        if self.change.address != self.funding.address {
            keys.push(&self.change);
        }
        keys
    }
}

fn claim(what: &'static str, value: String) -> IdentityClaim {
    IdentityClaim { what, value }
}

fn check_address(
    key: &PaymentKey,
    configured: Option<&str>,
    variable: &'static str,
    network: Network,
) -> Result<(), KeyringError> {
    let Some(configured) = configured else { return Ok(()) };
    let address = Address::parse(configured, network)
        .map_err(|source| KeyringError::Address { variable, source })?;
    if address == key.address {
        return Ok(());
    }
    Err(KeyringError::OtherAddress {
        identifier: key.identifier.clone(),
        actual: key.address.to_string(),
        configured: configured.to_owned(),
    })
}

/// Finds the public key behind a signer's name: the name itself if it is a key, else what the store
/// remembers, else what the signer lists, else the key of a signature over a random probe.
async fn learn(
    store: &Store,
    signer: &Arc<dyn Signer>,
    identifier: &str,
    kind: SignKind,
) -> Result<PublicKey, KeyringError> {
    if let Ok(key) = identifier.parse::<PublicKey>() {
        return Ok(key);
    }
    if let Some(key) = store.read(|tx| pinned_key(tx, identifier))? {
        return Ok(key);
    }
    let unknown = |source| KeyringError::Signer { identifier: identifier.to_owned(), source };
    let key = match signer.public_key(identifier).await.map_err(unknown)? {
        Some(key) => key,
        None => probe(signer, identifier, kind).await.map_err(unknown)?,
    };
    let what = pin_of(identifier);
    store.write(move |tx| tx.pin_key(&what, &key)).await?;
    Ok(key)
}

async fn probe(
    signer: &Arc<dyn Signer>,
    identifier: &str,
    kind: SignKind,
) -> Result<PublicKey, SignerError> {
    let nonce = random_bytes::<32>();
    let request = SignRequest {
        key_identifier: identifier.to_owned(),
        sighash: Digest::from_bytes(sha256_parts(&[b"PatchProof key probe", &nonce])),
        expected: ExpectedKey::Any,
        kind,
    };
    let answers = signer.sign(std::slice::from_ref(&request)).await?;
    answers
        .first()
        .map(|answer| answer.public_key)
        .ok_or_else(|| SignerError::Untrustworthy("no signature".into()))
}
