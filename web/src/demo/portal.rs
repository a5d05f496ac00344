//! The demo county's portal: the page a signed-in customer would come from. It signs the token a real portal would sign
//! and carries the one line that brings the Call-Me popup.

use axum::{
    Extension,
    extract::State,
    response::{Html, IntoResponse, Response},
};
use serde_json::json;

use super::{COUNTY, NUMBERS, PASSWORD, PEOPLE};
use crate::{
    html::{Page, escape},
    http::error::ApiError,
    jws::{self, Key},
    portal::{self, Audience, PortalClaims},
    state::App,
    token,
    words::Lang,
};

/// How long the demo's tokens hold, in seconds; as long as they may.
const LIFE_SECS: i64 = portal::MAX_LIFE_SECS;

#[derive(Clone)]
pub struct DemoPortal {
    secret: String,
}

impl DemoPortal {
    pub fn new(secret: String) -> Self {
        Self { secret }
    }

    /// What the county says of its customer.
    fn sign(&self, key: &[u8], now_secs: i64) -> Result<String, ApiError> {
        let claims = PortalClaims {
            aud: Audience::One(COUNTY.to_owned()),
            exp: now_secs + LIFE_SECS,
            jti: token::random()?,
            nbf: None,
            name: "Dana Whitfield".to_owned(),
            sub: Some("C-204817".to_owned()),
            phone: None,
            page: Some("/demo/portal".to_owned()),
            context: [("case", "Medi-Cal renewal"), ("last_step", "Looked for the proof of income form")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        };
        jws::sign_hs256(&claims, key).ok_or_else(ApiError::unavailable)
    }
}

pub async fn page(State(app): State<App>, Extension(lang): Extension<Lang>) -> Result<Response, ApiError> {
    let demo = app.demo.as_ref().ok_or_else(ApiError::not_found)?;
    let county = app.config.tenants.iter().find(|tenant| tenant.core.id.as_str() == COUNTY);
    let key = county.and_then(|county| county.face.portal_keys.first()).ok_or_else(ApiError::not_found)?;
    let Key::Hs256(key) = &key.key else { return Err(ApiError::not_found()) };
    let token = demo.sign(key, app.now().as_millis() / 1000)?;
    let tenants: Vec<_> = app
        .config
        .tenants
        .iter()
        .map(|tenant| {
            let id = tenant.core.id.as_str();
            let enabled = tenant.core.callback.enabled;
            let embed = enabled.then(|| json!({ "tenant": id, "token": token }));
            json!({
                "id": id,
                "name": tenant.core.name,
                "enabled": enabled,
                "call_me_url": format!("/t/{id}/call-me"),
                "embed": embed,
            })
        })
        .collect();
    let users: Vec<_> = PEOPLE
        .iter()
        .filter(|(_, _, _, tenant)| *tenant == Some(COUNTY))
        .map(|(id, _, role, _)| json!({ "id": id, "password": PASSWORD, "role": role.as_str() }))
        .collect();
    let numbers: Vec<_> = NUMBERS.iter().map(|(number, what)| json!({ "number": number, "what": what })).collect();
    let embed = format!(
        "<script src=\"/embed.js\" data-tenant=\"{COUNTY}\" data-token=\"{}\" data-lang=\"{}\" async></script>\n",
        escape(&token),
        lang.tag()
    );
    let page = Page {
        lang,
        title: lang.pick("My benefits · Sacramento County", "Mis ayudas · Sacramento County"),
        entry: app.assets.entry("portal"),
        theme: Some(format!("/t/{COUNTY}/theme.css")),
        boot: json!({
            "page": "portal",
            "lang": lang.tag(),
            "version": env!("CARGO_PKG_VERSION"),
            "server_time": app.now(),
            "tenants": tenants,
            "users": users,
            "numbers": numbers,
        }),
        body: format!(
            "<h1>Sacramento County</h1><p><a class=\"button\" href=\"/t/{COUNTY}/call-me?lang={}\">{}</a></p>",
            lang.tag(),
            lang.pick("Call me", "Llámenme")
        ),
        after: embed,
    };
    Ok(Html(page.render()).into_response())
}

impl std::fmt::Debug for DemoPortal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DemoPortal({} bytes of secret)", self.secret.len())
    }
}
