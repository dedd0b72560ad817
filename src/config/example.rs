//! A file of variables to begin with: every one explained, those that are given set.
//!
//! It is rendered from the same table as docs/CONFIGURATION.md. Changing such a file leaves every
//! line alone that is not about the variables concerned, comments included.

use std::fmt::Write as _;

use crate::config::table::{GROUPS, variables};
use crate::config::variable::{Required, Variable};
use crate::config::variable_file::parse_line;

/// Characters in a line of a comment.
const WIDTH: usize = 96;
const INTRODUCTION: &str = "\
The configuration of PatchProof, read at the start of its service and by its commands when
root runs them. The package writes this file once and leaves it alone from then on.
After a change: patchproof config check && systemctl restart patchproof
A line that begins with # is not in force. patchproof.env(5) explains the form of this file.";

/// Returns a file in which every variable is explained and those of `set` are in force.
pub fn example_file(set: &[(&str, String)]) -> String {
    let mut file = String::new();
    for line in INTRODUCTION.lines() {
        let _ = writeln!(file, "# {line}");
    }
    for group in GROUPS {
        let _ = write!(file, "\n\n# ---- {} ----\n", group.title);
        for variable in group.variables {
            explain(&mut file, variable);
            let value = set.iter().find(|(name, _)| *name == variable.name);
            let _ = match value {
                Some((name, value)) => writeln!(file, "{}", line_of(name, value)),
                None => writeln!(file, "#{}", idle_line(variable)),
            };
        }
    }
    file
}

/// Returns the text of a file with these variables set, or taken out of force where there is no value.
pub fn changed_file(text: &str, changes: &[(&str, Option<String>)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (name, value) in changes {
        let is_of = |line: &str| parse_line(line.trim()).is_some_and(|(found, _)| found == *name);
        let in_force = lines.iter().position(|line| is_of(line));
        let idle = |line: &String| line.strip_prefix('#').is_some_and(is_of);
        match (in_force, value) {
            (Some(at), Some(value)) => lines[at] = line_of(name, value),
            (Some(at), None) => lines[at] = format!("#{}", lines[at].trim()),
            (None, None) => {}
            (None, Some(value)) => match lines.iter().position(idle) {
                Some(at) => lines[at] = line_of(name, value),
                None => lines.push(line_of(name, value)),
            },
        }
    }
    lines.join("\n") + "\n"
}

/// Returns the variable of this name or alias.
pub fn variable_named(name: &str) -> Option<&'static Variable> {
    variables().find(|variable| variable.names().any(|known| known == name))
}

/// Writes a line that reads back as this value: in quotes where there is something to protect.
fn line_of(name: &str, value: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:,@+=%~".contains(letter);
    if value.chars().all(is_plain) {
        return format!("{name}={value}");
    }
    let quote = if value.contains('"') { '\'' } else { '"' };
    format!("{name}={quote}{value}{quote}")
}

/// Returns the line of a variable that is not set: its default, else an example.
fn idle_line(variable: &Variable) -> String {
    match variable.default {
        Some(default) => line_of(variable.name, default),
        None => variable.example_line(),
    }
}

fn explain(file: &mut String, variable: &Variable) {
    let mut facts = format!("Value: {}.", variable.kind.expected());
    match variable.required {
        Required::Never => {}
        Required::InProduction => facts.push_str(" Required in production."),
        Required::Always => facts.push_str(" Required."),
    }
    file.push('\n');
    for paragraph in [variable.documentation, &facts] {
        let mut line = String::from("#");
        for word in paragraph.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                let _ = writeln!(file, "{line}");
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(file, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn read(text: &str) -> Environment {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patchproof.env");
        std::fs::write(&path, text).unwrap();
        Environment::of_file(&path)
    }

    #[test]
    fn every_variable_is_explained_and_only_those_given_are_in_force() {
        let text = example_file(&[("PORT", "8080".into()), ("EMAIL_FROM", "Shop <a@b.c>".into())]);
        let environment = read(&text);
        assert!(environment.file_problems().is_empty());
        assert_eq!(environment.get("PORT"), Some("8080"));
        assert_eq!(environment.get("EMAIL_FROM"), Some("Shop <a@b.c>"));
        assert_eq!(environment.names().count(), 3, "and the name of the file itself");
        assert!(text.lines().all(|line| line.len() <= WIDTH || !line.starts_with("# ")));
        for variable in variables() {
            let mut of_it = text.lines().filter(|line| {
                let line = line.strip_prefix('#').unwrap_or(line);
                parse_line(line).is_some_and(|(name, _)| {
                    name == variable.name || name.strip_suffix("_FILE") == Some(variable.name)
                })
            });
            assert!(of_it.next().is_some(), "{} stands in the file", variable.name);
            assert_eq!(of_it.next(), None, "{}", variable.name);
        }
    }

    #[test]
    fn a_change_leaves_everything_else_alone() {
        let text = "# mine\nPORT=1\n#BIND=127.0.0.1\nX=keep me\n";
        let some = |value: &str| Some(value.to_owned());
        let changes = [("PORT", some("2")), ("BIND", some("::1")), ("NODE_ENV", some("test"))];
        let changed = changed_file(text, &changes);
        assert_eq!(changed, "# mine\nPORT=2\nBIND=::1\nX=keep me\nNODE_ENV=test\n");
        let back = changed_file(&changed, &[("PORT", None), ("ABSENT", None)]);
        assert_eq!(back, "# mine\n#PORT=2\nBIND=::1\nX=keep me\nNODE_ENV=test\n");
        let spaced =
            changed_file("", &[("EMAIL_FROM", some("A <a@b.c>")), ("B", some("say \"x\""))]);
        assert_eq!(spaced, "EMAIL_FROM=\"A <a@b.c>\"\nB='say \"x\"'\n");
        assert_eq!(read(&spaced).get("B"), Some("say \"x\""));
    }
}
