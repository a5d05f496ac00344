//! The random tenants of one installation: hours, queues, subjects, skills, policies, agents.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime, Weekday};
use ringback_routing::{
    config::*,
    event::{CallbackRequest, ChatRequest},
    ids::AgentId,
    time::{Millis, Timestamp},
};
use serde_json::json;

use super::dice::Dice;

/// Tuesday, 2026-03-03, 10:00 in Los Angeles: five days before the clocks go forward.
pub const MORNING: Timestamp = Timestamp::from_millis(1_772_560_800_000);

pub const WEEK: [Weekday; 7] = {
    use Weekday::*;
    [Mon, Tue, Wed, Thu, Fri, Sat, Sun]
};
const ZONES: [chrono_tz::Tz; 4] = [
    chrono_tz::America::Los_Angeles,
    chrono_tz::Europe::Berlin,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::Asia::Kathmandu,
];
const SUBJECTS: [&str; 6] = ["benefits", "claims", "housing", "health", "taxes", "records"];
const QUEUES: [&str; 3] = ["general", "special", "night"];
pub const SKILLS: [&str; 5] = ["spanish", "claims", "medical", "law", "vietnamese"];
pub const REASONS: [&str; 4] = ["lunch", "break", "rona", "media"];
pub const DISPOSITIONS: [&str; 2] = ["solved", "escalated"];
/// A chat in line is over after this, and one in which nobody writes.
pub const LONGEST_CHAT_WAIT: Millis = Millis::from_secs(1200);
const LONGEST_SILENCE: Millis = Millis::from_secs(300);
/// Callbacks that may be planned for one chosen time; always the same, so that it can be counted from outside.
pub const SLOT_CAPACITY: u32 = 2;
/// The highest level there is.
pub const BEST: u64 = 10;

fn at(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default()
}

/// A record from the form in which configurations are kept, so that whatever this file does not name has its default.
fn from_kept<T: serde::de::DeserializeOwned>(kept: serde_json::Value) -> T {
    serde_json::from_value(kept).expect("a record of this version")
}

/// A tenant's configuration, different at each call. `calm` leaves out what turns customers away for long.
pub fn tenant(dice: &mut Dice, index: usize, calm: bool) -> TenantConfig {
    let queues = 1 + dice.roll(QUEUES.len() as u64) as usize;
    let queues = &QUEUES[..queues];
    let subjects = 1 + dice.roll(SUBJECTS.len() as u64) as usize;
    let subjects: Vec<_> = SUBJECTS[..subjects].iter().map(|name| subject(dice, name, queues)).collect();
    from_kept(json!({
        "id": format!("county-{index}"),
        "name": format!("County {index}"),
        "version": 1 + dice.roll(1000),
        "timezone": dice.pick(&ZONES),
        "language": "en",
        "callback": callback(dice, calm),
        "chat": chat(dice),
        "outbound": !dice.one_in(3),
        "tell_code": dice.one_in(2),
        "hours": hours(dice, calm),
        "queues": queues.iter().map(|name| queue(name)).collect::<Vec<_>>(),
        "subjects": subjects,
        "policy": policy(dice),
        "queue_policies": queue_policies(dice, queues),
        "language_skills": languages(dice),
        "reason_codes": REASONS,
        "dispositions": DISPOSITIONS.map(|id| json!({ "id": id, "name": id })),
        "limits": { "max_open_contacts": 50 + dice.roll(600), "max_agents": 200 },
    }))
}

fn queue(name: &str) -> serde_json::Value {
    json!({ "id": name, "name": name })
}

fn subject(dice: &mut Dice, name: &str, queues: &[&str]) -> serde_json::Value {
    json!({
        "id": name,
        "name": name,
        "queue": dice.pick(queues),
        "targets": ladder(dice),
        "overflow": dice.one_in(4).then(|| json!({ "number": "+19165559000", "timeout": dice.seconds(2, 60) })),
        "priorities": { "initial": 3 + dice.roll(4), "overflow": 2 + dice.roll(3), "rona": 1 + dice.roll(3) },
    })
}

/// Up to three steps, each asking for less than the one before, or for something else.
fn ladder(dice: &mut Dice) -> Vec<serde_json::Value> {
    let steps = [0, 1, 1, 2, 3, 3][dice.roll(6) as usize];
    let (first, second) = (dice.roll(SKILLS.len() as u64) as usize, dice.roll(SKILLS.len() as u64) as usize);
    let mut level = 1 + dice.roll(9);
    let mut step = || {
        let mut skills = BTreeMap::from([(SKILLS[first], level)]);
        if dice.one_in(4) {
            skills.insert(SKILLS[second], 1 + dice.roll(4));
        }
        level = level.saturating_sub(dice.roll(4)).max(1);
        json!({ "skills": skills, "timeout": dice.seconds(1, 90) })
    };
    (0..steps).map(|_| step()).collect()
}

/// Languages that need a skill.
fn languages(dice: &mut Dice) -> BTreeMap<&'static str, (&'static str, u64)> {
    let mut needed = BTreeMap::new();
    for (tag, skill) in [("es", "spanish"), ("vi", "vietnamese")] {
        if dice.one_in(3) {
            needed.insert(tag, (skill, 1 + dice.roll(5)));
        }
    }
    needed
}

fn callback(dice: &mut Dice, calm: bool) -> serde_json::Value {
    json!({
        "enabled": calm || !dice.one_in(30),
        "max_attempts": dice.roll(4),
        "busy_spacing": dice.seconds(0, 120),
        "no_answer_spacing": dice.seconds(0, 600),
        "failed_spacing": dice.seconds(0, 300),
        "ring_timeout": dice.seconds(10, 40),
        "press_one": dice.one_in(4),
        "press_one_timeout": dice.seconds(5, 15),
        "trunks": ["carrier"],
        "guard_time": dice.seconds(30, 180),
        "gate": dice.one_in(4).then(|| gate(dice)),
        "slots": dice.one_in(2).then(|| slots(dice)),
        "window": if calm || !dice.one_in(6) { vec![] } else { every(at(6, 0), at(22, 30)).to_vec() },
    })
}

fn gate(dice: &mut Dice) -> serde_json::Value {
    json!({
        "longest_wait": dice.seconds(60, 900),
        "check_at": dice.pick(&[CheckAt::Render, CheckAt::Submit, CheckAt::Both]),
        "then": dice.pick(&[OverLimit::Hide, OverLimit::Disable, OverLimit::Schedule, OverLimit::Notify]),
    })
}

fn slots(dice: &mut Dice) -> serde_json::Value {
    json!({
        "length": Millis::from_secs(900),
        "capacity": SLOT_CAPACITY,
        "lead": dice.seconds(0, 1800),
        "ahead": dice.seconds(3600, 6 * 3600),
    })
}

fn chat(dice: &mut Dice) -> serde_json::Value {
    json!({
        "enabled": !dice.one_in(5),
        "reconnect_grace": if dice.one_in(8) { Millis(0) } else { dice.seconds(5, 90) },
        // The same at all times, so that it is known from outside when a chat must be over.
        "longest_wait": LONGEST_CHAT_WAIT,
        "idle_timeout": LONGEST_SILENCE,
    })
}

fn aftermath(dice: &mut Dice, reason: &str) -> serde_json::Value {
    json!({
        "not_ready": (!dice.one_in(3)).then_some(reason),
        "auto_return": dice.percent(60).then(|| dice.seconds(0, 30)),
        "cool_off": if dice.one_in(4) { Millis(0) } else { dice.seconds(1, 90) },
        "priority": dice.one_in(6).then(|| 1 + dice.roll(7)),
    })
}

fn policy(dice: &mut Dice) -> serde_json::Value {
    let modes = [DispositionMode::None, DispositionMode::Optional, DispositionMode::Required];
    json!({
        "offer_timeout": dice.seconds(8, 30),
        "on_no_answer": aftermath(dice, "rona"),
        "on_reject": aftermath(dice, "break"),
        "on_media_error": aftermath(dice, "media"),
        "wrap_up_timeout": if dice.one_in(8) { Millis(0) } else { dice.seconds(5, 90) },
        "disposition": dice.pick(&modes),
        "voice_exclusive": !dice.one_in(4),
        "agent_reconnect_grace": if dice.one_in(8) { Millis(0) } else { dice.seconds(1, 20) },
        "ageing": dice.one_in(2).then(|| dice.seconds(10, 900)),
        "sticky": { "enabled": !dice.one_in(3), "timeout": dice.seconds(1, 90) },
    })
}

/// Queues that treat offers and wrap-up otherwise than the tenant.
fn queue_policies(dice: &mut Dice, queues: &[&'static str]) -> BTreeMap<&'static str, serde_json::Value> {
    let mut own = BTreeMap::new();
    for queue in queues {
        if dice.one_in(3) {
            let policy = json!({
                "offer_timeout": dice.seconds(8, 30),
                "on_no_answer": aftermath(dice, "rona"),
                "on_reject": aftermath(dice, "break"),
                "on_media_error": aftermath(dice, "media"),
                "wrap_up_timeout": dice.seconds(0, 60),
            });
            own.insert(*queue, policy);
        }
    }
    own
}

fn hours(dice: &mut Dice, calm: bool) -> Hours {
    let mut closing = || *dice.pick(&[Waiting::Keep, Waiting::Reschedule, Waiting::Tell]).unwrap_or(&Waiting::Keep);
    let at_closing = AtClosing { hours: closing(), holiday: closing(), closure: closing() };
    Hours { week: week(dice, calm), holidays: holidays(dice, calm), at_closing, closure: None }
}

fn every(from: NaiveTime, to: NaiveTime) -> [OpenInterval; 7] {
    WEEK.map(|day| OpenInterval { day, from, to })
}

fn week(dice: &mut Dice, calm: bool) -> Vec<OpenInterval> {
    if calm || dice.percent(40) {
        return every(NaiveTime::MIN, NaiveTime::MIN).to_vec();
    }
    let mut week = every(at(7 + dice.roll(3) as u32, 0), at(16 + dice.roll(4) as u32, 30)).to_vec();
    if dice.one_in(2) {
        week.extend(every(at(22, 0), at(1 + dice.roll(4) as u32, 15)));
    }
    week
}

fn holidays(dice: &mut Dice, calm: bool) -> Vec<Holiday> {
    let date = NaiveDate::from_ymd_opt(2026, 3, 4 + dice.roll(6) as u32);
    let open = if dice.one_in(2) { vec![(at(9, 0), at(12, 0))] } else { vec![] };
    let holiday = date.filter(|_| !calm && dice.one_in(3)).map(|date| Holiday { date, name: "Founders".into(), open });
    holiday.into_iter().collect()
}

/// An agent's configuration, different at each call.
pub fn agent(dice: &mut Dice, id: &AgentId) -> AgentConfig {
    let mut queues: Vec<&str> = QUEUES.iter().filter(|_| dice.percent(70)).copied().collect();
    if queues.is_empty() {
        queues.push(QUEUES[0]);
    }
    let levels = SKILLS.iter().map(|skill| (*skill, dice.roll(14).min(BEST)));
    let skills: BTreeMap<_, _> = levels.filter(|(_, level)| *level > 0).collect();
    let slots = ([1, 1, 1, 1, 1, 1, 0, 2][dice.roll(8) as usize], [0, 1, 2, 2, 2, 3][dice.roll(6) as usize]);
    kept_agent(id, &queues, skills, !dice.one_in(4), slots)
}

/// Somebody who can do everything, for the end of the day.
pub fn able_agent(id: &AgentId) -> AgentConfig {
    kept_agent(id, &QUEUES, BTreeMap::from(SKILLS.map(|skill| (skill, BEST))), true, (1, 2))
}

fn kept_agent(
    id: &AgentId,
    queues: &[&str],
    skills: BTreeMap<&str, u64>,
    can_reject: bool,
    (voice_slots, chat_slots): (u8, u8),
) -> AgentConfig {
    from_kept(json!({
        "id": id,
        "name": id,
        "queues": queues,
        "skills": skills,
        "can_reject": can_reject,
        "voice_slots": voice_slots,
        "chat_slots": chat_slots,
    }))
}

/// A customer's request but for who it is and what it is about.
pub fn request() -> CallbackRequest {
    from_kept(json!({
        "customer": customer(),
        "subject": null,
        "status_token_digest": null,
        "when_open": false,
    }))
}

pub fn chat_request() -> ChatRequest {
    from_kept(json!({ "customer": customer(), "subject": null, "status_token_digest": null }))
}

fn customer() -> serde_json::Value {
    json!({
        "name": "Rosa Ortiz",
        "number": "",
        "number_key": "",
        "customer_id": null,
        "verified": true,
        "language": "en",
        "page": null,
    })
}

/// The end of the day: open around the clock, nothing in anybody's way.
pub fn open_all_day(config: &TenantConfig) -> TenantConfig {
    let mut config = config.clone();
    config.hours.week = WEEK.map(|day| OpenInterval { day, from: NaiveTime::MIN, to: NaiveTime::MIN }).to_vec();
    config.hours.holidays.clear();
    config.callback.max_attempts = 2;
    (config.callback.gate, config.callback.window) = (None, vec![]);
    config.queues = QUEUES.map(|name| from_kept(queue(name))).to_vec();
    config
}
