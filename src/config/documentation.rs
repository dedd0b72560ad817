//! The reference of all variables, rendered from the table: as a page of docs/ and as a manual page.
//!
//! `UPDATE_DOCS=1 cargo test --lib configuration_md` rewrites the file.

use std::fmt::Write as _;

use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::config::table::{GROUPS, NOT_USED};
use crate::config::variable::{Required, Variable};

const INTRODUCTION: &str = "\
# Configuration

Everything is decided by environment variables, read once at the start. `patchproof config check`
reads them as `serve` does, reports everything that is wrong at once, and shows what is in force.

- Beneath the variables of the process stand those of a file: the one that `PATCHPROOF_CONFIG` names,
  else the credential `patchproof.env` of systemd, else `/etc/patchproof/patchproof.env`, which an
  installed package has and which patchproof.env(5) explains. `patchproof setup` writes and changes it.
- A variable that is empty counts as not set.
- A secret `X` may instead be given as `X_FILE`, the path of a file that holds it (one line break at
  its end is left out), or as the credential `X` or `x` of systemd (`LoadCredential=`). Give it in
  one way only. In production the file must not be open to group or others: `chmod 600`.
- In production (`NODE_ENV=production`) the secrets marked so must be set, must be 32 bytes at
  least, and must not be placeholders: `openssl rand -hex 32` makes a good one. Elsewhere a missing
  one is made at random for the run.
- A variable that begins like one of these and is none of them gets a warning.
- Every change takes effect at the next start, unless it is marked hot.

This page is rendered from the table in `src/config/table.rs`; a test compares the two.
";

/// Returns docs/CONFIGURATION.md.
pub fn configuration_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for group in GROUPS {
        let _ = write!(page, "\n## {}\n", group.title);
        for variable in group.variables {
            describe(&mut page, variable);
        }
    }
    page.push_str("\n## Recognised and not used\n\n");
    page.push_str("These belong to the predecessor. They may stay where they are; a warning says ");
    page.push_str("that they have no effect.\n\n");
    for name in NOT_USED {
        let _ = writeln!(page, "- `{name}`");
    }
    page
}

const FORM: [&str; 4] = [
    "A line is NAME=value; the value may stand in single or double quotes. Lines that begin with # or \
     ; and empty ones mean nothing. Escapes and lines that go on are refused.",
    "The file is the one that PATCHPROOF_CONFIG names, else the credential patchproof.env of the \
     service manager, else /etc/patchproof/patchproof.env. What a process is started with stands \
     above it.",
    "A secret X may instead be given as X_FILE, the path of a file that holds it, or as the credential \
     X or x of the service manager (LoadCredential=). In production no such file may be open to group \
     or others.",
    "patchproof config check says what is wrong, patchproof config show --origin what is in force and \
     in which line it stands, patchproof setup changes lines.",
];

/// Returns the manual page patchproof.env(5).
pub fn configuration_page() -> String {
    let mut page = Roff::new();
    page.control("TH", ["patchproof.env", "5", "", env!("CARGO_PKG_VERSION"), "PatchProof"]);
    page.control("SH", ["NAME"]);
    page.text([roman("patchproof.env - the configuration of PatchProof")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([italic("/etc/patchproof/patchproof.env")]);
    page.control("SH", ["DESCRIPTION"]);
    for paragraph in FORM {
        page.control("PP", []);
        page.text([roman(paragraph)]);
    }
    for group in GROUPS {
        page.control("SH", [group.title]);
        for variable in group.variables {
            page.control("TP", []);
            page.text([bold(variable.name)]);
            let facts = facts(variable).join(". ");
            page.text([roman(format!("{} {facts}.", variable.documentation))]);
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("patchproof"), roman("(1), "), bold("systemd.exec"), roman("(5)")]);
    page.to_roff()
}

fn describe(page: &mut String, variable: &Variable) {
    let Variable { name, documentation, .. } = variable;
    let facts = facts(variable).join(". ");
    let line = variable.example_line();
    let _ = write!(page, "\n### {name}\n\n{documentation}\n\n{facts}. Example: `{line}`\n");
}

/// Returns what is to be known of a variable beside what it is for, in code where it is code.
fn facts(variable: &Variable) -> Vec<String> {
    let mut facts = vec![format!("Value: {}", variable.kind.expected())];
    match variable.required {
        Required::Never => {}
        Required::InProduction => facts.push("Required in production".to_owned()),
        Required::Always => facts.push("Required".to_owned()),
    }
    if let Some(default) = variable.default {
        facts.push(format!("Default: `{default}`"));
    }
    if !variable.aliases.is_empty() {
        facts.push(format!("Also called `{}`", variable.aliases.join("`, `")));
    }
    facts.push(format!("Takes effect: {}", variable.takes_effect.as_str()));
    facts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CONFIGURATION_MD: &str = "docs/CONFIGURATION.md";

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of the product")]
    fn configuration_md_is_what_the_table_says() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(CONFIGURATION_MD);
        if std::env::var("UPDATE_DOCS").is_ok() {
            std::fs::write(&file, configuration_markdown()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        let is_current = written == configuration_markdown();
        assert!(is_current, "{CONFIGURATION_MD} is stale: run with UPDATE_DOCS=1");
    }
}
