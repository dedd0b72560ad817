//! `demo`: the whole product in one process with no network: a simulated BSV network, a signer,
//! sample products.
//!
//! Signer and network are started on loopback and reached over HTTP, exactly as `serve` reaches
//! real ones. A second run continues from the data directory.

mod catalogue;
mod owners;
mod product;
mod report;
mod secrets;
mod seed;
mod settings;
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::cli::stop_signal;
use crate::service::batches::Route;
use world::World;
pub(super) use world::write_private;

/// Run the whole product offline in one process, with sample products
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Where the API listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:3001")]
    listen: SocketAddr,
    /// Keep the data here and continue from it next time; a temporary directory if not given
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Seconds between two blocks of the simulated network
    #[arg(long, default_value_t = 10)]
    mine_every_secs: u64,
    /// Anchor registrations in batches, many to a transaction, as ANCHOR_MODE=batch does
    #[arg(long)]
    batch: bool,
    /// Start without sample products
    #[arg(long)]
    empty: bool,
    /// Stop by itself once the sample products are anchored
    #[arg(long)]
    exit_when_ready: bool,
}

impl DemoArgs {
    /// Runs until interrupted.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (directory, temporary) = self.directory()?;
        let route = if self.batch { Route::Batch } else { Route::Direct };
        let mut world = World::start(&directory, self.listen, self.mine_every_secs, route)
            .await
            .context("the demo could not start")?;
        world.write_description().context("demo.json could not be written")?;
        report::started(&world);
        let mut stop = Box::pin(stop_signal());
        let seeded = async {
            if !self.empty {
                seed::register_catalogue(&world).await.context("sample products")?;
            }
            report::what_to_try(&world).await
        };
        tokio::select! {
            outcome = seeded => outcome?,
            () = &mut stop => return world.stop(temporary).await,
        }
        if !self.exit_when_ready {
            tokio::select! {
                () = stop => {}
                renewed = world.renew() => renewed.context("the demo could not begin anew")?,
            }
        }
        world.stop(temporary).await
    }

    /// Returns where the data goes, and whether to remove it in the end.
    fn directory(&self) -> anyhow::Result<(PathBuf, Option<PathBuf>)> {
        if let Some(directory) = &self.data_dir {
            return Ok((directory.clone(), None));
        }
        let name = format!("patchproof-demo-{}", hex::encode(crate::crypto::random_bytes::<6>()));
        let directory = std::env::temp_dir().join(name);
        Ok((directory.clone(), Some(directory)))
    }
}
