//! What customers, agents and administrators do, and when their plans come due.

use ringback_routing::{
    agent::{AgentState, Health, RequestedState},
    contact::*,
    event::*,
    ids::*,
    output::{Change, Fact},
    time::Timestamp,
};

use super::{
    Checked, Fault,
    agenda::{Agenda, Plan},
    dice::{Dice, key},
    site::{Site, Tenant},
};

const WELL: Health = Health { tab: true, microphone: true, media: true };

/// An agent as a person, with a browser.
pub struct Person {
    pub id: AgentId,
    tab: u32,
    session: Option<SessionId>,
    /// The next whim; planned ones before it are forgotten.
    whim_at: Timestamp,
}

impl Person {
    pub fn new(id: AgentId) -> Self {
        Self { id, tab: 0, session: None, whim_at: Timestamp::from_millis(i64::MAX) }
    }

    fn new_tab(&mut self) -> SessionId {
        self.tab += 1;
        let session = SessionId::new(format!("{}-tab-{}", self.id, self.tab));
        self.session = Some(session.clone());
        session
    }

    pub fn crashed(&mut self) {
        self.session = None;
        self.whim_at = Timestamp::from_millis(i64::MAX);
    }
}

impl Tenant {
    /// Plans an agent's next whim, unless one is planned for sooner.
    pub fn plan_whim(&mut self, at: Timestamp, index: usize, who: usize, agenda: &mut Agenda) {
        let person = &mut self.people[who];
        if at < person.whim_at {
            person.whim_at = at;
            agenda.push(at, index, Plan::Whim(who));
        }
    }

    /// What people do because of what happened.
    pub fn react(&mut self, now: Timestamp, index: usize, change: &Change, dice: &mut Dice, agenda: &mut Agenda) {
        match change {
            Change::AgentSaved { agent } => {
                let well = agent.state == AgentState::Ready && agent.session.is_some() && agent.health.can_talk();
                if let Some(&who) = self.index_of.get(&agent.id).filter(|_| !well) {
                    let after = if dice.one_in(4) { dice.seconds(60, 900) } else { dice.seconds(1, 60) };
                    self.plan_whim(now + after, index, who, agenda);
                }
            }
            Change::ContactFact { contact, fact: Fact::ConversationEnded { .. }, .. } if dice.percent(85) => {
                agenda.push(now + dice.seconds(2, 50), index, Plan::WrapUp(*contact));
            }
            _ => {}
        }
    }
}

impl Site {
    /// The first plans of a tenant's day.
    pub fn plan_day(&mut self, index: usize) {
        let now = self.now;
        for who in 0..self.tenants[index].people.len() {
            let at = now + self.dice.seconds(0, 300);
            self.tenants[index].plan_whim(at, index, who, &mut self.agenda);
        }
        for (plan, least, most) in [(Plan::Arrive, 0, 10), (Plan::House, 60, 900), (Plan::Crash, 300, 3600)] {
            self.agenda.push(now + self.dice.seconds(least, most), index, plan);
        }
        if index == 0 && self.dice.one_in(2) {
            self.agenda.push(now + self.dice.seconds(60, 3600), index, Plan::Jump);
        }
    }

    /// A plan's time has come.
    pub fn act(&mut self, index: usize, plan: Plan) -> Checked {
        match plan {
            Plan::Arrive => self.arrive(index),
            Plan::ChannelAnswer(contact) => self.answer_channel(index, contact),
            Plan::Accept(contact, offer) => {
                self.for_owner(index, contact, |agent| Event::OfferAccepted { agent, offer }).map(|_| ())
            }
            Plan::Decline(contact, offer) => {
                self.for_owner(index, contact, |agent| Event::OfferDeclined { agent, offer }).map(|_| ())
            }
            Plan::Ringing(leg) => self.on_leg(index, leg, plan, Event::LegRinging { leg }),
            Plan::Answered(leg) => self.on_leg(index, leg, plan, Event::LegAnswered { leg }),
            Plan::Failed(leg, result) => {
                self.on_leg(index, leg, plan, Event::LegFailed { leg, result, sip_status: Some(486) })
            }
            Plan::Ended(leg) => self.on_leg(index, leg, plan, Event::LegEnded { leg }),
            Plan::Heard(leg) => {
                let heard = Some("announcement en 1".into());
                self.on_leg(index, leg, plan, Event::PromptFinished { leg, heard })
            }
            Plan::Pressed(leg) => {
                let digit = if self.dice.one_in(5) { '7' } else { '1' };
                self.on_leg(index, leg, plan, Event::DtmfReceived { leg, digit })
            }
            Plan::Recorded(leg, recording) => {
                self.take(index, Event::RecordingFinished { leg, recording })?;
                self.perhaps_again(index, plan);
                Ok(())
            }
            Plan::Hold(contact, hold) => {
                self.for_owner(index, contact, |agent| Event::HoldRequested { agent, contact, hold }).map(|_| ())
            }
            Plan::AgentHangsUp(contact) => {
                self.for_owner(index, contact, |agent| Event::HangUpRequested { agent, contact }).map(|_| ())
            }
            Plan::WrapUp(contact) => self.wrap_up(index, contact),
            Plan::Cancel(contact) => {
                let by = if self.dice.one_in(8) { CancelledBy::Administrator } else { CancelledBy::Customer };
                self.take(index, Event::CallbackCancelled { contact, by }).map(|_| ())
            }
            Plan::Write(contact) => self.chat(index, contact, Event::ChatActivity { contact }),
            Plan::PageGone(contact) => self.page_gone(index, contact),
            Plan::PageBack(contact) => self.chat(index, contact, Event::ChatCustomerBack { contact }),
            Plan::ChatEnds(contact, by_customer) => self.chat_ends(index, contact, by_customer),
            Plan::Transfer(contact) => self.transfer(index, contact),
            Plan::ChangeNumber(contact) => self.change_number(index, contact),
            Plan::ChooseTime(contact) => {
                let slot = if self.dice.one_in(3) { None } else { self.chosen_time(index) };
                self.take(index, Event::CallbackTimeChosen { contact, slot }).map(|_| ())
            }
            Plan::Whim(who) => self.whim(index, who),
            Plan::House => self.house(index),
            Plan::Crash => self.plan_crash(index),
            Plan::Jump => self.jump(index),
        }
    }

    /// The open engagement's agent does it; nobody does if there is none.
    fn for_owner(&mut self, index: usize, contact: ContactId, event: impl Fn(AgentId) -> Event) -> Result<bool, Fault> {
        let owner = self.tenants[index].ledger.row(contact).and_then(Contact::open_segment);
        let Some(agent) = owner.map(|segment| segment.agent.clone()) else { return Ok(false) };
        Ok(self.take(index, event(agent))?.is_some())
    }

    /// Something on a leg that is there; of legs that are gone the core hears now and then.
    fn on_leg(&mut self, index: usize, leg: LegId, plan: Plan, event: Event) -> Checked {
        if !self.exchange.legs.contains_key(&leg) && !self.dice.one_in(12) {
            return Ok(());
        }
        self.take(index, event)?;
        self.perhaps_again(index, plan);
        Ok(())
    }

    fn perhaps_again(&mut self, index: usize, plan: Plan) {
        if self.dice.one_in(80) {
            self.agenda.push(self.now + self.dice.span(0, 20_000), index, plan);
        }
    }

    fn number(&mut self) -> (String, String) {
        // A few numbers are many customers'.
        let number = if self.dice.one_in(20) { self.dice.roll(4) } else { self.dice.roll(self.numbers) };
        (format!("+1916{number:07}"), key(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    fn arrive(&mut self, index: usize) -> Checked {
        if self.ending {
            return Ok(());
        }
        let rhythm = self.tenants[index].rhythm.0;
        self.agenda.push(self.now + self.dice.span(0, 2 * rhythm), index, Plan::Arrive);
        if self.tenants[index].config.chat.enabled && self.dice.one_in(5) {
            return self.ask_for_chat(index);
        }
        let (number, number_key) = self.number();
        let subjects = &self.tenants[index].config.subjects;
        let subject = match self.dice.roll(40) {
            0 => Some("nothing".into()),
            1..=4 => None,
            _ => self.dice.pick(subjects).map(|subject| subject.id.clone()),
        };
        let mut request = self.request.clone();
        request.subject = subject;
        request.status_token_digest = Some(key(self.events));
        request.when_open = self.dice.percent(40);
        request.accept_wait = self.dice.percent(60);
        if self.dice.one_in(16) {
            request.slot = self.chosen_time(index);
        }
        (request.customer.number, request.customer.number_key) = (number, number_key);
        if self.dice.one_in(3) {
            request.customer.language = if self.dice.one_in(4) { "vi-VN".into() } else { "es".into() };
        }
        request.preferred = self.own_agent(index);
        if self.dice.one_in(4) {
            request.customer.context.insert("page".into(), "benefits/renew".into());
        }
        let answer = self.take(index, Event::CallbackRequested { request })?;
        if let Some(Receipt::CallbackQueued { contact, .. } | Receipt::CallbackScheduled { contact, .. }) = answer {
            if self.dice.one_in(8) {
                self.agenda.push(self.now + self.dice.seconds(1, 1200), index, Plan::Cancel(contact));
            }
            if self.dice.one_in(40) {
                self.agenda.push(self.now + self.dice.seconds(1, 300), index, Plan::ChangeNumber(contact));
            }
            if self.dice.one_in(40) {
                self.agenda.push(self.now + self.dice.seconds(1, 300), index, Plan::ChooseTime(contact));
            }
        }
        Ok(())
    }

    /// The agent a customer dealt with last, if there is one.
    pub fn own_agent(&mut self, index: usize) -> Option<AgentId> {
        let people = &self.tenants[index].people;
        if self.dice.one_in(6) { self.dice.pick(people).map(|person| person.id.clone()) } else { None }
    }

    /// A time that may be chosen, most often one of the first; now and then one that may not.
    fn chosen_time(&mut self, index: usize) -> Option<Timestamp> {
        if self.dice.one_in(10) {
            return Some(self.now + self.dice.seconds(-3600, 7200));
        }
        let slots = self.tenants[index].core.slots(self.now);
        self.dice.pick(&slots[..slots.len().min(5)]).map(|slot| slot.at)
    }

    fn change_number(&mut self, index: usize, contact: ContactId) -> Checked {
        let (number, number_key) = self.number();
        self.take(index, Event::CallbackNumberChanged { contact, number, number_key })?;
        Ok(())
    }

    fn answer_channel(&mut self, index: usize, contact: ContactId) -> Checked {
        if let Some(event) = self.exchange.channel_answer(self.now, index, contact, &mut self.dice) {
            if let Event::ChannelDenied { reason, .. } = &event {
                self.tenants[index].ledger.denied(contact, *reason);
            }
            self.take(index, event)?;
        }
        if self.dice.one_in(400) {
            // Somebody's late grant, or nobody's.
            let contact = if self.dice.one_in(2) { contact } else { ContactId(u128::from(self.dice.draw())) };
            if self.tenants[index].ledger.row(contact).is_none()
                && let Some(event) = self.exchange.stray_grant(index, contact)
            {
                self.take(index, event)?;
            }
        }
        Ok(())
    }

    fn wrap_up(&mut self, index: usize, contact: ContactId) -> Checked {
        let wraps = |found: &&Segment| matches!(found.state, SegmentState::WrapUp { .. });
        let open = self.tenants[index].ledger.row(contact).and_then(|row| row.segments.iter().find(wraps));
        let Some((segment, agent)) = open.map(|segment| (segment.id, segment.agent.clone())) else { return Ok(()) };
        if self.dice.one_in(12) {
            let by = self.dice.seconds(-5, 60);
            self.take(index, Event::WrapUpExtended { agent, segment, by })?;
            self.agenda.push(self.now + self.dice.seconds(5, 60), index, Plan::WrapUp(contact));
            return Ok(());
        }
        let code = match self.dice.roll(30) {
            0 => "unknown",
            1 => "escalated",
            _ => "solved",
        };
        let dispositions = if self.dice.one_in(10) { vec![] } else { vec![code.into()] };
        let note = self.dice.one_in(3).then(|| "called about the renewal".to_owned());
        self.take(index, Event::WrapUpFinished { agent, segment, dispositions, note })?;
        Ok(())
    }

    /// What an agent takes into their head: come, go, pause, reload; come back from whatever is wrong.
    fn whim(&mut self, index: usize, who: usize) -> Checked {
        let now = self.now;
        let person = &mut self.tenants[index].people[who];
        if now < person.whim_at {
            return Ok(());
        }
        person.whim_at = Timestamp::from_millis(i64::MAX);
        let agent = person.id.clone();
        let record = self.tenants[index]
            .core
            .agent(&agent)
            .map(|record| (record.state.clone(), record.session.clone(), record.health));
        let Some((state, session, health)) = record else {
            return self.come_again(index, who);
        };
        match session {
            None => self.connect(index, who)?,
            Some(session) if !health.can_talk() => {
                let health = if self.ending || !self.dice.one_in(10) { WELL } else { self.some_health() };
                self.take(index, Event::AgentHealth { agent: agent.clone(), session, health })?;
            }
            Some(_) if state != AgentState::Ready => {
                self.take(index, Event::AgentStateRequested { agent: agent.clone(), state: RequestedState::Ready })?;
            }
            Some(session) if !self.ending => self.disturb(index, who, session)?,
            Some(_) => {}
        }
        let record = self.tenants[index].core.agent(&agent);
        let well = record.is_some_and(|record| {
            record.state == AgentState::Ready && record.session.is_some() && record.health.can_talk()
        });
        let after = if well { self.dice.seconds(120, 1800) } else { self.dice.seconds(1, 20) };
        self.tenants[index].plan_whim(now + after, index, who, &mut self.agenda);
        Ok(())
    }

    /// Taken out of the configuration, the agent is hired again some time.
    fn come_again(&mut self, index: usize, who: usize) -> Checked {
        if self.ending || self.dice.one_in(3) {
            self.configure_agent(index, who)?;
        }
        let after = self.dice.seconds(10, 300);
        self.tenants[index].plan_whim(self.now + after, index, who, &mut self.agenda);
        Ok(())
    }

    fn connect(&mut self, index: usize, who: usize) -> Checked {
        let person = &mut self.tenants[index].people[who];
        let agent = person.id.clone();
        let session = match &person.session {
            Some(session) if self.dice.one_in(2) => session.clone(),
            _ => person.new_tab(),
        };
        self.take(index, Event::AgentConnected { agent: agent.clone(), session: session.clone() })?;
        if self.ending || self.dice.percent(80) {
            self.take(index, Event::AgentHealth { agent, session, health: WELL })?;
        }
        Ok(())
    }

    /// Calls somebody of the agent's own accord, and may break it off.
    fn call_out(&mut self, index: usize, agent: AgentId) -> Checked {
        let (number, number_key) = self.number();
        let customer = Customer { number, number_key, ..self.request.customer.clone() };
        let request = OutboundRequest { customer, subject: None };
        let answer = self.take(index, Event::OutboundRequested { agent: agent.clone(), request })?;
        if let Some(Receipt::CallPlaced { contact }) = answer
            && self.dice.one_in(4)
        {
            self.agenda.push(self.now + self.dice.seconds(0, 30), index, Plan::Cancel(contact));
        }
        Ok(())
    }

    fn some_health(&mut self) -> Health {
        Health { tab: self.dice.one_in(2), microphone: self.dice.one_in(2), media: self.dice.one_in(2) }
    }

    /// Something comes between a ready agent and the work.
    fn disturb(&mut self, index: usize, who: usize, session: SessionId) -> Checked {
        let agent = self.tenants[index].people[who].id.clone();
        let event = match self.dice.roll(14) {
            0..=3 => {
                let reason = if self.dice.one_in(9) { "no such" } else { "lunch" };
                Event::AgentStateRequested { agent, state: RequestedState::NotReady { reason: reason.into() } }
            }
            4 => Event::AgentStateRequested { agent, state: RequestedState::Offline },
            5 | 6 => Event::AgentDisconnected { agent, session },
            7 => Event::AgentDisconnected { agent, session: "another".into() },
            8 => Event::AgentHealth { agent, session, health: self.some_health() },
            9 => Event::AgentMediaLost { agent, session },
            10 | 11 => {
                let session = self.tenants[index].people[who].new_tab();
                self.take(index, Event::AgentConnected { agent: agent.clone(), session: session.clone() })?;
                Event::AgentHealth { agent, session, health: WELL }
            }
            12 => return self.call_out(index, agent),
            _ => Event::AgentStateRequested { agent, state: RequestedState::Ready },
        };
        self.take(index, event)?;
        Ok(())
    }
}
