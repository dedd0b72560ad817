//! `patchproof utxo add`: one output, checked against the chain.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::EXIT_USAGE;
use crate::cli::desk::{Ask, Refusal, ask_once};
use crate::cli::utxo::Pool;
use crate::cli::utxo::maintain::word;
use crate::types::Txid;

const PATH: &str = "/v1/admin/utxos";
const CONFLICT: u16 = 409;

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
    #[arg(long)]
    satoshis: Option<u64>,
    /// The signer's name for its key, to be compared
    #[arg(long = "keyId", alias = "key-id", value_name = "NAME")]
    key_id: Option<String>,
    /// Its locking script in hexadecimal, to be compared with the chain
    #[arg(long, value_name = "HEX")]
    script: Option<String>,
    /// Add it only if no other output can be spent; needs --confirm
    ///
    /// The predecessor marked every other available output as spent, and lost track of money that
    /// nothing had spent. Here an output is spent by a transaction and by nothing else: while there
    /// are others that can be spent, the output is refused with exit status 2. Bring the others
    /// together with `utxo sweep` to have a single one.
    #[arg(long, requires = "confirm")]
    exclusive: bool,
    /// Confirm --exclusive
    #[arg(long)]
    confirm: bool,
}

impl AddArguments {
    fn body(&self) -> Value {
        let mut body = Map::from_iter([
            ("txid".to_owned(), json!(self.txid)),
            ("vout".to_owned(), json!(self.vout)),
            ("exclusive".to_owned(), json!(self.exclusive)),
            ("confirm".to_owned(), json!(self.confirm)),
        ]);
        body.extend(self.satoshis.map(|satoshis| ("satoshis".to_owned(), json!(satoshis))));
        body.extend(self.key_id.as_ref().map(|name| ("keyId".to_owned(), json!(name))));
        body.extend(self.script.as_ref().map(|script| ("script".to_owned(), json!(script))));
        Value::Object(body)
    }

    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let output = &pool.surroundings.output;
        let request = Ask::post(PATH, self.body());
        let added = match ask_once(pool.place, pool.surroundings, request).await {
            Ok(answer) => answer.body,
            Err(error) if self.exclusive && is_conflict(&error) => {
                output.talk(&format!("error: {error}"));
                output.talk(
                    "--exclusive once marked the others as spent, which would have hidden money \
                     that is still there; leave it out to add this output beside them, or bring \
                     them together with utxo sweep first",
                );
                return Ok(ExitCode::from(EXIT_USAGE));
            }
            Err(error) => return Err(error),
        };
        if output.is_json {
            output.json(&added)?;
        } else {
            let word = |name: &str| word(&added[name]).unwrap_or_else(|| "-".to_owned());
            let outpoint = format!("{}:{}", word("txid"), word("vout"));
            let line =
                vec![word("status"), word("satoshis"), word("height"), outpoint, word("keyId")];
            output.table(&["STATUS", "SATOSHIS", "HEIGHT", "OUTPUT", "KEY"], &[line])?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn is_conflict(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == CONFLICT)
}
