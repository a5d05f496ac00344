//! The router under test: a real engine and ledger, two counties with staff of every role, requests without sockets.

mod access;
mod audit;
mod bounds;
mod callbacks;
mod chat;
mod counties;
mod customers;
mod fuzz;
mod gate;
mod headers;
mod isolation;
mod number_conflict;
mod pages;
mod people;
mod privacy;
mod recordings;
mod retention;
mod settings;
mod sockets;
mod sounds;
mod sso;
mod staff;
mod toll_fraud;
mod turns;
mod views;
mod webhooks;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header},
};
use ringback_engine::EngineLimits;
use ringback_routing::ids::TenantId;
use ringback_store::Role;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{edge::Peer, routes};
use crate::{
    config::ServerConfig,
    jws,
    portal::{Audience, PortalClaims},
    prompts, start,
    state::{self, App, Judges, Outside},
    users,
};

/// What no test runs into by accident.
const GENEROUS: &str = "callbacks_per_minute = 1000\nlogins_per_minute = 1000\npublic_api_per_minute = 1000\nstaff_api_per_minute = 100000";
pub(crate) const ORIGIN: &str = "http://localhost:8080";
const PASSWORD: &str = "correct horse";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Open always and for everybody; open and only by the portal's word; never open; without callbacks.
pub(crate) const OPEN: &str = "open";
pub(crate) const VOUCHED: &str = "vouched";
pub(crate) const SHUT: &str = "shut";
pub(crate) const OFF: &str = "off";

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) router: Router,
    /// Removed with the world.
    _folder: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.text()))
    }
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

fn tenant_toml(id: &str, more: &str, days: &str) -> String {
    format!(
        r#"
[[tenant]]
id = "{id}"
name = "{id} <County> & 'Sons'"
timezone = "America/Los_Angeles"
public_phone = "+19168743100"
origins = ["https://portal.{id}.example.gov"]
{more}
[[tenant.portal_key]]
alg = "HS256"
secret = "{SECRET}"
[[tenant.hours]]
days = [{days}]
from = "00:00"
to = "24:00"
[[tenant.disposition]]
id = "resolved"
name = "Resolved"
"#
    )
}

fn config(folder: &std::path::Path, limits: &str) -> ServerConfig {
    let always = r#""mon", "tue", "wed", "thu", "fri", "sat", "sun""#;
    let on = "callback.enabled = true\nchat.enabled = true";
    let head = format!(
        r#"
[server]
data_dir = "{}"
trusted_proxies = ["192.0.2.9"]
second_factor_for = []
[sip]
udp = "127.0.0.1:0"
tcp = "127.0.0.1:0"
[media]
webrtc = "127.0.0.1:0"
rtp = "127.0.0.1"
[limits]
{limits}
[[trunk]]
id = "nowhere"
host = "127.0.0.1"
port = 9
channels = 4
caller_id = "+19165550000"
options_seconds = 0
"#,
        folder.display()
    );
    let text = head
        + &tenant_toml(OPEN, &format!("auth = \"none\"\n{on}"), always)
        + &tenant_toml(VOUCHED, &format!("auth = \"required\"\n{on}"), always)
        + &tenant_toml(SHUT, &format!("auth = \"none\"\n{on}"), "")
        + &tenant_toml(OFF, "auth = \"none\"", always);
    ServerConfig::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

pub(crate) fn user_id(tenant: &str, role: Role) -> String {
    format!("{tenant}-{role}")
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_limits(GENEROUS).await
    }

    pub(crate) async fn with_limits(limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), limits);
        Self::of(folder, config).await
    }

    /// A server whose cores keep such a pace.
    pub(crate) async fn with_pace(limits: EngineLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), GENEROUS);
        Self::paced(folder, config, limits).await
    }

    /// A server of its own configuration; the counties it shares with the others have their staff.
    pub(crate) async fn of(folder: tempfile::TempDir, config: ServerConfig) -> Self {
        Self::paced(folder, config, EngineLimits::default()).await
    }

    async fn paced(folder: tempfile::TempDir, config: ServerConfig, limits: EngineLimits) -> Self {
        let store = start::open_store(&config).await.unwrap();
        let mut hashed = None;
        for tenant in [OPEN, VOUCHED] {
            for role in Role::ALL {
                let place = config.tenant(&TenantId::new(tenant));
                if place.is_none() {
                    continue;
                }
                let place = place.filter(|_| role != Role::Operator);
                let password = hashed.clone();
                let mut user = users::new_user(&user_id(tenant, role), "A Name", role, place, PASSWORD).unwrap();
                if let Some(known) = password {
                    user.password_hash = known;
                }
                hashed = Some(user.password_hash.clone());
                store.create_user(&user).await.unwrap();
            }
        }
        let key = state::installation_key(&store).await.unwrap();
        let judges = Judges::new(&config, &store, &key);
        let engine =
            start::engine(&config, store.clone(), prompts::built_in().unwrap(), &judges, limits).await.unwrap();
        let outside = Outside::new(&config).unwrap();
        let app = App::new(config, engine, store, key, judges, outside, None);
        Self { router: routes::router(&app), app, _folder: folder }
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(peer("127.0.0.1"));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, None, &[])).await
    }

    pub(crate) async fn get_owned(&self, path: String) -> Answer {
        self.get(&path).await
    }

    pub(crate) async fn get_as(&self, path: &str, cookie: &str) -> Answer {
        self.send(request(Method::GET, path, None, &[("cookie", cookie)])).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(request(Method::POST, path, Some(body), &[])).await
    }

    pub(crate) async fn post_as(&self, path: &str, body: Value, cookie: &str) -> Answer {
        self.send(request(Method::POST, path, Some(body), &[("cookie", cookie), ("origin", ORIGIN)])).await
    }

    /// The session cookie of a signed-in user.
    pub(crate) async fn sign_in(&self, tenant: &str, role: Role) -> String {
        let answer = self.post("/api/v1/login", json!({ "user": user_id(tenant, role), "password": PASSWORD })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    pub(crate) async fn cookies(&self) -> BTreeMap<(&'static str, &'static str), String> {
        let mut cookies = BTreeMap::new();
        for tenant in [OPEN, VOUCHED] {
            for role in Role::ALL {
                cookies.insert((tenant, role.as_str()), self.sign_in(tenant, role).await);
            }
        }
        cookies
    }

    /// A callback of the open county; its answer.
    pub(crate) async fn callback(&self, phone: &str) -> Value {
        let path = format!("/api/v1/t/{OPEN}/callbacks");
        let answer = self.post(&path, json!({ "name": "Ana Núñez", "phone": phone })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer.json()
    }

    /// The contact behind a status link.
    pub(crate) async fn contact_of(&self, link: &str) -> ringback_routing::ids::ContactId {
        let digest = crate::token::digest(link);
        self.app.store.contact_by_status_token(&digest).await.unwrap().unwrap().1
    }
}

pub(crate) fn peer(address: &str) -> Peer {
    Peer { address: SocketAddr::new(address.parse().unwrap(), 40000), tls: false }
}

pub(crate) fn request(method: Method, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_str(value).unwrap());
    }
    request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()
}

/// A portal's token for `tenant`.
pub(crate) fn portal_token(app: &App, tenant: &str, jti: &str) -> String {
    let claims = PortalClaims {
        aud: Audience::One(tenant.to_owned()),
        exp: app.now().as_millis() / 1000 + 120,
        jti: jti.to_owned(),
        nbf: None,
        name: "Vouched Name".to_owned(),
        sub: Some("C-1".to_owned()),
        phone: None,
        page: None,
        context: BTreeMap::new(),
    };
    jws::sign_hs256(&claims, SECRET.as_bytes()).unwrap()
}
