//! One tab of one agent: who it is, whether it has the phone, what was last said of its health.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::StatusCode;
use ringback_engine::EngineError;
use ringback_routing::{
    agent::{Health, RequestedState},
    contact::{ChatEnd, Segment, SegmentState},
    event::{Event, TransferTarget},
    ids::{AgentId, ContactId, ReasonCode, SessionId, TenantId},
    time::Millis,
    view::AgentView,
};
use ringback_store::ChatSender;
use tokio::sync::Notify;

use super::{
    calls,
    chats::Chats,
    message::{ClientMessage, LiveCall, ServerMessage, StateWord},
};
use crate::{
    config::Face,
    http::{
        chat,
        error::ApiError,
        guard::{Caller, still_holds},
        login::MAX_NOTE,
    },
    state::{App, Revoked},
    token,
    words::Lang,
};

/// What one "more time" gives.
const MORE_WRAP_UP: Millis = Millis::from_secs(60);
/// Digits sent at once.
const MAX_DIGITS: usize = 32;
/// Longest name of a tab's session, in bytes.
const MAX_SESSION: usize = 64;

pub(super) struct Tab {
    app: App,
    tenant: TenantId,
    agent: AgentId,
    lang: Lang,
    caller: Caller,
    /// After hello.
    session: Option<SessionId>,
    owner: bool,
    /// What the core last heard of this tab.
    health: Health,
    last: Option<(AgentView, bool, BTreeMap<String, LiveCall>)>,
    seq: u64,
    chats: Chats,
}

impl Tab {
    pub(super) fn new(app: App, caller: Caller, lang: Lang) -> Result<Self, ApiError> {
        Ok(Self {
            tenant: caller.tenant()?.clone(),
            agent: caller.user.id.clone(),
            caller,
            app,
            lang,
            session: None,
            owner: false,
            health: Health::default(),
            last: None,
            seq: 0,
            chats: Chats::default(),
        })
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub(super) fn agent(&self) -> &AgentId {
        &self.agent
    }

    pub(super) fn ended_by(&self, what: &Revoked) -> bool {
        what.ends(&self.caller.session)
    }

    pub(super) async fn still_signed_in(&self) -> bool {
        still_holds(&self.app, &self.caller).await
    }

    pub(super) fn refuse(&self, reference: Option<u64>, error: &ApiError) -> ServerMessage {
        ServerMessage::Error { reference, problem: error.document(self.lang) }
    }

    pub(super) async fn take(&mut self, reference: Option<u64>, message: ClientMessage) -> Vec<ServerMessage> {
        match self.act(message).await {
            Ok(mut answers) => {
                answers.extend(reference.map(|reference| ServerMessage::Ack { reference }));
                answers
            }
            Err(error) => vec![self.refuse(reference, &error)],
        }
    }

    async fn act(&mut self, message: ClientMessage) -> Result<Vec<ServerMessage>, ApiError> {
        match message {
            ClientMessage::Hello { session, chats, .. } => {
                self.chats.has(chats);
                return self.hello(&session).await;
            }
            ClientMessage::Pong { microphone, media, .. } => {
                self.tell_health(Health { tab: true, microphone, media }).await;
                return Ok(Vec::new());
            }
            _ => {}
        }
        let hello_first = || ApiError::new(StatusCode::CONFLICT, "hello_first");
        let session = self.session.clone().ok_or_else(hello_first)?;
        if let ClientMessage::TakeOver = message {
            self.connect(&session).await?;
            return Ok(Vec::new());
        }
        if !self.owner {
            return Err(ApiError::new(StatusCode::CONFLICT, "not_owner"));
        }
        self.act_as_owner(&session, message).await
    }

    async fn act_as_owner(
        &mut self,
        session: &SessionId,
        message: ClientMessage,
    ) -> Result<Vec<ServerMessage>, ApiError> {
        let agent = self.agent.clone();
        let event = match message {
            ClientMessage::Hello { .. } | ClientMessage::Pong { .. } | ClientMessage::TakeOver => return Ok(Vec::new()),
            ClientMessage::PhoneOffer { id, sdp, restart, mend } => {
                let engine = &self.app.engine;
                let sdp = match mend {
                    true => engine.phone_mend(&self.tenant, &self.agent, session, sdp).await?,
                    false => engine.phone_offer(&self.tenant, &self.agent, session, sdp, restart).await?,
                };
                return Ok(vec![ServerMessage::PhoneAnswer { id, sdp }]);
            }
            ClientMessage::Mute { contact, on } => {
                self.app.engine.mute(&self.tenant, &self.agent, contact, on).await?;
                return Ok(Vec::new());
            }
            ClientMessage::Dtmf { contact, digits } => {
                let known = |digit: char| matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D');
                if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.chars().all(known) {
                    return Err(ApiError::bad_value("digits"));
                }
                self.app.engine.dtmf(&self.tenant, &self.agent, contact, digits).await?;
                return Ok(Vec::new());
            }
            ClientMessage::State { state, reason } => {
                Event::AgentStateRequested { agent, state: requested(state, reason)? }
            }
            ClientMessage::Accept { offer } => Event::OfferAccepted { agent, offer },
            ClientMessage::Reject { offer } => Event::OfferDeclined { agent, offer },
            ClientMessage::Hold { contact, on } => Event::HoldRequested { agent, contact, hold: on },
            ClientMessage::HangUp { contact } => Event::HangUpRequested { agent, contact },
            ClientMessage::CallTransfer { contact, to, note } => {
                let face = self.face()?;
                calls::transfer(&face, agent, contact, to, note)?
            }
            ClientMessage::Consult { contact, to, note } => {
                let face = self.face()?;
                calls::consult(&face, agent, contact, to, note)?
            }
            ClientMessage::ConsultStep { contact, step } => calls::step(agent, contact, step),
            ClientMessage::Colleagues => {
                return Ok(vec![calls::colleagues(&self.app, &self.agent, &self.tenant).await?]);
            }
            ClientMessage::CallOut { phone, name, subject } => {
                calls::call_out(&self.app, &self.tenant, agent, (&phone, name), subject).await?;
                return Ok(Vec::new());
            }
            ClientMessage::WrapUp { segment, dispositions, note } => {
                if note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE) {
                    return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long").with("field", "note"));
                }
                Event::WrapUpFinished { agent, segment, dispositions, note }
            }
            ClientMessage::WrapUpMore { segment } => Event::WrapUpExtended { agent, segment, by: MORE_WRAP_UP },
            ClientMessage::ChatEnd { contact } => Event::ChatEnded { contact, by: ChatEnd::Agent { agent } },
            ClientMessage::ChatTransfer { contact, queue, agent, note } => {
                let to = match (queue, agent) {
                    (Some(queue), None) => TransferTarget::Queue { queue },
                    (None, Some(agent)) => TransferTarget::Agent { agent },
                    _ => return Err(ApiError::bad_value("queue")),
                };
                return self.transfer_chat(contact, to, note).await;
            }
            ClientMessage::ChatCall { contact, phone } => {
                if !self.is_in_chat(contact).await? {
                    return Err(ApiError::new(StatusCode::CONFLICT, "wrong_state"));
                }
                chat::call_from_chat(&self.app, &self.tenant, agent, contact, phone.as_deref()).await?;
                return Ok(Vec::new());
            }
            ClientMessage::ChatSay { .. } | ClientMessage::ChatSeen { .. } | ClientMessage::ChatTyping { .. } => {
                return self.write(message).await;
            }
        };
        let signs_off = matches!(&event, Event::AgentStateRequested { state: RequestedState::Offline, .. });
        self.submit(event).await?;
        if signs_off && self.view().await?.contacts.is_empty() {
            self.app.engine.phone_close(&self.tenant, &self.agent, session).await;
        }
        Ok(Vec::new())
    }

    /// The tab becomes the one with the phone if no other living tab is.
    async fn hello(&mut self, session: &str) -> Result<Vec<ServerMessage>, ApiError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if session.is_empty() || session.len() > MAX_SESSION || !session.bytes().all(plain) {
            return Err(ApiError::bad_value("session"));
        }
        let session = SessionId::new(session);
        if self.session.is_some() {
            return Err(ApiError::new(StatusCode::CONFLICT, "wrong_state"));
        }
        self.session = Some(session.clone());
        self.app.desks.enter(&self.tenant, &self.agent, &session);
        let holder = self.view().await?.session;
        let free = holder
            .is_none_or(|holder| holder == session || !self.app.desks.is_live(&self.tenant, &self.agent, &holder));
        if free {
            self.connect(&session).await?;
        }
        let version = self.app.engine.watch(&self.tenant).map_or(0, |version| *version.borrow());
        self.last = None;
        Ok(self.changed(version).await)
    }

    async fn connect(&mut self, session: &SessionId) -> Result<(), ApiError> {
        self.submit(Event::AgentConnected { agent: self.agent.clone(), session: session.clone() }).await?;
        self.owner = true;
        // What the core knew of another tab's health is void: the next pong tells it anew.
        self.health = Health::default();
        self.tell_health(Health { tab: true, ..Health::default() }).await;
        Ok(())
    }

    /// The desk after a change, if it differs from what the tab was last shown.
    pub(super) async fn changed(&mut self, version: u64) -> Vec<ServerMessage> {
        let Some(session) = self.session.clone() else { return Vec::new() };
        let Ok(view) = self.view().await else { return Vec::new() };
        let mut answers = Vec::new();
        let owner = view.session.as_ref() == Some(&session);
        if owner != self.owner {
            let session = view.session.as_ref().map(ToString::to_string);
            answers.push(ServerMessage::Owner { owner, session });
            self.owner = owner;
            self.health = Health::default();
        }
        let muted = self.app.engine.is_muted(&self.tenant, &self.agent).await;
        let codec = self.app.engine.phone_codec(&self.tenant, &self.agent).map(str::to_owned);
        let live: BTreeMap<_, _> = view
            .contacts
            .iter()
            .filter(|contact| {
                contact.segments.iter().any(|segment| {
                    segment.agent == self.agent && matches!(segment.state, SegmentState::Connected { .. })
                })
            })
            .map(|contact| (contact.id.to_string(), LiveCall { muted, codec: codec.clone() }))
            .collect();
        self.chats.sit(&self.app, &self.tenant, &view).await;
        let shown = (view, owner, live);
        if self.last.as_ref() == Some(&shown) {
            answers.extend(self.chat_news().await);
            return answers;
        }
        if let Some((before, ..)) = &self.last {
            answers.extend(calls::over(&self.app, &self.tenant, before, &shown.0).await);
        }
        self.seq = version.max(self.seq + 1);
        answers.push(ServerMessage::Snapshot {
            seq: self.seq,
            agent: Box::new(shown.0.clone()),
            owner,
            server_time: self.app.now(),
            live: shown.2.clone(),
        });
        self.last = Some(shown);
        answers.extend(self.chat_news().await);
        answers
    }

    /// Rings when there is something new in one of the desk's chats.
    pub(super) fn chat_bell(&self) -> Arc<Notify> {
        self.chats.bell()
    }

    /// What was said in the desk's chats since it was last told.
    pub(super) async fn chat_news(&mut self) -> Vec<ServerMessage> {
        self.chats.news(&self.app, &self.tenant).await
    }

    /// Whether this agent is in the chat: by what the desk shows, or else by what the core says now.
    async fn is_in_chat(&self, contact: ContactId) -> Result<bool, ApiError> {
        let talks = |view: &AgentView| {
            view.contacts.iter().filter(|known| known.id == contact).any(|known| {
                let over = known.chat.as_ref().is_some_and(|chat| chat.ended.is_some());
                let connected = |segment: &Segment| {
                    segment.agent == self.agent && matches!(segment.state, SegmentState::Connected { .. })
                };
                !over && known.segments.iter().any(connected)
            })
        };
        if self.last.as_ref().is_some_and(|(view, ..)| talks(view)) {
            return Ok(true);
        }
        Ok(talks(&self.view().await?))
    }

    async fn write(&mut self, message: ClientMessage) -> Result<Vec<ServerMessage>, ApiError> {
        match message {
            ClientMessage::ChatSay { contact, client_id, body } => {
                if !self.is_in_chat(contact).await? {
                    return Err(ApiError::new(StatusCode::CONFLICT, "chat_over"));
                }
                if !chat::is_client_id(&client_id) {
                    return Err(ApiError::bad_value("client_id"));
                }
                let face = self.face()?;
                let body = chat::body_within(&body, face.chat.agent_chars)?;
                let room = self.app.engine.chat_room(&self.tenant, contact).await?;
                let kept = room.say(ChatSender::Agent(self.agent.clone()), client_id.clone(), body).await?;
                Ok(vec![ServerMessage::ChatSaid { contact, client_id, seq: kept.seq, at: kept.at }])
            }
            ClientMessage::ChatSeen { contact, delivered, seen } => {
                self.chats.seen(contact, delivered, seen);
                Ok(Vec::new())
            }
            ClientMessage::ChatTyping { contact } if self.is_in_chat(contact).await? => {
                self.chats.typing(contact);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn transfer_chat(
        &mut self,
        contact: ContactId,
        to: TransferTarget,
        note: Option<String>,
    ) -> Result<Vec<ServerMessage>, ApiError> {
        if !self.is_in_chat(contact).await? {
            return Err(ApiError::new(StatusCode::CONFLICT, "wrong_state"));
        }
        let note = note.filter(|note| !note.trim().is_empty());
        let note = note.map(|note| chat::body_within(&note, MAX_NOTE)).transpose()?;
        // The note first: the next agent may be there at once.
        if let Some(note) = note {
            let room = self.app.engine.chat_room(&self.tenant, contact).await?;
            let name = token::random()?;
            room.say(ChatSender::Note(self.agent.clone()), name, note).await?;
        }
        self.submit(Event::ChatTransferRequested { agent: self.agent.clone(), contact, to }).await?;
        Ok(Vec::new())
    }

    fn face(&self) -> Result<Arc<Face>, ApiError> {
        self.app.faces.get(&self.tenant).ok_or_else(ApiError::not_found)
    }

    /// The agent's desk without what no browser needs.
    async fn view(&self) -> Result<AgentView, ApiError> {
        let view = self.app.engine.agent_view(&self.tenant, &self.agent).await?;
        let mut view = view.ok_or_else(ApiError::not_allowed)?;
        for contact in &mut view.contacts {
            Arc::make_mut(&mut contact.customer).number_key = String::new();
            contact.status_token_digest = None;
        }
        Ok(view)
    }

    /// Health is told on change only, and only by the tab that has the phone.
    async fn tell_health(&mut self, health: Health) {
        let Some(session) = self.session.clone().filter(|_| self.owner && health != self.health) else { return };
        let event = Event::AgentHealth { agent: self.agent.clone(), session, health };
        match self.submit(event).await {
            Ok(()) => self.health = health,
            Err(error) => tracing::debug!(code = error.code, "a tab's health was not taken"),
        }
    }

    /// No answer for too long: no offers until it speaks again.
    pub(super) async fn silent(&mut self) {
        self.tell_health(Health { tab: false, ..self.health }).await;
    }

    async fn submit(&self, event: Event) -> Result<(), ApiError> {
        match self.app.engine.submit(&self.tenant, event).await {
            Ok(_) => Ok(()),
            Err(EngineError::Rejected(rejection)) => Err(rejection.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The socket is gone.
    pub(super) async fn leave(&mut self) {
        let Some(session) = self.session.take() else { return };
        self.app.desks.leave(&self.tenant, &self.agent, &session);
        // The same tab may be back on a new socket already.
        if self.app.desks.is_live(&self.tenant, &self.agent, &session) {
            return;
        }
        if self.owner {
            let event = Event::AgentDisconnected { agent: self.agent.clone(), session };
            if let Err(error) = self.submit(event).await {
                tracing::warn!(code = error.code, "an agent's going was not taken");
            }
        }
    }
}

fn requested(state: StateWord, reason: Option<ReasonCode>) -> Result<RequestedState, ApiError> {
    Ok(match state {
        StateWord::Ready => RequestedState::Ready,
        StateWord::Offline => RequestedState::Offline,
        StateWord::NotReady => {
            RequestedState::NotReady { reason: reason.ok_or_else(|| ApiError::bad_value("reason"))? }
        }
    })
}
