//! Whether a transaction that a resync found on chain can become that of the record whose commitment it
//! carries. Nothing here is an endpoint's word: the bytes, what they spend, and the path to a block of
//! ours are all in the store, and each is held against what we would have made ourselves.

use crate::anchor::commitment::commit;
use crate::anchor::lifecycle::{Job, Sighting, Stage};
use crate::anchor::payload::Payload;
use crate::bitcoin::{Script, Transaction, TxOut, verify_transaction};
use crate::crypto::sha256;
use crate::patch::record::AuthenticationRecord;
use crate::service::anchoring::AnchoringService;
use crate::service::anchoring::observe::confirmations;
use crate::service::anchoring::plan::payload_of;
use crate::service::anchoring::subject::{Subject, subject_of};
use crate::storage::batches::{place_in_batch, waits_for_batch};
use crate::storage::headers::best_hash_at;
use crate::storage::jobs::job;
use crate::storage::patches::patch;
use crate::storage::records::expect_record;
use crate::storage::transactions::{proof, transaction};
use crate::storage::utxos::{expect_utxo, utxo};
use crate::storage::{
    StoreError, StoredRecord, StoredTransaction, Tables, TransactionOrigin, TransactionState,
};
use crate::types::{Digest, OutPoint, RecordId, Satoshis, Txid};
use crate::wallet::builder::{HIGHEST_MAX_FEE, SEAL_VALUE};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

/// What is to be said of a transaction that was found and the job whose commitment it carries.
pub(in crate::service) enum Adoption {
    /// It is the job's already.
    Done,
    /// It can be taken over as it stands.
    Possible(Box<Adoptable>),
    /// It will be, with nobody's help, once something has happened that happens by itself.
    Waits(Wait),
    /// It cannot be.
    Refused(Obstacle),
}

/// A transaction that passed every check, with what taking it over needs.
pub(in crate::service) struct Adoptable {
    pub(super) stored: StoredTransaction,
    pub(super) transaction: Transaction,
    pub(super) spent: Vec<Utxo>,
    pub(super) fee: Satoshis,
    pub(super) sighting: Sighting,
    pub(super) confirmations: u32,
    pub(super) subject: Subject,
    pub(super) job: Job,
}

/// What a transaction waits for that can be taken over then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::service) enum Wait {
    /// The signature of a statement, which is made anew: it spends nothing.
    #[error(
        "it becomes the record's transaction once the signer has signed the record's statement"
    )]
    Issuer,
    /// The chain, while what proved its block proves nothing.
    #[error("it becomes the record's transaction once its block is proved anew")]
    Block,
}

/// Why a transaction is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::service) enum Obstacle {
    /// The bytes are not there, or are others.
    #[error(
        "its bytes are not in the store; have the restore asked for again with another network endpoint"
    )]
    Bytes,
    /// The record goes, or went, another way.
    #[error(
        "the record goes to the chain in a batch; its registration on its own stands on chain beside it"
    )]
    Batched,
    /// The record has a transaction.
    #[error("the record has another transaction, {0}; look whether both are in blocks")]
    Another(Txid),
    /// The record was given up.
    #[error(
        "the record had failed; if it is a registration, `patchproof records recover` takes it up"
    )]
    Failed,
    /// The record's content is gone.
    #[error("the record's content was erased, so that its statement cannot be signed any more")]
    Erased,
    /// It is laid out as we lay out nothing.
    #[error("{0}: somebody else has used the keys; look into the signer's log")]
    Foreign(&'static str),
    /// An input is not free.
    #[error(
        "its input {0} is not free for it in this store; look whether another record has taken it"
    )]
    Input(OutPoint),
    /// The product stands elsewhere.
    #[error(
        "the product's custody does not stand where the transfer begins; restore a newer backup, or have the owner sign again"
    )]
    Custody,
    /// What the issuer signed does not verify.
    #[error("what the store has of the issuer's signature does not verify; run `patchproof check`")]
    Evidence,
}

type Judged<T> = Result<Result<T, Adoption>, StoreError>;

fn refused<T>(obstacle: Obstacle) -> Judged<T> {
    Ok(Err(Adoption::Refused(obstacle)))
}

/// Passes on what was found good, and returns early with what was not.
macro_rules! good {
    ($judged:expr) => {
        match $judged? {
            Ok(good) => good,
            Err(adoption) => return Ok(adoption),
        }
    };
}

impl AnchoringService {
    /// Judges whether a transaction that was found can become that of a job.
    pub(in crate::service) fn judge_adoption(
        &self,
        tables: &impl Tables,
        id: RecordId,
        txid: Txid,
    ) -> Result<Adoption, StoreError> {
        let Some(stored) = transaction(tables, txid)? else {
            return Ok(Adoption::Refused(Obstacle::Bytes));
        };
        let is_its_own = matches!(stored.origin,
            TransactionOrigin::Record(by) | TransactionOrigin::Batch(by) if by == id);
        if is_its_own {
            return Ok(Adoption::Done);
        }
        let made = stored.parse()?;
        if made.txid() != txid || stored.origin != TransactionOrigin::External {
            return Ok(Adoption::Refused(Obstacle::Bytes));
        }
        let job = good!(waiting_job(tables, id));
        let subject = subject_of(tables, id)?;
        good!(self.laid_out(&subject, &made));
        let spent = good!(spent_for(tables, id, txid, &made));
        let fee = good!(fee_of(&spent, &made));
        good!(seals(tables, &subject, txid, &spent));
        if let Subject::Record(record) = &subject {
            good!(custody_stands(tables, record));
            good!(self.issuer_has_signed(record));
        }
        let (sighting, confirmations) = good!(self.place_of(tables, &stored));
        Ok(Adoption::Possible(Box::new(Adoptable {
            stored,
            transaction: made,
            spent,
            fee,
            sighting,
            confirmations,
            subject,
            job,
        })))
    }

    /// Holds the transaction against what our builder would make: the data output first and to the
    /// byte, then where custody is sealed the seal, then change, and nothing else.
    fn laid_out(&self, subject: &Subject, made: &Transaction) -> Judged<()> {
        let foreign = |what| refused(Obstacle::Foreign(what));
        let (payload, published) = match subject {
            Subject::Record(record) => (payload_of(record), Some(record.canonical.as_slice())),
            Subject::Batch(batch) => {
                let (root, tree_size, log) = (batch.root, batch.size, batch.log);
                (Payload::Batch { root, tree_size, log }, None)
            }
            Subject::Operation(_) => return foreign("it commits to what is no record"),
        };
        let [data, rest @ ..] = made.outputs.as_slice() else {
            return foreign("it has no outputs");
        };
        let is_exact = data.locking_script == payload.to_script(None)
            || published.is_some_and(|it| data.locking_script == payload.to_script(Some(it)));
        if !is_exact || data.value != Satoshis::ZERO {
            return foreign("its data output is not the one that this record has");
        }
        let purpose = |output: &TxOut| {
            let hash = output.locking_script.as_public_key_hash()?;
            self.keyring.owner_of_output(&hash).map(|(_, purpose)| purpose)
        };
        let is_seal = |output: &&TxOut| {
            purpose(output) == Some(OutputPurpose::Seal) && output.value == SEAL_VALUE
        };
        let may_seal = matches!(subject, Subject::Record(_));
        let rest =
            if may_seal && rest.first().as_ref().is_some_and(is_seal) { &rest[1..] } else { rest };
        match rest {
            [] => {}
            [change] if purpose(change) == Some(OutputPurpose::Pool) => {}
            _ => return foreign("it makes outputs that no transaction of ours makes"),
        }
        let is_plain = made.version == 1
            && made.lock_time == 0
            && made.inputs.iter().all(|input| input.sequence == u32::MAX);
        if is_plain {
            Ok(Ok(()))
        } else {
            foreign("its frame is not that of a transaction of ours")
        }
    }

    /// Checks the issuer's signature, as far as the record has it yet.
    fn issuer_has_signed(&self, record: &StoredRecord) -> Judged<()> {
        if record.is_erased() {
            return refused(Obstacle::Erased);
        }
        if commit(&record.salt, &record.canonical) != record.commitment {
            return refused(Obstacle::Evidence);
        }
        let Some(stored) = &record.issuer_signature else {
            return Ok(Err(Adoption::Waits(Wait::Issuer)));
        };
        let digest = Digest::from_bytes(sha256(&record.canonical));
        let key = &self.keyring.issuer.public_key;
        let is_good = stored.signature().is_some_and(|it| key.verify(&digest, &it).is_ok());
        if is_good { Ok(Ok(())) } else { refused(Obstacle::Evidence) }
    }

    /// Says where the transaction is: in a block only with a path to a header of our best chain.
    fn place_of(
        &self,
        tables: &impl Tables,
        stored: &StoredTransaction,
    ) -> Judged<(Sighting, u32)> {
        let (block, height) = match stored.state {
            TransactionState::Mined { block, height } => (block, height),
            TransactionState::Seen => return Ok(Ok((Sighting::InMempool, 0))),
            TransactionState::Signed | TransactionState::Dead { .. } => {
                return refused(Obstacle::Bytes);
            }
        };
        let is_proved = proof(tables, stored.txid)?.is_some();
        let is_best = best_hash_at(tables, height)? == Some(block);
        if !is_proved || !is_best || self.anchors.is_contradicted(tables)? {
            return Ok(Err(Adoption::Waits(Wait::Block)));
        }
        Ok(Ok((Sighting::Mined { block, height }, confirmations(tables, height)?)))
    }
}

/// Returns the job, if it is its own record's and has no transaction.
fn waiting_job(tables: &impl Tables, id: RecordId) -> Judged<Job> {
    if place_in_batch(tables, id)?.is_some() || waits_for_batch(tables, id)? {
        return refused(Obstacle::Batched);
    }
    let Some(job) = job(tables, id)? else { return refused(Obstacle::Batched) };
    match (&job.stage, job.txid()) {
        (_, Some(other)) => refused(Obstacle::Another(other)),
        (Stage::Failed { .. }, None) => refused(Obstacle::Failed),
        (_, None) => Ok(Ok(job)),
    }
}

/// Returns what the transaction spends: outputs of ours, each unlocked, each free or held for this.
fn spent_for(
    tables: &impl Tables,
    id: RecordId,
    txid: Txid,
    made: &Transaction,
) -> Judged<Vec<Utxo>> {
    let mut spent = Vec::with_capacity(made.inputs.len());
    for outpoint in made.inputs.iter().map(|input| input.previous) {
        let Some(output) = utxo(tables, outpoint)? else {
            return refused(Obstacle::Input(outpoint));
        };
        let is_free = match output.state {
            UtxoState::Unconfirmed | UtxoState::Available => true,
            UtxoState::Locked { by } => by == id,
            UtxoState::Spent { by } => by == txid,
        };
        if !is_free {
            return refused(Obstacle::Input(outpoint));
        }
        spent.push(output);
    }
    let outputs: Vec<TxOut> = spent
        .iter()
        .map(|it| TxOut {
            value: it.value,
            locking_script: Script::pay_to_public_key_hash(&it.key_hash),
        })
        .collect();
    match verify_transaction(made, &outputs) {
        Ok(()) => Ok(Ok(spent)),
        Err(_) => refused(Obstacle::Foreign("it does not unlock what it spends")),
    }
}

fn fee_of(spent: &[Utxo], made: &Transaction) -> Judged<Satoshis> {
    let brought = Satoshis::sum(spent.iter().map(|it| it.value));
    let paid = brought.and_then(|brought| brought.checked_sub(made.output_total()?));
    match paid {
        Ok(fee) if fee <= HIGHEST_MAX_FEE => Ok(Ok(fee)),
        Ok(_) | Err(_) => refused(Obstacle::Foreign("it pays a fee that we pay nobody")),
    }
}

/// Checks that exactly the seal of the event before is spent, where there is one.
fn seals(tables: &impl Tables, subject: &Subject, txid: Txid, spent: &[Utxo]) -> Judged<()> {
    let mut wanted = None;
    if let Subject::Record(record) = subject
        && let Some(previous) = record.previous
        && let Some(seal) = expect_record(tables, previous)?.seal
    {
        // One that somebody else has spent is gone: the owner's consent alone did.
        let is_gone = matches!(
            expect_utxo(tables, seal)?.state, UtxoState::Spent { by } if by != txid);
        wanted = (!is_gone).then_some(seal);
    }
    let mut found = spent.iter().filter(|it| it.purpose == OutputPurpose::Seal);
    let (first, second) = (found.next().map(|it| it.outpoint), found.next());
    if first == wanted && second.is_none() {
        return Ok(Ok(()));
    }
    refused(Obstacle::Foreign("it does not spend the seal of the event before, and no other"))
}

/// Checks that the product's custody stands where the event begins.
fn custody_stands(tables: &impl Tables, record: &StoredRecord) -> Judged<()> {
    let Some(product) = patch(tables, record.uid.as_str())? else {
        return refused(Obstacle::Custody);
    };
    let Some(previous) = record.previous else {
        return if product.head == record.id { Ok(Ok(())) } else { refused(Obstacle::Custody) };
    };
    let before = expect_record(tables, previous)?;
    let Some(txid) = before.txid else { return refused(Obstacle::Custody) };
    // One that is erased names nothing any more, and is refused for that.
    let named = match serde_json::from_slice::<AuthenticationRecord>(&record.canonical) {
        Ok(document) => document.auth.prev_txid,
        Err(_) => return refused(Obstacle::Erased),
    };
    let is_next = product.head == previous && product.pending == Some(record.id);
    if is_next && named == Some(txid) {
        return Ok(Ok(()));
    }
    refused(Obstacle::Custody)
}
