//! Our own chain of headers: where it begins, what vouches for it, which branch is believed, and that
//! nothing is mined without it.

use std::sync::Arc;

use async_trait::async_trait;
use patchproof::bitcoin::{BlockHeader, HeaderFile, MerklePath, Transaction, genesis_header};
use patchproof::chain::{ChainError, ChainTip, ChainTracker, SpendStatus, TransactionStatus};
use patchproof::service::headers::{
    Advance, Anchored, Backfill, FollowError, HeaderService, ImportError, Imported, TrustAnchors,
    Voucher, export_headers, import_headers,
};
use patchproof::service::once::Keep;
use patchproof::simnet::{Filling, Node, Policy, Reorganisation};
use patchproof::storage::headers::{best_hash_at, header};
use patchproof::storage::{Store, StoreOptions, check};
use patchproof::types::{
    BlockHash, ChainProfile, Checkpoint, FeeRate, Network, OutPoint, Timestamp, Txid,
};

const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);
const LATER: Timestamp = Timestamp::from_secs(1_767_325_600);

/// An endpoint that tells the headers of a node, whichever it is at the moment.
#[derive(Clone)]
struct Told(Arc<std::sync::Mutex<Node>>);

impl Told {
    fn new(height: u32) -> Self {
        let min_fee = FeeRate::from_sat_per_kb(100).unwrap();
        let mut node = Node::new(Policy { min_fee, max_ancestors: 25 }, NOW);
        for _ in 0..height {
            node.mine(NOW);
        }
        Self(Arc::new(std::sync::Mutex::new(node)))
    }

    fn node(&self) -> std::sync::MutexGuard<'_, Node> {
        self.0.lock().unwrap()
    }

    fn mine(&self, count: u32) {
        for _ in 0..count {
            self.node().mine_block(NOW, Filling::Nothing);
        }
    }

    /// Mines blocks that differ from those of [`Self::mine`] by their time.
    fn mine_others(&self, count: u32) {
        for _ in 0..count {
            self.node().mine_block(LATER, Filling::Nothing);
        }
    }

    fn reorganise(&self, depth: u32) {
        self.node().reorganise(&Reorganisation::of_depth(depth), NOW).unwrap();
    }

    fn checkpoint(&self, height: u32) -> Checkpoint {
        Checkpoint { height, hash: self.node().block_at(height).unwrap().hash() }
    }

    fn file(&self, heights: std::ops::RangeInclusive<u32>) -> HeaderFile {
        let first_height = *heights.start();
        let node = self.node();
        let headers = heights.map(|height| *node.block_at(height).unwrap().header()).collect();
        HeaderFile { first_height, headers }
    }
}

#[async_trait]
impl ChainTracker for Told {
    async fn tip(&self) -> Result<ChainTip, ChainError> {
        let node = self.node();
        Ok(ChainTip { height: node.height(), hash: node.tip().hash() })
    }

    async fn header_at(&self, height: u32) -> Result<Option<BlockHeader>, ChainError> {
        Ok(self.node().block_at(height).map(|block| *block.header()))
    }

    async fn header(&self, hash: BlockHash) -> Result<Option<BlockHeader>, ChainError> {
        Ok(self.node().block(&hash).map(|block| *block.header()))
    }

    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        Ok(vec![TransactionStatus::Unknown; txids.len()])
    }

    async fn merkle_path(&self, _: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        Ok(None)
    }

    async fn transaction(&self, _: Txid) -> Result<Option<Transaction>, ChainError> {
        Ok(None)
    }

    async fn spender(&self, _: OutPoint) -> Result<SpendStatus, ChainError> {
        Ok(SpendStatus::Unknown)
    }
}

/// A chain of headers of our own, and the endpoint that it is followed from.
struct Followed {
    told: Told,
    headers: HeaderService,
}

impl Followed {
    /// Starts `first_contact` blocks below the tip, or at the first block.
    fn start(told: &Told, first_contact: Option<u32>, configured: &[Checkpoint]) -> Self {
        let (profile, network) = (ChainProfile::Simulated, Network::Test);
        let anchors = TrustAnchors {
            first_contact,
            ..TrustAnchors::new(profile, network, configured.to_vec())
        };
        let store = Store::open(StoreOptions::in_memory()).unwrap();
        let headers = HeaderService { store, tracker: Arc::new(told.clone()), anchors };
        Self { told: told.clone(), headers }
    }

    /// The same store, told by another endpoint.
    fn told_by(self, told: &Told) -> Self {
        let headers = HeaderService { tracker: Arc::new(told.clone()), ..self.headers };
        Self { told: told.clone(), headers }
    }

    async fn follow(&self) -> Advance {
        self.headers.follow().await.unwrap()
    }

    fn tip(&self) -> (u32, BlockHash) {
        let tip = self.headers.trust().unwrap().tip.unwrap();
        (tip.height, tip.hash)
    }

    fn anchored(&self) -> Option<Anchored> {
        self.headers.trust().unwrap().anchored
    }

    fn lowest(&self) -> u32 {
        self.headers.trust().unwrap().lowest.unwrap()
    }

    /// Asserts that the best chain is the endpoint's, and that everything stored agrees.
    #[track_caller]
    fn assert_is_told(&self) {
        let (height, hash) = self.tip();
        let node = self.told.node();
        assert_eq!((height, hash), (node.height(), node.tip().hash()));
        for height in self.lowest()..=height {
            let ours = self.headers.store.read(|tx| best_hash_at(tx, height)).unwrap();
            assert_eq!(ours, node.block_at(height).map(|block| block.hash()), "{height}");
        }
        let report = self.headers.store.read(check).unwrap();
        assert!(report.is_clean(), "{:#?}", report.violations);
    }
}

#[tokio::test]
async fn a_branch_with_more_work_wins_and_the_losing_one_is_kept() {
    let told = Told::new(20);
    let followed = Followed::start(&told, None, &[]);
    assert_eq!(followed.follow().await, Advance::Changed { lowest: 0, tip: 20, depth: 0 });
    assert_eq!(followed.follow().await, Advance::Unchanged);
    let lost = told.checkpoint(20).hash;
    told.reorganise(3);
    assert_eq!(followed.follow().await, Advance::Changed { lowest: 18, tip: 21, depth: 3 });
    followed.assert_is_told();
    assert!(followed.headers.store.read(|tx| header(tx, lost)).unwrap().is_some());
    assert_eq!(followed.headers.deepest_reorganisation().unwrap(), 3);
    assert_eq!(followed.anchored(), Some(Anchored::Genesis));
}

#[tokio::test]
async fn an_endpoint_with_less_work_changes_nothing_until_it_has_more() {
    let told = Told::new(20);
    let followed = Followed::start(&told, None, &[]);
    followed.follow().await;
    // The same first blocks, then another branch: shorter, as long, longer.
    let other = Told::new(15);
    other.mine_others(1);
    let (ours, followed) = (followed.tip(), followed.told_by(&other));
    for height in 16..=20 {
        assert_eq!(followed.follow().await, Advance::Unchanged, "{height}");
        assert_eq!(followed.tip(), ours);
        other.mine_others(1);
    }
    // Its first headers are stored, and need not be told again.
    let known = other.checkpoint(18).hash;
    assert!(followed.headers.store.read(|tx| header(tx, known)).unwrap().is_some());
    let advance = followed.follow().await;
    assert!(matches!(advance, Advance::Changed { lowest: 16, tip: 21, depth: 5 }), "{advance:?}");
    followed.assert_is_told();
    // And back, as soon as the first endpoint is ahead again.
    told.mine(2);
    let followed = followed.told_by(&told);
    assert_eq!(followed.follow().await, Advance::Changed { lowest: 16, tip: 22, depth: 6 });
    followed.assert_is_told();
}

#[tokio::test]
async fn without_a_checkpoint_the_chain_is_trusted_on_first_contact_and_says_so() {
    let told = Told::new(60);
    let followed = Followed::start(&told, Some(10), &[]);
    followed.follow().await;
    assert_eq!((followed.lowest(), followed.anchored()), (50, Some(Anchored::FirstContact)));
    let warning = followed.headers.observe().unwrap().warning.unwrap();
    assert!(warning.contains("trusted on first contact") && warning.contains("50"), "{warning}");
    assert_eq!(followed.headers.backfill().await.unwrap(), Backfill::Nothing);
    followed.assert_is_told();
}

#[tokio::test]
async fn the_chain_grows_down_to_a_checkpoint_in_small_steps() {
    let told = Told::new(60);
    let followed = Followed::start(&told, Some(10), &[told.checkpoint(7)]);
    followed.follow().await;
    for lowest in [30, 10, 7] {
        assert_eq!(followed.anchored(), Some(Anchored::FirstContact));
        assert_eq!(followed.headers.backfill().await.unwrap(), Backfill::Lowered { lowest });
        followed.assert_is_told();
        told.mine(1);
        followed.follow().await;
    }
    assert_eq!(followed.anchored(), Some(Anchored::Checkpoint));
    assert_eq!(followed.headers.backfill().await.unwrap(), Backfill::Nothing);
    assert_eq!(followed.headers.observe().unwrap(), Default::default());
}

#[tokio::test]
async fn headers_of_another_chain_are_not_filled_in() {
    let (told, other) = (Told::new(60), Told::new(0));
    other.mine_others(60);
    let followed = Followed::start(&told, Some(10), &[told.checkpoint(7)]);
    followed.follow().await;
    let followed = followed.told_by(&other);
    let refused = followed.headers.backfill().await;
    assert!(matches!(refused, Err(FollowError::Disconnected(50))), "{refused:?}");
    assert_eq!(followed.lowest(), 50);
}

#[tokio::test]
async fn a_checkpoint_that_our_chain_does_not_stand_on_is_found_out() {
    let (told, other) = (Told::new(60), Told::new(0));
    other.mine_others(60);
    let wrong = other.checkpoint(42);
    let followed = Followed::start(&told, Some(10), &[wrong]);
    followed.follow().await;
    followed.headers.backfill().await.unwrap();
    let trust = followed.headers.trust().unwrap();
    assert_eq!(trust.lowest, Some(43));
    assert_eq!(trust.contradiction().unwrap().checkpoint, wrong);
    assert_eq!(trust.anchored, Some(Anchored::FirstContact));
    let told_so = followed.headers.observe().unwrap().contradiction.unwrap();
    assert!(told_so.contains("height 42"), "{told_so}");
    assert_eq!(followed.headers.backfill().await.unwrap(), Backfill::Nothing);
    followed.assert_is_told();
}

#[tokio::test]
async fn a_checkpoint_outweighs_work() {
    let told = Told::new(20);
    let followed = Followed::start(&told, None, &[]);
    followed.follow().await;
    let heavier = Told::new(15);
    heavier.mine_others(30);
    let checkpoint = told.checkpoint(18);
    followed.headers.add_checkpoint(checkpoint, "operator", Keep::nothing(), NOW).await.unwrap();
    let followed = followed.told_by(&heavier);
    let ours = followed.tip();
    for _ in 0..2 {
        let refused = followed.headers.follow().await;
        assert!(matches!(refused, Err(FollowError::Contradicted(18))), "{refused:?}");
        assert_eq!(followed.tip(), ours);
    }
    let trust = followed.headers.remove_checkpoint(18, "operator", NOW).await.unwrap();
    assert!(trust.unwrap().checkpoints.is_empty());
    assert!(followed.headers.remove_checkpoint(18, "operator", NOW).await.unwrap().is_none());
    let advance = followed.follow().await;
    assert!(matches!(advance, Advance::Changed { lowest: 16, tip: 45, depth: 5 }), "{advance:?}");
    // Vouching for the lighter branch brings it back, once an endpoint tells it.
    let judged = followed
        .headers
        .add_checkpoint(told.checkpoint(18), "operator", Keep::nothing(), NOW)
        .await;
    assert!(judged.unwrap().contradiction().is_some());
    let followed = followed.told_by(&told);
    followed.follow().await;
    followed.assert_is_told();
    assert!(followed.headers.trust().unwrap().contradiction().is_none());
}

#[tokio::test]
async fn a_chain_that_begins_against_a_checkpoint_is_not_begun() {
    let (told, other) = (Told::new(20), Told::new(0));
    other.mine_others(20);
    let followed = Followed::start(&told, Some(10), &[other.checkpoint(15)]);
    let refused = followed.headers.follow().await;
    assert!(matches!(refused, Err(FollowError::Contradicted(15))), "{refused:?}");
    assert_eq!(followed.headers.trust().unwrap().tip, None);
}

#[tokio::test]
async fn a_file_of_headers_says_the_same_as_an_endpoint() {
    let told = Told::new(60);
    let followed = Followed::start(&told, Some(10), &[told.checkpoint(0)]);
    followed.follow().await;
    let HeaderService { store, anchors, .. } = &followed.headers;
    let import = async |file: HeaderFile| import_headers(store, anchors, &file.to_bytes()).await;
    let apart = import(told.file(3..=40)).await;
    assert!(matches!(apart, Err(ImportError::Apart { lowest: 50, tip: 60 })), "{apart:?}");
    let lower = import(told.file(30..=55)).await.unwrap();
    let expected = Imported { read: 26, below: 20, above: 0, changed_from: None };
    assert_eq!(lower, expected);
    told.mine(5);
    let all = import(told.file(0..=65)).await.unwrap();
    let expected = Imported { read: 66, below: 30, above: 5, changed_from: Some(61) };
    assert_eq!(all, expected);
    assert_eq!(followed.anchored(), Some(Anchored::Genesis));
    followed.assert_is_told();
    // What comes out again is what an endpoint would have told.
    let exported = store.read(|tx| export_headers(tx, None)).unwrap().unwrap();
    assert_eq!(exported, told.file(0..=65));
    let from = store.read(|tx| export_headers(tx, Some(64))).unwrap().unwrap();
    assert_eq!(from, told.file(64..=65));
}

#[tokio::test]
async fn a_file_is_checked_like_an_endpoint() {
    let told = Told::new(30);
    let followed = Followed::start(&told, None, &[]);
    let HeaderService { store, anchors, .. } = &followed.headers;
    let mut lazy = told.file(0..=30);
    while lazy.headers[30].check_work(ChainProfile::Simulated).is_ok() {
        lazy.headers[30].nonce += 1;
    }
    let refused = import_headers(store, anchors, &lazy.to_bytes()).await;
    let is_named =
        matches!(refused, Err(ImportError::Header(FollowError::Header { height: 30, .. })));
    assert!(is_named, "{refused:?}");
    assert_eq!(followed.headers.trust().unwrap().tip, None, "nothing of it is stored");
    // A branch out of a file is judged by its work, too.
    followed.follow().await;
    let other = Told::new(20);
    other.mine_others(10);
    let light = import_headers(store, anchors, &other.file(15..=30).to_bytes()).await.unwrap();
    assert_eq!((light.above, light.changed_from), (10, None));
    other.mine_others(1);
    let heavy = import_headers(store, anchors, &other.file(15..=31).to_bytes()).await.unwrap();
    assert_eq!((heavy.above, heavy.changed_from), (1, Some(21)));
    followed.told_by(&other).assert_is_told();
}

#[tokio::test]
async fn a_fall_of_the_work_is_refused_wherever_it_comes_from() {
    let followed = Followed::start(&Told::new(0), None, &[]);
    let HeaderService { store, anchors, .. } = &followed.headers;
    let mut file = HeaderFile { first_height: 0, headers: Vec::new() };
    for height in 0..150 {
        let bits = if height < 149 { 0x2000_ffff } else { ChainProfile::Simulated.easiest_bits() };
        let previous =
            file.headers.last().map_or(BlockHash::from_bytes([0; 32]), BlockHeader::hash);
        let mut header = BlockHeader { bits, previous, ..*Told::new(0).node().tip().header() };
        while header.check_work(ChainProfile::Simulated).is_err() {
            header.nonce += 1;
        }
        file.headers.push(header);
    }
    let whole = import_headers(store, anchors, &file.to_bytes()).await;
    let words = format!("{whole:?}");
    assert!(words.contains("height: 149") && words.contains("WorkDropped"), "{words}");
    // From the top down the window is known only in the end.
    let top = HeaderFile { first_height: 20, headers: file.headers.split_off(20) };
    import_headers(store, anchors, &top.to_bytes()).await.unwrap();
    let refused = import_headers(store, anchors, &file.to_bytes()).await;
    assert!(format!("{refused:?}").contains("WorkDropped"), "{refused:?}");
    assert_eq!(followed.lowest(), 20);
}

#[tokio::test]
async fn the_first_block_of_a_public_network_is_known_by_itself() {
    for network in [Network::Main, Network::Test] {
        let anchors = TrustAnchors::new(ChainProfile::Public, network, Vec::new());
        let store = Store::open(StoreOptions::in_memory()).unwrap();
        let other = if network == Network::Main { Network::Test } else { Network::Main };
        let file = |network| {
            HeaderFile { first_height: 0, headers: vec![genesis_header(network)] }.to_bytes()
        };
        let refused = import_headers(&store, &anchors, &file(other)).await;
        let is_named = matches!(refused, Err(ImportError::Header(FollowError::Contradicted(0))));
        assert!(is_named, "{refused:?}");
        import_headers(&store, &anchors, &file(network)).await.unwrap();
        let trust = store.read(|tx| anchors.judge(tx)).unwrap();
        assert_eq!(trust.anchored, Some(Anchored::Genesis));
        assert_eq!(trust.checkpoints[0].voucher, Voucher::Genesis);
    }
}
