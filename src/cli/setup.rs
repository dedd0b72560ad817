//! `patchproof setup`: the configuration of an installed machine, made once and changed by the line.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::Surroundings;
use crate::cli::demo::write_private;
use crate::cli::signer::create_passphrase;
use crate::config::{
    Config, Environment, INSTALLED_FILE, Variable, changed_file, example_file, variable_named,
};
use crate::crypto::random_bytes;

/// Beside the file of variables: what opens the keys of the packaged signer.
const PASSPHRASE_FILE: &str = "signer.passphrase";
const SIGNER_URL: &str = "unix:///run/patchproof-signer/signer.sock";
const SIMNET_URL: &str = "http://127.0.0.1:3003/v1/bsv/test";

/// Write the configuration of an installed machine, or change lines of it
///
/// The first time it writes a file in which every variable is explained, with new random secrets and
/// set to the packaged signer, and the passphrase of that signer beside it. After that it changes the
/// lines that it is asked to change and no others; secrets are changed by editing the file.
#[derive(Debug, Args)]
pub(super) struct SetupCommand {
    /// The file of variables
    #[arg(long, value_name = "FILE", default_value = INSTALLED_FILE)]
    file: PathBuf,
    /// The network to use; each has a data folder of its own. Without it a new file uses simulated
    #[arg(long, value_name = "NETWORK")]
    network: Option<NetworkChoice>,
    /// Further variables to set, such as SMTP_HOST=mail.shop.example
    #[arg(value_name = "NAME=VALUE", value_parser = parse_assignment)]
    variables: Vec<(&'static Variable, String)>,
}

/// Where records are anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NetworkChoice {
    /// The simulated network of this machine: no money, no internet
    Simulated,
    /// The public test network
    Test,
    /// The main network: real money
    Main,
}

type Change = (&'static str, Option<String>);

impl NetworkChoice {
    const fn name(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Test => "test",
            Self::Main => "main",
        }
    }

    /// What stands in the file for this network and for no other. The store is bound to its network
    /// for life, so each has a folder of its own and going back finds everything again.
    fn lines(self) -> Vec<Change> {
        let set = |name: &'static str, value: &str| (name, Some(value.to_owned()));
        let data_dir = format!("/var/lib/patchproof/{}", self.name());
        let mut lines = vec![set("PATCHPROOF_DATA_DIR", &data_dir)];
        match self {
            // No mail server is there to send codes, which development alone does without.
            Self::Simulated => lines.extend([
                set("NODE_ENV", "development"),
                set("WOC_NETWORK", "test"),
                set("WOC_BASE_URL", SIMNET_URL),
                set("CHAIN_PROFILE", "simulated"),
            ]),
            Self::Test | Self::Main => lines.extend([
                set("NODE_ENV", "production"),
                set("WOC_NETWORK", self.name()),
                ("WOC_BASE_URL", None),
                ("CHAIN_PROFILE", None),
            ]),
        }
        lines
    }
}

impl SetupCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let mut changes: Vec<Change> = self.network.map(NetworkChoice::lines).unwrap_or_default();
        changes.extend(self.variables.iter().map(|(known, text)| (known.name, Some(text.clone()))));
        let shown = self.file.display();
        let is_new = match std::fs::read_to_string(&self.file) {
            Ok(text) => {
                let changed = changed_file(&text, &changes);
                if changed != text {
                    write_private(&self.file, changed.as_bytes())?;
                }
                false
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(&self.file, changes, self.network)?;
                true
            }
            Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
        };
        self.tell(is_new, surroundings)
    }

    /// Says what is in force now, what it still lacks, and what to do next.
    fn tell(&self, is_new: bool, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let output = &surroundings.output;
        let lacks = Config::load(&Environment::of_file(&self.file), random_bytes::<32>).err();
        if output.is_json {
            let problems = lacks.map(|problems| problems.0).unwrap_or_default();
            output.json(&json!({ "file": self.file, "isNew": is_new, "problems": problems }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let what = if is_new { "written, with new secrets" } else { "up to date" };
        output.talk(&format!("{}: {what}", self.file.display()));
        if let Some(problems) = lacks {
            output.talk(&format!("It is not complete: {problems}"));
        }
        match self.network {
            Some(NetworkChoice::Simulated) if !is_new => output.talk(
                "Next: systemctl enable --now patchproof-simnet && systemctl restart patchproof",
            ),
            Some(NetworkChoice::Test | NetworkChoice::Main) if !is_new => output.talk(
                "Next: systemctl disable --now patchproof-simnet; systemctl restart patchproof",
            ),
            Some(_) | None => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a file that is not there yet, and the passphrase of the packaged signer.
fn create(file: &Path, changes: Vec<Change>, network: Option<NetworkChoice>) -> anyhow::Result<()> {
    let secret = || hex::encode(random_bytes::<32>());
    let mut set: Vec<(&str, String)> = [
        ("CONTROL_SOCKET", "/run/patchproof/control.sock".to_owned()),
        ("API_KEY", secret()),
        ("JWT_SECRET", secret()),
        ("MASTER_SECRET", secret()),
        ("KMS_SIGN_URL", SIGNER_URL.to_owned()),
        ("ISSUER_KEY_IDENTIFIER", "issuer".to_owned()),
        ("CUSTODY_KEY_IDENTIFIER", "custody".to_owned()),
        ("UTXO_FUNDING_KEY_IDENTIFIER", "funding".to_owned()),
        ("UTXO_CHANGE_KEY_IDENTIFIER", "change".to_owned()),
    ]
    .into();
    let unless_said = network.is_none().then(|| NetworkChoice::Simulated.lines());
    for (name, value) in unless_said.into_iter().flatten().chain(changes) {
        set.retain(|(known, _)| *known != name);
        set.extend(value.map(|value| (name, value)));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let passphrase = folder.unwrap_or(Path::new(".")).join(PASSPHRASE_FILE);
    create_passphrase(&passphrase)?;
    write_private(file, example_file(&set).as_bytes())
}

/// Reads `NAME=VALUE`. A secret on a command line would be seen by everybody on the machine.
fn parse_assignment(text: &str) -> anyhow::Result<(&'static Variable, String)> {
    let Some((name, value)) = text.split_once('=') else { bail!("expected NAME=VALUE") };
    let Some(variable) = variable_named(name) else {
        bail!("{name} is not a variable of PatchProof; patchproof config show lists them")
    };
    if variable.is_secret() {
        bail!("{name} is a secret, which others could read here: edit the file instead")
    }
    if value.contains(['\n', '\\']) || (value.contains('"') && value.contains('\'')) {
        bail!("{name}: the value cannot stand in a file of variables")
    }
    Ok((variable, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_set_here_is_refused() {
        assert!(parse_assignment("PORT=3001").is_ok());
        for text in ["PORT", "NOBODY=1", "API_KEY=abc", "EMAIL_FROM=\"'", "EMAIL_FROM=a\nb"] {
            assert!(parse_assignment(text).is_err(), "{text}");
        }
    }
}
