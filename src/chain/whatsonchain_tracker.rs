//! What is asked of WhatsOnChain about blocks, transactions and outputs.
//!
//! Every header, transaction and path is checked against the identifier it was asked by; lists
//! come whole or as an error.

use std::collections::HashSet;

use async_trait::async_trait;
use reqwest::Method;
use serde_json::json;

use crate::bitcoin::{BlockHeader, MerklePath, Transaction};
use crate::chain::whatsonchain::{WhatsOnChain, malformed};
use crate::chain::whatsonchain_answers::{
    ChainInfo, HeaderAnswer, ProofAnswer, SpentAnswer, StatusAnswer, UnspentAnswer, UnspentItem,
    statuses_in_order, unspent_outputs,
};
use crate::chain::{
    ChainError, ChainTip, ChainTracker, SpendStatus, TransactionStatus, UnspentOutput, UtxoSource,
};
use crate::types::{BlockHash, OutPoint, Txid};

/// The most transactions in one question for statuses.
const STATUS_BATCH: usize = 20;
/// More pages than any pool has; an endpoint that never ends its list is stopped here.
const MAX_PAGES: usize = 1000;
/// More blocks than can contain one transaction at a time.
const MAX_PROOFS: usize = 8;

impl WhatsOnChain {
    async fn header_answer(&self, block: &str) -> Result<Option<HeaderAnswer>, ChainError> {
        let request = self.request(Method::GET, &format!("/block/{block}/header"));
        let answer = self.ask(request).await?;
        let words = answer.text().to_lowercase();
        let beyond_tip = words.contains("out of range") || words.contains("not found");
        if answer.status == 404 || (answer.status == 400 && beyond_tip) {
            return Ok(None);
        }
        self.parse(&answer).map(Some)
    }

    /// Collects all pages of one list; nothing if the endpoint has no such list.
    async fn unspent_pages(
        &self,
        path: &str,
        address: &str,
    ) -> Result<Option<Vec<UnspentItem>>, ChainError> {
        let mut items = Vec::new();
        let mut seen = HashSet::new();
        let mut token: Option<String> = None;
        for page in 0..MAX_PAGES {
            let query = token.as_deref().map(token_query).unwrap_or_default();
            let request = self.request(Method::GET, &format!("{path}{query}"));
            let Some(answer) = self.ask_json::<UnspentAnswer>(request).await? else {
                if page == 0 {
                    return Ok(None);
                }
                return Err(malformed("a page of a list is missing"));
            };
            let (more, next) =
                answer.into_page(address).map_err(|text| malformed(&self.redacted(&text)))?;
            items.extend(more);
            match next {
                None => return Ok(Some(items)),
                Some(next) if seen.insert(next.clone()) => token = Some(next),
                Some(_) => break,
            }
        }
        Err(malformed("a list of outputs does not end"))
    }
}

fn token_query(token: &str) -> String {
    let escaped: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    format!("?token={escaped}")
}

#[async_trait]
impl ChainTracker for WhatsOnChain {
    async fn tip(&self) -> Result<ChainTip, ChainError> {
        let request = self.request(Method::GET, "/chain/info");
        let info: ChainInfo =
            self.ask_json(request).await?.ok_or_else(|| malformed("it knows no chain"))?;
        info.check_network(self.config.network).map_err(|text| malformed(&text))?;
        Ok(ChainTip { height: info.blocks, hash: info.best_block_hash })
    }

    async fn header_at(&self, height: u32) -> Result<Option<BlockHeader>, ChainError> {
        let Some(answer) = self.header_answer(&height.to_string()).await? else { return Ok(None) };
        if answer.height.is_some_and(|named| named != height) {
            return Err(malformed("the header is of another height"));
        }
        answer.header().map(Some).map_err(|text| malformed(&text))
    }

    async fn header(&self, hash: BlockHash) -> Result<Option<BlockHeader>, ChainError> {
        let Some(answer) = self.header_answer(&hash.to_string()).await? else { return Ok(None) };
        let header = answer.header().map_err(|text| malformed(&text))?;
        if header.hash() == hash {
            Ok(Some(header))
        } else {
            Err(malformed("the header is of another block"))
        }
    }

    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        let mut statuses = Vec::with_capacity(txids.len());
        for batch in txids.chunks(STATUS_BATCH) {
            let request =
                self.request(Method::POST, "/txs/status").json(&json!({ "txids": batch }));
            let answers: Vec<StatusAnswer> = self
                .ask_json(request)
                .await?
                .ok_or_else(|| malformed("it has no list of statuses"))?;
            statuses.extend(statuses_in_order(batch, &answers).map_err(|text| malformed(&text))?);
        }
        Ok(statuses)
    }

    async fn merkle_path(&self, txid: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        let request = self.request(Method::GET, &format!("/tx/{txid}/proof/tsc"));
        let proofs = match self.ask_json::<Option<ProofAnswer>>(request).await? {
            Some(Some(answer)) => answer.into_proofs(),
            Some(None) | None => return Ok(None),
        };
        for proof in proofs.iter().take(MAX_PROOFS) {
            // A proof of a block that has lost its place proves nothing any more.
            let answer = self.header_answer(&proof.target.to_string()).await?;
            let Some(answer) = answer.filter(|answer| !answer.is_orphaned()) else { continue };
            let header = answer.header().map_err(|text| malformed(&text))?;
            let height = answer.height.ok_or_else(|| malformed("a header without height"))?;
            if header.hash() != proof.target {
                return Err(malformed("the header is of another block"));
            }
            let path = MerklePath::from_tsc(proof, &txid, height)
                .map_err(|error| malformed(&error.to_string()))?;
            if path.compute_root(&txid) != Ok(header.merkle_root) {
                return Err(malformed("the proof does not end in the root of its block"));
            }
            return Ok(Some((path, proof.target)));
        }
        Ok(None)
    }

    async fn transaction(&self, txid: Txid) -> Result<Option<Transaction>, ChainError> {
        let answer = self.ask(self.request(Method::GET, &format!("/tx/{txid}/hex"))).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(ChainError::Malformed(self.describe(&answer)));
        }
        let text = answer.text();
        let bytes = hex::decode(text.trim().trim_matches('"'))
            .map_err(|_| malformed("a transaction is not hexadecimal"))?;
        let transaction =
            Transaction::parse(&bytes).map_err(|error| malformed(&error.to_string()))?;
        if transaction.txid() == txid {
            Ok(Some(transaction))
        } else {
            Err(malformed("the transaction is another"))
        }
    }

    async fn spender(&self, outpoint: OutPoint) -> Result<SpendStatus, ChainError> {
        let path = format!("/tx/{}/{}/spent", outpoint.txid, outpoint.vout);
        let answer = self.ask(self.request(Method::GET, &path)).await?;
        match answer.status {
            400 => Ok(SpendStatus::Unknown),
            // The same status is the answer for transactions that do not exist.
            404 => {
                let made = self.transaction(outpoint.txid).await?;
                let vout = usize::try_from(outpoint.vout).unwrap_or(usize::MAX);
                let output = made.as_ref().and_then(|made| made.outputs.get(vout));
                let exists = output.is_some_and(|output| !output.locking_script.is_data());
                Ok(if exists { SpendStatus::Unspent } else { SpendStatus::Unknown })
            }
            _ => {
                let named: SpentAnswer = self.parse(&answer)?;
                // Only a transaction that does spend the output is evidence that one does.
                let Some(spender) = self.transaction(named.txid).await? else {
                    return Ok(SpendStatus::Unknown);
                };
                if spender.inputs.iter().any(|input| input.previous == outpoint) {
                    Ok(SpendStatus::SpentBy(named.txid))
                } else {
                    Err(malformed("the spender that it names does not spend the output"))
                }
            }
        }
    }
}

#[async_trait]
impl UtxoSource for WhatsOnChain {
    async fn unspent(&self, address: &str) -> Result<Vec<UnspentOutput>, ChainError> {
        if address.is_empty() || !address.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(malformed("the address is no address"));
        }
        let all = format!("/address/{address}/unspent/all");
        let items = match self.unspent_pages(&all, address).await? {
            Some(items) => items,
            None => {
                // Endpoints without the joint list have two halves, and 404 for an empty first.
                let unconfirmed = format!("/address/{address}/unconfirmed/unspent");
                let confirmed = format!("/address/{address}/confirmed/unspent");
                let mut items = self
                    .unspent_pages(&unconfirmed, address)
                    .await?
                    .ok_or_else(|| malformed("it has no lists of outputs"))?;
                items.extend(self.unspent_pages(&confirmed, address).await?.unwrap_or_default());
                items
            }
        };
        unspent_outputs(items).map_err(|text| malformed(&text))
    }
}
