//! What a customer typed, made into a number that may be dialled, or the reason why not.
//!
//! Only the number serialised again from its parsed parts (E.164) ever leaves this file, so nothing that was typed can
//! reach a SIP message.

use hmac::{Hmac, Mac};
use phonenumber::{Mode, PhoneNumber, Type, country, metadata::DATABASE};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Longest text looked at; E.164 has 15 digits, people add punctuation.
const MAX_TYPED: usize = 40;
/// Nothing this short is a subscriber's number: short codes, N11 services and emergency numbers live below (ITU-T E.164
/// numbers that can be called from abroad have at least 7 digits with the country code).
const SHORTEST: usize = 7;

/// Emergency and public-service short numbers, refused by name although length alone would refuse them, so that no change
/// of the length rule can let one through. Sources: 47 CFR 52.15 and the NANP N11 assignments (211 to 911), 988 (FCC
/// 20-100), ITU-T E.161.1 (112, 911), EU decision 2007/116/EC (116xxx), national lists of EENA.
const NEVER: &[&str] = &[
    "911", "112", "999", "000", "111", "110", "118", "119", "100", "101", "102", "103", "104", "105", "106", "108",
    "113", "114", "115", "117", "120", "122", "123", "190", "192", "193", "197", "198", "211", "311", "411", "511",
    "611", "711", "811", "988", "933", "116000", "116006", "116111", "116117", "116123",
];

/// NANP central office codes that are never a subscriber: N11 service codes, and 976 (pay-per-call in every area code
/// that still carries it; 47 CFR 64.1501 and the NANPA central office code assignment guidelines, section 3).
const NANP_REFUSED_EXCHANGES: &[&str] = &["211", "311", "411", "511", "611", "711", "811", "911", "976"];

/// NANP area codes of paid, carrier or government special service (NANPA: 500-series personal communication, 600 Canada,
/// 700 inter-exchange carrier, 710 US government, 900 pay-per-call).
const NANP_REFUSED_AREAS: &[&str] =
    &["500", "521", "522", "533", "544", "566", "577", "588", "600", "700", "710", "900"];

/// Country codes of no country: satellite systems (870 Inmarsat, 881 mobile satellite), international networks (882, 883),
/// universal personal numbers (878), and shared services: 800 freephone, 808 shared cost, 979 premium, 888 relief, 991.
/// Source: ITU-T, "List of Recommendation ITU-T E.164 assigned country codes" (annex to the Operational Bulletin).
const NEVER_COUNTRY_CODES: &[u16] = &[800, 808, 870, 878, 881, 882, 883, 888, 979, 991];

/// The kinds of number a tenant may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberKind {
    FixedLine,
    Mobile,
    Voip,
    TollFree,
    PersonalNumber,
}

/// Which numbers a tenant calls.
#[derive(Debug, Clone, PartialEq)]
pub struct PhoneRules {
    /// Assumed when no country is typed.
    pub default_country: country::Id,
    pub countries: Vec<country::Id>,
    pub kinds: Vec<NumberKind>,
}

impl PhoneRules {
    /// Every country and kind there is, for naming numbers that are *not* to be called.
    pub fn everything() -> Self {
        use NumberKind::*;
        Self {
            default_country: country::US,
            countries: DATABASE.iter().filter_map(|region| region.id().parse().ok()).collect(),
            kinds: vec![FixedLine, Mobile, Voip, TollFree, PersonalNumber],
        }
    }
}

/// A number that may be dialled.
#[derive(Clone, PartialEq, Eq)]
pub struct Dialable {
    e164: String,
}

impl std::fmt::Debug for Dialable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dialable(…)")
    }
}

/// Why a number is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneRefusal {
    #[error("no number was given")]
    Missing,
    #[error("this is not a telephone number that exists")]
    Invalid,
    #[error("emergency and service numbers are never called")]
    Service,
    #[error("numbers of this country are not called")]
    Country,
    #[error("numbers of this kind are not called")]
    Kind,
}

impl Dialable {
    /// Parses what was typed under the tenant's rules.
    pub fn parse(typed: &str, rules: &PhoneRules) -> Result<Self, PhoneRefusal> {
        let digits = digits_of(typed)?;
        let plain = digits.trim_start_matches('+');
        if NEVER.contains(&plain) || plain.len() < SHORTEST {
            return Err(if plain.len() <= 6 { PhoneRefusal::Service } else { PhoneRefusal::Invalid });
        }
        let number = phonenumber::parse(Some(rules.default_country), &digits).map_err(|_| PhoneRefusal::Invalid)?;
        check(&number, rules)?;
        Ok(Self { e164: number.format().mode(Mode::E164).to_string() })
    }

    /// `+` and 7 to 15 digits.
    pub fn e164(&self) -> &str {
        &self.e164
    }

    pub fn key(&self, installation_key: &[u8]) -> String {
        number_key(installation_key, &self.e164)
    }
}

/// The digits of a typed number, with a leading plus if there was one; anything but digits and punctuation is refused.
fn digits_of(typed: &str) -> Result<String, PhoneRefusal> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(PhoneRefusal::Missing);
    }
    if typed.chars().count() > MAX_TYPED {
        return Err(PhoneRefusal::Invalid);
    }
    let mut digits = String::with_capacity(16);
    for letter in typed.chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            // Full-width digits, as phones with CJK keyboards write them.
            '\u{ff10}'..='\u{ff19}' => digits.push(char::from(b'0' + (letter as u32 - 0xff10) as u8)),
            '+' | '\u{ff0b}' if digits.is_empty() => digits.push('+'),
            ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}' | '\u{2010}'..='\u{2014}' => {}
            _ => return Err(PhoneRefusal::Invalid),
        }
    }
    // A country code needs nothing more; a second area "(0)" as in +44 (0)20 is left to the parser.
    if digits.trim_start_matches('+').is_empty() { Err(PhoneRefusal::Invalid) } else { Ok(digits) }
}

fn check(number: &PhoneNumber, rules: &PhoneRules) -> Result<(), PhoneRefusal> {
    if !number.is_valid() || number.extension().is_some() {
        return Err(PhoneRefusal::Invalid);
    }
    if NEVER_COUNTRY_CODES.contains(&number.code().value()) {
        return Err(PhoneRefusal::Kind);
    }
    let national = number.national().to_string();
    if number.code().value() == 1 {
        let (area, exchange) = (national.get(..3).unwrap_or(""), national.get(3..6).unwrap_or(""));
        if NANP_REFUSED_EXCHANGES.contains(&exchange) {
            return Err(PhoneRefusal::Service);
        }
        if NANP_REFUSED_AREAS.contains(&area) {
            return Err(PhoneRefusal::Kind);
        }
    }
    if NEVER.contains(&national.as_str()) {
        return Err(PhoneRefusal::Service);
    }
    let country = number.country().id().ok_or(PhoneRefusal::Country)?;
    if !rules.countries.contains(&country) {
        return Err(PhoneRefusal::Country);
    }
    if !kind_allowed(number.number_type(&DATABASE), &rules.kinds) {
        return Err(PhoneRefusal::Kind);
    }
    Ok(())
}

/// Premium, shared cost, pagers, access numbers, short codes, emergency and unknown kinds can not be allowed at all.
fn kind_allowed(kind: Type, allowed: &[NumberKind]) -> bool {
    match kind {
        Type::FixedLine => allowed.contains(&NumberKind::FixedLine),
        Type::Mobile => allowed.contains(&NumberKind::Mobile),
        Type::FixedLineOrMobile => allowed.contains(&NumberKind::FixedLine) || allowed.contains(&NumberKind::Mobile),
        Type::Voip => allowed.contains(&NumberKind::Voip),
        Type::TollFree => allowed.contains(&NumberKind::TollFree),
        Type::PersonalNumber => allowed.contains(&NumberKind::PersonalNumber),
        _ => false,
    }
}

/// Keyed digest of an E.164 number: equal numbers are found without being read. 64 hexadecimal characters.
pub fn number_key(installation_key: &[u8], e164: &str) -> String {
    // HMAC takes keys of every length; an empty tag would only follow from a change of that.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(installation_key) else { return String::new() };
    mac.update(b"number\0");
    mac.update(e164.as_bytes());
    crate::token::hex(&mac.finalize().into_bytes())
}

/// The number as people of its country write it; nationally when it is of `home`.
pub fn display(e164: &str, home: country::Id) -> String {
    match phonenumber::parse(None, e164) {
        Ok(number) if number.country().id() == Some(home) => number.format().mode(Mode::National).to_string(),
        Ok(number) => number.format().mode(Mode::International).to_string(),
        Err(_) => mask(e164),
    }
}

/// The last four digits, the others hidden.
pub fn mask(e164: &str) -> String {
    let digits: Vec<char> = e164.chars().filter(char::is_ascii_digit).collect();
    let hidden = digits.len().saturating_sub(4);
    let last: String = digits[hidden..].iter().collect();
    if e164.starts_with("+1") && digits.len() == 11 {
        format!("(•••) •••-{last}")
    } else {
        format!("••• {last}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> PhoneRules {
        PhoneRules {
            default_country: country::US,
            countries: vec![country::US],
            kinds: vec![NumberKind::FixedLine, NumberKind::Mobile],
        }
    }

    fn parse(typed: &str) -> Result<String, PhoneRefusal> {
        Dialable::parse(typed, &rules()).map(|number| number.e164().to_owned())
    }

    #[test]
    fn every_way_to_write_a_number_gives_the_same_e164() {
        for typed in [
            "9165550100",
            "(916) 555-0100",
            "916.555.0100",
            "1 916 555 0100",
            "+1 (916) 555‑0100",
            " +19165550100 ",
            "011 1 916 555 0100",
            "９１６５５５０１００",
        ] {
            assert_eq!(parse(typed).as_deref(), Ok("+19165550100"), "{typed}");
        }
    }

    #[test]
    fn emergency_and_service_numbers_are_refused() {
        for typed in NEVER {
            assert!(parse(typed).is_err(), "{typed}");
            assert!(parse(&format!("+1{typed}")).is_err(), "+1{typed}");
            assert!(parse(&format!("+{typed}")).is_err(), "+{typed}");
        }
        assert_eq!(parse("911"), Err(PhoneRefusal::Service));
        assert_eq!(parse("988"), Err(PhoneRefusal::Service));
        assert_eq!(parse("916 911 0100"), Err(PhoneRefusal::Service));
        assert_eq!(parse("916 976 0100"), Err(PhoneRefusal::Service));
    }

    #[test]
    fn premium_and_special_numbers_are_refused() {
        for typed in ["900 555 0100", "1-900-234-5678", "700 555 0100", "500 234 5678"] {
            assert!(parse(typed).is_err(), "{typed}");
        }
        assert_eq!(parse("800 723 3456"), Err(PhoneRefusal::Kind));
    }

    #[test]
    fn other_countries_are_refused_unless_allowed() {
        for typed in ["+44 20 7946 0018", "876 555 0123", "+1 345 949 2311", "+53 7 8300000"] {
            assert_eq!(parse(typed), Err(PhoneRefusal::Country), "{typed}");
        }
        let wider = PhoneRules { countries: vec![country::US, country::GB], ..rules() };
        assert_eq!(Dialable::parse("+44 20 7946 0018", &wider).map(|n| n.e164), Ok("+442079460018".into()));
    }

    #[test]
    fn what_is_no_number_is_invalid() {
        for typed in [
            "abc",
            "916 555",
            "916555010",
            "91655501001234",
            "+",
            "555-0100",
            "9165550100 ext 5",
            "+1916555010;phone-context=evil",
        ] {
            assert!(matches!(parse(typed), Err(PhoneRefusal::Invalid | PhoneRefusal::Service)), "{typed}");
        }
        assert_eq!(parse("  "), Err(PhoneRefusal::Missing));
        assert_eq!(parse("9165550100\r\nTo: <sip:x>"), Err(PhoneRefusal::Invalid));
        assert_eq!(parse(&"9".repeat(4000)), Err(PhoneRefusal::Invalid));
    }

    #[test]
    fn display_and_mask() {
        assert_eq!(display("+19165550100", country::US), "(916) 555-0100");
        assert_eq!(display("+442079460018", country::US), "+44 20 7946 0018");
        assert_eq!(mask("+19165550100"), "(•••) •••-0100");
        assert_eq!(mask("+442079460018"), "••• 0018");
        assert_eq!(mask("12"), "••• 12");
    }

    #[test]
    fn the_key_depends_on_key_and_number() {
        let key = number_key(b"k", "+19165550100");
        assert_eq!(key.len(), 64);
        assert_ne!(key, number_key(b"l", "+19165550100"));
        assert_ne!(key, number_key(b"k", "+19165550101"));
    }
}
