//! From the chat to the telephone: the customer asks to be called instead, or the agent calls. The number passes the same
//! gate as that of a Call-Me request; the contact and its place stay what they were.

use std::net::IpAddr;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_engine::EngineError::Rejected;
use ringback_routing::{
    contact::Customer,
    event::{Event, Receipt, Rejection},
    ids::{AgentId, ContactId, TenantId},
};
use ringback_store::Proof;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    link::Held,
    words::{ChatStage, ChatStatus},
};
use crate::{
    http::{availability::Tenant, body::JsonBody, edge::Client, error::ApiError, gate},
    phone::{self, Dialable},
    state::App,
};

/// The customer would rather be called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallInstead {
    /// As the customer types it; null: the number given when the chat was asked for.
    #[serde(default)]
    pub phone: Option<String>,
}

/// A call instead of the chat can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CallOffer {
    /// The last four digits of the number known; null: none that can be dialled.
    pub number_display: Option<String>,
}

pub async fn call_instead(
    State(app): State<App>,
    Path(link): Path<String>,
    client: Option<Extension<Client>>,
    JsonBody(wish): JsonBody<CallInstead>,
) -> Result<Json<ChatStatus>, ApiError> {
    let mut held = Held::open(&app, &link).await?;
    if held.status().await?.stage != ChatStage::Waiting {
        return Err(ApiError::new(StatusCode::CONFLICT, "wrong_state"));
    }
    let contact = held.contact().await?;
    let tenant = Tenant::find(&app, held.tenant.as_str()).await?;
    let from = client.map(|client| client.address);
    let number = passed(&app, &tenant, &contact.customer, wish.phone.as_deref(), Some(from)).await?;
    let number_key = number.key(&app.installation_key);
    let event = Event::ChatCallbackChosen { contact: held.contact, number: number.e164().to_owned(), number_key };
    submit(&app, &held.tenant, event).await?;
    Ok(Json(held.status().await?))
}

/// The agent calls the customer of a chat in hand.
pub(crate) async fn call_from_chat(
    app: &App,
    tenant: &TenantId,
    agent: AgentId,
    contact: ContactId,
    typed: Option<&str>,
) -> Result<(), ApiError> {
    let view = app.engine.status_view(tenant, contact).await?.ok_or_else(ApiError::not_found)?;
    let tenant = Tenant::find(app, tenant.as_str()).await?;
    let number = passed(app, &tenant, &view.contact.customer, typed, None).await?;
    let number_key = number.key(&app.installation_key);
    let number = number.e164().to_owned();
    submit(app, &tenant.id, Event::ChatCallRequested { agent, contact, number, number_key }).await
}

/// The number, if the gate lets it be rung. `from`: a customer asks, from that address; an agent uses up no allowance.
async fn passed(
    app: &App,
    tenant: &Tenant,
    customer: &Customer,
    typed: Option<&str>,
    from: Option<Option<IpAddr>>,
) -> Result<Dialable, ApiError> {
    let typed = typed.map(str::trim).filter(|typed| !typed.is_empty()).unwrap_or(&customer.number);
    if typed.is_empty() {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "phone_required").with("field", "phone"));
    }
    let number = gate::number(app, tenant, typed)?;
    let number_key = number.key(&app.installation_key);
    // Whatever the portal said of the customer, it did not say it of another number.
    let proof = match number_key == customer.number_key {
        true => Proof::of(customer),
        false if customer.verified => Proof::Person,
        false => Proof::Nobody,
    };
    if let Some(from) = from {
        gate::within_rates(app, tenant, from, &number_key, proof)?;
    }
    gate::open(app, tenant, &number, proof, from.is_some()).await?;
    Ok(number)
}

async fn submit(app: &App, tenant: &TenantId, event: Event) -> Result<(), ApiError> {
    match app.engine.submit(tenant, event).await {
        Ok(Receipt::CallbackExists { .. }) => Err(ApiError::new(StatusCode::CONFLICT, "number_waits")),
        Ok(_) => Ok(()),
        Err(Rejected(Rejection::NoSuchContact)) => Err(ApiError::new(StatusCode::CONFLICT, "wrong_state")),
        Err(error) => Err(error.into()),
    }
}

impl Held {
    /// Whether the wait has become, or promises to be, so long that the page offers a call.
    pub(super) async fn call_offer(&self, status: &ChatStatus, customer: &Customer) -> Option<CallOffer> {
        let after = self.app.faces.get(&self.tenant)?.chat.offer_callback_ms?;
        let waited = self.app.now().since(status.requested_at).0;
        if status.stage != ChatStage::Waiting || waited.max(status.ewt_ms.unwrap_or(0)) < after {
            return None;
        }
        let enabled = self.app.engine.config(&self.tenant).await.is_ok_and(|config| config.callback.enabled);
        let number_display = Some(&customer.number).filter(|number| !number.is_empty());
        enabled.then(|| CallOffer { number_display: number_display.map(|number| phone::mask(number)) })
    }
}
