//! What the gate refused: counted by tenant, stage and cause, shown to whoever runs the place, and written to the audit
//! once a minute as sums, so that an attack cannot flood it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ringback_engine::Verdict;
use ringback_routing::ids::TenantId;
use ringback_store::AuditEntry;
use serde_json::json;

use crate::{phone::PhoneRefusal, state::App};

/// How often the sums go to the audit.
const AUDIT_EVERY: Duration = Duration::from_secs(60);

/// Where a call was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// When it was asked for.
    Request,
    /// Before an agent was bothered.
    Offer,
    /// Right before the INVITE.
    Dial,
}

/// What stood against a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Barrier {
    /// No number at all, or none that exists.
    NoNumber,
    /// Emergency and service numbers.
    Service,
    Country,
    Kind,
    /// At dial time: not a number that this tenant's rules allow.
    Plan,
    OptedOut,
    Rings,
    Hours,
    Calls,
    Minutes,
    Spend,
    AddressRate,
    NetworkRate,
    TenantRate,
    NumberRate,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Offer => "offer",
            Self::Dial => "dial",
        }
    }
}

impl Barrier {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoNumber => "no_number",
            Self::Service => "service_number",
            Self::Country => "country",
            Self::Kind => "number_kind",
            Self::Plan => "not_in_the_plan",
            Self::OptedOut => "opted_out",
            Self::Rings => "rings_of_the_day",
            Self::Hours => "callback_hours",
            Self::Calls => "calls_of_the_day",
            Self::Minutes => "minutes_of_the_day",
            Self::Spend => "spend_of_the_day",
            Self::AddressRate => "address_rate",
            Self::NetworkRate => "network_rate",
            Self::TenantRate => "tenant_rate",
            Self::NumberRate => "number_rate",
        }
    }

    /// Whether the call may be tried again, or its number is not rung at all.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Hours | Self::Calls | Self::Minutes | Self::Spend => Verdict::NotNow,
            _ => Verdict::Never,
        }
    }
}

impl From<PhoneRefusal> for Barrier {
    fn from(refusal: PhoneRefusal) -> Self {
        match refusal {
            PhoneRefusal::Missing | PhoneRefusal::Invalid => Self::NoNumber,
            PhoneRefusal::Service => Self::Service,
            PhoneRefusal::Country => Self::Country,
            PhoneRefusal::Kind => Self::Kind,
        }
    }
}

/// One sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub tenant: TenantId,
    pub stage: Stage,
    pub barrier: Barrier,
    /// Since the start.
    pub count: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    all: u64,
    audited: u64,
}

/// The sums since the start. At most one per tenant, stage and cause.
#[derive(Debug, Default)]
pub struct Blocks(Mutex<BTreeMap<(TenantId, Stage, Barrier), Sum>>);

impl Blocks {
    pub fn count(&self, tenant: &TenantId, stage: Stage, barrier: Barrier) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sums.entry((tenant.clone(), stage, barrier)).or_default().all += 1;
        tracing::info!(%tenant, stage = stage.as_str(), why = barrier.as_str(), "a call was refused");
    }

    /// The sums of one tenant (None: of all).
    pub fn of(&self, tenant: Option<&TenantId>) -> Vec<Block> {
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sums.iter()
            .filter(|((of, _, _), _)| tenant.is_none_or(|tenant| tenant == of))
            .map(|((tenant, stage, barrier), sum)| Block {
                tenant: tenant.clone(),
                stage: *stage,
                barrier: *barrier,
                count: sum.all,
            })
            .collect()
    }

    /// What came in since the last call; it counts as audited from now on.
    fn unaudited(&self) -> Vec<Block> {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = Vec::new();
        for ((tenant, stage, barrier), sum) in sums.iter_mut() {
            let count = sum.all - sum.audited;
            if count > 0 {
                sum.audited = sum.all;
                fresh.push(Block { tenant: tenant.clone(), stage: *stage, barrier: *barrier, count });
            }
        }
        fresh
    }

    /// In Prometheus' text format, summed over tenants: the number of tenants must not be the number of series.
    pub fn render(&self, out: &mut String) {
        let mut sums: BTreeMap<(Stage, Barrier), u64> = BTreeMap::new();
        for block in self.of(None) {
            *sums.entry((block.stage, block.barrier)).or_default() += block.count;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP ringback_calls_refused_total Calls the gate refused.");
        let _ = writeln!(out, "# TYPE ringback_calls_refused_total counter");
        for ((stage, barrier), count) in sums {
            let (stage, why) = (stage.as_str(), barrier.as_str());
            let _ = writeln!(out, "ringback_calls_refused_total{{stage=\"{stage}\",why=\"{why}\"}} {count}");
        }
    }
}

/// Writes the sums to each tenant's audit until the server goes down, and once more then.
pub async fn keep_audited(app: App) {
    let mut every = tokio::time::interval(AUDIT_EVERY);
    let mut closing = app.closing.subscribe();
    loop {
        let last = tokio::select! {
            _ = every.tick() => false,
            _ = closing.wait_for(|closing| *closing) => true,
        };
        audit(&app).await;
        if last {
            return;
        }
    }
}

pub(crate) async fn audit(app: &App) {
    for block in app.gate.blocks.unaudited() {
        let entry = AuditEntry {
            at: app.now(),
            who: "system".to_owned(),
            what: "calls_refused".to_owned(),
            target: block.tenant.to_string(),
            detail: json!({ "stage": block.stage.as_str(), "why": block.barrier.as_str(), "count": block.count }),
        };
        if let Err(error) = app.store.audit(Some(&block.tenant), entry).await {
            tracing::error!(%error, "refused calls could not be written to the audit");
        }
    }
}
