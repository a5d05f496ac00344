//! Random days: every event at every moment, garbage included, with crashes, clock jumps and changes of the
//! configuration. After each event every invariant holds inside and outside the core; at the end of each day a world
//! that behaves well brings every contact to its end. `RINGBACK_SEEDS` sets how many days each test lives through.

use std::collections::BTreeMap;

use crate::world::{engine::Engine, *};
use chrono::NaiveTime;
use ringback_routing::{agent::*, config::*, contact::*, event::*, ids::*, output::*, time::*};

const EVENTS: u32 = 1000;
const AGENTS: [&str; 5] = ["anna", "ben", "chris", "dora", "emil"];

struct Day {
    world: World,
    engine: Engine,
    dice: u64,
}

impl Day {
    fn new(seed: u64) -> Self {
        let mut day = Self { world: World::new(config(), &[]), engine: Engine::default(), dice: seed };
        let config = day.some_config();
        day.world = World::new(config, &AGENTS.map(agent)[..4]);
        day.engine.carry_out(&day.world.deeds.clone());
        day
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.roll(from.len() as u64) as usize].clone())
    }

    fn some_config(&mut self) -> TenantConfig {
        let mut config = config();
        config.version = self.roll(1000);
        config.callback.press_one = self.roll(3) == 0;
        config.callback.max_attempts = self.roll(4) as u32;
        config.callback.enabled = self.roll(20) > 0;
        config.subjects[0].targets = self.some_targets();
        let timeout = secs(self.roll(60) as i64);
        config.subjects[0].overflow = (self.roll(3) == 0).then(|| Overflow { number: "+19165550400".into(), timeout });
        if self.roll(4) == 0 {
            let mut own = config.policy.of_queue();
            own.offer_timeout = secs(1 + self.roll(30) as i64);
            own.on_no_answer.priority = (self.roll(2) == 0).then(|| self.roll(9) as u8);
            config.queue_policies.insert("general".into(), own);
        }
        config.policy.ageing = (self.roll(2) == 0).then(|| secs(self.roll(300) as i64));
        config.policy.sticky = Sticky { enabled: self.roll(2) == 0, timeout: secs(self.roll(60) as i64) };
        if self.roll(3) == 0 {
            config.language_skills.insert("es".into(), ("spanish".into(), 2));
        }
        config.chat.enabled = self.roll(8) > 0;
        config.chat.reconnect_grace = secs(self.roll(3) as i64 * 20);
        config.chat.idle_timeout = secs(30 + self.roll(2000) as i64);
        config.policy.voice_exclusive = self.roll(4) > 0;
        config.policy.disposition =
            [DispositionMode::None, DispositionMode::Optional, DispositionMode::Required][self.roll(3) as usize];
        config.policy.wrap_up_timeout = secs(self.roll(3) as i64 * 20);
        config.policy.agent_reconnect_grace = secs(self.roll(3) as i64 * 10);
        config.policy.on_media_error.cool_off = secs(self.roll(2) as i64 * 30);
        if self.roll(3) == 0 {
            config.policy.on_no_answer.not_ready = None;
            config.policy.on_reject.not_ready = None;
        }
        config.outbound = self.roll(6) > 0;
        config.tell_code = self.roll(2) == 0;
        config.inbound.announce_every = secs(self.roll(3) as i64 * 20);
        config.inbound.offer_callback = self.roll(2) == 0;
        if self.roll(2) == 0 {
            let choice =
                |digit, subject: Option<&str>| Choice { digit, subject: subject.map(Into::into), language: None };
            let choices = vec![choice('1', Some("benefits")), choice('2', Some("claim")), choice('7', None)];
            let tries = self.roll(4) as u8;
            config.inbound.numbers[0].menu = Some(Menu { choices, timeout: secs(self.roll(3) as i64 * 5), tries });
        }
        if self.roll(3) == 0 {
            let tries = 1 + self.roll(3) as u8;
            config.inbound.numbers[0].code =
                Some(AccessCode { digits: 2, tries, timeout: secs(self.roll(3) as i64 * 5) });
        }
        config.limits.max_open_contacts = 5 + self.roll(30) as usize;
        if self.roll(2) == 0 {
            config.queues.push(QueueConfig { id: "claims".into(), name: "Claims".into() });
            let targets = self.some_targets();
            config.subjects.push(SubjectConfig {
                id: "claim".into(),
                name: "Claim".into(),
                queue: if self.roll(2) == 0 { "claims".into() } else { "general".into() },
                targets,
                priorities: Priorities { initial: 4, overflow: 3, rona: 1 },
                overflow: None,
            });
        }
        if self.roll(4) == 0 {
            let time = |hour| NaiveTime::from_hms_opt(hour, 30, 0).unwrap();
            let week: Vec<_> = config.hours.week.iter().map(|open| open.day).collect();
            config.hours.week = week.iter().map(|&day| OpenInterval { day, from: time(9), to: time(12) }).collect();
            config.hours.week.extend(week.iter().map(|&day| OpenInterval { day, from: time(22), to: time(1) }));
        }
        config
    }

    fn some_targets(&mut self) -> Vec<Target> {
        (0..self.roll(4))
            .map(|_| {
                let timeout = secs(self.roll(200) as i64);
                match self.roll(4) {
                    0 => Target { timeout, ..Target::default() },
                    1 => Target { timeout, ..Target::skill("tax", 1 + self.roll(9) as u8) },
                    _ => Target { timeout, ..Target::skill("spanish", 1 + self.roll(9) as u8) },
                }
            })
            .collect()
    }

    fn some_agent(&mut self) -> AgentConfig {
        let name = self.agent();
        let mut config = agent(name.as_str());
        config.can_reject = self.roll(4) > 0;
        config.voice_slots = [0, 1, 1, 1, 2][self.roll(5) as usize];
        config.chat_slots = [0, 1, 2, 2, 3][self.roll(5) as usize];
        if self.roll(2) == 0 {
            config.queues.push("claims".into());
        }
        if self.roll(2) == 0 {
            config.skills.insert("spanish".into(), self.roll(6) as u8);
        }
        config
    }

    fn agent(&mut self) -> AgentId {
        let index = self.roll(AGENTS.len() as u64 * 8) as usize;
        if index == 39 { "nobody".into() } else { AGENTS[index % AGENTS.len()].into() }
    }

    fn session(&mut self, agent: &AgentId) -> SessionId {
        let present = self.world.core.agent(agent).and_then(|record| record.session.clone());
        match (self.roll(4), present) {
            (0, _) | (_, None) => SessionId::new(format!("tab-{}", self.roll(4))),
            (_, Some(session)) => session,
        }
    }

    fn contact(&mut self) -> ContactId {
        let mut open: Vec<_> = self.world.core.contacts().map(|contact| contact.id).collect();
        if self.roll(30) == 0 {
            open = self.world.rows.keys().copied().chain([ContactId(77)]).collect();
        }
        self.pick(&open).unwrap_or(ContactId(9))
    }

    fn leg(&mut self) -> LegId {
        let mut legs: Vec<_> = self.engine.legs.keys().copied().collect();
        match self.roll(20) {
            2..=7 if !self.engine.thirds.is_empty() => legs = self.engine.thirds.keys().copied().collect(),
            0 => legs = self.world.rows.values().flat_map(|row| row.attempts.iter().map(|a| a.leg)).collect(),
            1 => legs = self.engine.attached.keys().copied().collect(),
            _ => {}
        }
        self.pick(&legs).unwrap_or(LegId(3))
    }

    fn offer(&mut self) -> (OfferId, AgentId) {
        let standing: Vec<_> = self.engine.offers.iter().map(|(offer, (_, agent))| (*offer, agent.clone())).collect();
        let (offer, agent) = self.pick(&standing).unwrap_or((OfferId(1), "anna".into()));
        if self.roll(20) == 0 { (offer, self.agent()) } else { (offer, agent) }
    }

    fn segment(&mut self) -> (SegmentId, AgentId) {
        let open = self.world.core.contacts().filter_map(|contact| contact.open_segment());
        let open: Vec<_> = open.map(|segment| (segment.id, segment.agent.clone())).collect();
        self.pick(&open).unwrap_or((SegmentId(5), "ben".into()))
    }

    fn talking(&mut self) -> (ContactId, AgentId) {
        let talks = self.talks();
        if self.roll(3) > 0
            && let Some(found) = self.pick(&talks)
        {
            return found;
        }
        let contacts = self.world.core.contacts();
        let open = contacts.filter_map(|contact| Some((contact.id, contact.open_segment()?.agent.clone())));
        let open: Vec<_> = open.collect();
        self.pick(&open).unwrap_or((ContactId(5), "ben".into()))
    }

    /// Calls in conversation, with their agents.
    fn talks(&self) -> Vec<(ContactId, AgentId)> {
        let calls = self.world.core.contacts().filter(|contact| contact.channel != Channel::Chat);
        calls.filter_map(|contact| Some((contact.id, contact.talking_segment()?.agent.clone()))).collect()
    }

    /// What agents do with a call they have: pass it on, bring somebody in, go on with that.
    fn call_control_event(&mut self, contact: ContactId, agent: AgentId) -> Event {
        use ConsultationStep::*;
        let step = [Back, Join, Join, Complete][self.roll(4) as usize];
        match self.roll(6) {
            0 => {
                let to = match self.roll(3) {
                    0 => TransferTarget::Agent { agent: self.agent() },
                    1 => TransferTarget::Subject { subject: "benefits".into() },
                    _ => TransferTarget::Queue { queue: self.pick(&["general".into(), "claims".into()]).unwrap() },
                };
                let note = (self.roll(2) == 0).then(|| "knows the case".to_owned());
                Event::CallTransferRequested { agent, contact, to, note }
            }
            1 | 2 => {
                let number = "+19165550300".to_owned();
                let with = match self.roll(3) {
                    0 => Consulted::Outside { number, at_once: self.roll(2) == 0 },
                    _ => Consulted::Agent { agent: self.agent() },
                };
                Event::ConsultationRequested { agent, contact, with, note: None }
            }
            _ => Event::ConsultationStepped { agent, contact, step },
        }
    }

    fn customers_event(&mut self) -> Event {
        let contact = self.contact();
        match self.roll(10) {
            8 | 9 => {
                let fresh = LegId(1000 + u128::from(self.roll(1 << 40)));
                let known: Vec<_> = self.engine.legs.keys().copied().collect();
                let leg = if self.roll(20) == 0 { self.pick(&known).unwrap_or(fresh) } else { fresh };
                let number = if self.roll(20) == 0 { "+19165559999" } else { OUR_NUMBER };
                arrived(leg, number, self.roll(12) as u32)
            }
            0 => Event::CallbackCancelled { contact, by: CancelledBy::Customer },
            1 if self.roll(2) == 0 => {
                let number = self.roll(12);
                let customer = customer(number as u32);
                Event::CallbackNumberChanged { contact, number: customer.number, number_key: customer.number_key }
            }
            _ => {
                let number = self.roll(12);
                let subjects = [None, None, Some("benefits".into()), Some("claim".into()), Some("nothing".into())];
                let Event::CallbackRequested { mut request } = requested(number as u32) else { unreachable!() };
                request.subject = self.pick(&subjects).flatten();
                request.when_open = self.roll(2) == 0;
                request.preferred = (self.roll(3) == 0).then(|| self.agent());
                Event::CallbackRequested { request }
            }
        }
    }

    fn chats_event(&mut self) -> Event {
        let contact = self.chat_contact();
        match self.roll(14) {
            0..=3 => {
                let number = self.roll(12);
                let Event::ChatRequested { mut request } = chat_requested(number as u32) else { unreachable!() };
                request.subject = self.pick(&[None, Some("benefits".into()), Some("claim".into())]).flatten();
                request.preferred = (self.roll(3) == 0).then(|| self.agent());
                Event::ChatRequested { request }
            }
            4 | 5 => Event::ChatActivity { contact },
            6 => Event::ChatCustomerGone { contact },
            7 => Event::ChatCustomerBack { contact },
            8 => Event::ChatEnded { contact, by: ChatEnd::Customer },
            9 => {
                let (contact, agent) = self.talking();
                Event::ChatEnded { contact, by: ChatEnd::Agent { agent } }
            }
            10 => {
                let customer = customer(self.roll(12) as u32);
                Event::ChatCallbackChosen { contact, number: customer.number, number_key: customer.number_key }
            }
            11 => {
                let ((contact, agent), customer) = (self.talking(), customer(self.roll(12) as u32));
                let (number, number_key) = (customer.number, customer.number_key);
                Event::ChatCallRequested { agent, contact, number, number_key }
            }
            _ => {
                let (contact, agent) = self.talking();
                let queue = self.pick(&["general".into(), "claims".into(), "nowhere".into()]).unwrap();
                let to = match self.roll(3) {
                    0 => TransferTarget::Agent { agent: self.agent() },
                    _ => TransferTarget::Queue { queue },
                };
                Event::ChatTransferRequested { agent, contact, to }
            }
        }
    }

    fn chat_contact(&mut self) -> ContactId {
        let chats = self.world.core.contacts().filter(|contact| contact.channel == Channel::Chat);
        let chats: Vec<_> = chats.map(|contact| contact.id).collect();
        if self.roll(20) == 0 { self.contact() } else { self.pick(&chats).unwrap_or(ContactId(8)) }
    }

    fn agents_event(&mut self) -> Event {
        let agent = self.agent();
        let session = self.session(&agent);
        match self.roll(17) {
            16 => {
                let customer = customer(self.roll(12) as u32);
                let subject = self.pick(&[None, Some("benefits".into()), Some("claim".into())]).flatten();
                Event::OutboundRequested { agent, request: OutboundRequest { customer, subject } }
            }
            0..=2 => Event::AgentConnected { agent, session },
            3 => Event::AgentDisconnected { agent, session },
            4..=6 => Event::AgentHealth { agent, session, health: WELL },
            7 => {
                let health = Health { tab: self.roll(2) == 0, microphone: self.roll(2) == 0, media: self.roll(2) == 0 };
                Event::AgentHealth { agent, session, health }
            }
            8 => Event::AgentMediaLost { agent, session },
            9..=12 => Event::AgentStateRequested { agent, state: RequestedState::Ready },
            13 => Event::AgentStateRequested { agent, state: RequestedState::Offline },
            14 => {
                let reason = if self.roll(5) == 0 { "no such" } else { "lunch" };
                Event::AgentStateRequested { agent, state: RequestedState::NotReady { reason: reason.into() } }
            }
            _ => self.desk_event(),
        }
    }

    fn desk_event(&mut self) -> Event {
        let (contact, agent) = self.talking();
        let (segment, owner) = self.segment();
        match self.roll(14) {
            8..=13 => self.call_control_event(contact, agent),
            0 | 1 => Event::HoldRequested { agent, contact, hold: self.roll(2) == 0 },
            2 => Event::HangUpRequested { agent, contact },
            3 => Event::WrapUpExtended { agent: owner, segment, by: secs(self.roll(40) as i64 - 5) },
            _ => {
                let codes = [vec![], vec!["solved".into()], vec!["unknown".into()]];
                let dispositions = self.pick(&codes).unwrap_or_default();
                Event::WrapUpFinished { agent: owner, segment, dispositions, note: None }
            }
        }
    }

    fn lines_event(&mut self) -> Event {
        let leg = self.leg();
        match self.roll(12) {
            0 => Event::LegRinging { leg },
            1 => Event::CarrierDeclined { leg, status: Some(405) },
            2..=5 => Event::LegAnswered { leg },
            6 => {
                use AttemptResult::*;
                let result = [Busy, NoAnswer, Rejected, Unreachable, Failed, Cancelled, Connected];
                Event::LegFailed { leg, result: result[self.roll(7) as usize], sip_status: Some(486) }
            }
            7 => Event::LegEnded { leg },
            8 | 9 => {
                let playing: Vec<_> = self.engine.prompts.iter().copied().collect();
                Event::PromptFinished { leg: self.pick(&playing).unwrap_or(leg), heard: None }
            }
            10 if self.roll(3) == 0 => {
                let visit = (self.roll(2) == 0).then(|| Box::new(visit(self.roll(12) as u32)));
                Event::CodeChecked { leg, visit }
            }
            10 => Event::DtmfReceived { leg, digit: if self.roll(2) == 0 { '1' } else { '7' } },
            _ => {
                let done = std::mem::take(&mut self.engine.recorded);
                let (leg, recording) = self.pick(&done).unwrap_or((leg, RecordingId(4)));
                Event::RecordingFinished { leg, recording }
            }
        }
    }

    fn channel_event(&mut self) -> Event {
        let asked = self.engine.asked.clone();
        let any = self.contact();
        if self.roll(12) == 0
            && let Some((contact, answers)) = self.outdated_question()
        {
            return Event::ChannelGranted { contact, trunk: "carrier".into(), answers: Some(answers) };
        }
        let contact = if self.roll(15) == 0 { any } else { self.pick(&asked).unwrap_or(any) };
        if self.roll(4) > 0 {
            let answers = (self.roll(2) == 0 && asked.contains(&contact)).then(|| self.world.question(contact));
            return Event::ChannelGranted { contact, trunk: "carrier".into(), answers };
        }
        use DenialReason::*;
        let reason = [AllBusy, TrunksDown, NumberInCall, Draining, NotNow, NotAllowed][self.roll(6) as usize];
        Event::ChannelDenied { contact, answers: None, reason, retry_after: Millis(self.roll(5000) as i64) }
    }

    /// One that was taken back, or answered, and asked again.
    fn outdated_question(&mut self) -> Option<(ContactId, CommandId)> {
        let latest: BTreeMap<ContactId, CommandId> = self.world.questions.iter().copied().collect();
        let old = |(contact, id): &&(ContactId, CommandId)| latest.get(contact) != Some(id);
        let outdated: Vec<_> = self.world.questions.iter().rev().filter(old).take(50).copied().collect();
        self.pick(&outdated)
    }

    fn house_event(&mut self) -> Event {
        match self.roll(6) {
            0 | 1 => Event::TenantConfigured { config: Box::new(self.some_config()) },
            2 => Event::AgentRemoved { agent: self.agent() },
            3 => {
                let until = (self.roll(2) == 0).then(|| self.world.now + secs(600));
                Event::ClosureDeclared { closure: Closure { since: self.world.now, until, message: "Fire".into() } }
            }
            4 => Event::ClosureLifted,
            _ => Event::AgentConfigured { agent: self.some_agent() },
        }
    }

    fn step(&mut self) {
        let event = match self.roll(100) {
            0..=9 => self.customers_event(),
            10..=14 => self.chats_event(),
            15..=34 => self.agents_event(),
            35..=44 => self.channel_event(),
            45..=59 => {
                let (offer, agent) = self.offer();
                match self.roll(6) {
                    0 => Event::OfferDeclined { agent, offer },
                    _ => Event::OfferAccepted { agent, offer },
                }
            }
            60..=64 | 69..=79 => self.lines_event(),
            80..=83 | 65..=68 => self.desk_event(),
            84 | 85 => self.chats_event(),
            86 => self.house_event(),
            87..=97 => return self.let_time_pass(),
            98 if self.roll(4) == 0 => return self.crash(),
            _ => return self.jump(),
        };
        self.take(event);
    }

    fn take(&mut self, event: Event) {
        let outdated = matches!(&event, Event::ChannelGranted { contact, answers: Some(answered), .. }
            if self.world.question(*contact) != *answered);
        if let Event::ChannelGranted { contact, .. } | Event::ChannelDenied { contact, .. } = &event
            && !outdated
        {
            let unasked = !self.engine.asked.contains(contact);
            let held = self.engine.channels.contains(contact);
            // A trunk desk answers what was asked; a stray grant is one whose asking was taken back meanwhile.
            if matches!(event, Event::ChannelGranted { .. }) && unasked && !held {
                self.engine.channels.insert(*contact);
            } else if matches!(event, Event::ChannelDenied { .. }) && !unasked {
                self.engine.channels.remove(contact);
            }
            self.engine.asked.retain(|asked| asked != contact);
        }
        if let Event::OfferAccepted { offer, .. } = &event {
            let before = self.engine.offers.get(offer).cloned();
            self.engine.offers.remove(offer);
            if self.world.take(event.clone()).is_err()
                && let Some(before) = before
            {
                self.engine.offers.insert(*offer, before);
            }
        } else {
            let _ = self.world.take(event);
        }
        self.look();
    }

    fn look(&mut self) {
        self.engine.carry_out(&std::mem::take(&mut self.world.deeds));
        self.engine.check(&self.world);
    }

    fn let_time_pass(&mut self) {
        let span = Millis([50, 2_000, 20_000, 120_000, 3_600_000][self.roll(5) as usize]);
        let end = self.world.now + Millis(self.roll(span.0 as u64) as i64);
        while let Some(due) = self.world.core.next_deadline().filter(|due| *due <= end) {
            self.world.now = self.world.now.max(due);
            self.world.core.handle_timeout(self.world.now);
            self.world.drain();
            self.look();
        }
        self.world.now = end;
    }

    /// The clock is set forwards or backwards without the timers having been asked.
    fn jump(&mut self) {
        let by = Millis(self.roll(4_000_000) as i64);
        self.world.now = if self.roll(2) == 0 { self.world.now + by } else { self.world.now - by };
        self.world.core.handle_timeout(self.world.now);
        self.world.drain();
        self.look();
    }

    fn crash(&mut self) {
        self.world.restart();
        // Chats in hand outlive the process: their rooms are in the ledger.
        let rooms = std::mem::take(&mut self.engine.rooms);
        self.engine = Engine { rooms: self.world.surviving(rooms), ..Engine::default() };
        self.look();
    }

    /// Whatever the day has left behind, a world that does its part ends every contact.
    fn end_well(&mut self) {
        let mut config = config();
        config.hours.week = WEEK.map(|day| OpenInterval { day, from: NaiveTime::MIN, to: NaiveTime::MIN }).to_vec();
        config.queues.push(QueueConfig { id: "claims".into(), name: "Claims".into() });
        self.take(Event::ClosureLifted);
        self.take(Event::TenantConfigured { config: Box::new(config) });
        for name in AGENTS {
            let mut config = agent(name);
            config.queues.push("claims".into());
            config.skills.insert("spanish".into(), 10);
            config.skills.insert("tax".into(), 10);
            self.take(Event::AgentConfigured { agent: config });
        }
        for _ in 0..2000 {
            if self.world.core.contacts().next().is_none() {
                return;
            }
            self.serve();
            self.world.now = self.world.core.next_deadline().unwrap_or(self.world.now).max(self.world.now);
            self.world.core.handle_timeout(self.world.now);
            self.world.drain();
            self.look();
        }
        let left: Vec<_> = self.world.core.contacts().collect();
        panic!("stuck: {left:#?}");
    }

    fn serve(&mut self) {
        for name in AGENTS {
            let record = self.world.core.agent(&name.into()).unwrap().clone();
            if record.session.is_none() || !record.health.can_talk() {
                self.take(Event::AgentConnected { agent: name.into(), session: session(name) });
                self.take(Event::AgentHealth { agent: name.into(), session: session(name), health: WELL });
            }
            if record.state != AgentState::Ready {
                self.take(Event::AgentStateRequested { agent: name.into(), state: RequestedState::Ready });
            }
        }
        while let Some(contact) = self.engine.asked.first().copied() {
            self.take(Event::ChannelGranted { contact, trunk: "carrier".into(), answers: None });
        }
        for (offer, (_, agent)) in self.engine.offers.clone() {
            self.take(Event::OfferAccepted { agent, offer });
        }
        for contact in self.engine.rooms.clone().into_keys() {
            if self.roll(2) == 0 {
                self.take(Event::ChatEnded { contact, by: ChatEnd::Customer });
            }
        }
        for (contact, agent) in self.talks() {
            if self.roll(2) == 0 {
                let event = self.call_control_event(contact, agent);
                self.take(event);
            }
        }
        for leg in self.engine.thirds.clone().into_keys() {
            self.take(Event::LegAnswered { leg });
            if self.roll(3) == 0 {
                self.take(Event::LegEnded { leg });
            }
        }
        for leg in self.engine.legs.clone().into_keys() {
            self.take(Event::LegAnswered { leg });
            self.take(Event::PromptFinished { leg, heard: None });
            self.take(Event::DtmfReceived { leg, digit: '1' });
            if self.roll(2) == 0 {
                self.take(Event::LegEnded { leg });
            }
        }
    }
}

const WEEK: [chrono::Weekday; 7] = {
    use chrono::Weekday::*;
    [Mon, Tue, Wed, Thu, Fri, Sat, Sun]
};

fn seeds() -> u64 {
    std::env::var("RINGBACK_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(80)
}

fn live(seed: u64) -> Day {
    let mut day = Day::new(seed);
    day.world.keep_all = seed.is_multiple_of(10);
    for _ in 0..EVENTS {
        day.step();
    }
    day
}

fn live_through(seeds: impl Iterator<Item = u64>) {
    let (mut closed, mut talked, mut chatted, mut consulted) = (0, 0, 0, 0);
    for seed in seeds {
        let result = std::panic::catch_unwind(|| {
            let mut day = live(seed);
            day.end_well();
            if day.world.keep_all {
                let mut again = live(seed);
                again.end_well();
                assert_eq!(day.world.all, again.world.all, "the same day twice is the same");
            }
            let rows = day.world.rows.values();
            let spoke = rows.clone().filter(|row| row.attempts.iter().any(|attempt| attempt.bridged_at.is_some()));
            let wrote = |row: &&Contact| row.chat.is_some() && row.segments.iter().any(|s| s.connected_at.is_some());
            let asked = day.world.facts.iter().filter(|(_, fact)| {
                matches!(fact, Fact::ThirdJoined { .. } | Fact::HandedOver { .. } | Fact::ThirdLeft { .. })
            });
            (rows.len(), spoke.count(), rows.clone().filter(wrote).count(), asked.count())
        });
        let (rows, spoke, wrote, asked) = result.unwrap_or_else(|_| panic!("seed {seed}"));
        closed += rows;
        talked += spoke;
        chatted += wrote;
        consulted += asked;
    }
    assert!(closed > 0 && talked > 0 && chatted > 0 && consulted > 0, "days in which nothing happens show nothing");
}

#[test]
fn even_days() {
    live_through((0..seeds()).map(|seed| seed * 2));
}

#[test]
fn odd_days() {
    live_through((0..seeds()).map(|seed| seed * 2 + 1));
}

#[test]
fn a_crash_after_every_event_loses_nothing() {
    for seed in 0..seeds() / 10 + 1 {
        let mut day = Day::new(seed);
        for _ in 0..200 {
            day.step();
            day.crash();
        }
        day.end_well();
    }
}

#[test]
fn deeds_are_seen_by_the_model() {
    let mut engine = Engine::default();
    engine.carry_out(&[Deed::ReserveChannel { contact: ContactId(1), number_key: "k".into(), trunks: vec![] }]);
    let leaking = std::panic::catch_unwind(|| engine.check(&World::with_anna()));
    assert!(leaking.is_err(), "a channel without a contact is noticed");
}
