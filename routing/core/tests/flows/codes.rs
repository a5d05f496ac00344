//! A call is matched with the visit of a web page: by the number that was lent for it, or by an access code.

use crate::world::*;
use ringback_routing::{config::*, contact::*, event::*, ids::*, output::*, reason::Reason};

fn with_codes() -> TenantConfig {
    let mut config = config();
    config.subjects.push(SubjectConfig {
        id: "claim".into(),
        name: "Claim".into(),
        queue: "general".into(),
        targets: vec![],
        priorities: Priorities { initial: 2, overflow: 2, rona: 1 },
        overflow: None,
    });
    config.inbound.numbers[0].code = Some(AccessCode { digits: 4, tries: 2, timeout: secs(10) });
    config
}

fn press(world: &mut World, contact: ContactId, digits: &str) {
    for digit in digits.chars() {
        world.ok(Event::DtmfReceived { leg: world.leg(contact), digit });
    }
}

fn checked(world: &mut World, contact: ContactId, visit: Option<Visit>) {
    world.ok(Event::CodeChecked { leg: world.leg(contact), visit: visit.map(Box::new) });
}

fn says(world: &World, wanted: PromptName) -> bool {
    world.did(|deed| matches!(deed, Deed::PlayWords { words, .. } if words.contains(&wanted)))
}

fn heard(world: &mut World, contact: ContactId) {
    world.ok(Event::PromptFinished { leg: world.leg(contact), heard: None });
}

fn is_the_visitors(world: &World, contact: ContactId) -> bool {
    let row = world.row(contact);
    row.customer.customer_id.as_deref() == Some("C-1")
        && row.customer.number == customer(1).number
        && (row.subject.as_str(), row.priority) == ("claim", 2)
        && world.had(contact, |fact| matches!(fact, Fact::VisitFound { .. }))
}

#[test]
fn a_right_code_brings_the_visit_with_it() {
    let mut world = World::new(with_codes(), &[]);
    let contact = world.called(1);
    assert!(says(&world, PromptName::EnterCode));
    press(&mut world, contact, "#123");
    assert!(world.deeds.is_empty());
    press(&mut world, contact, "4");
    assert!(world.did(|deed| matches!(deed, Deed::CheckCode { code, .. } if code == "1234")));
    checked(&mut world, contact, Some(visit(1)));
    assert!(world.is_queued(contact) && is_the_visitors(&world, contact));
}

#[test]
fn digits_sent_behind_the_number_match_during_the_greeting() {
    for known in [true, false] {
        let mut world = World::new(with_codes(), &[]);
        let contact = world.arriving(1);
        world.ok(Event::LegAnswered { leg: world.leg(contact) });
        press(&mut world, contact, "1234");
        checked(&mut world, contact, known.then(|| visit(1)));
        assert!(!world.is_queued(contact), "the notice of recording is heard to its end");
        heard(&mut world, contact);
        assert_eq!(world.is_queued(contact), known);
        assert_eq!(says(&world, PromptName::EnterCode), !known, "who is known is asked nothing");
        if !known {
            press(&mut world, contact, "5678");
            checked(&mut world, contact, None);
            assert!(says(&world, PromptName::CodeFailed), "the first wrong code counted");
        }
    }
}

#[test]
fn a_code_that_is_still_looked_up_when_the_greeting_ends_is_waited_for() {
    let mut world = World::new(with_codes(), &[]);
    let contact = world.arriving(1);
    world.ok(Event::LegAnswered { leg: world.leg(contact) });
    press(&mut world, contact, "1234");
    heard(&mut world, contact);
    assert!(!says(&world, PromptName::EnterCode));
    checked(&mut world, contact, Some(visit(1)));
    assert!(world.is_queued(contact) && is_the_visitors(&world, contact));
}

#[test]
fn wrong_codes_and_silence_come_to_an_end() {
    let mut world = World::new(with_codes(), &[]);
    let contact = world.called(1);
    press(&mut world, contact, "1111");
    checked(&mut world, contact, None);
    assert!(says(&world, PromptName::CodeWrong));
    heard(&mut world, contact);
    world.pass(secs(10));
    assert!(says(&world, PromptName::CodeFailed), "silence is no code");
    press(&mut world, contact, "1234");
    assert!(!world.did(|deed| matches!(deed, Deed::CheckCode { .. })), "it is over");
    heard(&mut world, contact);
    assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful));
    assert_eq!(world.row(contact).reason, Reason::CodeUnknown);
}

#[test]
fn a_number_lent_for_a_visit_asks_nothing() {
    let mut world = World::new(with_codes(), &[]);
    let Event::CallArrived { mut call } = arrived(LegId(9), OUR_NUMBER, 1) else { unreachable!() };
    call.visit = Some(visit(1));
    world.ok(Event::CallArrived { call });
    world.ok(Event::LegAnswered { leg: LegId(9) });
    world.ok(Event::PromptFinished { leg: LegId(9), heard: None });
    let contact = world.core.contacts().next().unwrap().id;
    assert!(world.is_queued(contact) && is_the_visitors(&world, contact));
}
