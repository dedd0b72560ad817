//! Every variable there is, in the order of the reference.

use crate::config::variable::Variable;
use crate::config::{
    anchoring, arc, backup, chain, edge, kms, limits, login, mail, place, pool, secrets, settings,
    stores, tls,
};

/// Variables that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// They themselves.
    pub variables: &'static [&'static Variable],
}

/// Every variable there is.
pub const GROUPS: &[Group] = &[
    Group {
        title: "Place and mode",
        variables: &[
            &place::NODE_ENV,
            &place::BIND,
            &place::PORT,
            &place::PATCHPROOF_DATA_DIR,
            &place::CONTROL_SOCKET,
            &place::PATCHPROOF_CONFIG,
            &place::DEPLOY_SHA,
        ],
    },
    Group {
        title: "Secrets",
        variables: &[
            &secrets::API_KEY,
            &secrets::JWT_SECRET,
            &secrets::JWT_SECRET_PREVIOUS,
            &secrets::MASTER_SECRET,
        ],
    },
    Group {
        title: "Signer",
        variables: &[
            &kms::KMS_SIGN_URL,
            &kms::KMS_TX_SIGN_URL,
            &kms::KMS_SVD_URL,
            &kms::KMS_API_KEY,
            &kms::KMS_SIGN_TIMEOUT_MS,
            &kms::KMS_SIGN_RETRY_ATTEMPTS,
            &kms::KMS_SIGN_RETRY_DELAY_MS,
        ],
    },
    Group {
        title: "Keys",
        variables: &[
            &kms::ISSUER_KEY_IDENTIFIER,
            &kms::CUSTODY_KEY_IDENTIFIER,
            &kms::UTXO_FUNDING_KEY_IDENTIFIER,
            &kms::UTXO_FUNDING_ADDRESS,
            &kms::UTXO_CHANGE_KEY_IDENTIFIER,
            &kms::UTXO_CHANGE_ADDRESS,
        ],
    },
    Group {
        title: "Network",
        variables: &[
            &chain::WOC_NETWORK,
            &chain::WOC_BASE_URL,
            &chain::WOC_API_KEY,
            &chain::WOC_TIMEOUT_MS,
            &chain::WOC_RETRIES,
            &chain::WOC_REQUESTS_PER_SECOND,
            &chain::CHAIN_PROFILE,
            &chain::HEADER_CHECKPOINTS,
            &chain::HEALTH_WOC_CACHE_MS,
            &arc::ARC_URL,
            &arc::ARC_FLAVOR,
            &arc::ARC_API_KEY,
            &arc::ARC_TIMEOUT_MS,
            &arc::ARC_CALLBACK_URL,
            &arc::ARC_CALLBACK_TOKEN,
            &arc::BROADCAST_ORDER,
            &arc::BROADCAST_HEDGE_MS,
        ],
    },
    Group {
        title: "Anchoring",
        variables: &[
            &anchoring::MAX_FEE_PER_KB,
            &anchoring::UTXO_MAX_CHAIN_DEPTH,
            &anchoring::ANCHOR_PAYLOAD,
            &anchoring::ANCHOR_MODE,
            &anchoring::BATCH_MAX_RECORDS,
            &anchoring::BATCH_MAX_AGE_SECS,
            &anchoring::LOG_ORIGIN,
            &anchoring::LOG_CHECKPOINT_SECS,
            &anchoring::CONFIRMED_AT_DEPTH,
            &anchoring::JOBS_ASYNC,
            &anchoring::REGISTRATION_WAIT_MS,
            &anchoring::UNLOCK_REQUIRE_NONCE,
            &anchoring::CLAIM_INTENT_TTL_MS,
        ],
    },
    Group {
        title: "Fees and pool",
        variables: &[
            &settings::FEE_PER_KB,
            &settings::MIN_UTXO_COUNT,
            &settings::UTXO_SPLIT_SIZE_SATS,
            &settings::MAX_SPLIT_OUTPUTS,
            &settings::DUST_THRESHOLD_SATS,
            &settings::DUST_SWEEP_LIMIT,
            &settings::UTXO_MIN_CONFIRMATIONS,
            &pool::UTXO_FEE_BUFFER,
            &pool::SPLIT_COOLDOWN_MS,
            &pool::SPLIT_DRY_RUN,
            &pool::FREE_CONSOLIDATION,
            &pool::MAX_FEE_PER_TX_SATS,
            &pool::MAX_FEE_PER_DAY_SATS,
            &pool::UTXO_MAINTAIN_INTERVAL_SECS,
            &pool::AUTO_MAINTAIN_ON_HEALTH,
        ],
    },
    Group {
        title: "Login",
        variables: &[
            &login::SVD_CHALLENGE_TTL_SEC,
            &login::SVD_OPEN_REGISTRATION,
            &login::SVD_KMS_KID,
            &login::SVD_PROOF_TIMEOUT_MS,
        ],
    },
    Group {
        title: "Mail",
        variables: &[
            &mail::SMTP_HOST,
            &mail::SMTP_PORT,
            &mail::SMTP_USER,
            &mail::SMTP_PASS,
            &mail::SMTP_CA_FILE,
            &mail::EMAIL_FROM,
            &mail::MAIL_MAX_PER_HOUR,
        ],
    },
    Group {
        title: "Limits",
        variables: &[
            &limits::PUBLIC_API_MAX,
            &limits::PUBLIC_API_WINDOW_MS,
            &limits::API_KEY_MAX,
            &limits::API_KEY_WINDOW_MS,
            &limits::SVD_BEGIN_MAX,
            &limits::SVD_BEGIN_WINDOW_MS,
            &limits::SVD_COMPLETE_MAX,
            &limits::SVD_COMPLETE_WINDOW_MS,
            &limits::SVD_CANARY_MAX,
            &limits::SVD_CANARY_WINDOW_MS,
            &limits::AUTH_REQUEST_MAX,
            &limits::AUTH_REQUEST_WINDOW_MS,
            &limits::AUTH_SUBMIT_MAX,
            &limits::AUTH_SUBMIT_WINDOW_MS,
            &limits::CONSOLE_LOGIN_MAX,
            &limits::CONSOLE_LOGIN_WINDOW_MS,
        ],
    },
    Group {
        title: "HTTP and log",
        variables: &[
            &edge::PUBLIC_URL,
            &edge::CORS_ALLOWED_ORIGINS,
            &edge::CONSOLE_INSECURE_COOKIE,
            &edge::TRUSTED_PROXIES,
            &edge::MAX_CONNECTIONS,
            &edge::METRICS_ENABLED,
            &edge::METRICS_REQUIRE_API_KEY,
            &edge::LOG_LEVEL,
            &edge::LOG_FORMAT,
            &edge::OTEL_EXPORTER_OTLP_ENDPOINT,
        ],
    },
    Group {
        title: "Backups",
        variables: &[
            &backup::BACKUP_DIR,
            &backup::BACKUP_INTERVAL_HOURS,
            &backup::BACKUP_KEEP,
            &backup::BACKUP_PASSPHRASE,
            &backup::BACKUP_RECIPIENT,
        ],
    },
    Group {
        title: "TLS",
        variables: &[
            &tls::TLS_CERT,
            &tls::TLS_KEY,
            &tls::TLS_REDIRECT_PORT,
            &tls::ACME_DOMAINS,
            &tls::ACME_EMAIL,
            &tls::ACME_DIRECTORY,
            &tls::ACME_CA_FILE,
            &edge::HSTS_MAX_AGE_SECS,
        ],
    },
    Group {
        title: "Databases of the predecessor",
        variables: &[&stores::MONGODB_URI, &stores::REDIS_URL, &stores::REDIS_PASSWORD],
    },
];

/// Variables of the predecessor that mean nothing to this version; they do no harm.
pub(super) const NOT_USED: &[&str] = &["DB_NAME", "REDIS_HOST", "REDIS_PORT"];

/// Returns every variable.
pub(super) fn variables() -> impl Iterator<Item = &'static Variable> {
    GROUPS.iter().flat_map(|group| group.variables.iter().copied())
}
