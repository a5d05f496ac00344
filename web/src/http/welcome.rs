//! The tenant's page for customers (E13): questions and answers, chat, Call-Me, of these what the administrator chose; with hours and
//! telephone number. Written by the server, so that it works without JavaScript.

use axum::{
    Extension,
    extract::{Path, State},
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    availability::Tenant,
    body::QueryOf,
    callbacks, callme,
    chat::{Question, public_faq},
    edge::FramedBy,
    error::ApiError,
};
use crate::{
    assets::Entry,
    config::AuthMode,
    html::{Page, escape},
    portal,
    state::App,
    words::Lang,
};

#[derive(Debug, Default, Deserialize)]
pub struct WelcomeQuery {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    page: Option<String>,
}

pub async fn page(
    State(app): State<App>,
    Path(word): Path<String>,
    Extension(lang): Extension<Lang>,
    QueryOf(query): QueryOf<WelcomeQuery>,
) -> Result<Response, ApiError> {
    let tenant = Tenant::find(&app, &word).await?;
    let open = app.engine.availability(&tenant.id).await?.open;
    let entry = Entry { script: None, ..app.assets.entry("chat") };
    let token = query.token.as_deref().filter(|token| !token.is_empty());
    let handed_on = handed_on(token, query.page.as_deref());
    let page = Page {
        lang,
        title: &format!("{} · {}", lang.pick("How can we help?", "¿En qué podemos ayudarle?"), tenant.config.name),
        entry,
        theme: Some(format!("/t/{}/theme.css", tenant.id)),
        boot: json!({ "page": "welcome" }),
        body: body(&tenant, lang, open, &ways(&app, &tenant, lang, token, &handed_on).await, &handed_on),
        after: String::new(),
    };
    let mut response = Html(page.render()).into_response();
    response.extensions_mut().insert(FramedBy(tenant.parent_origins()));
    Ok(response)
}

/// What the customer may do here.
enum Ways {
    /// Only who is signed in at the portal (C2).
    SignIn,
    /// Addresses and what stands on them; none where the tenant has both off (C1).
    Links(Vec<(String, &'static str)>),
}

async fn ways(app: &App, tenant: &Tenant, lang: Lang, token: Option<&str>, handed_on: &str) -> Ways {
    let (chat, callback) = (tenant.config.chat.enabled, tenant.config.callback.enabled);
    if tenant.auth() == AuthMode::Required && (chat || callback) {
        let known = match token {
            Some(token) => {
                let keys = callbacks::portal_keys(app, tenant, token).await;
                portal::verify(token, tenant.id.as_str(), &keys, app.now()).is_ok()
            }
            None => false,
        };
        if !known {
            return Ways::SignIn;
        }
    }
    let link = |path: &str| format!("/t/{}/{path}?lang={}{handed_on}", tenant.id, lang.tag());
    let chat = chat.then(|| (link("chat"), lang.pick("Chat with us", "Chatee con nosotros")));
    let callback = callback.then(|| (link("call-me"), lang.pick("Get a call from us", "Que le llamemos")));
    Ways::Links(chat.into_iter().chain(callback).collect())
}

/// What the portal said goes along to the next page.
fn handed_on(token: Option<&str>, page: Option<&str>) -> String {
    [("token", token), ("page", page)]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("&{name}={}", in_query(value))))
        .collect()
}

/// Text as it may stand in the value of a query.
fn in_query(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn body(tenant: &Tenant, lang: Lang, open: bool, ways: &Ways, handed_on: &str) -> String {
    let mut html = format!(
        "<p class=\"muted\">{}</p><h1>{}</h1>",
        tenant.brand(),
        lang.pick("How can we help?", "¿En qué podemos ayudarle?")
    );
    html += &match ways {
        Ways::SignIn => format!(
            "<p class=\"notice\">{}</p>",
            lang.pick(
                "Please sign in on your county’s website to write to us or to get a call.",
                "Entre en el sitio de su condado para escribirnos o pedir una llamada.",
            )
        ),
        Ways::Links(links) => {
            let link =
                |(url, text): &(String, &str)| format!("<a class=\"button\" href=\"{}\">{text}</a>", escape(url));
            let closed = lang.pick("We are closed now.", "Ahora estamos cerrados.");
            let notice =
                if open || links.is_empty() { String::new() } else { format!("<p class=\"notice\">{closed}</p>") };
            notice + &links.iter().map(link).collect::<String>()
        }
    };
    html += &questions(&public_faq(tenant, lang), lang);
    html += &callme::phone_line(tenant, lang);
    html += &callme::hours_table(&tenant.hours(), lang);
    let other = lang.pick("es", "en");
    let called = lang.pick("Español", "English");
    html + &format!(
        "<p><a href=\"?lang={other}{}\" lang=\"{other}\" hreflang=\"{other}\">{called}</a></p>",
        escape(handed_on)
    )
}

fn questions(faq: &[Question], lang: Lang) -> String {
    if faq.is_empty() {
        return String::new();
    }
    let each = |Question { question, answer }: &Question| {
        format!("<details><summary>{}</summary><p class=\"answer\">{}</p></details>", escape(question), escape(answer))
    };
    format!(
        "<section class=\"card\" aria-labelledby=\"faq\"><h2 id=\"faq\">{}</h2>{}</section>",
        lang.pick("Questions and answers", "Preguntas y respuestas"),
        faq.iter().map(each).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_on_stays_one_value() {
        assert_eq!(in_query("a.b-c_d~1"), "a.b-c_d~1");
        assert_eq!(in_query("x&lang=es#\"><é"), "x%26lang%3Des%23%22%3E%3C%C3%A9");
    }
}
