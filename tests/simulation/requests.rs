//! What clients do: register, transfer, ask again, try what they may not.

use std::time::Duration;

use patchproof::bitcoin::Address;
use patchproof::crypto::{SecretKey, sha256};
use patchproof::patch::message::{message_digest, transfer_message};
use patchproof::patch::record::{Metadata, Product as Described};
use patchproof::patch::tag::UidTag;
use patchproof::service::idempotency::{IdempotencyService, IdempotentRequest};
use patchproof::service::registration::{Acceptance, Caller, Registration, RegistrationError};
use patchproof::service::transfer::{Transfer, TransferError};
use patchproof::storage::patches::patch;
use patchproof::storage::{Patch, StoreError, StoredAnswer};
use patchproof::types::{Digest, RecordId, Txid};

use crate::gates::{Work, settle};
use crate::model::{Request, Wish};
use crate::stage::{Stage, Verdict, Violation, ensure};

/// What a client heard.
#[derive(Debug)]
enum Heard {
    Accepted(RecordId),
    Refused(String),
    /// Nothing that says whether there is a record now.
    Nothing,
}

impl Stage {
    /// Registers a new product.
    pub(crate) async fn register(&mut self) -> Verdict {
        let product = self.model.new_product(self.seed);
        let owner = if self.random.chance(300) {
            // Of several products in one batch, the signature says which is handed on.
            let collector = self.random.below(2);
            self.model.products[product].collector(self.seed, collector)
        } else {
            self.model.products[product].new_owner(self.seed)
        };
        let uid_tag_id = self.model.products[product].uid.clone();
        let name = Some(format!("thing {product}"));
        let described = Described {
            uid_tag_id,
            name,
            category: None,
            sku: None,
            serial_number: None,
            material: None,
        };
        let registration =
            Registration { product: described, metadata: Metadata::default(), owner };
        let request = self.new_request(product, Wish::Register(registration));
        self.send_new(request, true).await
    }

    /// Registers a product's tag a second time.
    pub(crate) async fn register_again(&mut self) -> Verdict {
        let Some(index) = self.pick_request(|request| {
            request.told.is_some() && matches!(request.wish, Wish::Register(_))
        }) else {
            return Ok(());
        };
        let mut request = self.model.requests[index].clone();
        request.idempotency.key = format!("again-{}", self.step);
        (request.told, request.is_refused) = (None, false);
        self.send_new(request, false).await
    }

    /// Hands a product on by its present owner's signature.
    pub(crate) async fn transfer(&mut self) -> Verdict {
        let Some((product, present)) = self.pick_present() else { return Ok(()) };
        let new_owner = self.model.products[product].new_owner(self.seed);
        let mut wish = self.signed_transfer(product, &present, new_owner);
        // It may always be said which product is meant.
        wish.uid = self.random.chance(300).then(|| present.uid.clone());
        let request = self.new_request(product, Wish::Transfer(wish));
        let is_free = present.pending.is_none();
        self.send_new(request, is_free).await
    }

    /// Hands one state of a product to two new owners at the same time.
    pub(crate) async fn compete(&mut self) -> Verdict {
        let Some((product, present)) = self.pick_present() else { return Ok(()) };
        let mut services = Vec::new();
        for _ in 0..2 {
            let new_owner = self.model.products[product].new_owner(self.seed);
            let transfer = self.signed_transfer(product, &present, new_owner);
            let request = self.new_request(product, Wish::Transfer(transfer.clone()));
            services.push((request, transfer));
        }
        let now = self.net.clock.tick();
        let service = self.system().transfer.clone();
        let callers: Vec<Caller> = services.iter().map(|(request, _)| caller(request)).collect();
        let (one, two) = futures_util::future::join(
            service.transfer(services[0].1.clone(), &callers[0], now),
            service.transfer(services[1].1.clone(), &callers[1], now),
        )
        .await;
        let mut won = 0;
        for ((mut request, _), outcome) in services.into_iter().zip([one, two]) {
            let heard = self.hear_transfer(outcome.map(|accepted| accepted.acceptance))?;
            won += u32::from(matches!(heard, Heard::Accepted(_)));
            self.conclude(&mut request, heard)?;
            self.model.requests.push(request);
        }
        self.note(format!("two transfers of product {product}: {won} accepted"));
        ensure(won <= 1, || "two transfers of one state were accepted".into())?;
        self.take_stock()
    }

    /// Tries transfers that must be refused.
    pub(crate) async fn transfer_wrongly(&mut self) -> Verdict {
        let Some((product, present)) = self.pick_present() else { return Ok(()) };
        let txid = present.current_txid.unwrap();
        let owner = present.owner;
        let new_owner = self.model.products[product].new_owner(self.seed);
        let stranger = crate::signing::secret_key(self.seed, "stranger", self.step);
        let uid = self.model.products[product].uid.clone();
        let key = self.model.products[product].key_of(self.seed, &owner);
        let wish = match self.random.below(6) {
            0 => signed(&stranger, uid.as_str(), txid, new_owner),
            1 => Transfer {
                owner_public_key: key.public_key(),
                ..signed(&stranger, uid.as_str(), txid, new_owner)
            },
            2 => signed(&key, uid.as_str(), txid, owner),
            3 => Transfer {
                current_txid: Txid::from_bytes([1; 32]),
                ..signed(&key, uid.as_str(), txid, new_owner)
            },
            4 => {
                let another = self.random.index(self.model.products.len());
                let another =
                    (another != product).then(|| self.model.products[another].uid.clone());
                let uid_tag = another.unwrap_or_else(|| UidTag::parse("no-such-tag").unwrap());
                Transfer { uid: Some(uid_tag), ..signed(&key, uid.as_str(), txid, new_owner) }
            }
            _ => match self.superseded_transfer(product, txid) {
                Some(replayed) => replayed,
                None => signed(&key, "another tag", txid, new_owner),
            },
        };
        let mut request = self.new_request(product, Wish::Transfer(wish));
        let heard = self.send(&request).await?;
        let text = format!("{heard:?}");
        self.note(format!("a wrong transfer of product {product}: {text}"));
        ensure(!matches!(heard, Heard::Accepted(_)), || {
            format!("a transfer that its owner did not sign was accepted: {request:?}")
        })?;
        request.is_refused = true;
        self.model.requests.push(request);
        self.take_stock()
    }

    /// Sends an earlier request once more.
    pub(crate) async fn retry(&mut self) -> Verdict {
        let Some(index) = self.pick_request(|request| !request.is_refused) else { return Ok(()) };
        let mut request = self.model.requests[index].clone();
        let heard = self.send(&request).await?;
        self.note(format!("request {index} again: {}", self.tell(&heard)));
        match (&heard, request.told) {
            (Heard::Accepted(id), Some(told)) => ensure(*id == told, || {
                format!("request {index} created a second record when it was sent again")
            })?,
            (Heard::Refused(reason), Some(_)) => {
                return Err(Violation(format!(
                    "request {index} was accepted once and now: {reason}"
                )));
            }
            _ => {}
        }
        self.conclude(&mut request, heard)?;
        self.model.requests[index] = request;
        self.take_stock()
    }

    /// Begins a request and goes away before its answer.
    pub(crate) async fn abort_request(&mut self) -> Verdict {
        let product = self.model.new_product(self.seed);
        let owner = self.model.products[product].new_owner(self.seed);
        let described = Described {
            uid_tag_id: self.model.products[product].uid.clone(),
            name: None,
            category: None,
            sku: None,
            serial_number: None,
            material: None,
        };
        let metadata = Metadata::default();
        let registration = Registration { product: described, metadata, owner };
        let request = self.new_request(product, Wish::Register(registration.clone()));
        let (service, caller) = (self.system().registration.clone(), caller(&request));
        let now = self.net.clock.tick();
        let work =
            Work::new(
                None,
                async move { service.register(registration, &caller, now).await.is_ok() },
            );
        let polls = self.random.below(2);
        work.abandon(&self.net.gates, &self.system().store, polls).await;
        self.note(format!("a client registers product {product} and goes away"));
        self.model.requests.push(request);
        self.take_stock()
    }

    fn new_request(&mut self, product: usize, wish: Wish) -> Request {
        self.model.keys_given += 1;
        let key = format!("request-{}", self.model.keys_given);
        let fingerprint = Digest::from_bytes(sha256(key.as_bytes()));
        let scope = "tester".to_owned();
        let idempotency = IdempotentRequest { scope, key, fingerprint };
        Request { product, wish, idempotency, told: None, is_refused: false }
    }

    /// Sends a new request; `is_due` says that nothing but the store can be in its way.
    async fn send_new(&mut self, mut request: Request, is_due: bool) -> Verdict {
        let heard = self.send(&request).await?;
        let what = match &request.wish {
            Wish::Register(_) => "registration",
            Wish::Transfer(_) => "transfer",
        };
        self.note(format!("{what} of product {}: {}", request.product, self.tell(&heard)));
        ensure(!(is_due && matches!(heard, Heard::Refused(_))), || {
            format!("a {what} was refused for no reason: {heard:?}")
        })?;
        self.conclude(&mut request, heard)?;
        let answer = request.told.filter(|_| self.random.chance(300));
        if let Some(id) = answer {
            self.store_answer(&request, id).await?;
        }
        self.model.requests.push(request);
        self.take_stock()
    }

    fn tell(&self, heard: &Heard) -> String {
        match heard {
            Heard::Accepted(id) if self.model.places.contains_key(id) => {
                format!("record {}", self.model.place(*id))
            }
            Heard::Accepted(_) => format!("new record {}", self.model.known.len()),
            Heard::Refused(reason) => format!("refused, {reason}"),
            Heard::Nothing => "no answer".into(),
        }
    }

    async fn send(&self, request: &Request) -> Verdict<Heard> {
        let (now, caller) = (self.net.clock.tick(), caller(request));
        match &request.wish {
            Wish::Register(registration) => {
                let service = self.system().registration.clone();
                let outcome = service.register(registration.clone(), &caller, now).await;
                self.hear_registration(outcome)
            }
            Wish::Transfer(transfer) => {
                let service = self.system().transfer.clone();
                let outcome = service.transfer(transfer.clone(), &caller, now).await;
                self.hear_transfer(outcome.map(|accepted| accepted.acceptance))
            }
        }
    }

    fn hear_registration(&self, outcome: Result<Acceptance, RegistrationError>) -> Verdict<Heard> {
        match outcome {
            Ok(acceptance) => Ok(heard(&acceptance)),
            Err(RegistrationError::Store(error)) => self.hear_store(&error),
            Err(RegistrationError::UidTaken) => Ok(Heard::Refused("the tag is taken".into())),
            Err(error @ (RegistrationError::Idempotency(_) | RegistrationError::Canonical(_))) => {
                Err(Violation(format!("a registration failed: {error:?}")))
            }
        }
    }

    fn hear_transfer(&self, outcome: Result<Acceptance, TransferError>) -> Verdict<Heard> {
        match outcome {
            Ok(acceptance) => Ok(heard(&acceptance)),
            Err(TransferError::Store(error)) => self.hear_store(&error),
            // Nothing is restored here, so nothing can be disputed.
            Err(
                error @ (TransferError::Idempotency(_)
                | TransferError::Canonical(_)
                | TransferError::Disputed(_)),
            ) => Err(Violation(format!("a transfer failed: {error:?}"))),
            Err(
                error @ (TransferError::NotFound
                | TransferError::NotOwner
                | TransferError::BadSignature
                | TransferError::StateMoved
                | TransferError::TooManyProducts
                | TransferError::SameOwner),
            ) => Ok(Heard::Refused(format!("{error:?}"))),
        }
    }

    fn hear_store(&self, error: &StoreError) -> Verdict<Heard> {
        self.judge_store(error, "a request").map(|()| Heard::Nothing)
    }

    fn conclude(&self, request: &mut Request, heard: Heard) -> Verdict {
        match heard {
            Heard::Accepted(id) => request.told = Some(id),
            // A request that was refused once may come through when it is sent again.
            Heard::Refused(_) => request.is_refused = true,
            Heard::Nothing => {}
        }
        Ok(())
    }

    async fn store_answer(&self, request: &Request, id: RecordId) -> Verdict {
        let answer = StoredAnswer { status: 201, location: None, body: id.to_bytes().to_vec() };
        let service = IdempotencyService { store: self.system().store.clone() };
        match service.store_answer(request.idempotency.clone(), answer).await {
            Ok(_given) => Ok(()),
            Err(error) => self.judge_store(&error, "storing an answer"),
        }
    }

    fn pick_request(&mut self, wanted: impl Fn(&Request) -> bool) -> Option<usize> {
        let requests = self.model.requests.iter().enumerate();
        let indexes: Vec<usize> =
            requests.filter(|(_, request)| wanted(request)).map(|(index, _)| index).collect();
        self.random.pick(&indexes).copied()
    }

    /// Picks a product whose present state can be handed on.
    fn pick_present(&mut self) -> Option<(usize, Patch)> {
        if self.is_storage_full() {
            return None;
        }
        let mut present = Vec::new();
        for (index, product) in self.model.products.iter().enumerate() {
            let found = self.system().store.read(|tx| patch(tx, product.uid.as_str()));
            let found: Option<Patch> = found.unwrap();
            let on_network = |found: &Patch| {
                let job = self.system().pending.get(found.head).unwrap().unwrap().job;
                found.current_txid.is_some() && job.is_on_network()
            };
            present.extend(found.filter(on_network).map(|found| (index, found)));
        }
        self.random.pick(&present).cloned()
    }

    fn signed_transfer(&self, product: usize, present: &Patch, new_owner: Address) -> Transfer {
        let key = self.model.products[product].key_of(self.seed, &present.owner);
        let txid = present.current_txid.unwrap();
        signed(&key, self.model.products[product].uid.as_str(), txid, new_owner)
    }

    fn superseded_transfer(&self, product: usize, current: Txid) -> Option<Transfer> {
        self.model.requests.iter().find_map(|request| match &request.wish {
            Wish::Transfer(old)
                if request.product == product
                    && request.told.is_some()
                    && old.current_txid != current =>
            {
                Some(old.clone())
            }
            Wish::Transfer(_) | Wish::Register(_) => None,
        })
    }

    /// Waits until the store has answered everything.
    pub(crate) async fn settle(&self) {
        settle(&self.system().store).await;
    }
}

fn heard(acceptance: &Acceptance) -> Heard {
    match acceptance {
        Acceptance::Accepted(id) | Acceptance::Queued(id) => Heard::Accepted(*id),
        Acceptance::Replayed(answer) => {
            Heard::Accepted(RecordId::from_bytes(answer.body.as_slice().try_into().unwrap()))
        }
    }
}

fn caller(request: &Request) -> Caller {
    Caller {
        actor: "tester".into(),
        idempotency: Some(request.idempotency.clone()),
        patience: Duration::ZERO,
    }
}

/// Returns a transfer as its owner signs it.
pub(crate) fn signed(
    key: &SecretKey,
    uid: &str,
    current_txid: Txid,
    new_owner: Address,
) -> Transfer {
    let message = transfer_message(uid, current_txid, &new_owner.to_string());
    Transfer {
        uid: None,
        current_txid,
        new_owner,
        owner_public_key: key.public_key(),
        owner_signature: key.sign(&message_digest(&message)),
    }
}
