//! Lists of products for operators: searched, filtered, page by page.

use crate::bitcoin::Address;
use crate::service::pending::{PendingService, PendingStatus};
use crate::storage::erasures::{is_erased, is_erasure_due};
use crate::storage::headers::chain_head;
use crate::storage::jobs::expect_job;
use crate::storage::patches::list_patches;
use crate::storage::{Patch, Store, StoreError};

/// The most products on one page.
pub const MAX_PAGE: usize = 200;
/// The most rows that one page looks at.
const MAX_SCANNED: usize = 5_000;

/// Which products to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatchFilter {
    /// Text that the tag contains, any case.
    pub search: Option<String>,
    /// The owner.
    pub owner: Option<Address>,
    /// The status of the newest event.
    pub status: Option<PendingStatus>,
}

/// A product with the status of its newest event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPatch {
    /// The product.
    pub patch: Patch,
    /// The status of its newest event, a pending transfer included.
    pub status: PendingStatus,
    /// Whether its owner had himself erased.
    pub is_owner_erased: bool,
}

/// A page of products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPage {
    /// The products.
    pub items: Vec<ListedPatch>,
    /// The tag to continue after.
    pub next: Option<String>,
}

/// Lists products.
#[derive(Clone)]
pub struct ListingService {
    /// The store.
    pub store: Store,
    /// Knows statuses.
    pub pending: PendingService,
}

impl ListingService {
    /// Returns a page of products in the order of their tags.
    pub fn list(
        &self,
        filter: &PatchFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ListedPage, StoreError> {
        let search = filter.search.as_ref().map(|text| text.to_lowercase());
        let limit = limit.clamp(1, MAX_PAGE);
        self.store.read(|tx| {
            let top = chain_head(tx)?.map_or(0, |head| head.height);
            let status_of = |patch: &Patch| -> Result<PendingStatus, StoreError> {
                let newest = patch.pending.unwrap_or(patch.head);
                Ok(self.pending.status_of(&expect_job(tx, newest)?, top))
            };
            let page = list_patches(tx, after, limit, MAX_SCANNED, |patch| {
                let has_text = search
                    .as_ref()
                    .is_none_or(|text| patch.uid.as_str().to_lowercase().contains(text));
                let has_owner = filter.owner.is_none_or(|owner| owner == patch.owner);
                if !has_text || !has_owner {
                    return Ok(false);
                }
                filter.status.map_or(Ok(true), |wanted| Ok(status_of(patch)? == wanted))
            })?;
            let items = page
                .patches
                .into_iter()
                .map(|patch| {
                    let is_owner_erased =
                        is_erased(tx, patch.head)? || is_erasure_due(tx, patch.head)?;
                    Ok(ListedPatch { status: status_of(&patch)?, patch, is_owner_erased })
                })
                .collect::<Result<_, StoreError>>()?;
            Ok(ListedPage { items, next: page.next.map(String::from) })
        })
    }
}
