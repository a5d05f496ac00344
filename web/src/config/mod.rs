//! The configuration file, checked: what is wrong is told by line and key.

mod bounds;
mod branding;
mod check;
pub mod dialling;
pub mod file;
mod forms;
pub mod inbound;
mod portal_key;
mod problem;
mod retention;
pub mod subject;
pub mod tenant;
pub mod trunk;
pub mod turn;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use chrono_tz::Tz;
use phonenumber::country;
use ringback_routing::{
    config::TenantConfig,
    ids::{QueueId, TenantId, TrunkId},
};
use ringback_store::Role;

pub use self::{
    bounds::{Bounds, RequestCaps},
    file::{ConfigFile, LimitsTable, LogFormat, Secret},
    forms::FormRules,
    portal_key::public_keys,
    problem::{ConfigError, Problem},
    tenant::AuthMode,
    trunk::{SipTransport, Srtp, Trunk},
    turn::Turn,
};
use crate::{jws::NamedKey, phone::PhoneRules};

/// Everything the server runs by.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    pub file: ConfigFile,
    /// Origin of `public_url`: scheme, host and port.
    pub origin: String,
    pub store_url: String,
    pub recordings_dir: PathBuf,
    /// First and last RTP port.
    pub rtp_ports: (u16, u16),
    pub turn: Option<Turn>,
    pub trunks: Vec<Trunk>,
    pub tenants: Vec<Tenant>,
    pub oidc: Option<OidcProvider>,
}

/// The identity provider with its secret read.
#[derive(Debug, Clone)]
pub struct OidcProvider {
    pub issuer: String,
    pub name: String,
    pub client_id: String,
    /// None: a public client, by PKCE alone.
    pub client_secret: Option<Secret>,
    pub scopes: Vec<String>,
    pub groups_claim: String,
    pub ca_file: Option<PathBuf>,
    pub groups: Vec<OidcGroup>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OidcGroup {
    pub group: String,
    pub role: Role,
    pub tenant: Option<TenantId>,
}

/// One tenant: what the core decides by, and its face.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub core: TenantConfig,
    pub face: Face,
}

/// What of a tenant only the pages need.
#[derive(Debug, Clone)]
pub struct Face {
    pub languages: Vec<String>,
    /// E.164.
    pub public_phone: Option<String>,
    pub home: country::Id,
    pub phone_rules: PhoneRules,
    pub dialling: tenant::DiallingTable,
    pub requests: RequestCaps,
    /// Nothing of this is ever set looser in the browser.
    pub bounds: Bounds,
    pub accent: tenant::Accent,
    /// The picture shown to customers, by its name.
    pub logo: Option<String>,
    pub auth: AuthMode,
    /// Queues that have it otherwise.
    pub queue_auth: BTreeMap<QueueId, AuthMode>,
    /// The operator's.
    pub portal_keys: Vec<NamedKey>,
    /// Where more of them are published.
    pub portal_jwks: Vec<String>,
    /// What administrators brought in beside them.
    pub own_portal: crate::settings::OwnPortal,
    pub origins: Vec<tenant::Origin>,
    /// Those it may call over, whichever it uses at the moment.
    pub trunks: Vec<TrunkId>,
    pub show_numbers: bool,
    pub prompts: Option<PathBuf>,
    pub can_reject: bool,
    pub chat: ChatFace,
    pub lending: Lending,
    pub asking: Asking,
    /// Numbers that customers may be shown …
    pub caller_ids: Vec<crate::settings::CallerId>,
    /// … and the one that they are, in place of the line's own.
    pub caller_id: Option<String>,
    /// Dispositions that agents no longer find.
    pub retired: BTreeSet<String>,
    pub retention: tenant::Retention,
    pub forms: FormRules,
    /// Brought in by administrators.
    pub own_prompts: Vec<crate::settings::OwnPrompt>,
}

impl Face {
    /// Whether a portal's word can be proven at all.
    pub fn knows_portal(&self) -> bool {
        !self.portal_keys.is_empty() || !self.portal_jwks.is_empty() || !self.own_portal.is_empty()
    }
}

/// Numbers lent to visitors who want to call.
#[derive(Debug, Clone, Default)]
pub struct Lending {
    /// Each a visitor's own while it is lent, E.164.
    pub pool: Vec<String>,
    /// Shared by all others, who enter a code of so many digits.
    pub coded: Option<(String, u8)>,
    pub seconds: u32,
}

/// How callers are asked for keys and codes.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    pub menu_seconds: u32,
    pub menu_tries: u8,
    pub code_seconds: u32,
    pub code_tries: u8,
}

/// What of chat only the pages need.
#[derive(Debug, Clone)]
pub struct ChatFace {
    /// Longest messages, in Unicode scalar values.
    pub agent_chars: usize,
    pub customer_chars: usize,
    /// A wait of so many milliseconds is long: a call is offered. None: never.
    pub offer_callback_ms: Option<i64>,
    pub log_opens: tenant::LogOpens,
    pub canned: Vec<tenant::CannedTable>,
    pub faq: Vec<tenant::FaqTable>,
}

/// A tenant of that name of which nothing else is said; it may use these trunks.
pub fn bare_tenant(id: &TenantId, name: &str, zone: Tz, trunks: &[TrunkId], file: &ConfigFile) -> Option<Tenant> {
    let keys = [("id", id.as_str()), ("name", name), ("timezone", zone.name())];
    let text = toml::to_string(&BTreeMap::from(keys)).ok()?;
    let mut table: tenant::TenantTable = toml::from_str(&text).ok()?;
    file.founded.put_into(&mut table);
    check::alone(&text, &table, trunks, &file.limits)
}

impl ServerConfig {
    /// Reads and checks a file; relative paths in it are meant from the working directory.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error: error.to_string() })?;
        Self::parse(&text).map_err(ConfigError::Wrong)
    }

    /// Checks the text of a configuration file; all problems at once as far as they can be found.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| vec![Problem::of_toml(text, &error)])?;
        check::build(text, file)
    }

    pub fn tenant(&self, id: &TenantId) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| &tenant.core.id == id)
    }

    /// The effective configuration as TOML, secrets hidden.
    pub fn redacted(&self) -> String {
        toml::to_string_pretty(&self.file).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
    }

    pub fn secure(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
