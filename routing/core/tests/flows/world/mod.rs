//! A small world around one core: virtual time, the ledger's rows as the outputs build them, the deeds asked for.

pub mod engine;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveTime, Weekday};
use ringback_routing::{
    Core,
    agent::*,
    config::*,
    contact::*,
    core::{NumberGuard, Start},
    event::*,
    ids::*,
    output::*,
    time::{Millis, Timestamp},
    wait::PastWait,
};

/// Tuesday, 2026-03-03, 10:00 in Los Angeles.
pub const MORNING: Timestamp = Timestamp::from_millis(1_772_560_800_000);

/// The number customers call.
pub const OUR_NUMBER: &str = "+19165550000";

pub fn secs(count: i64) -> Millis {
    Millis::from_secs(count)
}

pub fn config() -> TenantConfig {
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let day = |day| OpenInterval { day, from: time(8), to: time(17) };
    use Weekday::*;
    TenantConfig {
        id: "sacramento".into(),
        name: "Sacramento County".into(),
        version: 1,
        timezone: chrono_tz::America::Los_Angeles,
        language: "en".into(),
        language_skills: BTreeMap::new(),
        callback: CallbackConfig {
            enabled: true,
            max_attempts: 3,
            busy_spacing: secs(120),
            no_answer_spacing: secs(600),
            failed_spacing: secs(300),
            ring_timeout: secs(30),
            press_one: false,
            press_one_timeout: secs(10),
            trunks: vec!["carrier".into()],
            guard_time: secs(180),
            entry_mode: EntryMode::default(),
            gate: None,
            slots: None,
            window: vec![],
        },
        chat: ChatConfig { reconnect_grace: secs(30), ..ChatConfig::default() },
        outbound: true,
        tell_code: false,
        inbound: InboundConfig {
            numbers: vec![DialledNumber {
                number: OUR_NUMBER.into(),
                subject: "benefits".into(),
                language: None,
                menu: None,
                code: None,
            }],
            short_abandon: secs(5),
            announce_every: Millis(0),
            offer_callback: false,
        },
        hours: Hours { week: [Mon, Tue, Wed, Thu, Fri].map(day).to_vec(), ..Hours::default() },
        queues: vec![QueueConfig { id: "general".into(), name: "General".into() }],
        subjects: vec![SubjectConfig {
            id: "benefits".into(),
            name: "Benefits".into(),
            queue: "general".into(),
            targets: vec![],
            priorities: Priorities::default(),
            overflow: None,
        }],
        policy: Policy {
            offer_timeout: secs(20),
            on_no_answer: Aftermath {
                not_ready: Some("rona".into()),
                auto_return: None,
                cool_off: secs(60),
                priority: None,
            },
            on_reject: Aftermath {
                not_ready: Some("break".into()),
                auto_return: Some(secs(10)),
                cool_off: secs(30),
                priority: None,
            },
            on_media_error: Aftermath {
                not_ready: Some("media".into()),
                auto_return: None,
                cool_off: secs(0),
                priority: None,
            },
            wrap_up_timeout: secs(60),
            disposition: DispositionMode::Optional,
            agent_reconnect_grace: secs(15),
            voice_exclusive: true,
            ageing: None,
            sticky: Sticky::default(),
        },
        queue_policies: BTreeMap::new(),
        reason_codes: ["lunch", "break", "rona", "media"].map(ReasonCode::from).to_vec(),
        dispositions: vec![Disposition { id: "solved".into(), name: "Solved".into() }],
        limits: Limits { max_open_contacts: 1000, max_agents: 100 },
    }
}

pub fn agent(id: &str) -> AgentConfig {
    AgentConfig {
        id: id.into(),
        name: id.to_uppercase(),
        queues: vec!["general".into()],
        skills: BTreeMap::new(),
        can_reject: true,
        voice_slots: 1,
        chat_slots: 2,
    }
}

pub const WELL: Health = Health { tab: true, microphone: true, media: true };

pub fn customer(number: u32) -> Customer {
    Customer {
        name: "Rosa Ortiz".into(),
        number: format!("+1916555{number:04}"),
        number_key: format!("key-{number}"),
        customer_id: None,
        verified: true,
        number_proven: false,
        language: "es".into(),
        page: None,
        context: BTreeMap::new(),
    }
}

pub struct World {
    pub core: Core,
    pub now: Timestamp,
    pub seed: u64,
    /// The ledger: open and closed contacts as last saved.
    pub rows: BTreeMap<ContactId, Contact>,
    pub agents: BTreeMap<AgentId, AgentRecord>,
    pub facts: Vec<(ContactId, Fact)>,
    fact_times: Vec<Timestamp>,
    pub presences: Vec<(AgentId, Presence)>,
    /// Deeds of the last event only.
    pub deeds: Vec<Deed>,
    pub all: Vec<Output>,
    pub keep_all: bool,
    /// Outputs of the last drain.
    pub drained: usize,
    commands: BTreeSet<CommandId>,
    /// Every question for a channel, in order, with the contact it was asked for.
    pub questions: Vec<(ContactId, CommandId)>,
}

impl World {
    pub fn new(config: TenantConfig, agents: &[AgentConfig]) -> Self {
        let start = Start {
            seed: 1,
            config,
            agent_configs: agents.to_vec(),
            contacts: vec![],
            agents: vec![],
            past_waits: vec![],
            guards: vec![],
        };
        Self::start(MORNING, start)
    }

    pub fn start(now: Timestamp, start: Start) -> Self {
        let seed = start.seed;
        let mut world = Self {
            core: Core::restore(now, start),
            now,
            seed,
            rows: BTreeMap::new(),
            agents: BTreeMap::new(),
            facts: vec![],
            fact_times: vec![],
            presences: vec![],
            deeds: vec![],
            all: vec![],
            keep_all: false,
            drained: 0,
            commands: BTreeSet::new(),
            questions: vec![],
        };
        world.drain();
        world
    }

    /// One agent, `anna`, ready; the default tenant.
    pub fn with_anna() -> Self {
        let mut world = Self::new(config(), &[agent("anna")]);
        world.ready("anna");
        world
    }

    /// The process dies and starts again from the rows.
    pub fn restart(&mut self) {
        let seed = self.seed + 1;
        let open = |contact: &&Contact| !matches!(contact.state, ContactState::Closed { .. });
        let start = Start {
            seed,
            config: self.core.config().clone(),
            agent_configs: self.core.agent_configs().cloned().collect(),
            contacts: self.rows.values().filter(open).cloned().collect(),
            agents: self.agents.values().cloned().collect(),
            past_waits: self.past_waits(),
            guards: self.guards(),
        };
        let text = serde_json::to_string(&start).unwrap();
        let read: Start = serde_json::from_str(&text).unwrap();
        assert_eq!(read, start, "a start survives its journal");
        self.seed = seed;
        self.core = Core::restore(self.now, read);
        self.drain();
    }

    /// Those of the chats' rooms that are still open after a restart.
    pub fn surviving(&self, rooms: BTreeMap<ContactId, AgentId>) -> BTreeMap<ContactId, AgentId> {
        let alive = |id: &ContactId| {
            let segment = self.core.contact(*id).and_then(Contact::open_segment);
            segment.is_some_and(|segment| matches!(segment.state, SegmentState::Connected { .. }))
        };
        rooms.into_iter().filter(|(id, _)| alive(id)).collect()
    }

    /// What the ledger has of earlier waits.
    /// Numbers that may still be in a call of a closed contact, as the ledger's facts have them.
    pub fn guards(&self) -> Vec<NumberGuard> {
        let guard = |(contact, fact): &(ContactId, Fact)| match fact {
            Fact::NumberGuarded { until } if *until > self.now => {
                Some(NumberGuard { number_key: self.rows[contact].customer.number_key.clone(), until: *until })
            }
            _ => None,
        };
        self.facts.iter().filter_map(guard).collect()
    }

    pub fn past_waits(&self) -> Vec<PastWait> {
        let facts = self.facts.iter().zip(&self.fact_times);
        let seen = |((id, fact), at): (&(ContactId, Fact), &Timestamp)| {
            let contact = &self.rows[id];
            let (queue, subject) = (contact.queue.clone(), contact.subject.clone());
            Some(PastWait { at: *at, queue, subject, channel: contact.channel, seen: fact.seen()? })
        };
        facts.filter_map(seen).collect()
    }

    /// Takes the outputs as the engine does, checking their order.
    pub fn drain(&mut self) {
        self.deeds.clear();
        self.drained = 0;
        let (mut saved, mut saved_agents) = (BTreeSet::new(), BTreeSet::new());
        while let Some(output) = self.core.poll_output() {
            self.drained += 1;
            if self.keep_all {
                self.all.push(output.clone());
            }
            match output {
                Output::Change(change) => {
                    assert!(self.deeds.is_empty(), "changes come before commands");
                    match change {
                        Change::ContactSaved { contact } => {
                            assert!(saved.insert(contact.id), "a contact is saved once per drain");
                            self.rows.insert(contact.id, *contact);
                        }
                        Change::AgentSaved { agent } => {
                            assert!(saved_agents.insert(agent.id.clone()), "an agent is saved once per drain");
                            self.agents.insert(agent.id.clone(), agent);
                        }
                        Change::ContactFact { contact, at, fact } => {
                            self.facts.push((contact, fact));
                            self.fact_times.push(at);
                        }
                        Change::PresenceChanged { agent, presence, .. } => self.presences.push((agent, presence)),
                    }
                }
                Output::Command(command) => {
                    assert!(self.commands.insert(command.id), "command ids never repeat");
                    if let Deed::ReserveChannel { contact, .. } = command.deed {
                        self.questions.push((contact, command.id));
                    }
                    self.deeds.push(command.deed);
                }
            }
        }
        self.core.check();
        self.check_rows();
        self.check_slots();
    }

    /// Whoever has just been offered something has room for all of its medium that is in hand, counted from the records. Of the
    /// other medium there may be more: slots can be taken away from under a call.
    fn check_slots(&self) {
        for deed in &self.deeds {
            let Deed::PresentOffer { agent, contact, channel, .. } = deed else { continue };
            if self.core.contact(*contact).and_then(Contact::open_segment).is_none() {
                continue; // Withdrawn again within the drain.
            }
            let profile = self.core.agent_configs().find(|config| config.id == *agent).expect("who is offered exists");
            let held = |medium: Medium| {
                let of = self.core.contacts().filter(|contact| contact.channel.medium() == medium);
                let mine = |segment: &&Segment| segment.agent == *agent && !segment.is_done();
                of.flat_map(|contact| &contact.segments).filter(mine).count()
            };
            let (calls, chats) = (held(Medium::Voice), held(Medium::Text));
            match channel.medium() {
                Medium::Voice => assert!(calls <= usize::from(profile.voice_slots)),
                Medium::Text => assert!(chats <= usize::from(profile.chat_slots)),
            }
            assert!(!self.core.config().policy.voice_exclusive || calls == 0 || chats == 0, "a call excludes chats");
        }
    }

    /// What is committed is what is in memory: nothing may change without being saved.
    fn check_rows(&self) {
        let mut open = 0;
        for contact in self.core.contacts() {
            open += 1;
            assert_eq!(self.rows.get(&contact.id), Some(contact), "the row is the record");
            let agent = |id: &AgentId| assert_eq!(self.agents.get(id), self.core.agent(id), "the agent's row");
            contact.segments.iter().filter(|segment| !segment.is_done()).for_each(|segment| agent(&segment.agent));
        }
        let closed = |contact: &&Contact| matches!(contact.state, ContactState::Closed { .. });
        assert_eq!(open, self.rows.len() - self.rows.values().filter(closed).count(), "no open contact is lost");
    }

    pub fn take(&mut self, event: Event) -> Result<Receipt, Rejection> {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "an event survives its journal");
        let answer = self.core.handle(self.now, event);
        self.drain();
        assert!(answer.is_ok() || self.drained == 0, "a refused event changes nothing");
        answer
    }

    /// Takes an event that must be accepted.
    pub fn ok(&mut self, event: Event) -> Receipt {
        self.take(event.clone()).unwrap_or_else(|why| panic!("{event:?}: {why}"))
    }

    /// Time passes, every timer firing at its own moment. The deeds of all of it are kept.
    pub fn pass(&mut self, span: Millis) {
        let end = self.now + span;
        let mut deeds = Vec::new();
        while let Some(due) = self.core.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.core.handle_timeout(self.now);
            self.drain();
            deeds.append(&mut self.deeds);
        }
        self.now = end;
        self.deeds = deeds;
    }

    pub fn ready(&mut self, agent: &str) {
        self.connect(agent);
        self.ok(Event::AgentStateRequested { agent: agent.into(), state: RequestedState::Ready });
    }

    pub fn connect(&mut self, agent: &str) {
        let session = session(agent);
        self.ok(Event::AgentConnected { agent: agent.into(), session: session.clone() });
        self.ok(Event::AgentHealth { agent: agent.into(), session, health: WELL });
    }

    pub fn request(&mut self, number: u32) -> ContactId {
        match self.ok(requested(number)) {
            Receipt::CallbackQueued { contact, .. } => contact,
            other => panic!("{other:?}"),
        }
    }

    /// A call that rings, its answer commanded.
    pub fn arriving(&mut self, number: u32) -> ContactId {
        self.ok(arrived(LegId(u128::from(number) + 500), OUR_NUMBER, number));
        let answered = self.deeds.iter().find_map(|deed| match deed {
            Deed::AnswerLeg { contact, .. } => Some(*contact),
            _ => None,
        });
        answered.expect("the call is answered")
    }

    /// A caller who has heard the greeting.
    pub fn called(&mut self, number: u32) -> ContactId {
        let contact = self.arriving(number);
        self.ok(Event::LegAnswered { leg: self.leg(contact) });
        self.ok(Event::PromptFinished { leg: self.leg(contact), heard: Some("greeting en 1".into()) });
        contact
    }

    pub fn chat(&mut self, number: u32) -> ContactId {
        match self.ok(chat_requested(number)) {
            Receipt::ChatQueued { contact, .. } => contact,
            other => panic!("{other:?}"),
        }
    }

    pub fn chatting(&mut self, number: u32) -> ContactId {
        let contact = self.chat(number);
        self.accept(contact);
        contact
    }

    pub fn grant(&mut self, contact: ContactId) {
        self.ok(Event::ChannelGranted { contact, trunk: "carrier".into(), answers: None });
    }

    /// The latest question for the contact's channel.
    pub fn question(&self, contact: ContactId) -> CommandId {
        let mut asked = self.questions.iter().rev();
        asked.find(|(of, _)| *of == contact).expect("a channel was asked for").1
    }

    /// A queued contact with its channel granted and its offer made.
    pub fn offered(&mut self, number: u32) -> ContactId {
        let contact = self.request(number);
        self.grant(contact);
        assert!(matches!(self.segment(contact).state, SegmentState::Offered { .. }));
        contact
    }

    pub fn accept(&mut self, contact: ContactId) {
        let segment = self.segment(contact);
        self.ok(Event::OfferAccepted { agent: segment.agent, offer: segment.offer });
    }

    pub fn dialling(&mut self, number: u32) -> ContactId {
        let contact = self.offered(number);
        self.accept(contact);
        contact
    }

    pub fn announcing(&mut self, number: u32) -> ContactId {
        let contact = self.dialling(number);
        let leg = self.leg(contact);
        self.ok(Event::LegRinging { leg });
        self.ok(Event::LegAnswered { leg });
        contact
    }

    pub fn connected(&mut self, number: u32) -> ContactId {
        let contact = self.announcing(number);
        self.ok(Event::PromptFinished { leg: self.leg(contact), heard: None });
        assert!(matches!(self.segment(contact).state, SegmentState::Connected { .. }));
        contact
    }

    pub fn row(&self, contact: ContactId) -> &Contact {
        &self.rows[&contact]
    }

    /// The contact's last segment.
    pub fn segment(&self, contact: ContactId) -> Segment {
        self.row(contact).segments.last().expect("a segment").clone()
    }

    /// The leg of the contact's last attempt.
    pub fn leg(&self, contact: ContactId) -> LegId {
        self.row(contact).attempts.last().expect("an attempt").leg
    }

    pub fn presence(&self, agent: &str) -> Presence {
        self.core.agent_view(self.now, &agent.into()).expect("the agent").presence
    }

    pub fn state(&self, agent: &str) -> AgentState {
        self.core.agent(&agent.into()).expect("the agent").state.clone()
    }

    pub fn outcome(&self, contact: ContactId) -> Option<Outcome> {
        match self.row(contact).state {
            ContactState::Closed { outcome } => Some(outcome),
            _ => None,
        }
    }

    pub fn is_queued(&self, contact: ContactId) -> bool {
        matches!(self.row(contact).state, ContactState::Queued { .. })
    }

    pub fn due(&self, contact: ContactId) -> Option<Timestamp> {
        match self.row(contact).state {
            ContactState::Scheduled { due } => Some(due),
            _ => None,
        }
    }

    pub fn did(&self, wanted: impl Fn(&Deed) -> bool) -> bool {
        self.deeds.iter().any(wanted)
    }

    pub fn had(&self, contact: ContactId, wanted: impl Fn(&Fact) -> bool) -> bool {
        self.facts.iter().any(|(id, fact)| *id == contact && wanted(fact))
    }
}

pub fn session(agent: &str) -> SessionId {
    SessionId::new(format!("tab-{agent}"))
}

pub fn requested(number: u32) -> Event {
    Event::CallbackRequested {
        request: CallbackRequest {
            customer: customer(number),
            subject: None,
            status_token_digest: Some(format!("digest-{number}")),
            when_open: false,
            slot: None,
            accept_wait: false,
            preferred: None,
        },
    }
}

pub fn arrived(leg: LegId, dialled: &str, number: u32) -> Event {
    let (customer, callable) = (customer(number), true);
    let call = CallArrival { leg, trunk: "carrier".into(), number: dialled.into(), customer, callable, visit: None };
    Event::CallArrived { call }
}

/// A visit of a page about the tenant's last subject.
pub fn visit(number: u32) -> Visit {
    let blank = Customer { number: String::new(), number_key: String::new(), ..customer(number) };
    Visit { customer: Customer { customer_id: Some("C-1".into()), ..blank }, subject: Some("claim".into()) }
}

pub fn chat_requested(number: u32) -> Event {
    let status_token_digest = Some(format!("chat-digest-{number}"));
    let (customer, subject, preferred) = (customer(number), None, None);
    Event::ChatRequested { request: ChatRequest { customer, subject, status_token_digest, preferred } }
}

pub fn cancelled(contact: ContactId) -> Event {
    Event::CallbackCancelled { contact, by: CancelledBy::Customer }
}

pub fn not_ready(reason: &str) -> AgentState {
    AgentState::NotReady { reason: reason.into() }
}

#[macro_export]
macro_rules! assert_did {
    ($world:expr, $pattern:pat $(if $guard:expr)?) => {
        assert!(
            $world.did(|deed| matches!(deed, $pattern $(if $guard)?)),
            "no {} among {:#?}", stringify!($pattern), $world.deeds
        )
    };
}
