//! What a wait is expected to be, what came of it, and the memory of both: the core's side of [`crate::wait`].

use crate::{
    contact::*,
    core::Core,
    ids::*,
    ladder::first_need,
    output::Fact,
    time::{Millis, Timestamp},
    wait::*,
};

impl Core {
    /// What to expect at this place in the contact's line, from now on.
    pub(crate) fn expected(&self, now: Timestamp, contact: &Contact, position: u32) -> Option<Forecast> {
        let bucket = &self.floor.buckets[self.contacts.get(&contact.id)?.bucket];
        self.forecast(&contact.queue, asked(now, contact, position, bucket.free.len(), bucket.slots))
    }

    /// What somebody who asked about this subject now would have to expect, behind everybody in line.
    pub(crate) fn expected_for(&self, now: Timestamp, subject: &SubjectId, channel: Channel) -> Option<WaitRange> {
        let config = self.config.subject(subject)?;
        let line = &self.floor.queues.get(&config.queue)?.line;
        let need = first_need(config);
        let (free, effective) = self.capacity(&config.queue, &need, channel);
        let position = line.len() as u32 + 1;
        let asked = Asked { now, subject, channel, position, free, effective };
        self.forecast(&config.queue, asked).map(|forecast| forecast.range)
    }

    fn forecast(&self, queue: &QueueId, asked: Asked<'_>) -> Option<Forecast> {
        self.floor.queues.get(queue)?.wait.estimate(asked)
    }

    /// In line for the first time: what is foretold now is held against what comes.
    pub(crate) fn note_first_wait(&mut self, now: Timestamp, id: ContactId) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        if contact.first_wait.is_some() || !matches!(contact.state, ContactState::Queued { .. }) {
            return;
        }
        let Some(position) = self.position(contact) else { return };
        let forecast = self.expected(now, contact, position);
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.contact.first_wait = Some(FirstWait { since: now, position, forecast });
        }
        self.save(id);
    }

    /// An agent takes the contact: the first who does ends its wait.
    pub(crate) fn note_service(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let first = contact.segments.iter().all(|segment| segment.accepted_at.is_none());
        let offered = contact.segment(segment).map_or(now, |segment| segment.offered_at);
        let Some(FirstWait { since, position, forecast }) = contact.first_wait.filter(|_| first) else { return };
        let (waited, answer) = (now.since(since), now.since(offered));
        self.fact(id, now, Fact::Served { waited, answer, position, forecast });
        self.see(now, id, Seen::Served { waited, answer, position, forecast });
    }

    /// A segment is over that took its agent up for `span`.
    pub(crate) fn agent_is_done(
        &mut self,
        now: Timestamp,
        id: ContactId,
        segment: SegmentId,
        span: Millis,
        served: bool,
    ) {
        self.fact(id, now, Fact::Handled { segment, span, served });
        self.see(now, id, Seen::Handled { span, served });
    }

    fn see(&mut self, now: Timestamp, id: ContactId, seen: Seen) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        if let Some(queue) = self.floor.queues.get_mut(&contact.queue) {
            queue.wait.see(now, &contact.subject, contact.channel, seen);
        }
    }

    /// What the ledger has of earlier waits, oldest first.
    pub(crate) fn remember_waits(&mut self, past: Vec<PastWait>) {
        for wait in past {
            if let Some(queue) = self.floor.queues.get_mut(&wait.queue) {
                queue.wait.see(wait.at, &wait.subject, wait.channel, wait.seen);
            }
        }
    }
}

fn asked(now: Timestamp, contact: &Contact, position: u32, free: usize, effective: u32) -> Asked<'_> {
    Asked { now, subject: &contact.subject, channel: contact.channel, position, free: free as u32, effective }
}
