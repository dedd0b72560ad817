//! The databases of the predecessor: still named in many environments, so what they say is checked.

use url::Url;

use crate::config::reader::Reader;
use crate::config::secret::Secret;
use crate::config::variable::{Kind, Variable};

pub(super) const MONGODB_URI: Variable = Variable::new(
    "MONGODB_URI",
    Kind::Secret,
    "/etc/patchproof/mongodb_uri",
    "A MongoDB of the predecessor. Not needed: everything is kept in the store of this server. In \
     production it must have a user and a password.",
);

pub(super) const REDIS_URL: Variable = Variable::new(
    "REDIS_URL",
    Kind::Secret,
    "/etc/patchproof/redis_url",
    "A Redis of the predecessor. Not needed. In production it must have a password, or \
     REDIS_PASSWORD must be set.",
);

pub(super) const REDIS_PASSWORD: Variable = Variable::new(
    "REDIS_PASSWORD",
    Kind::Secret,
    "/etc/patchproof/redis_password",
    "The password for REDIS_URL, if it is not in there.",
);

/// The databases of the predecessor.
#[derive(Debug, Clone, Default)]
pub struct OuterStores {
    /// Of MongoDB.
    pub mongodb_uri: Option<Secret>,
    /// Of Redis.
    pub redis_url: Option<Secret>,
    /// Of Redis.
    pub redis_password: Option<Secret>,
}

impl OuterStores {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let stores = Self {
            mongodb_uri: reader.secret(&MONGODB_URI),
            redis_url: reader.secret(&REDIS_URL),
            redis_password: reader.secret(&REDIS_PASSWORD),
        };
        if let Some(uri) = &stores.mongodb_uri {
            check(reader, &MONGODB_URI, mongodb_fault(uri.expose()));
        }
        if let Some(url) = &stores.redis_url {
            let has_password = stores.redis_password.is_some();
            check(reader, &REDIS_URL, redis_fault(url.expose(), has_password));
        }
        stores
    }
}

fn check(reader: &mut Reader<'_>, variable: &'static Variable, fault: Option<&'static str>) {
    match fault {
        Some(expected) if reader.is_production => reader.problem(variable, expected),
        Some(expected) => {
            reader.warn(format!("{} should be {expected}; production refuses it", variable.name));
        }
        None => {}
    }
    reader.warn(format!("{} is set, but this version does not use it", variable.name));
}

/// Returns what a MongoDB address should be, if it is not.
fn mongodb_fault(text: &str) -> Option<&'static str> {
    let form = Some("a URL with mongodb: or mongodb+srv:");
    let Some((scheme, rest)) = text.split_once("://") else { return form };
    if !matches!(scheme, "mongodb" | "mongodb+srv") {
        return form;
    }
    let (authority, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    // Several hosts may follow the user, which no URL has: the first stands for all.
    let host = hosts.split(',').next().unwrap_or_default();
    let Ok(url) = Url::parse(&format!("{scheme}://{user}{host}/")) else { return form };
    let has_password = url.password().is_some_and(|password| !password.is_empty());
    let has_credentials = !url.username().is_empty() && has_password;
    (!has_credentials).then_some("a URL with user and password")
}

/// Returns what a Redis address should be, if it is not.
fn redis_fault(text: &str, has_password: bool) -> Option<&'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "redis" | "rediss"));
    let Some(url) = url.filter(Url::has_host) else {
        return Some("a URL with redis: or rediss:");
    };
    let is_protected = has_password || url.password().is_some_and(|text| !text.is_empty());
    (!is_protected).then_some("a URL with a password, or REDIS_PASSWORD beside it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h3_credentials_are_found_where_they_stand_and_nowhere_else() {
        for (uri, is_good) in [
            ("mongodb://user:pass@host:27017/db?authSource=admin", true),
            ("mongodb+srv://user:p%40ss@cluster0.example.net/db", true),
            ("mongodb://user:pass@one:27017,two:27018,three/db?replicaSet=r", true),
            ("mongodb://user:pass@host", true),
            ("mongodb://host:27017/db?appName=x@y", false),
            ("mongodb://host:27017/a:b@c", false),
            ("mongodb://user:pa,ss@one,two/db", true),
            ("mongodb://user@host/db", false),
            ("mongodb://user:@host/db", false),
            ("mongodb://:pass@host/db", false),
            ("mongodb://127.0.0.1:27017/appdb?authSource=admin", false),
            ("https://user:pass@host/", false),
            ("host", false),
        ] {
            assert_eq!(mongodb_fault(uri).is_none(), is_good, "{uri}");
        }
    }

    #[test]
    fn h2_the_documented_redis_addresses_are_accepted() {
        for (url, password, is_good) in [
            ("redis://default:STRONG_PASSWORD@redis-host:6379", false, true),
            ("rediss://:pass@host", false, true),
            ("redis://127.0.0.1:6379", true, true),
            ("redis://127.0.0.1:6379", false, false),
            ("redis://host/0?x=a:b@c", false, false),
            ("redis://user@host", false, false),
            ("127.0.0.1:6379", true, false),
        ] {
            assert_eq!(redis_fault(url, password).is_none(), is_good, "{url}");
        }
    }
}
