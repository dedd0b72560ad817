//! The certificate: whether it can be used, for whom it is, and how long it is good.

use crate::app::tls::{AcmeCache, Standing, standing};
use crate::cli::doctor::finding::Findings;
use crate::config::{AcmeSettings, CertificateFacts, Config, TlsFiles, TlsSource};
use crate::types::Timestamp;

const CHECK: &str = "certificate";

/// Looks at the certificate that connections are secured with, where they are.
pub(super) fn examine(config: &Config, now: Timestamp, findings: &mut Findings) {
    match config.http.tls.as_ref().map(|tls| &tls.source) {
        None => {}
        Some(TlsSource::Files(files)) => of_files(files, now, findings),
        Some(TlsSource::Acme(acme)) => of_authority(config, acme, now, findings),
    }
}

fn of_files(files: &TlsFiles, now: Timestamp, findings: &mut Findings) {
    let looked = files.load().and_then(|pair| files.check_key_mode().map(|()| pair.facts));
    match looked {
        Ok(facts) => judge(&facts, now, "have it renewed, and its files replaced", findings),
        Err(error) => {
            let remedy =
                "see TLS_CERT and TLS_KEY; a running server goes on with what it read before";
            findings.fail(CHECK, error.to_string(), remedy);
        }
    }
}

fn of_authority(config: &Config, acme: &AcmeSettings, now: Timestamp, findings: &mut Findings) {
    let cache = AcmeCache::in_data_dir(&config.data_dir);
    let path = cache.certificate_file(&acme.domains, &acme.directory);
    let remedy = "see in the server's log what the authority says; each of ACME_DOMAINS must lead to \
                  PORT by way of port 443";
    match std::fs::read(&path) {
        Ok(pem) => match CertificateFacts::of_pem(&pem) {
            Ok(facts) => judge(&facts, now, remedy, findings),
            Err(error) => findings.fail(CHECK, format!("{}: {error}", path.display()), remedy),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let finding = format!("there is none yet for {}", acme.domains.join(", "));
            findings.warn(CHECK, finding, remedy);
        }
        Err(error) => findings.warn(
            CHECK,
            format!("not looked at: {error}"),
            "run the command as root or as the user that the server runs as",
        ),
    }
}

fn judge(facts: &CertificateFacts, now: Timestamp, remedy: &str, findings: &mut Findings) {
    let (names, from, until) = (facts.names.join(", "), facts.not_before, facts.not_after);
    match standing(facts, now) {
        Standing::Good => findings.ok(CHECK, format!("for {names}, until {until}")),
        Standing::EndsSoon => {
            findings.warn(CHECK, format!("for {names}, ends at {until}"), remedy);
        }
        Standing::Over => findings.fail(CHECK, format!("for {names}, ended at {until}"), remedy),
        Standing::NotYet => findings.fail(
            CHECK,
            format!("for {names}, valid from {from} only"),
            "see that this machine's clock is right",
        ),
    }
}
