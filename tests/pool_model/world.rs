//! The product beside the provider, moved a step at a time and looked at after each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use patchproof::anchor::lifecycle::RetryPolicy;
use patchproof::bitcoin::Transaction;
use patchproof::config::InitialSettings;
use patchproof::crypto::{PublicKey, SecretKey, sha256_parts};
use patchproof::service::anchoring::{AnchoringService, AnchoringSettings, FeeCaps};
use patchproof::service::funding::FundingService;
use patchproof::service::headers::TrustAnchors;
use patchproof::service::keys::{KeyNames, Keyring, establish_keyring};
use patchproof::service::progress::Progress;
use patchproof::service::settings::RuntimeSettings;
use patchproof::service::treasury::{StaleLimits, TreasuryRequest, TreasuryService};
use patchproof::signer::{
    KeyPurpose, Keystore, KeystoreKey, SignRequest, Signer, SignerError, VerifiedSignature,
};
use patchproof::simnet::{Simnet, SimnetConfig};
use patchproof::storage::jobs::expect_job;
use patchproof::storage::transactions::transaction;
use patchproof::storage::utxos::list_utxos;
use patchproof::storage::{Store, StoreOptions, TransactionState, check};
use patchproof::telemetry::Metrics;
use patchproof::types::{
    ChainProfile, Clock, Network, OutPoint, RecordId, Satoshis, SystemClock, Timestamp,
};
use patchproof::wallet::builder::Spend;
use patchproof::wallet::operation::{PlannedOutput, build_operation};
use patchproof::wallet::policy::{PoolPolicy, PoolPolicySource};
use patchproof::wallet::utxo::{Utxo, UtxoState, UtxoStatus};

use crate::liar::{Liar, Random};

type States = BTreeMap<OutPoint, Utxo>;

/// The product, the provider and the network.
pub(crate) struct World {
    /// How often an output changed its state.
    pub(crate) moves: usize,
    simnet: Arc<Simnet>,
    liar: Arc<Liar>,
    random: Random,
    keystore: Keystore,
    keyring: Arc<Keyring>,
    funding: FundingService,
    treasury: TreasuryService,
    store: Store,
    operations: Vec<RecordId>,
    before: States,
    seed: u64,
}

struct Keys(Keystore);

#[async_trait]
impl Signer for Keys {
    async fn sign(&self, requests: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError> {
        let sign = |request: &SignRequest| {
            let key = self.0.get(&request.key_identifier).unwrap();
            let signature = key.sign(&request.sighash);
            VerifiedSignature { signature, public_key: key.public_key() }
        };
        Ok(requests.iter().map(sign).collect())
    }

    async fn public_key(&self, identifier: &str) -> Result<Option<PublicKey>, SignerError> {
        Ok(self.0.get(identifier).map(KeystoreKey::public_key))
    }
}

fn keystore(seed: u64) -> Keystore {
    let key = |purpose: KeyPurpose| {
        let parts = [purpose.as_str().as_bytes(), &seed.to_le_bytes()[..]];
        let secret = SecretKey::from_bytes(&sha256_parts(&parts)).unwrap();
        KeystoreKey::new(purpose.as_str(), purpose, secret, Timestamp::from_millis(0))
    };
    Keystore::from_keys(KeyPurpose::ALL.map(key).into()).unwrap()
}

fn names() -> KeyNames {
    KeyNames {
        network: Network::Test,
        issuer: "issuer".into(),
        custody: Some("custody".into()),
        funding: "funding".into(),
        funding_address: None,
        change: Some("change".into()),
        change_address: None,
    }
}

fn settings() -> AnchoringSettings {
    let moment = Duration::from_millis(1);
    AnchoringSettings {
        runtime: RuntimeSettings::new(InitialSettings::default()),
        max_chain_depth: 25,
        publishes_records: false,
        caps: FeeCaps { per_day: None, ..FeeCaps::default() },
        policy: RetryPolicy {
            first_wait: moment,
            longest_wait: moment,
            look_wait: moment,
            longest_look_wait: moment,
            held_wait: moment,
        },
    }
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let simnet = Arc::new(Simnet::new(&SimnetConfig::default(), Arc::clone(&clock)));
        let liar = Arc::new(Liar::new(Arc::clone(&simnet), seed));
        let store = Store::open(StoreOptions::in_memory()).unwrap();
        let keystore = keystore(seed);
        let signer: Arc<dyn Signer> = Arc::new(Keys(keystore.clone()));
        let keyring = establish_keyring(&store, &signer, &names()).await.unwrap();
        let (keyring, settings) = (Arc::new(keyring), settings());
        let runtime = settings.runtime.clone();
        let policy = PoolPolicy::of(runtime.current().fee_rate(), 25);
        let anchors = TrustAnchors::new(ChainProfile::Simulated, Network::Test, Vec::new());
        let funding = FundingService {
            store: store.clone(),
            keyring: Arc::clone(&keyring),
            tracker: Arc::clone(&liar) as _,
            source: Arc::clone(&liar) as _,
            anchors: anchors.clone(),
            runtime,
            chain_view_ttl: Duration::ZERO,
            chain_view: Arc::default(),
            last_asked: Arc::default(),
        };
        let anchoring = AnchoringService {
            store: store.clone(),
            keyring: Arc::clone(&keyring),
            signer,
            broadcaster: Arc::clone(&liar) as _,
            tracker: Arc::clone(&liar) as _,
            progress: Progress::default(),
            metrics: Arc::new(Metrics::new()),
            shortage: Arc::new(|| {}),
            settings: Arc::new(settings),
            anchors,
        };
        let treasury = TreasuryService {
            store: store.clone(),
            keyring: Arc::clone(&keyring),
            anchoring,
            policy: PoolPolicySource::fixed(policy),
        };
        Self {
            moves: 0,
            simnet,
            liar,
            random: Random::new(seed),
            keystore,
            keyring,
            funding,
            treasury,
            store,
            operations: Vec::new(),
            before: States::new(),
            seed,
        }
    }

    /// Does something, and looks at what became of every output.
    pub(crate) async fn step(&mut self) {
        let now = SystemClock.now();
        match self.random.below(12) {
            0 | 1 => self.pay(),
            2 => drop(self.simnet.mine()),
            3..=6 => drop(self.funding.sync("test", now).await),
            7 | 8 => self.start(now).await,
            9 => self.carry_on(now).await,
            10 => self.steal(),
            _ => {
                let limits = StaleLimits { older_than: Duration::ZERO, limit: 100 };
                self.treasury.unlock_stale(limits, "model", false, now).await.unwrap();
            }
        }
        self.look();
    }

    /// Money comes in.
    fn pay(&mut self) {
        let value = 1_000 + u32::try_from(self.random.below(40_000)).unwrap();
        let count = 1 + u32::try_from(self.random.below(3)).unwrap();
        let address = self.keyring.payment_keys()[self.random.below(2)].address;
        // The faucet may have nothing that is settled; then nothing comes in.
        drop(self.simnet.node().faucet(&address, Satoshis::from_const(value), count));
    }

    /// Starts an operation on outputs that are available, and perhaps has it signed and sent.
    async fn start(&mut self, now: Timestamp) {
        let available = self.outputs(UtxoStatus::Available);
        if available.len() < 2 {
            return;
        }
        let first = self.random.below(available.len() - 1);
        let chosen = available[first..].iter().take(1 + self.random.below(4));
        let outpoints = chosen.map(|it| it.outpoint).collect();
        let request = match self.random.below(2) {
            0 => TreasuryRequest::Split {
                outpoints,
                count: Some(3),
                size: Some(Satoshis::from_const(800)),
            },
            _ => TreasuryRequest::Sweep { outpoints, destination: None, allows_foreign: false },
        };
        let Ok(started) = self.treasury.start(request, "model", false, now).await else { return };
        self.operations.extend(started.iter().filter_map(|it| it.id));
        if self.random.below(3) > 0 {
            self.treasury.anchoring.prepare(&self.operations, now).await.unwrap();
        }
    }

    /// Sends again what was sent, looks for it, looks for who spends its inputs.
    async fn carry_on(&mut self, now: Timestamp) {
        self.treasury.anchoring.prepare(&self.operations, now).await.unwrap();
        for id in self.operations.clone() {
            self.treasury.anchoring.submit(id, now).await.unwrap();
        }
    }

    /// Somebody else with the key spends an output.
    fn steal(&mut self) {
        let state =
            [UtxoStatus::Available, UtxoStatus::Locked][usize::from(self.random.below(4) == 0)];
        let outputs = self.outputs(state);
        if outputs.is_empty() {
            return;
        }
        let output = outputs[self.random.below(outputs.len())].clone();
        let Some(value) = output.value.get().checked_sub(500) else { return };
        let spend = Spend {
            outpoint: output.outpoint,
            value: output.value,
            key_hash: output.key_hash,
            key_identifier: output.key_identifier.clone(),
        };
        let thief = PlannedOutput { value: Satoshis::new(value).unwrap(), key_hash: [6; 20] };
        let unsigned = build_operation(vec![spend], &[thief], Satoshis::from_const(1_000)).unwrap();
        let (_, sighash) = unsigned.signature_requests().remove(0);
        let key = self.keystore.get(&output.key_identifier).unwrap();
        let signed = unsigned.sign(&[(key.sign(&sighash), key.public_key())]).unwrap();
        // The network refuses it where our own transaction came first.
        drop(self.simnet.submit(&signed.raw));
    }

    fn outputs(&self, status: UtxoStatus) -> Vec<Utxo> {
        self.store.read(|tx| list_utxos(tx, status, 100_000)).unwrap()
    }

    fn states(&self) -> States {
        let all = UtxoStatus::ALL.iter().flat_map(|status| self.outputs(*status));
        all.map(|it| (it.outpoint, it)).collect()
    }

    /// Holds every output against what it was before.
    fn look(&mut self) {
        let now = self.states();
        for (outpoint, after) in &now {
            let at = format!("seed {}: {outpoint}", self.seed);
            let Some(before) = self.before.get(outpoint) else { continue };
            assert_eq!(before.value, after.value, "{at}");
            self.moves += usize::from(before.state != after.state);
            match (before.state, after.state) {
                (UtxoState::Locked { by }, UtxoState::Available | UtxoState::Unconfirmed) => {
                    assert!(self.has_no_live_transaction(by), "{at}: freed while it may be spent");
                }
                (UtxoState::Spent { by }, other) if other != before.state => {
                    let stored = self.store.read(|tx| transaction(tx, by)).unwrap().unwrap();
                    let is_dead = matches!(stored.state, TransactionState::Dead { .. });
                    assert!(is_dead, "{at}: came back while {by} lives");
                }
                (UtxoState::Available | UtxoState::Unconfirmed, UtxoState::Spent { by }) => {
                    let spender = self.simnet.node().spender(outpoint);
                    assert_eq!(
                        spender,
                        Some(by),
                        "{at}: taken for spent by what does not spend it"
                    );
                }
                _ => {}
            }
        }
        for (outpoint, before) in &self.before {
            let is_lost = !now.contains_key(outpoint)
                && matches!(before.state, UtxoState::Locked { .. } | UtxoState::Spent { .. });
            assert!(!is_lost, "seed {}: {outpoint} has gone", self.seed);
        }
        self.before = now;
    }

    fn has_no_live_transaction(&self, job: RecordId) -> bool {
        self.store.read(|tx| expect_job(tx, job)).unwrap().txid().is_none()
    }

    /// The provider repents: whatever was spent from outside is found out, and all agrees.
    pub(crate) async fn end(mut self) {
        self.liar.repent();
        // A sync asks about a few spenders only; this many have asked about each output there is.
        for _ in 0..3 + self.states().len() / 20 {
            self.funding.sync("test", SystemClock.now()).await.unwrap();
            self.look();
        }
        for output in self.outputs(UtxoStatus::Available) {
            let spender = self.simnet.node().spender(&output.outpoint);
            let ours = spender.filter(|by| !self.is_ours(*by));
            assert_eq!(ours, None, "seed {}: {} is spent", self.seed, output.outpoint);
        }
        let report = self.store.read(check).unwrap();
        assert!(report.is_clean(), "seed {}: {:#?}", self.seed, report.violations);
        self.assert_values();
    }

    fn is_ours(&self, txid: patchproof::types::Txid) -> bool {
        let stored = self.store.read(|tx| transaction(tx, txid)).unwrap();
        stored.is_some_and(|it| it.origin != patchproof::storage::TransactionOrigin::External)
    }

    /// Every output is worth what its transaction says.
    fn assert_values(&self) {
        for (outpoint, output) in self.states() {
            let stored = self.store.read(|tx| transaction(tx, outpoint.txid)).unwrap().unwrap();
            let parsed: Transaction = stored.parse().unwrap();
            let made = &parsed.outputs[usize::try_from(outpoint.vout).unwrap()];
            assert_eq!(made.value, output.value);
        }
    }
}
