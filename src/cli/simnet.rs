//! `patchproof simnet`: the simulated network alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::app::accept::ConnectionLimits;
use crate::app::service_manager::accompany;
use crate::app::shutdown;
use crate::app::socket::{Bound, ListenAddress};
use crate::cli::{Surroundings, runtime};
use crate::config;
use crate::simnet::{Simnet, SimnetConfig};
use crate::types::FeeRate;

/// Run a simulated BSV network, for tests and demonstrations
///
/// Speaks WhatsOnChain's shapes under /v1/bsv/main and /v1/bsv/test and ARC's under /v1, so that its
/// own address is an ARC_URL, and is controlled under /sim: faucet, blocks, reorganisations, faults.
/// Whoever can connect rules the chain.
#[derive(Debug, Args)]
pub(super) struct SimnetCommand {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3003")]
    listen: SocketAddr,
    /// Mine a block this often, such as 10s or 500ms; without it only on command
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    mine_every: Option<Duration>,
    /// File that remembers the chain; without it the chain is forgotten at the end
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Least fee in satoshis per 1,000 bytes
    #[arg(long, value_name = "SATOSHIS", value_parser = parse_fee_rate)]
    min_fee: Option<FeeRate>,
}

impl SimnetCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let log_settings = config::logging(&surroundings.environment)?;
        surroundings.start_log(log_settings);
        let defaults = SimnetConfig::default();
        let config = SimnetConfig {
            listen: self.listen,
            mine_interval: self.mine_every,
            min_fee_rate: self.min_fee.unwrap_or(defaults.min_fee_rate),
            ..defaults
        };
        let clock = surroundings.clock.clone();
        let simnet = match &self.data {
            Some(path) => Simnet::open(&config, clock, path)?,
            None => Simnet::new(&config, clock),
        };
        let address = ListenAddress::Tcp(self.listen);
        if !address.is_local() {
            let warning = format!("{address} is not loopback: whoever connects rules the chain");
            surroundings.output.warn(&[warning]);
        }
        runtime()?.block_on(serve(&address, &config, simnet, surroundings))
    }
}

async fn serve(
    address: &ListenAddress,
    config: &SimnetConfig,
    simnet: Simnet,
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal()?;
    let bound =
        Bound::bind(address).await.with_context(|| format!("{address} cannot be listened on"))?;
    let url = bound.address().to_string();
    if surroundings.output.is_json {
        surroundings.output.json(&json!({
            "url": url,
            "wocBaseUrl": format!("{url}/v1/bsv/test"),
            "arcUrl": url,
            "controlUrl": format!("{url}/sim"),
        }))?;
    } else {
        surroundings.output.line(&url)?;
    }
    tracing::info!(%url, arc_url = %url, "the simulated network is ready");
    if let Some(interval) = config.mine_interval {
        let (simnet, shutdown) = (simnet.clone(), shutdown.clone());
        tokio::spawn(async move { simnet.mine_periodically(interval, shutdown).await });
    }
    let status = format!("simulating a network on {url}");
    let watched = shutdown.clone();
    tokio::spawn(async move { accompany(|| std::future::ready(status.clone()), watched).await });
    bound.serve(simnet.router(), ConnectionLimits::default(), shutdown).await;
    Ok(ExitCode::SUCCESS)
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || "a duration is written as 500ms, 10s, 2m or 1h".to_owned();
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(expected)?;
    let (number, unit) = text.split_at(unit_at);
    let millis_per_unit: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    let millis = number.checked_mul(millis_per_unit).filter(|millis| *millis > 0);
    millis.map(Duration::from_millis).ok_or_else(expected)
}

fn parse_fee_rate(text: &str) -> Result<FeeRate, String> {
    let rate = text.parse().ok().and_then(FeeRate::from_sat_per_kb);
    rate.ok_or_else(|| format!("a fee rate is 1 to {} satoshis", FeeRate::MAX_SAT_PER_KB))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_number_and_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        for text in ["", "10", "s", "0s", "-1s", "1.5s", "1d", "99999999999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
