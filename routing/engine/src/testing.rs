//! For tests of whoever builds on the engine: what otherwise takes a browser or a whole callback.

use ringback_media::LegKey;
use ringback_routing::{
    agent::Health,
    event::Event,
    ids::{AgentId, AttemptId, CommandId, ContactId, LegId, SessionId, TenantId, TrunkId},
    output::{Command, Deed},
    time::Millis,
};

use crate::{face::Engine, hands::Hands, phones::Phone};

impl Engine {
    /// A browser phone that stands, without a browser behind it.
    pub fn pretend_phone(&self, tenant: &TenantId, agent: &AgentId, session: &SessionId, key: u128) {
        let phone = Phone {
            key: LegKey(key),
            session: session.clone(),
            connected: true,
            muted: false,
            codec: None,
            tab: Health::default(),
        };
        self.plant.books.phones().insert(tenant, agent, phone);
    }

    /// Turns that the ledger did not take.
    pub fn refused_turns(&self) -> u64 {
        self.plant.metrics.commit_failures.get()
    }

    /// What a leg tells its tenant's core, whether there is such a leg or not.
    pub async fn leg_says(&self, tenant: &TenantId, event: Event) {
        self.plant.tell(tenant, event).await;
    }

    /// Has the hands place a call to whatever `number` says, as if the core had commanded it.
    pub async fn order_call(&self, tenant: &TenantId, contact: ContactId, trunk: TrunkId, number: String, leg: u128) {
        let hands = Hands { tenant: tenant.clone(), plant: self.plant.clone() };
        let (leg, attempt, ring_timeout) = (LegId(leg), AttemptId(leg), Millis::from_secs(30));
        let deed = Deed::PlaceLeg { leg, attempt, contact, trunk, number, ring_timeout };
        hands.carry_out(Command { id: CommandId(leg.0), deed }).await;
    }
}
