//! The log of all commitments, and what carries it to the chain.

use std::sync::Arc;

use url::Url;

use crate::app::parts::Parts;
use crate::service::batches::BatchService;
use crate::service::log::LogService;

impl Parts {
    /// Makes what forms batches, each with a state of the log in it.
    pub(super) fn batches(&self, log: &LogService) -> BatchService {
        BatchService {
            store: self.store.clone(),
            anchoring: self.anchoring(),
            progress: self.progress.clone(),
            wake: self.wake_pipeline(),
            policy: self.settings.batching,
            log: log.clone(),
            rounds: Arc::default(),
        }
    }

    /// Makes the service; made once, because one signs at a time.
    pub(super) fn log(&self) -> LogService {
        let configured = self.settings.log.origin.clone();
        let origin = configured.unwrap_or_else(|| origin_of(&self.settings.http.public_url));
        LogService {
            store: self.store.clone(),
            keyring: Arc::clone(&self.keyring),
            signer: Arc::clone(&self.ports.signer),
            origin: origin.into(),
            rounds: Arc::default(),
        }
    }
}

/// Returns where the log is served, without the scheme, as C2SP tlog-tiles recommends.
fn origin_of(public_url: &Url) -> String {
    let scheme = format!("{}://", public_url.scheme());
    let address = public_url.as_str().trim_start_matches(&scheme).trim_end_matches('/');
    format!("{address}/log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_called_after_where_it_is_served() {
        for (address, origin) in [
            ("https://proof.example/", "proof.example/log"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080/log"),
            ("https://shop.example/proofs/", "shop.example/proofs/log"),
        ] {
            assert_eq!(origin_of(&Url::parse(address).unwrap()), origin);
        }
    }
}
