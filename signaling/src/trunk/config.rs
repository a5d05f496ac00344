//! What an operator says about one carrier.

use std::{path::PathBuf, time::Duration};

use crate::config::{IpNet, Secret, Transport};

/// Where Debian keeps the roots of the public certificate authorities.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A connection to a carrier.
#[derive(Clone, Debug)]
pub struct TrunkConfig {
    pub id: String,
    pub transport: Transport,
    /// Host name or address of the carrier's SIP server; IPv6 without brackets.
    pub host: String,
    /// `None`: a name is looked up by SRV first (RFC 3263 §4.2), and the transport's own port is used without one.
    pub port: Option<u16>,
    /// Used when `transport` is TLS.
    pub tls: TlsFiles,
    /// Calls are made to `sips:` URIs, so that the carrier owes TLS on every hop (RFC 3261 §26.2.2). Needs TLS.
    pub sips: bool,
    pub username: Option<String>,
    pub password: Option<Secret>,
    /// When set, only challenges with this realm are answered.
    pub realm: Option<String>,
    /// The caller id shown when a call names none.
    pub from_user: String,
    /// Domain of the From header; the advertised host when absent.
    pub from_domain: Option<String>,
    /// How often OPTIONS asks whether the trunk is alive; without it the trunk counts as up.
    pub options_interval: Option<Duration>,
    /// For how long a binding at the carrier's registrar is asked for; without it the trunk does not register.
    pub register: Option<Duration>,
    /// The carrier and we believe each other about who calls: P-Asserted-Identity is sent and read (RFC 3325).
    pub trusts_identity: bool,
    /// The session timer asked for in calls we make, at least 90 s (RFC 4028); without it only the far side may ask.
    pub session_expires: Option<Duration>,
    /// Requests above 1,300 bytes go by TCP instead of UDP (RFC 3261 §18.1.1); by UDP after all when TCP is refused.
    pub large_by_tcp: bool,
    /// A call that the carrier has not answered by a single word after this time is given up as unreachable, so that it
    /// may go over another trunk; without it after 64·T1 (timer B). A proxy says 100 within 200 ms (RFC 3261 §17.2.1).
    pub silence: Option<Duration>,
    /// Addresses besides those of `host` that the carrier sends its own requests from.
    pub allow_from: Vec<IpNet>,
    /// Parameters of the called URI, such as `user=phone`.
    pub uri_params: Vec<(String, Option<String>)>,
}

/// What TLS towards a carrier needs. The files are read for every new connection, so that changed ones count at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Roots (PEM) one of which must have signed the carrier's certificate.
    pub roots: PathBuf,
    /// Our own certificate chain (PEM) for carriers that want one.
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub private_key: Option<PathBuf>,
    /// The name the carrier's certificate must hold, when it is not the trunk's host (RFC 5922 §7.2).
    pub server_name: Option<String>,
}

impl Default for TlsFiles {
    fn default() -> Self {
        Self { roots: SYSTEM_ROOTS.into(), certificate: None, private_key: None, server_name: None }
    }
}

impl TrunkConfig {
    /// A trunk with nothing but an address; the caller fills in the rest.
    pub fn new(id: impl Into<String>, transport: Transport, host: impl Into<String>, port: u16) -> Self {
        Self {
            id: id.into(),
            transport,
            host: host.into(),
            port: Some(port),
            tls: TlsFiles::default(),
            sips: false,
            username: None,
            password: None,
            realm: None,
            from_user: "anonymous".into(),
            from_domain: None,
            options_interval: None,
            register: None,
            trusts_identity: false,
            session_expires: None,
            large_by_tcp: true,
            silence: None,
            allow_from: Vec::new(),
            uri_params: Vec::new(),
        }
    }

    /// The user part of our address of record: what the registrar knows us by.
    pub fn account(&self) -> &str {
        self.username.as_deref().unwrap_or(&self.from_user)
    }

    /// `sip` or `sips`.
    pub fn scheme(&self) -> &'static str {
        if self.sips { "sips" } else { "sip" }
    }
}
