//! `[tenant.retention]`: how long records are kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many days after a contact was closed its records are removed; none: they stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// The sound.
    pub recordings_days: Option<u32>,
    /// What was written in chats.
    pub transcripts_days: Option<u32>,
    /// Name, number, what the portal told, agents' notes, what was filed, and the journal of those days.
    pub personal_days: Option<u32>,
    /// People of the directory, counted from when they were last met or changed; whoever has a case stays as long as it.
    pub directory_days: Option<u32>,
}

impl Retention {
    /// A century: more is no limit.
    const MOST_DAYS: u32 = 36_500;

    /// The field that cannot be kept.
    pub fn fault(&self) -> Option<&'static str> {
        let days = [
            ("recordings_days", self.recordings_days),
            ("transcripts_days", self.transcripts_days),
            ("personal_days", self.personal_days),
            ("directory_days", self.directory_days),
        ];
        let odd = |days: Option<u32>| days.is_some_and(|days| !(1..=Self::MOST_DAYS).contains(&days));
        days.into_iter().find(|(_, days)| odd(*days)).map(|(name, _)| name)
    }
}
