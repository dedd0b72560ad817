//! The states of the pool's outputs against a provider that says anything: stale lists, empty lists,
//! pages of HTML, wrong amounts, spenders that are none, transactions that are others, pages that
//! are missing. Real store, real services, a network that validates; only the provider lies.
//!
//! No output that is leased or spent may ever become available again while what spends it may live,
//! and none may be taken for spent that nobody spends.

#[cfg(test)]
mod liar;
#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use crate::world::World;

    const SEEDS: u64 = 16;
    const STEPS: usize = 250;

    #[tokio::test]
    async fn no_answer_of_a_provider_frees_what_is_leased_or_spent() {
        let mut moved = 0;
        for seed in 0..SEEDS {
            let mut world = World::new(seed).await;
            for _ in 0..STEPS {
                world.step().await;
            }
            moved += world.moves;
            world.end().await;
        }
        assert!(moved > 300, "only {moved} outputs changed their state: nothing was tested");
    }
}
