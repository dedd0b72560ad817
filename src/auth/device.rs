//! Browsers that somebody has logged in with, so that wrong passwords that strangers try at a name do not
//! keep out who is known there (the device cookies of OWASP's sheet on slow-downs of online guessing).
//!
//! Such a browser holds random bytes and, for each of the last few names, an authentication code over the
//! bytes and the name. It proves nothing but that the name was logged in there once: it opens nothing, and
//! a name in a browser that is known has a small budget of wrong passwords of its own.

use std::fmt;

use zeroize::Zeroizing;

use crate::auth::account::AccountName;
use crate::crypto::{constant_time_eq, hkdf_sha256, hmac_sha256};

/// How many names one browser is known for: those who share a till.
const MOST_NAMES: usize = 8;
const BYTES: usize = 16;
const PURPOSE: &[u8] = b"patchproof/console/device/v1";

/// What a browser holds, as it came or as it is to be handed out. Never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// Random bytes that tell it from other browsers.
    id: [u8; BYTES],
    /// Codes over them and a name, that of the newest login first; none is believed unchecked.
    codes: Vec<[u8; BYTES]>,
}

impl Device {
    /// Reads what a browser presents: 32 lower-case hexadecimal digits and, behind dots, as many for each
    /// name; in no other form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| {
            let mut bytes = [0u8; BYTES];
            hex::decode_to_slice(part, &mut bytes).ok().map(|()| bytes)
        });
        let id = parts.next()??;
        let codes: Vec<_> = parts.take(MOST_NAMES + 1).collect::<Option<_>>()?;
        let device = Self { id, codes };
        (device.codes.len() <= MOST_NAMES && device.expose() == text).then_some(device)
    }

    /// Writes it down for the browser.
    pub fn expose(&self) -> String {
        let parts = std::iter::once(&self.id).chain(&self.codes);
        parts.map(hex::encode).collect::<Vec<_>>().join(".")
    }

    /// Returns what wrong passwords of a name in this browser are counted by.
    pub fn budget(&self, name: &AccountName) -> String {
        format!("{} {}", hex::encode(self.id), name.folded())
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Makes the codes and knows them again.
#[derive(Clone)]
pub struct DeviceKey(Zeroizing<[u8; 32]>);

impl DeviceKey {
    /// Derives the key from the master secret.
    pub fn derive(master_secret: &[u8]) -> Self {
        Self(Zeroizing::new(hkdf_sha256(master_secret, b"", PURPOSE)))
    }

    /// Says whether somebody of this name has logged in with the browser.
    pub fn knows(&self, device: &Device, name: &AccountName) -> bool {
        let code = self.code(&device.id, name);
        // All of them are compared, so that the time taken does not tell which it is.
        device.codes.iter().fold(false, |found, it| found | constant_time_eq(it, &code))
    }

    /// Returns what a browser holds after a login; `random` must be random, for one that held nothing.
    pub fn after_login(
        &self,
        before: Option<Device>,
        name: &AccountName,
        random: [u8; BYTES],
    ) -> Device {
        let mut device = before.unwrap_or(Device { id: random, codes: Vec::new() });
        let code = self.code(&device.id, name);
        device.codes.retain(|it| *it != code);
        device.codes.insert(0, code);
        device.codes.truncate(MOST_NAMES);
        device
    }

    fn code(&self, id: &[u8; BYTES], name: &AccountName) -> [u8; BYTES] {
        let message = [id, name.folded().as_bytes()].concat();
        let mut code = [0u8; BYTES];
        code.copy_from_slice(&hmac_sha256(self.0.as_slice(), &message)[..BYTES]);
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::parse(text).unwrap()
    }

    #[test]
    fn a_browser_is_known_for_the_names_that_logged_in_there_and_no_other() {
        let key = DeviceKey::derive(b"master");
        let held = key.after_login(None, &name("Ada"), [1; BYTES]);
        let held = key.after_login(Some(held), &name("Ben"), [2; BYTES]);
        let read = Device::parse(&held.expose()).unwrap();
        assert_eq!(read, held);
        assert!(key.knows(&read, &name("ADA")) && key.knows(&read, &name("Ben")));
        assert!(!key.knows(&read, &name("Eve")));
        assert!(!DeviceKey::derive(b"another").knows(&read, &name("Ada")));
        // Codes of one browser are worth nothing in another.
        let moved = Device { id: [3; BYTES], ..read };
        assert!(!key.knows(&moved, &name("Ada")));
        assert_ne!(held.budget(&name("Ada")), held.budget(&name("Ben")));
        assert_eq!(held.budget(&name("Ada")), held.budget(&name("aDA")));
    }

    #[test]
    fn the_names_of_longest_ago_are_forgotten_and_none_stands_twice() {
        let key = DeviceKey::derive(b"master");
        let mut held = None;
        for number in 0..=MOST_NAMES {
            for _ in 0..2 {
                held = Some(key.after_login(held, &name(&format!("till {number}")), [1; BYTES]));
            }
        }
        let held = held.unwrap();
        assert_eq!(held.codes.len(), MOST_NAMES);
        assert!(!key.knows(&held, &name("till 0")) && key.knows(&held, &name("till 1")));
    }

    #[test]
    fn what_a_browser_holds_is_read_in_one_form() {
        let held = DeviceKey::derive(b"master").after_login(None, &name("Ada"), [0xab; BYTES]);
        let text = held.expose();
        let long = format!("{text}{}", format!(".{}", "0".repeat(32)).repeat(MOST_NAMES));
        for bad in ["", ".", &text[1..], &text.to_uppercase(), &format!("{text}."), &long] {
            assert_eq!(Device::parse(bad), None, "{bad}");
        }
        assert_eq!(format!("{held:?}"), "***");
    }
}
