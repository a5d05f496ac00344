//! `cargo bench -p ringback-routing`: what one decision costs on a large floor, and what one waiting contact weighs.
//!
//! 5,000 agents with some of 50 skills at levels 1 to 10, 50 subjects with ladders of three targets, and more and more
//! contacts in line. Each line is asked for within a minute and a half, whatever its length, so that its contacts stand at all three
//! targets and lines differ in nothing but their number. Measured is each event with its drain: a request that joins the line, a contact whose next target
//! opens, an agent who becomes free (the match), a granted channel (the offer), and the offer's acceptance. Nothing is
//! measured in a warm loop on one contact: every turn touches another agent and contact.

#![allow(clippy::print_stdout, reason = "the figures are the product")]

use std::{collections::BTreeMap, time::Instant};

use chrono::{NaiveTime, Weekday::*};
use ringback_routing::{Core, agent::*, config::*, contact::*, core::Start, event::*, ids::*, output::*, time::*};

const AGENTS: usize = 5_000;
const SKILLS: usize = 50;
const SKILLS_PER_AGENT: usize = 8;
const TURNS: usize = 5_000;
const LINES: [usize; 3] = [1_000, 10_000, 100_000];
/// In microseconds: longer than the first two targets together.
const ASKED_WITHIN: usize = 90_000_000;

fn config() -> TenantConfig {
    let secs = Millis::from_secs;
    let aftermath = Aftermath { not_ready: None, auto_return: None, cool_off: secs(30), priority: None };
    TenantConfig {
        id: "large".into(),
        name: "Large".into(),
        version: 1,
        timezone: chrono_tz::America::Los_Angeles,
        language: "en".into(),
        language_skills: BTreeMap::new(),
        callback: CallbackConfig {
            enabled: true,
            max_attempts: 3,
            busy_spacing: secs(60),
            no_answer_spacing: secs(60),
            failed_spacing: secs(60),
            ring_timeout: secs(30),
            press_one: false,
            press_one_timeout: secs(10),
            trunks: vec!["carrier".into()],
            guard_time: secs(60),
            entry_mode: EntryMode::default(),
            gate: None,
            slots: None,
            window: vec![],
        },
        chat: ChatConfig::default(),
        outbound: false,
        tell_code: false,
        inbound: InboundConfig::default(),
        hours: Hours {
            week: [Mon, Tue, Wed, Thu, Fri, Sat, Sun]
                .map(|day| OpenInterval { day, from: NaiveTime::MIN, to: NaiveTime::MIN })
                .to_vec(),
            holidays: vec![],
            closure: None,
            at_closing: AtClosing::default(),
        },
        queues: vec![QueueConfig { id: "general".into(), name: "General".into() }],
        subjects: (0..SKILLS)
            .map(|index| SubjectConfig {
                id: SubjectId::new(format!("subject-{index}")),
                name: format!("Subject {index}"),
                queue: "general".into(),
                targets: ladder(index),
                priorities: Priorities::default(),
                overflow: None,
            })
            .collect(),
        policy: Policy {
            offer_timeout: secs(20),
            on_no_answer: aftermath.clone(),
            on_reject: aftermath.clone(),
            on_media_error: aftermath,
            wrap_up_timeout: secs(60),
            disposition: DispositionMode::Optional,
            agent_reconnect_grace: secs(15),
            voice_exclusive: true,
            ageing: Some(secs(300)),
            sticky: Sticky::default(),
        },
        queue_policies: BTreeMap::new(),
        reason_codes: vec!["lunch".into()],
        dispositions: vec![],
        limits: Limits { max_open_contacts: 1_000_000, max_agents: AGENTS },
    }
}

/// Three steps, each asking for less, as a subject's ladder.
fn ladder(index: usize) -> Vec<Target> {
    let skill = SkillId::new(format!("skill-{index}"));
    let step = |level, seconds| Target { timeout: Millis::from_secs(seconds), ..Target::skill(skill.clone(), level) };
    vec![step(8, 20), step(5, 40), step(2, 0)]
}

fn agents() -> Vec<AgentConfig> {
    let skills = |agent: usize| {
        (0..SKILLS_PER_AGENT).map(move |step| {
            (SkillId::new(format!("skill-{}", (agent + step * 7) % SKILLS)), 1 + ((agent + step) % 10) as u8)
        })
    };
    (0..AGENTS)
        .map(|index| AgentConfig {
            id: AgentId::new(format!("agent-{index:04}")),
            name: format!("Agent {index}"),
            queues: vec!["general".into()],
            skills: BTreeMap::from_iter(skills(index)),
            can_reject: true,
            voice_slots: 1,
            chat_slots: 2,
        })
        .collect()
}

fn request(index: usize) -> Event {
    Event::CallbackRequested {
        request: CallbackRequest {
            customer: Customer {
                name: format!("Customer {index}"),
                number: format!("+1916{index:07}"),
                number_key: format!("{index:064x}"),
                customer_id: None,
                verified: true,
                number_proven: false,
                language: "en".into(),
                page: None,
                context: BTreeMap::new(),
            },
            subject: Some(SubjectId::new(format!("subject-{}", index % SKILLS))),
            status_token_digest: Some(format!("{index:064x}")),
            when_open: false,
            slot: None,
            accept_wait: false,
            preferred: None,
        },
    }
}

/// One kind of event, each with the drain that belongs to it.
#[derive(Default)]
struct Costs(Vec<u64>);

impl Costs {
    fn show(mut self, what: &str, waiting: usize) {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let at = |share: usize| self.0.get(last * share / 1000).copied().unwrap_or(0) as f64 / 1000.0;
        println!(
            "{waiting:>7} waiting  {what:<16} p50 {:>7.1} µs  p99 {:>7.1} µs  max {:>7.1} µs",
            at(500),
            at(990),
            at(1000)
        );
    }
}

struct Bench {
    core: Core,
    now: Timestamp,
    /// Microseconds of `now` that are no whole millisecond.
    rest: usize,
    deeds: Vec<Deed>,
}

impl Bench {
    fn pass(&mut self, micros: usize) {
        self.rest += micros;
        self.now = self.now + Millis((self.rest / 1000) as i64);
        self.rest %= 1000;
    }

    fn take(&mut self, event: Event) -> u64 {
        self.pass(1000);
        self.deeds.clear();
        let begin = Instant::now();
        let _ = self.core.handle(self.now, event);
        while let Some(output) = self.core.poll_output() {
            if let Output::Command(command) = output {
                self.deeds.push(command.deed);
            }
        }
        begin.elapsed().as_nanos() as u64
    }

    /// Stages that end by now, each contact moved to its next target counted as one event.
    fn widen(&mut self, costs: &mut Costs) {
        if self.core.next_deadline().is_none_or(|due| due > self.now) {
            return;
        }
        let (begin, mut moved) = (Instant::now(), 0);
        self.core.handle_timeout(self.now);
        while let Some(output) = self.core.poll_output() {
            moved += u64::from(matches!(output, Output::Change(Change::ContactSaved { .. })));
        }
        costs.0.push(begin.elapsed().as_nanos() as u64 / moved.max(1));
    }

    fn agent(index: usize) -> (AgentId, SessionId) {
        (AgentId::new(format!("agent-{index:04}")), SessionId::new(format!("tab-{index}")))
    }
}

/// Resident memory in bytes, as Linux counts it.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn main() {
    let start = Start {
        seed: 7,
        config: config(),
        agent_configs: agents(),
        contacts: vec![],
        agents: vec![],
        past_waits: vec![],
        guards: vec![],
    };
    let now = Timestamp::from_millis(1_772_560_800_000);
    let mut bench = Bench { core: Core::restore(now, start), now, rest: 0, deeds: vec![] };
    while bench.core.poll_output().is_some() {}
    let health = Health { tab: true, microphone: true, media: true };
    for index in 0..AGENTS {
        let (agent, session) = Bench::agent(index);
        bench.take(Event::AgentConnected { agent: agent.clone(), session: session.clone() });
        bench.take(Event::AgentHealth { agent, session, health });
    }
    let (mut asked, mut next_agent, mut weight, before) = (0, 0, 0, resident());
    for waiting in LINES {
        let (mut joining, mut widening) = (Costs::default(), Costs::default());
        let new = waiting - bench.core.open_count();
        for _ in 0..new {
            bench.pass((ASKED_WITHIN / new).saturating_sub(1000));
            joining.0.push(bench.take(request(asked)));
            bench.widen(&mut widening);
            asked += 1;
        }
        weight = (resident() - before) / waiting;
        let (mut matching, mut offering, mut accepting) = (Costs::default(), Costs::default(), Costs::default());
        for _ in 0..TURNS.min(waiting / 2) {
            let (agent, _) = Bench::agent(next_agent % AGENTS);
            next_agent += 1;
            bench.widen(&mut widening);
            let state = RequestedState::Ready;
            matching.0.push(bench.take(Event::AgentStateRequested { agent: agent.clone(), state }));
            let Some(Deed::ReserveChannel { contact, .. }) = bench.deeds.first() else { continue };
            let contact = *contact;
            offering.0.push(bench.take(Event::ChannelGranted { contact, trunk: "carrier".into(), answers: None }));
            let Some(Deed::PresentOffer { offer, .. }) = bench.deeds.first() else { continue };
            let offer = *offer;
            accepting.0.push(bench.take(Event::OfferAccepted { agent: agent.clone(), offer }));
            bench.take(Event::CallbackCancelled { contact, by: CancelledBy::Customer });
            // That freed the agent, who was given the next at once; away with them for another's turn.
            if let Some(Deed::ReserveChannel { contact, .. }) = bench.deeds.last() {
                let denied = Event::ChannelDenied {
                    contact: *contact,
                    answers: None,
                    reason: DenialReason::NumberInCall,
                    retry_after: Millis(100),
                };
                let state = RequestedState::NotReady { reason: "lunch".into() };
                bench.take(Event::AgentStateRequested { agent, state });
                bench.take(denied);
                bench.core.handle_timeout(bench.now + Millis(100));
                while bench.core.poll_output().is_some() {}
            }
        }
        joining.show("request", waiting);
        widening.show("next target", waiting);
        matching.show("agent free", waiting);
        offering.show("offer", waiting);
        accepting.show("accept", waiting);
    }
    println!("a waiting contact takes {weight} bytes");
}
