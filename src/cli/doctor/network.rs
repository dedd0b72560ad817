//! The network endpoint: whether it answers, whether it is on our network, how old its newest block
//! is; and our clock beside that block's.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::configured::chain_client;
use crate::chain::{ChainTracker, WhatsOnChain};
use crate::cli::Surroundings;
use crate::cli::doctor::finding::Findings;
use crate::cli::store::ReadStore;
use crate::config::PoolConfig;
use crate::storage::headers::{best_hash_at, chain_head};
use crate::storage::{ReadTx, StoreError};
use crate::types::{BlockHash, Timestamp};

const CHECK: &str = "network";
/// Blocks come every ten minutes on average; a clock is to be better than this (BIP-113 allows two
/// hours into the future).
const TOLERANCE: Duration = Duration::from_secs(2 * 3600);
/// So deep below our tip that endpoints on one network agree.
const DEPTH: u32 = 10;

/// Asks the endpoint, and compares what it says with our headers and our clock.
pub(super) async fn examine(
    parts: &PoolConfig,
    store: Option<&ReadStore>,
    surroundings: &Surroundings,
    findings: &mut Findings,
) {
    let network = match chain_client(&parts.woc) {
        Ok(network) => network,
        Err(error) => {
            return findings.fail(CHECK, format!("{error:#}"), "set WOC_BASE_URL and WOC_API_KEY");
        }
    };
    let before = Instant::now();
    let tip = match network.tip().await {
        Ok(tip) => tip,
        Err(error) => {
            let remedy = "see whether this machine reaches it; records are kept until it is back";
            findings.fail(CHECK, error.to_string(), remedy);
            return clock(None, surroundings.clock.now(), findings);
        }
    };
    let took = before.elapsed().as_millis();
    findings.ok(
        CHECK,
        format!("it answers within {took} ms; its newest block has height {}", tip.height),
    );
    if let Some(store) = store {
        compare(&network, store, findings).await;
    }
    let header = network.header(tip.hash).await.ok().flatten();
    let time = header.map(|header| Timestamp::from_secs(i64::from(header.time)));
    clock(time, surroundings.clock.now(), findings);
}

/// Asks for a block that both should have: another one means another network or another branch.
async fn compare(network: &WhatsOnChain, store: &ReadStore, findings: &mut Findings) {
    let Ok(Some((height, ours))) = store.read(anchor) else {
        return findings.ok("headers", "none are stored yet; nothing to compare the network with");
    };
    match network.header_at(height).await {
        Ok(Some(theirs)) if theirs.hash() == ours => {
            findings.ok("headers", format!("the network has our block at height {height}"));
        }
        Ok(Some(_)) => findings.fail(
            "headers",
            format!("the network has another block than ours at height {height}"),
            "see that WOC_NETWORK and WOC_BASE_URL are those this store was made with; if they are, \
             the chain was reorganised deeply or the endpoint lies: ask another",
        ),
        Ok(None) => findings.warn(
            "headers",
            format!("the network has no block at height {height}, which we have"),
            "the endpoint lags behind, or is on another network: see WOC_NETWORK and WOC_BASE_URL",
        ),
        Err(error) => findings.warn("headers", error.to_string(), "try again"),
    }
}

fn anchor(tx: &ReadTx) -> Result<Option<(u32, BlockHash)>, StoreError> {
    let Some(head) = chain_head(tx)? else { return Ok(None) };
    let height = head.height.saturating_sub(DEPTH);
    match best_hash_at(tx, height)? {
        Some(hash) => Ok(Some((height, hash))),
        None => Ok(Some((head.height, head.hash))),
    }
}

fn clock(newest_block: Option<Timestamp>, now: Timestamp, findings: &mut Findings) {
    const CHECK: &str = "clock";
    let Some(block) = newest_block else {
        let finding = format!("{now}; there is no block to compare it with");
        return findings.warn(CHECK, finding, "see that time is synchronised, as with timedatectl");
    };
    let minutes = |wait: Duration| wait.as_secs() / 60;
    let (ahead, behind) = (now.since(block), block.since(now));
    let remedy = "see that time is synchronised, as with timedatectl";
    if behind > TOLERANCE {
        let finding = format!("{now} is {} minutes before the newest block", minutes(behind));
        findings.fail(CHECK, finding, remedy);
    } else if ahead > TOLERANCE {
        let finding = format!("{now} is {} minutes after the newest block", minutes(ahead));
        let remedy =
            format!("{remedy}; if it is, no block was found for long or the network stands");
        findings.warn(CHECK, finding, remedy);
    } else {
        findings.ok(CHECK, format!("{now} agrees with the newest block"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn a_clock_may_be_two_hours_off_the_newest_block_and_no_more() {
        let now = Timestamp::from_secs(1_700_000_000);
        let level = |offset: i64| {
            let mut findings = Findings::default();
            clock(Some(Timestamp::from_secs(1_700_000_000 + offset)), now, &mut findings);
            findings.worst()
        };
        assert_eq!([level(0), level(7200), level(-7200)], [Level::Ok; 3]);
        assert_eq!([level(7201), level(-7201)], [Level::Failure, Level::Warning]);
        let mut findings = Findings::default();
        clock(None, now, &mut findings);
        assert_eq!(findings.worst(), Level::Warning);
    }
}
