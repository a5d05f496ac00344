//! A visitor wants to call: a number of ours is lent to the visit, alone or with an access code, so that the call is known
//! when it comes.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ringback_routing::{
    event::Visit,
    time::{Millis, Timestamp},
};
use ringback_store::NumberLease;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::{
    availability::Tenant,
    body,
    callbacks::{self, Asked},
    error::ApiError,
};
use crate::{phone, portal::PortalClaims, state::App, token};

/// How many codes are drawn before the number counts as full: with one in two taken, one in a thousand visitors is refused.
const CODES_DRAWN: usize = 10;
/// Two seconds of pause each between number and code, as telephones dial them (RFC 3601).
const PAUSES: &str = ",,";

/// A visit that a call is to be matched with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberAsk {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub subject: Option<String>,
    /// BCP 47.
    #[serde(default)]
    pub language: Option<String>,
    /// The page the customer came from.
    #[serde(default)]
    pub page: Option<String>,
    /// The portal's signed token.
    #[serde(default)]
    pub token: Option<String>,
    /// Whatever the page knows besides, for the agent.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NumberAnswer {
    /// E.164.
    pub number: String,
    pub number_display: String,
    /// Asked for after the greeting; null when the number alone is enough.
    pub code: Option<String>,
    /// A link that dials both.
    pub tel: String,
    /// Until then whoever calls there is this visitor.
    #[schema(value_type = i64)]
    pub until: Timestamp,
}

pub async fn create(
    State(app): State<App>,
    Path(word): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    if !body::has_type(&headers, "application/json") {
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
    }
    let bytes = body::read(request, &app).await?;
    let tenant = Tenant::find(&app, &word).await?;
    let ask: NumberAsk = body::parse_json(&bytes)?;
    if tenant.face.lending.pool.is_empty() && tenant.face.lending.coded.is_none() {
        return Err(ApiError::not_found());
    }
    let now = app.now();
    let claims = callbacks::vouched(&app, &tenant, ask.subject.as_deref(), ask.token.as_deref(), now).await?;
    let answer = lend(&app, &tenant, ask, claims.as_ref(), now).await;
    let answer = callbacks::or_released(&app, &tenant, claims.as_ref(), answer).await?;
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

async fn lend(
    app: &App,
    tenant: &Tenant,
    ask: NumberAsk,
    claims: Option<&PortalClaims>,
    now: Timestamp,
) -> Result<NumberAnswer, ApiError> {
    let subject = callbacks::subject(tenant, ask.subject.as_deref())?;
    let asked = Asked {
        name: &ask.name,
        page: ask.page.as_deref(),
        language: ask.language.as_deref(),
        context: ask.context.clone(),
    };
    let customer = callbacks::customer(tenant, asked, claims, String::new(), String::new())?;
    let lending = &tenant.face.lending;
    let own = lending.pool.iter().map(|number| NumberLease { number: number.clone(), code: String::new() });
    let mut wanted: Vec<_> = own.collect();
    if let Some((number, digits)) = &lending.coded {
        for _ in 0..CODES_DRAWN {
            wanted.push(NumberLease { number: number.clone(), code: token::digits(usize::from(*digits))? });
        }
    }
    let until = now + Millis::from_secs(i64::from(lending.seconds));
    let lent = app.store.lend_number(&tenant.id, wanted, &Visit { customer, subject }, now, until).await?;
    let lent = lent
        .ok_or_else(|| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "numbers_lent").retry(lending.seconds.into()))?;
    Ok(answer(lent, tenant, until))
}

fn answer(lent: NumberLease, tenant: &Tenant, until: Timestamp) -> NumberAnswer {
    let NumberLease { number, code } = lent;
    let code = Some(code).filter(|code| !code.is_empty());
    let behind = code.as_ref().map(|code| format!("{PAUSES}{code}")).unwrap_or_default();
    NumberAnswer {
        number_display: phone::display(&number, tenant.face.home),
        tel: format!("tel:{number}{behind}"),
        number,
        code,
        until,
    }
}
