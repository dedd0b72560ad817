//! What was last seen of everything outside of this process, by whoever had to do with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::types::Timestamp;

/// What was last seen of something outside this process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// When it last answered.
    pub last_success: Option<Timestamp>,
    /// What it did wrong last, if that was later.
    pub failure: Option<String>,
}

/// What was last made of our own chain of headers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadersObservation {
    /// Which vouched block it contradicts: nothing is proved until that is settled.
    pub contradiction: Option<String>,
    /// What else an operator must look into.
    pub alarm: Option<String>,
    /// What is worth knowing.
    pub warning: Option<String>,
}

/// What the worker saw of signer, network and headers.
#[derive(Debug, Clone, Default)]
pub struct Observations(Arc<Mutex<ObservedState>>);

#[derive(Debug, Default)]
struct ObservedState {
    signer: Observation,
    /// Whether the signer gave no answer at all when it was asked last.
    is_signer_silent: bool,
    network: Observation,
    mail: Observation,
    /// Of each other program, whether a connection to it can be made.
    lines: BTreeMap<&'static str, Observation>,
    /// When what is judged here and now was last found good.
    judged: BTreeMap<&'static str, Timestamp>,
    warnings: BTreeMap<&'static str, String>,
    headers: HeadersObservation,
    /// When the headers were last looked at and nothing was wrong with them.
    headers_good_at: Option<Timestamp>,
}

impl Observations {
    /// Notes what was made of our headers.
    pub fn note_headers(&self, headers: HeadersObservation, now: Timestamp) {
        let mut state = self.lock();
        if headers.contradiction.is_none() && headers.alarm.is_none() {
            state.headers_good_at = Some(now);
        }
        state.headers = headers;
    }

    /// Returns when nothing was wrong with our headers last.
    pub fn headers_good_at(&self) -> Option<Timestamp> {
        self.lock().headers_good_at
    }

    /// Returns what was last made of our headers.
    pub fn headers(&self) -> HeadersObservation {
        self.lock().headers.clone()
    }

    /// Notes what the signer did.
    pub fn note_signer(&self, outcome: Result<(), String>, now: Timestamp) {
        note(&mut self.lock().signer, outcome, now);
    }

    /// Notes whether the signer answered at all.
    pub fn note_signer_silence(&self, is_silent: bool) {
        self.lock().is_signer_silent = is_silent;
    }

    /// Says whether the signer gave no answer when it was asked last.
    pub fn is_signer_silent(&self) -> bool {
        self.lock().is_signer_silent
    }

    /// Notes what the network endpoint did.
    pub fn note_network(&self, outcome: Result<(), String>, now: Timestamp) {
        note(&mut self.lock().network, outcome, now);
    }

    /// Notes whether the mail server took a letter, or would.
    pub fn note_mail(&self, outcome: Result<(), String>, now: Timestamp) {
        note(&mut self.lock().mail, outcome, now);
    }

    /// Returns what was last seen of the mail server.
    pub fn mail(&self) -> Observation {
        self.lock().mail.clone()
    }

    /// Notes whether a connection to another program could be made.
    pub fn note_line(&self, name: &'static str, outcome: Result<(), String>, now: Timestamp) {
        note(self.lock().lines.entry(name).or_default(), outcome, now);
    }

    /// Returns whether a connection to another program could be made last, if that was tried.
    pub fn line(&self, name: &str) -> Option<Observation> {
        self.lock().lines.get(name).cloned()
    }

    /// Notes how something was found here and now; returns when it was last found good.
    pub(super) fn note_judged(
        &self,
        name: &'static str,
        is_ok: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut state = self.lock();
        if is_ok {
            state.judged.insert(name, now);
        }
        state.judged.get(name).copied()
    }

    /// Notes or takes back a warning about `subject`; says whether that is news.
    pub fn note_warning(&self, subject: &'static str, warning: Option<String>) -> bool {
        let mut state = self.lock();
        match warning {
            Some(text) => state.warnings.insert(subject, text).is_none(),
            None => state.warnings.remove(subject).is_some(),
        }
    }

    /// Returns the warnings that hold at present.
    pub fn warnings(&self) -> Vec<String> {
        self.lock().warnings.values().cloned().collect()
    }

    /// Returns the warnings that hold at present, each with its subject.
    pub fn warned(&self) -> Vec<(&'static str, String)> {
        self.lock().warnings.iter().map(|(subject, text)| (*subject, text.clone())).collect()
    }

    /// Returns what was last seen of the signer.
    pub fn signer(&self) -> Observation {
        self.lock().signer.clone()
    }

    /// Returns what was last seen of the network.
    pub fn network(&self) -> Observation {
        self.lock().network.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ObservedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(observation: &mut Observation, outcome: Result<(), String>, now: Timestamp) {
    match outcome {
        Ok(()) => *observation = Observation { last_success: Some(now), failure: None },
        Err(reason) => observation.failure = Some(reason),
    }
}
