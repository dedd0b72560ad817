//! `verify` beside a bare axum server that answers with a body of the same size.

use std::process::Command;
use std::time::Duration;

use crate::processes::{Process, World, get};
use crate::{Figure, load, median};

const ROUNDS: usize = 5;
const SECONDS: u32 = 4;

/// Measures both in turn, A B A B.
pub(crate) fn measure() -> Vec<Figure> {
    let world = World::start("3600s");
    world.fund(20);
    let server = world.serve();
    let health = get(&server.address, "/v1/admin/utxo-health");
    let owner = health["funding"]["address"].as_str().unwrap().to_owned();
    load::register(&server.address, &owner, "BENCH", 1, Duration::from_millis(300), Some(50.0));
    let path = "/v1/patches/verify/BENCH-0000003";
    let body = serde_json::to_vec(&get(&server.address, path)).unwrap();
    let file = world.data().join("body.json");
    std::fs::write(&file, &body).unwrap();
    let bare =
        Process::start(Command::new(std::env::current_exe().unwrap()).arg("bare-axum").arg(&file));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(load::wrk(&format!("http://{}{path}", server.address), SECONDS));
        theirs.push(load::wrk(&format!("http://{}/", bare.address), SECONDS));
    }
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    vec![Figure {
        name: format!("verify, {} byte answers, 64 connections", body.len()),
        value: format!("{:.0} requests/s", median(ours)),
        beside: format!("bare axum {:.0} requests/s", median(theirs)),
        ratio: Some(median(ratios)),
    }]
}
