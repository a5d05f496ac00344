//! Who did and looked at what.

use axum::{Json, extract::State};
use ringback_routing::time::Timestamp;
use ringback_store::AuditRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{body::QueryOf, error::ApiError, guard::Caller};
use crate::state::App;

/// Rows of one page.
const PAGE: u32 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    #[serde(default)]
    before: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AuditList {
    pub items: Vec<AuditItem>,
    /// Give it as `before` to read on.
    pub next: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AuditItem {
    pub seq: u64,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    pub who: String,
    pub what: String,
    pub target: String,
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
    /// Covers this row and the hash of the one before.
    pub hash: String,
}

pub async fn read(
    State(app): State<App>,
    caller: Caller,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<AuditList>, ApiError> {
    let rows = app.store.audit_rows(Some(caller.tenant()?), query.before, PAGE).await?;
    let next = rows.last().map(|row| row.seq).filter(|seq| *seq > 1 && rows.len() == PAGE as usize);
    Ok(Json(AuditList { items: rows.into_iter().map(item).collect(), next }))
}

fn item(row: AuditRow) -> AuditItem {
    let entry = row.entry;
    AuditItem {
        seq: row.seq,
        at: entry.at,
        who: entry.who,
        what: entry.what,
        target: entry.target,
        detail: entry.detail,
        hash: row.hash,
    }
}
