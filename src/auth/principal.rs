//! Principals, scopes and the permissions that handlers name in their signatures.
//!
//! A scope is what a key may do; a [`Permission`] is the same as a type, so that a handler that
//! asks for none does not compile. [`Scope::Admin`] covers every other scope.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bitcoin::Address;
use crate::types::Timestamp;

/// One thing that an API key may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Registers and transfers patches.
    PatchesWrite,
    /// Works a point of sale: claim intents and approvals.
    Pos,
    /// Unlocks and replaces protected content.
    Unlock,
    /// Reads metrics.
    MetricsRead,
    /// Maintains the pool of unspent outputs.
    UtxoWrite,
    /// Changes run-time settings.
    SettingsWrite,
    /// Makes and revokes API keys.
    KeysWrite,
    /// Everything.
    Admin,
}

/// Text that names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a scope")]
pub struct ScopeParseError;

impl Scope {
    /// Every scope, in the order of their documentation.
    pub const ALL: [Self; 8] = [
        Self::PatchesWrite,
        Self::Pos,
        Self::Unlock,
        Self::MetricsRead,
        Self::UtxoWrite,
        Self::SettingsWrite,
        Self::KeysWrite,
        Self::Admin,
    ];

    /// Returns the scope's name as operators write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PatchesWrite => "patches:write",
            Self::Pos => "pos",
            Self::Unlock => "unlock",
            Self::MetricsRead => "metrics:read",
            Self::UtxoWrite => "utxo:write",
            Self::SettingsWrite => "settings:write",
            Self::KeysWrite => "keys:write",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u16 {
        match self {
            Self::PatchesWrite => 1,
            Self::Pos => 1 << 1,
            Self::Unlock => 1 << 2,
            Self::MetricsRead => 1 << 3,
            Self::UtxoWrite => 1 << 4,
            Self::SettingsWrite => 1 << 5,
            Self::KeysWrite => 1 << 6,
            Self::Admin => 1 << 7,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ScopeParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(ScopeParseError)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(u16);

impl Scopes {
    /// Returns the set that allows everything.
    pub const fn all() -> Self {
        Self(Scope::Admin.bit())
    }

    /// Returns the scopes of the set, in the order of their documentation.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// Tells whether the set names a scope itself.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Tells whether the set allows what needs `scope`.
    pub const fn allows(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// The holder of an API key, an account or an operator of this machine, as far as this product knows
/// them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Identifies the key, never the key itself, or is `account:` and an identifier, or `local:` and a
    /// user number: safe in logs, audit lines and limiter keys.
    pub id: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The shop that a point of sale's key or a cashier's account belongs to.
    pub shop: Option<Address>,
    /// Whether routes that only read are open, whatever their scope; of accounts, never of keys.
    pub reads_all: bool,
}

impl Principal {
    /// Returns the operator of this machine with this user number, who may do everything.
    pub fn local_operator(uid: u32) -> Self {
        let id = format!("local:{uid}");
        Self { id, scopes: Scopes::all(), shop: None, reads_all: true }
    }

    /// Says whether it may do what `P` stands for.
    pub fn may<P: Permission>(&self) -> bool {
        self.scopes.allows(P::SCOPE)
            || P::OTHER.is_some_and(|scope| self.scopes.allows(scope))
            || (P::IS_READ && self.reads_all)
    }
}

/// The person a Bearer token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The name: a user's 24 hexadecimal digits, or what an operator wrote.
    pub id: String,
    /// How the person proved who it is.
    pub scope: TokenScope,
}

/// Whom a token was issued to, whether or not it was taken back since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bearer {
    /// Whom it speaks for.
    pub subject: Subject,
    /// How often the subject's tokens had been taken back when it was issued.
    pub epoch: u64,
}

/// How the bearer of a token proved who he is, and so what the token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// By a key, in the passwordless login.
    Svd,
    /// By reading a mailbox: not enough to hand anything on (OWASP ASVS 6.3.5).
    Email,
    /// An operator vouches for it.
    Operator,
}

impl TokenScope {
    /// Says whether a token may stand for a person who hands products on.
    pub const fn is_strong(self) -> bool {
        match self {
            Self::Svd | Self::Operator => true,
            Self::Email => false,
        }
    }
}

/// Why a Bearer token was not accepted: for logs, the client gets one answer for every cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejection {
    /// The text is not a token at all.
    #[error("the token is malformed")]
    Malformed,
    /// No key of ours signed it.
    #[error("the token's signature is not ours")]
    WrongSignature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A claim is missing or says something else than it must.
    #[error("the token's claims are not acceptable")]
    WrongClaims,
    /// It was taken back.
    #[error("the token was revoked")]
    Revoked,
    /// Whether it was taken back cannot be found out at present.
    #[error("whether the token was revoked is not known")]
    Unknown,
}

/// Something a handler may demand, named by a type.
pub trait Permission: Send + Sync + 'static {
    /// The scope that grants it.
    const SCOPE: Scope;
    /// Whether it only reads: who [reads everything](Principal::reads_all) has it without the scope.
    const IS_READ: bool = false;
    /// Another scope that does, if there is one.
    const OTHER: Option<Scope> = None;
}

/// The permissions: one type per scope, and one for what is only read under it.
pub mod permission {
    use crate::auth::principal::{Permission, Scope};

    macro_rules! permissions {
        ($($(#[$doc:meta])* $name:ident => $scope:ident $(| $other:ident)? $(, reads: $reads:literal)?);* $(;)?) => {
            $(
                $(#[$doc])*
                #[derive(Debug, Clone, Copy)]
                pub enum $name {}

                impl Permission for $name {
                    const SCOPE: Scope = Scope::$scope;
                    $(const IS_READ: bool = $reads;)?
                    $(const OTHER: Option<Scope> = Some(Scope::$other);)?
                }
            )*
        };
    }

    permissions! {
        /// Permits registering and transferring patches.
        PatchesWrite => PatchesWrite;
        /// Permits working a point of sale.
        Pos => Pos;
        /// Permits unlocking and replacing protected content.
        Unlock => Unlock;
        /// Permits reading metrics.
        MetricsRead => MetricsRead;
        /// Permits maintaining the pool of unspent outputs.
        UtxoWrite => UtxoWrite;
        /// Permits changing run-time settings.
        SettingsWrite => SettingsWrite;
        /// Permits making and revoking API keys.
        KeysWrite => KeysWrite;
        /// Permits everything.
        Admin => Admin;
        /// Permits reading what is registered and how far it has come.
        PatchesRead => PatchesWrite, reads: true;
        /// Permits reading the pool of unspent outputs.
        UtxoRead => UtxoWrite, reads: true;
        /// Permits reading run-time settings and checkpoints.
        SettingsRead => SettingsWrite, reads: true;
        /// Permits reading which API keys there are.
        KeysRead => KeysWrite, reads: true;
        /// Permits reading the audit trail.
        AuditRead => Admin, reads: true;
        /// Permits reading the state of the product: overview, charts, networks, machine.
        OverviewRead => MetricsRead, reads: true;
        /// Permits reading the log.
        LogsRead => Admin, reads: true;
        /// Permits reading claims: those of the shop that one belongs to, or of all.
        ClaimsRead => Pos, reads: true;
        /// Permits reading the list of records, and hearing how they move.
        RecordsRead => PatchesWrite, reads: true;
        /// Permits opening the stream, in which everybody hears what he may read.
        EventsRead => MetricsRead | Pos, reads: true;
    }
}

/// Whoever keeps the API keys.
pub trait ApiKeys: Send + Sync {
    /// Returns whose key `presented` is; takes the same time wherever a wrong key differs.
    fn authenticate(&self, presented: &str) -> Option<Principal>;

    /// Returns as whom a request without any key is let in, if at all.
    fn without_key(&self) -> Option<Principal> {
        None
    }
}

/// Whoever judges Bearer tokens.
pub trait Tokens: Send + Sync {
    /// Returns whom `token` speaks for at the time `now`.
    fn verify(&self, token: &str, now: Timestamp) -> Result<Subject, TokenRejection>;

    /// Returns to whom `token` was issued, by its signature and claims at the time `now` alone. Reads
    /// nothing, so a token that was taken back still has a bearer: good for counting, opens nothing.
    fn bearer(&self, token: &str, now: Timestamp) -> Option<Bearer>;

    /// Returns for whom a request without any token speaks, if it is let in at all.
    fn without_token(&self) -> Option<Subject> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_allows_what_it_holds_and_nothing_else() {
        let scopes: Scopes = [Scope::Pos, Scope::Unlock].into_iter().collect();
        let allowed: Vec<_> =
            Scope::ALL.into_iter().filter(|scope| scopes.allows(*scope)).collect();
        assert_eq!(allowed, [Scope::Pos, Scope::Unlock]);
    }

    #[test]
    fn admin_covers_every_scope() {
        assert!(Scope::ALL.into_iter().all(|scope| Scopes::all().allows(scope)));
    }

    #[test]
    fn a_scope_is_read_back_from_its_name() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert_eq!("ADMIN".parse::<Scope>(), Err(ScopeParseError));
    }
}
