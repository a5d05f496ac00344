//! `ringback.toml` as it is written: one struct per table, every key documented in `docs/ringback.example.toml`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use ringback_routing::ids::TenantId;
use ringback_store::Role;
use serde::{Deserialize, Serialize, Serializer};
use toml::Spanned;

use super::{bounds::FoundedTable, tenant::TenantTable, trunk::TrunkTable, turn::TurnTable};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    pub server: ServerTable,
    pub store: StoreTable,
    pub sip: SipTable,
    pub media: MediaTable,
    pub recorder: RecorderTable,
    pub limits: LimitsTable,
    pub founded: FoundedTable,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcTable>,
    pub trunk: Vec<TrunkTable>,
    pub tenant: Vec<TenantTable>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerTable {
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    /// Scheme, host and port as browsers see them; its origin is the only one allowed to change anything.
    pub public_url: String,
    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Who besides loopback may read /metrics.
    pub metrics_from: Vec<IpAddr>,
    pub data_dir: PathBuf,
    /// 32 bytes in URL-safe base64 that seal what the ledger keeps for others, such as trunks' passwords; without it a file
    /// in `data_dir`, made at the first need.
    pub secrets_key_file: Option<PathBuf>,
    /// Addresses that webhooks may be sent to although they are not public, also without TLS.
    pub webhooks_may_reach: Vec<AddressRange>,
    /// Roots (PEM) that may have signed receivers' certificates; without it those of the system.
    pub webhooks_ca_file: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub private_key: Option<PathBuf>,
    /// Plain http answers with a redirect when https is configured.
    pub redirect_to_https: bool,
    /// A name of this node in rows and metrics.
    pub node: String,
    pub log: LogFormat,
    /// Threads for everything but sound, the ledger and passwords; 0: half of the processors, at least one.
    pub workers: u8,
    /// How long live calls may go on after SIGTERM, in seconds.
    pub drain_seconds: u32,
    /// How long a staff session lasts without a new login, in hours.
    pub session_hours: u32,
    /// Whose accounts here need an authenticator app besides the password.
    pub second_factor_for: Vec<Role>,
}

impl Default for ServerTable {
    fn default() -> Self {
        Self {
            http: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            https: Vec::new(),
            public_url: "http://localhost:8080".into(),
            trusted_proxies: Vec::new(),
            metrics_from: Vec::new(),
            data_dir: "ringback-data".into(),
            secrets_key_file: None,
            webhooks_may_reach: Vec::new(),
            webhooks_ca_file: None,
            certificate: None,
            private_key: None,
            redirect_to_https: true,
            node: "node1".into(),
            log: LogFormat::Text,
            workers: 0,
            drain_seconds: 120,
            session_hours: 12,
            second_factor_for: vec![Role::Admin, Role::Operator],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreTable {
    /// `sqlite:///path` or `postgres://…`; without it an SQLite file in the data directory.
    #[serde(serialize_with = "redact_url", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// MiB of SQLite's log made ready at the start; 0: it grows as it is written.
    pub log_room_mb: u16,
}

impl Default for StoreTable {
    fn default() -> Self {
        Self { url: None, log_room_mb: 16 }
    }
}

/// A password inside a URL is not printed.
fn redact_url<S: Serializer>(url: &Option<String>, s: S) -> Result<S::Ok, S::Error> {
    let Some(url) = url else { return s.serialize_none() };
    let shown = match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}•••{}", &url[..scheme + 3], &url[at..]),
        _ => url.clone(),
    };
    s.serialize_str(&shown)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipTable {
    pub udp: Option<SocketAddr>,
    pub tcp: Option<SocketAddr>,
    /// For carriers that call us over TLS; needs `certificate` and `private_key`.
    pub tls: Option<SocketAddr>,
    /// Chain, PEM; read again when the file has changed. So are the other two.
    pub certificate: Option<PathBuf>,
    pub private_key: Option<PathBuf>,
    /// When given, only carriers with a certificate signed by one of these roots may connect by TLS.
    pub client_ca_file: Option<PathBuf>,
    /// Name servers to ask for carriers; empty = those of the system.
    pub nameservers: Vec<SocketAddr>,
    /// Host or address that carriers can reach, when it is not the bound one.
    pub advertised: Option<String>,
    /// Addresses or ranges besides the trunks' own whose requests are looked at.
    pub accept_from: Vec<AddressRange>,
    pub limits: SipLimitsTable,
}

impl SipTable {
    fn bare() -> Self {
        Self {
            udp: None,
            tcp: None,
            tls: None,
            certificate: None,
            private_key: None,
            client_ca_file: None,
            nameservers: Vec::new(),
            advertised: None,
            accept_from: Vec::new(),
            limits: SipLimitsTable::default(),
        }
    }
}

/// What the SIP ports take; reaching a limit refuses what is new and never touches calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipLimitsTable {
    /// Of one address; the rest is dropped unread.
    pub messages_per_second: u32,
    /// TCP and TLS together.
    pub connections: usize,
    pub connections_per_address: usize,
    pub transactions: usize,
    /// SIP calls, those being wound up included.
    pub calls: usize,
    /// A message on a connection must be complete after so long.
    pub slow_sender_seconds: u32,
    /// A connection without traffic is closed after so long.
    pub idle_connection_seconds: u32,
}

impl Default for SipLimitsTable {
    fn default() -> Self {
        Self {
            messages_per_second: 5_000,
            connections: 1_000,
            connections_per_address: 200,
            transactions: 50_000,
            calls: 10_000,
            slow_sender_seconds: 5,
            idle_connection_seconds: 900,
        }
    }
}

impl Default for SipTable {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        Self { udp: Some(any), tcp: Some(any), ..Self::bare() }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaTable {
    /// One UDP port for all browsers; each further media thread takes the next one.
    pub webrtc: SocketAddr,
    /// Addresses browsers are told; needed behind NAT.
    pub webrtc_advertised: Vec<IpAddr>,
    /// Address of the RTP ports towards carriers.
    pub rtp: IpAddr,
    pub rtp_advertised: Option<IpAddr>,
    /// "first-last"; two ports per call.
    pub rtp_ports: String,
    /// Media threads; 0 = one per processor.
    pub threads: usize,
    /// No packet from the carrier for so long ends the leg, in seconds.
    pub silence_seconds: u32,
    /// No packet from the agent's browser for so long is a lost agent, in seconds.
    pub agent_silence_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnTable>,
}

impl Default for MediaTable {
    fn default() -> Self {
        Self {
            webrtc: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 40000)),
            webrtc_advertised: Vec::new(),
            rtp: Ipv4Addr::UNSPECIFIED.into(),
            rtp_advertised: None,
            rtp_ports: "30000-31999".into(),
            threads: 1,
            silence_seconds: 60,
            agent_silence_seconds: 5,
            turn: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecorderTable {
    /// Without it `recordings` in the data directory.
    pub dir: Option<PathBuf>,
    /// Frames (20 ms) of one recording that may wait for the disk.
    pub queue_frames: usize,
    /// Longest part of a recording that a killed process can take, in milliseconds; at most 1000.
    pub flush_ms: u32,
    /// Longest part of a recording that a power failure can take, in seconds, beside the time the disk needs; 0 leaves
    /// it to the operating system.
    pub sync_seconds: u32,
    /// Below this much free disk an alarm is raised, in MiB.
    pub min_free_mib: u64,
}

impl Default for RecorderTable {
    fn default() -> Self {
        Self { dir: None, queue_frames: 500, flush_ms: 500, sync_seconds: 5, min_free_mib: 1024 }
    }
}

/// Where staff sign in with their corporate accounts (C10): an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcTable {
    /// Exactly as the provider names itself.
    pub issuer: String,
    /// What the button on the sign-in page says after "Sign in with".
    #[serde(default = "organisation")]
    pub name: String,
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<Spanned<PathBuf>>,
    #[serde(default = "oidc_scopes")]
    pub scopes: Vec<String>,
    /// The claim with the person's groups: a list of texts, or one.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Certificates (PEM) to trust instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The first group a person is in decides.
    #[serde(default)]
    pub group: Vec<OidcGroupTable>,
}

fn organisation() -> String {
    "your organisation".into()
}
fn oidc_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(String::from).to_vec()
}
fn groups_claim() -> String {
    "groups".into()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcGroupTable {
    pub group: String,
    pub role: Role,
    /// None for operators only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Spanned<TenantId>>,
}

/// Every queue, buffer and rate of the web side. Rates are per client address (IPv6: per /64).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsTable {
    pub logins_per_minute: u32,
    pub callbacks_per_minute: u32,
    /// Callbacks accepted for one telephone number, whoever asks.
    pub callbacks_per_number_per_hour: u32,
    /// Of requests without the portal's word: from one address, from one network (IPv4 /24, IPv6 /48), for one tenant.
    pub callbacks_per_address_per_hour: u32,
    pub callbacks_per_network_per_hour: u32,
    pub callbacks_per_tenant_per_hour: u32,
    /// How often in 24 hours a number may be rung that nobody has proven to own, over all tenants: at nobody's word, and
    /// at the word of persons the portal knows.
    pub rings_per_number_per_day: u32,
    pub rings_per_vouched_number_per_day: u32,
    pub pages_per_minute: u32,
    pub public_api_per_minute: u32,
    pub staff_api_per_minute: u32,
    /// Addresses remembered per rate.
    pub rate_addresses: usize,
    pub body_bytes: usize,
    /// Open HTTP connections.
    pub connections: usize,
    /// Open SSE streams.
    pub event_streams: usize,
    /// Of these, from one address.
    pub event_streams_per_address: usize,
    /// Open agent sockets.
    pub agent_sockets: usize,
    /// Open customer sockets.
    pub chat_sockets: usize,
    /// What the pages of chats ask and say, per address: many customers may sit behind one.
    pub chat_api_per_minute: u32,
    /// Messages one customer may write in one chat.
    pub chat_messages_per_minute: u32,
    /// How often a customer's socket is pinged.
    pub chat_ping_seconds: u32,
    /// Without a sign of life for so long a customer's socket is closed.
    pub chat_dead_seconds: u32,
    pub socket_message_bytes: usize,
    pub socket_messages_per_second: u32,
    /// Messages that may wait for one slow agent's browser.
    pub socket_queue: usize,
    pub ping_seconds: u32,
    /// Without an answer for so long the agent gets no offers.
    pub silent_tab_seconds: u32,
    /// Without an answer for so long the socket is closed.
    pub dead_tab_seconds: u32,
    /// Time a client has to send a request, head and body each; also how long an idle connection is kept.
    pub header_seconds: u32,
    /// Time of a TLS handshake.
    pub handshake_seconds: u32,
    /// Simultaneous password checks: each takes 19 MiB.
    pub password_checks: usize,
    /// Largest piece of a recording sent for one Range, in bytes.
    pub recording_chunk_bytes: usize,
    pub board_waiting: usize,
    pub open_contacts: usize,
    pub agents: usize,
    /// Steps of a subject's ladder.
    pub targets: usize,
    /// Agents answered for when somebody asks why a contact waits.
    pub why_agents: usize,
    /// How often records are looked for whose time is over, and how many contacts go in one transaction.
    pub retention_seconds: u32,
    pub retention_contacts: u32,
    /// Largest file that is brought in as a prompt, in bytes, and its longest sound, in seconds.
    pub prompt_bytes: usize,
    pub prompt_seconds: u32,
    /// Largest picture that is brought in, in bytes.
    pub picture_bytes: usize,
    /// After a try that failed, the next one comes so many seconds later: one number for each further try.
    pub webhook_retry_seconds: Vec<u32>,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            logins_per_minute: 10,
            callbacks_per_minute: 10,
            callbacks_per_number_per_hour: 6,
            callbacks_per_address_per_hour: 30,
            callbacks_per_network_per_hour: 120,
            callbacks_per_tenant_per_hour: 3_000,
            rings_per_number_per_day: 6,
            rings_per_vouched_number_per_day: 20,
            pages_per_minute: 120,
            public_api_per_minute: 120,
            staff_api_per_minute: 1200,
            rate_addresses: 100_000,
            body_bytes: 64 * 1024,
            connections: 10_000,
            event_streams: 5_000,
            event_streams_per_address: 50,
            agent_sockets: 2_000,
            chat_sockets: 5_000,
            chat_api_per_minute: 1_200,
            chat_messages_per_minute: 60,
            chat_ping_seconds: 10,
            chat_dead_seconds: 25,
            socket_message_bytes: 64 * 1024,
            socket_messages_per_second: 40,
            socket_queue: 64,
            ping_seconds: 2,
            silent_tab_seconds: 6,
            dead_tab_seconds: 15,
            header_seconds: 30,
            handshake_seconds: 10,
            password_checks: 4,
            recording_chunk_bytes: 256 * 1024,
            board_waiting: 500,
            open_contacts: 10_000,
            agents: 2_000,
            targets: 3,
            why_agents: 200,
            retention_seconds: 600,
            retention_contacts: 100,
            prompt_bytes: 24 * 1024 * 1024,
            prompt_seconds: 120,
            picture_bytes: 256 * 1024,
            webhook_retry_seconds: vec![5, 60, 300, 1_800, 7_200, 18_000, 36_000],
        }
    }
}

/// An address, or a range of them like `203.0.113.0/24`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange(String);

impl AddressRange {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AddressRange {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text.as_str(), None), |(a, p)| (a, Some(p)));
        let fits = address.parse::<IpAddr>().is_ok_and(|address| {
            let widest = if address.is_ipv4() { 32 } else { 128 };
            prefix.is_none_or(|prefix| prefix.parse::<u8>().is_ok_and(|prefix| prefix <= widest))
        });
        if fits { Ok(Self(text)) } else { Err(format!("`{text}` is not an address or a range like 203.0.113.0/24")) }
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> String {
        range.0
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str("•••")
    }
}
