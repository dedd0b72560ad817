//! The schema on one page: every table, its key and its value.
//!
//! Names are `<plural>-<version>`. Entity values are `[format version, payload]`
//! (see [`crate::storage::codec`]); index tables have the value `()`. Hashes are stored in the
//! order in which they are hashed. docs/STORAGE.md says the same in prose.

use std::collections::BTreeMap;
use std::rc::Rc;

use redb::{
    Key, ReadTransaction, ReadableTable, ReadableTableMetadata, StorageError, TableDefinition,
    TableError, Value, WriteTransaction,
};

use crate::storage::lazy::{LazyReadTable, LazyTable};

type Bytes = &'static [u8];
type Text = &'static str;
/// A transaction or block hash, or another 32 bytes.
type Hash = [u8; 32];
/// A record's identifier, or other 16 bytes.
type Id = [u8; 16];
/// An outpoint.
type Point = [u8; 36];

/// Whoever looks at every table, whatever its types are.
pub(super) trait TableVisitor {
    /// What can go wrong.
    type Error;

    /// Looks at a table.
    fn visit<K: Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: &impl ReadableTable<K, V>,
    ) -> Result<(), Self::Error>;
}

/// Whoever fills a table, whatever its types are.
pub(super) trait TableFiller {
    /// What can go wrong.
    type Error;

    /// Puts rows into a table.
    fn fill<K: Key + 'static, V: Value + 'static>(
        &mut self,
        transaction: &WriteTransaction,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), Self::Error>;
}

macro_rules! schema {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty = $text:literal;)*) => {
        /// All tables, for writing.
        pub(super) struct WriteTables<'txn> {
            $($(#[$doc])* pub(super) $name: LazyTable<'txn, $key, $value>,)*
        }

        /// All tables, for reading.
        pub(super) struct ReadTables {
            $($(#[$doc])* pub(super) $name: LazyReadTable<$key, $value>,)*
        }

        /// Read access to all tables, whether they are there for reading or writing.
        pub trait Tables {
            $($(#[$doc])* fn $name(&self) -> &impl ReadableTable<$key, $value>;)*
        }

        /// Counts the rows of every table.
        pub(super) fn count_rows(
            tables: &impl Tables,
        ) -> Result<BTreeMap<&'static str, u64>, StorageError> {
            Ok(BTreeMap::from([$(($text, tables.$name().len()?),)*]))
        }

        /// Calls `visitor` for every table, in the order of this page.
        pub(super) fn visit_tables<T: TableVisitor>(
            tables: &impl Tables,
            visitor: &mut T,
        ) -> Result<(), T::Error> {
            $(visitor.visit::<$key, $value>($text, tables.$name())?;)*
            Ok(())
        }

        /// Lets `filler` fill the table of this name; nothing if the schema has none.
        pub(super) fn fill_table<T: TableFiller>(
            transaction: &WriteTransaction,
            name: &str,
            filler: &mut T,
        ) -> Option<Result<(), T::Error>> {
            match name {
                $($text => Some(
                    filler.fill::<$key, $value>(transaction, TableDefinition::new($text)),
                ),)*
                _ => None,
            }
        }

        impl<'txn> WriteTables<'txn> {
            /// Makes all tables available; one that does not exist is created when it is used.
            pub(super) const fn new(transaction: &'txn WriteTransaction) -> Self {
                Self { $($name: LazyTable::new(transaction, TableDefinition::new($text)),)* }
            }
        }

        /// Creates the tables that do not exist.
        pub(super) fn create_all(transaction: &WriteTransaction) -> Result<(), TableError> {
            $(transaction.open_table::<$key, $value>(TableDefinition::new($text))?;)*
            Ok(())
        }

        impl ReadTables {
            /// Makes all tables of a store available that was opened for writing before.
            pub(super) fn new(transaction: ReadTransaction) -> Self {
                let transaction = Rc::new(transaction);
                Self { $($name: LazyReadTable::new(&transaction, TableDefinition::new($text)),)* }
            }
        }

        impl Tables for WriteTables<'_> {
            $(fn $name(&self) -> &impl ReadableTable<$key, $value> { &self.$name })*
        }

        impl Tables for ReadTables {
            $(fn $name(&self) -> &impl ReadableTable<$key, $value> { &self.$name })*
        }

        impl Tables for crate::storage::WriteTx<'_> {
            $(fn $name(&self) -> &impl ReadableTable<$key, $value> { &self.tables.$name })*
        }

        impl Tables for crate::storage::ReadTx {
            $(fn $name(&self) -> &impl ReadableTable<$key, $value> { &self.tables.$name })*
        }
    };
}

schema! {
    /// Facts about the file itself: schema version, instance, best block.
    meta: Text => Bytes = "meta-1";
    /// Network and key fingerprints; start-up refuses a store of others.
    identity: Text => Text = "identity-1";
    /// Products by tag.
    patches: Text => Bytes = "patches-1";
    /// Index: owner's key hash, tag.
    patches_by_owner: ([u8; 20], Text) => () = "patches-by-owner-1";
    /// Custody events by identifier; the bytes in them never change.
    records: Id => Bytes = "records-1";
    /// Index: tag and place in the chain to event.
    records_by_patch: (Text, u32) => Id = "records-by-patch-1";
    /// Index: transaction to event.
    records_by_txid: Hash => Id = "records-by-txid-1";
    /// Index: key hash of an owner that a transfer named or replaced, the event that makes him the owner.
    records_by_party: ([u8; 20], Id) => () = "records-by-party-1";
    /// What stays of events whose content was erased.
    erased_records: Id => Bytes = "erased-records-1";
    /// Events that are to be erased: event to the time in milliseconds at which it was asked for.
    erasures_due: Id => i64 = "erasures-due-1";
    /// Persons who had themselves erased, by pseudonym: epoch of their tokens, time in milliseconds.
    erased_persons: Text => (u64, i64) = "erased-persons-1";
    /// Transactions: ours, and those from outside that ours spend.
    transactions: Hash => Bytes = "transactions-1";
    /// Merkle paths (BUMP, BRC-74) by transaction.
    proofs: Hash => Bytes = "proofs-1";
    /// Merkle paths that were true until their block left the best chain, by transaction and block.
    stale_proofs: (Hash, Hash) => Bytes = "stale-proofs-1";
    /// Outputs that a key of ours can spend.
    utxos: Point => Bytes = "utxos-1";
    /// Index: purpose and status, amount, outpoint.
    utxos_by_status: (u8, u64, Point) => () = "utxos-by-status-1";
    /// Number and sum of outputs by key identifier and status.
    utxo_totals: (Text, u8) => (u64, u64) = "utxo-totals-1";
    /// Index: job, output that it holds.
    leases: (Id, Point) => () = "leases-1";
    /// Outputs that a transaction from outside has spent, with that transaction.
    outside_spends: Point => Hash = "outside-spends-1";
    /// Transactions of our keys that a resync after a restore found and the store did not know.
    restore_findings: Hash => Bytes = "restore-findings-1";
    /// Products whose custody such a transaction has moved: tag to transaction.
    disputed_patches: Text => Hash = "disputed-patches-1";
    /// Events of ours whose commitment such a transaction carries: event to transaction.
    found_records: Id => Hash = "found-records-1";
    /// The way of each record to the chain.
    jobs: Id => Bytes = "jobs-1";
    /// Index: due time in milliseconds, job.
    jobs_by_due: (i64, Id) => () = "jobs-by-due-1";
    /// Index: stage, job.
    jobs_by_stage: (u8, Id) => () = "jobs-by-stage-1";
    /// Number of jobs by stage.
    job_totals: u8 => u64 = "job-totals-1";
    /// Index: height of the block that holds the job's transaction, job.
    jobs_by_height: (u32, Id) => () = "jobs-by-height-1";
    /// Maintenance transactions of the pool: what each was planned to spend and make.
    treasury_operations: Id => Bytes = "treasury-operations-1";
    /// Batches of records that share a transaction; each has a job of the same identifier.
    batches: Id => Bytes = "batches-1";
    /// Leaves of a batch: batch, place from 0 to record and commitment.
    batch_leaves: (Id, u64) => (Id, Hash) = "batch-leaves-1";
    /// Roots of the blocks of 256 of a batch's tree: batch, height, place from 0.
    batch_nodes: (Id, u8, u64) => Hash = "batch-nodes-1";
    /// The batch of a record and its place in it.
    batch_members: Id => (Id, u64) = "batch-members-1";
    /// Records that wait for a batch; they have no job yet.
    batch_waiting: Id => () = "batch-waiting-1";
    /// Index: batch, transfer that follows a registration of it.
    batch_followers: (Id, Id) => () = "batch-followers-1";
    /// The log of all commitments: place from 0 to event and commitment.
    log: u64 => (Id, Hash) = "log-1";
    /// Index: first eight bytes of a commitment, its place in the log.
    log_places: (u64, u64) => () = "log-places-1";
    /// Roots of the full blocks of 256 of the log: height, place from 0.
    log_nodes: (u8, u64) => Hash = "log-nodes-1";
    /// States of the log that were signed, by the number of its leaves.
    log_checkpoints: u64 => Bytes = "log-checkpoints-1";
    /// Fees of the transactions signed on a day since 1970 (UTC): for records, for the pool.
    fees_by_day: i64 => (u64, u64) = "fees-by-day-1";
    /// Block headers by hash: header, height, work of the chain up to it.
    headers: Hash => Bytes = "headers-1";
    /// The best chain: height to hash.
    best_chain: u32 => Hash = "best-chain-1";
    /// Blocks that left the best chain: how many blocks left it together.
    stale_blocks: Hash => u32 = "stale-blocks-1";
    /// Blocks that an operator vouches for: height to hash.
    checkpoints: u32 => Hash = "checkpoints-1";
    /// Stored answers by credential and Idempotency-Key.
    idempotency: (Text, Text) => Bytes = "idempotency-1";
    /// Index: time of expiry, credential, key.
    idempotency_by_expiry: (i64, Text, Text) => () = "idempotency-by-expiry-1";
    /// One-use nonces that wait for an owner's signature.
    challenges: Id => Bytes = "challenges-1";
    /// Index: time of expiry, nonce.
    challenges_by_expiry: (i64, Id) => () = "challenges-by-expiry-1";
    /// Claims at points of sale.
    claims: Id => Bytes = "claims-1";
    /// Index: time at which it is forgotten, claim.
    claims_by_end: (i64, Id) => () = "claims-by-end-1";
    /// Index: time of filing, claim to the key hash of the shop that owned the product then.
    claims_by_filing: (i64, Id) => [u8; 20] = "claims-by-filing-1";
    /// Index: key hash of the shop, time of filing, claim.
    claims_by_shop: ([u8; 20], i64, Id) => () = "claims-by-shop-1";
    /// Files of products to register.
    imports: Id => Bytes = "imports-1";
    /// Their rows: import, number from 0.
    import_rows: (Id, u32) => Bytes = "import-rows-1";
    /// Encrypted content by tag.
    contents: Text => Bytes = "contents-1";
    /// Login keys by user.
    svd_keys: [u8; 12] => Bytes = "svd-keys-1";
    /// Login challenges that were answered: challenge to the time of the answer in milliseconds.
    used_challenges: [u8; 24] => i64 = "used-challenges-1";
    /// Codes sent to mailboxes, by request; neither code nor address is in them.
    email_codes: Id => Bytes = "email-codes-1";
    /// Index: mailbox, time of its making in milliseconds, request.
    email_codes_by_mailbox: (Id, i64, Id) => () = "email-codes-by-mailbox-1";
    /// Index: time of expiry, request.
    email_codes_by_expiry: (i64, Id) => () = "email-codes-by-expiry-1";
    /// How often a client, or all of them, guessed at a mailbox's codes without naming a request.
    email_guesses: (Id, Id) => Bytes = "email-guesses-1";
    /// Index: time of expiry, mailbox, client.
    email_guesses_by_expiry: (i64, Id, Id) => () = "email-guesses-by-expiry-1";
    /// Mails that wait to be sent, sealed, by the request whose code they carry.
    mails: Id => Bytes = "mails-1";
    /// Index: due time in milliseconds, request.
    mails_by_due: (i64, Id) => () = "mails-by-due-1";
    /// Mails of an hour since 1970: taken, withheld.
    mail_hours: i64 => (u64, u64) = "mail-hours-1";
    /// How often a person's tokens were taken back.
    token_epochs: Text => u64 = "token-epochs-1";
    /// API keys by identifier, without their secrets.
    api_keys: [u8; 8] => Bytes = "api-keys-1";
    /// When each API key was used last, in milliseconds.
    api_key_uses: [u8; 8] => i64 = "api-key-uses-1";
    /// Named accounts, by identifier.
    accounts: [u8; 8] => Bytes = "accounts-1";
    /// Index: name of an account as it is looked up.
    accounts_by_name: Text => [u8; 8] = "accounts-by-name-1";
    /// Login keys that accounts keep in browsers, by the user each is registered for.
    browser_keys: [u8; 12] => Bytes = "browser-keys-1";
    /// Index: account, user.
    browser_keys_by_account: ([u8; 8], [u8; 12]) => () = "browser-keys-by-account-1";
    /// Sessions of accounts by SHA-256 of their tickets.
    sessions: Hash => Bytes = "sessions-1";
    /// Index: account, session.
    sessions_by_account: ([u8; 8], Hash) => () = "sessions-by-account-1";
    /// One-time links that make the first account or set a password, by SHA-256 of their tokens.
    setup_links: Hash => Bytes = "setup-links-1";
    /// Settings changed at run time, by name.
    settings: Text => Bytes = "settings-1";
    /// What was done by whom, each line chained to the one before by hash.
    audit: u64 => Bytes = "audit-1";
}
