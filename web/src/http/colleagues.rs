//! Who else is there, for an agent who wants to pass a chat on.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use ringback_routing::{agent::Presence, ids::AgentId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{error::ApiError, guard::Caller, schema};
use crate::state::App;

#[derive(Debug, Serialize, ToSchema)]
pub struct ColleagueList {
    /// Signed in, with chats in their profile, by name; never the caller.
    pub items: Vec<Colleague>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Colleague {
    pub id: String,
    pub name: String,
    #[schema(value_type = schema::Presence)]
    pub presence: Presence,
}

pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<ColleagueList>, ApiError> {
    let tenant = caller.tenant()?;
    let board = app.engine.board_view(tenant, 0).await?.ok_or_else(ApiError::not_found)?;
    let users = app.store.users(Some(tenant)).await?;
    let chats = |agent: Option<ringback_routing::config::AgentConfig>| agent.is_some_and(|agent| agent.chat_slots > 0);
    let chatting: BTreeSet<AgentId> =
        users.into_iter().filter_map(|user| chats(user.agent).then_some(user.id)).collect();
    let there = board.agents.into_iter().filter(|agent| {
        agent.presence != Presence::Offline && &agent.id != caller.id() && chatting.contains(&agent.id)
    });
    let mut items: Vec<Colleague> =
        there.map(|agent| Colleague { id: agent.id.to_string(), name: agent.name, presence: agent.presence }).collect();
    items.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Json(ColleagueList { items }))
}
