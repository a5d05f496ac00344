//! What a tenant's administrators set in a browser, kept as whole versions: each with who, when, and what was otherwise
//! before. Until the first change the configuration file speaks; from then on the ledger does, for these settings.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime, Weekday};
use ringback_routing::{
    config::{Closure, Holiday, OpenInterval, TenantConfig},
    event::Event,
    ids::TenantId,
};
use ringback_store::{ConfigVersion, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{config::tenant::ClockTime, state::App};

/// More intervals than a week of three shifts and their breaks can have.
const MOST_INTERVALS: usize = 70;
/// Some years of holidays.
const MOST_HOLIDAYS: usize = 400;
/// Half days have few openings.
const MOST_OPENINGS: usize = 6;
/// Longest name of a holiday, in letters.
const MAX_NAME: usize = 100;
/// Who "made" the version that is the file's.
const THE_FILE: &str = "configuration file";
/// A closure is declared on top of whatever somebody else saves at that moment.
const CLOSURE_TRIES: usize = 5;
/// How long it takes until what is kept but was not taken by the core is offered to it again.
const APPLY_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// The settings that are changed in the browser.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Callbacks are offered (C1).
    pub callback: bool,
    /// Chats are offered (C1).
    pub chat: bool,
    /// The usual week.
    pub hours: Vec<DayHours>,
    pub holidays: Vec<DayOff>,
    /// The emergency closure, if one is declared; it is changed by `/api/v1/closure` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::http::schema::Closure>)]
    pub closure: Option<Closure>,
}

/// Open on `day` from `from` to `to`, in the tenant's zone; `to` at or before `from` is on the next day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DayHours {
    /// mon, tue, wed, thu, fri, sat, sun
    #[schema(value_type = String)]
    pub day: Day,
    /// HH:MM
    #[schema(value_type = String)]
    pub from: ClockTime,
    /// HH:MM; the end of the day is 24:00
    #[schema(value_type = String)]
    pub to: ClockTime,
}

/// A date that is not like the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DayOff {
    /// YYYY-MM-DD
    #[schema(value_type = String)]
    pub date: NaiveDate,
    pub name: String,
    /// Open all the same, from and to; none: closed all day.
    #[serde(default)]
    #[schema(value_type = Vec<Vec<String>>)]
    pub open: Vec<(ClockTime, ClockTime)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub Weekday);

impl TryFrom<String> for Day {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` is not a day of the week"))
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.0.to_string().to_lowercase()
    }
}

/// One setting that is otherwise than in the version before.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Difference {
    /// `callback`, `chat`, `closure`, `hours.mon`, `holidays.2026-11-26` …
    pub what: String,
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
}

impl Settings {
    /// Those in force.
    pub fn of(config: &TenantConfig) -> Self {
        let hours = config.hours.week.iter();
        let holidays = config.hours.holidays.iter();
        Self {
            callback: config.callback.enabled,
            chat: config.chat.enabled,
            hours: hours
                .map(|at| DayHours { day: Day(at.day), from: ClockTime(at.from), to: ClockTime(at.to) })
                .collect(),
            holidays: holidays
                .map(|day| DayOff {
                    date: day.date,
                    name: day.name.clone(),
                    open: day.open.iter().map(|(from, to)| (ClockTime(*from), ClockTime(*to))).collect(),
                })
                .collect(),
            closure: config.hours.closure.clone(),
        }
    }

    /// Puts them into force; everything else stays as it is.
    pub fn apply(&self, version: u64, config: &mut TenantConfig) {
        // The file's own state is version 1 here and there.
        config.version = version.max(1);
        config.callback.enabled = self.callback;
        config.chat.enabled = self.chat;
        let interval = |at: &DayHours| OpenInterval { day: at.day.0, from: at.from.0, to: at.to.0 };
        config.hours.week = self.hours.iter().map(interval).collect();
        let holiday = |day: &DayOff| Holiday {
            date: day.date,
            name: day.name.clone(),
            open: day.open.iter().map(|(from, to)| (from.0, to.0)).collect(),
        };
        config.hours.holidays = self.holidays.iter().map(holiday).collect();
        config.hours.closure = self.closure.clone();
    }

    /// In one order, whatever the order they were typed in, so that equal settings are equal.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.hours.sort_by_key(|at| (at.day.0.num_days_from_monday(), at.from.0, at.to.0));
        self.holidays.sort_by_key(|day| day.date);
        for day in &mut self.holidays {
            day.name = day.name.trim().to_owned();
            day.open.sort_by_key(|(from, to)| (from.0, to.0));
        }
        self
    }

    /// The first setting that cannot be kept, by its name.
    pub fn fault(&self) -> Option<String> {
        if self.hours.len() > MOST_INTERVALS {
            return Some("hours".to_owned());
        }
        if let Some(pair) = self.hours.windows(2).find(|pair| overlap(&pair[0], &pair[1])) {
            return Some(format!("hours.{}", String::from(pair[1].day)));
        }
        if self.holidays.len() > MOST_HOLIDAYS {
            return Some("holidays".to_owned());
        }
        let twice = self.holidays.windows(2).find(|pair| pair[0].date == pair[1].date).map(|pair| &pair[1]);
        let odd = self.holidays.iter().find(|day| {
            let letters = day.name.chars().count();
            letters == 0 || letters > MAX_NAME || day.name.chars().any(char::is_control) || !openings_fit(day)
        });
        twice.or(odd).map(|day| format!("holidays.{}", day.date))
    }

    /// What is otherwise in `self` than in `before`.
    pub fn differences(&self, before: &Self) -> Vec<Difference> {
        let (old, new) = (before.by_name(), self.by_name());
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let names = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
        names
            .map(|name| Difference {
                what: name.clone(),
                before: old.get(name).cloned(),
                after: new.get(name).cloned(),
            })
            .collect()
    }

    fn by_name(&self) -> BTreeMap<String, Value> {
        let mut by_name = BTreeMap::new();
        by_name.insert("callback".to_owned(), self.callback.into());
        by_name.insert("chat".to_owned(), self.chat.into());
        if let Some(closure) = &self.closure {
            by_name.insert("closure".to_owned(), json(closure));
        }
        for at in &self.hours {
            let day = by_name.entry(format!("hours.{}", String::from(at.day)));
            if let Value::Array(times) = day.or_insert_with(|| Value::Array(Vec::new())) {
                times.push(json(&(at.from, at.to)));
            }
        }
        for day in &self.holidays {
            by_name.insert(format!("holidays.{}", day.date), json(day));
        }
        by_name
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Two of one day, sorted, of which the second begins before the first has ended.
fn overlap(first: &DayHours, second: &DayHours) -> bool {
    first.day == second.day && (first.to.0 <= first.from.0 || second.from.0 < first.to.0)
}

fn openings_fit(day: &DayOff) -> bool {
    let end = |to: NaiveTime| if to == NaiveTime::MIN { NaiveTime::from_hms_opt(23, 59, 59).unwrap_or(to) } else { to };
    day.open.len() <= MOST_OPENINGS
        && day.open.iter().all(|(from, to)| from.0 < end(to.0))
        && day.open.windows(2).all(|pair| pair[0].1.0 <= pair[1].0.0 && pair[0].1.0 != NaiveTime::MIN)
}

/// A version as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub version: u64,
    pub who: String,
    pub at: ringback_routing::time::Timestamp,
    pub settings: Settings,
}

impl TryFrom<ConfigVersion> for Version {
    type Error = StoreError;
    fn try_from(kept: ConfigVersion) -> Result<Self, StoreError> {
        // The document may hold a person's words: the error names it and says no more.
        let unreadable = |_| StoreError::Corrupt { kind: "configuration", id: kept.version.to_string().into() };
        let settings = serde_json::from_value(kept.doc).map_err(unreadable)?;
        Ok(Self { version: kept.version, who: kept.who, at: kept.at, settings })
    }
}

/// Puts what the ledger keeps for the tenant into force, if it keeps anything; at the start of the server.
pub async fn restore(store: &Store, config: &mut TenantConfig) -> Result<(), StoreError> {
    if let Some(kept) = store.tenant_config(&config.id).await? {
        let kept = Version::try_from(kept)?;
        kept.settings.apply(kept.version, config);
    }
    Ok(())
}

/// The version in force; the file's own state is version 0 as long as nobody changed anything.
pub async fn current(app: &App, tenant: &TenantId) -> Result<Version, SettingsError> {
    match app.store.tenant_config(tenant).await? {
        Some(kept) => Ok(kept.try_into()?),
        None => {
            let settings = Settings::of(&*app.engine.config(tenant).await?).sorted();
            Ok(Version { version: 0, who: THE_FILE.to_owned(), at: app.now(), settings })
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("somebody else has changed the settings meanwhile")]
    Outdated,
    #[error("there is no such version")]
    NoSuchVersion,
    /// Names the setting.
    #[error("{0} cannot be kept")]
    Fault(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] ringback_engine::EngineError),
}

/// Keeps `settings` as the version after `base` and puts them into force in the running core. What is kept is in force
/// at the latest after the next start, and before that as soon as the core takes it.
pub async fn change(
    app: &App,
    tenant: &TenantId,
    who: &str,
    base: u64,
    settings: Settings,
) -> Result<Version, SettingsError> {
    let settings = settings.sorted();
    if let Some(fault) = settings.fault() {
        return Err(SettingsError::Fault(fault));
    }
    // One after the other, so that the core sees the versions in their order.
    let _turn = app.settings_turn.lock().await;
    let before = current(app, tenant).await?;
    if before.version != base {
        return Err(SettingsError::Outdated);
    }
    let mut base = base;
    if base == 0 {
        base = keep(app, tenant, &before.who, 0, &before.settings).await?;
    }
    let version = keep(app, tenant, who, base, &settings).await?;
    let now = Version { version, who: who.to_owned(), at: app.now(), settings };
    put_into_force(app, tenant, &now).await;
    Ok(now)
}

async fn keep(app: &App, tenant: &TenantId, who: &str, after: u64, settings: &Settings) -> Result<u64, SettingsError> {
    match app.store.save_tenant_config_after(tenant, after, &json(settings), who, app.now()).await {
        Ok(version) => Ok(version),
        Err(StoreError::Taken(_)) => Err(SettingsError::Outdated),
        Err(error) => Err(error.into()),
    }
}

/// As an event of the running day. It is kept already, so that a core that takes nothing at the moment gets it later.
async fn put_into_force(app: &App, tenant: &TenantId, version: &Version) {
    if let Err(error) = submit(app, tenant, version).await {
        tracing::warn!(%tenant, %error, "settings are kept but not in force yet; they are tried again");
        tokio::spawn(try_again(app.clone(), tenant.clone()));
    }
}

async fn submit(app: &App, tenant: &TenantId, version: &Version) -> Result<(), SettingsError> {
    let mut config = (*app.engine.config(tenant).await?).clone();
    let closed = config.hours.closure.is_some();
    version.settings.apply(version.version, &mut config);
    app.engine.submit(tenant, Event::TenantConfigured { config: Box::new(config) }).await?;
    // A configuration that names no closure lifts none.
    if closed && version.settings.closure.is_none() {
        app.engine.submit(tenant, Event::ClosureLifted).await?;
    }
    Ok(())
}

async fn try_again(app: App, tenant: TenantId) {
    let mut draining = app.draining.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(APPLY_AGAIN) => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let _turn = app.settings_turn.lock().await;
        let Ok(latest) = current(&app, &tenant).await else { continue };
        if submit(&app, &tenant, &latest).await.is_ok() {
            return;
        }
    }
}

/// The settings of `version` as a new version after `base`. A closure is no matter of undoing: it stays as it is.
pub async fn bring_back(
    app: &App,
    tenant: &TenantId,
    who: &str,
    base: u64,
    version: u64,
) -> Result<Version, SettingsError> {
    let wanted = app.store.tenant_config_version(tenant, version).await?.ok_or(SettingsError::NoSuchVersion)?;
    let wanted = Version::try_from(wanted)?;
    let closure = current(app, tenant).await?.settings.closure;
    change(app, tenant, who, base, Settings { closure, ..wanted.settings }).await
}

/// Declares or lifts the emergency closure, whatever else is being changed at the moment.
pub async fn close(app: &App, tenant: &TenantId, who: &str, closure: Option<Closure>) -> Result<(), SettingsError> {
    for _ in 1..CLOSURE_TRIES {
        let now = current(app, tenant).await?;
        let settings = Settings { closure: closure.clone(), ..now.settings };
        match change(app, tenant, who, now.version, settings).await {
            Err(SettingsError::Outdated) => {}
            done => return done.map(drop),
        }
    }
    Err(SettingsError::Outdated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        serde_json::from_str::<Settings>(text).unwrap().sorted()
    }

    fn week(hours: &str) -> Settings {
        read(&format!(r#"{{"callback":true,"chat":false,"hours":[{hours}],"holidays":[]}}"#))
    }

    #[test]
    fn intervals_of_one_day_do_not_overlap() {
        let at = |day: &str, from: &str, to: &str| format!(r#"{{"day":"{day}","from":"{from}","to":"{to}"}}"#);
        for (hours, fault) in [
            ([at("mon", "08:00", "12:00"), at("mon", "13:00", "17:00")], None),
            ([at("mon", "13:00", "17:00"), at("mon", "08:00", "12:00")], None),
            ([at("mon", "08:00", "12:00"), at("mon", "12:00", "17:00")], None),
            ([at("mon", "08:00", "12:00"), at("mon", "11:59", "17:00")], Some("hours.mon")),
            ([at("mon", "08:00", "12:00"), at("tue", "08:00", "12:00")], None),
            // Past midnight there is no room for another one on the same day.
            ([at("sat", "20:00", "02:00"), at("sat", "21:00", "22:00")], Some("hours.sat")),
            ([at("sun", "00:00", "24:00"), at("sun", "01:00", "02:00")], Some("hours.sun")),
        ] {
            assert_eq!(week(&hours.join(",")).fault().as_deref(), fault, "{hours:?}");
        }
    }

    #[test]
    fn a_holiday_has_a_name_and_comes_once() {
        let holiday = |more: &str| read(&format!(r#"{{"callback":true,"chat":true,"hours":[],"holidays":[{more}]}}"#));
        let day = |name: &str, open: &str| format!(r#"{{"date":"2026-12-24","name":"{name}","open":{open}}}"#);
        assert_eq!(holiday(&day("Christmas Eve", r#"[["08:00","12:00"]]"#)).fault(), None);
        assert_eq!(holiday(&day("Christmas Eve", r#"[["20:00","24:00"]]"#)).fault(), None);
        for wrong in [
            day(" ", "[]"),
            day("Backwards", r#"[["12:00","08:00"]]"#),
            day("Twice", r#"[["08:00","12:00"],["11:00","13:00"]]"#),
            format!("{},{}", day("One", "[]"), day("Two", "[]")),
        ] {
            assert_eq!(holiday(&wrong).fault().as_deref(), Some("holidays.2026-12-24"), "{wrong}");
        }
    }

    #[test]
    fn what_is_otherwise_is_told_setting_by_setting() {
        let before = week(r#"{"day":"mon","from":"08:00","to":"17:00"}"#);
        let mut after = week(r#"{"day":"mon","from":"08:00","to":"18:00"},{"day":"tue","from":"08:00","to":"17:00"}"#);
        after.callback = false;
        let told: Vec<_> =
            after.differences(&before).into_iter().map(|one| (one.what, one.before, one.after)).collect();
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
}
