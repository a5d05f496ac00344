//! One way to say no: problem details (RFC 9457), in the reader's language.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ringback_engine::{EngineError, PhoneError, RecordingError};
use ringback_routing::event::Rejection;
use ringback_store::StoreError;
use serde_json::{Map, Value, json};

use crate::{
    phone::PhoneRefusal,
    portal::TokenError,
    words::{self, Lang},
};

/// A refusal: status, code, and what else the caller can use.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub extra: Map<String, Value>,
    /// Seconds.
    pub retry_after: Option<u64>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, extra: Map::new(), retry_after: None }
    }

    pub fn with(mut self, key: &str, value: impl serde::Serialize) -> Self {
        self.extra.insert(key.to_owned(), json!(value));
        self
    }

    pub fn retry(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found")
    }
    pub fn not_allowed() -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_allowed")
    }
    pub fn bad_value(field: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_value").with("field", field)
    }
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable").retry(2)
    }

    /// The problem document.
    pub fn document(&self, lang: Lang) -> Value {
        let (title, detail) = words::problem(self.code, lang);
        let mut document = Map::from_iter([
            ("type".to_owned(), json!(format!("/problems/{}", self.code))),
            ("title".to_owned(), json!(title)),
            ("status".to_owned(), json!(self.status.as_u16())),
            ("detail".to_owned(), json!(detail)),
            ("code".to_owned(), json!(self.code)),
        ]);
        document.extend(self.extra.clone());
        Value::Object(document)
    }

    /// The whole response in `lang`.
    pub fn respond(self, lang: Lang) -> Response {
        let mut response = (self.status, self.document(lang).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for ApiError {
    /// In English; the outermost layer says it again in the reader's language.
    fn into_response(self) -> Response {
        self.respond(Lang::En)
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let (status, code) = match &rejection {
            Rejection::NotEnabled => (StatusCode::FORBIDDEN, "not_enabled"),
            Rejection::Closed { closed, next_open } => {
                let closed = serde_json::to_value(closed).unwrap_or_default();
                return Self::new(StatusCode::CONFLICT, "closed").with("closed", closed).with("next_open", next_open);
            }
            Rejection::TooLong { limit, expected, then } => {
                let error = Self::new(StatusCode::CONFLICT, "wait_too_long");
                return error.with("limit", limit).with("expected", expected).with("then", then);
            }
            Rejection::NoSuchSlot => (StatusCode::UNPROCESSABLE_ENTITY, "no_such_slot"),
            Rejection::SlotFull => (StatusCode::CONFLICT, "slot_full"),
            Rejection::Full => (StatusCode::SERVICE_UNAVAILABLE, "full"),
            Rejection::NoSuchContact | Rejection::NoSuchAgent => (StatusCode::NOT_FOUND, "not_found"),
            Rejection::NoSuchSubject => (StatusCode::UNPROCESSABLE_ENTITY, "no_such_subject"),
            Rejection::NoSuchQueue => (StatusCode::UNPROCESSABLE_ENTITY, "bad_value"),
            Rejection::AgentNotFree => (StatusCode::CONFLICT, "agent_not_free"),
            Rejection::OfferGone => (StatusCode::CONFLICT, "offer_gone"),
            Rejection::MayNotReject => (StatusCode::FORBIDDEN, "not_allowed"),
            Rejection::WrongState => (StatusCode::CONFLICT, "wrong_state"),
            Rejection::DispositionRequired => (StatusCode::UNPROCESSABLE_ENTITY, "disposition_required"),
            Rejection::UnknownCode => (StatusCode::UNPROCESSABLE_ENTITY, "bad_value"),
            Rejection::NotTheOwner => (StatusCode::CONFLICT, "not_owner"),
        };
        Self::new(status, code)
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NoSuchTenant => Self::not_found(),
            EngineError::Rejected(rejection) => rejection.into(),
            EngineError::Unavailable { why } => {
                tracing::warn!(why, "a request was not taken");
                Self::unavailable()
            }
        }
    }
}

impl From<PhoneError> for ApiError {
    fn from(error: PhoneError) -> Self {
        match error {
            PhoneError::NoSuchAgent | PhoneError::NoSuchCall => Self::not_found(),
            PhoneError::NotTheOwner => Self::new(StatusCode::CONFLICT, "not_owner"),
            PhoneError::BadOffer { why } => {
                tracing::warn!(why, "a browser's offer was refused");
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "phone_failed")
            }
            PhoneError::Gone => Self::new(StatusCode::CONFLICT, "phone_gone"),
            PhoneError::Full => Self::new(StatusCode::SERVICE_UNAVAILABLE, "phone_failed").retry(5),
        }
    }
}

impl From<RecordingError> for ApiError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::NotFound => Self::not_found(),
            RecordingError::NotFinished => Self::new(StatusCode::CONFLICT, "not_finished"),
            RecordingError::Io(_) | RecordingError::Store => {
                tracing::error!(%error, "a recording cannot be read");
                Self::unavailable()
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadCursor => Self::new(StatusCode::BAD_REQUEST, "bad_query").with("field", "page"),
            StoreError::NotFound(_) => Self::not_found(),
            other => {
                tracing::error!(error = %other, "the ledger refused");
                Self::unavailable()
            }
        }
    }
}

impl From<crate::token::NoRandomness> for ApiError {
    fn from(_: crate::token::NoRandomness) -> Self {
        Self::unavailable()
    }
}

impl From<PhoneRefusal> for ApiError {
    fn from(refusal: PhoneRefusal) -> Self {
        let code = match refusal {
            PhoneRefusal::Missing => "phone_required",
            PhoneRefusal::Invalid => "phone_invalid",
            PhoneRefusal::Service | PhoneRefusal::Country | PhoneRefusal::Kind => "phone_not_allowed",
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code).with("field", "phone")
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Invalid => "token_invalid",
            TokenError::Expired => "token_expired",
        };
        Self::new(StatusCode::UNAUTHORIZED, code)
    }
}
