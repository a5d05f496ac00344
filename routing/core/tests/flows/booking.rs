//! The gate before a long line, times customers choose, the callback window, and what closing does to those who wait.

use crate::world::*;
use ringback_routing::{agent::*, config::*, contact::*, event::*, output::*, reason::*, time::*};

const MINUTE: i64 = 60;

fn at(minutes: i64) -> Timestamp {
    MORNING + secs(minutes * MINUTE)
}

fn with_slots(capacity: u32) -> TenantConfig {
    let mut config = config();
    config.callback.slots =
        Some(Slots { length: secs(15 * MINUTE), capacity, lead: secs(30 * MINUTE), ahead: secs(2 * 86_400) });
    config
}

fn planned(number: u32, slot: Timestamp) -> Event {
    let Event::CallbackRequested { mut request } = requested(number) else { unreachable!() };
    request.slot = Some(slot);
    Event::CallbackRequested { request }
}

/// A core that knows of three handling times of 150 seconds, with its one agent talking and one contact in line.
fn long_line(then: OverLimit, check_at: CheckAt) -> World {
    let mut config = with_slots(1);
    config.callback.gate = Some(Gate { longest_wait: secs(200), check_at, then });
    let mut world = World::new(config, &[agent("anna")]);
    world.ready("anna");
    for number in 0..3 {
        let contact = world.connected(number);
        world.pass(secs(90));
        world.ok(Event::LegEnded { leg: world.leg(contact) });
        world.pass(secs(60));
    }
    world.connected(10);
    world.request(11);
    world
}

fn accepting(number: u32) -> Event {
    let Event::CallbackRequested { mut request } = requested(number) else { unreachable!() };
    request.accept_wait = true;
    Event::CallbackRequested { request }
}

#[test]
fn over_the_limit_each_setting_does_its_own() {
    for then in [OverLimit::Hide, OverLimit::Disable, OverLimit::Schedule, OverLimit::Notify] {
        let mut world = long_line(then, CheckAt::Both);
        let shown = world.core.availability(world.now).subjects;
        let gate = shown[0].gate.expect("two waits of 150 seconds are above 200");
        assert_eq!((gate.then, gate.limit), (then, secs(200)));
        assert!(gate.expected > gate.limit && shown[0].ewt == Some(gate.expected), "the reason is the honest number");
        let refused = world.take(requested(12));
        assert!(matches!(refused, Err(Rejection::TooLong { then: found, .. }) if found == then), "{refused:?}");
        let all_the_same = world.take(accepting(12)).is_ok();
        assert_eq!(all_the_same, then == OverLimit::Notify, "{then:?}");
        let slot = world.core.slots(world.now)[0].at;
        assert!(matches!(world.ok(planned(13, slot)), Receipt::CallbackScheduled { due, .. } if due == slot));
    }
}

#[test]
fn the_gate_is_looked_at_when_the_tenant_says() {
    let mut world = long_line(OverLimit::Disable, CheckAt::Render);
    assert!(world.core.availability(world.now).subjects[0].gate.is_some());
    world.ok(requested(12));
    let mut world = long_line(OverLimit::Disable, CheckAt::Submit);
    assert_eq!(world.core.availability(world.now).subjects[0].gate, None);
    assert!(world.take(requested(12)).is_err());
    // Nobody there: the wait is not known, and what is not known is not too long.
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state: RequestedState::Offline });
    let leg = world.rows.values().find_map(Contact::live_leg).expect("a call");
    world.ok(Event::LegEnded { leg });
    world.pass(secs(60));
    assert_eq!(world.core.availability(world.now).ewt, None);
    world.ok(requested(12));
}

#[test]
fn slots_lie_in_the_window_and_hold_so_many() {
    let mut config = with_slots(2);
    let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let day = |day| OpenInterval { day, from: time(9), to: time(12) };
    config.callback.window = [chrono::Weekday::Tue, chrono::Weekday::Wed].map(day).to_vec();
    let mut world = World::new(config, &[]);
    // Tuesday 10:00: half an hour ahead, to 12:00; Wednesday 9:00 to 12:00.
    let slots = world.core.slots(world.now);
    let times: Vec<_> = slots.iter().map(|slot| slot.at).collect();
    let expected: Vec<_> =
        (2..8).map(|quarter| at(quarter * 15)).chain((0..12).map(|q| at(23 * 60 + q * 15))).collect();
    assert_eq!(times, expected);
    assert!(slots.iter().all(|slot| slot.free == 2));
    world.ok(planned(1, at(30)));
    assert_eq!(world.core.slots(world.now)[0].free, 1);
    world.ok(planned(2, at(30)));
    assert_eq!(world.core.slots(world.now)[0].at, at(45), "full ones are not shown");
    assert_eq!(world.take(planned(3, at(30))), Err(Rejection::SlotFull));
    for bad in [at(15), at(31), at(120), at(3 * 24 * 60), at(8 * 60)] {
        assert_eq!(world.take(planned(3, bad)), Err(Rejection::NoSuchSlot), "{bad:?}");
    }
    world.restart();
    assert_eq!(world.take(planned(3, at(30))), Err(Rejection::SlotFull), "bookings are the contacts themselves");
}

#[test]
fn a_chosen_time_is_kept_changed_and_taken_back() {
    let mut world = World::new(with_slots(1), &[]);
    let Receipt::CallbackScheduled { contact, due } = world.ok(planned(1, at(60))) else { panic!() };
    assert_eq!((due, world.row(contact).reason.clone()), (at(60), Reason::ChosenTime));
    assert_eq!(world.ok(planned(1, at(45))), Receipt::CallbackExists { contact }, "one request per number");
    let later = world.request(2);
    let choose = |contact, slot| Event::CallbackTimeChosen { contact, slot };
    assert_eq!(world.take(choose(later, Some(at(60)))), Err(Rejection::SlotFull));
    assert_eq!(world.row(later).state, ContactState::Queued { since: MORNING }, "nothing changed");
    world.ok(choose(contact, Some(at(90))));
    world.ok(choose(later, Some(at(60))));
    assert_eq!((world.due(contact), world.due(later)), (Some(at(90)), Some(at(60))));
    world.ok(choose(later, None));
    assert!(world.is_queued(later), "as soon as possible after all");
    world.pass(secs(90 * MINUTE));
    assert!(world.is_queued(contact), "its time has come");
    let view = world.core.status_view(world.now, contact).unwrap();
    assert_eq!((view.position, world.row(contact).requested_at), (Some(1), MORNING), "by the original request");
}

#[test]
fn outside_the_window_nobody_is_called() {
    let mut config = config();
    let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let day = |day| OpenInterval { day, from: time(11), to: time(12) };
    config.callback.window = [chrono::Weekday::Tue, chrono::Weekday::Wed].map(day).to_vec();
    let mut world = World::new(config, &[agent("anna")]);
    world.ready("anna");
    let shown = world.core.availability(world.now);
    assert_eq!((shown.open, shown.next_open), (false, Some(at(60))));
    let Event::CallbackRequested { mut request } = requested(1) else { unreachable!() };
    request.when_open = true;
    let Receipt::CallbackScheduled { contact, due } = world.ok(Event::CallbackRequested { request }) else { panic!() };
    assert_eq!(due, at(60));
    world.pass(secs(119 * MINUTE));
    world.grant(contact);
    world.accept(contact);
    let leg = world.leg(contact);
    world.ok(Event::LegFailed { leg, result: AttemptResult::Busy, sip_status: Some(486) });
    assert_eq!(world.due(contact), Some(at(25 * 60)), "two minutes later is past the window: tomorrow's");
}

#[test]
fn closing_keeps_reschedules_or_tells() {
    for then in [Waiting::Keep, Waiting::Reschedule, Waiting::Tell] {
        let mut config = with_slots(4);
        config.hours.at_closing.closure = then;
        let mut world = World::new(config, &[agent("anna")]);
        let waiting = world.request(1);
        world.request(2);
        world.ready("anna");
        let Receipt::CallbackScheduled { contact: later, .. } = world.ok(planned(3, at(60))) else { panic!() };
        let closure = Closure { since: world.now, until: Some(at(120)), message: "Flood".into() };
        let preview = world.core.closure_preview(&closure);
        assert_eq!((preview.waiting, preview.planned, preview.under_way, preview.then), (2, 1, 0, then));
        assert_eq!(preview.next_open, Some(at(120)));
        world.ok(Event::ClosureDeclared { closure });
        match then {
            Waiting::Keep => {
                assert!(world.is_queued(waiting));
                world.grant(waiting);
                assert!(matches!(world.segment(waiting).state, SegmentState::Offered { .. }), "still served");
            }
            Waiting::Reschedule => assert_eq!(world.due(waiting), Some(at(120))),
            Waiting::Tell => {
                assert_eq!(world.outcome(waiting), Some(Outcome::Unsuccessful));
                let flood = ClosedReason::Closure { message: "Flood".into() };
                let told = |reason: &Reason| matches!(reason, Reason::Closed { closed, .. } if **closed == flood);
                assert!(told(&world.row(waiting).reason), "the page can say why");
                assert!(world.did(|deed| matches!(deed, Deed::NotifyCustomer { .. })));
            }
        }
        world.pass(secs(60 * MINUTE));
        match then {
            Waiting::Tell => assert_eq!(world.outcome(later), Some(Outcome::Unsuccessful)),
            _ => assert_eq!(world.due(later), Some(at(120)), "{then:?}: nobody is called from a closed office"),
        }
    }
}

#[test]
fn customer_first_reserves_dials_announces_and_connects() {
    let mut config = config();
    config.callback.entry_mode = EntryMode::CallbackCustomerFirst;
    let mut world = World::new(config, &[agent("anna")]);
    let contact = world.request(1);
    assert!(world.deeds.is_empty(), "nobody is dialled without an agent");
    world.ready("anna");
    assert!(world.did(|deed| matches!(deed, Deed::ReserveChannel { .. })), "nor without a channel");
    world.grant(contact);
    assert!(world.did(|deed| matches!(deed, Deed::PlaceLeg { .. })), "dialled at once");
    assert!(!world.did(|deed| matches!(deed, Deed::PresentOffer { .. })), "the agent is not asked");
    assert!(matches!(world.segment(contact).state, SegmentState::Connecting { .. }));
    assert_eq!(world.presence("anna"), Presence::Busy, "and not free for anybody else");
    let leg = world.leg(contact);
    world.ok(Event::LegAnswered { leg });
    assert!(world.did(|deed| matches!(deed, Deed::PlayPrompt { prompt: PromptName::Announcement, .. })));
    world.ok(Event::PromptFinished { leg, heard: None });
    assert!(world.did(|deed| matches!(deed, Deed::Bridge { .. })));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
}

#[test]
fn one_queue_may_have_its_customers_dialled_first() {
    let mut config = config();
    let mut own = config.policy.of_queue();
    own.entry_mode = Some(EntryMode::CallbackCustomerFirst);
    config.queue_policies.insert("general".into(), own);
    let mut world = World::new(config, &[agent("anna")]);
    let contact = world.request(1);
    world.ready("anna");
    world.grant(contact);
    assert!(world.did(|deed| matches!(deed, Deed::PlaceLeg { .. })), "dialled at once");
    assert!(!world.did(|deed| matches!(deed, Deed::PresentOffer { .. })), "the agent is not asked");
}

#[test]
fn customer_first_the_agent_lost_while_it_rings_takes_the_call_back() {
    let mut config = config();
    config.callback.entry_mode = EntryMode::CallbackCustomerFirst;
    let mut world = World::new(config, &[agent("anna"), agent("bert")]);
    world.ready("anna");
    let contact = world.request(1);
    world.grant(contact);
    let leg = world.leg(contact);
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    assert!(world.did(|deed| *deed == Deed::ReleaseLeg { leg }), "nobody picks up for nobody");
    assert!(world.is_queued(contact));
    world.ready("bert");
    world.grant(contact);
    assert_eq!(world.segment(contact).agent, "bert".into());
    world.ok(Event::LegFailed { leg: world.leg(contact), result: AttemptResult::Busy, sip_status: Some(486) });
    assert_eq!(world.presence("bert"), Presence::Ready, "free again without wrap-up");
    assert!(world.due(contact).is_some(), "and the next try is planned");
}
