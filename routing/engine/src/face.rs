//! The handle everything outside holds.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use ringback_media::{Circle, LegKey};
use ringback_routing::{
    agent::Health,
    config::{Closure, TenantConfig},
    event::{Event, Receipt},
    ids::{AgentId, ContactId, IdSource, SessionId, TenantId, TrunkId},
    output::PromptName,
    view::{AgentView, Availability, BoardView, ClosurePreview, SlotView, StatusView, WhyView},
};
use ringback_store::Store;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    alarms::{Alarm, Alarms},
    channels::TrunkTerms,
    error::{EngineError, PhoneError},
    owner::{Ask, Letter},
    phones::Phone,
    plant::{Door, Plant},
    prompts::Prompt,
};

/// A cheap handle; all clones speak to the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) plant: Arc<Plant>,
}

const GONE: EngineError = EngineError::Unavailable { why: "the server is stopping" };

impl Engine {
    /// Takes an event. `Ok` means durable: the change is committed before the answer is given.
    pub async fn submit(&self, tenant: &TenantId, event: Event) -> Result<Receipt, EngineError> {
        let event = self.with_known_health(tenant, event);
        let (reply, answer) = oneshot::channel();
        self.door(tenant)?.pages.try_send(Letter { event, reply }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => EngineError::Unavailable { why: "too many requests are waiting" },
            mpsc::error::TrySendError::Closed(_) => GONE,
        })?;
        answer.await.map_err(|_| GONE)?
    }

    /// The tab speaks for itself, the server for the connection.
    fn with_known_health(&self, tenant: &TenantId, event: Event) -> Event {
        match event {
            Event::AgentHealth { agent, session, health } => {
                let health = self.plant.books.phones().tab_says(tenant, &agent, &session, health);
                Event::AgentHealth { agent, session, health }
            }
            other => other,
        }
    }

    pub async fn availability(&self, tenant: &TenantId) -> Result<Availability, EngineError> {
        self.ask(tenant, Ask::Availability).await
    }

    /// The times a customer may choose now, soonest first.
    pub async fn slots(&self, tenant: &TenantId) -> Result<Vec<SlotView>, EngineError> {
        self.ask(tenant, Ask::Slots).await
    }

    /// Whom such a closure would find waiting, and what would become of them.
    pub async fn closure_preview(&self, tenant: &TenantId, closure: Closure) -> Result<ClosurePreview, EngineError> {
        self.ask(tenant, |reply| Ask::ClosurePreview(closure, reply)).await
    }

    /// `None`: no such contact is open; a closed one is in the ledger.
    pub async fn status_view(&self, tenant: &TenantId, contact: ContactId) -> Result<Option<StatusView>, EngineError> {
        self.ask(tenant, |reply| Ask::Status(contact, reply)).await
    }

    pub async fn agent_view(&self, tenant: &TenantId, agent: &AgentId) -> Result<Option<AgentView>, EngineError> {
        self.ask(tenant, |reply| Ask::Agent(agent.clone(), reply)).await
    }

    pub async fn board_view(&self, tenant: &TenantId, waiting_limit: usize) -> Result<Option<BoardView>, EngineError> {
        self.ask(tenant, |reply| Ask::Board(waiting_limit, reply)).await
    }

    /// Why the contact is where it is, and why with none of up to `limit` agents; `None`: it is not open.
    pub async fn why(
        &self,
        tenant: &TenantId,
        contact: ContactId,
        limit: usize,
    ) -> Result<Option<WhyView>, EngineError> {
        self.ask(tenant, |reply| Ask::Why(contact, limit, reply)).await
    }

    pub async fn config(&self, tenant: &TenantId) -> Result<Arc<TenantConfig>, EngineError> {
        self.ask(tenant, Ask::Config).await
    }

    /// Ticks after every committed turn; whoever shows a view asks for it again then.
    pub fn watch(&self, tenant: &TenantId) -> Option<watch::Receiver<u64>> {
        self.plant.doors.get(tenant).map(|door| door.version.subscribe())
    }

    /// Ticks after every committed turn that may have changed this agent's desk.
    pub fn watch_desk(&self, tenant: &TenantId, agent: &AgentId) -> Option<watch::Receiver<u64>> {
        self.plant.doors.get(tenant).map(|door| door.desks.watch(agent))
    }

    /// The agent's browser offers its connection (`restart`: again, for the same session); the answer goes back to it.
    /// The connection belongs to the agent: a new tab takes it over with whatever call is on it.
    pub async fn phone_offer(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        session: &SessionId,
        sdp: String,
        restart: bool,
    ) -> Result<String, PhoneError> {
        let view = self.agent_view(tenant, agent).await.map_err(|_| PhoneError::NoSuchAgent)?;
        let view = view.ok_or(PhoneError::NoSuchAgent)?;
        if view.session.as_ref() != Some(session) {
            return Err(PhoneError::NotTheOwner);
        }
        let known = self.plant.books.phones().get(tenant, agent).map(|phone| phone.key);
        tracing::debug!(%agent, restart, again = known.is_some(), "a browser offers its connection");
        let media = &self.plant.media;
        let bad = |error: ringback_media::MediaError| PhoneError::BadOffer { why: error.to_string() };
        let Some(key) = known else {
            let key = self.new_key()?;
            let phone = Phone {
                key,
                session: session.clone(),
                connected: false,
                muted: false,
                codec: None,
                tab: Health::default(),
            };
            self.plant.books.phones().insert(tenant, agent, phone);
            let answer = media.open_browser(key, circle_of(tenant), sdp).await;
            if answer.is_err() {
                self.plant.books.phones().remove(tenant, agent);
            }
            return answer.map_err(bad);
        };
        let answer = media.browser_restart(key, sdp).await.map_err(bad)?;
        if let Some(phone) = self.plant.books.phones().get_mut(tenant, agent) {
            phone.session = session.clone();
            phone.connected = false;
        }
        Ok(answer)
    }

    /// The browser's path has changed under its connection (ICE restart): another answer for the same session and keys, and
    /// nothing else changes.
    pub async fn phone_mend(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        session: &SessionId,
        sdp: String,
    ) -> Result<String, PhoneError> {
        let known = {
            let phones = self.plant.books.phones();
            phones.get(tenant, agent).map(|phone| (phone.key, phone.session == *session))
        };
        match known {
            Some((_, false)) => Err(PhoneError::NotTheOwner),
            Some((key, true)) => {
                tracing::debug!(%agent, "a browser's path is made anew");
                self.plant.media.browser_mend(key, sdp).await.map_err(|_| PhoneError::Gone)
            }
            None => Err(PhoneError::Gone),
        }
    }

    /// The agent signed out: the connection is closed, unless another session has it by now.
    pub async fn phone_close(&self, tenant: &TenantId, agent: &AgentId, session: &SessionId) {
        let gone = {
            let mut phones = self.plant.books.phones();
            let owned = phones.get(tenant, agent).is_some_and(|phone| phone.session == *session);
            owned.then(|| phones.remove(tenant, agent)).flatten()
        };
        if let Some(phone) = gone {
            self.plant.media.close(phone.key);
        }
    }

    /// While muted nothing of the agent reaches the customer.
    pub async fn mute(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        contact: ContactId,
        on: bool,
    ) -> Result<(), PhoneError> {
        self.in_call(tenant, agent, contact)?;
        let key = {
            let mut phones = self.plant.books.phones();
            let phone = phones.get_mut(tenant, agent).ok_or(PhoneError::NoSuchCall)?;
            phone.muted = on;
            phone.key
        };
        self.plant.media.mute(key, on);
        self.plant.ring_desk(tenant, agent);
        Ok(())
    }

    pub async fn is_muted(&self, tenant: &TenantId, agent: &AgentId) -> bool {
        self.plant.books.phones().get(tenant, agent).is_some_and(|phone| phone.muted)
    }

    /// What the agent's browser should speak, by its name in SDP, so that nothing has to be turned into another codec; None: what
    /// it speaks anyway.
    pub fn phone_codec(&self, tenant: &TenantId, agent: &AgentId) -> Option<&'static str> {
        self.plant.books.phones().get(tenant, agent)?.codec.map(ringback_media::Codec::name)
    }

    /// Sends digits (0-9, *, #, A-D) by RFC 4733 to whom the agent hears: the customer, or a number asked in private.
    pub async fn dtmf(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        contact: ContactId,
        digits: String,
    ) -> Result<(), PhoneError> {
        self.in_call(tenant, agent, contact)?;
        let far = self.plant.books.legs().heard_by(tenant, agent);
        self.plant.media.send_dtmf(far.ok_or(PhoneError::NoSuchCall)?, digits);
        Ok(())
    }

    fn in_call(&self, tenant: &TenantId, agent: &AgentId, contact: ContactId) -> Result<(), PhoneError> {
        let book = self.plant.books.legs();
        let attached = book.agent_leg(tenant, agent).is_some_and(|(_, leg)| leg.contact == contact);
        if attached { Ok(()) } else { Err(PhoneError::NoSuchCall) }
    }

    pub fn store(&self) -> &Store {
        &self.plant.store
    }

    /// Where carriers send UDP.
    pub fn sip_udp(&self) -> Option<std::net::SocketAddr> {
        self.plant.signaling.udp_addr()
    }

    pub fn trunk_states(&self) -> Vec<ringback_signaling::TrunkState> {
        self.plant.signaling.trunk_states()
    }

    /// What became of a trunk's calls since the start.
    pub fn trunk_calls(&self, trunk: &TrunkId) -> crate::trunk_tally::TrunkCalls {
        self.plant.trunk_tally.of(trunk)
    }

    /// The SIP messages of a call, masked; empty when they are not kept (any more).
    pub async fn sip_ladder(&self, leg: ringback_routing::ids::LegId) -> ringback_signaling::Ladder {
        self.plant.signaling.ladder(ringback_signaling::CallKey(leg.0)).await
    }

    /// What is wrong right now and why.
    pub fn alarms(&self) -> Vec<(Alarm, String)> {
        self.plant.alarms.raised()
    }

    /// Whether new requests are acknowledged.
    pub fn is_ready(&self) -> bool {
        !self.alarms().iter().any(|(alarm, _)| matches!(alarm, Alarm::LedgerRefuses | Alarm::Draining))
    }

    /// (trunk, channels, channels in use)
    pub fn trunk_usage(&self) -> Vec<(TrunkId, usize, usize)> {
        self.plant.books.channels().usage()
    }

    /// Takes calls over these trunks from now on, each on its terms. Calls that run are not touched, and a trunk
    /// that is the same keeps its state.
    pub fn set_trunks(&self, trunks: Vec<(ringback_signaling::TrunkConfig, TrunkTerms)>) {
        {
            let mut channels = self.plant.books.channels();
            for (trunk, terms) in &trunks {
                channels.admit(TrunkId::new(&trunk.id), *terms);
            }
        }
        self.plant.signaling.set_trunks(trunks.into_iter().map(|(trunk, _)| trunk).collect());
    }

    /// A tenant's own prompts from now on, by name and language; what plays at the moment plays to its end.
    pub fn set_prompts(&self, tenant: &TenantId, prompts: Vec<(PromptName, String, Prompt)>) {
        let mut library = self.plant.prompts.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        library.set_brought(tenant.clone(), prompts);
    }

    /// The number customers of the tenant are shown from the next call on, E.164; None: the line's own.
    pub fn set_caller_id(&self, tenant: &TenantId, number: Option<String>) {
        let mut shown = self.plant.caller_ids.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        match number {
            Some(number) => shown.insert(tenant.clone(), number),
            None => shown.remove(tenant),
        };
    }

    pub fn alarm_book(&self) -> Arc<Alarms> {
        self.plant.alarms.clone()
    }

    fn door(&self, tenant: &TenantId) -> Result<Arc<Door>, EngineError> {
        self.plant.doors.get(tenant).ok_or(EngineError::NoSuchTenant)
    }

    async fn ask<T>(
        &self,
        tenant: &TenantId,
        question: impl FnOnce(oneshot::Sender<T>) -> Ask,
    ) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.door(tenant)?.asks.send(question(reply)).await.map_err(|_| GONE)?;
        answer.await.map_err(|_| GONE)
    }

    fn new_key(&self) -> Result<LegKey, PhoneError> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|_| PhoneError::Full)?;
        Ok(LegKey(IdSource::new(u64::from_le_bytes(seed)).mint(self.plant.clock.now())))
    }
}

/// A tenant's agents are brought together in consultations, transfers and conferences.
fn circle_of(tenant: &TenantId) -> Circle {
    let mut hasher = DefaultHasher::new();
    tenant.hash(&mut hasher);
    Circle(hasher.finish())
}
