//! What a console watches: events as they happen, told to every listener that may know of them.
//!
//! Events that happen once (a record moves, a claim is filed) are numbered and kept in a ring, so that
//! a listener that was away is told what it missed. What replaces itself (the overview, lines of the
//! log) is sent as it is and has the number of the event before it. While nobody listens nothing is
//! kept or computed; whoever was away meanwhile is told to read everything anew.

mod event;
mod feed;
#[cfg(test)]
mod tests;

pub use event::{Audience, BatchMoved, ClaimMoved, Event, EventId, RecordMoved, Sent, Topic};
pub use feed::{Feed, ListenRefused, Opening, Subscription, Waking};
