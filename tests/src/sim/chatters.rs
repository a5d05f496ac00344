//! Customers and agents who write instead of speaking.

use ringback_routing::{
    contact::{ChatEnd, Contact},
    event::{Event, Receipt, TransferTarget},
    ids::{ContactId, QueueId},
};

use super::{Checked, agenda::Plan, dice::key, site::Site};

impl Site {
    pub fn ask_for_chat(&mut self, index: usize) -> Checked {
        let mut request = self.chat_request.clone();
        let subjects = &self.tenants[index].config.subjects;
        request.subject = self.dice.pick(subjects).map(|subject| subject.id.clone());
        request.preferred = self.own_agent(index);
        request.status_token_digest = Some(key(self.events));
        let answer = self.take(index, Event::ChatRequested { request })?;
        let Some(Receipt::ChatQueued { contact, .. }) = answer else { return Ok(()) };
        match self.dice.roll(16) {
            0 => self.agenda.push(self.now + self.dice.seconds(5, 600), index, Plan::ChatEnds(contact, true)),
            1 => self.agenda.push(self.now + self.dice.seconds(5, 300), index, Plan::PageGone(contact)),
            _ => {}
        }
        Ok(())
    }

    /// Something in a chat that is not over; now and then in one that is.
    pub fn chat(&mut self, index: usize, contact: ContactId, event: Event) -> Checked {
        if self.tenants[index].ledger.row(contact).is_some() || self.dice.one_in(12) {
            self.take(index, event)?;
        }
        Ok(())
    }

    /// The customer's page is gone; two of three come back, some of them too late.
    pub fn page_gone(&mut self, index: usize, contact: ContactId) -> Checked {
        self.chat(index, contact, Event::ChatCustomerGone { contact })?;
        if !self.dice.one_in(3) {
            self.agenda.push(self.now + self.dice.seconds(1, 100), index, Plan::PageBack(contact));
            self.agenda.push(self.now + self.dice.seconds(60, 200), index, Plan::ChatEnds(contact, true));
        }
        Ok(())
    }

    pub fn chat_ends(&mut self, index: usize, contact: ContactId, by_customer: bool) -> Checked {
        let owner = self.tenants[index].ledger.row(contact).and_then(Contact::open_segment);
        let by = match owner.map(|segment| segment.agent.clone()) {
            Some(agent) if !by_customer => ChatEnd::Agent { agent },
            _ => ChatEnd::Customer,
        };
        self.chat(index, contact, Event::ChatEnded { contact, by })
    }

    pub fn transfer(&mut self, index: usize, contact: ContactId) -> Checked {
        let owner = self.tenants[index].ledger.row(contact).and_then(Contact::open_segment);
        let Some(agent) = owner.map(|segment| segment.agent.clone()) else { return Ok(()) };
        let queues = &self.tenants[index].config.queues;
        let queue = self.dice.pick(queues).map_or_else(|| QueueId::from("nowhere"), |queue| queue.id.clone());
        let to = match self.own_agent(index) {
            Some(agent) => TransferTarget::Agent { agent },
            None => TransferTarget::Queue { queue },
        };
        self.take(index, Event::ChatTransferRequested { agent, contact, to })?;
        Ok(())
    }
}
