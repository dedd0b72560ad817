//! Services over an empty store, for an edge whose own behaviour is what is tested.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use patchproof::bitcoin::{Address, BlockHeader, MerklePath, Transaction};
use patchproof::chain::{
    ChainError, ChainTip, ChainTracker, SpendStatus, TransactionStatus, UnspentOutput, UtxoSource,
};
use patchproof::crypto::SecretKey;
use patchproof::service::Services;
use patchproof::service::funding::FundingService;
use patchproof::service::idempotency::IdempotencyService;
use patchproof::service::keys::{Keyring, NamedKey, PaymentKey};
use patchproof::service::listing::ListingService;
use patchproof::service::pending::PendingService;
use patchproof::service::progress::Progress;
use patchproof::service::readiness::{Observations, ReadinessService};
use patchproof::service::registration::RegistrationService;
use patchproof::service::transfer::TransferService;
use patchproof::service::unlock::UnlockService;
use patchproof::service::verification::VerificationService;
use patchproof::storage::{Store, StoreOptions};
use patchproof::types::{BlockHash, Network, OutPoint, Timestamp, Txid};

/// A network that never answers.
struct Silence;

fn silence<T>() -> Result<T, ChainError> {
    Err(ChainError::Unreachable("silence".into()))
}

#[async_trait]
impl ChainTracker for Silence {
    async fn tip(&self) -> Result<ChainTip, ChainError> {
        silence()
    }

    async fn header_at(&self, _: u32) -> Result<Option<BlockHeader>, ChainError> {
        silence()
    }

    async fn header(&self, _: BlockHash) -> Result<Option<BlockHeader>, ChainError> {
        silence()
    }

    async fn statuses(&self, _: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        silence()
    }

    async fn merkle_path(&self, _: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        silence()
    }

    async fn transaction(&self, _: Txid) -> Result<Option<Transaction>, ChainError> {
        silence()
    }

    async fn spender(&self, _: OutPoint) -> Result<SpendStatus, ChainError> {
        silence()
    }
}

#[async_trait]
impl UtxoSource for Silence {
    async fn unspent(&self, _: &str) -> Result<Vec<UnspentOutput>, ChainError> {
        silence()
    }
}

fn keyring() -> Keyring {
    let issuer = SecretKey::generate().public_key();
    let address = Address::of_key(&SecretKey::generate().public_key(), Network::Test);
    let funding = PaymentKey { identifier: "funding".into(), address };
    Keyring {
        network: Network::Test,
        issuer: NamedKey { identifier: "issuer".into(), public_key: issuer },
        custody: None,
        change: funding.clone(),
        funding,
    }
}

/// Makes the services.
pub(crate) fn services() -> Services {
    let store = Store::open(StoreOptions::in_memory()).unwrap();
    let keyring = Arc::new(keyring());
    let process = Timestamp::from_secs(1_790_000_000);
    let pending = PendingService { store: store.clone(), confirmed_at_depth: 0 };
    let progress = Progress::default();
    Services {
        registration: RegistrationService {
            store: store.clone(),
            keyring: Arc::clone(&keyring),
            progress: progress.clone(),
            wake: Arc::new(|| ()),
            process,
        },
        transfer: TransferService {
            store: store.clone(),
            keyring: Arc::clone(&keyring),
            progress,
            wake: Arc::new(|| ()),
            process,
        },
        idempotency: IdempotencyService { store: store.clone() },
        verification: VerificationService {
            store: store.clone(),
            network: Network::Test,
            issuers: [keyring.issuer.public_key].into(),
        },
        unlock: UnlockService {
            store: store.clone(),
            master_secret: vec![7; 32].into(),
            requires_nonce: false,
        },
        listing: ListingService { store: store.clone(), pending: pending.clone() },
        pending,
        funding: FundingService {
            store: store.clone(),
            keyring,
            tracker: Arc::new(Silence),
            source: Arc::new(Silence),
            min_confirmations: 0,
            chain_view_ttl: Duration::from_secs(5),
            chain_view: Arc::new(Mutex::new(None)),
        },
        readiness: ReadinessService {
            store,
            observations: Observations::default(),
            warnings: Arc::from([]),
        },
    }
}
