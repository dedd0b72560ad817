//! What records there are, against what clients heard.

use patchproof::bitcoin::Address;
use patchproof::patch::record::{AuthenticationRecord, Purpose};
use patchproof::service::batches::Route;
use patchproof::storage::records::records_of;
use patchproof::storage::{StoreError, StoredRecord};
use patchproof::types::{Network, RecordId};

use crate::model::Known;
use crate::stage::{Stage, Verdict, Violation, ensure};

impl Stage {
    /// Looks what records there are: those that clients heard of must be there, others may only be
    /// there where a request went unanswered.
    pub(crate) fn take_stock(&mut self) -> Verdict {
        if self.is_storage_full() {
            return Ok(());
        }
        // What has been answered is known; only a request without an answer may have left more.
        let products: std::collections::BTreeSet<usize> = self
            .model
            .requests
            .iter()
            .filter(|request| match request.told {
                Some(id) => !self.model.places.contains_key(&id),
                None => !request.is_refused,
            })
            .map(|request| request.product)
            .collect();
        for product in products {
            let uid = self.model.products[product].uid.clone();
            let records = self.system().store.read(|tx| records_of(tx, uid.as_str())).map_err(
                |error: StoreError| Violation(format!("records of {product}: {error:?}")),
            )?;
            for record in records {
                if !self.model.places.contains_key(&record.id) {
                    self.adopt(product, &record)?;
                }
            }
        }
        self.take_stock_of_batches()?;
        let told: Vec<RecordId> =
            self.model.requests.iter().filter_map(|request| request.told).collect();
        for id in told {
            ensure(self.model.places.contains_key(&id), || {
                format!("record {id} was acknowledged and is not there")
            })?;
        }
        Ok(())
    }

    fn adopt(&mut self, product: usize, record: &StoredRecord) -> Verdict {
        let was_asked = self.model.requests.iter().any(|request| {
            request.product == product
                && (request.told == Some(record.id)
                    || (request.told.is_none() && !request.is_refused))
        });
        ensure(was_asked, || format!("product {product} has a record that nobody asked for"))?;
        let document: AuthenticationRecord = serde_json::from_slice(&record.canonical)
            .map_err(|error| Violation(format!("a record cannot be read: {error}")))?;
        let owner = Address::parse(&document.auth.owner, Network::Test).unwrap();
        let is_first = record.purpose == Purpose::RegisterPatch;
        let from = document.auth.prev_txid;
        ensure(is_first == from.is_none(), || "a link is missing".into())?;
        let (id, commitment) = (record.id, record.commitment);
        let is_batched = is_first && self.setup.route == Route::Batch;
        let txids = Vec::new();
        self.model.add(Known {
            id,
            product,
            commitment,
            owner,
            from,
            is_batched,
            place: None,
            txids,
        });
        Ok(())
    }
}
