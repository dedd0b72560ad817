//! Ranges of IP addresses, such as those of reverse proxies.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    prefix_bits: u8,
}

/// Text that is neither an address nor a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or a range such as 10.0.0.0/8")]
pub struct AddressRangeParseError;

impl AddressRange {
    /// Says whether `address` lies in the range; IPv4 written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix_bits) == Some(self.address)
    }

    /// Returns the address if there is only one.
    pub fn as_single(&self) -> Option<IpAddr> {
        (self.prefix_bits == width(self.address)).then_some(self.address)
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Returns the first `bits` bits of an address, the rest zero; nothing if it has fewer.
fn masked(address: IpAddr, bits: u8) -> Option<IpAddr> {
    let rest = u32::from(width(address).checked_sub(bits)?);
    Some(match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(rest).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    })
}

impl FromStr for AddressRange {
    type Err = AddressRangeParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| AddressRangeParseError)?;
        let prefix_bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| AddressRangeParseError)?
            }
            Some(_) => return Err(AddressRangeParseError),
            None => width(address),
        };
        // Bits set beyond the prefix are a slip: 10.1.2.3/8 is probably not what was meant.
        match masked(address, prefix_bits) {
            Some(first) if first == address => Ok(Self { address, prefix_bits }),
            Some(_) | None => Err(AddressRangeParseError),
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_single() {
            Some(address) => write!(formatter, "{address}"),
            None => write!(formatter, "{}/{}", self.address, self.prefix_bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_hold_what_they_say() {
        let holds =
            |range_text: &str, address: &str| range(range_text).contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(!holds("10.0.0.0/8", "::10.0.0.1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(holds("127.0.0.1", "127.0.0.1"));
        assert!(!holds("127.0.0.1", "127.0.0.2"));
        assert_eq!(range("::1").as_single(), Some("::1".parse().unwrap()));
        assert_eq!(range("10.0.0.0/8").as_single(), None);
    }

    #[test]
    fn slips_are_refused() {
        for text in ["", "10.1.2.3/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "proxy"]
        {
            assert_eq!(text.parse::<AddressRange>(), Err(AddressRangeParseError), "{text}");
        }
    }
}
