//! The secrets of the API: required in production, made at random elsewhere.

use crate::config::problem::Origin;
use crate::config::reader::Reader;
use crate::config::secret::Secret;
use crate::config::variable::{Kind, Required, Variable};

pub(super) const API_KEY: Variable = Variable::new(
    "API_KEY",
    Kind::Secret,
    "/etc/patchproof/api_key",
    "What trusted clients send as x-api-key.",
)
.required(Required::InProduction);

pub(super) const JWT_SECRET: Variable =
    Variable::new("JWT_SECRET", Kind::Secret, "/etc/patchproof/jwt_secret", "Signs Bearer tokens.")
        .required(Required::InProduction);

pub(super) const JWT_SECRET_PREVIOUS: Variable = Variable::new(
    "JWT_SECRET_PREVIOUS",
    Kind::Secret,
    "/etc/patchproof/jwt_secret_previous",
    "The former JWT_SECRET, whose tokens are accepted until they expire. Remove it after the \
     rotation.",
);

pub(super) const MASTER_SECRET: Variable = Variable::new(
    "MASTER_SECRET",
    Kind::Secret,
    "/etc/patchproof/master_secret",
    "The root of the keys that protect stored content and seal erasures. Without it content cannot \
     be opened and products with erased records count as compromised: never change it, and keep a \
     copy apart from the backups of the data.",
)
.required(Required::InProduction);

/// The secrets of the API.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// What trusted clients send.
    pub api_key: Secret,
    /// Signs and verifies tokens.
    pub jwt: JwtSecrets,
    /// The root of the keys that protect stored content.
    pub master_secret: Secret,
}

/// The secrets of tokens.
#[derive(Debug, Clone)]
pub struct JwtSecrets {
    /// Signs and verifies.
    pub current: Secret,
    /// Verifies what was signed before the last rotation.
    pub previous: Option<Secret>,
}

impl Secrets {
    pub(super) fn read(reader: &mut Reader<'_>, mut random: impl FnMut() -> [u8; 32]) -> Self {
        let api_key = read_or_generate(reader, &API_KEY, &mut random, "clients need the new one");
        let jwt = JwtSecrets::read(reader, |reader, variable| {
            read_or_generate(reader, variable, &mut random, "tokens end with the process")
        });
        let lost = "content stored under it cannot be opened after the next start";
        let master_secret = read_or_generate(reader, &MASTER_SECRET, &mut random, lost);
        Self { api_key, jwt, master_secret }
    }

    /// Makes secrets that nobody knows and that nothing is kept under.
    pub(super) fn of_nobody(mut random: impl FnMut() -> [u8; 32]) -> Self {
        let mut secret = || Secret::new(hex::encode(random()));
        let jwt = JwtSecrets { current: secret(), previous: None };
        Self { api_key: secret(), jwt, master_secret: secret() }
    }
}

impl JwtSecrets {
    /// Reads the secrets for a command, which has no use for one made at random.
    pub(super) fn read_required(reader: &mut Reader<'_>) -> Self {
        Self::read(reader, |reader, variable| match read_checked(reader, variable) {
            Some(secret) => secret,
            None => {
                if !reader.is_faulty(variable) {
                    reader.problem(variable, variable.kind.expected());
                }
                Secret::new("")
            }
        })
    }

    fn read(
        reader: &mut Reader<'_>,
        read_current: impl FnOnce(&mut Reader<'_>, &'static Variable) -> Secret,
    ) -> Self {
        let current = read_current(reader, &JWT_SECRET);
        let previous = read_checked(reader, &JWT_SECRET_PREVIOUS);
        if previous.as_ref().is_some_and(|previous| previous.expose() == current.expose()) {
            reader.warn("JWT_SECRET_PREVIOUS is the same as JWT_SECRET and changes nothing");
        }
        Self { current, previous }
    }
}

fn read_or_generate(
    reader: &mut Reader<'_>,
    variable: &'static Variable,
    random: &mut impl FnMut() -> [u8; 32],
    consequence: &str,
) -> Secret {
    let given = read_checked(reader, variable);
    reader.demand(variable, given.is_some());
    given.unwrap_or_else(|| {
        if !reader.is_production && !reader.is_faulty(variable) {
            let name = variable.name;
            reader.warn(format!("{name} is not set: made at random for this run; {consequence}"));
            reader.note_instead(variable, "***".to_owned(), Origin::Generated);
        }
        Secret::new(hex::encode(random()))
    })
}

/// Reads a secret; a weak one is a problem in production and a warning elsewhere.
fn read_checked(reader: &mut Reader<'_>, variable: &'static Variable) -> Option<Secret> {
    let secret = reader.secret(variable)?;
    if let Some(better) = secret.weakness() {
        if reader.is_production {
            reader.problem(variable, better);
        } else {
            reader.warn(format!("{} should be {better}; production refuses it", variable.name));
        }
    }
    Some(secret)
}

/// Reads the root of keys for a command that can do without it.
pub(super) fn read_master(reader: &mut Reader<'_>) -> Option<Secret> {
    read_checked(reader, &MASTER_SECRET)
}

/// Reads a credential that somebody else issued: only a placeholder is refused, since its length
/// is not ours to choose.
pub(super) fn read_foreign(reader: &mut Reader<'_>, variable: &'static Variable) -> Option<Secret> {
    let secret = reader.secret(variable)?;
    if let Some(better) = secret.placeholder().filter(|_| reader.is_production) {
        reader.problem(variable, better);
    }
    Some(secret)
}
