//! What the pages are shown.

use crate::world::*;
use ringback_routing::{agent::*, contact::*, event::*, reason::Reason, view::Stage};

#[test]
fn availability_tells_whether_and_until_when() {
    let world = World::new(config(), &[]);
    let found = world.core.availability(MORNING);
    assert!(found.enabled && found.open);
    assert_eq!(found.closes_at, Some(MORNING + secs(7 * 3600)));
    assert_eq!((found.waiting, found.ewt), (0, None));
    let found = world.core.availability(MORNING + secs(8 * 3600));
    assert_eq!((found.open, found.next_open), (false, Some(MORNING + secs(22 * 3600))));
}

#[test]
fn the_customers_page_follows_the_callback() {
    let mut world = World::with_anna();
    let stage = |world: &World, contact| world.core.status_view(world.now, contact).map(|view| view.stage);
    let contact = world.dialling(1);
    let waiting = world.request(2);
    assert_eq!(stage(&world, waiting), Some(Stage::Waiting));
    let leg = world.leg(contact);
    world.ok(Event::LegFailed { leg, result: AttemptResult::NoAnswer, sip_status: Some(480) });
    assert_eq!(stage(&world, contact), Some(Stage::Retrying));
    world.grant(waiting);
    assert_eq!(stage(&world, waiting), Some(Stage::AgentFound));
    world.accept(waiting);
    let leg = world.leg(waiting);
    world.ok(Event::LegAnswered { leg });
    assert_eq!(stage(&world, waiting), Some(Stage::Ringing), "nobody is on the line with the customer yet");
    world.ok(Event::PromptFinished { leg, heard: None });
    assert_eq!(stage(&world, waiting), Some(Stage::Talking));
    world.ok(Event::LegEnded { leg });
    assert_eq!(stage(&world, waiting), Some(Stage::Successful));
    world.pass(secs(60));
    assert_eq!(stage(&world, waiting), None, "over and out of memory");
}

#[test]
fn the_agents_desk_shows_what_is_in_hand() {
    let mut world = World::with_anna();
    let contact = world.offered(1);
    let desk = world.core.agent_view(world.now, &"anna".into()).unwrap();
    assert_eq!((desk.presence, desk.since), (Presence::Offered, world.now));
    assert_eq!(desk.contacts.iter().map(|contact| contact.id).collect::<Vec<_>>(), [contact]);
    world.pass(secs(20));
    let desk = world.core.agent_view(world.now, &"anna".into()).unwrap();
    assert_eq!((desk.presence, desk.reason), (Presence::NotReady, Some("rona".into())));
    assert!(desk.contacts.is_empty());
}

#[test]
fn the_board_shows_the_first_in_line_and_counts_the_rest() {
    let mut world = World::with_anna();
    let talking = world.connected(100);
    let retrying = {
        let contact = world.request(101);
        world.ok(cancelled(contact));
        world.request(102)
    };
    world.pass(secs(30));
    let waiting: Vec<_> = (0..5).map(|number| world.request(number)).collect();
    let board = world.core.board_view(world.now, 3).unwrap();
    let ids: Vec<_> = board.waiting.iter().map(|contact| contact.id).collect();
    assert_eq!(ids, [retrying, waiting[0], waiting[1]]);
    assert_eq!(board.waiting[1].position, Some(2));
    assert_eq!(board.waiting[1].why, Reason::NoAgentReady { signed_in: 1 });
    assert_eq!(board.waiting_total, 6);
    let queue = &board.queues[0];
    assert_eq!((queue.waiting, queue.scheduled, queue.active), (6, 0, 1));
    assert_eq!(queue.longest_wait, Some(secs(30)));
    assert_eq!(board.agents[0].contacts, [talking]);
    assert_eq!(board.agents[0].presence, Presence::Busy);
    let text = serde_json::to_string(&board).unwrap();
    assert!(text.contains("\"waiting_total\":6"));
}
