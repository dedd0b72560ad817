//! Brings the browser parts into `static/node_modules` by the lock file, and lays out what the
//! binary embeds under `static/node_modules/.cache/patchproof`.
//!
//! Nothing is done without the feature `console`. No script of any package is run.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Large files to embed compressed, as they are also sent: where they are in a package, and where they go.
const EMBEDDED_COMPRESSED: [(&str, &str); 7] = [
    ("@expo-google-fonts/eb-garamond/400Regular/EBGaramond_400Regular.ttf", "fonts/regular.ttf.gz"),
    (
        "@expo-google-fonts/eb-garamond/400Regular_Italic/EBGaramond_400Regular_Italic.ttf",
        "fonts/italic.ttf.gz",
    ),
    ("@expo-google-fonts/eb-garamond/500Medium/EBGaramond_500Medium.ttf", "fonts/medium.ttf.gz"),
    ("@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf", "fonts/wide.ttf.gz"),
    (
        "@expo-google-fonts/noto-sans-mono/400Regular/NotoSansMono_400Regular.ttf",
        "fonts/fixed.ttf.gz",
    ),
    ("swagger-ui-dist/swagger-ui-bundle.js", "docs/swagger-ui-bundle.js.gz"),
    ("swagger-ui-dist/swagger-ui.css", "docs/swagger-ui.css.gz"),
];

/// Files to embed as they are.
const EMBEDDED: [(&str, &str); 4] = [
    ("@expo-google-fonts/eb-garamond/LICENSE_FONT", "fonts/LICENSE.txt"),
    ("swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt", "docs/swagger-ui-bundle.js.LICENSE.txt"),
    ("swagger-ui-dist/LICENSE", "docs/swagger-ui-LICENSE.txt"),
    ("swagger-ui-dist/NOTICE", "docs/swagger-ui-NOTICE.txt"),
];

/// Modules of the check in the browser: the same, without the lines that are comments alone, which
/// are more than half of what a visitor would be sent. What the licence demands to stand stays.
const EMBEDDED_BARE: [(&str, &str); 6] = [
    ("@noble/hashes/_md.js", "certificate/_md.js"),
    ("@noble/hashes/_u64.js", "certificate/_u64.js"),
    ("@noble/hashes/legacy.js", "certificate/legacy.js"),
    ("@noble/hashes/sha2.js", "certificate/sha2.js"),
    ("@noble/hashes/utils.js", "certificate/utils.js"),
    ("@noble/secp256k1/index.js", "certificate/secp256k1.js"),
];

/// Modules of the console, which name each other by packages: rewritten to where they are laid out.
const EMBEDDED_MODULES: [(&str, &str); 5] = [
    ("preact/dist/preact.mjs", "admin/vendor/preact.js"),
    ("preact/hooks/dist/hooks.mjs", "admin/vendor/hooks.js"),
    ("@preact/signals-core/dist/signals-core.mjs", "admin/vendor/signals-core.js"),
    ("@preact/signals/dist/signals.mjs", "admin/vendor/signals.js"),
    ("htm/dist/htm.mjs", "admin/vendor/htm.js"),
];

/// The packages that those modules name, and their files.
const SPECIFIERS: [(&str, &str); 3] = [
    ("from\"preact\"", "from\"./preact.js\""),
    ("from\"preact/hooks\"", "from\"./hooks.js\""),
    ("from\"@preact/signals-core\"", "from\"./signals-core.js\""),
];

/// The smaller form of uPlot is a script that defines a name; one line makes it a module.
const CHART: (&str, &str) = ("uplot/dist/uPlot.iife.min.js", "admin/vendor/uplot.js");
const CHART_EXPORT: &str = "export default uPlot;\n";

/// Files of the console that are taken as they are.
const EMBEDDED_CONSOLE: [(&str, &str); 5] = [
    ("uplot/dist/uPlot.min.css", "admin/vendor/uplot.css"),
    ("preact/LICENSE", "admin/vendor/preact-LICENSE.txt"),
    ("htm/LICENSE", "admin/vendor/htm-LICENSE.txt"),
    ("@preact/signals/LICENSE", "admin/vendor/signals-LICENSE.txt"),
    ("uplot/LICENSE", "admin/vendor/uplot-LICENSE.txt"),
];

/// What is done to a file on its way.
#[derive(Clone, Copy)]
enum Change {
    None,
    Compress,
    NoComments,
    RelativeImports,
    Export,
}

const NPM_MISSING: &str = "npm is needed to build the console and API explorer; install Node.js \
                           20 or build with --no-default-features";

fn main() -> ExitCode {
    for file in [
        "package.json",
        "package-lock.json",
        "admin",
        "docs",
        "certificate",
        "node_modules/.package-lock.json",
    ] {
        println!("cargo::rerun-if-changed=static/{file}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    // Both are embedded; a file that is new there is noticed by the folder alone.
    println!("cargo::rerun-if-changed=docs");
    println!("cargo::rerun-if-changed=static/guide");
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
    let all = EMBEDDED
        .iter()
        .chain(&EMBEDDED_CONSOLE)
        .map(|file| (file, Change::None))
        .chain(EMBEDDED_COMPRESSED.iter().map(|file| (file, Change::Compress)))
        .chain(EMBEDDED_BARE.iter().map(|file| (file, Change::NoComments)))
        .chain(EMBEDDED_MODULES.iter().map(|file| (file, Change::RelativeImports)))
        .chain([(&CHART, Change::Export)]);
    let packages = Path::new("static/node_modules");
    for ((from, to), change) in all {
        let (from, to) = (packages.join(from), packages.join(".cache/patchproof").join(to));
        copy(&from, &to, change)
            .map_err(|error| format!("{} cannot be laid out: {error}", from.display()))?;
    }
    // Our own modules of the check go the same way.
    let own = Path::new("static/certificate");
    let bare = packages.join(".cache/patchproof/certificate");
    for entry in fs::read_dir(own).map_err(|error| format!("{}: {error}", own.display()))? {
        let from = entry.map_err(|error| format!("{}: {error}", own.display()))?.path();
        if let Some(name) =
            from.file_name().filter(|_| from.extension().is_some_and(|it| it == "mjs"))
        {
            copy(&from, &bare.join(name), Change::NoComments)
                .map_err(|error| format!("{} cannot be laid out: {error}", from.display()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, change: Change) -> io::Result<()> {
    let bytes = match change {
        Change::None => fs::read(from)?,
        Change::Compress => compressed(&fs::read(from)?)?,
        Change::NoComments => without_comments(&fs::read_to_string(from)?).into_bytes(),
        Change::RelativeImports => with_relative_imports(&fs::read_to_string(from)?).into_bytes(),
        Change::Export => {
            [fs::read_to_string(from)?.trim_end(), "\n", CHART_EXPORT].concat().into_bytes()
        }
    };
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(to, bytes)
}

/// Without name and time, so that the same file gives the same binary.
fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Has a module import its neighbours as files, and leaves out where its source map would be.
fn with_relative_imports(module: &str) -> String {
    let mut text = module.split("//# sourceMappingURL=").next().unwrap_or_default().to_owned();
    for (package, file) in SPECIFIERS {
        text = text.replace(package, file);
    }
    // What a browser could not find would be a page that does not begin.
    for (at, _) in text.match_indices("from\"") {
        let name = &text[at + 5..];
        assert!(name.starts_with("./"), "a module imports a package: {name:.40}");
    }
    text
}

/// Leaves out the lines that hold a comment and nothing else, but for `/*! … */`. Text over several
/// lines, in which such a line could be no comment, is in none of these files: they hold no backtick
/// that does not end on its line, or the build ends here.
fn without_comments(script: &str) -> String {
    let mut kept = String::with_capacity(script.len());
    let mut is_inside = false;
    for line in script.lines() {
        let begin = line.trim_start();
        if is_inside {
            is_inside = !begin.ends_with("*/");
            continue;
        }
        let is_block = begin.starts_with("/*") && !begin.starts_with("/*!");
        let is_whole = begin.ends_with("*/");
        if begin.starts_with("//") || (is_block && (is_whole || !begin.contains("*/"))) {
            is_inside = is_block && !is_whole;
            continue;
        }
        assert!(line.matches('`').count().is_multiple_of(2), "a text over several lines: {line}");
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}
