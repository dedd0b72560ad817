//! `patchproof doctor`: what is wrong, and what to do about it.
//!
//! It looks and changes nothing but a small file of its own, with which it measures the disk. What
//! cannot be looked at, because something else is broken, is said and never taken for healthy.

mod backup;
mod configuration;
mod finding;
mod mail;
mod network;
mod place;
mod records;
mod resident;
mod server;
mod signer;
mod store;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::desk::Place;
use crate::cli::doctor::finding::{Findings, Level};
use crate::cli::store::ReadStore;
use crate::cli::{Surroundings, runtime};
use crate::config::PoolConfig;

pub(super) use resident::ResidentDoctor;

/// Something is not as it should be, and works.
const EXIT_WARNINGS: u8 = 4;

/// Look at everything the service needs, and say what is wrong and what to do
///
/// Looks at the configuration, the data directory and its disk, the store, the pool, records that
/// wait, the signer, the network endpoint, the clock, backups, the certificate and the mail server, to which no mail is sent. Works beside a running server, without one,
/// with a broken configuration and without a network. Exit status 0 if all is well, 4 with warnings,
/// 1 with failures.
#[derive(Debug, Args)]
pub(super) struct DoctorCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl DoctorCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let findings = runtime()?.block_on(self.examine(surroundings));
        print(&findings, surroundings)?;
        Ok(match findings.worst() {
            Level::Ok => ExitCode::SUCCESS,
            Level::Warning => ExitCode::from(EXIT_WARNINGS),
            Level::Failure => ExitCode::FAILURE,
        })
    }

    async fn examine(self, surroundings: &Surroundings) -> Findings {
        let mut findings = Findings::default();
        let progress = surroundings.output.spinner("looking");
        let place = match Place::find(self.data_dir, surroundings) {
            Ok(place) => Some(place),
            Err(error) => {
                let remedy = "set PATCHPROOF_DATA_DIR or give --data-dir";
                findings.fail("data folder", format!("not looked at: {error:#}"), remedy);
                None
            }
        };
        let is_served = match &place {
            Some(place) => place.is_served().await.unwrap_or(false),
            None => false,
        };
        let config = configuration::examine(surroundings, is_served, &mut findings);
        let mut store = None;
        if let Some(place) = &place {
            place::examine(place, &mut findings);
            server::examine(place, &mut findings).await;
            place::examine_files(config.as_ref(), &mut findings);
            store = store::open(place, &mut findings);
        }
        let parts = PoolConfig::load(&surroundings.environment).ok();
        if let Some(store) = &store {
            store::examine(store, &mut findings);
            store::examine_pool(store, parts.as_ref(), &mut findings);
            records::examine(store, surroundings.clock.now(), &mut findings);
        }
        // A server that runs says itself how signer and network are.
        if parts.is_some() || !is_served {
            outside(parts.as_ref(), store.as_ref(), surroundings, &mut findings).await;
        }
        backup::examine(place.as_ref(), surroundings, &mut findings);
        if let Some(config) = &config {
            tls::examine(config, surroundings.clock.now(), &mut findings);
        }
        mail::examine(surroundings, &mut findings).await;
        progress.finish_and_clear();
        findings
    }
}

/// Looks at signer, network and clock, as far as the configuration says where they are.
async fn outside(
    parts: Option<&PoolConfig>,
    store: Option<&ReadStore>,
    surroundings: &Surroundings,
    findings: &mut Findings,
) {
    let Some(parts) = parts else {
        for check in ["signer", "network", "clock"] {
            let finding = "not looked at: the configuration does not say where to ask";
            findings.warn(check, finding, "mend the configuration first");
        }
        return;
    };
    signer::examine(parts, store, findings).await;
    network::examine(parts, store, surroundings, findings).await;
}

fn print(findings: &Findings, surroundings: &Surroundings) -> anyhow::Result<()> {
    let output = &surroundings.output;
    let [healthy, warnings, failures] = findings.counts();
    if output.is_json {
        output.json(&json!({
            "status": findings.worst(),
            "ok": healthy,
            "warnings": warnings,
            "failures": failures,
            "findings": findings.all(),
        }))?;
        return Ok(());
    }
    for finding in findings.all() {
        output
            .line(&format!("{:<4}  {:<13}  {}", finding.level, finding.check, finding.finding))?;
        if let Some(remedy) = &finding.remedy {
            output.line(&format!("      {:<13}  -> {remedy}", ""))?;
        }
    }
    output.line(&format!("{healthy} ok, {warnings} warnings, {failures} failures"))?;
    Ok(())
}
