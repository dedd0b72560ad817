//! Runs the commands of the documents beside a demo, with the program as it was built.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::fences::{Output, Run, runs};
use crate::shape::{json_differs, text_fits};
use crate::{Text, documents, top};

/// Where documents say that the server is.
const SAID: &str = "127.0.0.1:3001";
/// Documents that show what they explain by commands that run.
const RUNNABLE: [&str; 6] = [
    "docs/BUNDLE.md",
    "docs/GETTING_STARTED.md",
    "docs/IMPORT.md",
    "docs/LOG.md",
    "docs/SVD_AUTH.md",
    "docs/UTXO_MAINTENANCE.md",
];

/// A demo, stopped when it is dropped.
struct Demo {
    child: Child,
    folder: tempfile::TempDir,
    /// Where it listens, without a scheme.
    address: String,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("stderr")).unwrap();
        // Blocks come when a command asks for one.
        let mut child = Command::new(env!("CARGO_BIN_EXE_patchproof"))
            .args(["demo", "--listen", "127.0.0.1:0", "--mine-every-secs", "86400", "--data-dir"])
            .arg(folder.path().join("demo"))
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready =
            printed.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("Try next")));
        assert!(
            ready.is_some(),
            "{}",
            std::fs::read_to_string(folder.path().join("stderr")).unwrap()
        );
        std::thread::spawn(move || printed.for_each(drop));
        let about = std::fs::read_to_string(folder.path().join("demo/demo.json")).unwrap();
        let about: Value = serde_json::from_str(&about).unwrap();
        let url = about["baseUrl"].as_str().unwrap();
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { child, folder, address }
    }

    /// Makes the folder in which a document's commands run: `demo` is the demo's data, the rest is
    /// as in the repository.
    fn folder_for(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        symlink(self.folder.path().join("demo"), folder.join("demo")).unwrap();
        symlink(top().join("static"), folder.join("static")).unwrap();
        folder
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs the blocks of a document in one shell, each with its output in a file of its number; says
/// how many came to their end, and what the last one complained of.
fn run(runs: &[Run], folder: &Path, address: &str) -> (usize, String) {
    let mut script = "set -euo pipefail\n".to_owned();
    for (number, run) in runs.iter().enumerate() {
        let commands = run.commands.replace(SAID, address);
        let _ = write!(script, "{{\n{commands}}} >.out{number} 2>.errors\ntouch .done{number}\n");
    }
    std::fs::write(folder.join(".script"), script).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_patchproof")).parent().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the shell's own programs are found by it")]
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let ended = Command::new("bash")
        .arg(".script")
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let done = (0..runs.len()).take_while(|at| folder.join(format!(".done{at}")).exists()).count();
    let said = std::fs::read_to_string(folder.join(".errors")).unwrap_or_default();
    (done, format!("{said}{}", String::from_utf8_lossy(&ended.stderr)))
}

fn compare(run: &Run, printed: &str, address: &str) -> Option<String> {
    match &run.output {
        Output::Unsaid => None,
        Output::Text(shown) => {
            let fits = text_fits(&shown.replace(SAID, address), printed);
            (!fits).then(|| format!("shown:\n{shown}printed:\n{printed}"))
        }
        Output::Json(shown) => {
            let shown = shown.replace(SAID, address);
            let shown = match serde_json::from_str(&shown) {
                Ok(shown) => shown,
                Err(error) => return Some(format!("what is shown is no JSON: {error}")),
            };
            match serde_json::from_str::<Value>(printed) {
                Ok(printed) => json_differs(&shown, &printed, "$"),
                Err(error) => Some(format!("what is printed is no JSON: {error}: {printed}")),
            }
        }
    }
}

fn wrong(text: &Text, demo: &Demo) -> Vec<String> {
    let name = text.path.replace('/', "-");
    let (runs, folder) = (runs(&text.markdown), demo.folder_for(&name));
    let (done, said) = run(&runs, &folder, &demo.address);
    let mut wrong = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let printed = std::fs::read_to_string(folder.join(format!(".out{number}")));
        let printed = printed.unwrap_or_default();
        let found = if number < done {
            compare(run, &printed, &demo.address)
        } else {
            (number == done).then(|| format!("failed: {said}{printed}"))
        };
        wrong.extend(found.map(|found| format!("{}:{}: {found}", text.path, run.line)));
    }
    wrong
}

#[test]
fn the_commands_of_the_documents_run_and_print_what_is_shown() {
    let demo = Demo::start();
    let texts = documents();
    let runnable: Vec<&Text> = texts.iter().filter(|it| !runs(&it.markdown).is_empty()).collect();
    for path in RUNNABLE {
        assert!(runnable.iter().any(|text| text.path == path), "{path} has no commands that run");
    }
    let wrong: Vec<String> = runnable.iter().flat_map(|text| wrong(text, &demo)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
