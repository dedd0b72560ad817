//! Who really asks, where a reverse proxy stands between.
//!
//! A trusted proxy adds whom it was asked by to the end of X-Forwarded-For. Everything before the
//! last address that is no trusted proxy's was written by that client, and is believed by nobody.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use crate::config::AddressRange;
use crate::http::edge::{ClientAddress, Scheme};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Tells who asks and over what, by the connection and by what trusted proxies say of it.
pub(super) fn origin(
    headers: &HeaderMap,
    peer: ClientAddress,
    scheme: Scheme,
    proxies: &[AddressRange],
) -> (ClientAddress, Scheme) {
    let ClientAddress::Network(address) = peer else { return (peer, scheme) };
    if !is_trusted(address, proxies) {
        return (peer, scheme);
    }
    (ClientAddress::Network(client(headers, address, proxies)), forwarded_scheme(headers, scheme))
}

fn is_trusted(address: IpAddr, proxies: &[AddressRange]) -> bool {
    proxies.iter().any(|range| range.contains(address))
}

/// Goes back from the last proxy to the first address that is none; what cannot be read ends the way.
fn client(headers: &HeaderMap, peer: IpAddr, proxies: &[AddressRange]) -> IpAddr {
    let mut known = peer;
    for address in listed(headers, &X_FORWARDED_FOR).map(parse) {
        let Some(address) = address else { return known };
        known = address;
        if !is_trusted(address, proxies) {
            return known;
        }
    }
    known
}

/// Takes what the nearest proxy says.
fn forwarded_scheme(headers: &HeaderMap, scheme: Scheme) -> Scheme {
    match listed(headers, &X_FORWARDED_PROTO).next() {
        Some("https") => Scheme::Https,
        Some(_) => Scheme::Http,
        None => scheme,
    }
}

/// Returns the items of a list in however many headers, the last first.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    // A value that is no text stands for an item that cannot be read.
    let values: Vec<&str> =
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect();
    values.into_iter().rev().flat_map(|value| value.rsplit(',')).map(str::trim)
}

/// Reads an address, with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    address.or_else(|| text.parse().ok().map(|it: SocketAddr| it.ip())).map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(peer: &str, headers: &[(&HeaderName, &str)]) -> (String, Scheme) {
        let proxies = ["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let peer = ClientAddress::Network(peer.parse().unwrap());
        let (client, scheme) = origin(&map, peer, Scheme::Http, &proxies);
        let ClientAddress::Network(address) = client else { unreachable!("{client:?}") };
        (address.to_string(), scheme)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let headers = [(&X_FORWARDED_FOR, "198.51.100.7"), (&X_FORWARDED_PROTO, "https")];
        assert_eq!(asked("192.0.2.1", &headers), ("192.0.2.1".into(), Scheme::Http));
        assert_eq!(asked("127.0.0.1", &headers), ("198.51.100.7".into(), Scheme::Https));
        assert_eq!(asked("127.0.0.1", &[]), ("127.0.0.1".into(), Scheme::Http));
    }

    #[test]
    fn the_last_address_that_is_no_proxys_counts() {
        for (forwarded, client) in [
            ("1.1.1.1, 198.51.100.7", "198.51.100.7"),
            ("1.1.1.1, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
            ("10.1.2.3", "10.1.2.3"),
            ("127.0.0.1, 10.1.2.3", "127.0.0.1"),
            ("1.1.1.1, nonsense", "127.0.0.1"),
            ("1.1.1.1, unknown, 10.1.2.3", "10.1.2.3"),
            ("", "127.0.0.1"),
            ("198.51.100.7:4711", "198.51.100.7"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
        ] {
            assert_eq!(
                asked("127.0.0.1", &[(&X_FORWARDED_FOR, forwarded)]).0,
                client,
                "{forwarded}"
            );
        }
        let two = [(&X_FORWARDED_FOR, "1.1.1.1"), (&X_FORWARDED_FOR, "198.51.100.7")];
        assert_eq!(asked("127.0.0.1", &two).0, "198.51.100.7");
    }

    #[test]
    fn the_nearest_proxy_says_over_what_it_was_asked() {
        for (said, scheme) in [
            ("https", Scheme::Https),
            ("http", Scheme::Http),
            ("https, http", Scheme::Http),
            ("http, https", Scheme::Https),
        ] {
            assert_eq!(asked("10.0.0.1", &[(&X_FORWARDED_PROTO, said)]).1, scheme, "{said}");
        }
    }
}
