//! The ladder of targets, the customer's own agent, ageing, and the answers to "why".

use crate::world::*;
use ringback_routing::{
    agent::*, config::*, contact::*, event::*, ids::*, output::*, reason::Reason, time::Millis, view::*,
};

fn step(skill: &str, level: u8, seconds: i64) -> Target {
    Target { timeout: secs(seconds), ..Target::skill(skill, level) }
}

/// Tax at 7, after 60 s at 3, after 90 s more everybody.
fn laddered(agents: &[(&str, u8)]) -> World {
    let mut config = config();
    config.chat.enabled = true;
    config.subjects[0].targets = vec![step("tax", 7, 60), step("tax", 3, 90), Target::default()];
    let agents: Vec<_> = agents
        .iter()
        .map(|(name, level)| {
            let mut agent = agent(name);
            agent.skills.insert("tax".into(), *level);
            agent
        })
        .collect();
    let mut world = World::new(config, &agents);
    for agent in &agents {
        world.ready(agent.id.as_str());
    }
    world
}

fn asked(world: &World, contact: ContactId) -> bool {
    world.did(|deed| matches!(deed, Deed::ReserveChannel { contact: asked, .. } if *asked == contact))
}

fn with_sticky(mut config: TenantConfig, seconds: i64) -> TenantConfig {
    config.policy.sticky = Sticky { enabled: true, timeout: secs(seconds) };
    config
}

fn request_for(number: u32, agent: &str) -> Event {
    let Event::CallbackRequested { mut request } = requested(number) else { unreachable!() };
    request.preferred = Some(agent.into());
    Event::CallbackRequested { request }
}

fn queued(receipt: Receipt) -> ContactId {
    match receipt {
        Receipt::CallbackQueued { contact, .. } | Receipt::ChatQueued { contact, .. } => contact,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_target_opens_in_its_time_and_widens() {
    let mut world = laddered(&[("low", 1), ("mid", 3)]);
    let contact = world.request(1);
    assert!(world.deeds.is_empty(), "nobody has level 7");
    world.pass(Millis(59_999));
    assert!(world.deeds.is_empty());
    world.pass(Millis(1));
    assert!(asked(&world, contact));
    let row = world.row(contact);
    assert_eq!((row.target, row.priority), (2, 4), "the overflow priority from the second target on");
    assert!(world.had(contact, |fact| *fact == Fact::Widened { target: 2, priority: 4 }));
    world.grant(contact);
    assert_eq!(world.segment(contact).agent, "mid".into());
    world.ok(cancelled(contact));
    let state = RequestedState::NotReady { reason: "lunch".into() };
    world.ok(Event::AgentStateRequested { agent: "mid".into(), state });
    let second = world.request(2);
    world.pass(secs(149));
    assert!(world.is_queued(second));
    world.pass(secs(1));
    world.grant(second);
    assert_eq!(world.segment(second).agent, "low".into());
}

#[test]
fn whoever_fits_an_earlier_target_is_found_at_a_later_one() {
    let mut config = config();
    // The second step asks for another skill altogether.
    config.subjects[0].targets = vec![step("tax", 7, 10), step("law", 1, 0)];
    let mut expert = agent("expert");
    expert.skills.insert("tax".into(), 9);
    let mut world = World::new(config, &[expert]);
    let contact = world.request(1);
    world.pass(secs(30));
    assert_eq!(world.row(contact).target, 2);
    world.ready("expert");
    assert!(asked(&world, contact));
}

#[test]
fn agents_who_change_are_seen_at_once() {
    let mut world = laddered(&[("low", 1)]);
    let contact = world.request(1);
    let mut better = agent("low");
    better.skills.insert("tax".into(), 7);
    world.ok(Event::AgentConfigured { agent: better });
    assert!(asked(&world, contact));
}

#[test]
fn the_target_reached_is_kept_through_rona_and_restart() {
    let mut world = laddered(&[("mid", 3)]);
    let contact = world.request(1);
    let asked_at = world.row(contact).requested_at;
    world.pass(secs(60));
    world.grant(contact);
    world.pass(secs(20));
    let row = world.row(contact);
    assert_eq!((row.target, row.priority, row.requested_at), (2, 3, asked_at));
    let opens = row.widen_at;
    world.restart();
    assert_eq!((world.row(contact).target, world.row(contact).widen_at), (2, opens));
    world.pass(secs(69));
    assert_eq!(world.row(contact).target, 2);
    world.pass(secs(1));
    assert_eq!(world.row(contact).target, 3);
}

#[test]
fn an_agent_who_keeps_missing_offers_does_not_hold_the_ladder_up() {
    let mut config = config();
    config.subjects[0].targets = vec![step("tax", 1, 60), Target::default()];
    config.policy.on_no_answer = Aftermath { not_ready: None, auto_return: None, cool_off: secs(0), priority: None };
    let mut deaf = agent("deaf");
    deaf.skills.insert("tax".into(), 1);
    let mut world = World::new(config, &[deaf, agent("ben")]);
    world.ready("deaf");
    let contact = world.request(1);
    let begin = world.now;
    while world.row(contact).target == 1 {
        world.grant(contact);
        world.pass(secs(20));
        assert!(world.now.since(begin) <= secs(80), "the second target opens in its time");
    }
}

#[test]
fn needs_of_several_skills_and_of_the_language_are_all_met() {
    let mut config = config();
    let skills = std::collections::BTreeMap::from([("tax".into(), 2), ("law".into(), 3)]);
    config.subjects[0].targets = vec![Target { skills, timeout: secs(0) }];
    config.language_skills.insert("es".into(), ("spanish".into(), 4));
    let with = |name: &str, skills: &[(&str, u8)]| {
        let mut agent = agent(name);
        agent.skills = skills.iter().map(|(skill, level)| (SkillId::from(*skill), *level)).collect();
        agent
    };
    let agents = [
        with("one", &[("tax", 9), ("law", 9)]),
        with("two", &[("tax", 9), ("spanish", 9)]),
        with("three", &[("tax", 2), ("law", 3), ("spanish", 3)]),
    ];
    let mut world = World::new(config, &agents);
    ["one", "two", "three"].into_iter().for_each(|name| world.ready(name));
    let contact = world.request(1);
    assert!(world.is_queued(contact) && world.deeds.is_empty());
    world.ok(Event::AgentConfigured { agent: with("two", &[("tax", 2), ("law", 3), ("spanish", 4)]) });
    world.grant(contact);
    assert_eq!(world.segment(contact).agent, "two".into());
    // In English, who has waited longest will do.
    let Event::CallbackRequested { mut request } = requested(2) else { unreachable!() };
    request.customer.language = "en-US".into();
    let english = queued(world.ok(Event::CallbackRequested { request }));
    world.grant(english);
    assert_eq!(world.segment(english).agent, "one".into());
}

#[test]
fn the_own_agent_is_offered_first_though_others_have_been_idle_longer() {
    let mut world = World::new(with_sticky(config(), 60), &[agent("anna"), agent("ben")]);
    world.ready("ben");
    world.pass(secs(30));
    world.ready("anna");
    let contact = queued(world.ok(request_for(1, "anna")));
    world.grant(contact);
    assert_eq!((world.segment(contact).agent, world.segment(contact).why), ("anna".into(), Reason::Preferred));
}

#[test]
fn a_busy_own_agent_is_waited_for_and_no_longer() {
    let mut world = World::new(with_sticky(config(), 60), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    world.connected(1);
    world.ready("ben");
    let contact = queued(world.ok(request_for(2, "anna")));
    assert!(world.is_queued(contact) && world.deeds.is_empty(), "ben is free but not hers");
    world.pass(secs(59));
    assert!(world.deeds.is_empty());
    world.pass(secs(1));
    assert!(asked(&world, contact));
    world.grant(contact);
    assert_eq!(world.segment(contact).agent, "ben".into());
    assert_eq!(world.row(contact).priority, 5, "the first target is no overflow");
}

/// Refused by ben, taken by anna, and passed on to ben by name after so long.
fn passed_on_after(span: Millis) -> (World, ContactId) {
    let mut config = with_sticky(config(), 60);
    config.chat.enabled = true;
    let mut world = World::new(config, &[agent("anna"), agent("ben")]);
    world.ready("ben");
    let contact = world.chat(1);
    let offer = world.segment(contact).offer;
    world.ok(Event::OfferDeclined { agent: "ben".into(), offer });
    world.ready("anna");
    world.accept(contact);
    world.pass(span);
    let to = TransferTarget::Agent { agent: "ben".into() };
    world.ok(Event::ChatTransferRequested { agent: "anna".into(), contact, to });
    (world, contact)
}

#[test]
fn who_refused_a_chat_may_have_it_again_from_the_very_moment_the_cool_off_ends() {
    let (world, contact) = passed_on_after(Millis(29_999));
    assert!(world.is_queued(contact), "ben, who has just refused it, is left alone");
    let (world, contact) = passed_on_after(secs(30));
    assert_eq!((world.segment(contact).agent, world.segment(contact).why), ("ben".into(), Reason::Preferred));
}

#[test]
fn an_absent_own_agent_is_skipped_also_when_leaving_meanwhile() {
    let mut world = World::new(with_sticky(config(), 60), &[agent("anna"), agent("ben")]);
    world.ready("ben");
    let contact = queued(world.ok(request_for(1, "anna")));
    assert!(asked(&world, contact), "she is not here");
    world.ok(cancelled(contact));
    let mut world = World::new(with_sticky(config(), 60), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    world.connected(2);
    world.ready("ben");
    let contact = queued(world.ok(request_for(3, "anna")));
    assert!(world.deeds.is_empty());
    let state = RequestedState::NotReady { reason: "lunch".into() };
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state });
    assert!(asked(&world, contact), "she will not be free for it");
    assert_eq!(world.row(contact).target, 1);
}

#[test]
fn sticky_is_off_unless_the_tenant_has_it_on() {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("ben");
    world.pass(secs(1));
    world.ready("anna");
    let contact = queued(world.ok(request_for(1, "anna")));
    world.grant(contact);
    assert_eq!(world.segment(contact).agent, "ben".into());
}

#[test]
fn a_chat_moves_to_an_agent_first_and_to_the_queue_after() {
    let mut world = laddered(&[("anna", 9), ("ben", 9), ("chris", 9)]);
    let (first, second) = (world.chatting(1), world.chatting(2));
    let to = |agent: &str| TransferTarget::Agent { agent: agent.into() };
    let (anna, ben) = (world.segment(first).agent, world.segment(second).agent);
    world.ok(Event::ChatTransferRequested { agent: anna.clone(), contact: first, to: to(ben.as_str()) });
    assert_eq!((world.segment(first).agent, world.segment(first).why), (ben, Reason::Preferred));
    assert!(world.take(Event::ChatTransferRequested { agent: anna, contact: first, to: to("nobody") }).is_err());
}

#[test]
fn ageing_is_worth_one_priority_per_step_and_no_more() {
    let mut config = config();
    config.policy.ageing = Some(secs(300));
    let mut urgent = config.subjects[0].clone();
    (urgent.id, urgent.priorities.initial) = ("urgent".into(), 3);
    config.subjects.push(urgent);
    let mut world = World::new(config, &[agent("anna")]);
    let urgent = |number| {
        let Event::CallbackRequested { mut request } = requested(number) else { unreachable!() };
        request.subject = Some("urgent".into());
        Event::CallbackRequested { request }
    };
    let ordinary = world.request(1);
    world.pass(Millis(599_999));
    let sooner = queued(world.ok(urgent(2)));
    world.pass(Millis(2));
    let later = queued(world.ok(urgent(3)));
    let position = |world: &World, contact| world.core.status_view(world.now, contact).unwrap().position;
    assert_eq!([sooner, ordinary, later].map(|contact| position(&world, contact)), [Some(1), Some(2), Some(3)]);
    world.ready("anna");
    assert!(asked(&world, sooner));
}

#[test]
fn a_chat_agent_is_held_back_for_a_call_that_has_waited_longer() {
    let mut world = laddered(&[("anna", 9)]);
    let chat = world.chatting(1);
    let call = world.request(2);
    let second = world.chat(3);
    assert!(world.is_queued(second), "two slots, but the call comes first");
    let why = world.core.explain(world.now, second, 10).unwrap();
    assert_eq!(why.agents[0].obstacles, [Obstacle::CallWaitsLonger]);
    world.ok(Event::ChatEnded { contact: chat, by: ChatEnd::Customer });
    world.pass(secs(60));
    assert!(asked(&world, call));
    world.ok(cancelled(call));
    assert!(!world.is_queued(second));
    // And the call's going lets the next chat in at once.
    let call = world.request(4);
    let third = world.chat(5);
    assert!(world.is_queued(third));
    world.ok(cancelled(call));
    assert!(!world.is_queued(third));
}

#[test]
fn why_waiting_and_why_not_each_agent() {
    let mut world = laddered(&[("able", 9), ("busy", 9), ("eaten", 9), ("low", 1), ("mute", 9)]);
    world.connected(1);
    let health = Health { microphone: false, ..WELL };
    world.ok(Event::AgentHealth { agent: "mute".into(), session: session("mute"), health });
    for agent in ["busy", "eaten"] {
        let state = RequestedState::NotReady { reason: "lunch".into() };
        world.ok(Event::AgentStateRequested { agent: agent.into(), state });
    }
    let contact = world.request(2);
    let why = world.core.explain(world.now, contact, 10).unwrap();
    let of = |name: &str| why.agents.iter().find(|found| found.agent == name.into()).unwrap().obstacles.clone();
    assert_eq!(of("able"), [Obstacle::Busy { calls: 1, chats: 0 }]);
    assert_eq!(of("eaten"), [Obstacle::NotReady { reason: "lunch".into() }]);
    assert_eq!(of("low"), [Obstacle::LacksSkill { skill: "tax".into(), needed: 7, has: 1 }]);
    assert_eq!(of("mute"), [Obstacle::NoMicrophone]);
    let waiting = why.waiting.unwrap();
    assert_eq!((waiting.position, waiting.target, waiting.targets, waiting.effective_agents), (1, 1, 3, 2));
    assert_eq!(waiting.next_target_at, Some(world.now + secs(60)));
    assert_eq!(waiting.channel, ChannelWhy::NotAskedYet);
    assert!(matches!(&waiting.need, Needed::Skills { any } if any.len() == 1 && any[0][&"tax".into()] == 7));
    let text = serde_json::to_string(&world.core.explain(world.now, contact, 2).unwrap()).unwrap();
    let read: WhyView = serde_json::from_str(&text).unwrap();
    assert_eq!((read.agents.len(), read.signed_in), (2, 5));
    assert_eq!(world.core.explain(world.now, ContactId(1), 2), None);
}

#[test]
fn an_agent_without_obstacles_would_have_been_offered_it() {
    let mut world = laddered(&[("able", 9)]);
    let contact = world.request(1);
    let why = world.core.explain(world.now, contact, 10).unwrap();
    assert!(why.agents[0].obstacles.is_empty());
    assert_eq!(why.waiting.unwrap().channel, ChannelWhy::Asked { agent: "able".into() });
    world.grant(contact);
    let why = world.core.explain(world.now, contact, 10).unwrap();
    assert_eq!((why.waiting, &why.agents[0].obstacles[..]), (None, &[Obstacle::HasIt][..]));
    assert_eq!(why.chosen[0].agent, "able".into());
}

#[test]
fn a_queue_may_treat_offers_otherwise_than_its_tenant() {
    let mut config = config();
    let mut own = config.policy.of_queue();
    (own.offer_timeout, own.wrap_up_timeout) = (secs(5), secs(7));
    own.on_no_answer = Aftermath { not_ready: None, auto_return: None, cool_off: secs(30), priority: Some(9) };
    config.queue_policies.insert("general".into(), own);
    let mut world = World::new(config, &[agent("anna")]);
    world.ready("anna");
    let contact = world.offered(1);
    world.pass(secs(5));
    assert_eq!((world.state("anna"), world.row(contact).priority), (AgentState::Ready, 9));
    world.pass(secs(30));
    world.grant(contact);
    world.accept(contact);
    world.ok(Event::LegAnswered { leg: world.leg(contact) });
    world.ok(Event::PromptFinished { leg: world.leg(contact), heard: None });
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    world.pass(secs(7));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn journals_of_former_versions_are_read() {
    let old =
        r#"{"id":"b","name":"B","queue":"q","skill":["spanish",3],"priorities":{"initial":5,"overflow":4,"rona":3}}"#;
    let subject: SubjectConfig = serde_json::from_str(old).unwrap();
    assert_eq!(subject.targets, [Target::skill("spanish", 3)]);
    let none: SubjectConfig = serde_json::from_str(&old.replace(r#"["spanish",3]"#, "null")).unwrap();
    assert!(none.targets.is_empty());
    // A contact of a tenant without ladders is written as it always was.
    let mut world = World::with_anna();
    let contact = world.request(1);
    let text = serde_json::to_string(world.row(contact)).unwrap();
    assert!(["target", "widen_at", "preferred", "chat"].iter().all(|new| !text.contains(&format!("\"{new}\""))));
    let again: SubjectConfig = serde_json::from_str(&serde_json::to_string(&subject).unwrap()).unwrap();
    assert_eq!(again, subject);
}
