//! The signer: whether it answers, and whether its keys are those that the store remembers.

use crate::app::configured::signer_client;
use crate::cli::doctor::finding::Findings;
use crate::cli::store::ReadStore;
use crate::config::PoolConfig;
use crate::service::keys::pinned_key;

const CHECK: &str = "signer";

/// Asks the signer for every key that is configured.
pub(super) async fn examine(
    parts: &PoolConfig,
    store: Option<&ReadStore>,
    findings: &mut Findings,
) {
    let signer = match signer_client(&parts.kms) {
        Ok(signer) => signer,
        Err(error) => {
            return findings.fail(CHECK, format!("{error:#}"), "set KMS_SIGN_URL and KMS_API_KEY");
        }
    };
    let keys = &parts.keys;
    let names =
        [Some(&keys.issuer), Some(&keys.funding), keys.custody.as_ref(), keys.change.as_ref()];
    let (mut known, mut unlisted) = (0, 0);
    for name in names.into_iter().flatten() {
        let key = match signer.public_key(name).await {
            Ok(key) => key,
            Err(error) => {
                return findings.fail(
                    CHECK,
                    format!("it was asked for the key {name:?}: {error}"),
                    "start the signer, and see that KMS_SIGN_URL and KMS_API_KEY are its own; \
                     records are kept until it is back",
                );
            }
        };
        let pinned = store.and_then(|store| store.read(|tx| pinned_key(tx, name)).ok().flatten());
        match (key, pinned) {
            (Some(key), Some(pinned)) if key != pinned => findings.fail(
                CHECK,
                format!("its key {name:?} is {key}, the store is bound to {pinned}"),
                "give the signer the keystore that this store was made with; money and statements \
                 hang on the old key",
            ),
            (Some(_), _) => known += 1,
            (None, _) => unlisted += 1,
        }
    }
    if known > 0 {
        findings.ok(CHECK, format!("it answers; {known} keys are those that are expected"));
    }
    if unlisted > 0 {
        findings.ok(CHECK, format!("it answers, and does not list {unlisted} of the keys"));
    }
}
