//! Everything an operator can set about SIP: addresses, trunks, limits and timers.

use std::{fmt, net::IpAddr, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::trunk::TrunkConfig;

/// Settings of one [`Signaling`](crate::Signaling).
#[derive(Clone, Debug)]
pub struct SignalingConfig {
    /// UDP socket to bind; port 0 takes any free port.
    pub udp_bind: Option<SocketAddr>,
    /// TCP listener to bind; port 0 takes any free port. TCP trunks work without it.
    pub tcp_bind: Option<SocketAddr>,
    /// TLS listener to bind. TLS trunks work without it.
    pub tls: Option<TlsListen>,
    /// Host (and port, when it differs from the bound one) written into Via and Contact, for a server behind NAT.
    pub advertised: Option<HostPort>,
    /// Value of the User-Agent and Server headers.
    pub user_agent: String,
    pub trunks: Vec<TrunkConfig>,
    pub limits: SignalingLimits,
    pub timers: SipTimers,
    /// Name servers to ask; empty: those of the system.
    pub nameservers: Vec<SocketAddr>,
    /// Sources whose requests are looked at besides the trunks' own addresses. All others get silence.
    pub accept_inbound_from: Vec<IpNet>,
}

impl Default for SignalingConfig {
    fn default() -> Self {
        Self {
            udp_bind: None,
            tcp_bind: None,
            tls: None,
            advertised: None,
            user_agent: "Ringback".into(),
            trunks: Vec::new(),
            limits: SignalingLimits::default(),
            timers: SipTimers::default(),
            nameservers: Vec::new(),
            accept_inbound_from: Vec::new(),
        }
    }
}

/// A TLS listener with its files, which are read again when they have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsListen {
    pub bind: SocketAddr,
    /// Chain, PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub private_key: PathBuf,
    /// When set, only clients with a certificate signed by one of these roots (PEM) are let in.
    pub client_roots: Option<PathBuf>,
}

/// How SIP messages travel to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    /// The word in a Via header (RFC 3261 §20.42).
    pub fn via_word(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// What a SIP URI says of it; nothing for UDP, which is the default. `transport=tls` is deprecated by RFC 5630 and
    /// written by everybody.
    pub fn uri_param(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
        }
    }

    /// RFC 3261 §19.1.2.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// Whether the transport delivers by itself, so that no message is retransmitted.
    pub fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

/// A host with an optional port: `sip.example.gov`, `sip.example.gov:5060`, `[2001:db8::1]:5060`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    pub port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host or host:port")]
pub struct BadHostPort;

impl FromStr for HostPort {
    type Err = BadHostPort;

    fn from_str(text: &str) -> Result<Self, BadHostPort> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { host: address.to_string(), port: None });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, tail) = rest.split_once(']').ok_or(BadHostPort)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| BadHostPort)?;
                (host, if tail.is_empty() { None } else { Some(tail.strip_prefix(':').ok_or(BadHostPort)?) })
            }
            None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
        if host.is_empty() || !host.chars().all(plain) {
            return Err(BadHostPort);
        }
        let port = port.map(|p| p.parse::<u16>().map_err(|_| BadHostPort)).transpose()?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// A password that never shows in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for the one place that hashes it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// An address range such as `203.0.113.0/24`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct IpNet {
    network: IpAddr,
    prefix: u8,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or address/prefix")]
pub struct BadIpNet;

impl IpNet {
    pub fn contains(&self, address: IpAddr) -> bool {
        let leading = |width: u32, net: u128, other: u128| {
            let shift = width - u32::from(self.prefix);
            net.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
        };
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(other)) => leading(32, net.to_bits().into(), other.to_bits().into()),
            (IpAddr::V6(net), IpAddr::V6(other)) => leading(128, net.to_bits(), other.to_bits()),
            _ => false,
        }
    }
}

impl From<IpAddr> for IpNet {
    fn from(address: IpAddr) -> Self {
        let network = address.to_canonical();
        Self { network, prefix: if network.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for IpNet {
    type Err = BadIpNet;

    fn from_str(text: &str) -> Result<Self, BadIpNet> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let mut net = Self::from(address.parse::<IpAddr>().map_err(|_| BadIpNet)?);
        if let Some(prefix) = prefix {
            let prefix = prefix.parse::<u8>().map_err(|_| BadIpNet)?;
            if prefix > net.prefix {
                return Err(BadIpNet);
            }
            net.prefix = prefix;
        }
        Ok(net)
    }
}

impl TryFrom<String> for IpNet {
    type Error = BadIpNet;

    fn try_from(text: String) -> Result<Self, BadIpNet> {
        text.parse()
    }
}

impl From<IpNet> for String {
    fn from(net: IpNet) -> Self {
        net.to_string()
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Upper bounds of every table, queue and message; reaching one refuses new work and never touches what runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalingLimits {
    /// Largest SIP message accepted, in bytes, head and body together.
    pub max_message_bytes: usize,
    /// Most header lines in one message.
    pub max_headers: usize,
    /// Transactions alive at once, client and server together.
    pub max_transactions: usize,
    /// Calls known at once, those that are being wound up included.
    pub max_dialogs: usize,
    /// Early dialogs and answers of forks remembered for one call.
    pub max_forks: usize,
    /// TCP connections open at once, in and out together.
    pub max_connections: usize,
    /// TCP connections open at once from one address.
    pub max_connections_per_source: usize,
    /// Messages of one address looked at per second, with a burst of as many; the rest are dropped unread.
    pub per_source_per_second: u32,
    /// Addresses the rate limiter remembers.
    pub max_sources: usize,
    /// A TCP message must be complete this long after its first byte, or the connection is cut.
    pub slow_sender: Duration,
    /// A TCP connection without traffic is closed after this time.
    pub idle_connection: Duration,
    /// A TCP connection must be established within this time.
    pub connect_timeout: Duration,
    /// Messages waiting to be written to one TCP connection.
    pub connection_queue: usize,
    /// Messages read and not yet handled.
    pub receive_queue: usize,
    /// Commands of the contact centre not yet handled; [`place_call`](crate::Signaling::place_call) may fill half.
    pub command_queue: usize,
    /// Events the contact centre has not fetched; above it no new call is accepted in either direction.
    pub event_queue: usize,
    /// How long the contact centre may take to answer a far side's re-INVITE.
    pub reinvite_patience: Duration,
    /// How long a trunk's host name may be kept before it is looked up again.
    pub resolve_interval: Duration,
    /// Calls of a previous life that are watched for late answers.
    pub max_stale: usize,
    /// Room for the messages of calls, living and past, in bytes; the oldest call goes first. 0 keeps none.
    pub ladder_bytes: usize,
}

impl Default for SignalingLimits {
    fn default() -> Self {
        Self {
            max_message_bytes: 16 * 1024,
            max_headers: 128,
            max_transactions: 50_000,
            max_dialogs: 10_000,
            max_forks: 8,
            max_connections: 1_000,
            max_connections_per_source: 200,
            per_source_per_second: 5_000,
            max_sources: 10_000,
            slow_sender: Duration::from_secs(5),
            idle_connection: Duration::from_secs(900),
            connect_timeout: Duration::from_secs(5),
            connection_queue: 256,
            receive_queue: 4_096,
            command_queue: 16_384,
            event_queue: 8_192,
            reinvite_patience: Duration::from_secs(10),
            resolve_interval: Duration::from_secs(60),
            max_stale: 10_000,
            ladder_bytes: 16 * 1024 * 1024,
        }
    }
}

/// The base timers of RFC 3261 §17.1.1.1; all others (A to M) follow from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipTimers {
    /// Round-trip estimate.
    pub t1: Duration,
    /// Longest interval between retransmissions.
    pub t2: Duration,
    /// Longest time a message stays in the network.
    pub t4: Duration,
}

impl Default for SipTimers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl SipTimers {
    /// 64·T1, the length of timers B, F, H, J, L and M: 32 s by default.
    pub fn transaction(&self) -> Duration {
        self.t1 * 64
    }

    /// Timer D, at least 32 s on UDP (RFC 3261 §17.1.1.2), scaled with T1 so that tests can be fast.
    pub fn d(&self) -> Duration {
        self.t1 * 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_they_should() {
        let net: IpNet = "203.0.113.0/24".parse().unwrap();
        assert!(net.contains("203.0.113.77".parse().unwrap()));
        assert!(net.contains("::ffff:203.0.113.77".parse().unwrap()), "mapped addresses are the same source");
        assert!(!net.contains("203.0.114.1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<IpNet>().unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!("::/0".parse::<IpNet>().unwrap().contains("2001:db8::1".parse().unwrap()));
        assert!(!"::/0".parse::<IpNet>().unwrap().contains("8.8.8.8".parse().unwrap()));
        assert_eq!("10.0.0.0/33".parse::<IpNet>(), Err(BadIpNet));
        assert_eq!("ten".parse::<IpNet>(), Err(BadIpNet));
    }

    #[test]
    fn host_and_port_in_all_shapes() {
        let parsed = |text: &str| text.parse::<HostPort>().map(|h| (h.host, h.port));
        assert_eq!(parsed("sip.example.gov"), Ok(("sip.example.gov".into(), None)));
        assert_eq!(parsed("sip.example.gov:5070"), Ok(("sip.example.gov".into(), Some(5070))));
        assert_eq!(parsed("2001:db8::1"), Ok(("2001:db8::1".into(), None)));
        assert_eq!(parsed("[2001:db8::1]:5060"), Ok(("2001:db8::1".into(), Some(5060))));
        for bad in ["", ":5060", "a b", "host:port", "[::1", "h\r\nVia: x"] {
            assert_eq!(parsed(bad), Err(BadHostPort), "{bad:?}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
