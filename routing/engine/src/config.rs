//! What the engine is started with.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use ringback_media::MediaConfig;
use ringback_recorder::RecorderConfig;
use ringback_routing::{
    config::{AgentConfig, TenantConfig},
    ids::{TenantId, TrunkId},
};
use ringback_signaling::SignalingConfig;

use crate::{arrivals::Reception, channels::TrunkTerms, gate::DialGate, prompts::PromptLibrary};

pub struct EngineConfig {
    /// Names this process in leases, legs and recordings; also the host part of its Call-IDs.
    pub node: String,
    /// Root of the recordings on disk.
    pub recordings: PathBuf,
    pub signaling: SignalingConfig,
    pub media: MediaConfig,
    pub recorder: RecorderConfig,
    pub trunks: BTreeMap<TrunkId, TrunkTerms>,
    /// The trunk's caller id shown to customers of a tenant, if it differs from the trunk's own.
    pub caller_ids: BTreeMap<TenantId, String>,
    /// Whose numbers are called, and who calls.
    pub reception: Arc<dyn Reception>,
    pub tenants: Vec<TenantSetup>,
    pub prompts: PromptLibrary,
    pub gate: Arc<dyn DialGate>,
    pub limits: EngineLimits,
}

/// One tenant and the people who work for it.
#[derive(Debug, Clone)]
pub struct TenantSetup {
    pub config: TenantConfig,
    pub agents: Vec<AgentConfig>,
}

/// Bounds of the engine's queues; each refuses with a clear answer when it is full.
#[derive(Debug, Clone)]
pub struct EngineLimits {
    /// Events from pages waiting for one tenant's core; more are answered 503.
    pub waiting_events: usize,
    /// Events from legs waiting for one tenant's core.
    pub waiting_leg_events: usize,
    /// Events that go into one transaction.
    pub events_per_turn: usize,
    /// Least time from the end of one transaction to the next: an event that comes after a rest is taken at once, those that
    /// follow close upon it are taken together. Every turn costs a sync of the disk.
    pub turn_pace: Duration,
    /// The same for a turn in which no page waits: what legs tell (calls that come in, are answered or have heard a prompt)
    /// is in no such hurry.
    pub leg_pace: Duration,
    /// Chat messages waiting for the disk; more are answered 503 and sent again by the pages.
    pub waiting_chat_messages: usize,
    /// Deeds committed but not yet done, above which no page's event is taken.
    pub waiting_deeds: usize,
    /// How long a core waits before it asks again for a trunk channel.
    pub channel_retry: Duration,
    /// How long calls that the gate holds back wait before they are asked for again.
    pub gate_retry: Duration,
    /// How long the gate may think; below the time a core waits for a channel (10 s).
    pub gate_patience: Duration,
    /// How long the engine pauses after a commit failed.
    pub commit_retry: Duration,
    /// For how long after a crash a late answer to an old call is still taken down.
    pub stale_call_watch: Duration,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            waiting_events: 1024,
            waiting_leg_events: 16_384,
            events_per_turn: 64,
            turn_pace: Duration::from_millis(4),
            leg_pace: Duration::from_millis(24),
            waiting_chat_messages: 8192,
            waiting_deeds: 4096,
            channel_retry: Duration::from_secs(2),
            gate_retry: Duration::from_secs(30),
            gate_patience: Duration::from_secs(5),
            commit_retry: Duration::from_secs(1),
            stale_call_watch: Duration::from_secs(64),
        }
    }
}
