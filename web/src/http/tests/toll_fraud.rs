//! Nobody makes the centre ring strangers, premium numbers or anything else that is not in its plan: the whole path from
//! the form and the API to a trunk that counts what reaches it.

mod numbers;
pub(super) mod trunk;

use std::time::{Duration, Instant};

use ringback_engine::Engine;
use ringback_routing::{
    agent::{Health, RequestedState},
    config::AgentConfig,
    contact::SegmentState,
    event::Event,
    ids::{AgentId, OfferId, SessionId, TrunkId},
};
use ringback_store::AuditSearch;

use self::trunk::{CountingTrunk, Manner};
use super::*;
use crate::{gate, token::FormTokens};

/// Texts that are typed, and addresses that ask for the victim: the whole measure (`tests/run toll`) takes minutes, so
/// that a part of it is run otherwise.
fn texts_and_addresses() -> (usize, usize) {
    let whole = std::env::var_os("RINGBACK_TOLL_FRAUD").is_some();
    if whole { (100_000, 1_000) } else { (3_000, 40) }
}

/// How long the calls that were taken may be under way at the end.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) const HIGH: &str = "callbacks_per_minute = 10000000
callbacks_per_number_per_hour = 10000000
callbacks_per_address_per_hour = 10000000
callbacks_per_network_per_hour = 10000000
callbacks_per_tenant_per_hour = 10000000
pages_per_minute = 10000000
open_contacts = 200000";

pub(super) fn county(id: &str, callback: &str) -> String {
    format!(
        r#"
[[tenant]]
id = "{id}"
name = "{id}"
timezone = "America/Los_Angeles"
auth = "none"
public_phone = "+19168743100"
callback = {{ enabled = true, {callback} }}
dialling = {{ calls_per_day = 1000000 }}
[[tenant.hours]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "24:00"
"#
    )
}

pub(super) async fn with_trunk(trunk: &CountingTrunk, limits: &str, counties: &[String]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"
[server]
data_dir = "{}"
[sip]
udp = "127.0.0.1:0"
tcp = "127.0.0.1:0"
[media]
webrtc = "127.0.0.1:0"
rtp = "127.0.0.1"
rtp_ports = "31000-31999"
[limits]
{limits}
[[trunk]]
id = "counting"
host = "127.0.0.1"
port = {}
channels = 60
caller_id = "+19165550000"
options_seconds = 0
{}"#,
        folder.path().display(),
        trunk.address.port(),
        counties.concat()
    );
    let config = ServerConfig::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    World::of(folder, config).await
}

/// An agent who can be heard and accepts whatever comes, until the task is dropped.
pub(super) async fn working_agent(engine: Engine, tenant: TenantId, agent: AgentId, key: u128) {
    let session = SessionId::new(format!("tab-of-{agent}"));
    let config = AgentConfig {
        id: agent.clone(),
        name: agent.to_string(),
        queues: vec![ringback_routing::ids::QueueId::new("general")],
        skills: BTreeMap::new(),
        can_reject: true,
        voice_slots: 1,
        chat_slots: 2,
    };
    engine.submit(&tenant, Event::AgentConfigured { agent: config }).await.unwrap();
    engine.pretend_phone(&tenant, &agent, &session, key);
    engine.submit(&tenant, Event::AgentConnected { agent: agent.clone(), session: session.clone() }).await.unwrap();
    let health = Health { tab: true, microphone: true, media: true };
    engine
        .submit(&tenant, Event::AgentHealth { agent: agent.clone(), session: session.clone(), health })
        .await
        .unwrap();
    engine
        .submit(&tenant, Event::AgentStateRequested { agent: agent.clone(), state: RequestedState::Ready })
        .await
        .unwrap();
    let mut turns = engine.watch(&tenant).unwrap();
    loop {
        let view = engine.agent_view(&tenant, &agent).await.unwrap().unwrap();
        let offered = view.contacts.iter().find_map(|contact| {
            let segment = contact.open_segment()?;
            matches!(segment.state, SegmentState::Offered { .. }).then(|| segment.offer)
        });
        if let Some(offer) = offered {
            let offer: OfferId = offer;
            // Withdrawn in the meantime is no fault.
            let _ = engine.submit(&tenant, Event::OfferAccepted { agent: agent.clone(), offer }).await;
            continue;
        }
        if turns.changed().await.is_err() {
            return;
        }
    }
}

fn agents(world: &World, tenants: &[&str], each: u128) -> Vec<tokio::task::JoinHandle<()>> {
    let mut tasks = Vec::new();
    for (place, tenant) in tenants.iter().enumerate() {
        for number in 0..each {
            let agent = AgentId::new(format!("agent-{number}-of-{tenant}"));
            let key = 1 + number + place as u128 * each;
            let engine = world.app.engine.clone();
            tasks.push(tokio::spawn(working_agent(engine, TenantId::new(*tenant), agent, key)));
        }
    }
    tasks
}

/// Waits until nobody is in line any more and every call has ended.
async fn quiet(world: &World, tenants: &[&str], patience: Duration) {
    let until = Instant::now() + patience;
    loop {
        let mut busy = world.app.engine.trunk_usage().iter().map(|(_, _, in_use)| *in_use).sum::<usize>();
        for tenant in tenants {
            let board = world.app.engine.board_view(&TenantId::new(*tenant), 500).await.unwrap().unwrap();
            busy += board.waiting_total as usize;
        }
        if busy == 0 {
            return;
        }
        assert!(Instant::now() < until, "{busy} callbacks are still under way");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn by_api(world: &World, tenant: &str, phone: &str, from: &str) -> StatusCode {
    let body = json!({ "name": "Mallory", "phone": phone });
    let mut request = request(Method::POST, &format!("/api/v1/t/{tenant}/callbacks"), Some(body), &[]);
    request.extensions_mut().insert(peer(from));
    world.send(request).await.status
}

async fn by_form(world: &World, tenant: &str, phone: &str, from: &str) -> StatusCode {
    let token = FormTokens { key: &world.app.installation_key }.issue(tenant, world.app.now()).unwrap();
    let encoded: String = phone.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let body = format!("name=Mallory&phone={encoded}&form_token={token}");
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("/t/{tenant}/call-me"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ORIGIN, ORIGIN)
        .body(Body::from(body))
        .unwrap();
    request.extensions_mut().insert(peer(from));
    world.send(request).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_numbers_of_the_plan_are_ever_dialled() {
    let trunk = CountingTrunk::start(Manner::Busy).await;
    let county = county(OPEN, "max_attempts = 1");
    let world = with_trunk(&trunk, HIGH, &[county]).await;
    let crew = agents(&world, &[OPEN], 4);
    let (count, began) = (texts_and_addresses().0, Instant::now());
    let texts = numbers::texts(count);
    let mut taken = 0;
    for (index, text) in texts.iter().enumerate() {
        let status = match index % 2 {
            0 => by_api(&world, OPEN, text, "198.51.100.1").await,
            _ => by_form(&world, OPEN, text, "198.51.100.1").await,
        };
        assert!(status.as_u16() < 500, "{status} for {text:?}");
        if matches!(status, StatusCode::CREATED | StatusCode::SEE_OTHER) {
            assert!(numbers::may_be_taken(text), "taken: {text:?}");
            taken += 1;
        }
    }
    assert!(taken > count / 50, "only {taken} of {count} were numbers that may be called");
    quiet(&world, &[OPEN], PATIENCE).await;
    let by_the_pages = trunk.invited().len();
    assert!(by_the_pages > 0 && by_the_pages <= taken, "{by_the_pages} calls for {taken} requests");
    // Past the pages: the same texts as numbers to be dialled, as if somebody had written them into the ledger.
    let answer = world.callback("916 555 0100").await;
    let contact = world.contact_of(answer["status_token"].as_str().unwrap()).await;
    for (index, text) in texts.iter().enumerate() {
        let leg = (1 << 100) + index as u128;
        let (tenant, trunk) = (TenantId::new(OPEN), TrunkId::new("counting"));
        world.app.engine.order_call(&tenant, contact, trunk, text.clone(), leg).await;
    }
    quiet(&world, &[OPEN], PATIENCE).await;
    crew.iter().for_each(|agent| agent.abort());
    for call in trunk.invited() {
        assert!(numbers::in_the_plan(&call.number), "dialled: {:?}", call.number);
        assert_eq!(call.strange_headers, Vec::<String>::new(), "{:?}", call.number);
    }
    let refused: u64 = world.app.gate.blocks.of(None).iter().map(|block| block.count).sum();
    assert!(refused >= (count - taken) as u64, "{refused} refusals are counted");
    eprintln!(
        "{count} texts by form and API: {taken} taken, {by_the_pages} calls; again as numbers to be dialled: {} calls; none outside the plan, no foreign header; {} s",
        trunk.invited().len() - by_the_pages,
        began.elapsed().as_secs()
    );
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("ringback_calls_refused_total{stage=\"dial\",why=\"not_in_the_plan\"}"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_victim_is_rung_so_many_times_a_day_whoever_asks_wherever() {
    const RINGS: usize = 6;
    let trunk = CountingTrunk::start(Manner::RingsUnanswered).await;
    let tenants: Vec<String> = (0..20).map(|n| format!("county{n}")).collect();
    let names: Vec<&str> = tenants.iter().map(String::as_str).collect();
    let callback = "max_attempts = 3, no_answer_spacing_seconds = 0, failed_spacing_seconds = 0";
    let counties: Vec<String> = names.iter().map(|name| county(name, callback)).collect();
    let world = with_trunk(&trunk, &format!("{HIGH}\nrings_per_number_per_day = {RINGS}"), &counties).await;
    let (addresses, began) = (texts_and_addresses().1, Instant::now());
    let from = |address: usize| format!("198.{}.{}.7", 18 + address / 250, address % 250);
    // Half of them ask while nobody is there to call, so that every county has the victim in line.
    for address in 0..addresses / 2 {
        for name in &names {
            by_api(&world, name, "(916) 555-0123", &from(address)).await;
        }
    }
    let crew = agents(&world, &names, 1);
    quiet(&world, &names, Duration::from_secs(240)).await;
    assert_eq!(trunk.invited().len(), RINGS, "INVITEs to the one number");
    // The others find the number at rest, wherever they ask.
    for address in addresses / 2..addresses {
        for name in &names {
            let status = by_api(&world, name, "(916) 555-0123", &from(address)).await;
            assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        }
    }
    quiet(&world, &names, Duration::from_secs(60)).await;
    crew.iter().for_each(|agent| agent.abort());
    assert_eq!(trunk.invited().len(), RINGS, "INVITEs to the one number, in the end");
    eprintln!(
        "{addresses} addresses, {} tenants, one victim: {RINGS} rings; {} s",
        names.len(),
        began.elapsed().as_secs()
    );
    let again = world
        .post(&format!("/api/v1/t/{}/callbacks", names[19]), json!({ "name": "Ana", "phone": "916 555 0123" }))
        .await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "number_rested"));
    assert_eq!(again.json()["phone_display"], "(916) 874-3100", "what the customer can do instead");
    assert!(!again.text().contains("county0"), "{}", again.text());
    // Another number is rung as before.
    assert_eq!(by_api(&world, names[0], "(916) 555-0124", "198.51.100.9").await, StatusCode::CREATED);
    gate::audit(&world.app).await;
    let rows = world.app.store.audit_rows(Some(&TenantId::new(names[19])), &AuditSearch::default(), 50).await.unwrap();
    let row = rows.iter().find(|row| row.entry.what == "calls_refused").expect("the operator sees the block");
    assert_eq!(row.entry.detail["why"], "rings_of_the_day");
}
