//! Fail-over, hedge, second opinion, rests; in paused time, with a clock that moves only when told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::bitcoin::{BlockHeader, MerklePath, Transaction};
use crate::chain::endpoint::{BroadcastEndpoint, EndpointName, TransactionIndex};
use crate::chain::{
    BreakerState, ChainError, ChainTip, ChainTracker, SpendStatus, TransactionStatus,
};
use crate::types::{BlockHash, Digest, ManualClock, OutPoint, Timestamp, Txid};

const TXID: Txid = Txid::from_bytes([7; 32]);
const SENT: Submission<'_> = Submission { txid: TXID, raw: b"raw", spent: None };

#[derive(Clone)]
enum Behaviour {
    Says(BroadcastOutcome),
    Fails(Option<u64>),
    After(u64, BroadcastOutcome),
    Never,
}

struct Stub {
    behaviour: Mutex<Behaviour>,
    asked: AtomicUsize,
    status: Result<TransactionStatus, ChainError>,
    path: Option<MerklePath>,
    header: BlockHeader,
}

impl Stub {
    fn new(behaviour: Behaviour) -> Arc<Self> {
        Arc::new(Self::silent(behaviour))
    }

    fn silent(behaviour: Behaviour) -> Self {
        let merkle_root = Digest::from_bytes(TXID.to_bytes());
        let previous = BlockHash::from_bytes([0; 32]);
        let header = BlockHeader { version: 1, previous, merkle_root, time: 0, bits: 0, nonce: 0 };
        Self {
            behaviour: Mutex::new(behaviour),
            asked: AtomicUsize::new(0),
            status: Ok(TransactionStatus::Unknown),
            path: None,
            header,
        }
    }

    fn behaves(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl BroadcastEndpoint for Stub {
    async fn attempt(&self, _submission: Submission<'_>) -> Attempt {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let behaviour = self.behaviour.lock().unwrap().clone();
        match behaviour {
            Behaviour::Says(outcome) => Attempt { outcome, is_condition: false },
            Behaviour::Fails(retry_after_ms) => Attempt::condition("down".into(), retry_after_ms),
            Behaviour::After(millis, outcome) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Attempt { outcome, is_condition: false }
            }
            Behaviour::Never => std::future::pending().await,
        }
    }
}

#[async_trait]
impl TransactionIndex for Stub {
    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        self.status.clone().map(|status| vec![status; txids.len()])
    }

    async fn merkle_path(&self, _txid: Txid) -> Result<Option<MerklePath>, ChainError> {
        Ok(self.path.clone())
    }
}

#[async_trait]
impl ChainTracker for Stub {
    async fn tip(&self) -> Result<ChainTip, ChainError> {
        Err(ChainError::Unreachable("down".into()))
    }

    async fn header_at(&self, _height: u32) -> Result<Option<BlockHeader>, ChainError> {
        Ok(Some(self.header))
    }

    async fn header(&self, _hash: BlockHash) -> Result<Option<BlockHeader>, ChainError> {
        Ok(None)
    }

    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        self.status.clone().map(|status| vec![status; txids.len()])
    }

    async fn merkle_path(&self, _: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        Ok(None)
    }

    async fn transaction(&self, _txid: Txid) -> Result<Option<Transaction>, ChainError> {
        Ok(None)
    }

    async fn spender(&self, _outpoint: OutPoint) -> Result<SpendStatus, ChainError> {
        Ok(SpendStatus::Unknown)
    }
}

struct Bench {
    router: Router,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn of(stubs: &[&Arc<Stub>]) -> Self {
        let names = [EndpointName::WhatsOnChain, EndpointName::Arc];
        let endpoint = |(name, stub): (EndpointName, &&Arc<Stub>)| RouterEndpoint {
            name,
            broadcaster: Some(Arc::clone(stub) as _),
            tracker: (name == EndpointName::WhatsOnChain).then(|| Arc::clone(stub) as _),
            utxo_source: None,
            index: (name == EndpointName::Arc).then(|| Arc::clone(stub) as _),
        };
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_000)));
        let endpoints = names.into_iter().zip(stubs).map(endpoint).collect();
        let router = Router::new(endpoints, RouterPolicy::default(), Arc::clone(&clock) as _);
        Self { router, clock }
    }

    async fn send(&self) -> BroadcastOutcome {
        self.router.broadcast(SENT).await
    }

    fn states(&self) -> Vec<BreakerState> {
        let health = self.router.board().snapshot(self.clock.now());
        health.iter().map(|endpoint| endpoint.state).collect()
    }
}

fn accepted() -> Behaviour {
    Behaviour::Says(BroadcastOutcome::Accepted)
}

fn invalid() -> BroadcastOutcome {
    BroadcastOutcome::Invalid { reason: "bad".into() }
}

fn pause_of(outcome: &BroadcastOutcome) -> Option<Option<u64>> {
    if let BroadcastOutcome::Unknown { retry_after_ms, .. } = outcome {
        Some(*retry_after_ms)
    } else {
        None
    }
}

#[tokio::test]
async fn the_second_is_asked_only_when_the_first_did_not_take_it() {
    let (first, second) = (Stub::new(accepted()), Stub::new(accepted()));
    let bench = Bench::of(&[&first, &second]);
    assert_eq!(bench.send().await, BroadcastOutcome::Accepted);
    assert_eq!((first.asked(), second.asked()), (1, 0));
    first.behaves(Behaviour::Fails(None));
    assert_eq!(bench.send().await, BroadcastOutcome::Accepted);
    assert_eq!((first.asked(), second.asked()), (2, 1));
}

#[tokio::test]
async fn a_refusal_gets_a_second_opinion_and_the_weaker_claim_counts() {
    let refusing = |outcome| Stub::new(Behaviour::Says(outcome));
    let second = Stub::new(accepted());
    let heard = Bench::of(&[&refusing(invalid()), &second]).send().await;
    assert_eq!(pause_of(&heard), Some(None), "{heard:?}");
    let orphan = BroadcastOutcome::Orphan { reason: "parent".into() };
    let heard = Bench::of(&[&refusing(invalid()), &refusing(orphan.clone())]).send().await;
    assert_eq!(heard, orphan);
    let heard = Bench::of(&[&refusing(invalid()), &Stub::new(Behaviour::Fails(None))]).send().await;
    assert_eq!(heard, invalid(), "a condition is no opinion");
}

#[tokio::test(start_paused = true)]
async fn a_silent_first_is_joined_by_the_second_after_the_bound_and_left_alone_in_time() {
    let (first, second) = (Stub::new(Behaviour::Never), Stub::new(accepted()));
    let bench = Bench::of(&[&first, &second]);
    for round in 1..=5 {
        let begun = tokio::time::Instant::now();
        assert_eq!(bench.send().await, BroadcastOutcome::Accepted);
        assert_eq!(begun.elapsed(), Duration::from_secs(3), "round {round}");
    }
    assert_eq!(bench.states(), [BreakerState::Open, BreakerState::Closed]);
    let begun = tokio::time::Instant::now();
    assert_eq!(bench.send().await, BroadcastOutcome::Accepted);
    assert_eq!((begun.elapsed(), first.asked()), (Duration::ZERO, 5));
    bench.clock.advance(Duration::from_secs(5));
    first.behaves(accepted());
    assert_eq!(bench.send().await, BroadcastOutcome::Accepted);
    assert_eq!((first.asked(), second.asked()), (6, 6), "the trial was enough");
    assert_eq!(bench.states(), [BreakerState::Closed, BreakerState::Closed]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_hedge_waits_for_the_slow_first() {
    let first = Stub::new(Behaviour::After(9_000, BroadcastOutcome::Accepted));
    let second = Stub::new(Behaviour::Says(invalid()));
    let heard = Bench::of(&[&first, &second]).send().await;
    assert_eq!(pause_of(&heard), Some(None), "{heard:?}");
}

#[tokio::test]
async fn refusals_never_open_a_breaker() {
    let stub = || Stub::new(Behaviour::Says(invalid()));
    let (first, second) = (stub(), stub());
    let bench = Bench::of(&[&first, &second]);
    for _ in 0..20 {
        assert_eq!(bench.send().await, invalid());
    }
    assert_eq!(bench.states(), [BreakerState::Closed, BreakerState::Closed]);
    assert_eq!((first.asked(), second.asked()), (20, 20));
}

#[tokio::test]
async fn a_pause_that_an_endpoint_asks_for_is_kept_for_it_alone() {
    let (first, second) = (Stub::new(Behaviour::Fails(Some(30_000))), Stub::new(accepted()));
    let bench = Bench::of(&[&first, &second]);
    for _ in 0..3 {
        assert_eq!(bench.send().await, BroadcastOutcome::Accepted);
    }
    assert_eq!((first.asked(), second.asked()), (1, 3));
    second.behaves(Behaviour::Fails(Some(10_000)));
    assert_eq!(pause_of(&bench.send().await), Some(Some(10_000)));
    assert_eq!(pause_of(&bench.send().await), Some(Some(10_000)), "both rest");
    assert_eq!((first.asked(), second.asked()), (1, 4));
    bench.clock.advance(Duration::from_secs(30));
    first.behaves(accepted());
    assert_eq!(bench.send().await, BroadcastOutcome::Accepted);
    assert_eq!(first.asked(), 2);
}

#[tokio::test]
async fn the_only_endpoint_is_never_left_alone() {
    let only = Stub::new(Behaviour::Fails(Some(60_000)));
    let bench = Bench::of(&[&only]);
    for _ in 0..10 {
        assert_eq!(pause_of(&bench.send().await), Some(Some(60_000)));
    }
    assert_eq!(only.asked(), 10);
    let health = bench.router.board().snapshot(bench.clock.now());
    assert_eq!(health[0].failure.as_deref(), Some("down"));
    assert_eq!(health[0].state, BreakerState::Open);
}

#[tokio::test]
async fn unknown_is_what_the_full_index_says_and_known_what_anybody_says() {
    let (unknown, seen) = (TransactionStatus::Unknown, TransactionStatus::InMempool);
    let away = || Err(ChainError::Unreachable("down".into()));
    for (full, partial, told) in [
        (Ok(unknown), Ok(seen), Ok(vec![seen])),
        (Ok(seen), Ok(unknown), Ok(vec![seen])),
        (Ok(unknown), Ok(unknown), Ok(vec![unknown])),
        (Ok(unknown), away(), Ok(vec![unknown])),
        (away(), Ok(seen), Ok(vec![seen])),
        (away(), Ok(unknown), Err(ChainError::Unreachable("down".into()))),
    ] {
        let stub = |status| Arc::new(Stub { status, ..Stub::silent(accepted()) });
        let (first, second) = (stub(full), stub(partial));
        let bench = Bench::of(&[&first, &second]);
        assert_eq!(ChainTracker::statuses(&bench.router, &[TXID]).await, told);
    }
}

#[tokio::test]
async fn a_probe_asks_everyone_and_tells_how_each_is() {
    let health = Bench::of(&[&Stub::new(accepted()), &Stub::new(accepted())]).router.probe().await;
    let [explorer, index] = <[_; 2]>::try_from(health).unwrap();
    assert_eq!(explorer.name, EndpointName::WhatsOnChain);
    assert!(explorer.last_failure.is_some() && explorer.failure.is_some());
    assert_eq!((index.name, index.failure), (EndpointName::Arc, None));
    assert_eq!(index.last_success, Some(Timestamp::from_secs(1_000)));
}

#[tokio::test]
async fn a_path_of_an_index_counts_only_with_the_header_that_it_ends_in() {
    let mut bytes = vec![5, 1, 1, 0, 2];
    bytes.extend_from_slice(&TXID.to_bytes());
    let path = MerklePath::parse(&bytes).unwrap();
    let index = Arc::new(Stub { path: Some(path.clone()), ..Stub::silent(accepted()) });
    let honest = Stub::new(accepted());
    let found = ChainTracker::merkle_path(&Bench::of(&[&honest, &index]).router, TXID).await;
    assert_eq!(found, Ok(Some((path, honest.header.hash()))));
    let merkle_root = Digest::from_bytes([1; 32]);
    let header = BlockHeader { merkle_root, ..honest.header };
    let other = Arc::new(Stub { header, ..Stub::silent(accepted()) });
    let found = ChainTracker::merkle_path(&Bench::of(&[&other, &index]).router, TXID).await;
    assert_eq!(found, Ok(None));
}
