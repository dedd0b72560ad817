//! TLS without a reverse proxy: a certificate in files, or one that an ACME server gives.

use std::path::PathBuf;

use rustls::pki_types::DnsName;

use crate::config::pair::{TlsFileError, TlsFiles};
use crate::config::reader::Reader;
use crate::config::variable::{Kind, Variable};

pub(super) const TLS_CERT: Variable = Variable::new(
    "TLS_CERT",
    Kind::Path,
    "/etc/patchproof/tls/fullchain.pem",
    "The server's certificate in PEM form, followed by those that lead to its authority. With it PORT \
     speaks HTTPS. Changed files are taken up within seconds, or at once on SIGHUP.",
);

pub(super) const TLS_KEY: Variable = Variable::new(
    "TLS_KEY",
    Kind::Path,
    "/etc/patchproof/tls/privkey.pem",
    "The private key of TLS_CERT in PEM form, without a password.",
);

pub(super) const TLS_REDIRECT_PORT: Variable = Variable::new(
    "TLS_REDIRECT_PORT",
    Kind::Integer { least: 0, most: 65_535 },
    "80",
    "A second port on BIND that speaks plain HTTP and only leads to HTTPS; 0 lets the system choose \
     one. Needs PUBLIC_URL with https: or ACME_DOMAINS, to know where to lead to.",
);

pub(super) const ACME_DOMAINS: Variable = Variable::new(
    "ACME_DOMAINS",
    Kind::Domains,
    "patchproof.example",
    "The names for which a certificate is obtained and renewed by itself (RFC 8555, challenge \
     tls-alpn-01). Each must lead to this server's PORT by way of port 443. With it PORT speaks HTTPS.",
);

pub(super) const ACME_EMAIL: Variable = Variable::new(
    "ACME_EMAIL",
    Kind::Text,
    "ops@shop.example",
    "Whom the certificate authority may write to.",
);

pub(super) const ACME_DIRECTORY: Variable = Variable::new(
    "ACME_DIRECTORY",
    Kind::Url(&["https"]),
    "https://acme-staging-v02.api.letsencrypt.org/directory",
    "The ACME server's directory.",
)
.or("https://acme-v02.api.letsencrypt.org/directory");

pub(super) const ACME_CA_FILE: Variable = Variable::new(
    "ACME_CA_FILE",
    Kind::Path,
    "/etc/patchproof/acme-ca.pem",
    "Certificates in PEM form that the ACME server's own may come from, beside the system's.",
);

/// How connections are secured.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Where the certificate comes from.
    pub source: TlsSource,
    /// A port of plain HTTP that leads to HTTPS.
    pub redirect_port: Option<u16>,
}

/// Where a certificate comes from.
#[derive(Debug, Clone)]
pub enum TlsSource {
    /// From two files, which somebody else renews.
    Files(TlsFiles),
    /// From an ACME server.
    Acme(AcmeSettings),
}

/// Whom to ask for a certificate, and for which names.
#[derive(Debug, Clone)]
pub struct AcmeSettings {
    /// The names, the first of which stands for all; at least one.
    pub domains: Vec<String>,
    /// Whom the authority may write to.
    pub email: Option<String>,
    /// The server's directory.
    pub directory: String,
    /// Certificates that the server's own may come from, beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl TlsSettings {
    /// Reads how connections are secured, and the files: a server that cannot secure them must not
    /// start; a process that does not serve may not even read them. `leads_to` is PUBLIC_URL.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        serves: bool,
        leads_to: Option<&str>,
    ) -> Option<Self> {
        let path = |text: &str| Some(PathBuf::from(text));
        let certificate = reader.parsed(&TLS_CERT, path);
        let key = reader.parsed(&TLS_KEY, path);
        let redirect_port: Option<u64> = reader.integer(&TLS_REDIRECT_PORT);
        let acme = read_acme(reader, serves);
        if certificate.is_some() && key.is_none() {
            reader.problem(&TLS_KEY, "the key of TLS_CERT");
        }
        if certificate.is_none() && key.is_some() {
            reader.problem(&TLS_CERT, "the certificate of TLS_KEY");
        }
        if certificate.is_some() && acme.is_some() {
            reader.problem(&ACME_DOMAINS, "nothing, since TLS_CERT is set: one or the other");
        }
        let files = certificate.zip(key).map(|(certificate, key)| TlsFiles { certificate, key });
        if let Some(files) = files.as_ref().filter(|_| serves) {
            check(reader, files);
        }
        let is_acme = acme.is_some();
        let source = files.map(TlsSource::Files).or(acme.map(TlsSource::Acme));
        if redirect_port.is_some() {
            check_redirect(reader, source.is_some(), is_acme, leads_to);
        }
        let redirect_port = redirect_port.and_then(|port| u16::try_from(port).ok());
        source.map(|source| Self { source, redirect_port })
    }
}

fn check_redirect(
    reader: &mut Reader<'_>,
    is_secured: bool,
    is_acme: bool,
    leads_to: Option<&str>,
) {
    let is_public = leads_to.is_some_and(|url| url.starts_with("https:"));
    if !is_secured {
        reader.problem(&TLS_REDIRECT_PORT, "nothing, unless TLS_CERT or ACME_DOMAINS is set");
    } else if !is_public && !is_acme {
        reader.problem(&TLS_REDIRECT_PORT, "PUBLIC_URL beside it with https:, to lead to");
    }
}

/// Notes what is wrong with the files, each with the variable that names it.
fn check(reader: &mut Reader<'_>, files: &TlsFiles) {
    let checked = files.load().and_then(|pair| {
        if reader.is_production {
            files.check_key_mode()?;
        }
        Ok(pair)
    });
    if let Err(error) = checked {
        let variable = if error.is_of_certificate(files) { &TLS_CERT } else { &TLS_KEY };
        reader.problem(variable, expected(&error));
    }
}

fn expected(error: &TlsFileError) -> String {
    match error {
        TlsFileError::Mismatch { .. } => format!("the key of TLS_CERT: {error}"),
        TlsFileError::Read { .. }
        | TlsFileError::NoCertificate(_)
        | TlsFileError::NoKey(_)
        | TlsFileError::OpenKey { .. }
        | TlsFileError::Unusable(_) => format!("a file in PEM form: {error}"),
    }
}

fn read_acme(reader: &mut Reader<'_>, serves: bool) -> Option<AcmeSettings> {
    let domains = reader.list(&ACME_DOMAINS, domain);
    let email = reader.parsed(&ACME_EMAIL, |text| {
        text.parse::<lettre::Address>().ok().map(|address| address.to_string())
    });
    let directory = reader.endpoint(&ACME_DIRECTORY);
    let ca_file = reader.parsed(&ACME_CA_FILE, |text| Some(PathBuf::from(text)));
    if let Some(path) = ca_file.as_ref().filter(|_| serves) {
        let read = crate::config::pair::certificates(path);
        if !read.as_ref().is_ok_and(|all| !all.is_empty()) {
            reader.problem(&ACME_CA_FILE, "a file that can be read, with certificates in PEM form");
        }
    }
    let directory = directory?.url().to_string();
    if domains.is_empty() {
        if email.is_some() || ca_file.is_some() {
            reader
                .warn("ACME_EMAIL or ACME_CA_FILE has no effect, because ACME_DOMAINS is not set");
        }
        return None;
    }
    Some(AcmeSettings { domains, email, directory, ca_file })
}

/// Returns a name for which the challenge can be met: of a host, and no wildcard (RFC 8737).
fn domain(text: &str) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let is_name = DnsName::try_from(name.as_str()).is_ok() && !name.contains('*');
    (is_name && !is_address).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    #[test]
    fn names_are_those_of_hosts() {
        assert_eq!(domain("Shop.Example").as_deref(), Some("shop.example"));
        for text in ["*.shop.example", "192.0.2.1", "::1", "https://shop.example", "a b", ""] {
            assert_eq!(domain(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let (none, null) = (("TLS_CERT", "/nonexistent/cert.pem"), "/dev/null");
        let (cert, key) = (("TLS_CERT", null), ("TLS_KEY", null));
        let domains = ("ACME_DOMAINS", "shop.example");
        for (given, faulty) in [
            (&[none, key][..], &["TLS_CERT"][..]),
            (&[cert, key], &["TLS_CERT"]),
            (&[cert], &["TLS_KEY"]),
            (&[key], &["TLS_CERT"]),
            (&[("TLS_REDIRECT_PORT", "80")], &["TLS_REDIRECT_PORT"]),
            (&[("ACME_DOMAINS", "*.shop.example")], &["ACME_DOMAINS"]),
            (&[domains, ("ACME_EMAIL", "ops")], &["ACME_EMAIL"]),
            (&[domains, ("ACME_CA_FILE", null)], &["ACME_CA_FILE"]),
            (&[domains, ("ACME_DIRECTORY", "http://acme.example/directory")], &["ACME_DIRECTORY"]),
        ] {
            let keys =
                [("ISSUER_KEY_IDENTIFIER", "issuer"), ("UTXO_FUNDING_KEY_IDENTIFIER", "funding")];
            let environment: Environment = given.iter().copied().chain(keys).collect();
            let problems = Config::load(&environment, || [7; 32]).unwrap_err();
            assert_eq!(problems.variables(), faulty, "{given:?}");
            // A command serves nobody, and may run as somebody who may not read the key.
            let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
            let is_unread = names == ["TLS_CERT", "TLS_KEY"] || names.contains(&"ACME_CA_FILE");
            let command = Config::load_for_command(&environment, || [7; 32]);
            assert_eq!(command.is_ok(), is_unread, "{given:?}");
        }
    }
}
