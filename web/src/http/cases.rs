//! What an agent files of a contact (E12), for as long as the contact is in hand; a draft for as long as its author wants.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::{
    contact::Contact,
    ids::{ContactId, TenantId},
    time::{Millis, Timestamp},
};
use ringback_store::{CaseRecord, CaseState, CustomerRecord, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::audit,
    body::{JsonBody, Nothing},
    callbacks::one_line,
    chat::Names,
    customers::{self, CustomerAnswer, CustomerWrite, state_word, taken, text_within},
    error::ApiError,
    guard::Caller,
    history,
};
use crate::state::App;

/// Longest title, in letters.
const MAX_TITLE: usize = 120;
/// Longest text, in letters.
const MAX_BODY: usize = 5000;
/// Drafts shown to their author.
const DRAFTS_SHOWN: u32 = 50;
/// That a person was met is noted once in this time: it is counted in days.
const MET_EVERY: Millis = Millis::from_secs(86_400);

/// Whom the directory knows the customer of a contact as, and what is filed of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactCustomer {
    /// Null: nobody in the directory has this number or id.
    pub customer: Option<CustomerAnswer>,
    /// Null: nothing is filed.
    pub case: Option<CaseAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CaseAnswer {
    pub contact: String,
    /// Id in the directory.
    pub customer: Option<String>,
    pub customer_name: Option<String>,
    /// draft or saved
    pub state: &'static str,
    pub title: String,
    pub body: String,
    pub version: i64,
    #[schema(value_type = i64)]
    pub opened_at: Timestamp,
    /// Name of the agent.
    pub opened_by: String,
    #[schema(value_type = i64)]
    pub changed_at: Timestamp,
}

/// A case as written by an agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseWrite {
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub body: String,
    /// True: to be finished later; it may belong to nobody yet.
    #[serde(default)]
    pub draft: bool,
    /// Id in the directory.
    #[serde(default)]
    pub customer: Option<String>,
    /// Somebody the directory does not know yet, in place of `customer`.
    #[serde(default)]
    pub new_customer: Option<CustomerWrite>,
    /// The contact's own number and portal id are kept with the customer from now on.
    #[serde(default)]
    pub keep_number: bool,
    /// Of the version that was read; 0: there was none.
    #[serde(default)]
    pub version: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DraftList {
    /// The latest first.
    pub items: Vec<DraftItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DraftItem {
    pub contact: String,
    pub title: String,
    /// What the contact's customer was called then.
    pub customer_name: String,
    #[schema(value_type = i64)]
    pub changed_at: Timestamp,
}

pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
) -> Result<Json<ContactCustomer>, ApiError> {
    let tenant = caller.tenant()?;
    let contact = opened(&app, &caller, &contact).await?;
    let told = told(&app, tenant, &contact).await?;
    if let Some(customer) = &told.customer {
        let now = app.now();
        app.store.customer_seen(tenant, &customer.id, now - MET_EVERY, now).await?;
    }
    Ok(Json(told))
}

/// Opens the case: of a customer who is known it is there from now on, linked; of anybody else there is nothing to link.
pub async fn open(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
    JsonBody(_): JsonBody<Nothing>,
) -> Result<Json<ContactCustomer>, ApiError> {
    let tenant = caller.tenant()?;
    let contact = opened(&app, &caller, &contact).await?;
    let filed = app.store.case(tenant, contact.id).await?.is_some();
    if let (false, Some(customer)) = (filed, known(&app, tenant, &contact).await?) {
        let case = CaseRecord {
            customer: Some(customer.id.clone()),
            title: subject_of(&app, tenant, &contact).await?,
            ..blank(&app, &caller, &contact)
        };
        match app.store.save_case(tenant, &case).await {
            Ok(_) => audit(&app, &caller, "case_linked", contact.id, json!({ "customer": customer.id })).await?,
            // Opened in two places at once: it is there.
            Err(ringback_store::StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(told(&app, tenant, &contact).await?))
}

pub async fn save(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
    JsonBody(write): JsonBody<CaseWrite>,
) -> Result<Json<ContactCustomer>, ApiError> {
    let tenant = caller.tenant()?;
    let contact = opened(&app, &caller, &contact).await?;
    let title = one_line(&write.title);
    if title.is_empty() || title.chars().count() > MAX_TITLE {
        return Err(ApiError::bad_value("title"));
    }
    let body = text_within(&write.body, MAX_BODY, "body")?;
    let before = app.store.case(tenant, contact.id).await?;
    if before.as_ref().map_or(0, |case| case.version) != write.version {
        return Err(ApiError::new(StatusCode::CONFLICT, "changed_meanwhile"));
    }
    let state = if write.draft { CaseState::Draft } else { CaseState::Saved };
    let customer = chosen(&app, &caller, &contact, write).await?;
    if customer.is_none() && state == CaseState::Saved {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "customer_needed").with("field", "customer"));
    }
    // What is kept while it is being written is told once, not with every line.
    let goes_on = state == CaseState::Draft
        && before.as_ref().is_some_and(|case| case.state == state && case.changed_by == caller.id().as_str());
    let case = CaseRecord {
        customer,
        state,
        title,
        body,
        changed_by: caller.id().to_string(),
        changed_at: app.now(),
        ..before.unwrap_or_else(|| blank(&app, &caller, &contact))
    };
    app.store.save_case(tenant, &case).await.map_err(taken)?;
    let detail =
        json!({ "customer": case.customer, "state": state_word(state), "text": crate::token::digest(&case.body) });
    if !goes_on {
        audit(&app, &caller, "case_saved", contact.id, detail).await?;
    }
    Ok(Json(told(&app, tenant, &contact).await?))
}

/// What the caller left to be finished.
pub async fn drafts(State(app): State<App>, caller: Caller) -> Result<Json<DraftList>, ApiError> {
    let tenant = caller.tenant()?;
    let mut items = Vec::new();
    for case in app.store.drafts_of(tenant, caller.id().as_str(), DRAFTS_SHOWN).await? {
        let contact = app.store.contact(tenant, case.contact).await?;
        items.push(DraftItem {
            contact: case.contact.to_string(),
            title: case.title,
            customer_name: contact.map(|contact| contact.customer.name.clone()).unwrap_or_default(),
            changed_at: case.changed_at,
        });
    }
    Ok(Json(DraftList { items }))
}

/// The contact in hand, or one of which the caller left a draft.
async fn opened(app: &App, caller: &Caller, word: &str) -> Result<Contact, ApiError> {
    let refused = match history::opened(app, caller, word).await {
        Ok(contact) => return Ok(contact),
        Err(refused) => refused,
    };
    let tenant = caller.tenant()?;
    let id: ContactId = word.parse().map_err(|_| ApiError::not_found())?;
    let case = app.store.case(tenant, id).await?;
    let own = case.is_some_and(|case| case.state == CaseState::Draft && case.changed_by == caller.id().as_str());
    match own && caller.user.role == Role::Agent {
        true => app.store.contact(tenant, id).await?.ok_or(refused),
        false => Err(refused),
    }
}

/// Whom the directory knows the contact's customer as.
async fn known(app: &App, tenant: &TenantId, contact: &Contact) -> Result<Option<CustomerRecord>, ApiError> {
    let customer = &contact.customer;
    Ok(app.store.customer_of(tenant, customer.customer_id.as_deref(), &customer.number_key).await?)
}

/// The customer the case is filed under, made or completed if that was asked for.
async fn chosen(app: &App, caller: &Caller, contact: &Contact, write: CaseWrite) -> Result<Option<String>, ApiError> {
    let tenant = caller.tenant()?;
    let own = |write: &mut CustomerWrite| {
        if write_keeps(contact, write) {
            write.numbers.push(contact.customer.number.clone());
        }
        write.external_ids.extend(contact.customer.customer_id.clone());
    };
    if let Some(mut fresh) = write.new_customer {
        if write.keep_number {
            own(&mut fresh);
        }
        return Ok(Some(customers::create(app, caller, fresh).await?.id));
    }
    let Some(id) = write.customer else { return Ok(None) };
    let record = app.store.customer(tenant, &id).await?;
    let record = record.ok_or_else(|| ApiError::bad_value("customer"))?;
    // Whoever has the number already keeps it.
    if write.keep_number && known(app, tenant, contact).await?.is_none() {
        let mut more = CustomerWrite {
            name: record.name.clone(),
            numbers: record.numbers.iter().map(|known| known.number.clone()).collect(),
            external_ids: record.external_ids.clone(),
            notes: record.notes.clone(),
            version: record.version,
        };
        own(&mut more);
        customers::keep(app, caller, record, more, "customer_changed").await?;
    }
    Ok(Some(id))
}

/// The contact has a number that is not among those written.
fn write_keeps(contact: &Contact, write: &CustomerWrite) -> bool {
    !contact.customer.number.is_empty() && !write.numbers.contains(&contact.customer.number)
}

fn blank(app: &App, caller: &Caller, contact: &Contact) -> CaseRecord {
    let (who, now) = (caller.id().to_string(), app.now());
    CaseRecord {
        contact: contact.id,
        customer: None,
        state: CaseState::Saved,
        title: String::new(),
        body: String::new(),
        version: 0,
        opened_by: who.clone(),
        opened_at: now,
        changed_by: who,
        changed_at: now,
    }
}

async fn subject_of(app: &App, tenant: &TenantId, contact: &Contact) -> Result<String, ApiError> {
    let config: Arc<_> = app.engine.config(tenant).await?;
    let name = config.subjects.iter().find(|subject| subject.id == contact.subject).map(|subject| subject.name.clone());
    Ok(name.unwrap_or_else(|| contact.subject.to_string()))
}

async fn told(app: &App, tenant: &TenantId, contact: &Contact) -> Result<ContactCustomer, ApiError> {
    let case = app.store.case(tenant, contact.id).await?;
    let filed_under = match case.as_ref().and_then(|case| case.customer.as_deref()) {
        Some(id) => app.store.customer(tenant, id).await?,
        None => None,
    };
    let customer = match filed_under {
        Some(customer) => Some(customer),
        None => known(app, tenant, contact).await?,
    };
    let mut names = Names::default();
    let case = match case {
        Some(case) => Some(CaseAnswer {
            contact: case.contact.to_string(),
            customer_name: customer.as_ref().filter(|_| case.customer.is_some()).map(|customer| customer.name.clone()),
            customer: case.customer,
            state: state_word(case.state),
            title: case.title,
            body: case.body,
            version: case.version,
            opened_at: case.opened_at,
            opened_by: names.of(app, tenant, &case.opened_by.as_str().into()).await,
            changed_at: case.changed_at,
        }),
        None => None,
    };
    let customer = match customer {
        Some(customer) => Some(customers::answer(app, tenant, customer).await?),
        None => None,
    };
    Ok(ContactCustomer { customer, case })
}
