//! `patchproof utxo list`: what is in the pool.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::store::ReadStore;
use crate::cli::utxo::{Pool, output_json};
use crate::storage::utxos::list_utxos;
use crate::wallet::utxo::{Utxo, UtxoStatus};

/// List the outputs of the pool, by status and amount
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only those in this state
    #[arg(long)]
    status: Option<StatusName>,
    /// The most of each state
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StatusName {
    /// Not yet deep enough to be spent
    Unconfirmed,
    /// Free to be spent
    Available,
    /// Held by a record that is on its way
    Locked,
    /// Spent by a transaction that the network has
    Spent,
}

impl From<StatusName> for UtxoStatus {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::Unconfirmed => Self::Unconfirmed,
            StatusName::Available => Self::Available,
            StatusName::Locked => Self::Locked,
            StatusName::Spent => Self::Spent,
        }
    }
}

impl ListArguments {
    pub(super) fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let wanted = match self.status {
            Some(name) => vec![name.into()],
            None => UtxoStatus::ALL.to_vec(),
        };
        let found: Vec<Utxo> = ReadStore::open(&pool.place.data_dir)?.read(|tx| {
            let mut found = Vec::new();
            for status in wanted {
                found.extend(list_utxos(tx, status, self.limit)?);
            }
            Ok(found)
        })?;
        let output = &pool.surroundings.output;
        if output.is_json {
            let items: Vec<_> = found.iter().map(output_json).collect();
            output.json(&items)?;
            return Ok(ExitCode::SUCCESS);
        }
        let lines: Vec<_> = found.iter().map(output_cells).collect();
        output.table(&["STATUS", "SATOSHIS", "HEIGHT", "OUTPUT", "KEY"], &lines)?;
        output.talk(&format!("{} outputs", found.len()));
        Ok(ExitCode::SUCCESS)
    }
}

fn output_cells(utxo: &Utxo) -> Vec<String> {
    vec![
        utxo.state.status().as_str().to_owned(),
        utxo.value.get().to_string(),
        utxo.height.map_or("-".to_owned(), |height| height.to_string()),
        utxo.outpoint.to_string(),
        utxo.key_identifier.clone(),
    ]
}
