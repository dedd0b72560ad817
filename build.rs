//! Brings the browser parts into `static/node_modules` by the lock file, and lays out what the
//! binary embeds under `static/node_modules/.cache/patchproof`.
//!
//! Nothing is done without the feature `console`. No script of any package is run.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs, io};

/// Files to embed: where they are in a package, and where they go.
const EMBEDDED: [(&str, &str); 5] = [
    ("swagger-ui-dist/swagger-ui-bundle.js", "docs/swagger-ui-bundle.js"),
    ("swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt", "docs/swagger-ui-bundle.js.LICENSE.txt"),
    ("swagger-ui-dist/swagger-ui.css", "docs/swagger-ui.css"),
    ("swagger-ui-dist/LICENSE", "docs/swagger-ui-LICENSE.txt"),
    ("swagger-ui-dist/NOTICE", "docs/swagger-ui-NOTICE.txt"),
];

const NPM_MISSING: &str = "npm is needed to build the console and API explorer; install Node.js \
                           20 or build with --no-default-features";

fn main() -> ExitCode {
    for file in ["package.json", "package-lock.json", "docs", "node_modules/.package-lock.json"] {
        println!("cargo::rerun-if-changed=static/{file}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CONSOLE").is_none() {
        return ExitCode::SUCCESS;
    }
    match install().and_then(|()| lay_out()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `npm ci` unless what is installed is as new as the lock file.
fn install() -> Result<(), String> {
    let written = |path: &str| fs::metadata(path).and_then(|data| data.modified());
    let installed = written("static/node_modules/.package-lock.json");
    let wanted = written("static/package-lock.json")
        .map_err(|error| format!("static/package-lock.json cannot be read: {error}"))?;
    if installed.is_ok_and(|installed| installed >= wanted) {
        return Ok(());
    }
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir("static")
        .output()
        .map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            if is_missing { NPM_MISSING.into() } else { format!("npm cannot be started: {error}") }
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("npm ci failed in static/ ({}): {last}", output.status))
}

/// Copies the chosen files; a file that has not changed is left alone, so nothing is rebuilt.
fn lay_out() -> Result<(), String> {
    let packages = Path::new("static/node_modules");
    for (from, to) in EMBEDDED {
        let (from, to) = (packages.join(from), packages.join(".cache/patchproof").join(to));
        copy(&from, &to)
            .map_err(|error| format!("{} cannot be laid out: {error}", from.display()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(to, bytes)
}
