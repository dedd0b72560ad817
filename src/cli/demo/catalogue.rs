//! The sample products: an invented brand with its owners and what they hand on.

use anyhow::Context;
use serde::Deserialize;

const CATALOGUE: &str = include_str!("../../../static/demo/catalogue.json");

/// The sample products.
#[derive(Debug, Deserialize)]
pub(super) struct Catalogue {
    /// Who issues them.
    pub(super) brand: String,
    /// Who owns them; each gets a key.
    pub(super) owners: Vec<String>,
    /// Who hands what to whom, in this order.
    pub(super) transfers: Vec<SampleTransfer>,
    /// The products.
    pub(super) products: Vec<SampleProduct>,
}

/// A sample product, with the fields of a registration.
#[derive(Debug, Deserialize)]
pub(super) struct SampleProduct {
    /// As in `POST /v1/patches`.
    pub(super) product: serde_json::Value,
    /// As in `POST /v1/patches`.
    pub(super) metadata: serde_json::Value,
    /// The name of its first owner.
    pub(super) owner: String,
}

impl SampleProduct {
    /// Returns the tag.
    pub(super) fn uid(&self) -> &str {
        self.product.get("uid_tag_id").and_then(serde_json::Value::as_str).unwrap_or_default()
    }
}

/// A sample transfer.
#[derive(Debug, Deserialize)]
pub(super) struct SampleTransfer {
    /// The product's tag.
    pub(super) uid_tag_id: String,
    /// The name of the new owner.
    pub(super) to: String,
}

/// Reads the sample products.
pub(super) fn catalogue() -> anyhow::Result<Catalogue> {
    serde_json::from_str(CATALOGUE).context("the built-in catalogue cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_complete_and_consistent() {
        let catalogue = catalogue().unwrap();
        assert_eq!(catalogue.products.len(), 25);
        for sample in &catalogue.products {
            assert!(catalogue.owners.contains(&sample.owner), "{}", sample.uid());
            let fields = ["uid_tag_id", "name", "category", "sku", "serial_number", "material"];
            assert!(fields.iter().all(|field| sample.product[field].is_string()));
            let fields = ["notes", "image", "patch_location"];
            assert!(fields.iter().all(|field| sample.metadata[field].is_string()));
        }
        for transfer in &catalogue.transfers {
            assert!(catalogue.owners.contains(&transfer.to));
            assert!(catalogue.products.iter().any(|p| p.uid() == transfer.uid_tag_id));
        }
    }
}
