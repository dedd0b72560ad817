//! `patchproof verify`: checks a proof in any of its forms with nothing but the file and what the
//! user trusts.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::bitcoin::HeaderFile;
use crate::certificate::read_proof;
use crate::cli::output::Output;
use crate::cli::{EXIT_USAGE, Surroundings};
use crate::crypto::PublicKey;
use crate::proof::{KnownChain, Outcome, Report, Trust, Verdict, verify_read};
use crate::types::Checkpoint;

/// A custody of thousands of events stays far below.
const MAX_BUNDLE_BYTES: u64 = 64 * 1024 * 1024;
/// All headers of the main network until the middle of the century.
const MAX_HEADER_BYTES: u64 = 256 * 1024 * 1024;

/// Check a proof or certificate offline, and say what it proves and what not
///
/// Needs no network, no store and no configuration. Exit status: 0 the whole custody is proved, 1 it is
/// not, 2 the file cannot be read.
#[derive(Debug, Args)]
pub(super) struct VerifyCommand {
    /// Bundle, certificate in PDF, or text of its QR code (PP1:…); - is standard input
    file: PathBuf,
    /// Public key of the brand, 66 hexadecimal digits; may be given several times
    #[arg(long, value_name = "KEY")]
    issuer: Vec<PublicKey>,
    /// Headers of the chain that you know, as `patchproof headers export` writes them
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// Block that you vouch for; may be given several times
    #[arg(long, value_name = "HEIGHT:HASH")]
    checkpoint: Vec<Checkpoint>,
}

impl VerifyCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let output = &surroundings.output;
        let read = || {
            let headers = self.headers.as_deref().map(read_headers).transpose()?;
            anyhow::Ok((headers, read_file(&self.file, MAX_BUNDLE_BYTES)?))
        };
        let (headers, bytes) = match read() {
            Ok(read) => read,
            Err(error) => {
                output.talk(&format!("error: {error:#}"));
                return Ok(ExitCode::from(EXIT_USAGE));
            }
        };
        let chain = KnownChain { headers, checkpoints: self.checkpoint };
        let report = verify_read(read_proof(&bytes), &Trust { issuers: self.issuer, chain });
        print(&report, output)?;
        Ok(match report.verdict {
            Verdict::Proved => ExitCode::SUCCESS,
            Verdict::Incomplete | Verdict::Failed => ExitCode::FAILURE,
        })
    }
}

/// Reads a file, or standard input where it is `-`, up to a limit.
pub(super) fn read_file(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut bytes = Vec::new();
    let limit = most.saturating_add(1);
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).with_context(unreadable)?;
    } else {
        let file = std::fs::File::open(path).with_context(unreadable)?;
        file.take(limit).read_to_end(&mut bytes).with_context(unreadable)?;
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        bail!("{} is longer than {most} bytes", path.display());
    }
    Ok(bytes)
}

/// Reads a bundle's bytes.
pub(super) fn read_bundle(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_file(path, MAX_BUNDLE_BYTES)
}

fn read_headers(path: &Path) -> anyhow::Result<HeaderFile> {
    let bytes = read_file(path, MAX_HEADER_BYTES)?;
    HeaderFile::parse(&bytes).with_context(|| format!("{} holds no headers", path.display()))
}

fn print(report: &Report, output: &Output) -> anyhow::Result<()> {
    if output.is_json {
        return Ok(output.json(report)?);
    }
    for step in &report.steps {
        let outcome = match step.outcome {
            Outcome::Ok => "ok",
            Outcome::Failed => "FAILED",
            Outcome::NotChecked => "-",
        };
        let (name, subject, detail) = (step.name, &step.subject, &step.detail);
        output.line(&format!("{outcome:<6}  {name:<16}  {subject:<13}  {detail}"))?;
    }
    for (title, sentences) in
        [("What is proved", &report.proved), ("What is not proved", &report.not_proved)]
    {
        if !sentences.is_empty() {
            output.line(&format!("\n{title}:"))?;
        }
        for sentence in sentences {
            output.line(&format!("  {sentence}"))?;
        }
    }
    output.line(&format!("\n{}", conclusion(report)))?;
    Ok(())
}

fn conclusion(report: &Report) -> String {
    match (report.verdict, report.first_failure()) {
        (Verdict::Proved, _) => "PROVED, as far as is said above".to_owned(),
        (Verdict::Incomplete, _) => {
            "NOT PROVED YET: nothing is wrong, but the newest event is in no block or was erased"
                .to_owned()
        }
        (Verdict::Failed, None) => "NOT PROVED".to_owned(),
        (Verdict::Failed, Some(step)) => {
            format!("NOT PROVED: {} of {}: {}", step.name, step.subject, step.detail)
        }
    }
}
