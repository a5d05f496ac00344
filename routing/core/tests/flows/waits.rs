//! How true the foretold waits are: whole days of a centre simulated over the core, every forecast held against what came.
//!
//! `cargo test --release -p ringback-routing --test flows waits -- --nocapture` prints the table of `docs/expected-wait.md`.

#![allow(clippy::print_stdout, reason = "the table is printed for whoever asks for it")]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    f64::consts::TAU,
};

use crate::world::{MORNING, WELL, agent, config, requested, secs, session};
use ringback_routing::{
    Core,
    agent::*,
    config::*,
    contact::AttemptResult,
    core::Start,
    event::*,
    ids::*,
    output::*,
    time::{Millis, Timestamp},
    wait::{Forecast, ForecastKind},
};

const AGENTS: usize = 12;
/// Seconds, on average: what a contact takes up of an agent, from the offer to the end of wrap-up.
const TAKEN: f64 = 320.0;
const HOUR: f64 = 3600.0;

/// splitmix64: the same day for the same seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.next()).ln()
    }

    /// Handling times have a long tail: lognormal, standard deviation 0.9 of the mean.
    fn talk(&mut self, mean: f64) -> f64 {
        let sigma2 = (1.0f64 + 0.9 * 0.9).ln();
        let normal = (-2.0 * (1.0 - self.next()).ln()).sqrt() * (TAU * self.next()).cos();
        (mean.ln() - sigma2 / 2.0 + sigma2.sqrt() * normal).exp()
    }
}

#[derive(Clone, Copy)]
enum Load {
    /// The same all day, just below what the agents can do.
    Steady,
    /// From half to a third more than they can do within six hours, then little for two.
    Ramp,
    /// A quarter below, but for five minutes of every two hours five times as much (a letter went out).
    Burst,
}

impl Load {
    /// Requests per second at `t` seconds.
    fn rate(self, t: f64) -> f64 {
        let can = AGENTS as f64 / TAKEN;
        match self {
            Self::Steady => can * 0.8,
            Self::Ramp => {
                let day = t % (8.0 * HOUR);
                if day < 6.0 * HOUR { can * (0.4 + 0.75 * day / (6.0 * HOUR)) } else { can * 0.25 }
            }
            Self::Burst => can * if t % (2.0 * HOUR) < 300.0 { 4.0 } else { 0.62 },
        }
    }

    fn highest(self) -> f64 {
        (0..8 * 60).map(|minute| self.rate(f64::from(minute) * 60.0)).fold(0.0, f64::max)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Next {
    Request,
    Break(AgentId),
    Send(Box<Event>),
    WrapUp(ContactId, AgentId),
}

struct Centre {
    core: Core,
    now: Timestamp,
    chance: Chance,
    load: Load,
    highest: f64,
    queue: BinaryHeap<Reverse<(Timestamp, u64)>>,
    planned: BTreeMap<u64, Next>,
    asked: u32,
    recordings: BTreeMap<LegId, RecordingId>,
    talking: BTreeMap<LegId, ContactId>,
    served: Vec<(Option<Forecast>, Millis)>,
}

impl Centre {
    fn new(load: Load, seed: u64) -> Self {
        let mut config = config();
        let span = |day| OpenInterval { day, from: Default::default(), to: Default::default() };
        config.hours.week = (0..7).filter_map(|day| chrono::Weekday::try_from(day).ok()).map(span).collect();
        config.limits.max_open_contacts = 100_000;
        let on_no_answer = Aftermath {
            not_ready: Some("rona".into()),
            auto_return: Some(secs(300)),
            cool_off: secs(60),
            priority: None,
        };
        config.policy = Policy { on_no_answer, wrap_up_timeout: secs(120), ..config.policy };
        let agents: Vec<_> = (0..AGENTS).map(|number| agent(&format!("agent{number:02}"))).collect();
        let start = Start {
            seed,
            config,
            agent_configs: agents.clone(),
            contacts: vec![],
            agents: vec![],
            past_waits: vec![],
            guards: vec![],
        };
        let mut centre = Self {
            core: Core::restore(MORNING, start),
            now: MORNING,
            chance: Chance(seed),
            load,
            highest: load.highest(),
            queue: BinaryHeap::new(),
            planned: BTreeMap::new(),
            asked: 0,
            recordings: BTreeMap::new(),
            talking: BTreeMap::new(),
            served: Vec::new(),
        };
        for (number, agent) in agents.into_iter().enumerate() {
            let id = agent.id;
            centre.send(Event::AgentConnected { agent: id.clone(), session: session(id.as_str()) });
            let session = session(id.as_str());
            centre.send(Event::AgentHealth { agent: id.clone(), session, health: WELL });
            centre.send(Event::AgentStateRequested { agent: id.clone(), state: RequestedState::Ready });
            // A quarter of an hour off in every two and a half.
            centre.plan(number as f64 * 750.0, Next::Break(id));
        }
        centre.plan(0.0, Next::Request);
        centre
    }

    fn plan(&mut self, after: f64, next: Next) {
        let number = self.planned.last_key_value().map_or(0, |(last, _)| last + 1);
        self.planned.insert(number, next);
        self.queue.push(Reverse((self.now + Millis((after * 1000.0) as i64), number)));
    }

    fn plan_event(&mut self, after: f64, event: Event) {
        self.plan(after, Next::Send(Box::new(event)));
    }

    fn send(&mut self, event: Event) {
        // What has become pointless meanwhile (an answer to a cancelled call) is refused; that is life.
        drop(self.core.handle(self.now, event));
        self.drain();
    }

    fn run(&mut self, contacts: usize) {
        while self.served.len() < contacts {
            let next = self.queue.peek().map(|Reverse(next)| *next);
            let timer = self.core.next_deadline();
            if let Some(at) = timer.filter(|at| next.is_none_or(|next| *at <= next.0)) {
                self.now = self.now.max(at);
                self.core.handle_timeout(self.now);
                self.drain();
                continue;
            }
            let Some((at, number)) = next else { break };
            self.queue.pop();
            self.now = self.now.max(at);
            match self.planned.remove(&number) {
                Some(Next::Request) => self.request(),
                Some(Next::Break(agent)) => self.take_a_break(agent),
                Some(Next::Send(event)) => self.send(*event),
                Some(Next::WrapUp(contact, agent)) => self.wrap_up(contact, agent),
                None => {}
            }
        }
    }

    fn request(&mut self) {
        let gap = self.chance.exponential(1.0 / self.highest);
        self.plan(gap, Next::Request);
        let t = self.now.since(MORNING).0 as f64 / 1000.0;
        if self.chance.next() * self.highest > self.load.rate(t) {
            return;
        }
        self.asked += 1;
        let receipt = self.core.handle(self.now, requested(self.asked));
        self.drain();
        if let Ok(Receipt::CallbackQueued { contact, .. }) = receipt
            && self.chance.next() < 0.03
        {
            let patience = self.chance.exponential(600.0);
            self.plan_event(patience, Event::CallbackCancelled { contact, by: CancelledBy::Customer });
        }
    }

    fn take_a_break(&mut self, agent: AgentId) {
        let lunch = RequestedState::NotReady { reason: "lunch".into() };
        self.send(Event::AgentStateRequested { agent: agent.clone(), state: lunch });
        let back = Event::AgentStateRequested { agent: agent.clone(), state: RequestedState::Ready };
        self.plan_event(900.0, back);
        self.plan(9000.0, Next::Break(agent));
    }

    fn wrap_up(&mut self, contact: ContactId, agent: AgentId) {
        let open = self.core.contact(contact).and_then(|contact| contact.open_segment()).map(|segment| segment.id);
        if let Some(segment) = open {
            self.send(Event::WrapUpFinished { agent, segment, dispositions: vec![], note: None });
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Change(Change::ContactFact { fact: Fact::Served { waited, forecast, .. }, .. }) => {
                    self.served.push((forecast, waited));
                }
                Output::Change(_) => {}
                Output::Command(command) => self.carry_out(command.deed),
            }
        }
    }

    fn carry_out(&mut self, deed: Deed) {
        match deed {
            Deed::ReserveChannel { contact, .. } => {
                self.plan_event(0.0, Event::ChannelGranted { contact, trunk: "carrier".into(), answers: None });
            }
            // One in fifty is not looked at and lapses.
            Deed::PresentOffer { offer, agent, .. } if self.chance.next() >= 0.02 => {
                let after = 1.0 + self.chance.exponential(4.0).min(15.0);
                self.plan_event(after, Event::OfferAccepted { agent, offer });
            }
            Deed::PlaceLeg { leg, contact, .. } => {
                self.talking.insert(leg, contact);
                let luck = self.chance.next();
                if luck < 0.1 {
                    let failed = Event::LegFailed { leg, result: AttemptResult::NoAnswer, sip_status: Some(480) };
                    self.plan_event(25.0, failed);
                } else if luck < 0.13 {
                    let failed = Event::LegFailed { leg, result: AttemptResult::Busy, sip_status: Some(486) };
                    self.plan_event(2.0, failed);
                } else {
                    let after = 4.0 + self.chance.exponential(6.0);
                    self.plan_event(after, Event::LegAnswered { leg });
                }
            }
            Deed::PlayPrompt { leg, then_tell: true, .. } => {
                self.plan_event(6.0, Event::PromptFinished { leg, heard: None });
            }
            Deed::Bridge { a, .. } => {
                let talk = self.chance.talk(270.0);
                let wrap = self.chance.exponential(35.0);
                self.plan_event(talk, Event::LegEnded { leg: a });
                let Some(&contact) = self.talking.get(&a) else { return };
                let segment = self.core.contact(contact).and_then(|contact| contact.open_segment());
                if let Some(agent) = segment.map(|segment| segment.agent.clone()) {
                    self.plan(talk + wrap, Next::WrapUp(contact, agent));
                }
            }
            Deed::StartRecording { leg, recording, .. } => drop(self.recordings.insert(leg, recording)),
            Deed::StopRecording { leg } => {
                if let Some(recording) = self.recordings.remove(&leg) {
                    self.plan_event(0.1, Event::RecordingFinished { leg, recording });
                }
            }
            _ => {}
        }
    }
}

/// Shares in percent.
#[derive(Debug)]
struct Accuracy {
    waits: usize,
    known: f64,
    p50: f64,
    p90: f64,
    mean_wait: f64,
    /// Mean difference between P50 and the actual wait, and between P90 and P50; seconds.
    off: f64,
    width: f64,
}

fn accuracy(served: &[(Option<Forecast>, Millis)], kind: Option<ForecastKind>) -> Accuracy {
    let known: Vec<_> = served
        .iter()
        .filter_map(|(forecast, waited)| Some((forecast.as_ref()?, waited.0)))
        .filter(|(forecast, _)| kind.is_none_or(|kind| forecast.kind == kind))
        .collect();
    let count = known.len().max(1) as f64;
    let mean = |of: &dyn Fn(&Forecast, i64) -> f64| known.iter().map(|(f, waited)| of(f, *waited)).sum::<f64>() / count;
    let share = |of: &dyn Fn(&Forecast, i64) -> bool| 100.0 * mean(&|f, waited| f64::from(u8::from(of(f, waited))));
    Accuracy {
        waits: known.len(),
        known: 100.0 * count / served.len() as f64,
        p50: share(&|f, waited| waited <= f.range.p50().0),
        p90: share(&|f, waited| waited <= f.range.p90().0),
        mean_wait: mean(&|_, waited| waited as f64 / 1000.0),
        off: mean(&|f, waited| (waited - f.range.p50().0).abs() as f64 / 1000.0),
        width: mean(&|f, _| (f.range.p90().0 - f.range.p50().0) as f64 / 1000.0),
    }
}

fn simulate(name: &str, load: Load) -> Accuracy {
    let mut centre = Centre::new(load, 7);
    centre.run(12_000);
    let kinds = [None, Some(ForecastKind::Free), Some(ForecastKind::Near), Some(ForecastKind::Far)];
    for (kind, word) in kinds.into_iter().zip(["all", "agent free", "near", "far back"]) {
        let found = accuracy(&centre.served, kind);
        println!(
            "| {name} | {word} | {} | {:.0} % | {:.1} % | {:.1} % | {:.0} s | {:.0} s | {:.0} s |",
            found.waits, found.known, found.p50, found.p90, found.mean_wait, found.off, found.width
        );
    }
    accuracy(&centre.served, None)
}

#[test]
fn half_of_the_waits_are_over_by_p50_and_nine_of_ten_by_p90() {
    println!("| load | place | waits | of all | by P50 | by P90 | mean wait | off P50 | P50 to P90 |");
    let steady = simulate("steady", Load::Steady);
    let ramp = simulate("ramp", Load::Ramp);
    let burst = simulate("burst", Load::Burst);
    for found in [&steady, &ramp, &burst] {
        assert!(found.known > 99.0, "unknown only at the very beginning: {found:?}");
        assert!((45.0..=55.0).contains(&found.p50), "{found:?}");
        assert!(found.mean_wait > 20.0, "there is something to wait for: {found:?}");
    }
    assert!((86.0..=94.0).contains(&steady.p90), "{steady:?}");
    assert!((82.0..=96.0).contains(&ramp.p90) && (82.0..=96.0).contains(&burst.p90), "{ramp:?} {burst:?}");
}

#[test]
fn the_same_seed_foretells_the_same() {
    let served = || {
        let mut centre = Centre::new(Load::Burst, 3);
        centre.run(300);
        centre.served
    };
    assert_eq!(served(), served());
}
