//! What a code stands for that was told to a number outside: whoever got the call there asks a colleague, or looks it up.

use axum::{
    Json,
    extract::{Path, State},
};
use ringback_routing::{third::CODE_DIGITS, time::Millis};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::{audit, shown_number},
    chat::Names,
    error::ApiError,
    guard::Caller,
    history::{self, HistoryItem},
};
use crate::state::App;

/// A code is good for so long: there are a million of them, and what is older would be found by chance.
const GOOD_FOR: Millis = Millis::from_secs(3 * 86_400);
/// Contacts shown that have the same code by chance.
const SHOWN: u32 = 5;

#[derive(Debug, Serialize, ToSchema)]
pub struct CodeAnswer {
    /// The latest first; more than one is chance. Empty: nothing went outside under this code in three days.
    pub items: Vec<CodeItem>,
}

/// A contact that was passed to a number outside.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeItem {
    pub customer_name: String,
    /// As the tenant shows numbers: whole, or its last digits.
    pub number: String,
    /// BCP 47
    pub language: String,
    /// What was written for whoever is next, the latest last.
    pub handover: Vec<String>,
    pub matter: HistoryItem,
}

pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
) -> Result<Json<CodeAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    if code.len() != CODE_DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::bad_value("code"));
    }
    let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
    let found = app.store.contacts_by_code(tenant, &code, app.now() - GOOD_FOR, SHOWN).await?;
    audit(&app, &caller, "code_looked_up", tenant, json!({ "contacts": found })).await?;
    let (mut items, mut names) = (Vec::new(), Names::default());
    for id in found {
        // Erased meanwhile.
        let Some(contact) = app.store.contact(tenant, id).await? else { continue };
        items.push(CodeItem {
            customer_name: contact.customer.name.clone(),
            number: shown_number(&face, &contact.customer.number),
            language: contact.customer.language.as_str().to_owned(),
            handover: contact.segments.iter().filter_map(|segment| segment.handover.clone()).collect(),
            matter: history::item(&app, tenant, &contact, &mut names).await?,
        });
    }
    Ok(Json(CodeAnswer { items }))
}
