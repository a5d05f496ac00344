//! Calls that come in: the numbers customers call, and what becomes of them.

use std::{collections::BTreeMap, ops::Range};

use ringback_routing::{
    config::{DialledNumber, InboundConfig, SubjectConfig},
    ids::SubjectId,
};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{
    check::{Check, secs},
    tenant::TenantTable,
};
use crate::reception::{self, Called};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InboundTable {
    /// Who hangs up sooner counts apart from those who gave up waiting.
    pub short_abandon_seconds: u32,
}

impl Default for InboundTable {
    fn default() -> Self {
        Self { short_abandon_seconds: 5 }
    }
}

/// A number customers call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberTable {
    /// E.164.
    pub number: Spanned<String>,
    /// Without it the tenant's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Spanned<SubjectId>>,
    /// Spoken to those who call it; without it the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Spanned<String>>,
}

impl Check<'_> {
    pub(super) fn inbound(&mut self, table: &TenantTable, subjects: &[SubjectConfig]) -> InboundConfig {
        let numbers = table.number.iter().filter_map(|number| self.number(table, number, subjects)).collect();
        if !table.number.is_empty() && table.hours.is_empty() {
            self.says(table.id.span(), "there are [[tenant.number]] to be called but no [[tenant.hours]]");
        }
        InboundConfig { numbers, short_abandon: secs(table.inbound.short_abandon_seconds) }
    }

    fn number(
        &mut self,
        table: &TenantTable,
        number: &NumberTable,
        subjects: &[SubjectConfig],
    ) -> Option<DialledNumber> {
        if Called::of(number.number.get_ref()).is_none() {
            self.says(number.number.span(), "must be E.164 like +19165550000");
        }
        if let Some(subject) = number.subject.as_ref().filter(|id| !subjects.iter().any(|s| s.id == *id.get_ref())) {
            self.says(subject.span(), format!("there is no subject `{}`", subject.get_ref()));
        }
        if let Some(language) = number.language.as_ref().filter(|tag| !table.languages.contains(tag.get_ref())) {
            self.says(language.span(), format!("`{}` is not among languages", language.get_ref()));
        }
        let subject = number.subject.as_ref().map(|subject| subject.get_ref().clone());
        Some(DialledNumber {
            number: number.number.get_ref().clone(),
            subject: subject.or_else(|| subjects.first().map(|subject| subject.id.clone()))?,
            language: number.language.as_ref().map(|language| language.get_ref().clone()),
        })
    }

    /// A number leads to one place, in each of the ways carriers write it.
    pub(super) fn numbers_apart(&mut self, tenants: &[TenantTable]) {
        let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
        for number in tenants.iter().flat_map(|tenant| &tenant.number).map(|number| &number.number) {
            for form in Called::of(number.get_ref()).map(reception::Called::forms).into_iter().flatten() {
                if seen.insert(form, number.span()).is_some_and(|other| other != number.span()) {
                    self.says(number.span(), "this number, or its national form, is in the file already");
                }
            }
        }
    }
}
