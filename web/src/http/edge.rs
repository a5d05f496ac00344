//! The outermost layer: who is calling from where and in which language, and the headers of every response.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::Ordering::Relaxed,
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{error::ApiError, guard::cookie_of};
use crate::{state::App, words::Lang};

/// The language a staff member chose on one of our pages.
const LANGUAGE_COOKIE: &str = "ringback_lang";

/// The connection's other end and whether it speaks TLS; put in by the listener.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub address: SocketAddr,
    pub tls: bool,
}

/// The client behind trusted proxies.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    pub address: IpAddr,
    /// TLS up to the browser, or to the trusted proxy in front of us.
    pub secure: bool,
}

/// Which pages may show the response in a frame, said by the handler.
#[derive(Debug, Clone)]
pub struct FramedBy(pub Vec<String>);

/// Said by the handler of the one page that may use the microphone.
#[derive(Debug, Clone, Copy)]
pub struct Microphone;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     font-src 'self'; media-src 'self' blob:; worker-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; \
     form-action 'self'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

pub async fn edge(State(app): State<App>, mut request: Request, next: Next) -> Response {
    app.counters.requests.fetch_add(1, Relaxed);
    let client = client_of(&app, request.extensions().get::<Peer>().copied(), request.headers());
    let lang = language_of(request.uri().query(), request.headers());
    if !client.secure && must_be_secure(&app, &client) {
        return redirect_to_https(&app, &request);
    }
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(lang);
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>().filter(|_| lang != Lang::En) {
        response = error.respond(lang);
    }
    match response.status().as_u16() {
        500.. => app.counters.failed.fetch_add(1, Relaxed),
        400..500 => app.counters.refused.fetch_add(1, Relaxed),
        _ => 0,
    };
    tracing::debug!(%method, route = %without_secrets(&path), status = response.status().as_u16(), "answered");
    dress(&mut response, client.secure);
    response
}

/// A path as it may stand in a log: the customer's link is a secret.
fn without_secrets(path: &str) -> String {
    for secret in ["/status/", "/chat/"] {
        if let Some(at) = path.find(secret) {
            return format!("{}{secret}…", &path[..at]);
        }
    }
    path.to_owned()
}

/// Believes X-Forwarded-For from the right, as far as trusted proxies wrote it.
fn client_of(app: &App, peer: Option<Peer>, headers: &HeaderMap) -> Client {
    let peer = peer.unwrap_or(Peer { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), tls: false });
    let trusted = |address: IpAddr| app.config.file.server.trusted_proxies.contains(&address.to_canonical());
    let mut client = Client { address: peer.address.ip().to_canonical(), secure: peer.tls };
    if !trusted(client.address) {
        return client;
    }
    client.secure |= headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let forwarded: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
    for hop in forwarded.iter().rev() {
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        client.address = address.to_canonical();
        if !trusted(client.address) {
            break;
        }
    }
    client
}

/// The language that the address itself asks for.
pub(super) fn asked_language(query: Option<&str>) -> Option<Lang> {
    query?.split('&').find_map(|pair| pair.strip_prefix("lang=")).and_then(Lang::of_tag)
}

/// As the address says, else as a staff member chose before, else as the browser is set.
fn language_of(query: Option<&str>, headers: &HeaderMap) -> Lang {
    let chosen = || cookie_of(headers, LANGUAGE_COOKIE).and_then(Lang::of_tag);
    let header = || headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    asked_language(query).or_else(chosen).or_else(|| header().and_then(Lang::of_header)).unwrap_or_default()
}

/// Plain http serves loopback, trusted proxies and installations without TLS.
fn must_be_secure(app: &App, client: &Client) -> bool {
    let server = &app.config.file.server;
    server.redirect_to_https && !server.https.is_empty() && !client.address.is_loopback()
}

fn redirect_to_https(app: &App, request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    match *request.method() {
        Method::GET | Method::HEAD => Redirect::permanent(&format!("{}{path}", app.config.origin)).into_response(),
        // Whatever was sent in the clear is not taken.
        _ => ApiError::new(axum::http::StatusCode::FORBIDDEN, "cross_site").into_response(),
    }
}

fn dress(response: &mut Response, secure: bool) {
    let framed = response.extensions_mut().remove::<FramedBy>();
    let microphone = response.extensions_mut().remove::<Microphone>().is_some();
    let ancestors = match &framed {
        Some(FramedBy(origins)) => {
            std::iter::once("'self'").chain(origins.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
        }
        None => "'none'".to_owned(),
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.entry(name).or_insert(value);
        }
    };
    set(header::CONTENT_SECURITY_POLICY, &format!("{POLICY}; frame-ancestors {ancestors}"));
    if framed.is_none() {
        set(header::X_FRAME_OPTIONS, "DENY");
    }
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // With `no-referrer` browsers would send `Origin: null` with our own forms.
    set(header::REFERRER_POLICY, "same-origin");
    let uses = if microphone { "microphone=(self), speaker-selection=(self)" } else { "microphone=()" };
    set(
        HeaderName::from_static("permissions-policy"),
        &format!("{uses}, camera=(), geolocation=(), payment=(), usb=(), display-capture=()"),
    );
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if secure {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
    set(header::CACHE_CONTROL, "no-store");
}
