//! Numbers: those that customers call (DNIS), with what callers hear on them, and those that customers see when they are
//! called.

use std::collections::BTreeSet;

use ringback_routing::{
    config::{AccessCode, Choice, DialledNumber, Menu},
    ids::SubjectId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Around, is_name, lists::Entry, outside, seconds, secs};
use crate::{
    config::{Lending, Tenant, subject::is_outside, tenant::CallerIdTable},
    reception::Called,
};

/// Digits of an access code: fewer are guessed, more are mistyped.
const CODE_DIGITS: std::ops::RangeInclusive<u8> = 4..=8;

/// A number that customers call. It is one county's alone, however carriers write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// E.164.
    pub number: String,
    /// Callers come into this line, unless they choose another.
    pub subject: String,
    /// BCP 47; none: the one spoken to those who chose none.
    #[serde(default)]
    pub language: Option<String>,
    /// Lent to one visitor of a page at a time.
    #[serde(default)]
    pub pool: bool,
    /// Callers enter an access code of so many digits, 4 to 8; one number at most has it, and none of the pool.
    #[serde(default)]
    pub code_digits: Option<u8>,
    /// What callers choose from; the words are the prompt `menu`.
    #[serde(default)]
    pub keys: Vec<Key>,
}

/// A key of the menu; it leads to a subject, to a language or to both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// 0 to 9, * or #.
    #[schema(value_type = String)]
    pub digit: char,
    #[serde(default)]
    pub subject: Option<String>,
    #[serde(default)]
    pub language: Option<String>,
}

/// A number of the county that customers may be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerId {
    /// E.164.
    pub number: String,
    /// For the people here.
    pub name: String,
}

/// What callers hear and may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InboundRules {
    /// Those in line hear their place and the expected wait so often; 0: never.
    pub announce_seconds: u32,
    /// Those in line may press 1 and are called back at their place.
    pub offer_callback: bool,
    /// Who hangs up sooner counts apart.
    pub short_abandon_seconds: u32,
    pub menu_seconds: u32,
    /// How often the menu is told.
    pub menu_tries: u8,
    pub code_seconds: u32,
    /// After so many unknown codes the call ends.
    pub code_tries: u8,
    /// How long a number or a code is lent to a visitor.
    pub lend_seconds: u32,
}

impl Key {
    fn fits(&self, around: &Around<'_>) -> bool {
        let known =
            |word: &Option<String>, of: &BTreeSet<&str>| word.as_ref().is_none_or(|id| of.contains(id.as_str()));
        matches!(self.digit, '0'..='9' | '*' | '#')
            && (self.subject.is_some() || self.language.is_some())
            && known(&self.subject, &around.subjects)
            && known(&self.language, &around.languages)
    }
}

impl Entry for Number {
    fn key(&self) -> &str {
        &self.number
    }

    fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        if Called::of(&self.number).is_none() {
            return Some("number");
        }
        if !around.subjects.contains(self.subject.as_str()) {
            return Some("subject");
        }
        if self.language.as_ref().is_some_and(|tag| !around.languages.contains(tag.as_str())) {
            return Some("language");
        }
        if self.code_digits.is_some_and(|digits| self.pool || !CODE_DIGITS.contains(&digits)) {
            return Some("code_digits");
        }
        let digits: BTreeSet<char> = self.keys.iter().map(|key| key.digit).collect();
        let fit = digits.len() == self.keys.len() && self.keys.iter().all(|key| key.fits(around));
        (!fit).then_some("keys")
    }
}

impl Entry for CallerId {
    fn key(&self) -> &str {
        &self.number
    }

    fn fault(&self, _: &Around<'_>) -> Option<&'static str> {
        if !is_outside(&self.number) {
            return Some("number");
        }
        (!is_name(&self.name)).then_some("name")
    }
}

/// What one number alone cannot say: two that carriers write alike, and a second one with codes.
pub(super) fn fault(numbers: &[Number]) -> Option<String> {
    let mut forms = BTreeSet::new();
    let mut coded = 0;
    numbers.iter().enumerate().find_map(|(at, number)| {
        let own: BTreeSet<_> = Called::of(&number.number).map(Called::forms).into_iter().flatten().collect();
        let alike = own.iter().any(|form| forms.contains(form));
        forms.extend(own);
        coded += usize::from(number.code_digits.is_some());
        let second = coded > 1 && number.code_digits.is_some();
        let field = if alike {
            "twice"
        } else if second {
            "code_digits"
        } else {
            return None;
        };
        Some(format!("numbers.{at}.{field}"))
    })
}

pub(super) fn of(tenant: &Tenant) -> Vec<Number> {
    let lending = &tenant.face.lending;
    let key = |choice: &Choice| Key {
        digit: choice.digit,
        subject: choice.subject.as_ref().map(ToString::to_string),
        language: choice.language.clone(),
    };
    let one = |number: &DialledNumber| Number {
        number: number.number.clone(),
        subject: number.subject.to_string(),
        language: number.language.clone(),
        pool: lending.pool.contains(&number.number),
        code_digits: number.code.as_ref().map(|code| code.digits),
        keys: number.menu.iter().flat_map(|menu| &menu.choices).map(key).collect(),
    };
    tenant.core.inbound.numbers.iter().map(one).collect()
}

/// As the core and the pages have them; how long callers have for keys and codes is set before.
pub(super) fn apply(numbers: &[Number], tenant: &mut Tenant) {
    let asking = tenant.face.asking;
    let choice = |key: &Key| Choice {
        digit: key.digit,
        subject: key.subject.as_ref().map(SubjectId::new),
        language: key.language.clone(),
    };
    let menu = |keys: &[Key]| Menu {
        choices: keys.iter().map(choice).collect(),
        timeout: secs(asking.menu_seconds),
        tries: asking.menu_tries,
    };
    let code = |digits: u8| AccessCode { digits, tries: asking.code_tries.max(1), timeout: secs(asking.code_seconds) };
    let one = |number: &Number| DialledNumber {
        number: number.number.clone(),
        subject: SubjectId::new(&number.subject),
        language: number.language.clone(),
        menu: (!number.keys.is_empty()).then(|| menu(&number.keys)),
        code: number.code_digits.map(code),
    };
    tenant.core.inbound.numbers = numbers.iter().map(one).collect();
    tenant.face.lending = Lending {
        pool: numbers.iter().filter(|number| number.pool).map(|number| number.number.clone()).collect(),
        coded: numbers.iter().find_map(|number| Some((number.number.clone(), number.code_digits?))),
        seconds: tenant.face.lending.seconds,
    };
}

impl From<&CallerIdTable> for CallerId {
    fn from(table: &CallerIdTable) -> Self {
        Self { number: table.number.get_ref().clone(), name: table.name.clone() }
    }
}

impl InboundRules {
    pub(super) fn of(tenant: &Tenant) -> Self {
        let (inbound, asking) = (&tenant.core.inbound, tenant.face.asking);
        Self {
            announce_seconds: seconds(inbound.announce_every),
            offer_callback: inbound.offer_callback,
            short_abandon_seconds: seconds(inbound.short_abandon),
            menu_seconds: asking.menu_seconds,
            menu_tries: asking.menu_tries,
            code_seconds: asking.code_seconds,
            code_tries: asking.code_tries,
            lend_seconds: tenant.face.lending.seconds,
        }
    }

    pub(super) fn fault(&self) -> Option<&'static str> {
        outside(&[
            ("announce_seconds", self.announce_seconds, 0, 3_600),
            ("short_abandon_seconds", self.short_abandon_seconds, 0, 600),
            ("menu_seconds", self.menu_seconds, 1, 120),
            ("menu_tries", self.menu_tries.into(), 1, 20),
            ("code_seconds", self.code_seconds, 1, 120),
            ("code_tries", self.code_tries.into(), 1, 20),
            ("lend_seconds", self.lend_seconds, 10, 86_400),
        ])
    }

    pub(super) fn apply(&self, tenant: &mut Tenant) {
        let inbound = &mut tenant.core.inbound;
        inbound.announce_every = secs(self.announce_seconds);
        inbound.offer_callback = self.offer_callback;
        inbound.short_abandon = secs(self.short_abandon_seconds);
        let asking = &mut tenant.face.asking;
        asking.menu_seconds = self.menu_seconds;
        asking.menu_tries = self.menu_tries;
        asking.code_seconds = self.code_seconds;
        asking.code_tries = self.code_tries;
        tenant.face.lending.seconds = self.lend_seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: &str) -> Number {
        Number {
            number: number.to_owned(),
            subject: "calfresh".to_owned(),
            language: None,
            pool: false,
            code_digits: None,
            keys: Vec::new(),
        }
    }

    #[test]
    fn two_numbers_that_carriers_write_alike_and_two_with_codes_are_told() {
        let coded = |of: &str| Number { code_digits: Some(6), ..number(of) };
        assert_eq!(fault(&[number("+19168743100"), number("+19168743101")]), None);
        assert_eq!(fault(&[number("+19168743100"), coded("+19168743101")]), None);
        let twice = [number("+19168743100"), number("+19168743100")];
        assert_eq!(fault(&twice).as_deref(), Some("numbers.1.twice"));
        let codes = [coded("+19168743100"), number("+19168743102"), coded("+19168743101")];
        assert_eq!(fault(&codes).as_deref(), Some("numbers.2.code_digits"));
        // A Mexican number in its national form is the same ten digits.
        let alike = [number("+19991234567"), number("+529991234567")];
        assert!(fault(&alike).is_none_or(|fault| fault == "numbers.1.twice"));
    }
}
