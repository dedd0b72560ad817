//! The rules of named accounts: who works the console, in what role, and what a password must be.
//!
//! A role is a set of scopes, the same that API keys have, so that there is one table of permissions.
//! Passwords are kept as argon2id (RFC 9106) with a salt of their own; a name is known in one spelling,
//! whatever the case it is typed in. docs/CONSOLE.md has the whole.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use zeroize::Zeroizing;

use crate::auth::{Scope, Scopes};
use crate::crypto::{PassphraseCost, constant_time_eq, derive_key};

/// The shortest and the longest name, in characters.
pub const NAME_CHARS: (usize, usize) = (3, 64);
/// The shortest and the longest password, in characters.
pub const PASSWORD_CHARS: (usize, usize) = (12, 256);
/// What one check of a password costs: 19 MiB and two passes, OWASP's first choice for argon2id.
pub const PASSWORD_COST: PassphraseCost =
    PassphraseCost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

/// What everybody tries first, among passwords that are long enough; without spaces and in lower case.
const COMMONEST: [&str; 20] = [
    "123456789012",
    "1234567890123",
    "123456789abc",
    "1q2w3e4r5t6y",
    "abcdefghijkl",
    "administrator",
    "adminadminadmin",
    "changemechangeme",
    "correcthorsebatterystaple",
    "iloveyou1234",
    "letmeinletmein",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "patchproof123",
    "patchproofpatchproof",
    "qwerty123456",
    "qwertyuiop12",
    "qwertyuiopasdf",
];

/// Names an account in addresses, audit lines and the store; no secret, and never given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId([u8; 8]);

/// Text that names no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account is named by 16 hexadecimal digits")]
pub struct AccountIdParseError;

impl AccountId {
    /// Wraps the bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// Returns what stands for the account as an actor: in audit lines, limits and stored answers.
    pub fn principal(self) -> String {
        format!("account:{self}")
    }
}

/// 16 lower-case hexadecimal digits.
impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl FromStr for AccountId {
    type Err = AccountIdParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0u8; 8];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| AccountIdParseError)?;
        let id = Self(bytes);
        if id.to_string() == text { Ok(id) } else { Err(AccountIdParseError) }
    }
}

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Does everything, people and keys included.
    Admin,
    /// Registers products, keeps pool and settings.
    Operator,
    /// Works the point of sale of one shop.
    Cashier,
    /// Reads everything and changes nothing.
    Auditor,
}

/// Text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is admin, operator, cashier or auditor")]
pub struct RoleParseError;

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Operator, Self::Cashier, Self::Auditor];

    /// Returns the role's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Cashier => "cashier",
            Self::Auditor => "auditor",
        }
    }

    /// Returns what the role may do, in the terms of API keys.
    pub fn scopes(self) -> Scopes {
        let scopes: &[Scope] = match self {
            Self::Admin => &[Scope::Admin],
            Self::Operator => {
                &[Scope::PatchesWrite, Scope::UtxoWrite, Scope::SettingsWrite, Scope::MetricsRead]
            }
            Self::Cashier => &[Scope::Pos],
            Self::Auditor => &[],
        };
        scopes.iter().copied().collect()
    }

    /// Says whether the role opens every route of reading, whatever scope a key would need there.
    pub const fn reads_all(self) -> bool {
        match self {
            Self::Admin | Self::Operator | Self::Auditor => true,
            Self::Cashier => false,
        }
    }

    /// Says whether an account of the role belongs to a shop.
    pub const fn has_shop(self) -> bool {
        matches!(self, Self::Cashier)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleParseError)
    }
}

/// Text that cannot name an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Too short or too long.
    #[error("must have 3 to 64 characters")]
    Length,
    /// Holds control, format, private or unassigned characters or odd spaces.
    #[error("must hold printable characters only, with no space at either end")]
    NotPrintable,
    /// Another spelling of the same characters.
    #[error("must be in Unicode normalization form C")]
    NotNormalized,
}

/// The name of an account: 3 to 64 printable characters in normalization form C.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

impl AccountName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (least, most) = NAME_CHARS;
        if !(least..=most).contains(&text.chars().take(most + 1).count()) {
            return Err(NameError::Length);
        }
        if !text.chars().all(is_printable) || text.starts_with(' ') || text.ends_with(' ') {
            return Err(NameError::NotPrintable);
        }
        if is_nfc(text) { Ok(Self(text.to_owned())) } else { Err(NameError::NotNormalized) }
    }

    /// Returns the name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as it is looked up: two names that differ in case, or in forms of the same
    /// letters, are one.
    pub fn folded(&self) -> String {
        self.0.nfkc().flat_map(char::to_lowercase).nfc().collect()
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl TryFrom<String> for AccountName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

fn is_printable(letter: char) -> bool {
    match letter.general_category_group() {
        GeneralCategoryGroup::Letter
        | GeneralCategoryGroup::Mark
        | GeneralCategoryGroup::Number
        | GeneralCategoryGroup::Punctuation
        | GeneralCategoryGroup::Symbol => true,
        GeneralCategoryGroup::Separator => letter == ' ',
        GeneralCategoryGroup::Other => false,
    }
}

/// A password that is not taken for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("must have 12 to 256 characters")]
    Length,
    /// The account's own name, or one character over and over.
    #[error("must not be the name, or one character over and over")]
    Guessable,
    /// One that is tried first.
    #[error("is among the commonest passwords")]
    Common,
}

/// A password as somebody typed it, in normalization form C: keyboards differ in how they spell one
/// letter. Never printed, and wiped when it goes.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes what was typed, whatever it is; spaces count.
    pub fn typed(text: &str) -> Self {
        Self(Zeroizing::new(text.nfc().collect()))
    }

    /// Checks it for an account of this name. There is no rule of composition: length is what counts
    /// (NIST SP 800-63B, section 3.1.1.2).
    pub fn check(&self, name: &AccountName) -> Result<(), PasswordError> {
        let (least, most) = PASSWORD_CHARS;
        if !(least..=most).contains(&self.0.chars().take(most + 1).count()) {
            return Err(PasswordError::Length);
        }
        let plain: Zeroizing<String> = Zeroizing::new(
            self.0.chars().filter(|it| *it != ' ').flat_map(char::to_lowercase).collect(),
        );
        let name: String = name.folded().chars().filter(|it| *it != ' ').collect();
        let mut letters = plain.chars();
        let first = letters.next();
        if *plain == name || letters.all(|letter| Some(letter) == first) {
            return Err(PasswordError::Guessable);
        }
        if COMMONEST.contains(&plain.as_str()) { Err(PasswordError::Common) } else { Ok(()) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        Ok(Self::typed(&text))
    }
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    salt: [u8; 16],
    cost: PassphraseCost,
    key: [u8; 32],
}

impl PasswordHash {
    /// Derives it, for tens of milliseconds; the salt must be random. An unusable `cost` gives nothing.
    pub fn make(password: &Password, salt: [u8; 16], cost: PassphraseCost) -> Option<Self> {
        let key = derive_key(password.0.as_bytes(), &salt, cost).ok()?;
        Some(Self { salt, cost, key: *key })
    }

    /// Returns one that no password has: checking it takes as long as checking one that somebody has.
    pub const fn nobodys(salt: [u8; 16], key: [u8; 32]) -> Self {
        Self { salt, cost: PASSWORD_COST, key }
    }

    /// Says whether this is the password, after as long as [`Self::make`] takes.
    pub fn is_of(&self, password: &Password) -> bool {
        let made = Self::make(password, self.salt, self.cost);
        made.is_some_and(|made| constant_time_eq(&made.key, &self.key))
    }
}

#[cfg(test)]
mod tests;
