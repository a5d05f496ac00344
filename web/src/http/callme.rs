//! The Call-Me page: works without JavaScript up to the status page.

use std::net::IpAddr;

use axum::{
    Extension, Form,
    extract::{Path, State, rejection::FormRejection},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use ringback_routing::{
    config::OverLimit,
    time::Timestamp,
    view::{Availability, SlotView},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    availability::{OpeningHours, Tenant},
    body::QueryOf,
    callbacks::{self, CallbackAsk},
    edge::{Client, FramedBy},
    error::ApiError,
};
use crate::{
    config::AuthMode,
    html::{Page, escape},
    portal,
    state::App,
    token::{self, FormTokens},
    words::{self, Lang},
};

#[derive(Debug, Default, Deserialize)]
pub struct CallMeQuery {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    page: Option<String>,
    #[serde(default)]
    embed: Option<String>,
}

/// The form's fields; unknown ones are ignored, as forms of foreign browsers add them.
#[derive(Debug, Default, Deserialize)]
pub struct CallMeForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    page: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    when_open: Option<String>,
    /// Milliseconds since 1970, or empty: as soon as possible.
    #[serde(default)]
    slot: Option<String>,
    #[serde(default)]
    accept_wait: Option<String>,
    #[serde(default)]
    form_token: String,
}

/// What the form shows again after a refusal.
#[derive(Default)]
struct Typed {
    form: CallMeForm,
    refusal: Option<ApiError>,
}

pub async fn page(
    State(app): State<App>,
    Path(word): Path<String>,
    Extension(lang): Extension<Lang>,
    QueryOf(query): QueryOf<CallMeQuery>,
) -> Result<Response, ApiError> {
    let tenant = Tenant::find(&app, &word).await?;
    let form = CallMeForm { token: query.token.clone(), page: query.page.clone(), ..CallMeForm::default() };
    let typed = Typed { form, refusal: None };
    show(&app, &tenant, lang, query.embed.is_some(), typed, StatusCode::OK).await
}

pub async fn submit(
    State(app): State<App>,
    Path(word): Path<String>,
    Extension(lang): Extension<Lang>,
    client: Option<Extension<Client>>,
    form: Result<Form<CallMeForm>, FormRejection>,
) -> Result<Response, ApiError> {
    let tenant = Tenant::find(&app, &word).await?;
    let Form(form) = form.map_err(|_| ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"))?;
    match submitted(&app, &tenant, lang, &form, client.map(|client| client.address)).await {
        Ok(url) => Ok(Redirect::to(&format!("{url}?lang={}", lang.tag())).into_response()),
        Err(error) => {
            let status = error.status;
            show(&app, &tenant, lang, false, Typed { form, refusal: Some(error) }, status).await
        }
    }
}

/// The status page's address.
async fn submitted(
    app: &App,
    tenant: &Tenant,
    lang: Lang,
    form: &CallMeForm,
    from: Option<IpAddr>,
) -> Result<String, ApiError> {
    let tokens = FormTokens { key: &app.installation_key };
    let expired = || ApiError::new(StatusCode::CONFLICT, "form_expired");
    let (nonce, expiry) = tokens.check(tenant.id.as_str(), &form.form_token, app.now()).ok_or_else(expired)?;
    let nonce = format!("form:{nonce}");
    if !app.store.use_token(&tenant.id, &nonce, expiry).await? {
        return Err(expired());
    }
    let ask = CallbackAsk {
        name: form.name.clone(),
        phone: form.phone.clone(),
        subject: form.subject.clone(),
        language: Some(lang.tag().to_owned()),
        page: form.page.clone().filter(|page| !page.is_empty()),
        token: form.token.clone(),
        when_open: form.when_open.is_some(),
        slot: form.slot.as_deref().and_then(|slot| slot.parse().ok()).map(Timestamp::from_millis),
        accept_wait: form.accept_wait.is_some(),
        context: Default::default(),
    };
    let answer = callbacks::ask_for_callback(app, tenant, ask, from, token::random()?).await?;
    answer.status_url.ok_or_else(|| ApiError::new(StatusCode::CONFLICT, "under_way").with("existing", true))
}

async fn show(
    app: &App,
    tenant: &Tenant,
    lang: Lang,
    embed: bool,
    typed: Typed,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let enabled = tenant.config.callback.enabled;
    let availability = app.engine.availability(&tenant.id).await?;
    let now = app.now();
    let token = typed.form.token.as_deref().filter(|token| !token.is_empty());
    let checked = match token.filter(|_| tenant.auth() != AuthMode::None) {
        Some(token) => {
            let keys = callbacks::portal_keys(app, tenant, token).await;
            Some(portal::verify(token, tenant.id.as_str(), &keys, now))
        }
        None => None,
    };
    let claims = checked.as_ref().and_then(|checked| checked.as_ref().ok());
    let token_error =
        checked.as_ref().and_then(|checked| checked.as_ref().err()).map(|error| ApiError::from(*error).code);
    let boot = json!({
        "page": "callme",
        "lang": lang.tag(),
        "version": env!("CARGO_PKG_VERSION"),
        "server_time": now,
        "tenant": tenant.public(),
        "enabled": enabled,
        "chat": tenant.config.chat.enabled,
        "availability": availability,
        "hours": tenant.hours(),
        "auth": tenant.auth(),
        "token": token,
        "prefill": claims.map(|claims| json!({ "name": claims.name, "customer_id": claims.sub, "phone": claims.phone })),
        "token_error": token_error,
        "subjects": tenant.choices(),
        "slots": tenant.config.callback.slots.is_some(),
        "from_page": typed.form.page,
        "embed": embed,
        "parent_origins": tenant.parent_origins(),
    });
    let body = if enabled {
        let name = claims.map(|claims| claims.name.clone());
        let form_token = FormTokens { key: &app.installation_key }.issue(tenant.id.as_str(), now)?;
        let slots = app.engine.slots(&tenant.id).await?;
        let shown = Shown { availability: &availability, slots: &slots, form_token: &form_token };
        form_body(tenant, lang, &typed, name, &shown)
    } else {
        not_here_body(tenant, lang)
    };
    let page = Page {
        lang,
        title: &format!("{} · {}", lang.pick("Call me", "Llámenme"), tenant.config.name),
        entry: app.assets.entry("callme"),
        theme: Some(format!("/t/{}/theme.css", tenant.id)),
        boot,
        body,
        after: String::new(),
    };
    let mut response = (status, Html(page.render())).into_response();
    response.extensions_mut().insert(FramedBy(tenant.parent_origins()));
    Ok(response)
}

/// What the form depends on besides the tenant and what was typed.
struct Shown<'a> {
    availability: &'a Availability,
    slots: &'a [SlotView],
    form_token: &'a str,
}

fn form_body(tenant: &Tenant, lang: Lang, typed: &Typed, name: Option<String>, shown: &Shown<'_>) -> String {
    let open = shown.availability.open;
    let say = |english: &'static str, spanish: &'static str| lang.pick(english, spanish);
    let form = &typed.form;
    let mut html = format!("<h1>{}</h1>", tenant.brand());
    html += &format!(
        "<p>{}</p>",
        say(
            "Give us your number and we will call you when it is your turn.",
            "Denos su número y le llamaremos cuando sea su turno.",
        )
    );
    if let Some(refusal) = &typed.refusal {
        let (title, detail) = words::problem(refusal.code, lang);
        html += &format!("<p class=\"error\" role=\"alert\"><strong>{}</strong> {}</p>", escape(title), escape(detail));
    }
    html += &format!(
        "<form class=\"card\" method=\"post\" action=\"/t/{}/call-me?lang={}\">",
        escape(tenant.id.as_str()),
        lang.tag()
    );
    let vouched = name.is_some();
    let name = name.unwrap_or_else(|| form.name.clone());
    html += &format!(
        "<p class=\"field\"><label for=\"name\">{}</label><input id=\"name\" name=\"name\" autocomplete=\"name\"{} maxlength=\"100\" value=\"{}\"></p>",
        match tenant.face.forms.name_required {
            true => say("Your name", "Su nombre"),
            false => say("Your name (optional)", "Su nombre (opcional)"),
        },
        if tenant.face.forms.name_required { " required" } else { "" },
        escape(&name)
    );
    html += &format!(
        "<p class=\"field\"><label for=\"phone\">{}</label><input id=\"phone\" name=\"phone\" type=\"tel\" autocomplete=\"tel\" required maxlength=\"40\" value=\"{}\"></p>",
        say("Phone number", "Número de teléfono"),
        escape(&form.phone)
    );
    let mut choices = tenant.choices();
    choices.retain(|choice| vouched || choice.auth != AuthMode::Required);
    if tenant.config.subjects.len() > 1 {
        html += &format!(
            "<p class=\"field\"><label for=\"subject\">{}</label><select id=\"subject\" name=\"subject\">",
            say("Topic", "Tema")
        );
        for choice in &choices {
            let chosen = if form.subject.as_ref() == Some(&choice.id) { " selected" } else { "" };
            html += &format!("<option value=\"{}\"{chosen}>{}</option>", escape(&choice.id), escape(&choice.name));
        }
        html += "</select></p>";
    }
    if !open {
        html += &format!(
            "<p class=\"notice\">{}</p><p class=\"field\"><label><input type=\"checkbox\" name=\"when_open\" value=\"1\"> {}</label></p>",
            say("We are closed now.", "Ahora estamos cerrados."),
            say("Call me when you open again", "Llámenme cuando abran")
        );
    }
    html += &when_fields(tenant, lang, form, shown);
    for (field, value) in
        [("form_token", Some(shown.form_token)), ("token", form.token.as_deref()), ("page", form.page.as_deref())]
    {
        if let Some(value) = value {
            html += &format!("<input type=\"hidden\" name=\"{field}\" value=\"{}\">", escape(value));
        }
    }
    html += &format!("<p><button class=\"button\">{}</button></p></form>", say("Call me", "Llámenme"));
    html + &hours_table(&tenant.hours(), lang) + &phone_line(tenant, lang)
}

/// The choice of a time, and the word that a long wait is all right, where the tenant has them.
fn when_fields(tenant: &Tenant, lang: Lang, form: &CallMeForm, shown: &Shown<'_>) -> String {
    /// More times than these are chosen on the page with scripts.
    const LISTED: usize = 60;
    let mut html = String::new();
    if !shown.slots.is_empty() {
        html += &format!(
            "<p class=\"field\"><label for=\"slot\">{}</label><select id=\"slot\" name=\"slot\"><option value=\"\">{}</option>",
            lang.pick("When", "Cuándo"),
            lang.pick("As soon as possible", "Lo antes posible")
        );
        for slot in shown.slots.iter().take(LISTED) {
            let local = slot.at.to_utc().with_timezone(&tenant.config.timezone);
            let value = slot.at.as_millis().to_string();
            let chosen = if form.slot.as_deref() == Some(&value) { " selected" } else { "" };
            html += &format!("<option value=\"{value}\"{chosen}>{}</option>", local.format("%Y-%m-%d %H:%M"));
        }
        html += "</select></p>";
    }
    let notified = |gate: &ringback_routing::view::GateView| gate.then == OverLimit::Notify;
    if shown.availability.subjects.iter().filter_map(|subject| subject.gate.as_ref()).any(notified) {
        html += &format!(
            "<p class=\"field\"><label><input type=\"checkbox\" name=\"accept_wait\" value=\"1\"> {}</label></p>",
            lang.pick(
                "The wait is long right now. Call me all the same.",
                "Ahora la espera es larga. Llámenme de todos modos."
            )
        );
    }
    html
}

/// Kind words where the tenant does not offer callbacks (C1).
fn not_here_body(tenant: &Tenant, lang: Lang) -> String {
    let text = lang.pick(
        "This office does not call back over the web. We are glad to help you by telephone.",
        "Esta oficina no devuelve llamadas por internet. Con gusto le ayudamos por teléfono.",
    );
    format!("<h1>{}</h1><p>{text}</p>", tenant.brand())
        + &phone_line(tenant, lang)
        + &hours_table(&tenant.hours(), lang)
}

pub(super) fn phone_line(tenant: &Tenant, lang: Lang) -> String {
    let public = tenant.public();
    match (public.phone, public.phone_display) {
        (Some(number), Some(shown)) => format!(
            "<p>{} <a href=\"tel:{}\">{}</a></p>",
            lang.pick("Our telephone number:", "Nuestro teléfono:"),
            escape(&number),
            escape(&shown)
        ),
        _ => String::new(),
    }
}

pub(super) fn hours_table(hours: &[OpeningHours], lang: Lang) -> String {
    if hours.is_empty() {
        return String::new();
    }
    let mut html = format!("<table class=\"hours\"><caption>{}</caption>", lang.pick("Opening hours", "Horario"));
    for interval in hours {
        let all_day = interval.from == "00:00" && matches!(interval.to.as_str(), "00:00" | "24:00");
        let span = match all_day {
            true => lang.pick("All day", "Todo el día").to_owned(),
            false => format!("{} – {}", escape(&interval.from), escape(&interval.to)),
        };
        html += &format!("<tr><th scope=\"row\">{}</th><td>{span}</td></tr>", day(interval.day, lang));
    }
    html + "</table>"
}

fn day(name: &str, lang: Lang) -> &'static str {
    match name {
        "Mon" => lang.pick("Monday", "lunes"),
        "Tue" => lang.pick("Tuesday", "martes"),
        "Wed" => lang.pick("Wednesday", "miércoles"),
        "Thu" => lang.pick("Thursday", "jueves"),
        "Fri" => lang.pick("Friday", "viernes"),
        "Sat" => lang.pick("Saturday", "sábado"),
        _ => lang.pick("Sunday", "domingo"),
    }
}
