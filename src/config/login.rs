//! The passwordless login.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::variable::{Kind, Variable};

pub(super) const SVD_CHALLENGE_TTL_SEC: Variable = Variable::new(
    "SVD_CHALLENGE_TTL_SEC",
    Kind::Integer { least: 10, most: 3600 },
    "180",
    "How long a login challenge may be answered, in seconds.",
)
.alias(&["SVD_M_TTL_SEC"])
.or("180");

pub(super) const SVD_OPEN_REGISTRATION: Variable = Variable::new(
    "SVD_OPEN_REGISTRATION",
    Kind::Switch,
    "1",
    "Whether anybody may register a login key for a user who has none. Without it registering needs \
     an API key with the scope keys:write. If it is not set: on outside production, off in \
     production. A key is never overwritten, whatever this says.",
);

pub(super) const SVD_KMS_KID: Variable = Variable::new(
    "SVD_KMS_KID",
    Kind::Text,
    "svd-2026",
    "The identifier of the server's login key, if it is not to be worked out from the key.",
);

pub(super) const SVD_PROOF_TIMEOUT_MS: Variable = Variable::new(
    "SVD_PROOF_TIMEOUT_MS",
    Kind::Integer { least: 1, most: 10_000 },
    "1000",
    "How long a login waits for the signer's proof, in milliseconds; it goes on without.",
)
.or("1000");

/// How users log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvdSettings {
    /// How long a challenge may be answered.
    pub challenge_ttl: Duration,
    /// Whether anybody may register a key for a user who has none.
    pub open_registration: bool,
    /// The identifier of the server's key, if it was fixed.
    pub kid: Option<String>,
    /// How long a login waits for the signer.
    pub proof_timeout: Duration,
}

impl SvdSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let ttl = reader.number(&SVD_CHALLENGE_TTL_SEC);
        let is_open = !reader.is_production;
        Self {
            challenge_ttl: Duration::from_secs(ttl),
            open_registration: reader.switch_or(&SVD_OPEN_REGISTRATION, is_open),
            kid: reader.text(&SVD_KMS_KID),
            proof_timeout: reader.milliseconds(&SVD_PROOF_TIMEOUT_MS),
        }
    }
}
