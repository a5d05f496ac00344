//! One installation: its tenants, the trunks they share, one clock.

use std::collections::VecDeque;

use ringback_routing::{
    Core,
    config::TenantConfig,
    core::Start,
    event::{CallbackRequest, ChatRequest},
    ids::*,
    time::{Millis, Timestamp},
};

use super::{
    Checked, Fault,
    agenda::Agenda,
    dice::{Dice, Digest, QuickMap},
    exchange::Exchange,
    insist,
    ledger::{Counts, Ledger},
    people::Person,
    scene::{self, MORNING},
    twin::Twin,
};

/// A moment in which nobody is being served is looked for so often, in events.
const QUIET_SOUGHT_EVERY: u64 = 8;
/// Kept of what led to a fault.
const REMEMBERED: usize = 40;
/// So long after the last contact late answers still come.
const LATE: Millis = Millis::from_secs(60);
/// The end of the day is reached within so many more events, whatever the day has left behind.
const EVENTS_TO_END: u64 = 400_000;

/// When a site stops taking new customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Contacts(u64),
    Events(u64),
}

/// One site's day, by its seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    pub seed: u64,
    pub bound: Bound,
}

pub struct Tenant {
    pub core: Core,
    pub config: TenantConfig,
    pub ledger: Ledger,
    pub people: Vec<Person>,
    pub index_of: QuickMap<AgentId, usize>,
    pub twin: Option<Twin>,
    pub crash_when_quiet: bool,
    pub events: u64,
    /// Mean time between two customers.
    pub rhythm: Millis,
    pub deadline: Option<Timestamp>,
}

pub struct Site {
    pub now: Timestamp,
    /// The latest time there has been: ahead of `now` after the clock was set back.
    pub latest: Timestamp,
    pub dice: Dice,
    pub tenants: Vec<Tenant>,
    pub agenda: Agenda,
    pub exchange: Exchange,
    /// What every customer's request begins with.
    pub request: CallbackRequest,
    pub chat_request: ChatRequest,
    pub digest: Digest,
    pub events: u64,
    pub crashes: u64,
    pub twins: u64,
    /// Crashes while nobody was being served.
    pub quiet: u64,
    /// Numbers that customers have.
    pub numbers: u64,
    /// No more customers, nothing more goes wrong: everything must come to its end.
    pub ending: bool,
    bound: Bound,
    pub drains: u64,
    /// Kept only when asked for: what led to a fault.
    story: Option<VecDeque<String>>,
}

/// What a site's day came to.
#[derive(Debug, Clone, Default)]
pub struct Day {
    pub counts: Counts,
    pub events: u64,
    pub crashes: u64,
    pub twins: u64,
    pub quiet: u64,
    pub digest: Digest,
}

impl Site {
    pub fn new(unit: Unit, remember: bool) -> Result<Self, Fault> {
        let mut dice = Dice::new(unit.seed);
        let large = matches!(unit.bound, Bound::Contacts(_));
        let tenants = if large { 3 + dice.roll(3) } else { 1 + dice.roll(3) } as usize;
        let mut site = Self {
            now: MORNING + dice.span(0, 6 * 86_400_000),
            latest: MORNING,
            numbers: if large { 4000 } else { 30 + dice.roll(300) },
            exchange: Exchange::default(),
            request: scene::request(),
            chat_request: scene::chat_request(),
            tenants: Vec::new(),
            agenda: Agenda::default(),
            digest: Digest::default(),
            events: 0,
            crashes: 0,
            twins: 0,
            quiet: 0,
            ending: false,
            bound: unit.bound,
            drains: 0,
            story: remember.then(VecDeque::new),
            dice,
        };
        let mut agents = 0;
        for index in 0..tenants {
            let count = if large { 15 + site.dice.roll(40) } else { 1 + site.dice.roll(12) } as usize;
            agents += count;
            site.open(index, count, large)?;
        }
        site.exchange.capacity = 1 + agents * (50 + site.dice.roll(80) as usize) / 100;
        Ok(site)
    }

    /// A tenant opens with its agents.
    fn open(&mut self, index: usize, agents: usize, calm: bool) -> Checked {
        let config = scene::tenant(&mut self.dice, index, calm);
        let names = (0..agents).map(|agent| AgentId::new(format!("agent-{index}-{agent}")));
        let people: Vec<_> = names.map(Person::new).collect();
        let index_of = people.iter().enumerate().map(|(at, person)| (person.id.clone(), at)).collect();
        let configs: Vec<_> = people.iter().map(|person| scene::agent(&mut self.dice, &person.id)).collect();
        let mut ledger = Ledger::default();
        ledger.rank_by(config.policy.ageing);
        configs.iter().for_each(|agent| ledger.configured(self.now, agent.clone()));
        let seed = self.dice.draw();
        let start = Start {
            seed,
            config: config.clone(),
            agent_configs: configs,
            contacts: vec![],
            agents: vec![],
            past_waits: vec![],
            guards: vec![],
        };
        let core = Core::restore(self.now, start);
        // Somewhat more or less than the agents can serve.
        let rhythm = self.dice.span(110_000, 260_000).0 / agents as i64;
        self.tenants.push(Tenant {
            core,
            config,
            ledger,
            people,
            index_of,
            twin: None,
            crash_when_quiet: false,
            events: 0,
            rhythm: Millis(rhythm),
            deadline: None,
        });
        self.plan_day(index);
        self.drain(index, None, true).map(|_| ())
    }

    /// Lives through the day to its end.
    pub fn run(&mut self) -> Result<Day, Fault> {
        while !self.is_over() {
            self.step()?;
            if self.events.is_multiple_of(QUIET_SOUGHT_EVERY) {
                self.crash_when_quiet()?;
            }
        }
        self.end()?;
        let mut counts = Counts::default();
        self.tenants.iter().for_each(|tenant| counts.add(&tenant.ledger.counts));
        Ok(Day {
            counts,
            events: self.events,
            crashes: self.crashes,
            twins: self.twins,
            quiet: self.quiet,
            digest: self.digest,
        })
    }

    fn is_over(&self) -> bool {
        match self.bound {
            Bound::Contacts(most) => self.created() >= most,
            Bound::Events(most) => self.events >= most,
        }
    }

    pub fn created(&self) -> u64 {
        self.tenants.iter().map(|tenant| tenant.ledger.counts.created).sum()
    }

    fn next_time(&self) -> Option<Timestamp> {
        self.tenants.iter().filter_map(|tenant| tenant.deadline).chain(self.agenda.next()).min()
    }

    /// The next thing that happens, by time: a tenant's timers or a plan.
    pub fn step(&mut self) -> Checked {
        let timers = self.tenants.iter().enumerate().filter_map(|(index, t)| Some((t.deadline?, index))).min();
        match (timers, self.agenda.next()) {
            (Some((due, index)), plan) if plan.is_none_or(|at| due <= at) => {
                self.now = self.now.max(due);
                self.fire(index)
            }
            (_, Some(_)) => {
                let Some((at, tenant, plan)) = self.agenda.pop() else { return Ok(()) };
                self.now = self.now.max(at);
                self.act(tenant, plan)
            }
            _ => Err(Fault("nothing will ever happen again".into())),
        }
    }

    /// Opens every door and lets everything come to its end.
    fn end(&mut self) -> Checked {
        self.ending = true;
        self.exchange.down_until = self.now;
        self.exchange.capacity = usize::MAX;
        for index in 0..self.tenants.len() {
            self.open_all_doors(index)?;
        }
        let latest = self.events + EVENTS_TO_END;
        while self.tenants.iter().any(|tenant| tenant.ledger.open_contacts() > 0) {
            insist!(self.events < latest, "stuck: {:?}", self.left().take(3).collect::<Vec<_>>());
            self.step()?;
        }
        // Late answers are taken by a house in which nobody is left.
        let last = self.now + LATE;
        while self.next_time().is_some_and(|at| at <= last) && self.events < latest {
            self.step()?;
        }
        for tenant in &self.tenants {
            tenant.ledger.check_all(&tenant.core)?;
            tenant.ledger.check_empty()?;
        }
        self.exchange.check_empty()
    }

    fn left(&self) -> impl Iterator<Item = &ringback_routing::contact::Contact> {
        self.tenants.iter().flat_map(|tenant| tenant.core.contacts())
    }

    /// The last things that happened, oldest first, if they were to be remembered.
    pub fn story(&self) -> Vec<String> {
        self.story.iter().flatten().cloned().collect()
    }

    pub fn tell(&mut self, index: usize, what: impl FnOnce() -> String) {
        let (now, events) = (self.now.as_millis(), self.events);
        if let Some(story) = &mut self.story {
            if story.len() == REMEMBERED {
                story.pop_front();
            }
            story.push_back(format!("#{events} {now} county-{index}: {}", what()));
        }
    }
}
