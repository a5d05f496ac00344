//! Who did and looked at what: searched page by page, or given out as one file.

use std::convert::Infallible;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use ringback_routing::{ids::TenantId, time::Timestamp};
use ringback_store::{AuditRow, AuditSearch, MAX_PAGE, Store};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{board, body::QueryOf, error::ApiError, guard::Caller};
use crate::state::App;

/// Rows of one page.
const PAGE: u32 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditQuery {
    who: String,
    what: String,
    target: String,
    /// Milliseconds since 1970, UTC.
    from: Option<i64>,
    to: Option<i64>,
    before: Option<u64>,
    /// Of an export: csv or json.
    format: Format,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Csv,
    Json,
}

impl AuditQuery {
    fn search(&self) -> AuditSearch {
        AuditSearch {
            who: self.who.clone(),
            what: self.what.clone(),
            target: self.target.clone(),
            from: self.from.map(Timestamp::from_millis),
            to: self.to.map(Timestamp::from_millis),
            before: self.before,
        }
    }
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

/// Of the caller's tenant; whoever runs the installation reads the operators' own.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<AuditList>, ApiError> {
    let rows = app.store.audit_rows(caller.user.tenant.as_ref(), &query.search(), PAGE).await?;
    let next = rows.last().map(|row| row.seq).filter(|seq| *seq > 1 && rows.len() == PAGE as usize);
    Ok(Json(AuditList { items: rows.into_iter().map(item).collect(), next }))
}

/// Everything that matches, the latest first, as one file. That it was taken is written down before the first row leaves.
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Response, ApiError> {
    let search = query.search();
    let asked = json!({ "who": search.who, "what": search.what, "target": search.target,
        "from": search.from, "to": search.to });
    board::audit(&app, &caller, "audit_exported", "audit", asked).await?;
    let format = query.format;
    let pages =
        Pages { store: app.store.clone(), tenant: caller.user.tenant.clone(), search, format, step: Step::Head };
    let body = Body::from_stream(stream::unfold(pages, Pages::next));
    let (media, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        Format::Json => ("application/json", "attachment; filename=\"audit.json\""),
    };
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}

/// An export under way: one page of the ledger in memory at a time.
struct Pages {
    store: Store,
    tenant: Option<TenantId>,
    search: AuditSearch,
    format: Format,
    step: Step,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Head,
    Rows { first: bool },
    Done,
}

impl Pages {
    async fn next(mut self) -> Option<(Result<String, Infallible>, Self)> {
        let first = match self.step {
            Step::Head => {
                self.step = Step::Rows { first: true };
                let head = if self.format == Format::Csv { "seq,at,who,what,target,detail,hash\r\n" } else { "[" };
                return Some((Ok(head.to_owned()), self));
            }
            Step::Rows { first } => first,
            Step::Done => return None,
        };
        // A ledger that fails in the middle leaves a file without its end, which no reader takes for whole.
        let rows = self.store.audit_rows(self.tenant.as_ref(), &self.search, MAX_PAGE).await.ok()?;
        let text = rows.iter().enumerate().map(|(index, row)| self.line(row, first && index == 0)).collect::<String>();
        self.search.before = rows.last().map(|row| row.seq);
        let over = rows.len() < MAX_PAGE as usize;
        self.step = if over { Step::Done } else { Step::Rows { first: first && rows.is_empty() } };
        let end = if over && self.format == Format::Json { "]\n" } else { "" };
        Some((Ok(text + end), self))
    }

    fn line(&self, row: &AuditRow, first: bool) -> String {
        let item = item(row.clone());
        match self.format {
            Format::Json => {
                let comma = if first { "" } else { ",\n" };
                format!("{comma}{}", serde_json::to_string(&item).unwrap_or_default())
            }
            Format::Csv => {
                let at = chrono::DateTime::from_timestamp_millis(item.at.as_millis());
                let at = at.map(|at| at.to_rfc3339()).unwrap_or_default();
                let cells = [&at, &item.who, &item.what, &item.target, &item.detail.to_string(), &item.hash];
                format!("{},{}\r\n", item.seq, cells.map(|cell| quoted(cell)).join(","))
            }
        }
    }
}

/// A cell (RFC 4180) that no spreadsheet takes for a formula.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
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

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(quoted("plain"), "\"plain\"");
        assert_eq!(quoted("a \"b\""), "\"a \"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
