//! What the network does to those who ask it, and how much of it struck.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::processes::World;

/// Faults and how many of a thousand requests each strikes: 200 in all.
const FAULTS: [(&str, u16); 6] = [
    (r#"{"kind":"drop_request"}"#, 40),
    (r#"{"kind":"lose_answer"}"#, 40),
    (r#"{"kind":"delay","delay_ms":120}"#, 40),
    (r#"{"kind":"unavailable"}"#, 30),
    (r#"{"kind":"rate_limited","retry_after_secs":1}"#, 10),
    (
        r#"{"kind":"refuse","status":400,"body":"unexpected response code 500: 66: mempool full"}"#,
        40,
    ),
];

/// WhatsOnChain's and ARC's: each has a menu of its own.
const FACES: [&str; 2] = ["", "?face=arc"];

/// Bad weather, until it is ended.
pub(crate) struct Weather {
    stop: oneshot::Sender<()>,
    reorganiser: JoinHandle<u64>,
}

/// What struck.
pub(crate) struct Struck {
    faults: u64,
    reorganisations: u64,
}

impl Weather {
    /// Sets the faults up and takes one to three blocks back every `period`.
    pub(crate) async fn begin(world: &World, period: Duration) -> Self {
        // There must be blocks to take back, however early that is.
        world.post(&format!("{}/sim/mine", world.chain()), &json!({ "blocks": 12 })).await;
        for (fault, per_mille) in FAULTS {
            let fault: Value = serde_json::from_str(fault).unwrap();
            let rule = json!({ "fault": fault, "occurrence": { "per_mille": per_mille } });
            for face in FACES {
                world.post(&format!("{}/sim/faults{face}", world.chain()), &rule).await;
            }
        }
        let (stop, mut stopped) = oneshot::channel();
        let (client, url) = (world.client.clone(), format!("{}/sim/reorg", world.chain()));
        let reorganiser = tokio::spawn(async move {
            let mut count = 0u64;
            loop {
                tokio::select! {
                    _ = &mut stopped => return count,
                    () = tokio::time::sleep(period) => {}
                }
                // Sometimes what comes back waits in the mempool, sometimes it is mined at once.
                take_back(&client, &url, 1 + count % 3, count.is_multiple_of(2)).await;
                count += 1;
            }
        });
        Self { stop, reorganiser }
    }

    /// Takes three blocks back now, whatever the time.
    pub(crate) async fn strike(&self, world: &World) {
        take_back(&world.client, &format!("{}/sim/reorg", world.chain()), 3, false).await;
    }

    /// Clears the sky and tells what struck; call [`Weather::strike`] once before.
    pub(crate) async fn end(self, world: &World) -> Struck {
        let _reorganiser_listens = self.stop.send(());
        let reorganisations = self.reorganiser.await.unwrap();
        let info = world.get(&format!("{}/sim/info", world.chain())).await;
        for face in FACES {
            let url = format!("{}/sim/faults{face}", world.chain());
            let cleared = world.client.delete(url).send().await;
            assert!(cleared.unwrap().status().is_success());
        }
        let faults = info["totals"]["faultsStruck"].as_u64().unwrap();
        Struck { faults, reorganisations: reorganisations + 1 }
    }
}

async fn take_back(client: &reqwest::Client, url: &str, depth: u64, refill: bool) {
    let plan = json!({ "depth": depth, "refill": refill });
    let answer = client.post(url).json(&plan).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

impl Struck {
    /// A test in good weather proves nothing.
    pub(crate) fn assert_it_stormed(&self) {
        assert!(self.faults > 20, "{self}");
    }
}

impl fmt::Display for Struck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} faults, {} reorganisations", self.faults, self.reorganisations)
    }
}
