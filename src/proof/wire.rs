//! The bundle as JSON: names and spellings, as docs/bundle.schema.json has them.

use std::error::Error;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::anchor::commitment::Salt;
use crate::anchor::merkle::InclusionProof;
use crate::bitcoin::{Beef, BlockHeader, Transaction};
use crate::crypto::{PublicKey, Signature};
use crate::patch::tag::UidTag;
use crate::proof::{Bundle, BundleError, BundledHeader, BundledRecord, Content, RecordStatus};
use crate::types::{BlockHash, Digest, Network, Txid};

/// The version of the format that is written here and read.
pub const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BundleJson {
    format: FormatName,
    pub(super) version: u32,
    network: Network,
    #[serde(rename = "uid_tag_id")]
    uid: UidTag,
    issuers: Vec<PublicKey>,
    records: Vec<RecordJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beef: Option<Hex<Beef>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transactions: Vec<Hex<Transaction>>,
    headers: Vec<HeaderJson>,
}

/// What a bundle says it is.
#[derive(Serialize, Deserialize)]
enum FormatName {
    #[serde(rename = "patchproof-bundle")]
    Bundle,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordJson {
    status: StatusName,
    commitment: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    txid: Option<Txid>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<Hex<Salt>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer_signature: Option<Signature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inclusion: Option<InclusionJson>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StatusName {
    Mined,
    Unconfirmed,
    Unsent,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InclusionJson {
    leaf_index: u64,
    tree_size: u64,
    path: Vec<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderJson {
    height: u32,
    hash: BlockHash,
    header: Hex<BlockHeader>,
}

/// A value that is written as the hexadecimal digits of its bytes.
#[derive(Clone)]
struct Hex<T>(T);

trait Bytes: Sized {
    fn to_bytes(&self) -> Result<Vec<u8>, String>;
    fn from_bytes(bytes: &[u8]) -> Result<Self, String>;
}

/// Returns an error with its causes on one line: what the reader of JSON keeps is a text.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Bytes for Beef {
    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        self.to_v1_bytes().map_err(|error| chain(&error))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        Self::parse(bytes).map_err(|error| chain(&error))
    }
}

impl Bytes for Transaction {
    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        Ok(self.to_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        Self::parse(bytes).map_err(|error| chain(&error))
    }
}

impl Bytes for BlockHeader {
    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        Ok(self.to_bytes().to_vec())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        Self::parse(bytes).map_err(|error| chain(&error))
    }
}

impl Bytes for Salt {
    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        Ok(self.as_bytes().to_vec())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.try_into().map_err(|_| "a salt has 16 bytes".to_owned())?;
        Ok(Self::from_bytes(bytes))
    }
}

impl<T: Bytes> Serialize for Hex<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.to_bytes().map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&hex::encode(bytes))
    }
}

impl<'de, T: Bytes> Deserialize<'de> for Hex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(text).map_err(serde::de::Error::custom)?;
        T::from_bytes(&bytes).map(Self).map_err(serde::de::Error::custom)
    }
}

impl From<&Bundle> for BundleJson {
    fn from(bundle: &Bundle) -> Self {
        Self {
            format: FormatName::Bundle,
            version: VERSION,
            network: bundle.network,
            uid: bundle.uid.clone(),
            issuers: bundle.issuers(),
            records: bundle.records.iter().zip(bundle.statuses()).map(RecordJson::from).collect(),
            beef: bundle.beef.clone().map(Hex),
            transactions: bundle.transactions.iter().cloned().map(Hex).collect(),
            headers: bundle.headers.iter().map(HeaderJson::from).collect(),
        }
    }
}

impl From<(&BundledRecord, RecordStatus)> for RecordJson {
    fn from((record, status): (&BundledRecord, RecordStatus)) -> Self {
        let content = record.content.as_ref();
        Self {
            status: status.into(),
            commitment: record.commitment,
            txid: record.txid,
            erased: content.is_none(),
            record: content.map(|content| content.record.clone()),
            salt: content.map(|content| Hex(content.salt)),
            issuer_signature: content.and_then(|content| content.issuer_signature),
            inclusion: record.inclusion.as_ref().map(|proof| InclusionJson {
                leaf_index: proof.leaf_index,
                tree_size: proof.tree_size,
                path: proof.path.clone(),
            }),
        }
    }
}

impl From<&BundledHeader> for HeaderJson {
    fn from(bundled: &BundledHeader) -> Self {
        Self { height: bundled.height, hash: bundled.hash(), header: Hex(bundled.header) }
    }
}

impl From<RecordStatus> for StatusName {
    fn from(status: RecordStatus) -> Self {
        match status {
            RecordStatus::Mined => Self::Mined,
            RecordStatus::Unconfirmed => Self::Unconfirmed,
            RecordStatus::Unsent => Self::Unsent,
        }
    }
}

impl TryFrom<BundleJson> for Bundle {
    type Error = BundleError;

    fn try_from(json: BundleJson) -> Result<Self, BundleError> {
        if json.records.is_empty() {
            return Err(BundleError::Whole("a bundle has at least one record"));
        }
        let statuses: Vec<StatusName> = json.records.iter().map(|record| record.status).collect();
        let read = |(index, record): (usize, RecordJson)| {
            BundledRecord::try_from(record).map_err(|reason| BundleError::Record { index, reason })
        };
        let headers = json.headers.into_iter().map(|header| {
            let bundled = BundledHeader { height: header.height, header: header.header.0 };
            let is_its_hash = bundled.hash() == header.hash;
            is_its_hash.then_some(bundled).ok_or(BundleError::Whole("a header has another hash"))
        });
        let bundle = Self {
            network: json.network,
            uid: json.uid,
            records: json.records.into_iter().enumerate().map(read).collect::<Result<_, _>>()?,
            beef: json.beef.map(|beef| beef.0),
            transactions: json.transactions.into_iter().map(|hex| hex.0).collect(),
            headers: headers.collect::<Result<_, _>>()?,
        };
        if bundle.issuers() != json.issuers {
            return Err(BundleError::Whole("the issuers are not those that the records name"));
        }
        for (index, (found, said)) in bundle.statuses().into_iter().zip(statuses).enumerate() {
            if StatusName::from(found) != said {
                let reason = "its status is not what the transactions show";
                return Err(BundleError::Record { index, reason });
            }
        }
        bundle.check_contents()?;
        Ok(bundle)
    }
}

impl TryFrom<RecordJson> for BundledRecord {
    type Error = &'static str;

    fn try_from(json: RecordJson) -> Result<Self, &'static str> {
        let content = match (json.record, json.salt, json.erased) {
            (Some(record), Some(salt), false) => {
                let issuer_signature = json.issuer_signature;
                Some(Content { record, salt: salt.0, issuer_signature })
            }
            (None, None, true) if json.issuer_signature.is_none() => None,
            _ => return Err("it has record and salt, or was erased and has neither"),
        };
        if json.inclusion.is_some() && json.txid.is_none() {
            return Err("a way to a root needs the transaction that holds the root");
        }
        let inclusion = json.inclusion.map(|proof| InclusionProof {
            leaf_index: proof.leaf_index,
            tree_size: proof.tree_size,
            path: proof.path,
        });
        Ok(Self { content, commitment: json.commitment, txid: json.txid, inclusion })
    }
}
