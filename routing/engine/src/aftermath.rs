//! What a core leaves behind that is discarded while the server runs on: what it held outside is given back, and whoever
//! was there still is.

use ringback_routing::{
    Core,
    agent::{AgentState, RequestedState},
    event::Event,
    ids::CommandId,
    output::{Command, Deed},
};

/// The deeds that undo what the core had asked for outside. Its calls are taken down by the core that comes after it,
/// which finds them in the ledger; of channels and attached agents it knows nothing.
pub(crate) fn given_back(before: &Core) -> Vec<Command> {
    let mut deeds = Vec::new();
    for contact in before.contacts() {
        let attached = contact.segments.iter().filter(|segment| !segment.is_done()).filter_map(|segment| segment.leg);
        deeds.extend(attached.map(|leg| (leg.0, Deed::DetachAgent { leg })));
        deeds.push((contact.id.0, Deed::ReleaseChannel { contact: contact.id }));
    }
    deeds.into_iter().map(|(id, deed)| Command { id: CommandId(id), deed }).collect()
}

/// What the browsers have told and need not tell again: that they are there, whether they can be heard, and what their
/// agents had asked for.
pub(crate) fn still_here(before: &Core) -> Vec<Event> {
    let mut events = Vec::new();
    let configs: Vec<_> = before.agent_configs().map(|config| config.id.clone()).collect();
    for record in configs.iter().filter_map(|agent| before.agent(agent)) {
        let Some(session) = record.session.clone() else { continue };
        let agent = record.id.clone();
        events.push(Event::AgentConnected { agent: agent.clone(), session: session.clone() });
        events.push(Event::AgentHealth { agent: agent.clone(), session, health: record.health });
        let state = match (&record.next, &record.state) {
            (Some(next), _) => next.clone(),
            (None, AgentState::Ready) => RequestedState::Ready,
            (None, AgentState::NotReady { reason }) => RequestedState::NotReady { reason: reason.clone() },
            (None, AgentState::Offline) => RequestedState::Offline,
        };
        events.push(Event::AgentStateRequested { agent, state });
    }
    events
}
