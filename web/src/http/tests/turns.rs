//! Turns of a core and the ledger: what comes close together shares a transaction.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use ringback_engine::EngineLimits;
use ringback_routing::{event::Event, ids::LegId};
use ringback_store::JournalEntry;

use super::*;

/// Requests one after the other, each after the answer to the last.
const REQUESTS: u32 = 6;
/// No disk takes so long.
const LONG: Duration = Duration::from_millis(120);

fn here() -> TenantId {
    TenantId::new(OPEN)
}

/// Something that a page asks for.
async fn ask(world: &World) {
    let config = (*world.app.engine.config(&here()).await.unwrap()).clone();
    world.app.engine.submit(&here(), Event::TenantConfigured { config: Box::new(config) }).await.unwrap();
}

async fn journal(world: &World) -> Vec<JournalEntry> {
    world.app.store.journal(&here()).await.unwrap()
}

/// A call to a number that nobody has: it is refused, which is something to do.
fn arrival(leg: u128) -> Event {
    let customer = json!({ "name": "Caller", "number": "+19165550123", "number_key": "key", "customer_id": null,
        "verified": false, "language": "", "page": null, "context": {} });
    let call =
        json!({ "leg": LegId(leg).to_string(), "trunk": "carrier", "number": "+19165559999", "customer": customer });
    serde_json::from_value(json!({ "event": "call_arrived", "call": call })).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_keep_a_pace_and_none_is_lost_to_it() {
    let world = World::with_pace(EngineLimits { turn_pace: LONG, ..EngineLimits::default() }).await;
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        ask(&world).await;
    }
    assert!(begun.elapsed() >= LONG * (REQUESTS - 1), "{:?}", begun.elapsed());
    // Many at once do not wait one for the other.
    let before = world.app.store.stats().committed;
    futures_util::future::join_all((0..REQUESTS).map(|_| ask(&world))).await;
    let committed = world.app.store.stats().committed - before;
    assert!(committed < u64::from(REQUESTS), "{committed} transactions for {REQUESTS} events");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_legs_tell_waits_for_company_but_no_page_waits_for_it() {
    let leg_pace = Duration::from_secs(30);
    let world = World::with_pace(EngineLimits { leg_pace, ..EngineLimits::default() }).await;
    let before = journal(&world).await.len();
    for leg in 1..=3 {
        world.app.engine.leg_says(&here(), arrival(leg)).await;
    }
    tokio::time::sleep(LONG).await;
    assert_eq!(journal(&world).await.len(), before, "one turn has just been, the next is not due");
    let begun = Instant::now();
    ask(&world).await;
    assert!(begun.elapsed() < leg_pace / 2);
    let together = journal(&world).await.split_off(before);
    assert_eq!(together.len(), 4);
    assert!(together[0].body.contains("call_arrived") && together[3].body.contains("tenant_configured"));
    let times: BTreeSet<_> = together.iter().map(|entry| entry.at).collect();
    assert_eq!(times.len(), 1, "all in one turn, in the order in which they came");

    let world = World::with_pace(EngineLimits { leg_pace: LONG, ..EngineLimits::default() }).await;
    let before = journal(&world).await.len();
    for leg in 1..=3 {
        world.app.engine.leg_says(&here(), arrival(leg)).await;
    }
    tokio::time::sleep(LONG * 3).await;
    assert_eq!(journal(&world).await.len(), before + 3, "without company they go alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_and_changes_nothing_goes_with_the_next_turn() {
    let world = World::new().await;
    let before = journal(&world).await.len();
    let strange = |leg| Event::LegEnded { leg: LegId(leg) };
    for leg in 1..=3 {
        world.app.engine.leg_says(&here(), strange(leg)).await;
        tokio::time::sleep(LONG / 3).await;
    }
    assert_eq!(journal(&world).await.len(), before, "no transaction for what changed nothing");
    ask(&world).await;
    let written = journal(&world).await.split_off(before);
    let bodies: Vec<_> = written.iter().map(|entry| entry.body.as_str()).collect();
    assert_eq!(bodies.len(), 4);
    assert!(bodies[..3].iter().all(|body| body.contains("leg_ended")) && bodies[3].contains("tenant_configured"));
    assert!(written.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1), "and the journal has no gap");
    // So many of them are a turn after all: nothing grows without bound.
    let limit = EngineLimits::default().events_per_turn as u128;
    for leg in 0..3 * limit {
        world.app.engine.leg_says(&here(), strange(leg)).await;
    }
    tokio::time::sleep(LONG * 3).await;
    assert!(journal(&world).await.len() > before + 4, "they are written in the end");
}
