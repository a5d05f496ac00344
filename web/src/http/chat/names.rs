//! The names agents are shown under, each looked up once.

use std::collections::BTreeMap;

use ringback_routing::ids::{AgentId, TenantId};

use super::words::{ChatLine, Writer};
use crate::state::App;

#[derive(Default)]
pub struct Names(BTreeMap<AgentId, String>);

impl Names {
    /// Whoever is not found any more keeps the id for a name.
    pub async fn of(&mut self, app: &App, tenant: &TenantId, agent: &AgentId) -> String {
        if let Some(known) = self.0.get(agent) {
            return known.clone();
        }
        let name = looked_up(app, tenant, agent).await;
        self.0.insert(agent.clone(), name.clone());
        name
    }

    /// Names whoever wrote the lines, for colleagues.
    pub async fn put_on(&mut self, app: &App, tenant: &TenantId, lines: &mut [ChatLine]) {
        for line in lines.iter_mut().filter(|line| line.from != Writer::Customer) {
            if let Some(agent) = &line.agent {
                line.agent_name = Some(self.of(app, tenant, &AgentId::new(agent.as_str())).await);
            }
        }
    }
}

/// From the core, or, of somebody who is no agent any more, from the ledger.
async fn looked_up(app: &App, tenant: &TenantId, agent: &AgentId) -> String {
    if let Ok(Some(view)) = app.engine.agent_view(tenant, agent).await {
        return view.name;
    }
    let kept = app.store.user(Some(tenant), agent).await.ok().flatten();
    kept.map_or_else(|| agent.to_string(), |user| user.name)
}
