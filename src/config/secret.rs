//! Text that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// The fewest bytes of a secret that holds 256 bits.
pub const MIN_SECRET_BYTES: usize = 32;
/// Fewer different characters in so many bytes are not the work of a random number generator.
const MIN_DIFFERENT_BYTES: usize = 8;

/// Whole texts that stand in examples, start-up guides and test suites.
const PLACEHOLDERS: [&str; 22] = [
    "admin",
    "api_key",
    "apikey",
    "default",
    "dev",
    "development",
    "dummy",
    "example",
    "hunter2",
    "jwt_secret",
    "letmein",
    "master_secret",
    "none",
    "null",
    "password",
    "production",
    "secret",
    "test",
    "todo",
    "token",
    "undefined",
    "unset",
];
/// What makes a text a placeholder wherever it begins with it.
const PLACEHOLDER_BEGINNINGS: [&str; 10] =
    ["<", "${", "your_", "test_", "dev_", "example_", "insert_", "replace_", "dummy_", "xxx"];
/// What makes a text a placeholder wherever it stands in it; too long to come up by chance.
const PLACEHOLDER_PARTS: [&str; 8] = [
    "changeme",
    "change_me",
    "placeholder",
    "replaceme",
    "replace_me",
    "test_jwt_secret",
    "super_secret",
    "supersecret",
];

/// A secret: printed as `***`, wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns why nobody should trust this secret: what it should be instead.
    pub(super) fn weakness(&self) -> Option<String> {
        self.placeholder().or_else(|| {
            let length = self.0.len();
            (length < MIN_SECRET_BYTES)
                .then(|| format!("at least {MIN_SECRET_BYTES} bytes, this one has {length}"))
        })
    }

    /// Returns what is wrong if the secret is something that everybody can guess.
    pub(super) fn placeholder(&self) -> Option<String> {
        let text = self.0.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        let is_placeholder = PLACEHOLDERS.contains(&text.as_str())
            || PLACEHOLDER_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
            || PLACEHOLDER_PARTS.iter().any(|part| text.contains(part));
        if is_placeholder {
            return Some("a secret of its own, not a placeholder".to_owned());
        }
        is_patterned(text.as_bytes()).then(|| "random characters, not a few that repeat".to_owned())
    }
}

fn is_patterned(text: &[u8]) -> bool {
    let repeats = |period: usize| text.chunks(period).all(|chunk| text.starts_with(chunk));
    let mut different = text.to_vec();
    different.sort_unstable();
    different.dedup();
    (1..=text.len() / 2).any(repeats)
        || (text.len() >= MIN_SECRET_BYTES && different.len() < MIN_DIFFERENT_BYTES)
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_recognised_in_any_dress() {
        for text in [
            "changeme",
            "CHANGE-ME",
            "Change me please, really, before production",
            "secret",
            "test_jwt_secret",
            "your_api_key_goes_in_here_and_is_long",
            "<a secret of 32 bytes>",
            "${JWT_SECRET}",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababababab",
            "secretsecretsecretsecretsecretsecret",
            "0123456789abcdef0123456789abcdef",
            "1111111111111111111122222222222222222223",
            "Super-Secret-0xf81b02aa77c41d59",
        ] {
            assert!(Secret::new(text).placeholder().is_some(), "{text}");
        }
    }

    #[test]
    fn random_secrets_are_taken_and_short_ones_are_weak() {
        for text in [
            "8f0c3a5d7b9e1f2a4c6d8e0b1a3f5c7d9e2b4a6c8d0f1e3a5b7c9d1f3e5a7b90",
            "mV7v0oPq2L1sK9xQ3zRfT8uYhJ5gDcBa",
            "correct horse battery staple and nine more",
        ] {
            assert!(Secret::new(text).weakness().is_none(), "{text}");
        }
        assert!(Secret::new("mV7v0oPq2L1sK9xQ3zRfT8uYhJ5gDcB").weakness().is_some());
        assert!(Secret::new("").weakness().is_some());
    }

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::new("canary");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    }
}
