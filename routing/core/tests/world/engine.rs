//! The far side of the deeds, kept as a model: what the trunk desk, the phones, the recorder and the agents' pages
//! would hold if they did what they were told. Nothing of it may outlive its contact.

use std::collections::{BTreeMap, BTreeSet};

use ringback_routing::{contact::*, ids::*, output::*};

use super::World;

#[derive(Default)]
pub struct Engine {
    /// Asked for and not given back.
    pub channels: BTreeSet<ContactId>,
    /// Asked for and not answered.
    pub asked: Vec<ContactId>,
    pub offers: BTreeMap<OfferId, (ContactId, AgentId)>,
    /// Placed and not released.
    pub legs: BTreeMap<LegId, ContactId>,
    pub attached: BTreeMap<LegId, ContactId>,
    pub recording: BTreeMap<LegId, (ContactId, RecordingId)>,
    pub recorded: Vec<(LegId, RecordingId)>,
    pub bridges: BTreeSet<(LegId, LegId)>,
    pub marks: BTreeSet<(LegId, u8)>,
    /// Prompts whose end is to be told.
    pub prompts: BTreeSet<LegId>,
    /// Chats an agent is in.
    pub rooms: BTreeMap<ContactId, AgentId>,
}

impl Engine {
    pub fn carry_out(&mut self, deeds: &[Deed]) {
        for deed in deeds {
            self.carry_out_one(deed);
        }
    }

    fn carry_out_one(&mut self, deed: &Deed) {
        match deed {
            Deed::ReserveChannel { contact, .. } => {
                assert!(self.channels.insert(*contact), "one reservation at a time per contact");
                self.asked.push(*contact);
            }
            Deed::ReleaseChannel { contact } => {
                self.channels.remove(contact);
                self.asked.retain(|asked| asked != contact);
            }
            Deed::PresentOffer { offer, contact, agent, .. } => {
                self.offers.insert(*offer, (*contact, agent.clone()));
            }
            Deed::RevokeOffer { offer, .. } => {
                self.offers.remove(offer);
            }
            Deed::PlaceLeg { leg, contact, .. } => {
                assert!(self.channels.contains(contact), "nobody is dialled without a channel");
                assert!(self.legs.insert(*leg, *contact).is_none());
            }
            Deed::AnswerLeg { leg, contact, .. } => {
                assert!(self.channels.insert(*contact) && self.legs.insert(*leg, *contact).is_none());
            }
            Deed::CheckCode { leg, .. } => assert!(self.legs.contains_key(leg), "somebody entered it"),
            Deed::RefuseLeg { leg, .. } => assert!(!self.legs.contains_key(leg), "refused what was answered"),
            Deed::ReleaseLeg { leg } => {
                self.legs.remove(leg);
                self.prompts.remove(leg);
                self.bridges.retain(|(a, _)| a != leg);
            }
            Deed::AttachAgent { leg, contact, .. } => {
                self.attached.insert(*leg, *contact);
            }
            Deed::DetachAgent { leg } => {
                assert!(self.attached.remove(leg).is_some(), "detached what was attached");
                self.bridges.retain(|(_, b)| b != leg);
            }
            Deed::Bridge { a, b } => {
                assert!(self.legs.contains_key(a) && self.attached.contains_key(b), "both legs are there");
                assert!(self.bridges.iter().all(|(x, y)| x != a && y != b), "bridged to one only");
                assert!(self.recording.contains_key(a) && self.recording.contains_key(b), "every word is recorded");
                self.bridges.insert((*a, *b));
            }
            Deed::Unbridge { a, b } => assert!(self.bridges.remove(&(*a, *b)), "unbridged what was bridged"),
            Deed::StartRecording { leg, contact, recording, .. } => {
                assert!(self.recording.insert(*leg, (*contact, *recording)).is_none(), "recorded once");
            }
            Deed::StopRecording { leg } => {
                let (_, recording) = self.recording.remove(leg).expect("stopped what was started");
                self.recorded.push((*leg, recording));
            }
            Deed::Mark { leg, mark, begin } => {
                let mark = (*leg, *mark as u8);
                assert!(if *begin { self.marks.insert(mark) } else { self.marks.remove(&mark) }, "marks are paired");
            }
            Deed::PlayPrompt { leg, then_tell, .. } => {
                assert!(self.legs.contains_key(leg) || self.attached.contains_key(leg), "played to somebody");
                self.prompts.remove(leg);
                if *then_tell {
                    self.prompts.insert(*leg);
                }
            }
            Deed::PlayWords { leg, words, then_tell, .. } => {
                assert!(self.legs.contains_key(leg) && !words.is_empty(), "something is said to somebody");
                self.prompts.remove(leg);
                if *then_tell {
                    self.prompts.insert(*leg);
                }
            }
            Deed::StopPrompt { leg } => {
                self.prompts.remove(leg);
            }
            Deed::OpenChat { contact, agent, .. } => {
                assert!(self.rooms.insert(*contact, agent.clone()).is_none(), "one agent is in a chat");
            }
            Deed::LeaveChat { contact, agent, .. } => {
                assert_eq!(self.rooms.remove(contact).as_ref(), Some(agent), "left by who was in it");
            }
            Deed::CloseChat { contact, .. } => {
                self.rooms.remove(contact);
            }
            Deed::NotifyCustomer { .. } => {}
        }
    }

    /// What is held out there is held for something in the records.
    pub fn check(&self, world: &World) {
        let open = |id: &ContactId| world.core.contact(*id);
        for id in &self.channels {
            let contact = open(id).unwrap_or_else(|| panic!("{id}: a channel outlived its contact"));
            let waits = matches!(contact.state, ContactState::Queued { .. } | ContactState::Arriving { .. });
            let wants = waits || contact.open_segment().is_some();
            assert!(wants, "{id} holds a channel for nothing");
        }
        for (leg, id) in &self.legs {
            let running = open(id).and_then(|contact| contact.running_attempt()).map(|attempt| attempt.leg);
            assert_eq!(running, Some(*leg), "a leg outlived its attempt");
        }
        for (leg, id) in &self.attached {
            let segment = open(id).and_then(|contact| contact.open_segment());
            assert_eq!(segment.and_then(|segment| segment.leg), Some(*leg), "an agent leg outlived its segment");
        }
        for leg in self.recording.keys() {
            assert!(self.legs.contains_key(leg) || self.attached.contains_key(leg), "a recording outlived its leg");
        }
        for (offer, (id, _)) in &self.offers {
            let segment = open(id).and_then(|contact| contact.open_segment());
            let stands = segment.is_some_and(|segment| {
                segment.offer == *offer && matches!(segment.state, SegmentState::Offered { .. })
            });
            assert!(stands, "an offer is on the agent's screen that stands no more");
        }
        for contact in world.core.contacts().filter(|contact| contact.channel == Channel::Chat) {
            let connected = |segment: &&Segment| matches!(segment.state, SegmentState::Connected { .. });
            let inside = contact.open_segment().filter(connected).map(|segment| &segment.agent);
            assert_eq!(self.rooms.get(&contact.id), inside, "in the chat as the record says");
        }
        for id in self.rooms.keys() {
            assert!(open(id).is_some(), "a chat outlived its contact");
        }
        for contact in world.core.contacts().filter(|contact| contact.channel != Channel::Chat) {
            if let Some(segment) = contact.open_segment() {
                let joined = matches!(segment.state, SegmentState::Connected { .. }) && !segment.on_hold;
                let pair = contact.live_leg().zip(segment.leg);
                assert_eq!(pair.is_some_and(|pair| self.bridges.contains(&pair)), joined, "bridged as the record says");
            }
        }
    }
}
