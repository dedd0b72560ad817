//! The mail server: whether it lets us in, as it would for a letter. None is sent.

use crate::app::configured::smtp_client;
use crate::cli::Surroundings;
use crate::cli::doctor::finding::Findings;
use crate::config::mail_server;
use crate::mail::Mailer;

const CHECK: &str = "mail";

/// Connects to the mail server, where one is configured: TLS, greeting, password.
pub(super) async fn examine(surroundings: &Surroundings, findings: &mut Findings) {
    let server = match mail_server(&surroundings.environment) {
        Ok(Some(server)) => server,
        // Whether there must be one is a question of the configuration, which was looked at.
        Ok(None) => return,
        Err(_) => {
            let finding = "not looked at: the configuration does not say how mail is sent";
            return findings.warn(CHECK, finding, "mend the configuration first");
        }
    };
    let client = match smtp_client(&server) {
        Ok(client) => client,
        Err(error) => {
            let remedy = "see that SMTP_CA_FILE can be read and holds certificates in PEM form";
            return findings.fail(CHECK, format!("{error:#}"), remedy);
        }
    };
    let place = format!("{}:{}", server.host, server.port);
    match client.would_take().await {
        Ok(()) => {
            let how = match server.credentials {
                Some(_) => "the password is taken",
                None => "it was asked without a password",
            };
            findings.ok(CHECK, format!("{place} lets us in; {how}"));
        }
        Err(reason) => findings.fail(
            CHECK,
            format!("{place} does not let us in: {reason}"),
            "see that SMTP_HOST and SMTP_PORT are the mail server's, that its certificate is for \
             SMTP_HOST and trusted (SMTP_CA_FILE), and that SMTP_USER and SMTP_PASS are good; \
             codes wait meanwhile, until they are over",
        ),
    }
}
