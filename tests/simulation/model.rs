//! What clients were told, and what follows from it: kept outside of the system.

use std::collections::BTreeMap;

use patchproof::bitcoin::Address;
use patchproof::crypto::SecretKey;
use patchproof::patch::tag::UidTag;
use patchproof::service::idempotency::IdempotentRequest;
use patchproof::service::registration::Registration;
use patchproof::service::transfer::Transfer;
use patchproof::storage::{BatchPlace, StoredBatch};
use patchproof::types::{Digest, Network, RecordId, Txid};

use crate::signing::secret_key;

/// Owners of several products are numbered from here on.
const FIRST_COLLECTOR: u64 = 1_000_000_000;
/// Batches come after all records.
const FIRST_BATCH: usize = 1_000_000;

/// One product with the keys of everybody who may ever own it.
#[derive(Debug, Clone)]
pub(crate) struct Product {
    pub(crate) uid: UidTag,
    keys: BTreeMap<[u8; 20], u64>,
    number: u64,
}

impl Product {
    fn new(seed: u64, number: u64) -> Self {
        let uid = UidTag::parse(&format!("tag-{seed}-{number}")).unwrap();
        Self { uid, keys: BTreeMap::new(), number }
    }

    /// Makes a new owner.
    pub(crate) fn new_owner(&mut self, seed: u64) -> Address {
        let number = self.number * 1000 + u64::try_from(self.keys.len()).unwrap();
        self.add_owner(seed, number)
    }

    /// Makes somebody the owner who has other products too.
    pub(crate) fn collector(&mut self, seed: u64, number: u64) -> Address {
        self.add_owner(seed, FIRST_COLLECTOR + number)
    }

    fn add_owner(&mut self, seed: u64, number: u64) -> Address {
        let key = secret_key(seed, "owner", number);
        let address = Address::of_key(&key.public_key(), Network::Test);
        self.keys.insert(*address.hash160(), number);
        address
    }

    /// Returns the key of an owner.
    pub(crate) fn key_of(&self, seed: u64, owner: &Address) -> SecretKey {
        secret_key(seed, "owner", self.keys[owner.hash160()])
    }
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    Register(Registration),
    Transfer(Transfer),
}

/// A request that a client sent, perhaps more than once.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) product: usize,
    pub(crate) wish: Wish,
    pub(crate) idempotency: IdempotentRequest,
    /// The record that the client was told of.
    pub(crate) told: Option<RecordId>,
    /// Whether it was refused, so that no record may come of it.
    pub(crate) is_refused: bool,
}

/// A record that a client was told of, or that came of a request whose answer was lost.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) id: RecordId,
    pub(crate) product: usize,
    pub(crate) commitment: Digest,
    pub(crate) owner: Address,
    pub(crate) from: Option<Txid>,
    /// Whether it was accepted for a batch, and not for a transaction of its own.
    pub(crate) is_batched: bool,
    /// Its place in its batch, once it has one.
    pub(crate) place: Option<BatchPlace>,
    /// Its transactions, the newest last.
    pub(crate) txids: Vec<Txid>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) products: Vec<Product>,
    pub(crate) requests: Vec<Request>,
    pub(crate) known: Vec<Known>,
    /// Batches as they were formed.
    pub(crate) batches: Vec<StoredBatch>,
    pub(crate) keys_given: u64,
    pub(crate) places: BTreeMap<RecordId, usize>,
    pub(crate) by_commitment: BTreeMap<Digest, usize>,
}

impl Model {
    pub(crate) fn new_product(&mut self, seed: u64) -> usize {
        self.products.push(Product::new(seed, u64::try_from(self.products.len()).unwrap()));
        self.products.len() - 1
    }

    pub(crate) fn add(&mut self, known: Known) {
        self.places.insert(known.id, self.known.len());
        self.by_commitment.insert(known.commitment, self.known.len());
        self.known.push(known);
    }

    /// Returns the place of a record in the order in which they came to be known; the same in every
    /// run of a seed, unlike its identifier.
    pub(crate) fn place(&self, id: RecordId) -> usize {
        self.places.get(&id).copied().unwrap_or(usize::MAX)
    }

    pub(crate) fn add_batch(&mut self, batch: StoredBatch) {
        self.places.insert(batch.id, FIRST_BATCH + self.batches.len());
        self.batches.push(batch);
    }

    /// Returns what the diary calls a job.
    pub(crate) fn name(&self, id: RecordId) -> String {
        match self.places.get(&id) {
            Some(place) if *place >= FIRST_BATCH => format!("batch {}", place - FIRST_BATCH),
            Some(place) => format!("record {place}"),
            None => "an operation".into(),
        }
    }
}
