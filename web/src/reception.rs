//! Who is called by whom: numbers as carriers write them, made into a tenant and a customer.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use phonenumber::Mode;
use ringback_engine::Reception;
use ringback_routing::{contact::Customer, ids::TenantId};

use crate::{
    config::{ServerConfig, Tenant},
    phone::{self, Dialable, PhoneRules},
};

/// Shown in place of a name that the carrier does not tell.
const NAMELESS: &str = "Caller";
/// Longest name kept, in letters.
const LONGEST_NAME: usize = 60;
/// Digits of a number that can be shown at all (E.164).
const MOST_DIGITS: usize = 15;

/// The two ways in which carriers write a number of ours: with the country code, and without.
#[derive(Debug, Clone)]
pub struct Called {
    international: String,
    national: String,
}

impl Called {
    /// Of an E.164 number; None when it is none.
    pub fn of(number: &str) -> Option<Self> {
        let digits = number.strip_prefix('+')?;
        let parsed = phonenumber::parse(None, number).ok()?;
        let canonical = parsed.format().mode(Mode::E164).to_string();
        (canonical == number)
            .then(|| Self { international: digits.to_owned(), national: parsed.national().to_string() })
    }

    /// Digits only.
    pub fn forms(self) -> [String; 2] {
        [self.international, self.national]
    }
}

/// The switchboard of the whole installation.
pub struct Switchboard {
    plan: RwLock<Plan>,
    installation_key: Vec<u8>,
}

/// Which number leads where.
#[derive(Default)]
struct Plan {
    numbers: HashMap<String, (TenantId, String)>,
    lent: HashMap<TenantId, HashSet<String>>,
    rules: HashMap<TenantId, PhoneRules>,
}

impl Plan {
    fn set(&mut self, tenant: &Tenant) {
        let id = &tenant.core.id;
        self.numbers.retain(|_, (owner, _)| owner != id);
        for number in &tenant.core.inbound.numbers {
            let forms = Called::of(&number.number).map(Called::forms).into_iter().flatten();
            let place = (id.clone(), number.number.clone());
            for form in forms {
                // Whoever has a number keeps it: nobody takes another one's callers.
                if self.numbers.entry(form).or_insert_with(|| place.clone()).0 != *id {
                    tracing::warn!(tenant = %id, "a number of this tenant is another one's already and stays there");
                }
            }
        }
        self.rules.insert(id.clone(), tenant.face.phone_rules.clone());
        self.lent.insert(id.clone(), tenant.face.lending.pool.iter().cloned().collect());
    }
}

impl Switchboard {
    pub fn new(config: &ServerConfig, installation_key: Vec<u8>) -> Arc<Self> {
        let mut plan = Plan::default();
        config.tenants.iter().for_each(|tenant| plan.set(tenant));
        Arc::new(Self { plan: RwLock::new(plan), installation_key })
    }

    /// A tenant's numbers and rules as they are from now on.
    pub fn set(&self, tenant: &Tenant) {
        self.plan.write().unwrap_or_else(PoisonError::into_inner).set(tenant);
    }

    /// Whether another tenant has the number, in one of the ways carriers write it.
    pub fn is_elsewhere(&self, tenant: &TenantId, number: &str) -> bool {
        let plan = self.plan();
        let mut forms = Called::of(number).map(Called::forms).into_iter().flatten();
        forms.any(|form| plan.numbers.get(&form).is_some_and(|(owner, _)| owner != tenant))
    }

    fn plan(&self) -> std::sync::RwLockReadGuard<'_, Plan> {
        self.plan.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// E.164 of the caller, or nothing that could be shown or called.
    fn number_of(&self, tenant: &TenantId, written: &str) -> String {
        if let Some(dialable) = self.plan().rules.get(tenant).and_then(|rules| Dialable::parse(written, rules).ok()) {
            return dialable.e164().to_owned();
        }
        // From abroad, or of a kind we never call: worth showing all the same.
        match written.strip_prefix('+') {
            Some(digits) if (7..=MOST_DIGITS).contains(&digits.len()) && is_digits(digits) => written.to_owned(),
            _ => String::new(),
        }
    }
}

impl Reception for Switchboard {
    fn whose(&self, called: &str) -> Option<(TenantId, String)> {
        let digits = called.strip_prefix('+').unwrap_or(called);
        if !is_digits(digits) {
            return None;
        }
        self.plan().numbers.get(digits).cloned()
    }

    fn caller(&self, tenant: &TenantId, number: &str, name: Option<&str>, private: bool) -> Customer {
        let number = if private { String::new() } else { self.number_of(tenant, number) };
        let number_key = match number.as_str() {
            "" => String::new(),
            known => phone::number_key(&self.installation_key, known),
        };
        let name = name.filter(|_| !private).map(plain).filter(|name| !name.is_empty());
        Customer {
            name: name.unwrap_or_else(|| NAMELESS.to_owned()),
            number,
            number_key,
            customer_id: None,
            verified: false,
            number_proven: false,
            language: "".into(),
            page: None,
            context: Default::default(),
        }
    }

    fn is_lent(&self, number: &str) -> bool {
        self.plan().lent.values().any(|pool| pool.contains(number))
    }

    fn may_call(&self, tenant: &TenantId, number: &str) -> bool {
        self.plan().rules.get(tenant).is_some_and(|rules| Dialable::parse(number, rules).is_ok())
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A display name as it may stand on a page; one that is only a number says nothing that the number does not.
fn plain(name: &str) -> String {
    let shown: String = name.chars().filter(|letter| !letter.is_control()).take(LONGEST_NAME).collect();
    let shown = shown.trim();
    if shown.chars().any(char::is_alphabetic) { shown.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
[[trunk]]
id = "carrier"
host = "127.0.0.1"
port = 5060
channels = 2
caller_id = "+19165550000"
[[tenant]]
id = "one"
name = "One"
timezone = "UTC"
[[tenant.number]]
number = "+19168743100"
[[tenant.hours]]
days = ["mon"]
from = "08:00"
to = "17:00"
"#;

    fn board() -> Arc<Switchboard> {
        Switchboard::new(&ServerConfig::parse(FILE).unwrap(), b"key".to_vec())
    }

    #[test]
    fn a_number_is_found_in_each_way_carriers_write_it() {
        for written in ["+19168743100", "19168743100", "9168743100"] {
            assert_eq!(board().whose(written).unwrap(), (TenantId::new("one"), "+19168743100".to_owned()), "{written}");
        }
        for other in ["", "+", "+19168743101", "8743100", "one", "+1916874310000000000000", "9168743100@x", "é"] {
            assert_eq!(board().whose(other), None, "{other}");
        }
    }

    #[test]
    fn callers_are_shown_as_far_as_they_can_and_want_to_be() {
        let tenant = TenantId::new("one");
        let caller = |number: &str, name: Option<&str>, private| board().caller(&tenant, number, name, private);
        let rosa = caller("9165550119", Some("Rosa Diaz"), false);
        assert_eq!((rosa.name.as_str(), rosa.number.as_str()), ("Rosa Diaz", "+19165550119"));
        assert_eq!(rosa.number_key, phone::number_key(b"key", "+19165550119"));
        let abroad = caller("+4930901820", Some("\u{7}+4930901820"), false);
        assert_eq!((abroad.name.as_str(), abroad.number.as_str()), (NAMELESS, "+4930901820"));
        assert!(board().may_call(&tenant, &rosa.number) && !board().may_call(&tenant, &abroad.number));
        for hidden in [caller("+19165550119", Some("Rosa Diaz"), true), caller("anonymous", None, false)] {
            assert_eq!((hidden.name.as_str(), hidden.number.as_str()), (NAMELESS, ""));
            assert_eq!(hidden.number_key, "");
        }
    }

    #[test]
    fn a_number_in_the_file_twice_is_told() {
        let twice = format!("{FILE}{}", FILE.split_once("[[tenant]]").map(|(_, t)| format!("[[tenant]]{t}")).unwrap());
        let problems = ServerConfig::parse(&twice.replacen("id = \"one\"", "id = \"two\"", 1)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.to_string().contains("in the file already")), "{problems:?}");
        for (bad, what) in [
            (FILE.replace("\"+19168743100\"", "\"916 874 3100\""), "E.164"),
            (FILE.replace("\"+19168743100\"", "\"+19168743100\"\nsubject = \"none\""), "no subject"),
            (FILE.replace("\"+19168743100\"", "\"+19168743100\"\nlanguage = \"fr\""), "not among languages"),
        ] {
            let problems = ServerConfig::parse(&bad).unwrap_err();
            assert!(problems.iter().any(|problem| problem.to_string().contains(what)), "{problems:?}");
        }
    }
}
