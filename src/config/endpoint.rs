//! Addresses of other programs, which may carry passwords.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// A URL whose user, password, query and fragment are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Wraps a URL.
    pub const fn new(url: Url) -> Self {
        Self(url)
    }

    /// Returns the URL with everything in it.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// Says whether the URL leads to this machine and nowhere else.
    pub fn is_local(&self) -> bool {
        if self.0.scheme() == "unix" {
            return true;
        }
        match self.0.host() {
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                name.eq_ignore_ascii_case("localhost")
            }
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
            None => false,
        }
    }

    /// Says whether the URL carries a user or a password.
    pub fn has_credentials(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&without_credentials(self.0.as_str()))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({self})")
    }
}

/// Returns a URL, or what was meant to be one, without the parts in which secrets stand. Errs on
/// the side of hiding: a password may hold any character if whoever wrote it forgot to escape it.
pub(super) fn without_credentials(text: &str) -> String {
    let visible = text.find(['?', '#']).map_or(text, |end| &text[..end]);
    let hidden = if visible.len() < text.len() { "?***" } else { "" };
    // An unescaped ? or # in a password would have cut off the @ that ends it.
    match text.rfind('@') {
        None => format!("{visible}{hidden}"),
        Some(at) => {
            let scheme =
                text.find("://").filter(|end| *end < at).map_or("", |end| &text[..end + 3]);
            let rest = &text[at + 1..];
            let rest = rest.find(['?', '#']).map_or(rest, |end| &rest[..end]);
            format!("{scheme}***@{rest}{hidden}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_queries_are_hidden_however_badly_written() {
        for (text, shown) in [
            ("https://kms.example/sign", "https://kms.example/sign"),
            ("https://u:canary@kms.example/sign", "https://***@kms.example/sign"),
            ("https://u:can/ary@kms.example", "https://***@kms.example"),
            ("https://u:can#ary@kms.example/x?canary", "https://***@kms.example/x?***"),
            ("https://kms.example/sign?token=canary", "https://kms.example/sign?***"),
            ("u:canary@kms", "***@kms"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }

    #[test]
    fn this_machine_is_recognised_in_every_spelling() {
        let is_local = |text: &str| Endpoint::new(text.parse().unwrap()).is_local();
        for text in [
            "http://127.0.0.1:1",
            "http://127.9.9.9",
            "http://2130706433/",
            "http://[::1]:80/x",
            "http://[::ffff:127.0.0.1]/",
            "http://LOCALHOST./",
            "unix:///run/signer.sock",
        ] {
            assert!(is_local(text), "{text}");
        }
        for text in [
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "http://[::]/",
            "http://0.0.0.0/",
            "http://127.0.0.1@evil.example/",
        ] {
            assert!(!is_local(text), "{text}");
        }
    }
}
