//! For those who run the server: health, counters, carriers, alarms.

use std::{fmt::Write, sync::atomic::Ordering::Relaxed, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ringback_routing::ids::TrunkId;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::state::App;

#[derive(Debug, Serialize, ToSchema)]
pub struct TrunkList {
    pub trunks: Vec<Trunk>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Trunk {
    pub id: String,
    pub up: bool,
    pub rtt_ms: Option<u64>,
    pub last_status: Option<u16>,
    /// Why it is down.
    pub cause: Option<String>,
    /// Whether the registrar keeps our binding; null when the trunk does not register.
    pub registered: Option<bool>,
    /// Seconds since OPTIONS was answered last.
    pub checked_seconds: Option<u64>,
    /// Calls at one time.
    pub channels: u64,
    pub in_use: u64,
    /// Since the server started.
    pub placed: u64,
    pub answered: u64,
    /// Calls of customers since the server started.
    pub came_in: u64,
    pub failures: Vec<TrunkFailure>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TrunkFailure {
    /// busy, no_answer, rejected, unreachable, failed, cancelled
    pub result: String,
    /// What the carrier answered, when it did.
    pub sip_status: Option<u16>,
    pub count: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AlarmList {
    pub alarms: Vec<RaisedAlarm>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RaisedAlarm {
    pub alarm: String,
    pub why: String,
}

pub async fn healthz() -> &'static str {
    "ok\n"
}

/// A ledger that takes longer for one row is not ready.
const LEDGER_PATIENCE: Duration = Duration::from_secs(1);

/// Ready for new requests: not draining, and the ledger takes writes and is read.
pub async fn readyz(State(app): State<App>) -> Response {
    let draining = *app.draining.borrow();
    let alarms = raised(&app);
    let refused = alarms.iter().any(|alarm| alarm.alarm == "ledger_refuses");
    // What is written is refused with an alarm; what is only read asks here.
    let answers = tokio::time::timeout(LEDGER_PATIENCE, app.store.session("", app.now())).await;
    let ready = !draining && !refused && matches!(answers, Ok(Ok(_)));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": ready, "draining": draining, "alarms": alarms });
    (status, Json(body)).into_response()
}

fn raised(app: &App) -> Vec<RaisedAlarm> {
    let word = |alarm| serde_json::to_value(alarm).ok().and_then(|value| value.as_str().map(str::to_owned));
    app.engine
        .alarms()
        .into_iter()
        .map(|(alarm, why)| RaisedAlarm { alarm: word(alarm).unwrap_or_default(), why })
        .collect()
}

pub async fn alarms(State(app): State<App>) -> Json<AlarmList> {
    Json(AlarmList { alarms: raised(&app) })
}

pub async fn trunks(State(app): State<App>) -> Result<Json<TrunkList>, ApiError> {
    let usage = app.engine.trunk_usage();
    let trunks = app.engine.trunk_states().into_iter().map(|state| {
        let id = TrunkId::new(&state.id);
        let calls = app.engine.trunk_calls(&id);
        let (channels, in_use) =
            usage.iter().find(|(known, ..)| *known == id).map_or((0, 0), |(_, all, used)| (*all, *used));
        let failures = calls.failures.iter().map(|((result, sip_status), count)| TrunkFailure {
            result: serde_json::to_value(result)
                .ok()
                .and_then(|word| word.as_str().map(str::to_owned))
                .unwrap_or_default(),
            sip_status: *sip_status,
            count: *count,
        });
        Trunk {
            id: state.id,
            up: state.up,
            rtt_ms: state.rtt_ms.map(u64::from),
            last_status: state.last_status,
            cause: state.cause,
            registered: state.registered,
            checked_seconds: state.checked.map(|at| at.elapsed().as_secs()),
            channels: channels as u64,
            in_use: in_use as u64,
            placed: calls.placed,
            answered: calls.answered,
            came_in: calls.came_in,
            failures: failures.collect(),
        }
    });
    let trunks = trunks.collect();
    Ok(Json(TrunkList { trunks }))
}

/// Prometheus' text format.
pub async fn metrics(State(app): State<App>) -> Response {
    let mut text = app.engine.metrics_text();
    let counters = &app.counters;
    let rows: [(&str, &str, &str, u64); 7] = [
        ("ringback_http_requests_total", "counter", "HTTP requests.", counters.requests.load(Relaxed)),
        ("ringback_http_refused_total", "counter", "HTTP requests answered 4xx.", counters.refused.load(Relaxed)),
        ("ringback_http_failed_total", "counter", "HTTP requests answered 5xx.", counters.failed.load(Relaxed)),
        (
            "ringback_http_rate_limited_total",
            "counter",
            "HTTP requests over a rate.",
            counters.rate_limited.load(Relaxed),
        ),
        ("ringback_http_connections", "gauge", "Open HTTP connections.", counters.connections.load(Relaxed)),
        ("ringback_agent_sockets", "gauge", "Open agent sockets.", counters.sockets.load(Relaxed)),
        ("ringback_event_streams", "gauge", "Open event streams.", counters.streams.load(Relaxed)),
    ];
    for (name, kind, help, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    app.gate.blocks.render(&mut text);
    let mut response = text.into_response();
    let media = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}
