//! The gate before any dialling: asked when a callback is requested, before an agent is bothered, and once more right
//! before the INVITE. What is not allowed by a tenant's rules is refused, and so is what cannot be found out.

mod blocks;

use std::{
    collections::BTreeMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use chrono::TimeZone;
use ringback_engine::{DialGate, Dialling, Judgement, Verdict};
use ringback_routing::{
    config::{Hours, TenantConfig},
    hours::openness,
    ids::{LegId, TenantId},
    time::{Millis, Timestamp},
};
use ringback_store::{Proof, Store, StoreError};

#[cfg(test)]
pub(crate) use self::blocks::audit;
pub use self::blocks::{Barrier, Block, Blocks, Stage, keep_audited};
use crate::{
    config::{LimitsTable, RequestCaps, ServerConfig, Tenant, tenant::DiallingTable},
    phone::{self, Dialable, PhoneRules},
    rate::{Allowance, RateLimiter, address_key, network_key},
};

/// Rings are counted over this time.
const RING_WINDOW: Millis = Millis::from_secs(24 * 60 * 60);

/// What the gate decides by; one for all tenants.
pub struct Gate {
    store: Store,
    installation_key: Vec<u8>,
    tenants: RwLock<BTreeMap<TenantId, Arc<Rules>>>,
    /// Rings allowed at nobody's word and at the word of known persons.
    rings: (u64, u64),
    addresses: RateLimiter<IpAddr>,
    networks: RateLimiter<IpAddr>,
    /// The same of single tenants, each with its own allowance.
    tenant_addresses: RateLimiter<(TenantId, IpAddr)>,
    tenant_networks: RateLimiter<(TenantId, IpAddr)>,
    requests: RateLimiter<TenantId>,
    pub blocks: Blocks,
}

struct Rules {
    phone: PhoneRules,
    dialling: DiallingTable,
    requests: RequestCaps,
    zone: chrono_tz::Tz,
    /// The tenant with its callback hours in place of its opening hours, if it has any.
    calling: Option<Box<TenantConfig>>,
}

/// A call that is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub tenant: &'a TenantId,
    /// E.164.
    pub number: &'a str,
    pub proof: Proof,
    /// The call that is about to leave, which does not count against itself.
    pub leg: Option<LegId>,
    /// The customer agreed to be called later: the hour does not matter yet.
    pub may_wait: bool,
    pub now: Timestamp,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate(…)")
    }
}

impl Gate {
    pub fn new(config: &ServerConfig, store: Store, installation_key: Vec<u8>) -> Self {
        let limits: &LimitsTable = &config.file.limits;
        fn per_hour<K: Eq + Hash + Clone>(burst: u32, limits: &LimitsTable) -> RateLimiter<K> {
            RateLimiter::new(Allowance::per_hour(burst), limits.rate_addresses)
        }
        let tenants = config.tenants.iter().map(|tenant| (tenant.core.id.clone(), Arc::new(Rules::of(tenant))));
        Self {
            store,
            installation_key,
            tenants: RwLock::new(tenants.collect()),
            rings: (u64::from(limits.rings_per_number_per_day), u64::from(limits.rings_per_vouched_number_per_day)),
            addresses: per_hour(limits.callbacks_per_address_per_hour, limits),
            networks: per_hour(limits.callbacks_per_network_per_hour, limits),
            tenant_addresses: per_hour(limits.callbacks_per_address_per_hour, limits),
            tenant_networks: per_hour(limits.callbacks_per_network_per_hour, limits),
            requests: per_hour(limits.callbacks_per_tenant_per_hour, limits),
            blocks: Blocks::default(),
        }
    }

    /// A tenant's rules as they are from now on.
    pub fn set(&self, tenant: &Tenant) {
        let rules = Arc::new(Rules::of(tenant));
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.core.id.clone(), rules);
    }

    fn rules(&self, tenant: &TenantId) -> Option<Arc<Rules>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    /// Takes a request from its address's, its network's and its tenant's allowance; `Err` says which is used up and for
    /// how long. Not asked of requests that the portal vouches for.
    pub fn within_rates(
        &self,
        tenant: &TenantId,
        from: IpAddr,
        now: Instant,
    ) -> Result<(), (Barrier, std::time::Duration)> {
        let (address, network) = (address_key(from), network_key(from));
        let address_used = |wait| (Barrier::AddressRate, wait);
        let network_used = |wait| (Barrier::NetworkRate, wait);
        self.addresses.take(address, now).map_err(address_used)?;
        self.networks.take(network, now).map_err(network_used)?;
        // A tenant that is not there any more is refused where its rules are asked for.
        let Some(caps) = self.rules(tenant).map(|rules| rules.requests) else { return Ok(()) };
        let own = |address| (tenant.clone(), address);
        let hourly = Allowance::per_hour;
        self.tenant_addresses.take_of(own(address), hourly(caps.per_address), now).map_err(address_used)?;
        self.tenant_networks.take_of(own(network), hourly(caps.per_network), now).map_err(network_used)?;
        self.requests.take_of(tenant.clone(), hourly(caps.in_all), now).map_err(|wait| (Barrier::TenantRate, wait))
    }

    /// The first thing that stands against the call, if any.
    pub async fn barrier(&self, asked: Asked<'_>) -> Result<Option<Barrier>, StoreError> {
        let Some(rules) = self.rules(asked.tenant) else { return Ok(Some(Barrier::Plan)) };
        // What is dialled must be what parsing it again gives, to the letter.
        if Dialable::parse(asked.number, &rules.phone).map_or(true, |number| number.e164() != asked.number) {
            return Ok(Some(Barrier::Plan));
        }
        let key = phone::number_key(&self.installation_key, asked.number);
        if self.store.is_forbidden(asked.tenant, &key).await? {
            return Ok(Some(Barrier::OptedOut));
        }
        if self.rung_enough(&key, asked).await? {
            return Ok(Some(Barrier::Rings));
        }
        let shut = rules.calling.as_ref().is_some_and(|hours| !openness(hours, asked.now).is_open());
        if shut && !asked.may_wait {
            return Ok(Some(Barrier::Hours));
        }
        self.cap_reached(&rules, asked).await
    }

    async fn rung_enough(&self, key: &str, asked: Asked<'_>) -> Result<bool, StoreError> {
        if asked.proof == Proof::Number {
            return Ok(false);
        }
        let rings = self.store.rings(key, asked.now - RING_WINDOW, asked.leg).await?;
        Ok(match asked.proof {
            Proof::Nobody => rings.by_nobody >= self.rings.0,
            Proof::Person | Proof::Number => rings.by_nobody + rings.by_persons >= self.rings.0 + self.rings.1,
        })
    }

    async fn cap_reached(&self, rules: &Rules, asked: Asked<'_>) -> Result<Option<Barrier>, StoreError> {
        let usage = self.store.usage(asked.tenant, midnight(rules.zone, asked.now), asked.now).await?;
        // The call that is about to leave is in the ledger already.
        let calls = usage.calls.saturating_sub(u64::from(asked.leg.is_some()));
        let caps = &rules.dialling;
        // Minutes are far below 2^52: exact as a float.
        let spent = usage.minutes as f64 * caps.cost_per_minute;
        Ok(if calls >= u64::from(caps.calls_per_day) {
            Some(Barrier::Calls)
        } else if usage.minutes >= u64::from(caps.minutes_per_day) {
            Some(Barrier::Minutes)
        } else if caps.spend_per_day > 0.0 && spent >= caps.spend_per_day {
            Some(Barrier::Spend)
        } else {
            None
        })
    }

    /// When calls may be placed again, if the hour is against them now.
    pub fn next_hour(&self, tenant: &TenantId, now: Timestamp) -> Option<Timestamp> {
        openness(self.rules(tenant)?.calling.as_ref()?, now).next_open
    }
}

impl Rules {
    fn of(tenant: &Tenant) -> Self {
        let week = tenant.core.callback.window.clone();
        let calling = (!week.is_empty()).then(|| {
            let hours = Hours { week, ..Hours::default() };
            Box::new(TenantConfig { hours, ..tenant.core.clone() })
        });
        Self {
            phone: tenant.face.phone_rules.clone(),
            dialling: tenant.face.dialling,
            requests: tenant.face.requests,
            zone: tenant.core.timezone,
            calling,
        }
    }
}

impl DialGate for Gate {
    fn judge<'a>(&'a self, dialling: Dialling<'a>) -> Judgement<'a> {
        Box::pin(async move {
            let stage = if dialling.leg.is_some() { Stage::Dial } else { Stage::Offer };
            let asked = Asked {
                tenant: dialling.tenant,
                number: dialling.number,
                proof: Proof::of(&dialling.contact.customer),
                leg: dialling.leg,
                may_wait: false,
                now: dialling.now,
            };
            match self.barrier(asked).await {
                Ok(None) => Verdict::Pass,
                Ok(Some(barrier)) => {
                    self.blocks.count(dialling.tenant, stage, barrier);
                    barrier.verdict()
                }
                Err(error) => {
                    tracing::error!(%error, "the gate could not be asked: no call is placed");
                    Verdict::NotNow
                }
            }
        })
    }
}

/// The beginning of the day in `zone`.
fn midnight(zone: chrono_tz::Tz, now: Timestamp) -> Timestamp {
    let day = zone.timestamp_millis_opt(now.as_millis()).earliest().map(|local| local.date_naive());
    let start =
        day.and_then(|day| day.and_hms_opt(0, 0, 0)).and_then(|start| zone.from_local_datetime(&start).earliest());
    // Where midnight does not exist (clocks go forward at it) the last 24 hours stand in for the day.
    start.map_or(now - RING_WINDOW, |start| Timestamp::from_millis(start.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_begins_at_the_tenants_midnight() {
        let zone = chrono_tz::America::Los_Angeles;
        // 2026-11-27 17:00 UTC is 09:00 there.
        let now = Timestamp::from_millis(1_795_798_800_000);
        assert_eq!(midnight(zone, now), Timestamp::from_millis(1_795_798_800_000 - 9 * 3_600_000));
    }
}
