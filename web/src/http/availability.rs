//! Whether a tenant can be asked for a callback now, for its own pages and for the portal pages that embed them.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{NaiveTime, Weekday};
use ringback_routing::{
    config::{SubjectConfig, TenantConfig},
    ids::TenantId,
    view::{Availability, SlotView},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{error::ApiError, schema};
use crate::{
    config::{AuthMode, Face, FormRules},
    html::escape,
    phone,
    state::App,
};

/// One tenant, found by the word in the address.
pub struct Tenant {
    pub id: TenantId,
    pub face: Arc<Face>,
    pub config: Arc<TenantConfig>,
}

impl Tenant {
    pub async fn find(app: &App, word: &str) -> Result<Self, ApiError> {
        let id = TenantId::new(word);
        let face = app.faces.get(&id).ok_or_else(ApiError::not_found)?;
        let config = app.engine.config(&id).await?;
        Ok(Self { id, face, config })
    }

    pub fn public(&self) -> PublicTenant {
        PublicTenant {
            id: self.id.to_string(),
            name: self.config.name.clone(),
            phone: self.face.public_phone.clone(),
            phone_display: self.face.public_phone.as_ref().map(|number| phone::display(number, self.face.home)),
            languages: self.face.languages.clone(),
            accent: self.face.accent.to_string(),
            logo: self.face.logo.as_ref().map(|picture| format!("/t/{}/logo/{picture}", self.id)),
            forms: self.face.forms,
            timezone: self.config.timezone.name().to_owned(),
        }
    }

    pub fn hours(&self) -> Vec<OpeningHours> {
        let mut week: Vec<_> = self.config.hours.week.iter().collect();
        week.sort_by_key(|interval| (interval.day.num_days_from_monday(), interval.from));
        week.into_iter()
            .map(|interval| OpeningHours {
                day: day_name(interval.day),
                from: interval.from.format("%H:%M").to_string(),
                to: end_of(interval.to),
            })
            .collect()
    }

    /// Whether whoever asks about the subject (none: the first) must or may be vouched for; its queue may have it otherwise
    /// than the tenant.
    pub fn auth_for(&self, subject: Option<&str>) -> AuthMode {
        let subjects = &self.config.subjects;
        let named = subject.and_then(|word| subjects.iter().find(|known| known.id.as_str() == word));
        let queue = named.or(subjects.first()).map(|subject| &subject.queue);
        queue.and_then(|queue| self.face.queue_auth.get(queue)).copied().unwrap_or(self.face.auth)
    }

    /// What holds for the pages as a whole: required where nothing can be asked for without the portal's word.
    pub fn auth(&self) -> AuthMode {
        let modes: Vec<_> =
            self.config.subjects.iter().map(|subject| self.auth_for(Some(subject.id.as_str()))).collect();
        let all = |mode: AuthMode| modes.iter().all(|one| *one == mode);
        match modes.is_empty() {
            true => self.face.auth,
            false if all(AuthMode::Required) => AuthMode::Required,
            false if all(AuthMode::None) => AuthMode::None,
            false => AuthMode::Optional,
        }
    }

    /// What customers can choose.
    pub fn choices(&self) -> Vec<SubjectChoice> {
        let one = |subject: &SubjectConfig| SubjectChoice {
            id: subject.id.to_string(),
            name: subject.name.clone(),
            auth: self.auth_for(Some(subject.id.as_str())),
        };
        self.config.subjects.iter().map(one).collect()
    }

    /// What stands for the tenant on a page that the server writes: its logo, else its name.
    pub fn brand(&self) -> String {
        let name = escape(&self.config.name);
        match self.public().logo {
            Some(path) => format!("<img class=\"logo\" src=\"{}\" alt=\"{name}\">", escape(&path)),
            None => name,
        }
    }

    /// Foreign origins that may show the Call-Me pages.
    pub fn parent_origins(&self) -> Vec<String> {
        self.face.origins.iter().map(|origin| origin.as_str().to_owned()).collect()
    }
}

/// The end of a day is 24:00 to people.
fn end_of(to: NaiveTime) -> String {
    if to == NaiveTime::MIN { "24:00".to_owned() } else { to.format("%H:%M").to_string() }
}

fn day_name(day: Weekday) -> &'static str {
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][day.num_days_from_monday() as usize]
}

/// A subject on a customer's page.
#[derive(Debug, Clone, Serialize)]
pub struct SubjectChoice {
    pub id: String,
    pub name: String,
    pub auth: AuthMode,
}

/// A tenant as everybody may see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PublicTenant {
    pub id: String,
    pub name: String,
    /// E.164.
    pub phone: Option<String>,
    pub phone_display: Option<String>,
    pub languages: Vec<String>,
    /// `#rrggbb`
    pub accent: String,
    /// Path of the logo, if there is one.
    pub logo: Option<String>,
    /// What customers must fill in.
    pub forms: FormRules,
    /// IANA name.
    pub timezone: String,
}

/// Open on `day` from `from` to `to`, local time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpeningHours {
    /// Mon to Sun.
    pub day: &'static str,
    pub from: String,
    pub to: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AvailabilityAnswer {
    pub tenant: PublicTenant,
    #[schema(value_type = schema::Availability)]
    pub availability: Availability,
    pub hours: Vec<OpeningHours>,
    /// Whether the tenant offers chat (C1).
    pub chat: bool,
    /// required, optional or none
    #[schema(value_type = String)]
    pub auth: AuthMode,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SlotsAnswer {
    /// Soonest first; full ones are not among them.
    #[schema(value_type = Vec<schema::SlotView>)]
    pub slots: Vec<SlotView>,
    /// How long one lasts, in milliseconds; null where no time can be chosen.
    pub length_ms: Option<i64>,
}

/// The times a customer may choose, on the form and on the status page.
pub async fn slots(State(app): State<App>, Path(word): Path<String>) -> Result<Json<SlotsAnswer>, ApiError> {
    let tenant = Tenant::find(&app, &word).await?;
    let slots = if tenant.config.callback.enabled { app.engine.slots(&tenant.id).await? } else { Vec::new() };
    Ok(Json(SlotsAnswer { slots, length_ms: tenant.config.callback.slots.as_ref().map(|slots| slots.length.0) }))
}

/// Foreign pages of the tenant's own origins may read this: it decides whether they show the button (C1).
pub async fn read(State(app): State<App>, Path(word): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let tenant = Tenant::find(&app, &word).await?;
    let availability = app.engine.availability(&tenant.id).await?;
    let answer = AvailabilityAnswer {
        tenant: tenant.public(),
        availability,
        hours: tenant.hours(),
        chat: tenant.config.chat.enabled,
        auth: tenant.auth(),
    };
    let mut response = Json(answer).into_response();
    let asking = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let own = asking.filter(|origin| tenant.face.origins.iter().any(|known| known.as_str() == *origin));
    if let Some(value) = own.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}
