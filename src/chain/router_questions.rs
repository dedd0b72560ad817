//! Questions through several endpoints: the first that can answer does.
//!
//! What one does not know another may: a transaction counts as unknown only if an endpoint with an
//! index of its own says so, and a Merkle path from one that knows no headers is given on only if it
//! ends in the header at its own height.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::bitcoin::{BlockHeader, MerklePath, Transaction};
use crate::chain::endpoint::{EndpointHealth, TransactionIndex, Use};
use crate::chain::router::{Router, Watched};
use crate::chain::{
    ChainError, ChainTip, ChainTracker, SpendStatus, TransactionStatus, UnspentOutput, UtxoSource,
};
use crate::types::{BlockHash, OutPoint, Txid};

impl Router {
    /// Asks every endpoint one cheap question, the ones that are left alone too, and returns how all
    /// of them are; for an operator who wants to know now.
    pub async fn probe(&self) -> Vec<EndpointHealth> {
        for Watched { endpoint, watch } in &self.endpoints {
            if let Some(tracker) = &endpoint.tracker {
                let answer = tracker.tip().await;
                watch.note(self.clock.now(), &answer);
            } else if let Some(index) = &endpoint.index {
                // Nobody knows this one: any answer shows that we are heard and let in.
                let answer = index.statuses(&[Txid::from_bytes([0; 32])]).await;
                watch.note(self.clock.now(), &answer);
            }
        }
        self.board().snapshot(self.clock.now())
    }

    /// Asks those that have the port `of`, in their order, until one answers.
    async fn ask<'a, P: ?Sized + Send + Sync, T: Send>(
        &'a self,
        of: fn(&'a Watched) -> Option<&'a Arc<P>>,
        question: impl Fn(&'a P) -> BoxFuture<'a, Result<T, ChainError>> + Send,
    ) -> Result<T, ChainError> {
        let able: Vec<_> =
            self.endpoints.iter().filter_map(|one| of(one).map(|port| (one, port))).collect();
        let is_only_one = able.len() == 1;
        let mut failure = None;
        for (watched, port) in able {
            if watched.watch.admit(Use::Asking, self.clock.now()).is_err() && !is_only_one {
                continue;
            }
            let answer = question(&**port).await;
            watched.watch.note(self.clock.now(), &answer);
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(left_alone))
    }

    async fn ask_tracker<'a, T: Send>(
        &'a self,
        question: impl Fn(&'a dyn ChainTracker) -> BoxFuture<'a, Result<T, ChainError>> + Send,
    ) -> Result<T, ChainError> {
        self.ask(tracker, question).await
    }

    /// Returns those that know what became of transactions and no headers, unless left alone.
    fn indexes(&self) -> impl Iterator<Item = (&Watched, &Arc<dyn TransactionIndex>)> {
        self.endpoints
            .iter()
            .filter_map(|one| one.endpoint.index.as_ref().map(|index| (one, index)))
            .filter(|(one, _)| one.watch.admit(Use::Asking, self.clock.now()).is_ok())
    }

    /// Asks indexes about those of `txids` that are unknown so far.
    async fn fill_in(&self, txids: &[Txid], statuses: &mut [TransactionStatus]) {
        if !statuses.contains(&TransactionStatus::Unknown) {
            return;
        }
        for (watched, index) in self.indexes() {
            let missing: Vec<usize> = (0..txids.len().min(statuses.len()))
                .filter(|place| statuses[*place] == TransactionStatus::Unknown)
                .collect();
            if missing.is_empty() {
                return;
            }
            let asked: Vec<Txid> = missing.iter().map(|place| txids[*place]).collect();
            let answer = index.statuses(&asked).await;
            watched.watch.note(self.clock.now(), &answer);
            for (place, status) in missing.into_iter().zip(answer.unwrap_or_default()) {
                statuses[place] = status;
            }
        }
    }

    /// Returns a path from an index, and the block whose header it ends in.
    async fn indexed_path(
        &self,
        txid: Txid,
    ) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        let mut failure = None;
        for (watched, index) in self.indexes() {
            let answer = index.merkle_path(txid).await;
            watched.watch.note(self.clock.now(), &answer);
            match answer {
                Ok(None) => {}
                Ok(Some(path)) => {
                    // Of a block that has lost its place, or of none: it proves nothing.
                    let header = self.header_at(path.block_height()).await?;
                    let header = header.filter(|header| header.merkle_root == path.root());
                    if let Some(header) = header {
                        return Ok(Some((path, header.hash())));
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

fn tracker(watched: &Watched) -> Option<&Arc<dyn ChainTracker>> {
    watched.endpoint.tracker.as_ref()
}

fn utxo_source(watched: &Watched) -> Option<&Arc<dyn UtxoSource>> {
    watched.endpoint.utxo_source.as_ref()
}

fn left_alone() -> ChainError {
    ChainError::Unreachable("every endpoint that could tell is left alone for a while".to_owned())
}

#[async_trait]
impl ChainTracker for Router {
    async fn tip(&self) -> Result<ChainTip, ChainError> {
        self.ask_tracker(|tracker| tracker.tip()).await
    }

    async fn header_at(&self, height: u32) -> Result<Option<BlockHeader>, ChainError> {
        self.ask_tracker(|tracker| tracker.header_at(height)).await
    }

    async fn header(&self, hash: BlockHash) -> Result<Option<BlockHeader>, ChainError> {
        self.ask_tracker(|tracker| tracker.header(hash)).await
    }

    async fn headers(&self, from: u32, count: u32) -> Result<Vec<BlockHeader>, ChainError> {
        self.ask_tracker(|tracker| tracker.headers(from, count)).await
    }

    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        let told = self.ask_tracker(|tracker| tracker.statuses(txids)).await;
        let mut statuses = match &told {
            Ok(statuses) => statuses.clone(),
            Err(_) => vec![TransactionStatus::Unknown; txids.len()],
        };
        self.fill_in(txids, &mut statuses).await;
        // An index knows only what it was given: that it knows nothing is no answer.
        match told {
            Err(error) if statuses.contains(&TransactionStatus::Unknown) => Err(error),
            Ok(_) | Err(_) => Ok(statuses),
        }
    }

    async fn merkle_path(&self, txid: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        let told = self.ask_tracker(|tracker| tracker.merkle_path(txid)).await;
        match (told, self.endpoints.iter().any(|one| one.endpoint.index.is_some())) {
            (Ok(Some(found)), _) => Ok(Some(found)),
            (told, false) => told,
            (Ok(None), true) => Ok(self.indexed_path(txid).await.unwrap_or(None)),
            (Err(error), true) => match self.indexed_path(txid).await {
                Ok(Some(found)) => Ok(Some(found)),
                Ok(None) | Err(_) => Err(error),
            },
        }
    }

    async fn transaction(&self, txid: Txid) -> Result<Option<Transaction>, ChainError> {
        self.ask_tracker(|tracker| tracker.transaction(txid)).await
    }

    async fn spender(&self, outpoint: OutPoint) -> Result<SpendStatus, ChainError> {
        self.ask_tracker(|tracker| tracker.spender(outpoint)).await
    }
}

#[async_trait]
impl UtxoSource for Router {
    async fn unspent(&self, address: &str) -> Result<Vec<UnspentOutput>, ChainError> {
        self.ask(utxo_source, |source: &dyn UtxoSource| source.unspent(address)).await
    }
}
