//! The book of legs: which leg of the core is which dialog, which media leg and which recording.

use std::{collections::HashMap, time::Instant};

use ringback_media::{LegKey, LegStats};
use ringback_routing::ids::{AgentId, ContactId, LegId, RecordingId, SessionId, TenantId, TrunkId};
use ringback_signaling::CallRequest;

use crate::{
    digits::{Digits, Way},
    quality::Departed,
};

/// Legs out of the books whose last figures are awaited; each comes when its media closes, which a lost event prevents.
const DEPARTED: usize = 4096;

/// One leg as long as it lives.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    pub tenant: TenantId,
    pub contact: ContactId,
    pub kind: LegKind,
    pub media: LegKey,
    pub recording: Option<RecordingId>,
    /// The leg this one is connected with.
    pub bridged: Option<LegId>,
}

#[derive(Debug, Clone)]
pub(crate) enum LegKind {
    Customer {
        dialog: DialogStage,
        /// The core gave the channel back while the dialog was still being taken down: it is free when that is over,
        /// for a number is in one dialog at a time.
        owes_channel: bool,
        /// The agent hears the far side before the answer.
        early: bool,
    },
    /// A number outside that was brought in, on a channel of its own.
    Outside { dialog: DialogStage, trunk: TrunkId },
    Agent {
        agent: AgentId,
        session: SessionId,
        /// What the agent's connection had counted before this contact.
        since: LegStats,
    },
}

impl LegKind {
    /// A dialog over a trunk.
    pub fn is_call(&self) -> bool {
        matches!(self, Self::Customer { .. } | Self::Outside { .. })
    }

    pub fn dialog_mut(&mut self) -> Option<&mut DialogStage> {
        match self {
            Self::Customer { dialog, .. } | Self::Outside { dialog, .. } => Some(dialog),
            Self::Agent { .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialogStage {
    /// The customer calls, and we answer; `offered`: to a description of theirs.
    Arriving {
        offered: bool,
    },
    Calling,
    Ringing,
    Answered,
    /// What the far side said of its sound will not do, such as none of the keys that the trunk's terms demand: it is being
    /// hung up, and never counts as answered.
    Unfit,
}

/// A prompt whose end the core waits for.
#[derive(Debug)]
pub(crate) struct Told {
    pub tenant: TenantId,
    pub leg: LegId,
    /// Name, language and version.
    pub heard: String,
}

/// A call that has been placed and has not rung.
#[derive(Clone)]
pub(crate) struct Unheard {
    pub request: CallRequest,
    pub ring_until: Instant,
}

impl std::fmt::Debug for Unheard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The request holds the number.
        write!(f, "Unheard({})", self.request.key)
    }
}

/// A call that rings here, and of which the core has said nothing yet.
pub(crate) struct Arriving {
    pub tenant: TenantId,
    /// The caller's offer, if there is one.
    pub sdp: Option<String>,
}

impl std::fmt::Debug for Arriving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arriving({})", self.tenant)
    }
}

/// All living legs of this process, and the prompts whose end somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct LegBook {
    legs: HashMap<LegId, Leg>,
    tells: HashMap<u64, Told>,
    recordings: HashMap<u128, (TenantId, LegId)>,
    /// What was asked of the SIP endpoint for legs that have not rung yet: another trunk may have to be asked the same.
    unheard: HashMap<LegId, Unheard>,
    arriving: HashMap<LegId, Arriving>,
    departed: HashMap<LegId, Departed>,
    digits: Digits,
    next_token: u64,
}

impl LegBook {
    pub fn insert(&mut self, id: LegId, leg: Leg) {
        self.legs.insert(id, leg);
    }

    pub fn get(&self, id: LegId) -> Option<&Leg> {
        self.legs.get(&id)
    }

    pub fn get_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.get_mut(&id)
    }

    pub fn remove(&mut self, id: LegId) -> Option<Leg> {
        self.tells.retain(|_, told| told.leg != id);
        self.unheard.remove(&id);
        self.digits.forget(id);
        self.legs.remove(&id)
    }

    /// A call that is taken out while its media closes.
    pub fn depart(&mut self, id: LegId) -> Option<Leg> {
        let gone = self.remove(id)?;
        if self.departed.len() < DEPARTED {
            self.departed.insert(id, Departed::of(&gone));
        }
        Some(gone)
    }

    pub fn take_departed(&mut self, id: LegId) -> Option<Departed> {
        self.departed.remove(&id)
    }

    /// The agent's leg that is on this connection, and what was counted before it.
    pub fn agent_on(&self, key: LegKey) -> Option<(LegId, &Leg, LegStats)> {
        self.legs.iter().find_map(|(id, leg)| match &leg.kind {
            LegKind::Agent { since, .. } if leg.media == key => Some((*id, leg, *since)),
            _ => None,
        })
    }

    /// A key was pressed on a leg; whose it is, if the leg is known and the key has not been told of already.
    pub fn pressed(&mut self, id: LegId, digit: char, way: Way) -> Option<TenantId> {
        let tenant = self.legs.get(&id).map(|leg| leg.tenant.clone())?;
        self.digits.is_new(id, digit, way, Instant::now()).then_some(tenant)
    }

    /// Bounded by the trunks' channels.
    pub fn arriving(&mut self, id: LegId, arriving: Arriving) {
        self.arriving.insert(id, arriving);
    }

    pub fn is_arriving(&self, id: LegId) -> bool {
        self.arriving.contains_key(&id)
    }

    pub fn take_arriving(&mut self, id: LegId) -> Option<Arriving> {
        self.arriving.remove(&id)
    }

    pub fn placed(&mut self, id: LegId, request: CallRequest, ring_until: Instant) {
        self.unheard.insert(id, Unheard { request, ring_until });
    }

    /// Takes what was asked for a leg; nothing once it has rung.
    pub fn take_unheard(&mut self, id: LegId) -> Option<Unheard> {
        self.unheard.remove(&id)
    }

    pub fn media_of(&self, id: LegId) -> Option<LegKey> {
        self.legs.get(&id).map(|leg| leg.media)
    }

    /// The customer's leg of a contact.
    pub fn customer_leg(&self, tenant: &TenantId, contact: ContactId) -> Option<LegId> {
        let found =
            |leg: &Leg| leg.contact == contact && leg.tenant == *tenant && matches!(leg.kind, LegKind::Customer { .. });
        self.legs.iter().find(|(_, leg)| found(leg)).map(|(id, _)| *id)
    }

    /// The contact an agent's phone is attached to.
    pub fn agent_leg(&self, tenant: &TenantId, agent: &AgentId) -> Option<(LegId, &Leg)> {
        let found =
            |leg: &Leg| leg.tenant == *tenant && matches!(&leg.kind, LegKind::Agent { agent: of, .. } if of == agent);
        self.legs.iter().find(|(_, leg)| found(leg)).map(|(id, leg)| (*id, leg))
    }

    /// The call whose far side an agent hears: the one the agent is bridged with, or else the customer's.
    pub fn heard_by(&self, tenant: &TenantId, agent: &AgentId) -> Option<LegKey> {
        let (_, leg) = self.agent_leg(tenant, agent)?;
        let bridged = leg.bridged.and_then(|other| self.legs.get(&other)).filter(|other| other.kind.is_call());
        let customer = || self.customer_leg(tenant, leg.contact).and_then(|id| self.legs.get(&id));
        bridged.or_else(customer).map(|leg| leg.media)
    }

    /// The media leg of the agent attached to a contact.
    pub fn agent_media(&self, tenant: &TenantId, contact: ContactId) -> Option<LegKey> {
        let found =
            |leg: &&Leg| leg.contact == contact && leg.tenant == *tenant && matches!(leg.kind, LegKind::Agent { .. });
        self.legs.values().find(found).map(|leg| leg.media)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&LegId, &Leg)> {
        self.legs.iter()
    }

    pub fn calls(&self) -> usize {
        self.legs.values().filter(|leg| leg.kind.is_call()).count()
    }

    /// A token under which the end of a prompt is recognised; `heard`: what the core wants to hear of it.
    pub fn prompt_token(&mut self, leg: LegId, heard: Option<String>) -> u64 {
        self.next_token += 1;
        if let (Some(heard), Some(tenant)) = (heard, self.legs.get(&leg).map(|leg| leg.tenant.clone())) {
            self.tells.insert(self.next_token, Told { tenant, leg, heard });
        }
        self.next_token
    }

    pub fn prompt_ended(&mut self, token: u64) -> Option<Told> {
        self.tells.remove(&token)
    }

    pub fn recording_opened(&mut self, recording: RecordingId, tenant: TenantId, leg: LegId) {
        self.recordings.insert(recording.0, (tenant, leg));
    }

    pub fn recording_of(&self, key: u128) -> Option<(TenantId, LegId)> {
        self.recordings.get(&key).cloned()
    }

    /// Its file is closed and filed, or there will be none.
    pub fn recording_closed(&mut self, key: u128) -> Option<(TenantId, LegId)> {
        self.recordings.remove(&key)
    }

    pub fn recordings_open(&self) -> usize {
        self.recordings.len()
    }
}
