//! What happened in a contact between the lines that were written: one timeline of chat and call, with the place of each event in
//! the recording.

use ringback_routing::{
    contact::ChatEnd,
    ids::{AgentId, ContactId, TenantId},
    output::Fact,
    time::{Millis, Timestamp},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{chat::Names, error::ApiError};
use crate::state::App;

/// What happens so shortly before the sound begins belongs to its beginning: an answer is what a recording is begun by.
const JUST_BEFORE: Millis = Millis(1_000);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TimelineEvent {
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// requested, scheduled, arrived, accepted, passed_on, callback_preferred, called, chat_ended, dialled, answered, bridged, held,
    /// resumed, agent_lost, agent_back, third_joined, handed_over, carrier_declined, call_ended, wrapped_up or closed
    pub what: &'static str,
    /// Name of the agent it is about.
    pub who: Option<String>,
    /// Where it is in the recording of the whole contact, in milliseconds; null: not while it was recorded.
    pub sound_ms: Option<i64>,
}

/// Everything of a contact that is worth a line, in order.
pub(super) async fn of(app: &App, tenant: &TenantId, contact: ContactId) -> Result<Vec<TimelineEvent>, ApiError> {
    let recorded = app.store.recordings_of(tenant, contact).await?;
    let began = recorded.iter().map(|row| row.started_at).min();
    let ended = recorded.iter().map(|row| row.started_at + Millis(row.duration_ms)).max();
    let mut names = Names::default();
    let mut events = Vec::new();
    for row in app.store.contact_facts(tenant, contact).await? {
        let Some((what, agent)) = told(&row.fact) else { continue };
        let who = match agent {
            Some(agent) => Some(names.of(app, tenant, agent).await),
            None => None,
        };
        events.push(TimelineEvent { at: row.at, what, who, sound_ms: place(row.at, began.zip(ended)) });
    }
    Ok(events)
}

/// Milliseconds from the beginning of the sound, while there was any.
fn place(at: Timestamp, sound: Option<(Timestamp, Timestamp)>) -> Option<i64> {
    let heard = sound.filter(|(began, ended)| (*began - JUST_BEFORE..=*ended).contains(&at));
    heard.map(|(began, _)| at.since(began).0)
}

/// The word, and the agent it is about.
fn told(fact: &Fact) -> Option<(&'static str, Option<&AgentId>)> {
    Some(match fact {
        Fact::Requested { .. } => ("requested", None),
        Fact::Scheduled { .. } => ("scheduled", None),
        Fact::Arrived { .. } => ("arrived", None),
        Fact::OfferAccepted { agent, .. } => ("accepted", Some(agent)),
        Fact::Transferred { from, .. } => ("passed_on", Some(from)),
        Fact::CallbackPreferred => ("callback_preferred", None),
        Fact::ChatEnded { by: ChatEnd::Called { agent } } => ("called", Some(agent)),
        Fact::ChatEnded { .. } => ("chat_ended", None),
        Fact::Dialled { .. } => ("dialled", None),
        Fact::Answered { .. } => ("answered", None),
        Fact::Bridged { agent, .. } => ("bridged", Some(agent)),
        Fact::Held { .. } => ("held", None),
        Fact::Resumed { .. } => ("resumed", None),
        Fact::AgentLost { agent, .. } => ("agent_lost", Some(agent)),
        Fact::AgentBack { agent, .. } => ("agent_back", Some(agent)),
        Fact::ThirdJoined { .. } => ("third_joined", None),
        Fact::HandedOver { agent, .. } => ("handed_over", agent.as_ref()),
        Fact::CarrierDeclined { .. } => ("carrier_declined", None),
        Fact::AttemptEnded { .. } => ("call_ended", None),
        Fact::WrapUpEnded { .. } => ("wrapped_up", None),
        Fact::Closed { .. } => ("closed", None),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_place_only_while_there_is_sound() {
        let at = Timestamp::from_millis;
        let sound = Some((at(2000), at(5000)));
        let places = [999, 1000, 2000, 3500, 5000, 5001].map(|now| place(at(now), sound));
        assert_eq!(places, [None, Some(0), Some(0), Some(1500), Some(3000), None]);
        assert_eq!(place(at(3500), None), None);
    }
}
