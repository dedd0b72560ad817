//! The control socket, and the server behind it.

use std::fs;

use serde_json::Value;

use crate::cli::desk::{Ask, Desk, Place};
use crate::cli::doctor::finding::Findings;
use crate::cli::doctor::place::permissions;

const CHECK: &str = "server";
const SHORT_RUNWAY_DAYS: u64 = 7;

/// Looks at the socket, and asks whoever is behind it.
pub(super) async fn examine(place: &Place, findings: &mut Findings) {
    let socket = place.socket.display();
    match place.is_served().await {
        Ok(true) => server(place, findings).await,
        Ok(false) if place.socket.exists() => findings.warn(
            CHECK,
            format!("none runs; a server that was killed left {socket}"),
            "start the server; it replaces the socket",
        ),
        Ok(false) => findings.ok(CHECK, "none runs; commands do their work themselves"),
        Err(error) => findings.warn(
            CHECK,
            format!("not looked at: {error:#}"),
            "run the command as root or as the user that the server runs as",
        ),
    }
    if let Ok(found) = fs::symlink_metadata(&place.socket) {
        permissions("socket", &place.socket, &found, findings);
    }
}

/// Asks the running server how it is.
async fn server(place: &Place, findings: &mut Findings) {
    let asked = async {
        let desk = Desk::beside(place)?;
        let ready = desk.ask_whatever(Ask::get("/ready")).await?;
        let health = desk.ask_whatever(Ask::get("/v1/admin/utxo-health")).await?;
        Ok::<_, anyhow::Error>((ready.body, health.body))
    };
    let (body, health) = match asked.await {
        Ok(bodies) => bodies,
        Err(error) => {
            let finding = format!("it listens and gives no answer: {error:#}");
            return findings.fail(CHECK, finding, "look at its log; start it anew");
        }
    };
    let status = body["status"].as_str().unwrap_or("unknown");
    if status == "ok" {
        findings.ok(CHECK, "it runs and is ready");
    } else {
        let missing = missing_of(&body).join("; ");
        let finding = format!("it runs and is {status}: {missing}");
        findings.fail(CHECK, finding, "see what is said of signer, network and disk");
    }
    for warning in body["warnings"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let warning = warning.as_str().unwrap_or_default();
        findings.warn(CHECK, warning, "see docs/CONFIGURATION.md");
    }
    runway(&health["runway"], findings);
}

/// Names what the server waits for, each with what is wrong with it.
fn missing_of(ready: &Value) -> Vec<String> {
    let all = ready["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing = all.iter().filter(|it| it["ok"] == false);
    let named = missing.map(|it| {
        let text = |name: &str| it[name].as_str().unwrap_or_default();
        format!("{} ({})", text("name"), text("detail"))
    });
    named.collect()
}

/// Says how long the money lasts, where the server reckons that.
fn runway(runway: &Value, findings: &mut Findings) {
    let Some(days) = runway["daysLeft"].as_u64() else { return };
    let finding = format!("the pool lasts {days} days at the present rate");
    if days < SHORT_RUNWAY_DAYS {
        findings.warn("runway", finding, "pay more to the funding address");
    } else {
        findings.ok("runway", finding);
    }
}
