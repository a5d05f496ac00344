//! What a tenant may allow itself at most. Its table in the file is the bound, or `[founded]` for tenants founded in the
//! browser; what its administrators set is never looser.

use phonenumber::country;
use serde::{Deserialize, Serialize};

use super::{
    dialling::DiallingTable,
    file::LimitsTable,
    tenant::{TenantTable, ordinary_kinds, united_states, united_states_only},
};
use crate::phone::NumberKind;

/// `[founded]`: what tenants that are founded in the browser begin with, and may allow themselves at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FoundedTable {
    pub country: country::Id,
    pub allowed_countries: Vec<country::Id>,
    pub number_kinds: Vec<NumberKind>,
    /// Their administrators may let agents write to customers first, by SMS (O8).
    pub sms: bool,
    pub dialling: DiallingTable,
}

impl Default for FoundedTable {
    fn default() -> Self {
        Self {
            country: united_states(),
            allowed_countries: united_states_only(),
            number_kinds: ordinary_kinds(),
            sms: false,
            dialling: DiallingTable::default(),
        }
    }
}

impl FoundedTable {
    /// Puts it into the table of a tenant of which nothing else is said.
    pub(super) fn put_into(&self, table: &mut TenantTable) {
        table.country = self.country;
        table.allowed_countries = self.allowed_countries.clone();
        table.number_kinds = self.number_kinds.clone();
        table.sms = self.sms;
        table.dialling = self.dialling;
    }
}

/// Requests without the portal's word that are taken in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestCaps {
    pub per_address: u32,
    pub per_network: u32,
    /// Of the tenant, wherever they come from.
    pub in_all: u32,
}

impl RequestCaps {
    pub fn of(limits: &LimitsTable) -> Self {
        Self {
            per_address: limits.callbacks_per_address_per_hour,
            per_network: limits.callbacks_per_network_per_hour,
            in_all: limits.callbacks_per_tenant_per_hour,
        }
    }
}

/// What holds at most, whatever is set in the browser.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    pub countries: Vec<country::Id>,
    pub kinds: Vec<NumberKind>,
    pub dialling: DiallingTable,
    pub requests: RequestCaps,
    /// Agents may be given the right to write first by SMS.
    pub sms: bool,
}

impl Bounds {
    pub(super) fn of(table: &TenantTable, limits: &LimitsTable) -> Self {
        Self {
            countries: table.allowed_countries.clone(),
            kinds: table.number_kinds.clone(),
            dialling: table.dialling,
            requests: RequestCaps::of(limits),
            sms: table.sms,
        }
    }
}
