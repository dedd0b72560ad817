//! Hints for variables that look like ours and are not: a slip in a name is otherwise never
//! noticed.

use crate::config::environment::Environment;
use crate::config::table::{NOT_USED, variables};

/// Beginnings that nobody else uses: any unknown name with one of them is worth a word.
const OUR_PREFIXES: [&str; 10] = [
    "ANCHOR_",
    "CUSTODY_",
    "ISSUER_",
    "JWT_",
    "KMS_",
    "PATCHPROOF_",
    "PP_",
    "SVD_",
    "UTXO_",
    "WOC_",
];
/// What people put before our names although it is not part of them.
const NEEDLESS_PREFIXES: [&str; 2] = ["PP_", "PATCHPROOF_"];
/// Beginnings that others use as well: worth a word if the rest is close to one of our names.
const SHARED_PREFIXES: [&str; 25] = [
    "API_",
    "ARC_",
    "AUTH_",
    "BROADCAST_",
    "CHAIN_",
    "CONFIRMED_",
    "CORS_",
    "DEPLOY_",
    "EMAIL_",
    "FEE_",
    "FUNDING_",
    "HEALTH_",
    "JOBS_",
    "LOG_",
    "MAIL_",
    "MASTER_",
    "MAX_",
    "METRICS_",
    "MONGODB_",
    "NODE_",
    "PUBLIC_",
    "REDIS_",
    "REGISTRATION_",
    "SMTP_",
    "UNLOCK_",
];
/// How far from a name of ours a name may be to be taken for it, by how it begins.
const OUR_SLIPS: usize = 3;
const SHARED_SLIPS: usize = 2;

/// Returns a sentence for each variable that is probably meant for us and has no effect.
pub(super) fn hints(environment: &Environment) -> Vec<String> {
    environment.names().filter_map(hint).collect()
}

fn hint(name: &str) -> Option<String> {
    if NOT_USED.contains(&name) {
        return Some(format!("{name} is set, but this version does not use it"));
    }
    if let Some(of_file) = name.strip_suffix("_FILE") {
        let variable = variables().find(|variable| variable.names().any(|n| n == of_file));
        if let Some(variable) = variable {
            let hint =
                format!("{name} is set, but only secrets are read from files; set {of_file}");
            return (!variable.is_secret()).then_some(hint);
        }
    }
    if variables().any(|variable| variable.names().any(|known| known == name)) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| upper.starts_with(prefix));
    let patience = if begins(&OUR_PREFIXES) { OUR_SLIPS } else { SHARED_SLIPS };
    if !begins(&OUR_PREFIXES) && !begins(&SHARED_PREFIXES) {
        return None;
    }
    match nearest_name(&upper, patience) {
        Some(known) => {
            Some(format!("{name} is not a variable of PatchProof; did you mean {known}?"))
        }
        None => begins(&OUR_PREFIXES).then(|| format!("{name} is not a variable of PatchProof")),
    }
}

/// Returns the known name that is the fewest slips away, if there are at most `patience`.
fn nearest_name(name: &str, patience: usize) -> Option<String> {
    let plain = NEEDLESS_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
    nearest_to(name, patience).or_else(|| nearest_to(plain?, SHARED_SLIPS))
}

fn nearest_to(name: &str, patience: usize) -> Option<String> {
    let of_variables = variables().flat_map(|variable| {
        let files = variable.names().filter(|_| variable.is_secret());
        let files = files.map(|name| format!("{name}_FILE"));
        variable.names().map(str::to_owned).chain(files).collect::<Vec<_>>()
    });
    let known = of_variables.chain(NOT_USED.iter().map(|name| (*name).to_owned()));
    let nearest = known.map(|known| {
        let slips = distance(name.as_bytes(), known.as_bytes());
        (known, slips)
    });
    let nearest = nearest.min_by_key(|(_, slips)| *slips);
    nearest.filter(|(_, slips)| *slips <= patience).map(|(known, _)| known)
}

/// Counts the insertions, deletions and substitutions between two names (Levenshtein 1966).
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (place, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (column, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_get_a_suggestion() {
        for (name, meant) in [
            ("KMS_SING_URL", "KMS_SIGN_URL"),
            ("WOC_TIMEOUT", "WOC_TIMEOUT_MS"),
            ("UTXO_MIN_CONFIRMATION", "UTXO_MIN_CONFIRMATIONS"),
            ("JWT_SECRETS", "JWT_SECRET"),
            ("JWT_SECRET_FIL", "JWT_SECRET_FILE"),
            ("api_key", "API_KEY"),
            ("LOG_LEVLE", "LOG_LEVEL"),
            ("PATCHPROOF_DATADIR", "PATCHPROOF_DATA_DIR"),
            ("PP_PORT", "PORT"),
            ("PP_API_KEY", "API_KEY"),
            ("PATCHPROOF_JWT_SECRET", "JWT_SECRET"),
            ("PP_JWT_SECRETS", "JWT_SECRET"),
            ("SMTP_PASSWD", "SMTP_PASS"),
            ("EMAIL_FORM", "EMAIL_FROM"),
        ] {
            let hint = hint(name).unwrap_or_default();
            assert!(hint.ends_with(&format!("did you mean {meant}?")), "{name}: {hint}");
        }
    }

    #[test]
    fn names_that_begin_as_ours_are_never_silent_and_others_are_left_alone() {
        assert_eq!(
            hint("KMS_COMPLETELY_DIFFERENT").as_deref(),
            Some("KMS_COMPLETELY_DIFFERENT is not a variable of PatchProof")
        );
        assert_eq!(
            hint("PP_NOTHING_OF_OURS").as_deref(),
            Some("PP_NOTHING_OF_OURS is not a variable of PatchProof")
        );
        assert!(hint("WOC_NETWORK_FILE").unwrap().contains("only secrets"));
        assert!(hint("DB_NAME").unwrap().contains("does not use it"));
        for name in [
            "PATH",
            "HOME",
            "LOGNAME",
            "NODE_OPTIONS",
            "NODE_VERSION",
            "REDIS_PORT_6379_TCP",
            "http_proxy",
            "KUBERNETES_PORT",
            "PUBLIC_IP",
            "API_KEY_FILE",
            "MONGODB_PORT_27017",
            "FUNDING_ADDRESS",
            "POSTGRES_PORT",
            "SVN_EDITOR",
            "AUTH_TOKEN",
            "MAIL_PATH",
            "EMAIL",
        ] {
            assert_eq!(hint(name), None, "{name}");
        }
    }

    #[test]
    fn distances_count_slips() {
        for (left, right, slips) in [("", "", 0), ("a", "", 1), ("abc", "axc", 1), ("ab", "ba", 2)]
        {
            assert_eq!(distance(left.as_bytes(), right.as_bytes()), slips);
        }
    }
}
