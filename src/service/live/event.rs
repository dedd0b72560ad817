//! What is told, and to whom.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::service::logs::LogLine;
use crate::service::overview::Overview;
use crate::storage::claims::Claim;
use crate::storage::{StageName, StoredImport};
use crate::types::{RecordId, Timestamp, Txid};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The whole overview, when it changed.
    Overview,
    /// A record came to another stage.
    Record,
    /// A claim was filed, approved, or its time ran out.
    Claim,
    /// A batch was formed or came to another stage, and all its records with it.
    Batch,
    /// A setting was changed.
    Settings,
    /// Lines were written to the log.
    Log,
    /// An import came to another state or went on.
    Import,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Record,
        Self::Claim,
        Self::Batch,
        Self::Settings,
        Self::Log,
        Self::Import,
    ];

    /// Returns the word for events and queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Record => "record",
            Self::Claim => "claim",
            Self::Batch => "batch",
            Self::Settings => "settings",
            Self::Log => "log",
            Self::Import => "import",
        }
    }

    /// Says whether an event replaces the one before of the same topic or is for those alone who are
    /// there: such events are not kept.
    const fn is_passing(self) -> bool {
        matches!(self, Self::Overview | Self::Log)
    }
}

/// A record came to another stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMoved {
    /// The record.
    pub id: RecordId,
    /// The product's tag.
    pub uid: String,
    /// The stage.
    pub stage: StageName,
    /// Its transaction, if it has one.
    pub txid: Option<Txid>,
}

/// A batch was formed or came to another stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchMoved {
    /// The batch.
    pub id: RecordId,
    /// How many records it has.
    pub size: u64,
    /// The stage, of all of them.
    pub stage: StageName,
    /// Its transaction, if it has one.
    pub txid: Option<Txid>,
}

/// A claim was filed or came to another state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimMoved {
    /// The claim as it is now.
    pub claim: Claim,
    /// The key hash of the shop that it was filed with; none for claims of before shops were noted.
    pub shop: Option<[u8; 20]>,
    /// When it came to that.
    pub at: Timestamp,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// See [`Topic::Overview`].
    Overview(Arc<Overview>),
    /// See [`Topic::Record`].
    Record(RecordMoved),
    /// See [`Topic::Claim`].
    Claim(ClaimMoved),
    /// See [`Topic::Batch`].
    Batch(BatchMoved),
    /// See [`Topic::Settings`].
    Settings,
    /// See [`Topic::Log`].
    Log(Vec<Arc<LogLine>>),
    /// See [`Topic::Import`]; the import as it is now.
    Import(StoredImport),
}

impl Event {
    /// Returns what it is about.
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Overview(_) => Topic::Overview,
            Self::Record(_) => Topic::Record,
            Self::Claim(_) => Topic::Claim,
            Self::Batch(_) => Topic::Batch,
            Self::Settings => Topic::Settings,
            Self::Log(_) => Topic::Log,
            Self::Import(_) => Topic::Import,
        }
    }

    /// Says whether it is not kept; see [`Topic`].
    pub(super) const fn is_passing(&self) -> bool {
        self.topic().is_passing()
    }
}

/// An event with its number.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its number, or that of the event before it where it is not kept.
    pub number: u64,
    /// What happened.
    pub event: Event,
}

/// Who listens: what may be told to a listener, and what it wants to hear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// The topics.
    pub topics: Vec<Topic>,
    /// The key hash of the shop whose claims alone may be told; none for those of every shop.
    pub shop: Option<[u8; 20]>,
}

impl Audience {
    /// Says whether a topic is told.
    pub fn wants(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    /// Says whether an event is told.
    pub fn hears(&self, event: &Event) -> bool {
        let is_foreign = match (event, self.shop) {
            (Event::Claim(moved), Some(shop)) => moved.shop != Some(shop),
            _ => false,
        };
        self.wants(event.topic()) && !is_foreign
    }
}

/// Names an event among those of all runs of the process: `<epoch>-<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// The run of the process.
    pub epoch: u64,
    /// The event.
    pub number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}-{}", self.epoch, self.number)
    }
}

/// Text that names no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an event")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, number) = text.split_once('-').ok_or(EventIdError)?;
        Ok(Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| EventIdError)?,
            number: number.parse().map_err(|_| EventIdError)?,
        })
    }
}
