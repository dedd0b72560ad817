//! Lists of products for operators: searched, filtered, sorted, page by page.
//!
//! A page looks at a bounded number of rows, so it may have fewer products than were asked for, or
//! none, and still go on. Its cursor names the last row that was looked at, so what is registered
//! meanwhile makes nobody skip or repeat a product.

mod cursor;
mod export;

use std::borrow::Cow;

use serde::Deserialize;

use crate::bitcoin::Address;
use crate::patch::erasure::ProductFacts;
use crate::patch::record::{Metadata, Product};
use crate::service::pending::{PendingService, PendingStatus, status_of};
use crate::storage::erasures::{erased_record, is_erasure_due};
use crate::storage::headers::chain_head;
use crate::storage::jobs::expect_job;
use crate::storage::patches::{list_patches, patch_count};
use crate::storage::records::{expect_record, record};
use crate::storage::{Patch, PatchOrder, PatchWalk, Store, StoreError, Tables};

pub use cursor::{CursorError, read_cursor, write_cursor};
pub use export::{COLUMNS, ExportFormat, ExportPage, ExportPlace, export_page};
pub(super) use export::{as_written, neutral, write_csv};

/// The most products on one page.
pub const MAX_PAGE: usize = 200;
/// The most rows that one page looks at.
const MAX_SCANNED: usize = 5_000;
/// The same where each row's content must be read too.
const MAX_SEARCHED: usize = 2_500;

/// Which products to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatchFilter {
    /// Text that the tag or the name contains, any case.
    pub search: Option<String>,
    /// The owner.
    pub owner: Option<Address>,
    /// The status of the newest event.
    pub status: Option<PendingStatus>,
    /// The category, any case.
    pub category: Option<String>,
}

/// In which order to list products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PatchSort {
    /// By tag.
    #[default]
    Tag,
    /// By tag, the last first.
    TagDescending,
    /// The oldest first.
    Created,
    /// The newest first.
    CreatedDescending,
}

/// A list: which products, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatchQuery {
    /// Which.
    pub filter: PatchFilter,
    /// In which order.
    pub sort: PatchSort,
}

/// A product with the status of its newest event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPatch {
    /// The product as stored.
    pub patch: Patch,
    /// The status of its newest event, a pending transfer included.
    pub status: PendingStatus,
    /// Whether its owner had himself erased.
    pub is_owner_erased: bool,
    /// What it is, as far as it may be told.
    pub facts: Option<ProductFacts>,
}

/// A page of products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPage {
    /// The products.
    pub items: Vec<ListedPatch>,
    /// How many rows were looked at.
    pub scanned: usize,
    /// How many products there are, whatever the filter.
    pub total: u64,
    /// The place to continue after, for [`write_cursor`].
    pub next: Option<Vec<u8>>,
}

/// Lists products.
#[derive(Clone)]
pub struct ListingService {
    /// The store.
    pub store: Store,
    /// Knows statuses.
    pub pending: PendingService,
}

impl PatchSort {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Tag, Self::TagDescending, Self::Created, Self::CreatedDescending];

    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "uid",
            Self::TagDescending => "-uid",
            Self::Created => "created",
            Self::CreatedDescending => "-created",
        }
    }

    const fn order(self) -> (PatchOrder, bool) {
        match self {
            Self::Tag => (PatchOrder::Tag, false),
            Self::TagDescending => (PatchOrder::Tag, true),
            Self::Created => (PatchOrder::Created, false),
            Self::CreatedDescending => (PatchOrder::Created, true),
        }
    }
}

impl ListingService {
    /// Returns a page of products; `after` is the place of [`read_cursor`].
    pub fn list(
        &self,
        query: &PatchQuery,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<ListedPage, StoreError> {
        self.store.read(|tx| list_page(tx, self.pending.confirmed_at_depth, query, after, limit))
    }

    /// Returns the next piece of an export; see [`export_page`].
    pub fn export(
        &self,
        query: &PatchQuery,
        format: ExportFormat,
        place: &ExportPlace,
    ) -> Result<ExportPage, StoreError> {
        let depth = self.pending.confirmed_at_depth;
        self.store.read(|tx| export_page(tx, depth, query, format, place))
    }
}

/// Returns a page of products, of a store however it was opened. A record counts as confirmed from
/// `confirmed_at_depth` confirmations.
pub fn list_page(
    tables: &impl Tables,
    confirmed_at_depth: u32,
    query: &PatchQuery,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<ListedPage, StoreError> {
    let (order, is_descending) = query.sort.order();
    let owner = query.filter.owner.map(|owner| *owner.hash160());
    let top = chain_head(tables)?.map_or(0, |head| head.height);
    let status = |patch: &Patch| -> Result<PendingStatus, StoreError> {
        let newest = patch.pending.unwrap_or(patch.head);
        Ok(status_of(&expect_job(tables, newest)?, top, confirmed_at_depth))
    };
    let wanted = Wanted::of(&query.filter);
    let walk = PatchWalk { order, is_descending, owner, after };
    let page =
        list_patches(tables, walk, limit.clamp(1, MAX_PAGE), wanted.most_scanned(), |patch| {
            if let Some(wanted) = query.filter.status
                && status(patch)? != wanted
            {
                return Ok(false);
            }
            wanted.accepts(tables, patch)
        })?;
    let items = page.patches.into_iter().map(|patch| {
        let (facts, is_owner_erased) = facts_of(tables, &patch)?;
        Ok(ListedPatch { status: status(&patch)?, patch, is_owner_erased, facts })
    });
    Ok(ListedPage {
        items: items.collect::<Result<_, StoreError>>()?,
        scanned: page.scanned,
        total: patch_count(tables)?,
        next: page.next,
    })
}

/// The texts of a filter, folded once.
struct Wanted {
    search: Option<String>,
    category: Option<String>,
}

/// As much of a record as a search reads.
#[derive(Deserialize)]
struct NamedRecord<'a> {
    #[serde(borrow)]
    product: NamedProduct<'a>,
}

#[derive(Default, Deserialize)]
struct NamedProduct<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    category: Option<Cow<'a, str>>,
}

impl Wanted {
    fn of(filter: &PatchFilter) -> Self {
        let folded = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
        Self { search: folded(&filter.search), category: folded(&filter.category) }
    }

    const fn most_scanned(&self) -> usize {
        if self.search.is_some() || self.category.is_some() { MAX_SEARCHED } else { MAX_SCANNED }
    }

    fn accepts(&self, tables: &impl Tables, patch: &Patch) -> Result<bool, StoreError> {
        let contains = |text: &str| {
            self.search.as_ref().is_none_or(|wanted| text.to_lowercase().contains(wanted))
        };
        let has_text = contains(patch.uid.as_str());
        if has_text && self.category.is_none() {
            return Ok(true);
        }
        let bytes = content_of(tables, patch)?;
        let product = serde_json::from_slice::<NamedRecord<'_>>(&bytes)
            .map_or_else(|_| NamedProduct::default(), |record| record.product);
        let has_text = has_text || product.name.as_deref().is_some_and(contains);
        let has_category = self.category.as_ref().is_none_or(|wanted| {
            product.category.as_deref().is_some_and(|text| text.to_lowercase() == *wanted)
        });
        Ok(has_text && has_category)
    }
}

/// Returns the JSON that says what a product is: of its newest event, or what stays of an erased one.
fn content_of(tables: &impl Tables, patch: &Patch) -> Result<Vec<u8>, StoreError> {
    match erased_record(tables, patch.head)? {
        Some(erased) => Ok(erased.facts),
        None => Ok(record(tables, patch.head)?.map_or_else(Vec::new, |found| found.canonical)),
    }
}

/// Returns what may be told of a product, and whether its owner may not.
fn facts_of(
    tables: &impl Tables,
    patch: &Patch,
) -> Result<(Option<ProductFacts>, bool), StoreError> {
    #[derive(Deserialize)]
    struct Facts {
        product: Product,
        metadata: Metadata,
    }
    if let Some(erased) = erased_record(tables, patch.head)? {
        return Ok((ProductFacts::from_json(&erased.facts), true));
    }
    let stored = expect_record(tables, patch.head)?;
    let Ok(facts) = serde_json::from_slice::<Facts>(&stored.canonical) else {
        return Ok((None, false));
    };
    let is_withheld = is_erasure_due(tables, patch.head)?;
    let told = if is_withheld {
        ProductFacts::of(&facts.product, &facts.metadata)
    } else {
        ProductFacts { product: facts.product, metadata: facts.metadata }
    };
    Ok((Some(told), is_withheld))
}
