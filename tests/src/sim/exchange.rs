//! The far side of the deeds: trunks shared by the tenants of one installation, phones that ring or do not, prompts,
//! recorders. It does what it is told, answers late, twice or not at all, and notices when it is told nonsense.

use ringback_routing::{
    contact::AttemptResult,
    event::{DenialReason, Event},
    ids::*,
    output::{Deed, MarkKind},
    time::{Millis, Timestamp},
};

use super::{
    Checked,
    agenda::{Agenda, Plan},
    dice::{Dice, QuickMap, QuickSet, fingerprint},
    insist,
};

/// The customer of a leg that nobody ends hangs up within this, in seconds.
const LONGEST_CALL: (i64, i64) = (400, 1200);

#[derive(Default)]
pub struct Exchange {
    /// Channels of the trunk, and those taken.
    pub capacity: usize,
    /// No trunk is up until then.
    pub down_until: Timestamp,
    /// By the numbers' fingerprints.
    channels: QuickMap<(usize, ContactId), u64>,
    asked: QuickMap<(usize, ContactId), u64>,
    /// Numbers in a call or with a channel reserved for one.
    numbers: QuickMap<u64, (usize, ContactId)>,
    pub legs: QuickMap<LegId, Leg>,
    bridges: QuickMap<LegId, LegId>,
    recording: QuickMap<LegId, RecordingId>,
    marks: QuickSet<(LegId, u8)>,
    /// Chats an agent is in.
    rooms: QuickMap<(usize, ContactId), AgentId>,
}

/// A leg that was placed or attached and is not released.
#[derive(Debug, Clone)]
pub struct Leg {
    pub tenant: usize,
    pub contact: ContactId,
    /// None: the customer's.
    pub agent: Option<AgentId>,
    /// How the conversation ends is decided once.
    talked: bool,
}

impl Exchange {
    /// Carries one deed out and plans what comes of it.
    pub fn deed(&mut self, now: Timestamp, tenant: usize, deed: Deed, dice: &mut Dice, agenda: &mut Agenda) -> Checked {
        match deed {
            Deed::ReserveChannel { contact, number_key, .. } => {
                let again = self.asked.insert((tenant, contact), fingerprint(&number_key)).is_some();
                insist!(!again && !self.channels.contains_key(&(tenant, contact)), "{contact}: two channels");
                if !dice.one_in(500) {
                    agenda.push(now + dice.span(0, 40), tenant, Plan::ChannelAnswer(contact));
                }
            }
            Deed::ReleaseChannel { contact } => self.release_channel(tenant, contact),
            Deed::PresentOffer { offer, contact, .. } => {
                let answer = match dice.roll(100) {
                    0..=84 => Some(Plan::Accept(contact, offer)),
                    85..=90 => Some(Plan::Decline(contact, offer)),
                    _ => None,
                };
                if let Some(answer) = answer {
                    agenda.push(now + dice.seconds(1, 9), tenant, answer);
                }
            }
            Deed::PlaceLeg { leg, contact, ring_timeout, .. } => {
                insist!(self.channels.contains_key(&(tenant, contact)), "{contact}: dialled without a channel");
                let placed = Leg { tenant, contact, agent: None, talked: false };
                insist!(self.legs.insert(leg, placed).is_none(), "{leg}: placed twice");
                ring(now, tenant, leg, ring_timeout, dice, agenda);
            }
            Deed::PlaceThird { leg, contact, ring_timeout, .. } => {
                let placed = Leg { tenant, contact, agent: None, talked: false };
                insist!(self.legs.insert(leg, placed).is_none(), "{leg}: placed twice");
                ring(now, tenant, leg, ring_timeout, dice, agenda);
            }
            Deed::AnswerLeg { .. } | Deed::RefuseLeg { .. } => {
                return Err(super::Fault("a call came in that nobody placed".to_owned()));
            }
            Deed::ReleaseLeg { leg } => {
                self.legs.remove(&leg);
                self.bridges.remove(&leg);
            }
            Deed::AttachAgent { leg, contact, agent, .. } => {
                let talked = false;
                self.legs.insert(leg, Leg { tenant, contact, agent: Some(agent), talked });
            }
            Deed::DetachAgent { leg } => {
                insist!(self.legs.remove(&leg).is_some(), "{leg}: detached, but was not attached");
                self.bridges.retain(|_, b| *b != leg);
            }
            Deed::Bridge { a, b } => self.bridge(now, tenant, a, b, dice, agenda)?,
            Deed::Unbridge { a, b } => insist!(self.bridges.remove(&a) == Some(b), "{a} and {b} were not joined"),
            Deed::StartRecording { leg, recording, .. } => {
                insist!(self.recording.insert(leg, recording).is_none(), "{leg}: recorded twice");
            }
            Deed::StopRecording { leg } => {
                let Some(recording) = self.recording.remove(&leg) else {
                    return Err(super::Fault(format!("{leg}: no recording to stop")));
                };
                // A mark ends with its recording.
                self.marks.retain(|mark| mark.0 != leg);
                if !dice.one_in(40) {
                    agenda.push(now + dice.span(100, 3000), tenant, Plan::Recorded(leg, recording));
                }
            }
            Deed::Mark { leg, mark, begin } => self.mark(leg, mark, begin)?,
            Deed::PlayPrompt { leg, then_tell, .. } => {
                insist!(self.legs.contains_key(&leg), "{leg}: played to nobody");
                if then_tell && !dice.one_in(60) {
                    agenda.push(now + dice.seconds(2, 9), tenant, Plan::Heard(leg));
                    agenda.push(now + dice.seconds(3, 20), tenant, Plan::Pressed(leg));
                }
            }
            Deed::PlayWords { leg, then_tell, .. } => {
                insist!(self.legs.contains_key(&leg), "{leg}: words for nobody");
                if then_tell && !dice.one_in(60) {
                    agenda.push(now + dice.seconds(5, 12), tenant, Plan::Heard(leg));
                }
            }
            Deed::OpenChat { contact, agent, .. } => self.open_chat(now, tenant, contact, agent, dice, agenda)?,
            Deed::LeaveChat { contact, agent, .. } => {
                let left = self.rooms.remove(&(tenant, contact));
                insist!(left.as_ref() == Some(&agent), "{contact}: left by {agent}, but {left:?} was in it");
            }
            Deed::CloseChat { contact, .. } => {
                self.rooms.remove(&(tenant, contact));
            }
            // What asks nothing of anybody out there.
            _ => {}
        }
        Ok(())
    }

    fn bridge(
        &mut self,
        now: Timestamp,
        tenant: usize,
        a: LegId,
        b: LegId,
        dice: &mut Dice,
        agenda: &mut Agenda,
    ) -> Checked {
        insist!(self.legs.contains_key(&b), "{b}: joined, but is not there");
        let Some(leg) = self.legs.get_mut(&a) else { return Err(super::Fault(format!("{a}: joined, but gone"))) };
        let contact = leg.contact;
        let first = !std::mem::replace(&mut leg.talked, true);
        insist!(self.recording.contains_key(&a) && self.recording.contains_key(&b), "{a}, {b}: a word unrecorded");
        insist!(self.bridges.insert(a, b).is_none(), "{a}: joined twice");
        if first {
            let end = now + dice.seconds(15, 300);
            let plan = if dice.percent(55) { Plan::Ended(a) } else { Plan::AgentHangsUp(contact) };
            agenda.push(end, tenant, plan);
            if dice.one_in(12) {
                agenda.push(now + dice.seconds(5, 30), tenant, Plan::Hold(contact, true));
                agenda.push(now + dice.seconds(20, 90), tenant, Plan::Hold(contact, false));
            }
        }
        Ok(())
    }

    /// The two write: a few times, then one of them ends it, or passes it on, or closes the page.
    fn open_chat(
        &mut self,
        now: Timestamp,
        tenant: usize,
        contact: ContactId,
        agent: AgentId,
        dice: &mut Dice,
        agenda: &mut Agenda,
    ) -> Checked {
        let other = self.rooms.insert((tenant, contact), agent);
        insist!(other.is_none(), "{contact}: {other:?} is in the chat already");
        for _ in 0..dice.roll(3) {
            agenda.push(now + dice.seconds(2, 120), tenant, Plan::Write(contact));
        }
        let end = now + dice.seconds(20, 280);
        match dice.roll(20) {
            // Silence, until the chat is over by itself.
            0 => {}
            1 | 2 => agenda.push(end, tenant, Plan::Transfer(contact)),
            3 => agenda.push(end, tenant, Plan::PageGone(contact)),
            roll => agenda.push(end, tenant, Plan::ChatEnds(contact, roll % 2 == 0)),
        }
        Ok(())
    }

    fn mark(&mut self, leg: LegId, mark: MarkKind, begin: bool) -> Checked {
        let mark = (leg, mark as u8);
        let paired = if begin { self.marks.insert(mark) } else { self.marks.remove(&mark) };
        insist!(paired, "{leg}: marks that do not pair");
        Ok(())
    }

    fn release_channel(&mut self, tenant: usize, contact: ContactId) {
        self.asked.remove(&(tenant, contact));
        if let Some(number) = self.channels.remove(&(tenant, contact))
            && self.numbers.get(&number) == Some(&(tenant, contact))
        {
            self.numbers.remove(&number);
        }
    }

    /// The trunk desk's answer; None if nobody waits for one.
    pub fn channel_answer(
        &mut self,
        now: Timestamp,
        tenant: usize,
        contact: ContactId,
        dice: &mut Dice,
    ) -> Option<Event> {
        let number = self.asked.remove(&(tenant, contact))?;
        let denied = if now < self.down_until {
            Some((DenialReason::TrunksDown, dice.seconds(1, 30)))
        } else if self.numbers.contains_key(&number) {
            Some((DenialReason::NumberInCall, dice.seconds(1, 30)))
        } else if self.channels.len() >= self.capacity {
            Some((DenialReason::AllBusy, dice.span(500, 8000)))
        } else if dice.one_in(3000) {
            Some((DenialReason::Draining, dice.seconds(1, 30)))
        } else {
            None
        };
        if let Some((reason, retry_after)) = denied {
            return Some(Event::ChannelDenied { contact, answers: None, reason, retry_after });
        }
        self.numbers.insert(number, (tenant, contact));
        self.channels.insert((tenant, contact), number);
        Some(Event::ChannelGranted { contact, trunk: "carrier".into(), answers: None })
    }

    /// A grant that comes although nobody waits for it any more; it is to be given back.
    pub fn stray_grant(&mut self, tenant: usize, contact: ContactId) -> Option<Event> {
        let stray = !self.channels.contains_key(&(tenant, contact)) && !self.asked.contains_key(&(tenant, contact));
        stray.then(|| {
            self.channels.insert((tenant, contact), 0);
            Event::ChannelGranted { contact, trunk: "carrier".into(), answers: None }
        })
    }

    /// Chats outlive a crash where the ledger says so.
    pub fn keep_rooms(&mut self, tenant: usize, in_chat: impl Fn(ContactId) -> Option<AgentId>) {
        self.rooms.retain(|key, agent| key.0 != tenant || in_chat(key.1).as_ref() == Some(agent));
    }

    /// What the tenant held out here is gone with it, but for the chats.
    pub fn crashed(&mut self, tenant: usize) {
        self.channels.retain(|key, _| key.0 != tenant);
        self.asked.retain(|key, _| key.0 != tenant);
        self.numbers.retain(|_, key| key.0 != tenant);
        let legs: Vec<LegId> = self.legs.iter().filter(|(_, leg)| leg.tenant == tenant).map(|(leg, _)| *leg).collect();
        for leg in legs {
            self.legs.remove(&leg);
            self.bridges.remove(&leg);
            self.recording.remove(&leg);
            self.marks.retain(|mark| mark.0 != leg);
        }
    }

    /// After the last contact nothing may be held out here.
    pub fn check_empty(&self) -> Checked {
        let held = (self.channels.len(), self.asked.len(), self.legs.len(), self.bridges.len(), self.recording.len());
        insist!(held == (0, 0, 0, 0, 0), "still held: channels, questions, legs, bridges, recordings {held:?}");
        insist!(self.marks.is_empty(), "marks without end: {}", self.marks.len());
        insist!(self.rooms.is_empty(), "chats without end: {}", self.rooms.len());
        Ok(())
    }
}

/// What becomes of a placed leg.
fn ring(now: Timestamp, tenant: usize, leg: LegId, ring_timeout: Millis, dice: &mut Dice, agenda: &mut Agenda) {
    use AttemptResult::*;
    let soon = now + dice.span(300, 3000);
    let answered = soon + dice.seconds(2, 12);
    match dice.roll(100) {
        0..=9 => agenda.push(soon, tenant, Plan::Failed(leg, Busy)),
        10..=16 => {
            agenda.push(soon, tenant, Plan::Ringing(leg));
            agenda.push(now + ring_timeout, tenant, Plan::Failed(leg, NoAnswer));
        }
        17..=21 => {
            let results = [Rejected, Unreachable, Failed, Cancelled];
            agenda.push(soon, tenant, Plan::Failed(leg, results[dice.roll(4) as usize]));
        }
        // Never heard of again.
        22 => {}
        23..=25 => agenda.push(answered, tenant, Plan::Answered(leg)),
        _ => {
            agenda.push(soon, tenant, Plan::Ringing(leg));
            agenda.push(answered, tenant, Plan::Answered(leg));
        }
    }
    let (least, most) = LONGEST_CALL;
    agenda.push(answered + dice.seconds(least, most), tenant, Plan::Ended(leg));
}
