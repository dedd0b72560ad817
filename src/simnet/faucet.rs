//! The faucet: the miner's coins, handed out by real signed transactions.

use std::cmp::Reverse;

use crate::bitcoin::{
    Address, P2PKH_INPUT_SIZE, P2PKH_OUTPUT_SIZE, SIGHASH_ALL_FORKID, Script, SighashCache,
    Transaction, TxIn, TxOut,
};
use crate::crypto::{SecretKey, sha256};
use crate::simnet::{Node, Rejection, ScriptHash};
use crate::types::{OutPoint, Satoshis, Txid};

/// The most outputs of one payment.
pub const MAX_FAUCET_OUTPUTS: u32 = 20_000;
/// Change below this many satoshis is not worth its own output.
const LEAST_CHANGE: Satoshis = Satoshis::from_const(1_000);
/// A coinbase with so many blocks on top survives any reorganisation that a test makes.
const SETTLED_DEPTH: u32 = 100;

/// Why the faucet gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaucetError {
    /// No output, too many, or one without money.
    #[error("the faucet gives 1 to {MAX_FAUCET_OUTPUTS} outputs of 1 satoshi at least")]
    BadRequest,
    /// The miner has not earned that much yet.
    #[error("the faucet has {available} satoshis and needs {needed}")]
    Empty {
        /// What it has.
        available: Satoshis,
        /// What it would need, with the fee.
        needed: Satoshis,
    },
    /// The node refuses the faucet's own transaction.
    #[error("the node refuses the faucet's transaction")]
    Refused(#[from] Rejection),
}

/// Returns the faucet's key and the script that every coinbase pays.
pub(super) fn key_and_script() -> (SecretKey, Script) {
    let key = SecretKey::from_bytes(&sha256(b"PatchProof simnet faucet"))
        .expect("this hash is within the range of keys");
    let script = Script::pay_to_public_key_hash(&key.public_key().hash160());
    (key, script)
}

impl Node {
    /// Pays `count` outputs of `satoshis` each to `address`: outputs 0 to `count - 1` of the
    /// transaction it returns.
    pub fn faucet(
        &mut self,
        address: &Address,
        satoshis: Satoshis,
        count: u32,
    ) -> Result<Txid, FaucetError> {
        let transaction = self.build_payment(address, satoshis, count)?;
        Ok(self.submit(&transaction.to_bytes())?)
    }

    fn build_payment(
        &self,
        address: &Address,
        satoshis: Satoshis,
        count: u32,
    ) -> Result<Transaction, FaucetError> {
        if count == 0 || count > MAX_FAUCET_OUTPUTS || satoshis == Satoshis::ZERO {
            return Err(FaucetError::BadRequest);
        }
        let total = satoshis.get().checked_mul(u64::from(count)).map(Satoshis::new);
        let Some(Ok(total)) = total else { return Err(FaucetError::BadRequest) };
        let payment = TxOut { value: satoshis, locking_script: address.locking_script() };
        let outputs: Vec<_> = (0..count).map(|_| payment.clone()).collect();
        let (spent, change) = self.select(total, outputs.len())?;
        Ok(self.sign_payment(spent, outputs, change))
    }

    /// Chooses coins worth `total` and the fee; returns them and what is left over.
    fn select(
        &self,
        total: Satoshis,
        output_count: usize,
    ) -> Result<(Vec<(OutPoint, TxOut)>, Satoshis), FaucetError> {
        let mut chosen = Vec::new();
        let mut available = Satoshis::ZERO;
        let mut needed = total;
        for (outpoint, output) in self.faucet_coins() {
            available = available.checked_add(output.value).map_err(|_| FaucetError::BadRequest)?;
            chosen.push((outpoint, output));
            // Version, lock time, the two counts; payments and change; inputs.
            let size =
                20 + P2PKH_OUTPUT_SIZE * (output_count + 1) + P2PKH_INPUT_SIZE * chosen.len();
            let fee = self.policy.min_fee.fee_for(size).max(Satoshis::from_const(1));
            needed = total.checked_add(fee).map_err(|_| FaucetError::BadRequest)?;
            if let Ok(change) = available.checked_sub(needed) {
                return Ok((chosen, change));
            }
        }
        Err(FaucetError::Empty { available, needed })
    }

    /// Returns the faucet's free coins, those first that a reorganisation is least likely to take.
    fn faucet_coins(&self) -> Vec<(OutPoint, TxOut)> {
        let hash = ScriptHash::of(&self.faucet_script);
        let height = self.height();
        let mined = self.coins().of_script(&hash).map(|(outpoint, coin)| {
            let settled = coin.height == 0 || height - coin.height >= SETTLED_DEPTH;
            let rank = if coin.coinbase && !settled { 3 } else { u8::from(coin.coinbase) };
            ((rank, coin.height), outpoint, &coin.output)
        });
        let waiting = self
            .waiting_outputs(&hash)
            .filter(|(outpoint, _)| self.has_room_upon(&outpoint.txid))
            .map(|(outpoint, output)| ((2, 0), outpoint, output));
        let mut coins: Vec<_> = mined
            .chain(waiting)
            .filter(|(_, outpoint, _)| self.mempool.spender(outpoint).is_none())
            .collect();
        coins.sort_by_key(|(rank, outpoint, output)| (*rank, Reverse(output.value), *outpoint));
        coins.into_iter().map(|(_, outpoint, output)| (outpoint, output.clone())).collect()
    }

    fn has_room_upon(&self, parent: &Txid) -> bool {
        let known = self.mempool.get(parent);
        known.is_none_or(|known| self.mempool.chain_length(known) < self.policy.max_ancestors)
    }

    fn sign_payment(
        &self,
        spent: Vec<(OutPoint, TxOut)>,
        mut outputs: Vec<TxOut>,
        change: Satoshis,
    ) -> Transaction {
        if change >= LEAST_CHANGE {
            outputs.push(TxOut { value: change, locking_script: self.faucet_script.clone() });
        }
        let unsigned = |outpoint| TxIn {
            previous: outpoint,
            unlocking_script: Script::default(),
            sequence: u32::MAX,
        };
        let inputs = spent.iter().map(|(outpoint, _)| unsigned(*outpoint)).collect();
        let mut transaction = Transaction { version: 1, inputs, outputs, lock_time: 0 };
        let cache = SighashCache::new(&transaction);
        let public_key = self.faucet_key.public_key();
        let scripts: Vec<_> = spent
            .iter()
            .enumerate()
            .filter_map(|(index, (_, output))| {
                let digest = cache.sighash(index, &output.locking_script, output.value)?;
                let signature = self.faucet_key.sign(&digest);
                Some(Script::unlock_public_key_hash(&signature, SIGHASH_ALL_FORKID, &public_key))
            })
            .collect();
        for (input, script) in transaction.inputs.iter_mut().zip(scripts) {
            input.unlocking_script = script;
        }
        transaction
    }
}
