//! Server-sent events of a view: the first at once, then whenever it changed, never faster than twice a second.

use std::{convert::Infallible, net::IpAddr, sync::atomic::Ordering::Relaxed, time::Duration};

use axum::{
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use ringback_routing::ids::TenantId;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use super::{
    edge::Client,
    error::ApiError,
    guard::{Caller, still_holds},
};
use crate::{
    rate::address_key,
    state::{App, Revoked},
    ws::SESSION_CHECK,
};

/// Least time between two events.
const PACE: Duration = Duration::from_millis(500);
/// A comment in silence, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A view that can be read again and again.
pub trait View: Send + 'static {
    /// The view as JSON, and whether it is the last there will be.
    fn read(&mut self) -> impl Future<Output = Result<(serde_json::Value, bool), ApiError>> + Send;
}

struct Following<V> {
    app: App,
    view: V,
    /// Whose stream it is; None: the customer's, under a link.
    caller: Option<Caller>,
    revoked: broadcast::Receiver<Revoked>,
    name: &'static str,
    version: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    last: Option<serde_json::Value>,
    next: Next,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq)]
enum Next {
    View,
    End,
    Nothing,
}

/// Follows `view`, which is read first so that an error is still an ordinary answer.
pub async fn follow<V: View>(
    app: App,
    tenant: &TenantId,
    name: &'static str,
    client: Option<Client>,
    caller: Option<Caller>,
    mut view: V,
) -> Result<Response, ApiError> {
    let permit = app.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable").retry(10))?;
    let mut version = app.engine.watch(tenant).ok_or_else(ApiError::not_found)?;
    version.mark_changed();
    view.read().await?;
    let address = address_key(client.map_or(IpAddr::from([127, 0, 0, 1]), |client| client.address));
    if !app.stream_places.take(address, app.limits().event_streams_per_address) {
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited").retry(30));
    }
    app.counters.streams.fetch_add(1, Relaxed);
    let (closing, revoked) = (app.closing.subscribe(), app.revoked.subscribe());
    let start = Following {
        app,
        view,
        caller,
        revoked,
        name,
        version,
        closing,
        last: None,
        next: Next::View,
        address,
        _permit: permit,
    };
    let events = stream::unfold(start, |following| async move { following.step().await });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

impl<V: View> Following<V> {
    async fn step(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        match self.next {
            Next::Nothing => return None,
            Next::End => {
                self.next = Next::Nothing;
                return Some((Ok(Event::default().event("end").data("{}")), self));
            }
            Next::View => {}
        }
        loop {
            let changed = tokio::select! {
                changed = self.version.changed() => changed.is_ok(),
                () = ended(self.caller.as_ref(), &self.app, &mut self.revoked) => false,
                _ = self.closing.wait_for(|closing| *closing) => false,
            };
            if !changed {
                return None;
            }
            if self.last.is_some() {
                tokio::time::sleep(PACE).await;
                self.version.mark_unchanged();
            }
            // A passing failure of the ledger is no reason to end the stream: the next change brings the view.
            let Ok((value, last)) = self.view.read().await else { continue };
            if self.last.as_ref() == Some(&value) {
                continue;
            }
            let event = Event::default().event(self.name).data(value.to_string());
            self.last = Some(value);
            self.next = if last { Next::End } else { Next::View };
            return Some((Ok(event), self));
        }
    }
}

/// Returns when the caller is signed out; never for a customer.
async fn ended(caller: Option<&Caller>, app: &App, revoked: &mut broadcast::Receiver<Revoked>) {
    let Some(caller) = caller else { return std::future::pending().await };
    loop {
        match tokio::time::timeout(SESSION_CHECK, revoked.recv()).await {
            Ok(Ok(what)) if what.ends(&caller.session) => return,
            Ok(Ok(_)) => {}
            // Silence, or a flood that was missed: the ledger knows.
            Ok(Err(_)) | Err(_) if still_holds(app, caller).await => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

impl<V> Drop for Following<V> {
    fn drop(&mut self) {
        self.app.stream_places.give_back(self.address);
        self.app.counters.streams.fetch_sub(1, Relaxed);
    }
}
