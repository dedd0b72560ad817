//! One option: its name, what it may be, what it is without being set, and what it is for.

use crate::config::endpoint::without_credentials;

/// The longest piece of a value that a report shows.
const MAX_SHOWN_CHARACTERS: usize = 80;

/// One option, given as an environment variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// What it may be.
    pub kind: Kind,
    /// What it is when not set.
    pub default: Option<&'static str>,
    /// When it must be set.
    pub required: Required,
    /// A value that would do.
    pub example: &'static str,
    /// What it is for, in one or more sentences.
    pub documentation: &'static str,
    /// When a change of it counts.
    pub takes_effect: TakesEffect,
}

/// What a variable may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text.
    Text,
    /// Any text, never printed, and also read from a file.
    Secret,
    /// A whole number.
    Integer {
        /// The least allowed.
        least: u64,
        /// The most allowed.
        most: u64,
    },
    /// On or off.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A URL with one of these schemes.
    Url(&'static [&'static str]),
    /// A file or folder.
    Path,
    /// An IP address of this machine.
    Address,
    /// Origins of web pages, separated by commas, or `*`.
    Origins,
    /// IP addresses and ranges, separated by commas.
    AddressRanges,
    /// Heights and hashes of blocks, separated by commas.
    Checkpoints,
    /// Whom mails are from.
    Sender,
    /// Names of hosts, separated by commas.
    Domains,
}

/// When a variable must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Never.
    Never,
    /// In production.
    InProduction,
    /// Always.
    Always,
}

/// When a change of a variable counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesEffect {
    /// At the next start.
    AtRestart,
    /// At once, through the run-time settings; the variable is what they begin with.
    AtRunTime,
}

impl TakesEffect {
    /// Returns the word used in reports and documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtRestart => "restart",
            Self::AtRunTime => "hot",
        }
    }
}

impl Variable {
    /// Describes an optional variable without a default.
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        example: &'static str,
        documentation: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            kind,
            default: None,
            required: Required::Never,
            example,
            documentation,
            takes_effect: TakesEffect::AtRestart,
        }
    }

    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(super) const fn required(mut self, required: Required) -> Self {
        self.required = required;
        self
    }

    /// Says that a change counts at once.
    pub(super) const fn hot(mut self) -> Self {
        self.takes_effect = TakesEffect::AtRunTime;
        self
    }

    pub(super) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Returns the name and the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Says whether the value must not be seen.
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// Returns a value as it may be shown, nothing of it if it is secret.
    pub(super) fn shown(&self, text: &str) -> String {
        let visible = match self.kind {
            Kind::Secret => return "***".to_owned(),
            Kind::Url(_) => without_credentials(text),
            Kind::Text
            | Kind::Integer { .. }
            | Kind::Switch
            | Kind::Choice(_)
            | Kind::Path
            | Kind::Address
            | Kind::Origins
            | Kind::AddressRanges
            | Kind::Checkpoints
            | Kind::Sender
            | Kind::Domains => text.to_owned(),
        };
        match visible.char_indices().nth(MAX_SHOWN_CHARACTERS) {
            Some((end, _)) => format!("{}…", &visible[..end]),
            None => visible,
        }
    }

    /// Returns a line that would do.
    pub(super) fn example_line(&self) -> String {
        if self.is_secret() {
            return format!("{}_FILE={}", self.name, self.example);
        }
        format!("{}={}", self.name, self.example)
    }
}

impl Kind {
    /// Says what a value must be.
    pub fn expected(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Secret => "a secret".to_owned(),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Switch => "1 or 0".to_owned(),
            Self::Choice(words) => one_of(words),
            Self::Url(schemes) => {
                let schemes: Vec<String> =
                    schemes.iter().map(|scheme| format!("{scheme}:")).collect();
                format!("a URL with {}", one_of(&schemes))
            }
            Self::Path => "a path".to_owned(),
            Self::Address => "an IP address".to_owned(),
            Self::Origins => {
                "origins such as https://shop.example without a path, separated by commas"
                    .to_owned()
            }
            Self::AddressRanges => {
                "IP addresses or ranges such as 10.0.0.0/8, separated by commas".to_owned()
            }
            Self::Sender => {
                "an e-mail address, or a name and an address in angle brackets".to_owned()
            }
            Self::Domains => {
                "names of hosts such as patchproof.example, without *, separated by commas"
                    .to_owned()
            }
            Self::Checkpoints => {
                "height:hash of blocks, the hash as 64 hexadecimal digits, separated by commas"
                    .to_owned()
            }
        }
    }
}

fn one_of(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [word] => word.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", first.join(", "), last.as_ref())
        }
    }
}
