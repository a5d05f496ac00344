//! What one record must be by itself, and what is read from it.

use ringback_routing::{
    config::{AgentConfig, SubjectConfig, TenantConfig},
    contact::*,
    ids::SkillId,
    reason::Reason,
    third::ThirdStage,
    time::{Millis, Timestamp},
};

use super::{Checked, dice::fingerprint, insist, scene::LONGEST_CHAT_WAIT};

/// Ringing, announcement and confirmation each end sooner than this.
const STEP_LIMIT: Millis = Millis::from_secs(200);
/// The customers of this simulation hang up sooner.
const TALK_LIMIT: Millis = Millis::from_secs(6 * 3600);

/// Whether the agent may be offered the contact where it stands on its ladder now.
pub fn serves(config: &TenantConfig, agent: &AgentConfig, contact: &Contact) -> bool {
    let queue = agent.queues.contains(&contact.queue);
    match &contact.preferred {
        Some(own) if contact.target == 0 => queue && agent.id == *own,
        _ => queue && is_able(config, agent, contact),
    }
}

/// By skills and language alone.
fn is_able(config: &TenantConfig, agent: &AgentConfig, contact: &Contact) -> bool {
    let level = |skill: &SkillId| agent.skills.get(skill).copied().unwrap_or(0);
    if config.language_skill(contact.customer.language.as_str()).is_some_and(|(skill, least)| level(skill) < *least) {
        return false;
    }
    // In a queue it was transferred to, being in the queue is all that counts.
    let own = |subject: &&SubjectConfig| subject.id == contact.subject && subject.queue == contact.queue;
    let targets = config.subjects.iter().find(own).map_or(&[][..], |subject| &subject.targets[..]);
    let has = |(skill, least): (&SkillId, &u8)| level(skill) >= *least;
    let mut reached = targets.iter().take(usize::from(contact.target).max(1));
    targets.is_empty() || reached.any(|step| step.skills.iter().all(has))
}

/// The number whose dialog lives or, after a crash, may live.
pub fn live_number(contact: &Contact) -> Option<u64> {
    let last = contact.attempts.last().filter(|attempt| !attempt.is_inbound())?;
    let live = matches!(last.state, AttemptState::Dialling | AttemptState::Live | AttemptState::Unknown { .. });
    live.then(|| fingerprint(&contact.customer.number_key))
}

/// What was is not made otherwise.
pub fn check_history(old: &Contact, new: &Contact) -> Checked {
    let id = new.id;
    insist!(old.requested_at == new.requested_at, "{id}: the original time is kept");
    insist!(new.segments.len() >= old.segments.len(), "{id}: an engagement is gone");
    insist!(new.attempts.len() >= old.attempts.len(), "{id}: an attempt is gone");
    insist!(old.closed_at.is_none(), "{id}: saved after its end");
    let kept = old.segments.iter().zip(&new.segments).all(|(old, new)| old.id == new.id && old.agent == new.agent);
    insist!(kept, "{id}: an engagement has changed hands");
    let ended = |attempt: &Attempt| matches!(attempt.state, AttemptState::Ended { .. });
    let kept = old.attempts.iter().zip(&new.attempts).all(|(old, new)| !ended(old) || old == new);
    insist!(kept, "{id}: an attempt that was over has changed");
    Ok(())
}

/// The record agrees with itself.
pub fn check_shape(contact: &Contact) -> Checked {
    let id = contact.id;
    // An agent who passed a chat on may still be wrapping up.
    let wraps = |segment: &&Segment| matches!(segment.state, SegmentState::WrapUp { .. });
    let (wrapping, open) = (open_segments(contact).filter(wraps).count(), open_segments(contact).count());
    let engaged = open - wrapping;
    let running = contact
        .attempts
        .iter()
        .filter(|attempt| matches!(attempt.state, AttemptState::Dialling | AttemptState::Live))
        .count();
    insist!(engaged <= 1 && running <= 1, "{id}: owned {engaged} times, dialled {running} times");
    insist!(wrapping <= 1 || contact.channel == Channel::Chat, "{id}: a call wrapped up {wrapping} times");
    match contact.state {
        ContactState::Active { .. } => insist!(open > 0 || contact.third.is_some(), "{id}: active with nobody"),
        ContactState::Closed { .. } => {
            let unknown = matches!(contact.attempts.last().map(|last| last.state), Some(AttemptState::Unknown { .. }));
            insist!(open == 0 && running == 0 && !unknown, "{id}: closed with something open");
            insist!(contact.closed_at.is_some(), "{id}: closed at no time");
        }
        _ => insist!(engaged == 0, "{id}: waits with an agent"),
    }
    let ordinals = contact.attempts.iter().map(|attempt| attempt.ordinal).eq(1..=contact.attempts.len() as u32);
    insist!(ordinals, "{id}: attempts are numbered from 1");
    Ok(())
}

/// By when the contact must have gone on by itself.
pub fn deadline(now: Timestamp, config: &TenantConfig, contact: &Contact) -> Option<Timestamp> {
    let away = contact.chat.as_ref().and_then(|chat| chat.customer_away);
    let deadline = match contact.state {
        ContactState::Scheduled { due } => Some(due),
        ContactState::Queued { since } => {
            let chat = contact.chat.as_ref().map(|_| since + LONGEST_CHAT_WAIT);
            [chat, contact.widen_at].into_iter().flatten().min()
        }
        ContactState::Closed { .. } => None,
        ContactState::Arriving { .. } => Some(now + STEP_LIMIT),
        // A number outside, and nobody of the house.
        ContactState::Active { .. } if contact.open_segment().is_none() => Some(match contact.third.as_ref()?.stage {
            ThirdStage::Asked { until } | ThirdStage::Told { until } => until,
            _ => now + TALK_LIMIT,
        }),
        ContactState::Active { .. } => Some(match contact.open_segment()?.state {
            SegmentState::Offered { until } | SegmentState::AgentLost { until } | SegmentState::WrapUp { until } => {
                until
            }
            SegmentState::Connecting { .. } => now + STEP_LIMIT + config.callback.ring_timeout,
            SegmentState::Connected { .. } | SegmentState::Done { .. } => now + TALK_LIMIT,
        }),
    };
    [deadline, away].into_iter().flatten().min()
}

pub fn chosen_time(contact: &Contact) -> Option<Timestamp> {
    match contact.state {
        ContactState::Scheduled { due } if contact.reason == Reason::ChosenTime => Some(due),
        _ => None,
    }
}

pub fn open_segments(contact: &Contact) -> impl Iterator<Item = &Segment> {
    contact.segments.iter().filter(|segment| !segment.is_done())
}
