//! The signer: where it is, how it is asked, and the names of its keys.

use std::time::Duration;

use crate::config::endpoint::Endpoint;
use crate::config::reader::Reader;
use crate::config::secret::Secret;
use crate::config::secrets::read_foreign;
use crate::config::variable::{Kind, Required, Variable};

const SIGNER_SCHEMES: Kind = Kind::Url(&["https", "http", "unix"]);
/// What the predecessor called having no signer.
const MOCK: &str = "mock";

pub(super) const KMS_SIGN_URL: Variable = Variable::new(
    "KMS_SIGN_URL",
    SIGNER_SCHEMES,
    "https://kms.example/sign",
    "Where signatures come from; /sign is appended if the path does not end in it. A Unix socket \
     is written unix:///run/patchproof-signer/signer.sock. In production http is accepted for this \
     machine only.",
)
.required(Required::InProduction);

pub(super) const KMS_TX_SIGN_URL: Variable = Variable::new(
    "KMS_TX_SIGN_URL",
    SIGNER_SCHEMES,
    "https://kms.example/tx/sign",
    "Where signatures of transactions come from, if not from KMS_SIGN_URL.",
);

pub(super) const KMS_SVD_URL: Variable = Variable::new(
    "KMS_SVD_URL",
    SIGNER_SCHEMES,
    "https://kms.example/svd",
    "Where login secrets are derived, if not at KMS_SIGN_URL.",
);

pub(super) const KMS_API_KEY: Variable = Variable::new(
    "KMS_API_KEY",
    Kind::Secret,
    "/etc/patchproof/kms_api_key",
    "Sent to the signer as a Bearer token; what patchproof signer demands.",
);

pub(super) const KMS_SIGN_TIMEOUT_MS: Variable = Variable::new(
    "KMS_SIGN_TIMEOUT_MS",
    Kind::Integer { least: 1, most: 300_000 },
    "15000",
    "How long one attempt to get signatures may take, in milliseconds.",
)
.or("15000");

pub(super) const KMS_SIGN_RETRY_ATTEMPTS: Variable = Variable::new(
    "KMS_SIGN_RETRY_ATTEMPTS",
    Kind::Integer { least: 1, most: 20 },
    "3",
    "How often the signer is asked before it counts as down, the first time included.",
)
.or("3");

pub(super) const KMS_SIGN_RETRY_DELAY_MS: Variable = Variable::new(
    "KMS_SIGN_RETRY_DELAY_MS",
    Kind::Integer { least: 0, most: 60_000 },
    "300",
    "The pause before the second attempt, in milliseconds; it doubles each time.",
)
.or("300");

pub(super) const ISSUER_KEY_IDENTIFIER: Variable = Variable::new(
    "ISSUER_KEY_IDENTIFIER",
    Kind::Text,
    "issuer",
    "The signer's name for the key that signs statements about products, or that public key.",
)
.required(Required::Always);

pub(super) const CUSTODY_KEY_IDENTIFIER: Variable = Variable::new(
    "CUSTODY_KEY_IDENTIFIER",
    Kind::Text,
    "custody",
    "The signer's name for the key that holds custody seals. Without it custody is not sealed on \
     chain.",
);

pub(super) const UTXO_FUNDING_KEY_IDENTIFIER: Variable = Variable::new(
    "UTXO_FUNDING_KEY_IDENTIFIER",
    Kind::Text,
    "funding",
    "The signer's name for the key that pays for transactions.",
)
.required(Required::Always);

pub(super) const UTXO_FUNDING_ADDRESS: Variable = Variable::new(
    "UTXO_FUNDING_ADDRESS",
    Kind::Text,
    "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
    "The address of the funding key. If set, the start is refused when the signer's key has \
     another.",
)
.alias(&["FUNDING_ADDRESS"]);

pub(super) const UTXO_CHANGE_KEY_IDENTIFIER: Variable = Variable::new(
    "UTXO_CHANGE_KEY_IDENTIFIER",
    Kind::Text,
    "change",
    "The signer's name for the key that gets change; the funding key without it.",
);

pub(super) const UTXO_CHANGE_ADDRESS: Variable = Variable::new(
    "UTXO_CHANGE_ADDRESS",
    Kind::Text,
    "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
    "The address of the change key. If set, the start is refused when the signer's key has \
     another.",
);

/// How to reach the signer.
#[derive(Debug, Clone)]
pub struct KmsSettings {
    /// Where signatures come from; none outside production if it was not said.
    pub sign_url: Option<Endpoint>,
    /// Where signatures of transactions come from, if elsewhere.
    pub tx_sign_url: Option<Endpoint>,
    /// Where login secrets are derived, if elsewhere.
    pub svd_url: Option<Endpoint>,
    /// Sent as a Bearer token.
    pub api_key: Option<Secret>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts in all.
    pub retry_attempts: u32,
    /// The pause before the second attempt.
    pub retry_delay: Duration,
}

/// The signer's names for our keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// Signs statements.
    pub issuer: String,
    /// Holds custody seals.
    pub custody: Option<String>,
    /// Pays.
    pub funding: String,
    /// The funding key's address.
    pub funding_address: Option<String>,
    /// Gets change.
    pub change: Option<String>,
    /// The change key's address.
    pub change_address: Option<String>,
}

impl KmsSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let sign_url = read_sign_url(reader);
        let tx_sign_url = reader.endpoint(&KMS_TX_SIGN_URL);
        let svd_url = reader.endpoint(&KMS_SVD_URL);
        let api_key = read_foreign(reader, &KMS_API_KEY);
        let urls = [
            (&KMS_SIGN_URL, &sign_url),
            (&KMS_TX_SIGN_URL, &tx_sign_url),
            (&KMS_SVD_URL, &svd_url),
        ];
        for (variable, url) in urls {
            let Some(url) = url else { continue };
            let is_plain = url.url().scheme() == "http" && !url.is_local();
            if is_plain && reader.is_production {
                reader.problem(variable, "https, since http is accepted for this machine only");
            }
            if url.has_credentials() && api_key.is_some() {
                reader.problem(variable, "a URL without a password, since KMS_API_KEY is set");
            }
        }
        Self {
            sign_url,
            tx_sign_url,
            svd_url,
            api_key,
            timeout: reader.milliseconds(&KMS_SIGN_TIMEOUT_MS),
            retry_attempts: reader.number(&KMS_SIGN_RETRY_ATTEMPTS),
            retry_delay: reader.milliseconds(&KMS_SIGN_RETRY_DELAY_MS),
        }
    }
}

fn read_sign_url(reader: &mut Reader<'_>) -> Option<Endpoint> {
    let mut is_mock = false;
    let is_production = reader.is_production;
    let url = reader.parsed(&KMS_SIGN_URL, |text| {
        is_mock = text == MOCK;
        // Outside production it is understood, though there is nothing behind it.
        if is_mock && !is_production {
            return Some(None);
        }
        crate::config::reader::endpoint_of(&KMS_SIGN_URL, text).map(Some)
    });
    let url = url.flatten();
    reader.demand(&KMS_SIGN_URL, url.is_some());
    if url.is_none() && !reader.is_faulty(&KMS_SIGN_URL) {
        reader.warn(
            "KMS_SIGN_URL names no signer: nothing can be signed; patchproof signer provides one",
        );
    }
    url
}

impl KeySettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let issuer = reader.required_text(&ISSUER_KEY_IDENTIFIER);
        let custody = reader.text(&CUSTODY_KEY_IDENTIFIER);
        let funding = reader.required_text(&UTXO_FUNDING_KEY_IDENTIFIER);
        let funding_address = reader.text(&UTXO_FUNDING_ADDRESS);
        let change = reader.text(&UTXO_CHANGE_KEY_IDENTIFIER);
        let change_address = reader.text(&UTXO_CHANGE_ADDRESS);
        let keys = Self { issuer, custody, funding, funding_address, change, change_address };
        keys.check_apart(reader);
        keys
    }

    /// A key that signs statements never signs transactions, and custody never pays.
    fn check_apart(&self, reader: &mut Reader<'_>) {
        let payments = [
            (&UTXO_FUNDING_KEY_IDENTIFIER, Some(&self.funding)),
            (&UTXO_CHANGE_KEY_IDENTIFIER, self.change.as_ref()),
        ];
        for (variable, name) in payments {
            let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
            if *name == self.issuer {
                reader.problem(variable, "another key than ISSUER_KEY_IDENTIFIER");
            }
            if self.custody.as_ref() == Some(name) {
                reader.problem(variable, "another key than CUSTODY_KEY_IDENTIFIER");
            }
        }
        if self.custody.as_ref() == Some(&self.issuer) {
            reader.problem(&CUSTODY_KEY_IDENTIFIER, "another key than ISSUER_KEY_IDENTIFIER");
        }
    }
}
