//! The second way to the network: ARC or Arcade, and how transactions are spread over both ways.

use std::time::Duration;

use crate::config::endpoint::Endpoint;
use crate::config::problem::Origin;
use crate::config::reader::Reader;
use crate::config::secret::Secret;
use crate::config::secrets::read_foreign;
use crate::config::variable::{Kind, Variable};
use crate::types::ChainProfile;

pub(super) const ARC_URL: Variable = Variable::new(
    "ARC_URL",
    Kind::Url(&["https", "http"]),
    "https://arc.taal.com",
    "ARC or Arcade, through which transactions are sent as well. It tells what became of \
     transactions and what fee is asked for; headers and outputs come from WOC_BASE_URL.",
);

pub(super) const ARC_FLAVOR: Variable = Variable::new(
    "ARC_FLAVOR",
    Kind::Choice(&["arc", "arcade"]),
    "arc",
    "Which of the two ARC_URL is: arc has its paths under /v1, arcade has no /v1.",
)
.or("arc");

pub(super) const ARC_API_KEY: Variable = Variable::new(
    "ARC_API_KEY",
    Kind::Secret,
    "/etc/patchproof/arc_api_key",
    "Sent to ARC as a Bearer token.",
);

pub(super) const ARC_TIMEOUT_MS: Variable = Variable::new(
    "ARC_TIMEOUT_MS",
    Kind::Integer { least: 1, most: 300_000 },
    "15000",
    "How long one request to ARC may take, in milliseconds.",
)
.or("15000");

pub(super) const ARC_CALLBACK_URL: Variable = Variable::new(
    "ARC_CALLBACK_URL",
    Kind::Url(&["https", "http"]),
    "https://proof.example/v1/arc/callback",
    "Where ARC reports what becomes of transactions: this server's /v1/arc/callback as ARC reaches \
     it. A report only makes the server look sooner; nothing in it is believed.",
);

pub(super) const ARC_CALLBACK_TOKEN: Variable = Variable::new(
    "ARC_CALLBACK_TOKEN",
    Kind::Secret,
    "/etc/patchproof/arc_callback_token",
    "What ARC presents with its reports. Without it /v1/arc/callback refuses everybody.",
);

pub(super) const BROADCAST_ORDER: Variable = Variable::new(
    "BROADCAST_ORDER",
    Kind::Choice(&["arc,woc", "woc,arc", "arc", "woc"]),
    "woc",
    "Through whom transactions are sent, in this order. Without it arc,woc if ARC_URL is set, else \
     woc. With arc alone WOC_BASE_URL still answers for headers and outputs.",
);

pub(super) const BROADCAST_HEDGE_MS: Variable = Variable::new(
    "BROADCAST_HEDGE_MS",
    Kind::Integer { least: 10, most: 60_000 },
    "3000",
    "How long the first may be silent before the second is asked as well, in milliseconds.",
)
.or("3000");

/// Whom transactions are sent through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroadcastVia {
    /// WhatsOnChain.
    WhatsOnChain,
    /// ARC.
    Arc,
}

/// How to reach ARC.
#[derive(Debug, Clone)]
pub struct ArcSettings {
    /// With or without `/v1`.
    pub url: Endpoint,
    /// Whether it is Arcade.
    pub is_arcade: bool,
    /// Sent as a Bearer token.
    pub api_key: Option<Secret>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Where it reports.
    pub callback_url: Option<Endpoint>,
}

/// How transactions are spread over the ways to the network.
#[derive(Debug, Clone)]
pub struct BroadcastSettings {
    /// How to reach ARC, if there is one.
    pub arc: Option<ArcSettings>,
    /// What ARC presents with its reports.
    pub callback_token: Option<Secret>,
    /// Whom transactions are sent through, in order.
    pub order: Vec<BroadcastVia>,
    /// How long the first may be silent.
    pub hedge: Duration,
}

impl BroadcastSettings {
    pub(super) fn read(reader: &mut Reader<'_>, profile: ChainProfile) -> Self {
        let url = reader.endpoint(&ARC_URL);
        let is_arcade = reader.choice(&ARC_FLAVOR) == Some("arcade");
        let api_key = read_foreign(reader, &ARC_API_KEY);
        let timeout = reader.milliseconds(&ARC_TIMEOUT_MS);
        let callback_url = reader.endpoint(&ARC_CALLBACK_URL);
        let callback_token = read_foreign(reader, &ARC_CALLBACK_TOKEN);
        if callback_url.is_some() && callback_token.is_none() {
            reader.warn(
                "ARC_CALLBACK_URL is set without ARC_CALLBACK_TOKEN: its reports are refused",
            );
        }
        if profile == ChainProfile::Simulated && url.as_ref().is_some_and(|url| !url.is_local()) {
            reader.problem(&ARC_URL, "on this machine, because CHAIN_PROFILE is simulated");
        }
        warn_of_arc(reader, url.as_ref(), api_key.is_some(), callback_url.as_ref());
        let arc = url.map(|url| ArcSettings { url, is_arcade, api_key, timeout, callback_url });
        let order = read_order(reader, arc.is_some());
        Self { arc, callback_token, order, hedge: reader.milliseconds(&BROADCAST_HEDGE_MS) }
    }
}

fn warn_of_arc(
    reader: &mut Reader<'_>,
    url: Option<&Endpoint>,
    has_key: bool,
    callback_url: Option<&Endpoint>,
) {
    let Some(url) = url else {
        if has_key || callback_url.is_some() {
            reader
                .warn("ARC_API_KEY or ARC_CALLBACK_URL has no effect, because ARC_URL is not set");
        }
        return;
    };
    if has_key && url.url().scheme() == "http" && !url.is_local() {
        reader.warn("ARC_API_KEY is sent unencrypted, because ARC_URL is http");
    }
    if callback_url.is_some_and(Endpoint::is_local) && !url.is_local() {
        reader.warn("ARC_CALLBACK_URL is on this machine, where ARC cannot reach it");
    }
}

fn read_order(reader: &mut Reader<'_>, has_arc: bool) -> Vec<BroadcastVia> {
    let chosen = reader.choice(&BROADCAST_ORDER);
    if chosen.is_none() && !reader.is_faulty(&BROADCAST_ORDER) {
        let instead = if has_arc { "arc,woc" } else { "woc" };
        reader.note_instead(&BROADCAST_ORDER, instead.to_owned(), Origin::Default);
    }
    let names_arc = chosen.is_some_and(|order| order.contains("arc"));
    if names_arc && !has_arc && !reader.is_faulty(&ARC_URL) {
        reader.problem(&BROADCAST_ORDER, "woc, unless ARC_URL is set");
    }
    if chosen == Some("arc") {
        reader.warn(
            "BROADCAST_ORDER is arc: transactions go out through ARC alone, while headers and \
             outputs still come from WOC_BASE_URL, which must be reachable",
        );
    }
    if chosen == Some("woc") && has_arc {
        reader.warn("BROADCAST_ORDER is woc: nothing is sent through ARC_URL, which is only asked");
    }
    match (chosen, has_arc) {
        (Some("woc,arc"), _) => vec![BroadcastVia::WhatsOnChain, BroadcastVia::Arc],
        (Some("arc"), _) => vec![BroadcastVia::Arc],
        (Some("woc"), _) | (None, false) => vec![BroadcastVia::WhatsOnChain],
        (Some(_), _) | (None, true) => vec![BroadcastVia::Arc, BroadcastVia::WhatsOnChain],
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigProblems, Environment};

    use super::*;

    fn load(changes: &[(&str, &str)]) -> Result<Config, ConfigProblems> {
        let needed = [
            ("KMS_SIGN_URL", "http://127.0.0.1:1/sign"),
            ("ISSUER_KEY_IDENTIFIER", "issuer"),
            ("UTXO_FUNDING_KEY_IDENTIFIER", "funding"),
        ];
        let all = needed.iter().chain(changes);
        let environment: Environment =
            all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(&environment, || [7; 32])
    }

    const URL: (&str, &str) = ("ARC_URL", "https://arc.example/v1");

    #[test]
    fn transactions_go_where_the_order_says_or_to_all_that_there_is() {
        use BroadcastVia::{Arc, WhatsOnChain};
        let order = |changes: &[(&str, &str)]| load(changes).unwrap().broadcast.order;
        assert_eq!(order(&[]), [WhatsOnChain]);
        assert_eq!(order(&[URL]), [Arc, WhatsOnChain]);
        assert_eq!(order(&[URL, ("BROADCAST_ORDER", "woc,arc")]), [WhatsOnChain, Arc]);
        assert_eq!(order(&[URL, ("BROADCAST_ORDER", "arc")]), [Arc]);
        assert_eq!(order(&[("BROADCAST_ORDER", "woc")]), [WhatsOnChain]);
        for order in ["arc", "arc,woc", "woc,arc", "arcade"] {
            let problems = load(&[("BROADCAST_ORDER", order)]).unwrap_err();
            assert_eq!(problems.variables(), ["BROADCAST_ORDER"], "{order}");
        }
    }

    #[test]
    fn simulated_transactions_stay_on_this_machine() {
        let simulated = ("CHAIN_PROFILE", "simulated");
        let woc = ("WOC_BASE_URL", "http://127.0.0.1:3003/v1/bsv/test");
        let problems = load(&[simulated, woc, URL]).unwrap_err();
        assert_eq!(problems.variables(), ["ARC_URL"]);
        assert!(load(&[simulated, woc, ("ARC_URL", "http://127.0.0.1:3003")]).is_ok());
    }

    #[test]
    fn what_has_no_effect_or_leaks_is_told() {
        let warned = |changes: &[(&str, &str)], words: &str| {
            let warnings = load(changes).unwrap().warnings;
            assert!(warnings.iter().any(|warning| warning.contains(words)), "{warnings:?}");
        };
        let key = ("ARC_API_KEY", "a-key-of-somebody-else");
        warned(&[key], "no effect");
        warned(&[("ARC_URL", "http://arc.example"), key], "unencrypted");
        warned(&[URL, ("BROADCAST_ORDER", "arc")], "WOC_BASE_URL");
        warned(&[URL, ("BROADCAST_ORDER", "woc")], "only asked");
        let here = ("ARC_CALLBACK_URL", "http://127.0.0.1:3002/v1/arc/callback");
        warned(&[URL, here], "without ARC_CALLBACK_TOKEN");
        warned(&[URL, here], "cannot reach");
    }
}
