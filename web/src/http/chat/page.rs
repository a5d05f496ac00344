//! The chat page. Where the tenant has chat off it says so kindly and shows hours and telephone number (C1).

use axum::{
    Extension,
    extract::{Path, State},
    response::{Html, IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    config::AuthMode,
    html::Page,
    http::{availability::Tenant, body::QueryOf, callbacks, callme, edge::FramedBy, error::ApiError},
    portal,
    state::App,
    words::Lang,
};

#[derive(Debug, Default, Deserialize)]
pub struct ChatQuery {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    page: Option<String>,
    #[serde(default)]
    embed: Option<String>,
}

pub async fn page(
    State(app): State<App>,
    Path(word): Path<String>,
    Extension(lang): Extension<Lang>,
    QueryOf(query): QueryOf<ChatQuery>,
) -> Result<Response, ApiError> {
    let tenant = Tenant::find(&app, &word).await?;
    let enabled = tenant.config.chat.enabled;
    let now = app.now();
    let token = query.token.as_deref().filter(|token| !token.is_empty());
    let checked = match token.filter(|_| tenant.auth() != AuthMode::None) {
        Some(token) => {
            let keys = callbacks::portal_keys(&app, &tenant, token).await;
            Some(portal::verify(token, tenant.id.as_str(), &keys, now))
        }
        None => None,
    };
    let claims = checked.as_ref().and_then(|checked| checked.as_ref().ok());
    let refused = checked.as_ref().and_then(|checked| checked.as_ref().err());
    let boot = json!({
        "page": "chat",
        "lang": lang.tag(),
        "version": env!("CARGO_PKG_VERSION"),
        "server_time": now,
        "tenant": tenant.public(),
        "enabled": enabled,
        "availability": app.engine.availability(&tenant.id).await?,
        "hours": tenant.hours(),
        "auth": tenant.auth(),
        "token": token,
        "prefill": claims.map(|claims| json!({ "name": claims.name, "phone": claims.phone })),
        "token_error": refused.map(|error| ApiError::from(*error).code),
        "subjects": tenant.choices(),
        "faq": public_faq(&tenant, lang),
        "message_chars": tenant.face.chat.customer_chars,
        "grace_ms": tenant.config.chat.reconnect_grace.0,
        "call_me": tenant.config.callback.enabled,
        "from_page": query.page,
        "embed": query.embed.is_some(),
        "parent_origins": tenant.parent_origins(),
    });
    let page = Page {
        lang,
        title: &format!("{} · {}", lang.pick("Chat", "Chat"), tenant.config.name),
        entry: app.assets.entry("chat"),
        theme: Some(format!("/t/{}/theme.css", tenant.id)),
        boot,
        body: plain(&tenant, lang, enabled),
        after: String::new(),
    };
    let mut response = Html(page.render()).into_response();
    response.extensions_mut().insert(FramedBy(tenant.parent_origins()));
    Ok(response)
}

/// A question that many ask.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Question {
    pub(in crate::http) question: String,
    pub(in crate::http) answer: String,
}

/// What the administrator shows customers before they ask, in their language.
pub(in crate::http) fn public_faq(tenant: &Tenant, lang: Lang) -> Vec<Question> {
    let all = tenant.face.chat.faq.iter();
    all.filter(|faq| faq.public && faq.language.as_deref().is_none_or(|tag| tag == lang.tag()))
        .map(|faq| Question { question: faq.question.clone(), answer: faq.answer.clone() })
        .collect()
}

/// Without JavaScript there is no chat, but there is a telephone.
fn plain(tenant: &Tenant, lang: Lang, enabled: bool) -> String {
    let text = match enabled {
        true => lang.pick(
            "Chat needs JavaScript. You can also reach us by telephone.",
            "El chat necesita JavaScript. También puede llamarnos por teléfono.",
        ),
        false => lang.pick(
            "This office does not offer chat. We are glad to help you by telephone.",
            "Esta oficina no ofrece chat. Con gusto le ayudamos por teléfono.",
        ),
    };
    format!("<h1>{}</h1><p>{text}</p>", tenant.brand())
        + &callme::phone_line(tenant, lang)
        + &callme::hours_table(&tenant.hours(), lang)
}
