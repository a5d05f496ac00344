//! `[[trunk]]`: a carrier connection, as it is written and checked.

use std::path::PathBuf;

use ringback_engine::parts::{Codec, Codecs};
use ringback_routing::ids::TrunkId;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{
    check::Check,
    file::{AddressRange, Secret},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkTable {
    pub id: Spanned<TrunkId>,
    #[serde(default)]
    pub transport: SipTransport,
    pub host: String,
    /// Without it the host is looked up by SRV, and has the transport's own port when there is no such record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Calls at one time.
    pub channels: usize,
    /// Lower is used first, whatever the order in the file.
    #[serde(default)]
    pub priority: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<Spanned<PathBuf>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The number shown to the customer, E.164.
    pub caller_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_domain: Option<String>,
    /// Seconds between OPTIONS that measure the trunk's health; 0 = never.
    #[serde(default = "default_options_seconds")]
    pub options_seconds: u32,
    /// Seconds for which a registration is asked; 0 = the carrier knows us without.
    #[serde(default)]
    pub register_seconds: u32,
    /// The carrier and we believe each other about who calls (P-Asserted-Identity).
    #[serde(default)]
    pub trust_identity: bool,
    /// Session timer asked for in calls, in seconds, from 90; 0 = only when the carrier asks.
    #[serde(default)]
    pub session_seconds: u32,
    /// Requests too large for a datagram go by TCP (transport "udp" only).
    #[serde(default = "yes")]
    pub large_by_tcp: bool,
    /// A call that the carrier has not answered by a single word after so many seconds goes over the next trunk, or is tried
    /// again later.
    #[serde(default = "default_silence_seconds")]
    pub silence_seconds: u32,
    /// Addresses or ranges besides the host's that the carrier calls us from.
    #[serde(default)]
    pub allow_from: Vec<AddressRange>,
    /// Roots (PEM) that may have signed the carrier's certificate; without it those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<Spanned<PathBuf>>,
    /// Our own certificate for a carrier that wants one, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Spanned<PathBuf>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<Spanned<PathBuf>>,
    /// The name in the carrier's certificate, when it is not `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Call `sips:` addresses, which owe TLS on every hop.
    #[serde(default)]
    pub sips: bool,
    /// Whether the sound is encrypted, with keys in the session description (RFC 4568).
    #[serde(default)]
    pub srtp: Srtp,
    /// Calls that are passed to a number outside are left to the carrier, by REFER with Replaces (RFC 3515, 3891).
    #[serde(default)]
    pub refer: bool,
    /// How sound may travel, in the order in which it is offered.
    #[serde(default = "every_codec")]
    pub codecs: Vec<CodecName>,
}

fn every_codec() -> Vec<CodecName> {
    vec![CodecName::Pcmu, CodecName::Pcma, CodecName::G722, CodecName::Opus]
}

/// As in session descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodecName {
    #[serde(rename = "PCMU")]
    Pcmu,
    #[serde(rename = "PCMA")]
    Pcma,
    #[serde(rename = "G722")]
    G722,
    #[serde(rename = "opus")]
    Opus,
}

impl TrunkTable {
    /// None when none is named, or one twice.
    pub fn codecs(&self) -> Option<Codecs> {
        let named = self.codecs.iter().map(|name| match name {
            CodecName::Pcmu => Codec::Pcmu,
            CodecName::Pcma => Codec::Pcma,
            CodecName::G722 => Codec::G722,
            CodecName::Opus => Codec::Opus,
        });
        Codecs::new(&named.collect::<Vec<_>>())
    }
}

fn default_silence_seconds() -> u32 {
    6
}

fn yes() -> bool {
    true
}

fn default_options_seconds() -> u32 {
    30
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SipTransport {
    #[default]
    Udp,
    Tcp,
    Tls,
}

/// What is asked of the sound. The keys stand in the SIP message: only TLS keeps them from whoever reads along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Srtp {
    /// Plain; a call that demands encryption is refused.
    #[default]
    Off,
    /// Encrypted where the carrier can.
    Optional,
    /// A call without encryption does not come about.
    Required,
}

/// A carrier connection with its secret read.
#[derive(Debug, Clone)]
pub struct Trunk {
    pub table: TrunkTable,
    pub password: Option<Secret>,
}

impl Trunk {
    /// A connection with these keys of `[[trunk]]`, and the usual ones beside them.
    pub fn of(keys: &impl Serialize, password: Option<String>) -> Option<Self> {
        let table = toml::from_str(&toml::to_string(keys).ok()?).ok()?;
        Some(Self { table, password: password.map(Secret::new) })
    }
}

impl Check<'_> {
    pub(super) fn trunk(&mut self, table: &TrunkTable) -> Trunk {
        if table.channels == 0 {
            self.says(table.id.span(), "a trunk needs at least one channel");
        }
        let typed = table.caller_id.strip_prefix('+').unwrap_or("");
        if typed.len() < 7 || typed.len() > 15 || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
            self.says(table.id.span(), "caller_id must be E.164 like +19165550000");
        }
        if table.register_seconds > 0 && table.username.is_none() {
            self.says(table.id.span(), "register_seconds needs a username: the registrar knows us by it");
        }
        if !(1..=32).contains(&table.silence_seconds) {
            self.says(table.id.span(), "silence_seconds must be 1 to 32");
        }
        if (1..90).contains(&table.session_seconds) {
            self.says(table.id.span(), "session_seconds must be 0 or at least 90 (RFC 4028)");
        }
        if table.codecs().is_none() {
            self.says(table.id.span(), "codecs must name at least one of PCMU, PCMA, G722 and opus, and none twice");
        }
        self.trunk_tls(table);
        let password = match (&table.password, &table.password_file) {
            (Some(_), Some(path)) => {
                self.says(path.span(), "give either password or password_file");
                None
            }
            (Some(password), None) => Some(password.clone()),
            (None, Some(path)) => self.secret_file(path).map(Secret::new),
            (None, None) => None,
        };
        Trunk { table: table.clone(), password }
    }

    fn trunk_tls(&mut self, table: &TrunkTable) {
        let files = [&table.ca_file, &table.certificate, &table.private_key];
        if table.transport != SipTransport::Tls {
            let needs = table.sips || table.server_name.is_some() || files.iter().any(|file| file.is_some());
            if needs {
                self.says(table.id.span(), "certificates, server_name and sips need transport = \"tls\"");
            }
        }
        if table.certificate.is_some() != table.private_key.is_some() {
            self.says(table.id.span(), "certificate and private_key belong together");
        }
        for path in files.into_iter().flatten() {
            if !path.get_ref().is_file() {
                self.says(path.span(), format!("{} is not a readable file", path.get_ref().display()));
            }
        }
    }
}
