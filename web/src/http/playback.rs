//! Listening to a recording: by byte range, written down before the first byte leaves.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use ringback_engine::{AudioFile, RecordingView};
use ringback_routing::ids::{ContactId, RecordingId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{board::audit, body::QueryOf, error::ApiError, guard::Caller};
use crate::state::App;

/// The ranges of one playback within this time are one listening.
const ONE_LISTENING: Duration = Duration::from_secs(60);
/// Listenings remembered to that end.
const REMEMBERED: usize = 10_000;
const MAX_BUCKETS: usize = 4_000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioQuery {
    #[serde(default)]
    leg: Option<String>,
    #[serde(default)]
    download: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeaksQuery {
    #[serde(default)]
    buckets: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PeaksAnswer {
    pub duration_ms: u64,
    /// Least and greatest sample of each bucket: the customer.
    pub left: Vec<(i16, i16)>,
    /// The agents.
    pub right: Vec<(i16, i16)>,
    pub marks: Vec<MarkAt>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MarkAt {
    pub name: String,
    pub begin_ms: u64,
    pub end_ms: Option<u64>,
    pub leg: String,
}

pub async fn audio(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    Path(contact): Path<String>,
    QueryOf(query): QueryOf<AudioQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let contact: ContactId = contact.parse().map_err(|_| ApiError::not_found())?;
    let tenant = caller.tenant()?;
    let view = match &query.leg {
        None => RecordingView::Call,
        Some(leg) => RecordingView::Leg(own_leg(&app, tenant, contact, leg).await?),
    };
    let file = Arc::new(app.engine.recording_audio(tenant, contact, view).await?);
    if method != Method::HEAD {
        let what = if query.download.is_some() { "recording_downloaded" } else { "recording_played" };
        listened(&app, &caller, what, contact, query.leg.as_deref()).await?;
    }
    let stem = query.leg.clone().unwrap_or_else(|| contact.to_string());
    let mut response = ranged(&app, file, &headers, &method)?;
    let kind = if query.download.is_some() { "attachment" } else { "inline" };
    let disposition = format!("{kind}; filename=\"{stem}.wav\"");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// A leg must be of the contact that was asked for, and of the caller's tenant.
async fn own_leg(app: &App, tenant: &TenantId, contact: ContactId, leg: &str) -> Result<RecordingId, ApiError> {
    let id: RecordingId = leg.parse().map_err(|_| ApiError::not_found())?;
    let row = app.store.recording(tenant, id).await?;
    row.filter(|row| row.contact == contact).map(|row| row.id).ok_or_else(ApiError::not_found)
}

async fn listened(
    app: &App,
    caller: &Caller,
    what: &'static str,
    contact: ContactId,
    leg: Option<&str>,
) -> Result<(), ApiError> {
    let key = format!("{}\0{what}\0{contact}\0{}", caller.session.token_digest, leg.unwrap_or(""));
    let now = Instant::now();
    let known = {
        let mut listened = app.listened.lock().unwrap_or_else(PoisonError::into_inner);
        if listened.len() >= REMEMBERED {
            listened.retain(|_, at| now.duration_since(*at) < ONE_LISTENING);
        }
        listened.get(&key).is_some_and(|at| now.duration_since(*at) < ONE_LISTENING)
    };
    if known {
        return Ok(());
    }
    audit(app, caller, what, contact, json!({ "leg": leg })).await?;
    let mut listened = app.listened.lock().unwrap_or_else(PoisonError::into_inner);
    if listened.len() < REMEMBERED {
        listened.insert(key, now);
    }
    Ok(())
}

/// What a Range header asks of a file (RFC 9110, section 14.2). Several ranges are answered by the whole file.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    /// From and to, the end excluded.
    Part(u64, u64),
    Beyond,
}

fn asked(range: Option<&HeaderValue>, len: u64) -> Asked {
    let Some(spec) = range.and_then(|value| value.to_str().ok()?.trim().strip_prefix("bytes=")) else {
        return Asked::Whole;
    };
    let Some((from, to)) = spec.split_once('-').filter(|_| !spec.contains(',')) else { return Asked::Whole };
    let (from, to) = (from.trim(), to.trim());
    match (from.parse::<u64>(), to.parse::<u64>()) {
        (Err(_), Ok(last)) if from.is_empty() && last > 0 => {
            if len == 0 {
                Asked::Beyond
            } else {
                Asked::Part(len.saturating_sub(last), len)
            }
        }
        (Err(_), Ok(0)) if from.is_empty() => Asked::Beyond,
        (Ok(from), Err(_)) if to.is_empty() => {
            if from < len {
                Asked::Part(from, len)
            } else {
                Asked::Beyond
            }
        }
        (Ok(from), Ok(to)) if from <= to => {
            if from < len {
                Asked::Part(from, to.saturating_add(1).min(len))
            } else {
                Asked::Beyond
            }
        }
        _ => Asked::Whole,
    }
}

fn ranged(app: &App, file: Arc<AudioFile>, headers: &HeaderMap, method: &Method) -> Result<Response, ApiError> {
    let len = file.len();
    let (status, from, to) = match asked(headers.get(header::RANGE), len) {
        Asked::Whole => (StatusCode::OK, 0, len),
        Asked::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Asked::Beyond => {
            let mut response =
                ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable").into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{len}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Ok(response);
        }
    };
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from_stream(pieces(file, from, to, app.limits().recording_chunk_bytes as u64))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {from}-{}/{len}", to - 1);
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&range).map_err(|_| ApiError::unavailable())?);
    }
    Ok(response)
}

fn pieces(
    file: Arc<AudioFile>,
    from: u64,
    to: u64,
    step: u64,
) -> impl stream::Stream<Item = std::io::Result<Bytes>> + Send {
    stream::unfold(from, move |at| {
        let file = file.clone();
        async move {
            if at >= to {
                return None;
            }
            let until = at.saturating_add(step).min(to);
            let read = tokio::task::spawn_blocking(move || file.read_range(at, until)).await;
            let piece = match read {
                // Fewer bytes than promised would hang the browser: the answer is cut instead.
                Ok(Ok(piece)) if piece.len() as u64 == until - at => Ok(Bytes::from(piece)),
                Ok(Ok(_)) => Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(std::io::ErrorKind::Interrupted.into()),
            };
            let next = if piece.is_ok() { until } else { to };
            Some((piece, next))
        }
    })
}

pub async fn peaks(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
    QueryOf(query): QueryOf<PeaksQuery>,
) -> Result<Json<PeaksAnswer>, ApiError> {
    let contact: ContactId = contact.parse().map_err(|_| ApiError::not_found())?;
    let tenant = caller.tenant()?;
    let buckets = query.buckets.unwrap_or(800).clamp(1, MAX_BUCKETS);
    let peaks = app.engine.recording_peaks(tenant, contact, buckets).await?;
    let marks = peaks.marks.into_iter().map(|mark| MarkAt {
        name: mark.name,
        begin_ms: mark.begin_ms,
        end_ms: mark.end_ms,
        leg: mark.leg.to_string(),
    });
    let marks = marks.collect();
    Ok(Json(PeaksAnswer { duration_ms: peaks.duration_ms, left: peaks.left, right: peaks.right, marks }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let of = |text: &str, len| asked(Some(&HeaderValue::from_str(text).unwrap()), len);
        assert_eq!(asked(None, 100), Asked::Whole);
        assert_eq!(of("bytes=0-0", 100), Asked::Part(0, 1));
        assert_eq!(of("bytes=10-", 100), Asked::Part(10, 100));
        assert_eq!(of("bytes=-10", 100), Asked::Part(90, 100));
        assert_eq!(of("bytes=-1000", 100), Asked::Part(0, 100));
        assert_eq!(of("bytes=50-1000", 100), Asked::Part(50, 100));
        assert_eq!(of("bytes=0-18446744073709551615", 100), Asked::Part(0, 100));
        for beyond in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(of(beyond, 100), Asked::Beyond, "{beyond}");
        }
        for whole in ["bytes=5-1", "bytes=a-b", "bytes=-", "items=0-1", "bytes=0-1,5-6", "bytes"] {
            assert_eq!(of(whole, 100), Asked::Whole, "{whole}");
        }
        assert_eq!(of("bytes=0-", 0), Asked::Beyond);
    }
}
