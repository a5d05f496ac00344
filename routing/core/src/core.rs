//! The owner of all contacts and agents of one tenant.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    agent::{AgentRecord, Presence},
    config::{AccessCode, AgentConfig, Closure, Menu, TenantConfig},
    contact::{ChatEnd, Contact},
    event::{Event, Receipt, Rejection},
    filing::Filing,
    floor::{BucketId, Floor},
    ids::*,
    numbers::Numbers,
    outbox::Outbox,
    output::Output,
    time::Timestamp,
    timers::{Timer, Timers},
    view::{AgentView, Availability, BoardView, ClosurePreview, SlotView, StatusView},
    wait::PastWait,
};

/// At most so many timers fire in one `handle_timeout`; the rest stay due and `next_deadline` says so. A morning at
/// which ten thousand contacts come due is then many bounded turns instead of one endless one.
const TIMERS_PER_TURN: usize = 256;

/// What a core starts from: an empty day, or the ledger's rows after a restart. Journalled whole, so replay starts equal.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Start {
    pub seed: u64,
    pub config: TenantConfig,
    pub agent_configs: Vec<AgentConfig>,
    /// Open contacts only.
    pub contacts: Vec<Contact>,
    pub agents: Vec<AgentRecord>,
    /// The latest waits and handling times, oldest first: what may be said about waiting survives a restart.
    #[serde(default)]
    pub past_waits: Vec<PastWait>,
    /// Numbers whose last call may still live although its contact is closed.
    #[serde(default)]
    pub guards: Vec<NumberGuard>,
}

/// A number that may not be dialled before then.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct NumberGuard {
    pub number_key: String,
    pub until: Timestamp,
}

pub struct Core {
    pub(crate) config: TenantConfig,
    pub(crate) ids: IdSource,
    pub(crate) contacts: Filing<ContactId, Box<Entry>, 64>,
    pub(crate) agents: Filing<AgentId, Desk, 1>,
    /// Agents by the skills they are configured with, at whatever level.
    pub(crate) skilled: BTreeMap<SkillId, BTreeSet<AgentId>>,
    pub(crate) by_number: Numbers,
    /// Open chats by the digest of their customer's link, so that a request that comes again is the same chat.
    pub(crate) by_link: Numbers,
    pub(crate) legs: BTreeMap<LegId, LegOwner>,
    /// Legs whose recording is not known to be complete; outlives the contact by a bounded time.
    pub(crate) recordings: BTreeMap<LegId, ContactId>,
    /// Words of languages, shared by those who speak them.
    pub(crate) languages: BTreeSet<Language>,
    pub(crate) floor: Floor,
    pub(crate) timers: Timers,
    pub(crate) outbox: Outbox,
    /// The time it was told last.
    latest: Timestamp,
}

/// A contact and what is known of it only while this core runs.
pub(crate) struct Entry {
    pub(crate) contact: Contact,
    pub(crate) channel: ChannelHold,
    pub(crate) bucket: BucketId,
    /// The customer pressed 1 on the leg that is live now.
    pub(crate) confirmed: bool,
    /// Of a customer who called: how far the house has come with them.
    pub(crate) arrival: Option<Box<Arrival>>,
}

// With what it points to and its places in the lists, a waiting contact stays under a kilobyte: see benches/decision.rs.
const _: () = assert!(size_of::<Entry>() <= 392);

/// What is known of a call that came in as long as it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arrival {
    pub(crate) menu: Option<Menu>,
    /// How often the choices were told.
    pub(crate) told: u8,
    pub(crate) code: Option<CodeEntry>,
    /// The caller's number may be dialled.
    pub(crate) callable: bool,
}

/// The trunk channel a contact has, wants or waits for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ChannelHold {
    None,
    /// Asked for while this agent is kept free for it.
    Asked {
        agent: AgentId,
        /// The command that asks.
        question: CommandId,
    },
    Held {
        trunk: TrunkId,
    },
    /// Refused for this number; asked again by timer.
    Refused,
}

/// An access code that is being entered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CodeEntry {
    pub(crate) asked: AccessCode,
    /// The number called, which the code belongs to.
    pub(crate) number: String,
    pub(crate) entered: String,
    pub(crate) failed: u8,
}

/// An agent as configured, as recorded and as working now.
pub(crate) struct Desk {
    pub(crate) config: AgentConfig,
    pub(crate) record: AgentRecord,
    /// Offered, connecting, connected, lost or in wrap-up.
    pub(crate) hand: Vec<(ContactId, SegmentId)>,
    /// Kept free for this contact's channel reservation.
    pub(crate) earmark: Option<ContactId>,
    /// How it stands among the free, if it does.
    pub(crate) listed: Option<Listing>,
    pub(crate) signed_in: bool,
    pub(crate) effective: bool,
    pub(crate) buckets: Vec<BucketId>,
    /// Those of contacts that wait for this agent alone.
    pub(crate) own: Vec<BucketId>,
    pub(crate) shown: (Presence, Option<ReasonCode>),
    pub(crate) shown_since: Timestamp,
    /// Taken out of the configuration with contacts still in hand.
    pub(crate) leaving: bool,
}

/// An agent's standing among the free: fewest in hand first, then longest idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) load: u8,
    pub(crate) idle: Timestamp,
    /// Whether a call may come, and whether a chat may.
    pub(crate) voice: bool,
    pub(crate) text: bool,
    /// For a reservation, and thus for no other call.
    pub(crate) kept: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LegOwner {
    pub(crate) contact: ContactId,
    pub(crate) side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Customer,
    Agent(SegmentId),
    /// A number outside that was brought in.
    Third,
}

impl Core {
    /// Builds the core and settles what a crash left: offers are revoked, dialling attempts become unknown until the
    /// guard time, bridged calls have ended and their contacts are in line again at their original time, agents are
    /// offline until their browser is back. The outputs of that are drained like those of any event.
    pub fn restore(now: Timestamp, start: Start) -> Self {
        let mut core = Self {
            floor: Floor::default(),
            ids: IdSource::new(start.seed),
            config: start.config,
            contacts: Filing::default(),
            agents: Filing::default(),
            skilled: BTreeMap::new(),
            by_number: Numbers::default(),
            by_link: Numbers::default(),
            legs: BTreeMap::new(),
            recordings: BTreeMap::new(),
            languages: BTreeSet::new(),
            timers: Timers::default(),
            outbox: Outbox::default(),
            latest: now,
        };
        for guard in start.guards.into_iter().filter(|guard| guard.until > now) {
            core.timers.set(Timer::NumberGuard(guard.number_key), guard.until);
        }
        core.settle_start(now, start.agent_configs, start.agents, start.contacts);
        core.remember_waits(start.past_waits);
        core.settle(now);
        core
    }

    /// Takes one event. Refused events change nothing.
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Result<Receipt, Rejection> {
        self.note_time(now);
        let receipt = self.take(now, event);
        self.settle(now);
        receipt
    }

    fn take(&mut self, now: Timestamp, event: Event) -> Result<Receipt, Rejection> {
        match event {
            Event::TenantConfigured { config } => self.tenant_configured(now, *config),
            Event::AgentConfigured { agent } => self.agent_configured(now, agent),
            Event::AgentRemoved { agent } => self.agent_removed(now, &agent),
            Event::ClosureDeclared { closure } => self.closure_changed(now, Some(closure)),
            Event::ClosureLifted => self.closure_changed(now, None),
            Event::CallbackRequested { request } => self.callback_requested(now, request),
            Event::CallArrived { call } => self.call_arrived(now, call),
            Event::CodeChecked { leg, visit } => self.code_checked(now, leg, visit.map(|visit| *visit)),
            Event::CallbackCancelled { contact, by } => self.callback_cancelled(now, contact, by),
            Event::CallbackTimeChosen { contact, slot } => self.time_chosen(now, contact, slot),
            Event::CallbackNumberChanged { contact, number, number_key } => {
                self.number_changed(now, contact, number, number_key)
            }
            Event::ChatRequested { request } => self.chat_requested(now, request),
            Event::ChatActivity { contact } => self.chat_activity(now, contact),
            Event::ChatCustomerGone { contact } => self.customer_gone(now, contact),
            Event::ChatCustomerBack { contact } => self.customer_back(now, contact),
            Event::ChatCallbackChosen { contact, number, number_key } => {
                self.chat_callback_chosen(now, contact, number, number_key)
            }
            Event::ChatCallRequested { agent, contact, number, number_key } => {
                self.chat_call_requested(now, &agent, contact, number, number_key)
            }
            Event::OutboundRequested { agent, request } => self.outbound_requested(now, &agent, request),
            Event::ChatEnded { contact, by } => self.chat_ended(now, contact, by),
            Event::ChatTransferRequested { agent, contact, to } => self.transfer_chat(now, &agent, contact, to),
            Event::CallTransferRequested { agent, contact, to, note } => {
                self.transfer_call(now, &agent, contact, to, note)
            }
            Event::ConsultationRequested { agent, contact, with, note } => {
                self.consultation_requested(now, &agent, contact, with, note)
            }
            Event::ConsultationStepped { agent, contact, step } => self.consultation_step(now, &agent, contact, step),
            Event::AgentConnected { agent, session } => self.agent_connected(now, &agent, session),
            Event::AgentDisconnected { agent, session } => self.agent_disconnected(now, &agent, &session),
            Event::AgentStateRequested { agent, state } => self.agent_state_requested(now, &agent, state),
            Event::AgentHealth { agent, session, health } => self.agent_health(now, &agent, &session, health),
            Event::AgentMediaLost { agent, session } => self.agent_media_lost(now, &agent, &session),
            Event::OfferAccepted { agent, offer } => self.offer_accepted(now, &agent, offer),
            Event::OfferDeclined { agent, offer } => self.offer_declined(now, &agent, offer),
            Event::HoldRequested { agent, contact, hold } => self.hold_requested(now, &agent, contact, hold),
            Event::HangUpRequested { agent, contact } => self.hang_up_requested(now, &agent, contact),
            Event::WrapUpFinished { agent, segment, dispositions, note } => {
                self.wrap_up_finished(now, &agent, segment, dispositions, note)
            }
            Event::WrapUpExtended { agent, segment, by } => self.wrap_up_extended(now, &agent, segment, by),
            Event::ChannelGranted { contact, trunk, answers } => self.channel_granted(now, contact, trunk, answers),
            Event::ChannelDenied { contact, answers, reason, retry_after } => {
                self.channel_denied(now, contact, answers, reason, retry_after)
            }
            Event::LegRerouted { leg, trunk } => self.leg_rerouted(leg, trunk),
            Event::CarrierDeclined { leg, status } => self.carrier_declined(now, leg, status),
            Event::LegRinging { leg } => self.leg_ringing(now, leg),
            Event::LegAnswered { leg } => self.leg_answered(now, leg),
            Event::LegFailed { leg, result, sip_status } => self.leg_failed(now, leg, result, sip_status),
            Event::LegEnded { leg } => self.leg_ended(now, leg),
            Event::PromptFinished { leg, heard } => self.prompt_finished(now, leg, heard),
            Event::DtmfReceived { leg, digit } => self.dtmf_received(now, leg, digit),
            Event::RecordingFinished { leg, recording } => self.recording_finished(now, leg, recording),
        }
    }

    /// Fires what is due at `now`. When more is due than one turn takes, `next_deadline` stays in the past.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.note_time(now);
        for _ in 0..TIMERS_PER_TURN {
            let Some(timer) = self.timers.pop_due(now) else { break };
            self.fire(now, timer);
            self.settle(now);
        }
    }

    /// A clock that was set back may have passed an edge of the hours, for which there is no timer in that direction.
    fn note_time(&mut self, now: Timestamp) {
        if std::mem::replace(&mut self.latest, now) > now {
            self.hours_edge(now);
            self.settle(now);
        }
    }

    fn fire(&mut self, now: Timestamp, timer: Timer) {
        match timer {
            Timer::HoursEdge => self.hours_edge(now),
            Timer::ChannelsRetry => self.unblock_channels(),
            Timer::Widen => self.widen_due(now),
            Timer::ContactDue(contact) => self.contact_due(now, contact),
            Timer::ChannelReply(contact) => self.channel_reply_missing(now, contact),
            Timer::NumberRetry(contact) => self.number_retry(contact),
            Timer::CoolOffOver(contact) => self.cool_off_over(now, contact),
            Timer::OfferLapse(contact) => self.offer_lapsed(now, contact),
            Timer::RingGuard(contact) => self.ring_guard(now, contact),
            Timer::AnnouncementGuard(contact) => self.announcement_guard(now, contact),
            Timer::PressOne(contact) => self.not_confirmed(now, contact),
            Timer::MenuChoice(contact) => self.nothing_pressed(now, contact),
            Timer::AnnounceWait(contact) => self.announce_wait(now, contact),
            Timer::CustomerGone(contact) => self.end_chat(now, contact, ChatEnd::Gone),
            Timer::ChatWait(contact) => self.end_chat(now, contact, ChatEnd::NobodyFree),
            Timer::ChatIdle(contact) => self.end_chat(now, contact, ChatEnd::Idle),
            Timer::AgentBack(contact) => self.agent_not_back(now, contact),
            Timer::ThirdAsked(contact) => self.third_timeout(now, contact),
            Timer::WrapUpOver(contact, segment) => self.wrap_up_over(now, contact, segment),
            Timer::AgentGrace(agent) => self.agent_grace_over(now, &agent),
            Timer::OfferGrace(agent) => self.offer_grace_over(now, &agent),
            Timer::AutoReturn(agent) => self.auto_return(now, &agent),
            Timer::RecordingForgotten(leg) => {
                self.recordings.remove(&leg);
            }
            // Its being gone is all it does.
            Timer::NumberGuard(_) => {}
        }
    }

    /// The next output of the drain: every change, then every command, then None.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.next_output()
    }

    /// When `handle_timeout` is wanted next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    pub fn config(&self) -> &TenantConfig {
        &self.config
    }

    /// Open contacts by id, as they are now.
    pub fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values().map(|entry| &entry.contact)
    }

    /// One open contact.
    pub fn contact(&self, id: ContactId) -> Option<&Contact> {
        self.contacts.get(&id).map(|entry| &entry.contact)
    }

    /// The agents as configured, by id.
    pub fn agent_configs(&self) -> impl Iterator<Item = &AgentConfig> {
        self.agents.values().map(|desk| &desk.config)
    }

    /// One agent's record.
    pub fn agent(&self, id: &AgentId) -> Option<&AgentRecord> {
        self.agents.get(id).map(|desk| &desk.record)
    }

    pub fn availability(&self, now: Timestamp) -> Availability {
        self.view_availability(now)
    }

    /// The times a customer may choose now, soonest first.
    pub fn slots(&self, now: Timestamp) -> Vec<SlotView> {
        self.open_slots(now)
    }

    /// Whom such a closure would find waiting, and what would become of them.
    pub fn closure_preview(&self, closure: &Closure) -> ClosurePreview {
        self.preview_closure(closure)
    }

    /// None when no such contact is open; a closed one is in the ledger only.
    pub fn status_view(&self, now: Timestamp, contact: ContactId) -> Option<StatusView> {
        self.view_status(now, contact)
    }

    pub fn agent_view(&self, now: Timestamp, agent: &AgentId) -> Option<AgentView> {
        let _ = now;
        self.view_agent(agent)
    }

    pub fn board_view(&self, now: Timestamp, waiting_limit: usize) -> Option<BoardView> {
        Some(self.view_board(now, waiting_limit))
    }

    /// Panics if an invariant is broken; called after every event in tests and simulation.
    pub fn check(&self) {
        self.check_all();
    }
}
