//! Whom a tenant calls, what its calls may use up, and how many requests it takes from those that nobody vouches for. The
//! operator's word is the outer bound: nothing here is ever in force that is looser.

use phonenumber::country;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    config::{Bounds, Face, RequestCaps, Tenant, dialling::DiallingTable},
    phone::{NumberKind, PhoneRules},
};

/// What a minute may cost at most: more is a slip of the decimal point.
const MOST_PER_MINUTE: f64 = 1_000.0;

/// Who is called, and how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiallingRules {
    /// ISO 3166-1, like `US`: assumed of numbers without a country.
    pub home: String,
    /// Only numbers of these countries are called.
    pub countries: Vec<String>,
    /// Of them only these kinds: fixed_line, mobile, voip, toll_free, personal_number
    #[schema(value_type = Vec<String>)]
    pub kinds: Vec<NumberKind>,
    /// In a day of the tenant's zone.
    pub calls_per_day: u32,
    /// Begun minutes of answered calls.
    pub minutes_per_day: u32,
    /// In the tenant's currency.
    pub cost_per_minute: f64,
    /// In the same currency; 0: money is no limit.
    pub spend_per_day: f64,
    /// Agents may call numbers that nobody asked to be called.
    pub agents_call_out: bool,
    /// Requests in an hour that no portal vouches for: from one address, from one network (IPv4 /24, IPv6 /48), in all.
    pub requests_per_address: u32,
    pub requests_per_network: u32,
    pub requests_in_all: u32,
}

/// What the operator allows a tenant at most, for the page that sets it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OuterBounds {
    pub countries: Vec<String>,
    #[schema(value_type = Vec<String>)]
    pub kinds: Vec<NumberKind>,
    pub calls_per_day: u32,
    pub minutes_per_day: u32,
    /// The least that may be said.
    pub cost_per_minute: f64,
    /// 0: money is no limit.
    pub spend_per_day: f64,
    pub agents_call_out: bool,
    pub requests_per_address: u32,
    pub requests_per_network: u32,
    pub requests_in_all: u32,
    /// Agents may be given the right to write first by SMS.
    pub sms: bool,
    /// Lines that may be called over.
    pub trunks: Vec<String>,
    /// The portal's keys that the operator has set, or addresses where they are published.
    pub portal_keys: usize,
}

fn codes(countries: &[country::Id]) -> Vec<String> {
    countries.iter().map(|country| country.as_ref().to_owned()).collect()
}

impl OuterBounds {
    pub fn of(face: &Face) -> Self {
        let Bounds { countries, kinds, dialling, requests, sms } = &face.bounds;
        Self {
            countries: codes(countries),
            kinds: kinds.clone(),
            calls_per_day: dialling.calls_per_day,
            minutes_per_day: dialling.minutes_per_day,
            cost_per_minute: dialling.cost_per_minute,
            spend_per_day: dialling.spend_per_day,
            agents_call_out: dialling.agents_call_out,
            requests_per_address: requests.per_address,
            requests_per_network: requests.per_network,
            requests_in_all: requests.in_all,
            sms: *sms,
            trunks: face.trunks.iter().map(ToString::to_string).collect(),
            portal_keys: face.portal_keys.len() + face.portal_jwks.len(),
        }
    }
}

impl DiallingRules {
    pub(super) fn of(face: &Face) -> Self {
        let DiallingTable { calls_per_day, minutes_per_day, cost_per_minute, spend_per_day, agents_call_out, .. } =
            face.dialling;
        Self {
            home: face.home.as_ref().to_owned(),
            countries: codes(&face.phone_rules.countries),
            kinds: face.phone_rules.kinds.clone(),
            calls_per_day,
            minutes_per_day,
            cost_per_minute,
            spend_per_day,
            agents_call_out,
            requests_per_address: face.requests.per_address,
            requests_per_network: face.requests.per_network,
            requests_in_all: face.requests.in_all,
        }
    }

    /// The field that cannot be kept: it says nothing, or it is looser than `bounds`.
    pub(super) fn fault(&self, bounds: &Bounds) -> Option<&'static str> {
        let caps = &bounds.dialling;
        let known = |code: &String| code.parse().is_ok_and(|country| bounds.countries.contains(&country));
        let money = |amount: f64, most: f64| amount.is_finite() && (0.0..=most).contains(&amount);
        let spends = if caps.spend_per_day > 0.0 {
            self.spend_per_day > 0.0 && money(self.spend_per_day, caps.spend_per_day)
        } else {
            money(self.spend_per_day, f64::MAX) && (self.spend_per_day == 0.0 || self.cost_per_minute > 0.0)
        };
        let checks = [
            ("home", self.home.parse::<country::Id>().is_err()),
            ("countries", self.countries.is_empty() || !self.countries.iter().all(known)),
            ("kinds", self.kinds.is_empty() || !self.kinds.iter().all(|kind| bounds.kinds.contains(kind))),
            ("calls_per_day", self.calls_per_day > caps.calls_per_day),
            ("minutes_per_day", self.minutes_per_day > caps.minutes_per_day),
            (
                "cost_per_minute",
                !money(self.cost_per_minute, MOST_PER_MINUTE) || self.cost_per_minute < caps.cost_per_minute,
            ),
            ("spend_per_day", !spends),
            ("agents_call_out", self.agents_call_out && !caps.agents_call_out),
            ("requests_per_address", !within(self.requests_per_address, bounds.requests.per_address)),
            ("requests_per_network", !within(self.requests_per_network, bounds.requests.per_network)),
            ("requests_in_all", !within(self.requests_in_all, bounds.requests.in_all)),
        ];
        checks.into_iter().find(|(_, wrong)| *wrong).map(|(name, _)| name)
    }

    /// The same, with nothing looser than `bounds`: an operator who tightens them is obeyed whatever was set before.
    #[must_use]
    pub(super) fn within(&self, bounds: &Bounds) -> Self {
        let caps = &bounds.dialling;
        let allowed = |code: &&String| code.parse().is_ok_and(|country| bounds.countries.contains(&country));
        let spend = match (self.spend_per_day > 0.0, caps.spend_per_day > 0.0) {
            (true, true) => self.spend_per_day.min(caps.spend_per_day),
            (false, true) => caps.spend_per_day,
            _ => self.spend_per_day,
        };
        Self {
            home: self.home.clone(),
            countries: self.countries.iter().filter(allowed).cloned().collect(),
            kinds: self.kinds.iter().copied().filter(|kind| bounds.kinds.contains(kind)).collect(),
            calls_per_day: self.calls_per_day.min(caps.calls_per_day),
            minutes_per_day: self.minutes_per_day.min(caps.minutes_per_day),
            cost_per_minute: self.cost_per_minute.max(caps.cost_per_minute),
            spend_per_day: spend,
            agents_call_out: self.agents_call_out && caps.agents_call_out,
            requests_per_address: self.requests_per_address.min(bounds.requests.per_address),
            requests_per_network: self.requests_per_network.min(bounds.requests.per_network),
            requests_in_all: self.requests_in_all.min(bounds.requests.in_all),
        }
    }

    pub(super) fn apply(&self, tenant: &mut Tenant) {
        let own = self.within(&tenant.face.bounds);
        let face = &mut tenant.face;
        if let Ok(home) = own.home.parse() {
            face.home = home;
        }
        face.phone_rules = PhoneRules {
            default_country: face.home,
            countries: own.countries.iter().filter_map(|code| code.parse().ok()).collect(),
            kinds: own.kinds,
        };
        face.dialling = DiallingTable {
            calls_per_day: own.calls_per_day,
            minutes_per_day: own.minutes_per_day,
            cost_per_minute: own.cost_per_minute,
            spend_per_day: own.spend_per_day,
            agents_call_out: own.agents_call_out,
            ..face.dialling
        };
        face.requests = RequestCaps {
            per_address: own.requests_per_address,
            per_network: own.requests_per_network,
            in_all: own.requests_in_all,
        };
        tenant.core.outbound = own.agents_call_out;
    }
}

/// A rate of 0 would shut everybody out; that is what switching callbacks off is for.
fn within(rate: u32, most: u32) -> bool {
    (1..=most.max(1)).contains(&rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        let dialling = DiallingTable {
            calls_per_day: 100,
            minutes_per_day: 500,
            cost_per_minute: 0.02,
            spend_per_day: 10.0,
            agents_call_out: false,
            ..DiallingTable::default()
        };
        Bounds {
            countries: vec![country::US, country::MX],
            kinds: vec![NumberKind::FixedLine, NumberKind::Mobile],
            dialling,
            requests: RequestCaps { per_address: 30, per_network: 120, in_all: 3_000 },
            sms: false,
        }
    }

    fn rules() -> DiallingRules {
        DiallingRules {
            home: "US".into(),
            countries: vec!["US".into()],
            kinds: vec![NumberKind::Mobile],
            calls_per_day: 50,
            minutes_per_day: 200,
            cost_per_minute: 0.03,
            spend_per_day: 5.0,
            agents_call_out: false,
            requests_per_address: 10,
            requests_per_network: 40,
            requests_in_all: 500,
        }
    }

    #[test]
    fn nothing_is_set_looser_than_the_operator_allows() {
        assert_eq!(rules().fault(&bounds()), None);
        type Change = fn(&mut DiallingRules);
        let looser: [(&str, Change); 14] = [
            ("home", |r| r.home = "United States".into()),
            ("countries", |r| r.countries.push("CA".into())),
            ("countries", |r| r.countries.clear()),
            ("kinds", |r| r.kinds.push(NumberKind::TollFree)),
            ("calls_per_day", |r| r.calls_per_day = 101),
            ("minutes_per_day", |r| r.minutes_per_day = 501),
            // A minute that is said to cost less would stretch the money.
            ("cost_per_minute", |r| r.cost_per_minute = 0.01),
            ("cost_per_minute", |r| r.cost_per_minute = f64::NAN),
            ("spend_per_day", |r| r.spend_per_day = 10.5),
            ("spend_per_day", |r| r.spend_per_day = 0.0),
            ("agents_call_out", |r| r.agents_call_out = true),
            ("requests_per_address", |r| r.requests_per_address = 31),
            ("requests_per_network", |r| r.requests_per_network = 0),
            ("requests_in_all", |r| r.requests_in_all = 3_001),
        ];
        for (field, change) in looser {
            let mut wrong = rules();
            change(&mut wrong);
            assert_eq!(wrong.fault(&bounds()), Some(field));
        }
    }

    #[test]
    fn an_operator_who_tightens_the_bounds_is_obeyed() {
        let mut tight = bounds();
        tight.countries = vec![country::MX];
        tight.dialling.calls_per_day = 7;
        tight.dialling.spend_per_day = 1.0;
        tight.requests.per_address = 2;
        let held = rules().within(&tight);
        assert_eq!((held.countries.len(), held.calls_per_day, held.minutes_per_day), (0, 7, 200));
        assert_eq!((held.spend_per_day, held.requests_per_address, held.requests_per_network), (1.0, 2, 40));
        assert_eq!(rules().within(&bounds()), rules());
        let boundless = DiallingRules { spend_per_day: 0.0, ..rules() };
        assert_eq!(boundless.within(&tight).spend_per_day, 1.0);
    }
}
