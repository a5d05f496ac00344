//! The gate as the pages meet it: what a customer is told, what administrators see of it, and the numbers never called.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::time::Timestamp;
use ringback_store::{DoNotCall, MAX_PAGE, Proof};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{availability::Tenant, board::audit, body::JsonBody, error::ApiError, guard::Caller};
use crate::{
    gate::{Asked, Barrier, Stage},
    phone::{Dialable, PhoneRefusal, PhoneRules},
    state::App,
};

/// What was typed, as a number that the tenant calls.
pub fn number(app: &App, tenant: &Tenant, typed: &str) -> Result<Dialable, ApiError> {
    Dialable::parse(typed, &tenant.face.phone_rules).map_err(|refusal| {
        app.gate.blocks.count(&tenant.id, Stage::Request, refusal.into());
        instead(refusal.into(), tenant)
    })
}

/// Takes the request from every allowance that holds for it. The portal's word stands for its customers: nobody else's
/// requests use up theirs.
pub fn within_rates(
    app: &App,
    tenant: &Tenant,
    from: Option<IpAddr>,
    number_key: &str,
    proof: Proof,
) -> Result<(), ApiError> {
    if proof != Proof::Nobody {
        return Ok(());
    }
    let now = Instant::now();
    let refused = |(barrier, wait): (Barrier, Duration)| {
        app.gate.blocks.count(&tenant.id, Stage::Request, barrier);
        let code = match barrier {
            Barrier::NetworkRate => "network_rate",
            Barrier::TenantRate => "tenant_rate",
            Barrier::NumberRate => "number_rate",
            _ => "rate_limited",
        };
        instead(ApiError::new(StatusCode::TOO_MANY_REQUESTS, code).retry(wait.as_secs() + 1), tenant)
    };
    if let Some(from) = from {
        app.gate.within_rates(&tenant.id, from, now).map_err(refused)?;
    }
    app.rates.number.take(number_key.to_owned(), now).map_err(|wait| refused((Barrier::NumberRate, wait)))
}

/// Whether the gate would let the call pass.
pub async fn open(app: &App, tenant: &Tenant, number: &Dialable, proof: Proof, may_wait: bool) -> Result<(), ApiError> {
    let now = app.now();
    let asked = Asked { tenant: &tenant.id, number: number.e164(), proof, leg: None, may_wait, now };
    let Some(barrier) = app.gate.barrier(asked).await? else { return Ok(()) };
    app.gate.blocks.count(&tenant.id, Stage::Request, barrier);
    let error = match barrier {
        Barrier::OptedOut => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "opted_out").with("field", "phone"),
        // The same word whoever rang it: one county is not told of another.
        Barrier::Rings => ApiError::new(StatusCode::TOO_MANY_REQUESTS, "number_rested").with("field", "phone"),
        Barrier::Hours => {
            ApiError::new(StatusCode::CONFLICT, "calling_hours").with("next_open", app.gate.next_hour(&tenant.id, now))
        }
        Barrier::Calls | Barrier::Minutes | Barrier::Spend => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "calls_used_up")
        }
        _ => PhoneRefusal::Kind.into(),
    };
    Err(instead(error, tenant))
}

/// What the customer can do instead: call the office, in its hours.
pub fn instead(error: ApiError, tenant: &Tenant) -> ApiError {
    let public = tenant.public();
    error.with("phone", public.phone).with("phone_display", public.phone_display).with("hours", tenant.hours())
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalList {
    /// Since the server started.
    pub items: Vec<Refusal>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Refusal {
    pub tenant: String,
    /// request, offer or dial
    pub stage: &'static str,
    pub why: &'static str,
    pub count: u64,
}

/// What the gate refused: of the caller's tenant, or of all for whoever runs the installation.
pub async fn refusals(State(app): State<App>, caller: Caller) -> Json<RefusalList> {
    let items = app.gate.blocks.of(caller.user.tenant.as_ref()).into_iter().map(|block| Refusal {
        tenant: block.tenant.to_string(),
        stage: block.stage.as_str(),
        why: block.barrier.as_str(),
        count: block.count,
    });
    Json(RefusalList { items: items.collect() })
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DoNotCallList {
    pub items: Vec<DoNotCallItem>,
}

/// A number that is never called; the number itself is not kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoNotCallItem {
    pub id: String,
    pub number_display: String,
    pub who: String,
    #[schema(value_type = i64)]
    pub at: Timestamp,
}

impl From<DoNotCall> for DoNotCallItem {
    fn from(entry: DoNotCall) -> Self {
        Self {
            id: entry.number_key,
            number_display: format!("••• {}", entry.number_last4),
            who: entry.who,
            at: entry.at,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DoNotCallAsk {
    /// As people write it.
    pub phone: String,
}

pub async fn forbidden(State(app): State<App>, caller: Caller) -> Result<Json<DoNotCallList>, ApiError> {
    let items = app.store.forbidden_numbers(caller.user.tenant.as_ref(), MAX_PAGE).await?;
    Ok(Json(DoNotCallList { items: items.into_iter().map(Into::into).collect() }))
}

/// On the caller's tenant's list; on everybody's for whoever runs the installation.
pub async fn forbid(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<DoNotCallAsk>,
) -> Result<StatusCode, ApiError> {
    let number = match &caller.user.tenant {
        Some(id) => Dialable::parse(&ask.phone, &Tenant::find(&app, id.as_str()).await?.face.phone_rules)?,
        None => Dialable::parse(&ask.phone, &PhoneRules::everything())?,
    };
    let key = number.key(&app.installation_key);
    let tenant = caller.user.tenant.as_ref();
    if app.store.forbid_number(tenant, number.e164(), &key, caller.id().as_str(), app.now()).await? {
        audit(&app, &caller, "number_opted_out", &key, json!({})).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

pub async fn allow(State(app): State<App>, caller: Caller, Path(number): Path<String>) -> Result<StatusCode, ApiError> {
    if !app.store.allow_number(caller.user.tenant.as_ref(), &number).await? {
        return Err(ApiError::not_found());
    }
    audit(&app, &caller, "number_opted_in", &number, json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}
