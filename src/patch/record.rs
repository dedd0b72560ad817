//! The `AUTHENTICATION_RECORD`: one immutable event of a product's custody.
//!
//! Its canonical bytes (RFC 8785) are what the issuer signs and what the commitment on chain
//! covers. They hold everything that matters: purpose, network, product, metadata, owner, the
//! event before it and the time. What anchoring adds later (txid, block) stands beside, never in.

use serde::{Deserialize, Serialize};

use crate::crypto::{PublicKey, Signature};
use crate::patch::tag::{UidTag, is_printable};
use crate::types::{Digest, Network, Timestamp, Txid};

/// The longest short text (name, category, …) in characters.
pub const MAX_TEXT_CHARS: usize = 256;
/// The longest notes in characters.
pub const MAX_NOTES_CHARS: usize = 4096;
/// The longest image address in characters.
pub const MAX_IMAGE_CHARS: usize = 2048;

/// What the product is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The tag's name.
    pub uid_tag_id: UidTag,
    /// The product's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The stock-keeping unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// The material.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub material: Option<String>,
}

/// What else the issuer says about the product.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The https address of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Where the patch sits on the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_location: Option<String>,
}

/// What kind of event a record states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The product begins to exist here.
    RegisterPatch,
    /// The product changes hands.
    TransferOwnership,
}

/// Who owns, who issued, what went before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordAuth {
    /// The owner's address after this event.
    pub owner: String,
    /// The issuer's public key.
    pub issuer: PublicKey,
    /// When the issuer's system accepted the event, RFC 3339 in UTC.
    pub issued_at: String,
    /// The transaction of the event before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_txid: Option<Txid>,
    /// The commitment of the event before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_commitment: Option<Digest>,
    /// The key of the owner who hands over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_owner_public_key: Option<PublicKey>,
    /// That owner's signature of the transfer message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_owner_signature: Option<Signature>,
}

/// One immutable event of a product's custody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthenticationRecord {
    /// Always `AUTHENTICATION_RECORD`.
    #[serde(rename = "type")]
    pub kind: RecordKind,
    /// The version of this layout.
    pub version: u8,
    /// The kind of event.
    pub purpose: Purpose,
    /// The network whose addresses and transactions it names.
    pub network: Network,
    /// The product.
    pub product: Product,
    /// What else the issuer says.
    pub metadata: Metadata,
    /// Owner, issuer and link.
    pub auth: RecordAuth,
}

/// The one value of a record's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordKind {
    /// The one value.
    #[serde(rename = "AUTHENTICATION_RECORD")]
    AuthenticationRecord,
}

/// A field that breaks a rule, for the client that sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct FieldError {
    /// The field's path in the request.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Product {
    /// Lists the fields that break a rule.
    pub fn problems(&self) -> Vec<FieldError> {
        [
            ("product.name", &self.name),
            ("product.category", &self.category),
            ("product.sku", &self.sku),
            ("product.serial_number", &self.serial_number),
            ("product.material", &self.material),
        ]
        .into_iter()
        .filter_map(|(field, text)| text_problem(field, text.as_deref(), MAX_TEXT_CHARS, false))
        .collect()
    }
}

impl Metadata {
    /// Lists the fields that break a rule.
    pub fn problems(&self) -> Vec<FieldError> {
        let location = self.patch_location.as_deref();
        [
            text_problem("metadata.notes", self.notes.as_deref(), MAX_NOTES_CHARS, true),
            image_problem(self.image.as_deref()),
            text_problem("metadata.patch_location", location, MAX_TEXT_CHARS, false),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn text_problem(
    field: &'static str,
    text: Option<&str>,
    longest: usize,
    has_lines: bool,
) -> Option<FieldError> {
    let text = text?;
    let message = if text.is_empty() {
        "must not be empty; leave it out instead".to_owned()
    } else if text.chars().count() > longest {
        format!("must have at most {longest} characters")
    } else if !text.chars().all(|c| is_printable(c) || (has_lines && matches!(c, '\n' | '\t'))) {
        "must hold printable characters only".to_owned()
    } else {
        return None;
    };
    Some(FieldError { field, message })
}

fn image_problem(image: Option<&str>) -> Option<FieldError> {
    let text = image?;
    let is_short = text.chars().count() <= MAX_IMAGE_CHARS;
    let is_plain = text.chars().all(|c| c.is_ascii_graphic());
    let is_https = url::Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https"
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    (!(is_short && is_plain && is_https)).then(|| FieldError {
        field: "metadata.image",
        message: format!("must be an https address of at most {MAX_IMAGE_CHARS} characters"),
    })
}

/// Everything a new record states.
#[derive(Debug, Clone)]
pub struct RecordFacts<'a> {
    /// The kind of event.
    pub purpose: Purpose,
    /// The network.
    pub network: Network,
    /// The product.
    pub product: &'a Product,
    /// What else the issuer says.
    pub metadata: &'a Metadata,
    /// The owner afterwards.
    pub owner: String,
    /// The issuer's key.
    pub issuer: PublicKey,
    /// When it was accepted.
    pub issued_at: Timestamp,
    /// The event before, for a transfer.
    pub previous: Option<PreviousEvent>,
}

/// The event that a transfer follows, and its owner's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousEvent {
    /// Its transaction.
    pub txid: Txid,
    /// Its commitment.
    pub commitment: Digest,
    /// The key of its owner.
    pub owner_public_key: PublicKey,
    /// The owner's signature of the transfer message.
    pub owner_signature: Signature,
}

impl AuthenticationRecord {
    /// Writes down an event.
    pub fn new(facts: RecordFacts<'_>) -> Self {
        let previous = facts.previous;
        Self {
            kind: RecordKind::AuthenticationRecord,
            version: 1,
            purpose: facts.purpose,
            network: facts.network,
            product: facts.product.clone(),
            metadata: facts.metadata.clone(),
            auth: RecordAuth {
                owner: facts.owner,
                issuer: facts.issuer,
                issued_at: facts.issued_at.to_string(),
                prev_txid: previous.map(|event| event.txid),
                prev_commitment: previous.map(|event| event.commitment),
                prev_owner_public_key: previous.map(|event| event.owner_public_key),
                prev_owner_signature: previous.map(|event| event.owner_signature),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_plain_https_addresses() {
        assert_eq!(image_problem(Some("https://brand.example/a.png?size=2")), None);
        for bad in [
            "http://brand.example/a.png",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "file:///etc/passwd",
            "https://user:pass@brand.example/",
            "https://brand.example/\u{202e}",
            "https://",
            "",
        ] {
            assert!(image_problem(Some(bad)).is_some(), "{bad}");
        }
    }

    #[test]
    fn texts_are_printable_and_bounded() {
        assert_eq!(text_problem("f", Some("Polyester + woven"), 256, false), None);
        assert_eq!(text_problem("f", Some("two\nlines"), 256, true), None);
        assert!(text_problem("f", Some("two\nlines"), 256, false).is_some());
        assert!(text_problem("f", Some("nul\0"), 256, true).is_some());
        assert!(text_problem("f", Some(&"x".repeat(257)), 256, false).is_some());
        assert!(text_problem("f", Some(""), 256, false).is_some());
    }
}
