//! `patchproof utxo add`: one output, checked against the chain.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use crate::cli::store::open_for_changes;
use crate::cli::utxo::{Pool, output_json, output_line};
use crate::service::funding::StatedOutput;
use crate::types::{OutPoint, Satoshis, Txid};

/// Add one output to the pool
///
/// The network endpoint is asked for the transaction: the output must exist, pay to the funding or
/// change key, and not be spent. What is stated beside txid and vout is compared with it.
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// Transaction that made the output
    #[arg(long)]
    txid: Txid,
    /// Place of the output in it, from 0
    #[arg(long)]
    vout: u32,
    /// Its amount in satoshis, to be compared with the chain
    #[arg(long, value_parser = parse_satoshis)]
    satoshis: Option<Satoshis>,
    /// The signer's name for its key, to be compared
    #[arg(long = "keyId", alias = "key-id", value_name = "NAME")]
    key_id: Option<String>,
    /// Its locking script in hexadecimal, to be compared with the chain
    #[arg(long, value_name = "HEX")]
    script: Option<String>,
    /// Kept for old scripts: other outputs are never marked as spent; needs --confirm
    ///
    /// The predecessor marked every other available output as spent. An output is spent by a
    /// transaction and by nothing else, so the others stay what they are; `utxo sync` and the
    /// following of the chain find out which of them are spent.
    #[arg(long)]
    exclusive: bool,
    /// Accept that --exclusive leaves the other outputs alone
    #[arg(long)]
    confirm: bool,
}

impl AddArguments {
    /// Refuses what cannot be done before anything is opened.
    fn check(&self) -> anyhow::Result<()> {
        if self.exclusive && !self.confirm {
            bail!(
                "--exclusive would mark the other outputs as spent although nothing spends them; \
                 leave it out, or add --confirm to add this output and leave the others alone"
            );
        }
        Ok(())
    }

    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        self.check()?;
        let store = open_for_changes(pool.data_dir)?;
        let funding = pool.funding(&store).await?;
        let stated = StatedOutput {
            outpoint: OutPoint::new(self.txid, self.vout),
            value: self.satoshis,
            script: self.script,
            key_identifier: self.key_id,
        };
        let added = funding.add(&stated, pool.surroundings.clock.now()).await;
        store.close();
        let added = added?;
        let output = &pool.surroundings.output;
        if self.exclusive {
            output.talk(
                "--exclusive: the other outputs were left alone; an output is marked as spent \
                 only when a transaction spends it",
            );
        }
        if output.is_json {
            output.json(&output_json(&added))?;
        } else {
            output.line(&output_line(&added))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn parse_satoshis(text: &str) -> Result<Satoshis, String> {
    let value: u64 = text.parse().map_err(|_| "an amount is a whole number".to_owned())?;
    Satoshis::new(value).map_err(|error| error.to_string())
}
