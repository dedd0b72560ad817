//! Lists of products over 100,000 of them: the first page, a page far in, a search that finds little,
//! and an export of everything.

use std::time::Instant;

use crate::processes::{World, get, get_text, post};
use crate::{Figure, store};

const PRODUCTS: u32 = 100_000;
const ROUNDS: usize = 200;
/// The bound that operators were promised for a page, in milliseconds.
const PROMISED_MS: f64 = 100.0;

/// Measures pages as a client sees them.
pub(crate) fn measure() -> Vec<Figure> {
    let world = World::start("3600s");
    post(&world.simnet.address, "/sim/mine", "{}");
    let block = get(&world.simnet.address, "/v1/bsv/test/block/1/header");
    let block = block["hash"].as_str().unwrap().parse().unwrap();
    // Binds the store to its keys first.
    drop(world.serve());
    store::fill(&world.data(), PRODUCTS, block);
    let server = world.serve();
    let path = "/v1/admin/patches";
    let deep = (0..20).fold(String::new(), |cursor, _| {
        let page = get(&server.address, &format!("{path}?limit=200&sort=-created{cursor}"));
        format!("&cursor={}", page["nextCursor"].as_str().unwrap())
    });
    let mut table = Vec::new();
    for (name, query) in [
        ("first page of 50", String::new()),
        ("first page of 50, newest first", "?sort=-created".to_owned()),
        ("page 21 of 200, newest first", format!("?limit=200&sort=-created{deep}")),
        ("one step of a search that finds nothing", "?search=nothing-like-it".to_owned()),
        ("one step of a status that no record has", "?status=failed".to_owned()),
    ] {
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                let _ = get(&server.address, &format!("{path}{query}"));
                begun.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let (p50, p95) = (times[ROUNDS / 2], times[ROUNDS * 95 / 100]);
        table.push(Figure {
            name: format!("{name}, of {PRODUCTS} products"),
            value: format!("p50 {p50:.1} ms, p95 {p95:.1} ms"),
            beside: format!("{PROMISED_MS:.0} ms"),
            ratio: Some(p95 / PROMISED_MS),
        });
    }
    let (begun, before) = (Instant::now(), server.resident_kib());
    let text = get_text(&server.address, &format!("{path}/export?format=jsonl"));
    let seconds = begun.elapsed().as_secs_f64();
    assert!(text.contains(&format!("{{\"complete\":true,\"rows\":{PRODUCTS}}}")));
    let grown = server.resident_kib().saturating_sub(before);
    table.push(Figure {
        name: format!("export of {PRODUCTS} products"),
        value: format!("{:.0} products/s", f64::from(PRODUCTS) / seconds),
        beside: format!("the server grew by {grown} KiB, the file has {} KiB", text.len() / 1024),
        ratio: None,
    });
    table
}
