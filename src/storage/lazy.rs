//! Tables that are opened when they are first used: a request touches a handful of the many, and to
//! open a table is to look it up in the file's directory of tables.

use std::borrow::Borrow;
use std::cell::OnceCell;
use std::ops::RangeBounds;
use std::rc::Rc;

use redb::{
    AccessGuard, Key, Range, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata,
    StorageError, Table, TableDefinition, TableError, TableStats, Value, WriteTransaction,
};

type Result<T> = std::result::Result<T, StorageError>;

/// A table of a write transaction.
pub(super) struct LazyTable<'txn, K: Key + 'static, V: Value + 'static> {
    transaction: &'txn WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    table: OnceCell<Table<'txn, K, V>>,
}

/// A table of a read transaction.
pub(super) struct LazyReadTable<K: Key + 'static, V: Value + 'static> {
    transaction: Rc<ReadTransaction>,
    definition: TableDefinition<'static, K, V>,
    table: OnceCell<ReadOnlyTable<K, V>>,
}

/// A table that cannot be opened is a file that is not what it should be.
fn unopened(error: TableError) -> StorageError {
    let text = error.to_string();
    if let TableError::Storage(error) = error { error } else { StorageError::Corrupted(text) }
}

impl<'txn, K: Key + 'static, V: Value + 'static> LazyTable<'txn, K, V> {
    pub(super) const fn new(
        transaction: &'txn WriteTransaction,
        definition: TableDefinition<'static, K, V>,
    ) -> Self {
        Self { transaction, definition, table: OnceCell::new() }
    }

    fn open(&self) -> Result<&Table<'txn, K, V>> {
        match self.table.get() {
            Some(table) => Ok(table),
            None => {
                let table = self.transaction.open_table(self.definition).map_err(unopened)?;
                Ok(self.table.get_or_init(|| table))
            }
        }
    }

    fn open_mut(&mut self) -> Result<&mut Table<'txn, K, V>> {
        self.open()?;
        self.table.get_mut().ok_or_else(|| StorageError::Corrupted("no table".to_owned()))
    }

    /// See [`Table::insert`].
    pub(super) fn insert<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<Option<AccessGuard<'_, V>>> {
        self.open_mut()?.insert(key, value)
    }

    /// See [`Table::remove`].
    pub(super) fn remove<'k>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<AccessGuard<'_, V>>> {
        self.open_mut()?.remove(key)
    }

    /// See [`Table::retain`].
    pub(super) fn retain(
        &mut self,
        wanted: impl for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool,
    ) -> Result<()> {
        self.open_mut()?.retain(wanted)
    }
}

impl<K: Key + 'static, V: Value + 'static> LazyReadTable<K, V> {
    pub(super) fn new(
        transaction: &Rc<ReadTransaction>,
        definition: TableDefinition<'static, K, V>,
    ) -> Self {
        Self { transaction: Rc::clone(transaction), definition, table: OnceCell::new() }
    }

    fn open(&self) -> Result<&ReadOnlyTable<K, V>> {
        match self.table.get() {
            Some(table) => Ok(table),
            None => {
                let table = self.transaction.open_table(self.definition).map_err(unopened)?;
                Ok(self.table.get_or_init(|| table))
            }
        }
    }
}

macro_rules! readable {
    ($($table:ty),*) => {$(
        impl<K: Key + 'static, V: Value + 'static> ReadableTableMetadata for $table {
            fn stats(&self) -> Result<TableStats> {
                self.open()?.stats()
            }

            fn len(&self) -> Result<u64> {
                self.open()?.len()
            }
        }

        impl<K: Key + 'static, V: Value + 'static> ReadableTable<K, V> for $table {
            fn get<'k>(
                &self,
                key: impl Borrow<K::SelfType<'k>>,
            ) -> Result<Option<AccessGuard<'_, V>>> {
                self.open()?.get(key)
            }

            fn range<'k, B>(&self, range: impl RangeBounds<B> + 'k) -> Result<Range<'_, K, V>>
            where
                B: Borrow<K::SelfType<'k>> + 'k,
            {
                self.open()?.range(range)
            }

            fn first(&self) -> Result<Option<(AccessGuard<'_, K>, AccessGuard<'_, V>)>> {
                self.open()?.first()
            }

            fn last(&self) -> Result<Option<(AccessGuard<'_, K>, AccessGuard<'_, V>)>> {
                self.open()?.last()
            }
        }
    )*};
}

readable!(LazyTable<'_, K, V>, LazyReadTable<K, V>);
