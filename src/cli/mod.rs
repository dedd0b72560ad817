//! The command line: one file per command, whose doc comments are its help.
//!
//! Data goes to standard output, talk to standard error. A command asks for no more configuration
//! than it uses.

mod admin;
mod anchor;
mod audit;
mod backup;
mod certificate;
mod check;
mod completions;
mod config;
mod demo;
mod desk;
mod doctor;
mod headers;
mod keys;
mod log;
mod man;
mod openapi;
mod output;
mod patches;
mod proof;
mod records;
mod restore;
mod serve;
mod settings;
mod setup;
mod signer;
mod simnet;
mod store;
mod token;
mod utxo;
mod verify;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

use crate::app::{logging, shutdown};
use crate::cli::desk::{NotPermitted, Refusal};
use crate::cli::output::Output;
use crate::config::{Config, ConfigProblems, Environment, LogFormat, LogLevel, LoggingSettings};
use crate::crypto::random_bytes;
use crate::types::{Clock, SystemClock};

/// EX_TEMPFAIL of sysexits.h: the same has a chance a little later.
const EXIT_LATER: u8 = 75;
/// EX_NOPERM of sysexits.h: the command may not be run by this user.
const EXIT_NOT_PERMITTED: u8 = 77;
/// EX_CONFIG of sysexits.h: the configuration is wrong.
const EXIT_CONFIG: u8 = 78;
const EXIT_USAGE: u8 = 2;
const FORBIDDEN: u16 = 403;
/// The demo tells its own story; the log is for what goes wrong.
const DEMO_LOG: LoggingSettings =
    LoggingSettings { level: LogLevel::Warn, format: LogFormat::Text };

/// Register physical products, keep their chain of custody, anchor every record on the BSV
/// blockchain
#[derive(Debug, Parser)]
#[command(
    name = "patchproof",
    version,
    propagate_version = true,
    after_help = "Exit status: 0 success, 1 failure, 2 usage, 4 warnings of doctor,\n\
                  75 try again later, 77 not permitted, 78 configuration.\n\
                  Environment: see docs/CONFIGURATION.md and `patchproof config check`."
)]
struct Cli {
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Demo(demo::DemoArgs),
    Config(config::ConfigCommand),
    Token(token::TokenCommand),
    Signer(signer::SignerCommand),
    Simnet(simnet::SimnetCommand),
    Utxo(utxo::UtxoCommand),
    Headers(headers::HeadersCommand),
    Anchor(anchor::AnchorCommand),
    Patches(patches::PatchesCommand),
    Records(records::RecordsCommand),
    Keys(keys::KeysCommand),
    Admin(admin::AdminCommand),
    Audit(audit::AuditCommand),
    Log(log::LogCommand),
    Verify(verify::VerifyCommand),
    Proof(proof::ProofCommand),
    Certificate(certificate::CertificateCommand),
    Settings(settings::SettingsCommand),
    Setup(setup::SetupCommand),
    Check(check::CheckCommand),
    Backup(backup::BackupCommand),
    Restore(restore::RestoreCommand),
    Doctor(doctor::DoctorCommand),
    Openapi(openapi::OpenapiCommand),
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
}

/// What every command is given.
struct Surroundings {
    environment: Environment,
    clock: Arc<dyn Clock>,
    output: Output,
}

impl Surroundings {
    fn start_log(&self, settings: LoggingSettings) {
        logging::start(settings, self.environment.get("NO_COLOR").is_none());
    }
}

impl Command {
    fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(command) => {
                let config = Config::load(&surroundings.environment, random_bytes::<32>)?;
                surroundings.start_log(config.logging);
                runtime()?.block_on(command.run(config)).map(|()| ExitCode::SUCCESS)
            }
            Self::Demo(command) => {
                surroundings.start_log(DEMO_LOG);
                runtime()?.block_on(command.run()).map(|()| ExitCode::SUCCESS)
            }
            Self::Config(command) => command.run(surroundings),
            Self::Token(command) => command.run(surroundings),
            Self::Signer(command) => command.run(surroundings),
            Self::Simnet(command) => command.run(surroundings),
            Self::Utxo(command) => command.run(surroundings),
            Self::Headers(command) => command.run(surroundings),
            Self::Anchor(command) => command.run(surroundings),
            Self::Patches(command) => command.run(surroundings),
            Self::Records(command) => command.run(surroundings),
            Self::Keys(command) => command.run(surroundings),
            Self::Admin(command) => command.run(surroundings),
            Self::Audit(command) => command.run(surroundings),
            Self::Log(command) => command.run(surroundings),
            Self::Verify(command) => command.run(surroundings),
            Self::Proof(command) => command.run(surroundings),
            Self::Certificate(command) => command.run(surroundings),
            Self::Settings(command) => command.run(surroundings),
            Self::Setup(command) => command.run(surroundings),
            Self::Check(command) => command.run(surroundings),
            Self::Backup(command) => command.run(surroundings),
            Self::Restore(command) => command.run(surroundings),
            Self::Doctor(command) => command.run(surroundings),
            Self::Openapi(command) => command.run(surroundings),
            Self::Completions(command) => command.run(surroundings),
            Self::Man(command) => command.run(surroundings),
        }
    }
}

/// Runs the command that `arguments` name, the first of which is the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(refusal) => {
            // Help and version are refusals too, but to standard output and with success.
            drop(refusal.print());
            return if refusal.use_stderr() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let surroundings = Surroundings {
        environment: Environment::of_process(),
        clock: Arc::new(SystemClock),
        output: Output { is_json: cli.json },
    };
    cli.command.run(&surroundings).unwrap_or_else(|error| report(&surroundings.output, &error))
}

/// Says what failed and why, and returns the exit status for it.
fn report(output: &Output, error: &anyhow::Error) -> ExitCode {
    let is_broken_pipe = |cause: &std::io::Error| cause.kind() == ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(is_broken_pipe) {
        // Whoever reads has read enough, as in `… | head -1`.
        return ExitCode::SUCCESS;
    }
    output.talk(&format!("error: {error}"));
    for cause in error.chain().skip(1) {
        output.talk(&format!("  because {cause}"));
    }
    let is_configuration = error.chain().any(|cause| cause.is::<ConfigProblems>());
    let refusal = error.downcast_ref::<Refusal>();
    if is_configuration {
        ExitCode::from(EXIT_CONFIG)
    } else if error.downcast_ref::<NotPermitted>().is_some()
        || refusal.is_some_and(|refusal| refusal.status == FORBIDDEN)
    {
        ExitCode::from(EXIT_NOT_PERMITTED)
    } else if refusal.is_some_and(Refusal::is_temporary) {
        ExitCode::from(EXIT_LATER)
    } else {
        ExitCode::FAILURE
    }
}

/// Returns the description of the whole command line.
fn description() -> clap::Command {
    Cli::command()
}

/// Waits until the process is asked to stop.
async fn stop_signal() {
    match shutdown::on_signal() {
        Ok(mut stop) => drop(stop.wait_for(|stop| *stop).await),
        Err(error) => {
            // Without signals the process can still be killed, which loses nothing.
            tracing::error!(%error, "signals cannot be waited for");
            std::future::pending().await
        }
    }
}

/// Makes what drives asynchronous commands.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime does not start")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_its_help_has_no_full_stops() {
        let mut description = description();
        description.build();
        description.clone().debug_assert();
        let mut commands = vec![description];
        while let Some(command) = commands.pop() {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name} says what it does");
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{name}: {} says what it is", argument.get_id());
                assert!(!help.ends_with('.'), "{name}: {help}");
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
