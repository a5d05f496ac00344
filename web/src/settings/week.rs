//! When the office is open: the usual week, and the dates that are not like it.

use chrono::{NaiveDate, NaiveTime, Weekday};
use ringback_routing::config::{Holiday, OpenInterval};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::is_name;
use crate::config::tenant::ClockTime;

/// More intervals than a week of three shifts and their breaks can have.
const MOST_INTERVALS: usize = 70;
/// Some years of holidays.
const MOST_HOLIDAYS: usize = 400;
/// Half days have few openings.
const MOST_OPENINGS: usize = 6;

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

pub(super) fn week_of(week: &[OpenInterval]) -> Vec<DayHours> {
    week.iter().map(|at| DayHours { day: Day(at.day), from: ClockTime(at.from), to: ClockTime(at.to) }).collect()
}

pub(super) fn intervals(week: &[DayHours]) -> Vec<OpenInterval> {
    week.iter().map(|at| OpenInterval { day: at.day.0, from: at.from.0, to: at.to.0 }).collect()
}

pub(super) fn days_off(holidays: &[Holiday]) -> Vec<DayOff> {
    let times = |day: &Holiday| day.open.iter().map(|(from, to)| (ClockTime(*from), ClockTime(*to))).collect();
    holidays.iter().map(|day| DayOff { date: day.date, name: day.name.clone(), open: times(day) }).collect()
}

pub(super) fn holidays(days: &[DayOff]) -> Vec<Holiday> {
    let times = |day: &DayOff| day.open.iter().map(|(from, to)| (from.0, to.0)).collect();
    days.iter().map(|day| Holiday { date: day.date, name: day.name.clone(), open: times(day) }).collect()
}

/// In one order, whatever the order they were typed in.
pub(super) fn sort(week: &mut [DayHours]) {
    week.sort_by_key(|at| (at.day.0.num_days_from_monday(), at.from.0, at.to.0));
}

pub(super) fn sort_days(days: &mut [DayOff]) {
    days.sort_by_key(|day| day.date);
    for day in days {
        day.name = day.name.trim().to_owned();
        day.open.sort_by_key(|(from, to)| (from.0, to.0));
    }
}

/// The first day of a sorted week that cannot be kept; `name` is the setting's.
pub(super) fn fault(name: &str, week: &[DayHours]) -> Option<String> {
    if week.len() > MOST_INTERVALS {
        return Some(name.to_owned());
    }
    let pair = week.windows(2).find(|pair| overlap(&pair[0], &pair[1]))?;
    Some(format!("{name}.{}", String::from(pair[1].day)))
}

/// The first of sorted holidays that cannot be kept.
pub(super) fn holidays_fault(days: &[DayOff]) -> Option<String> {
    if days.len() > MOST_HOLIDAYS {
        return Some("holidays".to_owned());
    }
    let twice = days.windows(2).find(|pair| pair[0].date == pair[1].date).map(|pair| &pair[1]);
    let odd = days.iter().find(|day| !is_name(&day.name) || !openings_fit(day));
    twice.or(odd).map(|day| format!("holidays.{}", day.date))
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
