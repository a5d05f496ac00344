//! Turns of a core and the ledger: what comes close together shares a transaction.

use std::time::Instant;

use ringback_engine::EngineLimits;
use ringback_routing::event::Event;

use super::*;

/// Requests one after the other, each after the answer to the last.
const REQUESTS: u32 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_keep_a_pace_and_none_is_lost_to_it() {
    let world = World::new().await;
    let (engine, here) = (&world.app.engine, TenantId::new(OPEN));
    let config = (*engine.config(&here).await.unwrap()).clone();
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        engine.submit(&here, Event::TenantConfigured { config: Box::new(config.clone()) }).await.unwrap();
    }
    let pace = EngineLimits::default().turn_pace;
    assert!(begun.elapsed() >= pace * (REQUESTS - 1), "{:?}", begun.elapsed());
    // Many at once do not wait one for the other.
    let before = world.app.store.stats().committed;
    let many: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let (engine, here, config) = (engine.clone(), here.clone(), config.clone());
            tokio::spawn(
                async move { engine.submit(&here, Event::TenantConfigured { config: Box::new(config) }).await },
            )
        })
        .collect();
    for answer in many {
        answer.await.unwrap().unwrap();
    }
    let committed = world.app.store.stats().committed - before;
    assert!(committed < u64::from(REQUESTS), "{committed} transactions for {REQUESTS} events");
}
