//! Where the programs that a configuration names listen.

use url::Url;

use crate::config::{Config, MailDelivery};
use crate::service::readiness::Line;

/// Returns a line to each of them that is reached over TCP.
pub(super) fn of(config: &Config) -> Vec<Line> {
    let kms = &config.kms;
    let signers = [&kms.sign_url, &kms.tx_sign_url, &kms.svd_url];
    let signers = signers.into_iter().flatten().map(|endpoint| ("signer", endpoint.url()));
    let arc = config.broadcast.arc.as_ref().map(|arc| ("arc", arc.url.url()));
    let network = [("whatsonchain", config.woc.base_url.url())].into_iter().chain(arc);
    let mut lines: Vec<Line> =
        signers.chain(network).filter_map(|(name, url)| line(name, url)).collect();
    if let MailDelivery::Server(server) = &config.mail.delivery {
        lines.push(Line { name: "mail", host: server.host.clone(), port: server.port });
    }
    lines.dedup();
    lines
}

/// Returns the line to a URL; none where it leads to a socket in a folder.
fn line(name: &'static str, url: &Url) -> Option<Line> {
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Line { name, host, port: url.port_or_known_default()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leads_to_where_the_url_does() {
        let of = |url: &str| line("signer", &Url::parse(url).unwrap());
        let to = |host: &str, port| Some(Line { name: "signer", host: host.to_owned(), port });
        assert_eq!(of("http://127.0.0.1:3002/sign"), to("127.0.0.1", 3002));
        assert_eq!(of("https://kms.example/sign"), to("kms.example", 443));
        assert_eq!(of("http://[::1]:3002/"), to("::1", 3002));
        assert_eq!(of("unix:///run/patchproof/signer.sock"), None);
    }
}
