//! Sends through several endpoints as if they were one: fail-over, a hedge, a second opinion.
//!
//! The endpoints are used in their order. The next one is asked as soon as one gave no answer or
//! spoke against the transaction, and after a bound while one is silent. Who says that it has the
//! transaction ends the round; otherwise all are heard, and the weakest claim counts
//! ([`weakest_claim`]). An endpoint in trouble is left alone for a while, unless it is the only one:
//! then there is nothing to gain, and the waits between attempts are the caller's. Questions are
//! routed in `router_questions`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::chain::agreement::{is_taken, weakest_claim};
use crate::chain::breaker::BreakerPolicy;
use crate::chain::endpoint::{Attempt, EndpointBoard, RouterEndpoint, Use, Watch};
use crate::chain::{BroadcastOutcome, Broadcaster, Submission};
use crate::types::Clock;

/// How endpoints are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterPolicy {
    /// How long an endpoint may be silent before the next one is asked as well.
    pub hedge: Duration,
    /// When an endpoint is left alone.
    pub breaker: BreakerPolicy,
}

impl Default for RouterPolicy {
    fn default() -> Self {
        Self { hedge: Duration::from_secs(3), breaker: BreakerPolicy::default() }
    }
}

/// An endpoint and the eye kept on it.
pub(super) struct Watched {
    pub(super) endpoint: RouterEndpoint,
    pub(super) watch: Arc<Watch>,
}

/// Several endpoints as one.
pub struct Router {
    pub(super) endpoints: Vec<Watched>,
    hedge: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

impl Router {
    /// Routes to `endpoints` in their order.
    pub fn new(
        endpoints: Vec<RouterEndpoint>,
        policy: RouterPolicy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let watched = |endpoint: RouterEndpoint| Watched {
            watch: Arc::new(Watch::new(endpoint.name, policy.breaker)),
            endpoint,
        };
        let endpoints = endpoints.into_iter().map(watched).collect();
        Self { endpoints, hedge: policy.hedge, clock }
    }

    /// Returns where the health of the endpoints can be read.
    pub fn board(&self) -> EndpointBoard {
        EndpointBoard::new(self.endpoints.iter().map(|one| Arc::clone(&one.watch)).collect())
    }
}

/// One transaction on its way through the endpoints.
struct Round<'a> {
    router: &'a Router,
    submission: Submission<'a>,
    /// Those that have not been asked.
    unasked: std::vec::IntoIter<&'a Watched>,
    is_only_one: bool,
    asked: FuturesUnordered<BoxFuture<'a, (&'a Watched, Attempt)>>,
    /// Those that are being asked, and whether they have been silent for longer than the bound.
    silent: Vec<(&'a Watched, bool)>,
    heard: Vec<BroadcastOutcome>,
    /// The shortest time until one that is left alone is asked again.
    shortest_rest: Option<Duration>,
}

impl<'a> Round<'a> {
    fn new(router: &'a Router, submission: Submission<'a>) -> Self {
        let senders: Vec<&Watched> =
            router.endpoints.iter().filter(|one| one.endpoint.broadcaster.is_some()).collect();
        Self {
            router,
            submission,
            is_only_one: senders.len() == 1,
            unasked: senders.into_iter(),
            asked: FuturesUnordered::new(),
            silent: Vec::new(),
            heard: Vec::new(),
            shortest_rest: None,
        }
    }

    /// Asks the next endpoint that is not left alone, if there is one.
    fn ask_next(&mut self) {
        let now = self.router.clock.now();
        for watched in self.unasked.by_ref() {
            let Some(broadcaster) = &watched.endpoint.broadcaster else { continue };
            if let Err(rest) = watched.watch.admit(Use::Sending, now)
                && !self.is_only_one
            {
                let shortest = self.shortest_rest.map_or(rest, |shortest| shortest.min(rest));
                self.shortest_rest = Some(shortest);
                continue;
            }
            let submission = self.submission;
            self.silent.push((watched, false));
            self.asked
                .push(Box::pin(async move { (watched, broadcaster.attempt(submission).await) }));
            return;
        }
    }

    /// Notes an answer; says whether it ends the round.
    fn hear(&mut self, watched: &'a Watched, attempt: Attempt) -> bool {
        let now = self.router.clock.now();
        self.silent.retain(|(other, _)| !std::ptr::eq(*other, watched));
        match &attempt.outcome {
            BroadcastOutcome::Unknown { reason, retry_after_ms } if attempt.is_condition => {
                watched.watch.fail(Use::Sending, now, reason, *retry_after_ms);
            }
            BroadcastOutcome::Unknown { .. }
            | BroadcastOutcome::Accepted
            | BroadcastOutcome::AlreadyKnown
            | BroadcastOutcome::Conflict { .. }
            | BroadcastOutcome::Invalid { .. }
            | BroadcastOutcome::FeeTooLow { .. }
            | BroadcastOutcome::Orphan { .. } => watched.watch.succeed(Use::Sending, now),
        }
        let ends = is_taken(&attempt.outcome);
        self.heard.push(attempt.outcome);
        ends
    }

    async fn run(mut self) -> BroadcastOutcome {
        self.ask_next();
        while !self.asked.is_empty() {
            let may_hedge = self.unasked.len() > 0;
            tokio::select! {
                Some((watched, attempt)) = self.asked.next() => {
                    if self.hear(watched, attempt) {
                        break;
                    }
                    self.ask_next();
                }
                () = tokio::time::sleep(self.router.hedge), if may_hedge => {
                    self.silent.iter_mut().for_each(|(_, is_late)| *is_late = true);
                    self.ask_next();
                }
            }
        }
        self.conclude()
    }

    fn conclude(self) -> BroadcastOutcome {
        let now = self.router.clock.now();
        // Without this an endpoint that swallows everything would cost the bound every time.
        for (watched, _) in self.silent.iter().filter(|(_, is_late)| *is_late) {
            let bound = self.router.hedge.as_millis();
            let reason = format!("no answer within {bound} ms, while another endpoint answered");
            watched.watch.fail(Use::Sending, now, &reason, None);
        }
        if self.heard.is_empty() {
            let reason = "every endpoint is left alone for a while".to_owned();
            let rest = self.shortest_rest.map(|rest| rest.as_millis());
            let retry_after_ms = rest.and_then(|rest| u64::try_from(rest).ok());
            return BroadcastOutcome::Unknown { reason, retry_after_ms };
        }
        weakest_claim(&self.heard)
    }
}

#[async_trait]
impl Broadcaster for Router {
    async fn broadcast(&self, submission: Submission<'_>) -> BroadcastOutcome {
        Round::new(self, submission).run().await
    }
}

#[cfg(test)]
mod tests;
