//! The network endpoint: which network, where, how fast.

use std::time::Duration;

use crate::config::endpoint::Endpoint;
use crate::config::problem::Origin;
use crate::config::reader::{Reader, endpoint_of};
use crate::config::secret::Secret;
use crate::config::secrets::read_foreign;
use crate::config::variable::{Kind, Variable};
use crate::types::{ChainProfile, Checkpoint, Network};

/// What the free public service grants.
const PUBLIC_REQUESTS_PER_SECOND: u32 = 3;

pub(super) const WOC_NETWORK: Variable = Variable::new(
    "WOC_NETWORK",
    Kind::Choice(&["main", "test"]),
    "main",
    "The network: main is real money. The store is bound to it for life.",
)
.or("main");

pub(super) const WOC_BASE_URL: Variable = Variable::new(
    "WOC_BASE_URL",
    Kind::Url(&["https", "http"]),
    "https://api.whatsonchain.com/v1/bsv/main",
    "WhatsOnChain's API or what speaks like it, up to and including /v1/bsv/{network}; {network} \
     stands for WOC_NETWORK.",
)
.or("https://api.whatsonchain.com/v1/bsv/{network}");

pub(super) const WOC_API_KEY: Variable = Variable::new(
    "WOC_API_KEY",
    Kind::Secret,
    "/etc/patchproof/woc_api_key",
    "Sent to the network endpoint as woc-api-key.",
);

pub(super) const WOC_TIMEOUT_MS: Variable = Variable::new(
    "WOC_TIMEOUT_MS",
    Kind::Integer { least: 1, most: 300_000 },
    "15000",
    "How long one request to the network endpoint may take, in milliseconds.",
)
.or("15000");

pub(super) const WOC_RETRIES: Variable = Variable::new(
    "WOC_RETRIES",
    Kind::Integer { least: 0, most: 20 },
    "2",
    "How often a question is repeated after network errors, 429 and 5xx. Broadcasts are repeated \
     by the anchoring of records instead.",
)
.or("2");

pub(super) const WOC_REQUESTS_PER_SECOND: Variable = Variable::new(
    "WOC_REQUESTS_PER_SECOND",
    Kind::Integer { least: 0, most: 10_000 },
    "10",
    "The pace of requests to the network endpoint; 0 is without limit. Without it 3, or no limit \
     if WOC_BASE_URL is on this machine.",
);

pub(super) const CHAIN_PROFILE: Variable = Variable::new(
    "CHAIN_PROFILE",
    Kind::Choice(&["public", "simulated"]),
    "public",
    "How much work block headers must prove. simulated accepts the blocks of patchproof simnet, \
     which anybody could make, and is therefore refused unless WOC_BASE_URL is on this machine.",
)
.or("public");

pub(super) const HEADER_CHECKPOINTS: Variable = Variable::new(
    "HEADER_CHECKPOINTS",
    Kind::Checkpoints,
    "0:000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    "Blocks that you vouch for, as height:hash. Our headers are filled in down to the highest of \
     them that lies below; a chain that contradicts one proves nothing. More can be added while \
     running: docs/HEADERS.md.",
);

pub(super) const HEALTH_WOC_CACHE_MS: Variable = Variable::new(
    "HEALTH_WOC_CACHE_MS",
    Kind::Integer { least: 0, most: 3_600_000 },
    "5000",
    "How long utxo-health remembers what the network endpoint said, in milliseconds.",
)
.or("5000");

/// How to reach the network endpoint.
#[derive(Debug, Clone)]
pub struct WocSettings {
    /// The network.
    pub network: Network,
    /// Up to and including `/v1/bsv/{network}`.
    pub base_url: Endpoint,
    /// Sent as `woc-api-key`.
    pub api_key: Option<Secret>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Further attempts.
    pub retries: u32,
    /// The pace; none is without limit.
    pub requests_per_second: Option<u32>,
}

impl WocSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let network = reader.choice(&WOC_NETWORK).and_then(|name| name.parse().ok());
        let network = network.unwrap_or(Network::Main);
        let base_url = read_base_url(reader, network);
        let api_key = read_foreign(reader, &WOC_API_KEY);
        if api_key.is_some() && base_url.url().scheme() == "http" && !base_url.is_local() {
            reader.warn("WOC_API_KEY is sent unencrypted, because WOC_BASE_URL is http");
        }
        let requests_per_second = read_pace(reader, &base_url);
        Self {
            network,
            base_url,
            api_key,
            timeout: reader.milliseconds(&WOC_TIMEOUT_MS),
            retries: reader.number(&WOC_RETRIES),
            requests_per_second,
        }
    }
}

fn read_base_url(reader: &mut Reader<'_>, network: Network) -> Endpoint {
    let in_network = |text: &str| text.replace("{network}", network.as_str());
    let url = reader.parsed(&WOC_BASE_URL, |text| endpoint_of(&WOC_BASE_URL, &in_network(text)));
    url.unwrap_or_else(|| {
        let default = in_network("http://localhost/v1/bsv/{network}");
        Endpoint::new(default.parse().expect("the text is a URL"))
    })
}

fn read_pace(reader: &mut Reader<'_>, base_url: &Endpoint) -> Option<u32> {
    if let Some(pace) = reader.integer(&WOC_REQUESTS_PER_SECOND) {
        return u32::try_from(pace).ok().filter(|pace| *pace > 0);
    }
    let pace = (!base_url.is_local()).then_some(PUBLIC_REQUESTS_PER_SECOND);
    if !reader.is_faulty(&WOC_REQUESTS_PER_SECOND) {
        let text = pace.unwrap_or(0).to_string();
        reader.note_instead(&WOC_REQUESTS_PER_SECOND, text, Origin::Default);
    }
    pace
}

/// Reads how much work headers must prove.
pub(super) fn read_chain_profile(reader: &mut Reader<'_>, woc: &WocSettings) -> ChainProfile {
    match reader.choice(&CHAIN_PROFILE) {
        Some("simulated") => {
            if !woc.base_url.is_local() && !reader.is_faulty(&WOC_BASE_URL) {
                reader.problem(&CHAIN_PROFILE, "public, unless WOC_BASE_URL is on this machine");
            }
            ChainProfile::Simulated
        }
        Some(_) | None => ChainProfile::Public,
    }
}

/// Reads the blocks that the operator vouches for.
pub(super) fn read_checkpoints(reader: &mut Reader<'_>) -> Vec<Checkpoint> {
    reader.list(&HEADER_CHECKPOINTS, |text| text.parse().ok())
}
