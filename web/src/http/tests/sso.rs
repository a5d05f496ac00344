//! Signing in at an identity provider: a provider of our own that says whatever the test wants, genuine and forged.

use std::sync::Mutex;

use axum::{Form, extract::State, routing};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{rand::SystemRandom, signature::EcdsaKeyPair};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::*;
use crate::jws::{self, tests as signing};

const CLIENT: &str = "ringback";
const CLIENT_SECRET: &str = "a secret & more";

/// What the provider does at the next redemption.
type Forge = Box<dyn Fn(&Provider, Value) -> String + Send>;

struct Provider {
    issuer: String,
    key: EcdsaKeyPair,
    /// Nonce and challenge of the sign-in under way.
    asked: Mutex<(String, String)>,
    forge: Mutex<Option<Forge>>,
    groups: Mutex<Value>,
}

impl Provider {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Arc::new(Self {
            issuer,
            key: signing::es256(),
            asked: Mutex::default(),
            forge: Mutex::new(None),
            groups: Mutex::new(json!(["agents", "others"])),
        });
        let app = Router::new()
            .route("/.well-known/openid-configuration", routing::get(describe))
            .route("/jwks", routing::get(keys))
            .route("/token", routing::post(redeem))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        provider
    }

    fn sign(&self, claims: &Value) -> String {
        signing::token(&json!({ "alg": "ES256", "kid": "k1" }), claims, |text| {
            self.key.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
        })
    }

    fn claims(&self) -> Value {
        let now = start::wall_clock().as_millis() / 1000;
        json!({ "iss": self.issuer, "aud": CLIENT, "sub": "s-1", "exp": now + 120, "iat": now, "sid": "sid-1",
            "nonce": self.asked.lock().unwrap().0, "name": "Dana Scully", "preferred_username": "Dana",
            "groups": *self.groups.lock().unwrap() })
    }

    fn forge(&self, forge: impl Fn(&Self, Value) -> String + Send + 'static) {
        *self.forge.lock().unwrap() = Some(Box::new(forge));
    }
}

async fn describe(State(provider): State<Arc<Provider>>) -> axum::Json<Value> {
    let issuer = &provider.issuer;
    axum::Json(json!({ "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
        "end_session_endpoint": format!("{issuer}/end") }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> axum::Json<Value> {
    axum::Json(json!({ "keys": [signing::es256_jwk(&provider.key, "k1")] }))
}

/// Checks what a client must prove: its secret, and the PKCE verifier.
async fn redeem(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<axum::Json<Value>, StatusCode> {
    let basic = base64::engine::general_purpose::STANDARD.encode("ringback:a%20secret%20%26%20more");
    assert_eq!(headers.get("authorization").unwrap().to_str().unwrap(), format!("Basic {basic}"));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    if challenge != provider.asked.lock().unwrap().1 || form["code"] != "the-code" {
        return Err(StatusCode::BAD_REQUEST);
    }
    assert_eq!(form["redirect_uri"], format!("{ORIGIN}/login/oidc/callback"));
    let claims = provider.claims();
    let token = match provider.forge.lock().unwrap().as_ref() {
        Some(forge) => forge(&provider, claims),
        None => provider.sign(&claims),
    };
    Ok(axum::Json(json!({ "access_token": "x", "token_type": "Bearer", "id_token": token })))
}

async fn world(provider: &Provider) -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), "callbacks_per_minute = 1000\nlogins_per_minute = 1000");
    let text = format!(
        r#"
[oidc]
issuer = "{}"
client_id = "{CLIENT}"
client_secret = "{CLIENT_SECRET}"
[[oidc.group]]
group = "chiefs"
role = "supervisor"
tenant = "{OPEN}"
[[oidc.group]]
group = "agents"
role = "agent"
tenant = "{OPEN}"
[[oidc.group]]
group = "others-county"
role = "agent"
tenant = "{VOUCHED}"
"#,
        provider.issuer
    );
    let text = text + &tenant_toml(OPEN, "auth = \"none\"", "") + &tenant_toml(VOUCHED, "auth = \"none\"", "");
    let parsed = ServerConfig::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    config.oidc = parsed.oidc;
    World::of(folder, config).await
}

/// Begins a sign-in; the cookie that keeps it and the state.
async fn begin(world: &World, provider: &Provider) -> (String, String) {
    let away = world.get("/login/oidc?next=/agent").await;
    assert_eq!(away.status, StatusCode::SEE_OTHER, "{}", away.text());
    let address = away.header("location").to_owned();
    assert!(address.starts_with(&format!("{}/auth?response_type=code&client_id=ringback&", provider.issuer)));
    assert!(address.contains("&code_challenge_method=S256"));
    let field = |name: &str| {
        let found = address.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap_or_default().to_owned()
    };
    *provider.asked.lock().unwrap() = (field("nonce"), field("code_challenge"));
    let cookie = away.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    (cookie.split(';').next().unwrap().to_owned(), field("state"))
}

async fn come_back(world: &World, cookie: &str, query: &str) -> Answer {
    world.get_as(&format!("/login/oidc/callback?{query}"), cookie).await
}

async fn sign_in_there(world: &World, provider: &Provider) -> Answer {
    let (cookie, state) = begin(world, provider).await;
    come_back(world, &cookie, &format!("code=the-code&state={state}")).await
}

fn session(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_provider_brings_people_in_and_takes_them_out() {
    let provider = Provider::start().await;
    let world = world(&provider).await;
    let answer = sign_in_there(&world, &provider).await;
    assert_eq!((answer.status, answer.header("refresh")), (StatusCode::OK, "0; url=/agent"), "{}", answer.text());
    let cookie = session(&answer);
    let me = world.get_as("/api/v1/me", &cookie).await.json();
    assert_eq!((me["user"]["id"].as_str(), me["user"]["role"].as_str()), (Some("dana"), Some("agent")));
    assert_eq!(me["user"]["tenant"], OPEN);
    // Nobody gets in under that name with a password.
    let body = json!({ "user": "dana", "password": "" });
    assert_eq!(world.post("/api/v1/login", body).await.code(), "login_failed");
    // Other groups, other rights: from the next sign-in on, and the old session ends.
    *provider.groups.lock().unwrap() = json!("chiefs");
    let promoted = session(&sign_in_there(&world, &provider).await);
    assert_eq!(world.get_as("/api/v1/me", &cookie).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get_as("/api/v1/me", &promoted).await.json()["user"]["role"], "supervisor");
    // Another county: another account, and nothing of the old one.
    *provider.groups.lock().unwrap() = json!(["others-county"]);
    let moved = session(&sign_in_there(&world, &provider).await);
    assert_eq!(world.get_as("/api/v1/me", &promoted).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get_as("/api/v1/me", &moved).await.json()["user"]["tenant"], VOUCHED);
    // Signing out leads to the provider; a notice from there ends the session here.
    let out = world.post_as("/api/v1/logout", json!({}), &moved).await.json();
    assert!(out["redirect"].as_str().unwrap().starts_with(&format!("{}/end?client_id=ringback&", provider.issuer)));
    let again = session(&sign_in_there(&world, &provider).await);
    assert_eq!(notify(&world, &provider, json!({})).await.status, StatusCode::OK);
    assert_eq!(world.get_as("/api/v1/me", &again).await.status, StatusCode::UNAUTHORIZED);
    // In no group: signed in there, nobody here.
    *provider.groups.lock().unwrap() = json!(["janitors"]);
    let nobody = sign_in_there(&world, &provider).await;
    assert_eq!((nobody.status, nobody.header("set-cookie")), (StatusCode::FORBIDDEN, ""));
}

async fn notify(world: &World, provider: &Provider, change: Value) -> Answer {
    let now = world.app.now().as_millis() / 1000;
    let mut claims = json!({ "iss": provider.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "sid": "sid-1",
        "jti": crate::token::random().unwrap(),
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    for (key, value) in change.as_object().unwrap() {
        claims[key] = value.clone();
    }
    send_notice(world, &provider.sign(&claims)).await
}

async fn send_notice(world: &World, token: &str) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/login/oidc/backchannel")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("logout_token={token}")))
        .unwrap();
    world.send(request).await
}

#[tokio::test]
async fn forged_notices_sign_nobody_out() {
    let provider = Provider::start().await;
    let world = world(&provider).await;
    let cookie = session(&sign_in_there(&world, &provider).await);
    for change in [
        json!({ "iss": "https://evil.example" }),
        json!({ "aud": "another" }),
        json!({ "iat": 1_000_000, "exp": 1_000_100 }),
        json!({ "nonce": "an ID token" }),
        json!({ "events": {} }),
        json!({ "jti": "" }),
    ] {
        assert_eq!(notify(&world, &provider, change.clone()).await.status, StatusCode::BAD_REQUEST, "{change}");
    }
    let id_token = provider.sign(&provider.claims());
    assert_eq!(send_notice(&world, &id_token).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.get_as("/api/v1/me", &cookie).await.status, StatusCode::OK);
    // A genuine one, twice.
    let jti = json!({ "jti": "once", "sid": null, "sub": "s-1" });
    assert_eq!(notify(&world, &provider, jti.clone()).await.status, StatusCode::OK);
    assert_eq!(world.get_as("/api/v1/me", &cookie).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(notify(&world, &provider, jti).await.status, StatusCode::BAD_REQUEST);
}

fn with(mut claims: Value, key: &str, value: Value) -> Value {
    claims[key] = value;
    claims
}

#[tokio::test]
async fn forged_tokens_bring_nobody_in() {
    let provider = Provider::start().await;
    let world = world(&provider).await;
    let now = world.app.now().as_millis() / 1000;
    let unsigned = |_: &[u8]| Vec::new();
    let forgeries: Vec<(&str, Forge)> = vec![
        ("alg none", Box::new(move |_, claims| signing::token(&json!({ "alg": "none" }), &claims, unsigned))),
        (
            "alg none under the key's name",
            Box::new(move |_, claims| signing::token(&json!({ "alg": "none", "kid": "k1" }), &claims, unsigned)),
        ),
        (
            "no signature",
            Box::new(move |_, claims| signing::token(&json!({ "alg": "ES256", "kid": "k1" }), &claims, unsigned)),
        ),
        (
            "HMAC with the client's secret",
            Box::new(|_, claims| jws::sign_hs256(&claims, CLIENT_SECRET.as_bytes()).unwrap()),
        ),
        (
            "HMAC with the public key",
            Box::new(|provider, claims| {
                use ring::signature::KeyPair;
                jws::sign_hs256(&claims, provider.key.public_key().as_ref()).unwrap()
            }),
        ),
        (
            "another key",
            Box::new(|_, claims| {
                let other = signing::es256();
                signing::token(&json!({ "alg": "ES256", "kid": "k1" }), &claims, |text| {
                    other.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
                })
            }),
        ),
        (
            "another key under another name",
            Box::new(|_, claims| {
                let other = signing::es256();
                signing::token(&json!({ "alg": "ES256", "kid": "k2" }), &claims, |text| {
                    other.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
                })
            }),
        ),
        (
            "changed after signing",
            Box::new(|provider, claims| {
                let token = provider.sign(&claims);
                let other = provider.sign(&with(claims, "sub", json!("s-2")));
                let (mut parts, others): (Vec<_>, Vec<_>) = (token.split('.').collect(), other.split('.').collect());
                parts[1] = others[1];
                parts.join(".")
            }),
        ),
        ("another audience", Box::new(|p, claims| p.sign(&with(claims, "aud", json!("another"))))),
        ("made for another party", Box::new(|p, claims| p.sign(&with(claims, "azp", json!("another"))))),
        (
            "several audiences, party not named",
            Box::new(|p, claims| p.sign(&with(claims, "aud", json!(["ringback", "x"])))),
        ),
        ("another issuer", Box::new(|p, claims| p.sign(&with(claims, "iss", json!("https://evil.example"))))),
        ("expired", Box::new(move |p, claims| p.sign(&with(claims, "exp", json!(now - 61))))),
        ("made long ago", Box::new(move |p, claims| p.sign(&with(claims, "iat", json!(now - 700))))),
        ("made tomorrow", Box::new(move |p, claims| p.sign(&with(claims, "iat", json!(now + 86_400))))),
        ("another sign-in's nonce", Box::new(|p, claims| p.sign(&with(claims, "nonce", json!("replayed"))))),
        ("no nonce", Box::new(|p, claims| p.sign(&with(claims, "nonce", json!(null))))),
        ("no subject", Box::new(|p, claims| p.sign(&with(claims, "sub", json!(""))))),
        ("rubbish", Box::new(|_, _| "rubbish".to_owned())),
    ];
    for (name, forge) in forgeries {
        provider.forge(forge);
        let answer = sign_in_there(&world, &provider).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}: {}", answer.text());
        assert_eq!(answer.header("set-cookie"), "", "{name}");
    }
    assert_eq!(world.app.store.user_for_login("dana").await.unwrap().map(|user| user.name), None);
    *provider.forge.lock().unwrap() = None;
    assert_eq!(sign_in_there(&world, &provider).await.status, StatusCode::OK, "the genuine one still does");
}

#[tokio::test]
async fn a_sign_in_comes_back_once_to_the_browser_that_began_it() {
    let provider = Provider::start().await;
    let world = world(&provider).await;
    let (cookie, state) = begin(&world, &provider).await;
    let good = format!("code=the-code&state={state}");
    let foreign = come_back(&world, "ringback_oidc=none", &good).await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (StatusCode::CONFLICT, ""), "another browser");
    let other_state = "x".repeat(43);
    assert_eq!(
        come_back(&world, &cookie, &format!("code=the-code&state={other_state}")).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(come_back(&world, &cookie, &good).await.status, StatusCode::OK);
    assert_eq!(come_back(&world, &cookie, &good).await.status, StatusCode::CONFLICT, "replayed");
    // A code of somebody else's sign-in does not fit this one's PKCE challenge.
    let (cookie, state) = begin(&world, &provider).await;
    provider.asked.lock().unwrap().1 = "another challenge".to_owned();
    let stolen = come_back(&world, &cookie, &format!("code=the-code&state={state}")).await;
    assert_eq!(stolen.status, StatusCode::BAD_GATEWAY);
    let (cookie, state) = begin(&world, &provider).await;
    let mixed_up = come_back(&world, &cookie, &format!("code=the-code&state={state}&iss=https://evil.example")).await;
    assert_eq!(mixed_up.status, StatusCode::UNAUTHORIZED, "another issuer's answer");
    let (cookie, state) = begin(&world, &provider).await;
    assert_eq!(
        come_back(&world, &cookie, &format!("error=access_denied&state={state}")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn without_a_provider_there_is_no_such_way_in() {
    let world = World::new().await;
    assert_eq!(world.get("/login/oidc").await.status, StatusCode::NOT_FOUND);
    assert_eq!(send_notice(&world, "x").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_portal_publishes_its_keys_and_changes_them() {
    let provider = Provider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), "");
    for tenant in &mut config.tenants {
        if tenant.core.id.as_str() == VOUCHED {
            tenant.face.portal_keys.clear();
            tenant.face.portal_jwks = vec![format!("{}/jwks", provider.issuer)];
        }
    }
    let world = World::of(folder, config).await;
    let now = world.app.now().as_millis() / 1000;
    let claims = json!({ "aud": VOUCHED, "exp": now + 120, "jti": "one", "name": "Ana" });
    let ask = async |token: String| {
        let body = json!({ "phone": "916 555 0177", "token": token });
        world.post(&format!("/api/v1/t/{VOUCHED}/callbacks"), body).await
    };
    let other = signing::es256();
    let foreign = signing::token(&json!({ "alg": "ES256", "kid": "k1" }), &claims, |text| {
        other.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
    });
    assert_eq!(ask(foreign).await.code(), "token_invalid");
    assert_eq!(ask(provider.sign(&claims)).await.status, StatusCode::CREATED);
    assert_eq!(ask(provider.sign(&claims)).await.code(), "token_used");
    assert_eq!(
        ask(provider.sign(&with(claims, "exp", json!(now + 3_600)))).await.code(),
        "token_invalid",
        "too long a life"
    );
}
