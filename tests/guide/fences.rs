//! Fenced blocks of a document: which are to be run, and what they are said to print.
//!
//! A block opened by "```sh run" is run. A block after it opened by "```text output" or
//! "```json output" is what it prints on standard output.

/// What a command is said to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// Nothing is said.
    Unsaid,
    /// Lines.
    Text(String),
    /// One JSON value.
    Json(String),
}

/// Commands to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// The line on which they begin, from 1.
    pub(crate) line: usize,
    pub(crate) commands: String,
    pub(crate) output: Output,
}

/// Finds the commands of a document in their order.
pub(crate) fn runs(markdown: &str) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    let mut lines = markdown.lines().enumerate();
    // Whether nothing but space stands between here and the last command.
    let mut follows = false;
    while let Some((at, line)) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else {
            follows &= line.trim().is_empty();
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim_start() != "```")
            .map(|line| line.get(indent..).unwrap_or_default())
            .collect();
        let body = format!("{}\n", body.join("\n"));
        match (kind.trim(), found.last_mut()) {
            ("sh run", _) => {
                found.push(Run { line: at + 2, commands: body, output: Output::Unsaid });
            }
            ("text output", Some(run)) if follows => run.output = Output::Text(body),
            ("json output", Some(run)) if follows => run.output = Output::Json(body),
            (other, _) => {
                assert!(!other.ends_with(" output"), "line {}: output of nothing", at + 1);
            }
        }
        follows = kind.trim() == "sh run";
    }
    found
}

#[test]
fn blocks_are_found_with_what_they_print() {
    let markdown = "# a\n```sh\nnot run\n```\n1. b\n\n   ```sh run\n   one \\\n     two\n   ```\n\n   \
                    ```text output\n   out\n   ```\n\n```sh run\nthree\n```\nword\n```json\n{}\n```\n";
    let found = runs(markdown);
    let one =
        Run { line: 8, commands: "one \\\n  two\n".into(), output: Output::Text("out\n".into()) };
    let three = Run { line: 17, commands: "three\n".into(), output: Output::Unsaid };
    assert_eq!(found, [one, three]);
}
