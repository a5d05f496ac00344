//! Settings as whole documents: kept, told apart, and what cannot be.

use super::*;

fn read(text: &str) -> Settings {
    serde_json::from_str::<Settings>(text).unwrap().sorted()
}

fn fault(settings: &Settings) -> Option<String> {
    settings.fault(&Around::of(settings, &county().face, &[], 3))
}

const FILE: &str = r#"
[[trunk]]
id = "carrier"
host = "127.0.0.1"
channels = 2
caller_id = "+19165550000"
[[tenant]]
id = "one"
name = "One"
timezone = "UTC"
auth = "none"
callback = { enabled = true, slots = { minutes = 20 }, longest_wait_minutes = 30 }
[[tenant.hours]]
days = ["mon"]
from = "08:00"
to = "17:00"
[[tenant.queue]]
id = "benefits"
name = "Benefits"
[[tenant.subject]]
id = "calfresh"
name = "CalFresh"
queue = "benefits"
target = [{ skills = { calfresh = 7 }, seconds = 30 }, { skills = { calfresh = 1 } }]
[[tenant.canned]]
word = "hello"
text = "Hello {name}"
"#;

fn county() -> Tenant {
    crate::config::ServerConfig::parse(FILE).unwrap().tenants.remove(0)
}

#[test]
fn what_is_in_force_can_be_kept_and_put_into_force_without_a_difference() {
    let tenant = county();
    let settings = Settings::of(&tenant).sorted();
    assert_eq!(fault(&settings), None);
    let again: Settings = serde_json::from_value(json(&settings)).unwrap();
    assert_eq!(again, settings);
    let mut other = county();
    again.apply(1, &mut other);
    assert_eq!(other.core, tenant.core);
    assert_eq!(format!("{:?}", other.face), format!("{:?}", tenant.face));
}

#[test]
fn what_cannot_be_kept_is_named() {
    let settings = Settings::of(&county());
    type Change = fn(&mut Settings);
    let wrong: [(&str, Change); 17] = [
        ("look.accent", |s| s.look.as_mut().unwrap().accent = "#ffff00".to_owned()),
        ("look.language", |s| s.look.as_mut().unwrap().language = "fr".to_owned()),
        ("look.public_phone", |s| s.look.as_mut().unwrap().public_phone = Some("916".to_owned())),
        ("queues", |s| s.queues = Some(Vec::new())),
        ("queues.1.twice", |s| {
            let twin = s.queues.as_ref().unwrap()[0].clone();
            s.queues.as_mut().unwrap().push(twin);
        }),
        ("queues.0.name", |s| s.queues.as_mut().unwrap()[0].name = " ".to_owned()),
        ("subjects.0.queue", |s| s.subjects.as_mut().unwrap()[0].queue = "none".to_owned()),
        ("subjects.0.targets", |s| s.subjects.as_mut().unwrap()[0].targets[0].seconds = 0),
        ("subjects.0.targets", |s| {
            s.subjects.as_mut().unwrap()[0].targets[0].skills.insert("calfresh".to_owned(), 11);
        }),
        ("canned.0.word", |s| s.canned.as_mut().unwrap()[0].word = "two words".to_owned()),
        ("calls.max_attempts", |s| s.calls.as_mut().unwrap().max_attempts = 0),
        ("calls.trunks", |s| s.calls.as_mut().unwrap().trunks = vec!["none".to_owned()]),
        ("calls.slot_minutes", |s| s.calls.as_mut().unwrap().slot_minutes = Some(7)),
        ("chats.idle_seconds", |s| s.chats.as_mut().unwrap().idle_seconds = 1),
        ("chats.offer_callback_seconds", |s| s.chats.as_mut().unwrap().offer_callback_seconds = Some(86_401)),
        ("offers.no_answer", |s| s.reason_codes.as_mut().unwrap().retain(|code| code.id != "rona")),
        ("portal.auth", |s| s.portal.as_mut().unwrap().auth = crate::config::AuthMode::Required),
    ];
    for (name, change) in wrong {
        let mut settings = settings.clone();
        change(&mut settings);
        assert_eq!(fault(&settings).as_deref(), Some(name));
    }
}

#[test]
fn a_part_that_is_left_out_stays_and_a_former_document_is_read() {
    let whole = Settings::of(&county());
    let former = week(r#"{"day":"tue","from":"08:00","to":"17:00"}"#);
    assert_eq!(former.look, None);
    let told: Vec<_> = whole.differences(&former).into_iter().map(|one| one.what).collect();
    assert_eq!(told, ["hours.mon", "hours.tue"], "what it did not have is no difference");
    let mut tenant = county();
    former.apply(2, &mut tenant);
    assert_eq!(tenant.core.queues, county().core.queues);
    let filled = former.over(&whole);
    assert_eq!((filled.look, filled.hours.len()), (whole.look, 1));
}

fn week(hours: &str) -> Settings {
    read(&format!(r#"{{"callback":true,"chat":false,"hours":[{hours}],"holidays":[]}}"#))
}

#[test]
fn intervals_of_one_day_do_not_overlap() {
    let at = |day: &str, from: &str, to: &str| format!(r#"{{"day":"{day}","from":"{from}","to":"{to}"}}"#);
    for (hours, wrong) in [
        ([at("mon", "08:00", "12:00"), at("mon", "13:00", "17:00")], None),
        ([at("mon", "13:00", "17:00"), at("mon", "08:00", "12:00")], None),
        ([at("mon", "08:00", "12:00"), at("mon", "12:00", "17:00")], None),
        ([at("mon", "08:00", "12:00"), at("mon", "11:59", "17:00")], Some("hours.mon")),
        ([at("mon", "08:00", "12:00"), at("tue", "08:00", "12:00")], None),
        // Past midnight there is no room for another one on the same day.
        ([at("sat", "20:00", "02:00"), at("sat", "21:00", "22:00")], Some("hours.sat")),
        ([at("sun", "00:00", "24:00"), at("sun", "01:00", "02:00")], Some("hours.sun")),
    ] {
        assert_eq!(fault(&week(&hours.join(","))).as_deref(), wrong, "{hours:?}");
    }
}

#[test]
fn a_holiday_has_a_name_and_comes_once() {
    let holiday = |more: &str| read(&format!(r#"{{"callback":true,"chat":true,"hours":[],"holidays":[{more}]}}"#));
    let day = |name: &str, open: &str| format!(r#"{{"date":"2026-12-24","name":"{name}","open":{open}}}"#);
    assert_eq!(fault(&holiday(&day("Christmas Eve", r#"[["08:00","12:00"]]"#))), None);
    assert_eq!(fault(&holiday(&day("Christmas Eve", r#"[["20:00","24:00"]]"#))), None);
    for wrong in [
        day(" ", "[]"),
        day("Backwards", r#"[["12:00","08:00"]]"#),
        day("Twice", r#"[["08:00","12:00"],["11:00","13:00"]]"#),
        format!("{},{}", day("One", "[]"), day("Two", "[]")),
    ] {
        assert_eq!(fault(&holiday(&wrong)).as_deref(), Some("holidays.2026-12-24"), "{wrong}");
    }
}

#[test]
fn what_is_otherwise_is_told_setting_by_setting() {
    let before = week(r#"{"day":"mon","from":"08:00","to":"17:00"}"#);
    let mut after = week(r#"{"day":"mon","from":"08:00","to":"18:00"},{"day":"tue","from":"08:00","to":"17:00"}"#);
    after.callback = false;
    let told: Vec<_> = after.differences(&before).into_iter().map(|one| (one.what, one.before, one.after)).collect();
    let times = |to: &str| Some(serde_json::json!([["08:00", to]]));
    assert_eq!(
        told,
        [
            ("callback".to_owned(), Some(true.into()), Some(false.into())),
            ("hours.mon".to_owned(), times("17:00"), times("18:00")),
            ("hours.tue".to_owned(), None, times("17:00")),
        ]
    );
    assert_eq!(after.differences(&after), []);
}
