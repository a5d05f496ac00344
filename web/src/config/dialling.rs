//! What a tenant's calls may use up, whether agents call of their own accord, and what a number outside is told.

use serde::{Deserialize, Serialize};

/// What the tenant's calls may use up in one day of its own zone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiallingTable {
    pub calls_per_day: u32,
    /// Begun minutes of answered calls.
    pub minutes_per_day: u32,
    /// What one minute costs on the trunk, in the tenant's currency.
    pub cost_per_minute: f64,
    /// In the same currency; 0 = not limited by money.
    pub spend_per_day: f64,
    /// Agents may call numbers that nobody asked to be called.
    pub agents_call_out: bool,
    /// Who answers outside, when a customer is passed on, hears a code first by which staff find the contact.
    pub tell_code: bool,
}

impl Default for DiallingTable {
    fn default() -> Self {
        Self {
            calls_per_day: 10_000,
            minutes_per_day: 60_000,
            cost_per_minute: 0.0,
            spend_per_day: 0.0,
            agents_call_out: false,
            tell_code: false,
        }
    }
}

impl DiallingTable {
    /// What is wrong with the amounts, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        let amounts = [self.cost_per_minute, self.spend_per_day];
        if amounts.iter().any(|amount| !amount.is_finite() || *amount < 0.0) {
            return Some("dialling.cost_per_minute and dialling.spend_per_day are 0 or more");
        }
        let priceless = self.spend_per_day > 0.0 && self.cost_per_minute == 0.0;
        priceless.then_some("dialling.spend_per_day needs dialling.cost_per_minute")
    }
}
