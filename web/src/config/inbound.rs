//! Calls that come in: the numbers customers call, and what becomes of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use ringback_routing::{
    config::{AccessCode, Choice, DialledNumber, InboundConfig, Menu, SubjectConfig},
    ids::SubjectId,
};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{
    Asking, Lending,
    check::{Check, secs},
    subject::is_outside,
    tenant::TenantTable,
};
use crate::reception::{self, Called};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InboundTable {
    /// Who hangs up sooner counts apart from those who gave up waiting.
    pub short_abandon_seconds: u32,
    /// How often those in line hear their place and the expected wait; 0 = never.
    pub announce_seconds: u32,
    /// Those in line may press 1 and are called back, without losing their place.
    pub offer_callback: bool,
    /// How long a caller has for a key of the menu.
    pub menu_seconds: u32,
    /// How often the menu is told before the call goes on with the number's own subject.
    pub menu_tries: u8,
    /// How long a number or a code is lent to a visitor.
    pub lend_seconds: u32,
    /// How long a caller has for an access code.
    pub code_seconds: u32,
    /// After so many unknown codes the call ends.
    pub code_tries: u8,
}

impl Default for InboundTable {
    fn default() -> Self {
        Self {
            short_abandon_seconds: 5,
            announce_seconds: 60,
            offer_callback: false,
            menu_seconds: 6,
            menu_tries: 3,
            lend_seconds: 600,
            code_seconds: 15,
            code_tries: 3,
        }
    }
}

/// A key of the menu.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceTable {
    /// 0 to 9, * or #.
    pub digit: Spanned<char>,
    /// Into this subject's line; without it the menu is told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Spanned<SubjectId>>,
    /// Spoken from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Spanned<String>>,
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
    /// What callers choose from; its words are the prompt `menu`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choice: Vec<ChoiceTable>,
    /// Lent to one visitor of a page at a time (DNIS pool).
    #[serde(default)]
    pub pool: bool,
    /// Callers enter an access code of so many digits, 4 to 8; lent when no number of the pool is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_digits: Option<Spanned<u8>>,
}

impl Check<'_> {
    pub(super) fn inbound(&mut self, table: &TenantTable, subjects: &[SubjectConfig]) -> InboundConfig {
        let numbers = table.number.iter().filter_map(|number| self.number(table, number, subjects)).collect();
        if !table.number.is_empty() && table.hours.is_empty() {
            self.says(table.id.span(), "there are [[tenant.number]] to be called but no [[tenant.hours]]");
        }
        let inbound = &table.inbound;
        if inbound.offer_callback && !table.callback.enabled {
            self.says(table.id.span(), "inbound.offer_callback needs callback.enabled");
        }
        InboundConfig {
            numbers,
            short_abandon: secs(inbound.short_abandon_seconds),
            announce_every: secs(inbound.announce_seconds),
            offer_callback: inbound.offer_callback,
        }
    }

    fn known_subject(&mut self, subject: Option<&Spanned<SubjectId>>, subjects: &[SubjectConfig]) -> Option<SubjectId> {
        let subject = subject?;
        if !subjects.iter().any(|known| known.id == *subject.get_ref()) {
            self.says(subject.span(), format!("there is no subject `{}`", subject.get_ref()));
        }
        Some(subject.get_ref().clone())
    }

    fn known_language(&mut self, table: &TenantTable, language: Option<&Spanned<String>>) -> Option<String> {
        let language = language?;
        if !table.languages.contains(language.get_ref()) {
            self.says(language.span(), format!("`{}` is not among languages", language.get_ref()));
        }
        Some(language.get_ref().clone())
    }

    fn menu(&mut self, table: &TenantTable, number: &NumberTable, subjects: &[SubjectConfig]) -> Option<Menu> {
        let mut seen = BTreeSet::new();
        for choice in &number.choice {
            let digit = *choice.digit.get_ref();
            if !matches!(digit, '0'..='9' | '*' | '#') || !seen.insert(digit) {
                self.says(choice.digit.span(), "a key is 0 to 9, * or #, and each has one meaning");
            }
            if choice.subject.is_none() && choice.language.is_none() {
                self.says(choice.digit.span(), "a key leads to a subject or to a language");
            }
        }
        let choices = number.choice.iter().map(|choice| Choice {
            digit: *choice.digit.get_ref(),
            subject: self.known_subject(choice.subject.as_ref(), subjects),
            language: self.known_language(table, choice.language.as_ref()),
        });
        let (choices, inbound) = (choices.collect::<Vec<_>>(), &table.inbound);
        let menu = Menu { choices, timeout: secs(inbound.menu_seconds), tries: inbound.menu_tries };
        (!menu.choices.is_empty()).then_some(menu)
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
        let subject = self.known_subject(number.subject.as_ref(), subjects);
        Some(DialledNumber {
            number: number.number.get_ref().clone(),
            subject: subject.or_else(|| subjects.first().map(|subject| subject.id.clone()))?,
            language: self.known_language(table, number.language.as_ref()),
            menu: self.menu(table, number, subjects),
            code: number.code_digits.as_ref().map(|digits| AccessCode {
                digits: *digits.get_ref(),
                tries: table.inbound.code_tries.max(1),
                timeout: secs(table.inbound.code_seconds),
            }),
        })
    }

    pub(super) fn lending(&mut self, table: &TenantTable) -> Lending {
        let coded: Vec<_> =
            table.number.iter().filter_map(|number| Some((number, number.code_digits.as_ref()?))).collect();
        for (at, (number, digits)) in coded.iter().enumerate() {
            if !(4..=8).contains(digits.get_ref()) {
                self.says(digits.span(), "a code has 4 to 8 digits");
            }
            if at > 0 || number.pool {
                self.says(digits.span(), "one number of a tenant has codes, and it is none of the pool");
            }
        }
        let pool = table.number.iter().filter(|number| number.pool);
        Lending {
            pool: pool.map(|number| number.number.get_ref().clone()).collect(),
            coded: coded.first().map(|(number, digits)| (number.number.get_ref().clone(), *digits.get_ref())),
            seconds: table.inbound.lend_seconds,
        }
    }

    pub(super) fn asking(table: &TenantTable) -> Asking {
        let InboundTable { menu_seconds, menu_tries, code_seconds, code_tries, .. } = table.inbound;
        Asking { menu_seconds, menu_tries, code_seconds, code_tries }
    }

    /// The number that customers are shown is one of those they may be shown.
    pub(super) fn caller_id(&mut self, table: &TenantTable) -> Option<String> {
        for id in table.caller_id.iter().filter(|id| !is_outside(id.number.get_ref())) {
            self.says(id.number.span(), "must be E.164 like +19165550000, of a subscriber");
        }
        let chosen = table.callback.caller_id.as_ref()?;
        if !table.caller_id.iter().any(|id| id.number.get_ref() == chosen.get_ref()) {
            self.says(chosen.span(), "is none of [[tenant.caller_id]]");
        }
        Some(chosen.get_ref().clone())
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
