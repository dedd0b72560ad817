//! The environment, read as `serve` reads it.

use crate::cli::Surroundings;
use crate::cli::doctor::finding::Findings;
use crate::config::{Config, ConfigProblems};
use crate::crypto::random_bytes;

const CHECK: &str = "configuration";

/// Reads the configuration and notes all that is wrong; returns it if nothing is. What is wrong with
/// this shell's environment is no failure of a server that runs with another.
pub(super) fn examine(
    surroundings: &Surroundings,
    is_served: bool,
    findings: &mut Findings,
) -> Option<Config> {
    match Config::load(&surroundings.environment, random_bytes::<32>) {
        Ok(config) => {
            findings.ok(CHECK, format!("valid, for {}", config.mode.as_str()));
            for warning in &config.warnings {
                findings.warn(CHECK, warning, "see docs/CONFIGURATION.md");
            }
            if config.keys.custody.is_none() {
                findings.warn(
                    "custody key",
                    "CUSTODY_KEY_IDENTIFIER is not set: products get no custody seal on chain, so \
                     the network itself does not refuse a second history",
                    "name a key of its own, which must not be the issuer's or the funding key",
                );
            }
            Some(config)
        }
        Err(ConfigProblems(problems)) if is_served => {
            let count = problems.len();
            findings.warn(
                CHECK,
                format!("this shell's has {count} problems; the server runs with another"),
                "give doctor the server's environment to have it looked at too",
            );
            None
        }
        Err(ConfigProblems(problems)) => {
            for problem in problems {
                let remedy = format!("for example {}", problem.example);
                findings.fail(CHECK, problem.to_string(), remedy);
            }
            None
        }
    }
}
