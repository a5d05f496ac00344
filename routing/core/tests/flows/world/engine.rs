//! The far side of the deeds, kept as a model: what the trunk desk, the phones, the recorder and the agents' pages
//! would hold if they did what they were told. Nothing of it may outlive its contact.

use std::collections::{BTreeMap, BTreeSet};

use ringback_routing::{contact::*, ids::*, output::*, third::ThirdStage};

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
    /// Of numbers outside that were brought in.
    pub thirds: BTreeMap<LegId, ContactId>,
    /// Who hears whom where more than two do.
    pub conferences: BTreeMap<ContactId, BTreeSet<LegId>>,
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
            Deed::PlaceThird { leg, contact, .. } => {
                assert!(self.thirds.insert(*leg, *contact).is_none());
            }
            Deed::AnswerLeg { leg, contact, .. } => {
                assert!(self.channels.insert(*contact) && self.legs.insert(*leg, *contact).is_none());
            }
            Deed::CheckCode { leg, .. } => assert!(self.legs.contains_key(leg), "somebody entered it"),
            Deed::RefuseLeg { leg, .. } => assert!(!self.legs.contains_key(leg), "refused what was answered"),
            Deed::ReleaseLeg { leg } => {
                self.legs.remove(leg);
                self.thirds.remove(leg);
                self.prompts.remove(leg);
                self.bridges.retain(|(a, b)| a != leg && b != leg);
            }
            Deed::AttachAgent { leg, contact, .. } => {
                self.attached.insert(*leg, *contact);
            }
            Deed::DetachAgent { leg } => {
                assert!(self.attached.remove(leg).is_some(), "detached what was attached");
                self.bridges.retain(|(a, b)| a != leg && b != leg);
            }
            Deed::Confer { contact, legs } => {
                assert!(legs.iter().all(|leg| self.is_there(leg)), "all legs are there");
                assert!(legs.iter().all(|leg| self.recording.contains_key(leg)), "every word is recorded");
                assert!(legs.iter().all(|leg| self.bridges.iter().all(|(a, b)| a != leg && b != leg)), "in no bridge");
                assert!(self.conferences.insert(*contact, legs.iter().copied().collect()).is_none());
            }
            Deed::Disperse { contact, legs } => {
                let left = self.conferences.remove(contact);
                assert_eq!(left, Some(legs.iter().copied().collect()), "those disperse who conferred");
            }
            Deed::Bridge { a, b } => {
                assert!(self.is_there(a) && self.is_there(b), "both legs are there");
                let taken = |leg: &LegId| self.bridges.iter().any(|(x, y)| x == leg || y == leg);
                assert!(!taken(a) && !taken(b), "bridged to one only");
                assert!(
                    self.conferences.values().all(|legs| !legs.contains(a) && !legs.contains(b)),
                    "in no conference"
                );
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
                let somebody = self.legs.contains_key(leg) || self.thirds.contains_key(leg);
                assert!(somebody && !words.is_empty(), "something is said to somebody");
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

    fn is_there(&self, leg: &LegId) -> bool {
        self.legs.contains_key(leg) || self.attached.contains_key(leg) || self.thirds.contains_key(leg)
    }

    /// Who hears whom is what the record says.
    fn check_sound(&self, contact: &Contact) {
        let lead = contact.talking_segment();
        let (customer, agent) = (contact.live_leg(), lead.and_then(|segment| segment.leg));
        let stage = contact.third.as_ref().map(|third| (third.stage, third.leg));
        let bridged = |a: Option<LegId>, b: Option<LegId>| {
            a.zip(b).is_some_and(|(a, b)| self.bridges.contains(&(a, b)) || self.bridges.contains(&(b, a)))
        };
        let alone =
            lead.is_some_and(|segment| !segment.on_hold) && !matches!(stage, Some((ThirdStage::Joined { .. }, _)));
        assert_eq!(bridged(customer, agent), alone, "bridged as the record says: {contact:?}");
        let conferring = matches!(stage, Some((ThirdStage::Joined { .. }, _)));
        assert_eq!(self.conferences.contains_key(&contact.id), conferring, "conferring as the record says");
        let Some((stage, third)) = stage else { return };
        assert_eq!(bridged(agent, third), matches!(stage, ThirdStage::Private { .. }), "asked in private");
        assert_eq!(bridged(customer, third), matches!(stage, ThirdStage::Alone { .. }), "left alone");
        if conferring {
            let all: BTreeSet<_> = [customer, agent, third].into_iter().flatten().collect();
            assert_eq!(self.conferences.get(&contact.id), Some(&all), "all three hear each other");
        }
    }

    /// What is held out there is held for something in the records.
    pub fn check(&self, world: &World) {
        let open = |id: &ContactId| world.core.contact(*id);
        for id in &self.channels {
            let contact = open(id).unwrap_or_else(|| panic!("{id}: a channel outlived its contact"));
            let waits = matches!(contact.state, ContactState::Queued { .. } | ContactState::Arriving { .. });
            let wants = waits || contact.open_segment().is_some() || contact.third.is_some();
            assert!(wants, "{id} holds a channel for nothing");
        }
        for (leg, id) in &self.legs {
            let running = open(id).and_then(|contact| contact.running_attempt()).map(|attempt| attempt.leg);
            assert_eq!(running, Some(*leg), "a leg outlived its attempt");
        }
        for (leg, id) in &self.attached {
            let mut segments = open(id).into_iter().flat_map(|contact| &contact.segments);
            assert!(segments.any(|s| !s.is_done() && s.leg == Some(*leg)), "an agent leg outlived its segment");
        }
        for leg in self.recording.keys() {
            assert!(self.is_there(leg), "a recording outlived its leg");
        }
        for (leg, id) in &self.thirds {
            let third = open(id).and_then(|contact| contact.third.as_ref()).and_then(|third| third.leg);
            assert_eq!(third, Some(*leg), "a leg outlived the third party");
        }
        for (offer, (id, _)) in &self.offers {
            let mut segments = open(id).into_iter().flat_map(|contact| &contact.segments);
            let stands = segments
                .any(|segment| segment.offer == *offer && matches!(segment.state, SegmentState::Offered { .. }));
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
            self.check_sound(contact);
        }
    }
}
