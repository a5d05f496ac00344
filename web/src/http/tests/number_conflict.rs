//! A number that another process rings: the ledger refuses the call, and the core that is made anew forgets nobody.

use std::time::{Duration, Instant};

use ringback_routing::{
    agent::Presence,
    contact::{Attempt, AttemptResult, AttemptState, Contact, ContactState},
    event::Event,
    ids::{AgentId, AttemptId, ContactId, LegId, SegmentId, TrunkId},
    output::Change,
    time::{Millis, Timestamp},
};
use ringback_store::TurnWrite;

use super::{
    toll_fraud::{
        HIGH, county,
        trunk::{CountingTrunk, Manner},
        with_trunk, working_agent,
    },
    *,
};

const AGENT: &str = "agent-of-today";

/// As another process has it in the ledger: the number in a dialog that is being set up.
fn rung_elsewhere(ours: &Contact, now: Timestamp) -> Contact {
    let attempt = Attempt {
        id: AttemptId(7),
        ordinal: 1,
        leg: LegId(7),
        trunk: TrunkId::new("counting"),
        segment: Some(SegmentId(7)),
        state: AttemptState::Dialling,
        dialled_at: now,
        ringing_at: None,
        answered_at: None,
        bridged_at: None,
        ended_at: None,
        announcement: None,
        position_when_dialled: 1,
        ewt_when_dialled: None,
    };
    let state = ContactState::Active { since: now };
    let status_token_digest = None;
    Contact { id: ContactId(7), attempts: vec![attempt], state, status_token_digest, ..ours.clone() }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < patience, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_another_process_rings_costs_nobody_the_desk() {
    let trunk = CountingTrunk::start(Manner::Busy).await;
    let world = with_trunk(&trunk, HIGH, &[county(OPEN, "max_attempts = 1, guard_seconds = 2")]).await;
    let (engine, store, here) = (&world.app.engine, &world.app.store, TenantId::new(OPEN));
    let first = world.callback("916 555 0100").await;
    let first = world.contact_of(first["status_token"].as_str().unwrap()).await;
    let ours = store.contact(&here, first).await.unwrap().unwrap();
    let (elsewhere, mut seq) = (TenantId::new("elsewhere"), 0);
    let epoch = store.acquire_lease(&elsewhere, "another-node", world.app.now()).await.unwrap();
    let mut theirs = rung_elsewhere(&ours, world.app.now());
    let mut save = async |contact: &Contact| {
        seq += 1;
        let changes = vec![Change::ContactSaved { contact: Box::new(contact.clone()) }];
        store.commit(TurnWrite { tenant: elsewhere.clone(), epoch, journal: vec![], changes }).await.unwrap();
    };
    save(&theirs).await;
    // What was set since the server started.
    let mut config = (*engine.config(&here).await.unwrap()).clone();
    config.policy.wrap_up_timeout = Millis::from_secs(77);
    engine.submit(&here, Event::TenantConfigured { config: Box::new(config) }).await.unwrap();
    let agent = AgentId::new(AGENT);
    let crew = tokio::spawn(working_agent(engine.clone(), here.clone(), agent.clone(), 1));
    until("the ledger refuses the call", async || engine.refused_turns() > 0).await;
    // Another customer is called by the same agent, who did nothing for it.
    let path = format!("/api/v1/t/{OPEN}/callbacks");
    until("requests are taken again", async || {
        let body = json!({ "name": "Ana Núñez", "phone": "916 555 0101" });
        world.post(&path, body).await.status == StatusCode::CREATED
    })
    .await;
    until("the next customer is called", async || {
        trunk.invited().iter().any(|call| call.number.ends_with("9165550101"))
    })
    .await;
    assert_eq!(engine.config(&here).await.unwrap().policy.wrap_up_timeout, Millis::from_secs(77));
    until("the agent is free again", async || {
        let view = engine.agent_view(&here, &agent).await.unwrap().unwrap();
        view.presence == Presence::Ready
    })
    .await;
    assert!(!trunk.invited().iter().any(|call| call.number.ends_with("9165550100")), "rung by two at once");
    // The other process hangs up; the customer is called in turn.
    if let Some(attempt) = theirs.attempts.first_mut() {
        attempt.state = AttemptState::Ended { result: AttemptResult::NoAnswer };
    }
    save(&theirs).await;
    until("the first customer is called", async || {
        trunk.invited().iter().any(|call| call.number.ends_with("9165550100"))
    })
    .await;
    crew.abort();
}
