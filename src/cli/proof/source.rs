//! Where bundles come from: a server under its address, or the product on a data directory.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use url::Url;

use crate::cli::desk::{Ask, Place, ask_once};
use crate::cli::{Surroundings, runtime};
use crate::outbound::{Limits, client, exchange};
use crate::patch::tag::UidTag;
use crate::proof::Bundle;

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(60), max_answer_bytes: 64 * 1024 * 1024 };

/// Where to ask.
#[derive(Debug, Args)]
pub(in crate::cli) struct Source {
    /// Address of a server, such as https://proof.example; the server on this machine without it
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    from: Option<Url>,
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl Source {
    /// Returns the address of the certificate of a tag, if a server is named.
    pub(in crate::cli) fn certificate(&self, uid: &UidTag) -> Option<Url> {
        let mut base = self.from.clone()?;
        base.set_query(None);
        base.path_segments_mut().ok()?.pop_if_empty().extend(["certificates", uid.as_str()]);
        Some(base)
    }

    /// Asks for the bundle of a tag.
    pub(in crate::cli) fn fetch(
        self,
        uid: &UidTag,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Bundle> {
        let bytes = runtime()?.block_on(async {
            match self.from {
                Some(base) => from_server(base, uid).await,
                None => {
                    let place = Place::find(self.data_dir, surroundings)?;
                    let url = path_under("http://localhost/".parse()?, uid)?;
                    let answer = ask_once(&place, surroundings, Ask::get(url.path())).await?;
                    Ok(answer.body.to_string().into_bytes())
                }
            }
        })?;
        let bundle = Bundle::parse(&bytes).context("the server gave no proof bundle")?;
        if bundle.uid != *uid {
            bail!("the server gave the proof of another tag, {}", bundle.uid);
        }
        Ok(bundle)
    }
}

async fn from_server(base: Url, uid: &UidTag) -> anyhow::Result<Vec<u8>> {
    let server = base.host_str().unwrap_or("the server").to_owned();
    let client = client(&base, None)?;
    let answer = exchange(client.get(path_under(base, uid)?), LIMITS)
        .await
        .with_context(|| format!("{server} gave no answer"))?;
    if answer.is_success() {
        return Ok(answer.body);
    }
    let problem: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let said = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    let said = said.map(crate::outbound::excerpt).unwrap_or_default();
    bail!("{server} refused with status {}: {said}", answer.status)
}

fn path_under(mut base: Url, uid: &UidTag) -> anyhow::Result<Url> {
    base.set_query(None);
    match base.path_segments_mut() {
        Ok(mut segments) => {
            segments.pop_if_empty().extend(["v1", "patches", uid.as_str(), "proof"]);
        }
        Err(()) => bail!("an address begins with http:// or https://"),
    }
    Ok(base)
}
