//! What fits into one agent's hand: slots per medium, and what excludes what.
//!
//! The hand and the earmark together are the reservation, across both media: whoever is offered something is out of
//! every list it no longer fits, before the next match is made.

use crate::{
    agent::{AgentState, Health, RequestedState},
    contact::{Channel, Medium},
    core::{Core, Desk, Listing},
    ids::AgentId,
};

/// Contacts in hand by medium; a channel reservation under way is a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) voice: u8,
    pub(crate) text: u8,
}

impl Desk {
    /// Ready for something new, room and reach aside.
    pub(crate) fn takes_contacts(&self) -> bool {
        self.record.state == AgentState::Ready
            && matches!(self.record.next, None | Some(RequestedState::Ready))
            && self.record.session.is_some()
            && !self.leaving
    }

    /// Whether a contact of this medium would reach the agent: a call needs an ear, a chat a page.
    pub(crate) fn reaches(&self, medium: Medium) -> bool {
        self.record.session.is_some() && reached(self.record.health, medium)
    }

    pub(crate) fn slots(&self, medium: Medium) -> u8 {
        match medium {
            Medium::Voice => self.config.voice_slots,
            Medium::Text => self.config.chat_slots,
        }
    }
}

pub(crate) fn reached(health: Health, medium: Medium) -> bool {
    match medium {
        Medium::Voice => health.can_talk(),
        Medium::Text => health.tab,
    }
}

impl Core {
    pub(crate) fn load(&self, desk: &Desk) -> Load {
        let mut load = Load::default();
        for (contact, _) in &desk.hand {
            match self.contacts.get(contact).map(|entry| entry.contact.channel.medium()) {
                Some(Medium::Voice) => load.voice = load.voice.saturating_add(1),
                Some(Medium::Text) => load.text = load.text.saturating_add(1),
                None => {}
            }
        }
        load
    }

    /// Whether one more contact of this medium fits beside this load.
    pub(crate) fn fits(&self, desk: &Desk, load: Load, medium: Medium) -> bool {
        let exclusive = self.config.policy.voice_exclusive;
        let (own, other) = match medium {
            Medium::Voice => (load.voice, load.text),
            Medium::Text => (load.text, load.voice),
        };
        own < desk.slots(medium) && !(exclusive && other > 0)
    }

    /// How the agent should stand among the free; None when nothing may come. The earmark is no load for the voice it
    /// is kept for, and one for chats.
    pub(crate) fn listing(&self, agent: &AgentId) -> Option<Listing> {
        let desk = self.agents.get(agent).filter(|desk| desk.takes_contacts())?;
        let load = self.load(desk);
        let kept = Load { voice: load.voice.saturating_add(u8::from(desk.earmark.is_some())), ..load };
        let voice = desk.reaches(Medium::Voice) && self.fits(desk, load, Medium::Voice);
        let text = desk.reaches(Medium::Text) && self.fits(desk, kept, Medium::Text);
        let load = load.voice.saturating_add(load.text);
        let kept = desk.earmark.is_some();
        (voice || text).then_some(Listing { load, idle: desk.record.idle_since, voice, text, kept })
    }

    /// Ready and within reach of something the tenant offers and the agent's profile has.
    pub(crate) fn is_reachable(&self, desk: &Desk) -> bool {
        let chat = self.config.chat.enabled && desk.config.chat_slots > 0;
        desk.reaches(Medium::Voice) || chat && desk.reaches(Medium::Text)
    }
}

impl Listing {
    pub(crate) fn open(&self, medium: Medium) -> bool {
        match medium {
            Medium::Voice => self.voice,
            Medium::Text => self.text,
        }
    }
}

impl Channel {
    /// Calls need a trunk channel before they are offered.
    pub(crate) fn needs_trunk(self) -> bool {
        self.medium() == Medium::Voice
    }
}
