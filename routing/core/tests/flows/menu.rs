//! What callers press: the menu before the line, and the key that turns the call into a callback.

use crate::world::*;
use ringback_routing::{config::*, contact::*, event::*, ids::ContactId, output::*, time::Millis};

fn with_menu() -> TenantConfig {
    let mut config = config();
    config.queues.push(QueueConfig { id: "claims".into(), name: "Claims".into() });
    config.subjects.push(SubjectConfig {
        id: "claim".into(),
        name: "Claim".into(),
        queue: "claims".into(),
        targets: vec![],
        priorities: Priorities { initial: 2, overflow: 2, rona: 1 },
        overflow: None,
    });
    let choice = |digit, subject: Option<&str>, language: Option<&str>| Choice {
        digit,
        subject: subject.map(Into::into),
        language: language.map(Into::into),
    };
    let choices =
        vec![choice('1', Some("benefits"), None), choice('2', Some("claim"), None), choice('9', None, Some("en"))];
    config.inbound.numbers[0].menu = Some(Menu { choices, timeout: secs(6), tries: 3 });
    config
}

fn press(world: &mut World, contact: ContactId, digit: char) {
    world.ok(Event::DtmfReceived { leg: world.leg(contact), digit });
}

fn said(world: &World) -> Vec<PromptName> {
    let words = world.deeds.iter().find_map(|deed| match deed {
        Deed::PlayWords { words, .. } => Some(words.clone()),
        _ => None,
    });
    words.unwrap_or_default()
}

#[test]
fn a_key_leads_into_its_subjects_line() {
    let mut world = World::new(with_menu(), &[]);
    let contact = world.called(1);
    assert_eq!(said(&world), [PromptName::Menu]);
    assert!(!world.is_queued(contact));
    press(&mut world, contact, '2');
    assert!(world.is_queued(contact));
    let row = world.row(contact);
    assert_eq!((row.subject.as_str(), row.queue.as_str(), row.priority), ("claim", "claims", 2));
    assert!(world.had(contact, |fact| matches!(fact, Fact::Chosen { digit: '2', .. })));
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::HoldMusic, .. });
}

#[test]
fn another_language_tells_the_choices_again_and_costs_no_try() {
    let mut world = World::new(with_menu(), &[]);
    let contact = world.called(1);
    for _ in 0..5 {
        press(&mut world, contact, '9');
        let english = |deed: &Deed| matches!(deed, Deed::PlayWords { language, .. } if language == "en");
        assert!(world.did(english));
    }
    assert!(!world.is_queued(contact));
    press(&mut world, contact, '1');
    assert!(world.is_queued(contact));
}

#[test]
fn wrong_keys_and_silence_end_in_the_numbers_own_line() {
    let mut world = World::new(with_menu(), &[]);
    let contact = world.called(1);
    press(&mut world, contact, '5');
    assert_eq!(said(&world), [PromptName::MenuWrong, PromptName::Menu]);
    world.ok(Event::PromptFinished { leg: world.leg(contact), heard: None });
    world.pass(secs(5));
    assert!(world.deeds.is_empty());
    world.pass(secs(1));
    assert_eq!(said(&world), [PromptName::Menu], "silence");
    world.ok(Event::PromptFinished { leg: world.leg(contact), heard: None });
    world.pass(secs(6));
    assert!(world.is_queued(contact));
    assert_eq!(world.row(contact).subject.as_str(), "benefits");
}

fn with_callbacks() -> TenantConfig {
    let mut config = config();
    config.inbound.announce_every = secs(30);
    config.inbound.offer_callback = true;
    config
}

#[test]
fn those_in_line_hear_their_place_and_what_they_may_do() {
    let mut world = World::new(with_callbacks(), &[]);
    let first = world.called(1);
    world.pass(secs(10));
    let second = world.called(2);
    world.pass(secs(20));
    assert_eq!(said(&world), [PromptName::NextInLine, PromptName::CallbackOffer]);
    world.ok(Event::PromptFinished { leg: world.leg(first), heard: None });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::HoldMusic, .. });
    world.pass(secs(10));
    assert_eq!(said(&world), [PromptName::Position, PromptName::Digit(2), PromptName::CallbackOffer]);
    assert!(world.is_queued(second));
}

#[test]
fn pressing_1_keeps_the_place_and_hangs_up_after_the_farewell() {
    let mut world = World::new(with_callbacks(), &[agent("anna")]);
    let contact = world.called(1);
    let later = world.request(2);
    world.pass(secs(5));
    press(&mut world, contact, '1');
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::CallbackKept, .. });
    assert_eq!(world.row(contact).channel, Channel::Callback);
    world.ok(Event::PromptFinished { leg: world.leg(contact), heard: None });
    assert_did!(world, Deed::ReleaseLeg { .. });
    assert!(world.is_queued(contact) && !world.row(contact).is_on_line());
    world.ready("anna");
    assert!(world.did(|deed| matches!(deed, Deed::ReserveChannel { contact: first, .. } if *first == contact)));
    world.grant(contact);
    world.accept(contact);
    assert_did!(world, Deed::PlaceLeg { .. });
    let row = world.row(contact);
    assert_eq!((row.requested_at, row.attempts.len(), row.attempts[1].ordinal), (MORNING, 2, 2));
    assert!(world.is_queued(later));
    assert!(matches!(world.take(requested(1)), Ok(Receipt::CallbackExists { .. })), "one callback per number");
}

#[test]
fn the_promise_holds_when_the_caller_or_the_server_goes_before_the_farewell_is_over() {
    for crash in [false, true] {
        let mut world = World::new(with_callbacks(), &[]);
        let contact = world.called(1);
        press(&mut world, contact, '1');
        if crash {
            world.restart();
        } else {
            world.ok(Event::LegEnded { leg: world.leg(contact) });
        }
        assert!(world.is_queued(contact) && !world.row(contact).is_on_line(), "crash: {crash}");
        assert_eq!(world.row(contact).requested_at, MORNING);
    }
}

#[test]
fn who_cannot_be_called_is_not_offered_it() {
    let cannot: [fn(&mut World, &mut CallArrival); 3] = [
        |_, call| call.callable = false,
        |_, call| call.customer.number_key = String::new(),
        |world, _| {
            world.request(1);
        },
    ];
    for prepare in cannot {
        let mut world = World::new(with_callbacks(), &[]);
        let Event::CallArrived { mut call } = arrived(ringback_routing::ids::LegId(9), OUR_NUMBER, 1) else {
            unreachable!()
        };
        prepare(&mut world, &mut call);
        world.ok(Event::CallArrived { call });
        let leg = ringback_routing::ids::LegId(9);
        world.ok(Event::LegAnswered { leg });
        world.ok(Event::PromptFinished { leg, heard: None });
        world.ok(Event::DtmfReceived { leg, digit: '1' });
        assert!(!world.did(|deed| matches!(deed, Deed::PlayPrompt { prompt: PromptName::CallbackKept, .. })));
        world.pass(secs(30));
        assert!(!said(&world).contains(&PromptName::CallbackOffer));
    }
    let mut world = World::new(with_callbacks(), &[]);
    assert_eq!(world.core.config().inbound.announce_every, Millis(30_000));
    let contact = world.called(1);
    world.pass(secs(30));
    assert!(said(&world).contains(&PromptName::CallbackOffer) && world.is_queued(contact));
}
