//! `[tenant.forms]`: what customers must fill in (C3, G4; where the sources disagree, the tenant decides).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which fields cannot be left empty. A callback always needs a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FormRules {
    /// Of both forms.
    pub name_required: bool,
    pub chat_phone_required: bool,
    pub chat_question_required: bool,
}

impl Default for FormRules {
    fn default() -> Self {
        Self { name_required: true, chat_phone_required: true, chat_question_required: false }
    }
}
