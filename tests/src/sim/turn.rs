//! One event through one core: handled, drained, digested, taken into ledger and exchange, checked.

use ringback_routing::{
    contact::{Contact, ContactState},
    event::{Event, Receipt},
    ids::ContactId,
    output::{Change, Output},
    time::Timestamp,
};

use super::{
    Checked, Fault,
    dice::Digest,
    insist,
    site::{Site, Tenant},
};

/// All records are looked at anew after so many events.
const FULL_CHECK_EVERY: u64 = 1000;
/// Whole outputs go into the digest once in so many drains, the rest by kind, id and state.
const WHOLE_OUTPUTS_EVERY: u64 = 1024;

impl Site {
    /// The tenant's due timers.
    pub fn fire(&mut self, index: usize) -> Checked {
        self.tell(index, || "timers".into());
        self.events += 1;
        let (now, tenant) = (self.now, &mut self.tenants[index]);
        tenant.events += 1;
        tenant.core.handle_timeout(now);
        if let Some(twin) = &mut tenant.twin {
            twin.core.handle_timeout(now);
        }
        self.drain(index, None, true)?;
        Ok(())
    }

    /// One event of a tenant; None if the core refused it.
    pub fn take(&mut self, index: usize, event: Event) -> Result<Option<Receipt>, Fault> {
        self.tell(index, || format!("{event:?}"));
        self.events += 1;
        let (now, tenant) = (self.now, &mut self.tenants[index]);
        tenant.events += 1;
        // Who stands where in line, and who may have whom, is another matter under another configuration.
        let ordinary = !matches!(
            event,
            Event::TenantConfigured { .. } | Event::AgentConfigured { .. } | Event::AgentRemoved { .. }
        );
        let twin = tenant.twin.as_mut().map(|twin| twin.core.handle(now, event.clone()));
        let answer = tenant.core.handle(now, event);
        insist!(twin.is_none_or(|twin| twin == answer), "the twin answers otherwise: {answer:?}");
        self.digest.mix(u64::from(answer.is_ok()));
        let born = match &answer {
            Ok(
                Receipt::CallbackQueued { contact, .. }
                | Receipt::CallbackScheduled { contact, .. }
                | Receipt::ChatQueued { contact, .. }
                | Receipt::CallPlaced { contact },
            ) => Some(*contact),
            _ => None,
        };
        let outputs = self.drain(index, born, ordinary)?;
        insist!(answer.is_ok() || outputs == 0, "a refused event changed something: {answer:?}");
        Ok(answer.ok())
    }

    /// Takes the outputs of one tenant where they belong, and checks. The number of them.
    pub fn drain(&mut self, index: usize, born: Option<ContactId>, ordinary: bool) -> Result<usize, Fault> {
        self.drains += 1;
        self.digest.mix(self.now.as_millis() as u64);
        let whole = self.drains.is_multiple_of(WHOLE_OUTPUTS_EVERY);
        let tenant = &mut self.tenants[index];
        tenant.ledger.begin();
        let mut count = 0;
        if whole || tenant.twin.is_some() {
            let outputs: Vec<_> = std::iter::from_fn(|| tenant.core.poll_output()).collect();
            if whole {
                let text = serde_json::to_string(&outputs).map_err(|error| Fault(error.to_string()))?;
                self.digest.mix_text(&text);
            }
            if let Some(twin) = &mut tenant.twin {
                twin.compare(&outputs)?;
                if twin.is_done() {
                    tenant.twin = None;
                }
            }
            count = outputs.len();
            outputs.into_iter().try_for_each(|output| self.absorb(index, output, born))?;
        } else {
            while let Some(output) = self.tenants[index].core.poll_output() {
                self.absorb(index, output, born)?;
                count += 1;
            }
        }
        self.digest.mix(count as u64);
        self.tenants[index].settled(self.now, ordinary)?;
        Ok(count)
    }

    /// One output, to where it belongs.
    fn absorb(&mut self, index: usize, output: Output, born: Option<ContactId>) -> Checked {
        let (now, tenant) = (self.now, &mut self.tenants[index]);
        match output {
            Output::Change(change) => {
                digest_change(&mut self.digest, &change);
                tenant.react(now, index, &change, &mut self.dice, &mut self.agenda);
                tenant.ledger.change(now, &tenant.config, change, born)
            }
            Output::Command(command) => {
                self.digest.mix_id(command.id.0);
                tenant.ledger.deed(now, &command.deed);
                self.exchange.deed(now, index, command.deed, &mut self.dice, &mut self.agenda)
            }
        }
    }
}

impl Tenant {
    fn settled(&mut self, now: Timestamp, ordinary: bool) -> Checked {
        self.deadline = self.core.next_deadline();
        let nothing_due = self.deadline.is_none_or(|due| due > now);
        self.ledger.check(now, &self.core, &self.config, ordinary, nothing_due)?;
        if self.events.is_multiple_of(FULL_CHECK_EVERY) {
            self.ledger.check_all(&self.core)?;
            insist!(!nothing_due || self.core.knows_the_hours(now), "open or closed, and not aware of it");
        }
        Ok(())
    }
}

fn digest_change(digest: &mut Digest, change: &Change) {
    match change {
        Change::ContactSaved { contact } => digest_contact(digest, contact),
        Change::AgentSaved { agent } => {
            digest.mix_text(agent.id.as_str());
            digest.mix(agent.since.as_millis() as u64);
            digest.mix(u64::from(agent.health.can_talk()));
        }
        Change::ContactFact { contact, at, .. } => {
            digest.mix_id(contact.0);
            digest.mix(at.as_millis() as u64);
        }
        Change::PresenceChanged { agent, presence, .. } => {
            digest.mix_text(agent.as_str());
            digest.mix(*presence as u64);
        }
    }
}

fn digest_contact(digest: &mut Digest, contact: &Contact) {
    digest.mix_id(contact.id.0);
    let (kind, at) = match contact.state {
        ContactState::Scheduled { due } => (1, due.as_millis() as u64),
        ContactState::Queued { since } => (2, since.as_millis() as u64),
        ContactState::Active { since } => (3, since.as_millis() as u64),
        ContactState::Closed { outcome } => (4, outcome as u64),
        ContactState::Arriving { since } => (5, since.as_millis() as u64),
    };
    digest.mix(kind);
    digest.mix(at);
    digest
        .mix(u64::from(contact.priority) << 32 | (contact.segments.len() as u64) << 16 | contact.attempts.len() as u64);
    if let Some(segment) = contact.segments.last() {
        digest.mix_id(segment.id.0);
        digest.mix_text(segment.agent.as_str());
    }
    if let Some(attempt) = contact.attempts.last() {
        digest.mix_id(attempt.leg.0);
    }
}
