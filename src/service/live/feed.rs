//! The ring of events and those who listen.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::service::live::event::{Audience, Event, EventId, Sent, Topic};
use crate::types::Timestamp;

/// Events that are kept for those who come back.
const RING: usize = 1_000;
/// Events that wait for one listener; one that is so far behind is dropped and comes back.
const MOST_BEHIND: usize = 1_024;
/// The most streams of one principal.
const MOST_OF_ONE: usize = 8;
/// The most streams.
const MOST: usize = 256;
/// How long events are kept for those who went away, when nobody is left.
const KEPT_FOR_NOBODY: Duration = Duration::from_secs(5 * 60);

/// Why somebody may not listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenRefused {
    /// The principal has as many streams as one may have.
    #[error("{MOST_OF_ONE} streams of one caller are open already")]
    TooManyOfOne,
    /// There are as many streams as there may be.
    #[error("{MOST} streams are open already")]
    TooMany,
    /// The process is stopping.
    #[error("the process is stopping")]
    Closed,
}

/// Called with true when somebody begins to listen, with false when nobody is waited for any more.
pub type Waking = Arc<dyn Fn(bool) + Send + Sync>;

/// Tells listeners what happens; clones tell the same.
#[derive(Clone)]
pub struct Feed(Arc<Inner>);

struct Inner {
    epoch: u64,
    state: Mutex<State>,
    listeners: AtomicUsize,
    log_listeners: AtomicUsize,
    /// Whether events are kept: somebody listens, or did a moment ago.
    is_awake: AtomicBool,
    woken: Notify,
    waking: Waking,
}

#[derive(Default)]
struct State {
    /// The number of the newest event.
    newest: u64,
    /// Whoever has had this event has missed none that is not in the ring.
    base: u64,
    ring: VecDeque<Arc<Sent>>,
    overview: Option<Event>,
    listeners: HashMap<u64, Listener>,
    of_principal: HashMap<String, usize>,
    next_listener: u64,
    idle_since: Option<Timestamp>,
    is_closed: bool,
}

struct Listener {
    audience: Audience,
    sender: mpsc::Sender<Arc<Sent>>,
}

/// How a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// From now on.
    Fresh,
    /// After what was heard last; what was missed comes first.
    Resumed,
    /// What was missed is gone: everything is to be read anew.
    Reset,
}

/// One who listens; leaves when it is dropped.
pub struct Subscription {
    feed: Feed,
    id: u64,
    principal: String,
    hears_log: bool,
    /// How it begins.
    pub opening: Opening,
    /// The newest event when it began.
    pub newest: EventId,
    missed: VecDeque<Arc<Sent>>,
    receiver: mpsc::Receiver<Arc<Sent>>,
}

impl Feed {
    /// Makes a feed of a run of the process; `epoch` must be another in each.
    pub fn new(epoch: u64, waking: Waking) -> Self {
        Self(Arc::new(Inner {
            epoch,
            state: Mutex::default(),
            listeners: AtomicUsize::new(0),
            log_listeners: AtomicUsize::new(0),
            is_awake: AtomicBool::new(false),
            woken: Notify::new(),
            waking,
        }))
    }

    /// Returns how many listen.
    pub fn listeners(&self) -> usize {
        self.0.listeners.load(Ordering::Acquire)
    }

    /// Says whether anybody listens.
    pub fn has_listeners(&self) -> bool {
        self.0.listeners.load(Ordering::Acquire) > 0
    }

    /// Says whether anybody listens to the log.
    pub fn has_log_listeners(&self) -> bool {
        self.0.log_listeners.load(Ordering::Acquire) > 0
    }

    /// Says whether events are kept.
    pub fn is_awake(&self) -> bool {
        self.0.is_awake.load(Ordering::Acquire)
    }

    /// Waits until somebody listens.
    pub async fn woken(&self) {
        while !self.is_awake() {
            self.0.woken.notified().await;
        }
    }

    /// Lets `principal` listen, after the event that it had last, if it says so.
    ///
    /// # Errors
    ///
    /// [`ListenRefused`] if there are too many streams or the process is stopping.
    pub fn listen(
        &self,
        principal: &str,
        audience: Audience,
        last: Option<EventId>,
    ) -> Result<Subscription, ListenRefused> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(ListenRefused::Closed);
        }
        if state.of_principal.get(principal).is_some_and(|count| *count >= MOST_OF_ONE) {
            return Err(ListenRefused::TooManyOfOne);
        }
        if self.0.listeners.load(Ordering::Acquire) >= MOST {
            return Err(ListenRefused::TooMany);
        }
        if !self.0.is_awake.swap(true, Ordering::AcqRel) {
            (self.0.waking)(true);
            self.0.woken.notify_one();
        }
        let (opening, missed) = state.opening(self.0.epoch, &audience, last);
        let (sender, receiver) = mpsc::channel(MOST_BEHIND);
        let hears_log = audience.wants(Topic::Log);
        let id = state.next_listener;
        state.next_listener += 1;
        state.listeners.insert(id, Listener { audience, sender });
        *state.of_principal.entry(principal.to_owned()).or_default() += 1;
        state.idle_since = None;
        self.0.listeners.fetch_add(1, Ordering::AcqRel);
        self.0.log_listeners.fetch_add(usize::from(hears_log), Ordering::AcqRel);
        let newest = EventId { epoch: self.0.epoch, number: state.newest };
        let (feed, principal) = (self.clone(), principal.to_owned());
        Ok(Subscription { feed, id, principal, hears_log, opening, newest, missed, receiver })
    }

    /// Tells an event to whoever hears it. One who does not keep up is dropped and may come back.
    pub fn publish(&self, event: Event) {
        if !self.is_awake() {
            return;
        }
        let mut state = self.lock();
        let is_passing = event.is_passing();
        if !is_passing {
            state.newest += 1;
        }
        if matches!(event, Event::Overview(_)) {
            state.overview = Some(event.clone());
        }
        let sent = Arc::new(Sent { number: state.newest, event });
        if !is_passing {
            if state.ring.len() == RING
                && let Some(oldest) = state.ring.pop_front()
            {
                state.base = oldest.number;
            }
            state.ring.push_back(Arc::clone(&sent));
        }
        state.listeners.retain(|_, listener| {
            !listener.audience.hears(&sent.event)
                || listener.sender.try_send(Arc::clone(&sent)).is_ok()
        });
    }

    /// Has everybody read everything anew: something happened that is not known.
    pub fn forget(&self) {
        let mut state = self.lock();
        state.forget();
        // Their streams end, and when they come back what they had last is too old.
        state.listeners.clear();
    }

    /// Stops keeping events once nobody has listened for a while.
    pub fn rest(&self, now: Timestamp) {
        let mut state = self.lock();
        if self.has_listeners() || !self.is_awake() {
            return;
        }
        let since = *state.idle_since.get_or_insert(now);
        // A clock that was set back ends the wait instead of prolonging it.
        if since <= now && now.since(since) < KEPT_FOR_NOBODY {
            return;
        }
        state.forget();
        self.0.is_awake.store(false, Ordering::Release);
        (self.0.waking)(false);
    }

    /// Ends every stream, for good.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.listeners.clear();
    }

    fn leave(&self, id: u64, principal: &str, hears_log: bool) {
        let mut state = self.lock();
        state.listeners.remove(&id);
        if let Some(count) = state.of_principal.get_mut(principal) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.of_principal.remove(principal);
            }
        }
        self.0.listeners.fetch_sub(1, Ordering::AcqRel);
        self.0.log_listeners.fetch_sub(usize::from(hears_log), Ordering::AcqRel);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Says how a subscription begins and what it is told first.
    fn opening(
        &self,
        epoch: u64,
        audience: &Audience,
        last: Option<EventId>,
    ) -> (Opening, VecDeque<Arc<Sent>>) {
        let known = last
            .filter(|last| last.epoch == epoch && (self.base..=self.newest).contains(&last.number));
        let (opening, after) = match (last, known) {
            (None, _) => (Opening::Fresh, self.newest),
            (Some(_), Some(known)) => (Opening::Resumed, known.number),
            (Some(_), None) => (Opening::Reset, self.newest),
        };
        let missed = self.ring.iter().filter(|sent| sent.number > after);
        let mut missed: VecDeque<_> =
            missed.filter(|sent| audience.hears(&sent.event)).cloned().collect();
        let overview = self.overview.iter().filter(|event| audience.hears(event));
        missed.extend(overview.map(|it| Arc::new(Sent { number: self.newest, event: it.clone() })));
        (opening, missed)
    }

    fn forget(&mut self) {
        // Nobody can have had this one.
        self.newest += 1;
        self.base = self.newest;
        self.ring.clear();
        self.overview = None;
    }
}

impl Subscription {
    /// Waits for the next event; nothing once it has fallen behind or the process stops.
    pub async fn next(&mut self) -> Option<Arc<Sent>> {
        match self.missed.pop_front() {
            Some(sent) => Some(sent),
            None => self.receiver.recv().await,
        }
    }

    /// Returns the newest event if all up to it have been told: what a listener may say that it had
    /// last, though it did not hear those that are not for it.
    pub fn position(&self) -> Option<EventId> {
        let state = self.feed.lock();
        let is_told = self.missed.is_empty() && self.receiver.is_empty();
        // One that was dropped is not told what comes after.
        let is_told = is_told && state.listeners.contains_key(&self.id);
        is_told.then(|| EventId { epoch: self.feed.0.epoch, number: state.newest })
    }

    /// Names an event that it was told.
    pub fn id_of(&self, sent: &Sent) -> EventId {
        EventId { epoch: self.feed.0.epoch, number: sent.number }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.leave(self.id, &self.principal, self.hears_log);
    }
}
