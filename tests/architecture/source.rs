//! A file of the source, read as far as the rules need it.

/// A file with what is code in it and what is only for tests.
pub(crate) struct Source {
    /// Its path from the root, `src/http/mod.rs`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// Its text with comments and the insides of strings blanked, line by line as before.
    pub(crate) code: String,
    /// The same with everything blanked that exists in test builds only.
    pub(crate) production: String,
}

impl Source {
    /// Reads a file.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank_text(text);
        let production = blank_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, production }
    }

    /// Returns the first part of the path below src: the floor, or `main` and `lib`.
    pub(crate) fn floor(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let first = below.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Returns the number of the line that holds this byte.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        self.code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// Files that a `#[cfg(test)] mod name;` brings in are for tests only.
pub(crate) fn mark_test_files(files: &mut [Source]) {
    let mut only_tests = Vec::new();
    for file in files.iter() {
        let directory = match file.path.strip_suffix("/mod.rs") {
            Some(directory) => directory.to_owned(),
            None => file.path.trim_end_matches(".rs").to_owned(),
        };
        for (at, _) in file.code.match_indices("#[cfg(test)]") {
            let rest = file.code[at + 12..].trim_start();
            let Some(name) = rest.strip_prefix("mod ").and_then(|rest| rest.split_once(';')) else {
                continue;
            };
            if name.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                only_tests.push(format!("{directory}/{}.rs", name.0));
                only_tests.push(format!("{directory}/{}/", name.0));
            }
        }
    }
    for file in files {
        let is_test = |mark: &String| {
            file.path == *mark || (mark.ends_with('/') && file.path.starts_with(mark.as_str()))
        };
        if only_tests.iter().any(is_test) {
            file.production = blank(&file.code);
        }
    }
}

/// Replaces every character but line ends by a space.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// Blanks comments and the insides of strings and characters. The bytes keep their places.
fn blank_text(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut output = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let length = skipped(&text[at..], output.last().copied());
        if length == 0 {
            output.push(if bytes[at].is_ascii() { bytes[at] } else { b' ' });
            at += 1;
        } else {
            output.extend(blank(&text[at..at + length]).bytes());
            at += length;
            // Keep a mark where a string was, so that what stands around it stays apart.
            if let Some(last) = output.last_mut() {
                *last = if *last == b'\n' { b'\n' } else { b'"' };
            }
        }
        while !text.is_char_boundary(at.min(text.len())) {
            output.push(b' ');
            at += 1;
        }
    }
    String::from_utf8(output).unwrap()
}

/// Returns how many bytes at the beginning of `rest` are a comment, string or character.
fn skipped(rest: &str, before: Option<u8>) -> usize {
    let in_name = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if !in_name
        && (rest.starts_with("r\"") || rest.starts_with("r#") || rest.starts_with("br"))
        && let Some(length) = raw_string(rest)
    {
        return length;
    }
    match rest.as_bytes()[0] {
        b'"' => quoted(rest, '"'),
        b'\'' => character(rest),
        _ => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest.as_bytes()[at..rest.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let begin = rest.find('r')? + 1;
    let hashes = rest[begin..].bytes().take_while(|byte| *byte == b'#').count();
    let inside = rest[begin + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).unwrap_or(inside.len() - end.len());
    Some(begin + hashes + 1 + length + end.len())
}

fn quoted(rest: &str, end: char) -> usize {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if letter == end => return at + end.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// A quote begins a character, unless a lifetime or label follows.
fn character(rest: &str) -> usize {
    let mut letters = rest.chars().skip(1);
    match (letters.next(), letters.next()) {
        (Some('\\'), _) => quoted(rest, '\''),
        (Some(letter), Some('\'')) => 2 + letter.len_utf8(),
        _ => 0,
    }
}

/// Blanks items under `#[cfg(test)]`.
fn blank_tests(code: &str) -> String {
    let mut output = code.to_owned();
    while let Some(begin) = output.find("#[cfg(test)]") {
        let end = begin + item_length(&output[begin..]);
        let spaces = blank(&output[begin..end]);
        output.replace_range(begin..end, &spaces);
    }
    output
}

/// Returns the length of an item with its attributes: to its semicolon or its closing brace.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_and_strings_are_no_code() {
    let text = "let a = \"use x::*; // \\\" \"; // TODO\nlet b = r#\"}\"#; /* { /* } */ */ let c = '{';\n\
                fn f<'a>(x: &'a str) {}\nlet d = b\"{\"; let ü = 'ü';";
    let file = Source::new("src/a.rs", text);
    assert_eq!(file.code.len(), text.len());
    assert_eq!(file.code.lines().count(), text.lines().count());
    for gone in ["use", "TODO", "/*", "'{'", "ü"] {
        assert!(!file.code.contains(gone), "{gone}: {}", file.code);
    }
    assert!(file.code.contains("fn f<'a>(x: &'a str) {}"));
    assert_eq!(file.code.matches('{').count(), 1);
}

#[test]
fn what_is_for_tests_is_not_production() {
    let text = "use a::B;\n#[cfg(test)]\nmod tests {\n    use super::*;\n    fn f() {}\n}\nfn g() {}\n\
                #[cfg(test)]\n#[path = \"x.rs\"]\nmod x;\nfn h() {}";
    let file = Source::new("src/a.rs", text);
    assert!(!file.production.contains("super") && !file.production.contains("mod x"));
    assert!(file.production.contains("fn g") && file.production.contains("fn h"));
}

#[test]
fn a_file_of_tests_is_known_by_who_brings_it_in() {
    let mut files = [
        Source::new("src/a/mod.rs", "#[cfg(test)]\nmod tests;\nmod b;"),
        Source::new("src/a/tests.rs", "use super::*;"),
        Source::new("src/a/b.rs", "use c::D;"),
    ];
    mark_test_files(&mut files);
    assert_eq!(files[1].production.trim(), "");
    assert!(files[2].production.contains("use"));
}
