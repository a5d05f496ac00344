//! Opening hours: whether the tenant is open at an instant, why not, and when next.
//!
//! Weekly intervals are wall-clock times in the tenant's zone and belong to the day they begin on, also past midnight.
//! When clocks go forward, a time that does not exist becomes the first instant after the gap. When they go back, an
//! interval begins at the first and ends at the second occurrence of a repeated time: nobody is turned away while the
//! clock on the wall says open.

use chrono::{Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Weekday};
use chrono_tz::Tz;

use crate::{
    config::{Closure, Hours, TenantConfig},
    reason::ClosedReason,
    time::Timestamp,
};

/// How far ahead the next opening is looked for.
const HORIZON_DAYS: u64 = 400;
/// A gap in local time is at most a day (Samoa, 2011) and some.
const LONGEST_GAP_MINUTES: i64 = 26 * 60;
/// Hours and callback window that never meet are given up after so many openings.
const LONGEST_SEARCH: usize = 1_000;
/// Chained intervals (around the clock) are followed this far for `closes_at`.
const LONGEST_CHAIN: usize = 32;

/// The answer for one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Openness {
    /// None = open.
    pub closed: Option<ClosedReason>,
    /// When closed: the next opening, if one is in sight.
    pub next_open: Option<Timestamp>,
    /// When open: the end of it, if one is in sight.
    pub closes_at: Option<Timestamp>,
}

impl Openness {
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }
}

/// Whether the tenant is open at `now`.
pub fn openness(config: &TenantConfig, now: Timestamp) -> Openness {
    let calendar = Calendar { hours: &config.hours, zone: config.timezone };
    let shut = |closed| Openness { closed: Some(closed), next_open: calendar.next_open(now), closes_at: None };
    if let Some(closure) = config.hours.closure.as_ref().filter(|closure| covers(closure, now)) {
        return shut(ClosedReason::Closure { message: closure.message.clone() });
    }
    if let Some(end) = calendar.open_until(now) {
        let closure = config.hours.closure.as_ref().map(|closure| closure.since).filter(|since| *since > now);
        let closes_at = [end, closure].into_iter().flatten().min();
        return Openness { closed: None, next_open: None, closes_at };
    }
    shut(match calendar.holiday(calendar.local_date(now)) {
        Some(holiday) => ClosedReason::Holiday { name: holiday.name.clone() },
        None => ClosedReason::Hours,
    })
}

/// Whether customers may be called at `now`: within hours, holidays and closures, and within the callback window. The
/// reason is that of the hours where they say no, else [`ClosedReason::Hours`].
pub fn callable(config: &TenantConfig, now: Timestamp) -> Openness {
    let open = openness(config, now);
    if config.callback.window.is_empty() {
        return open;
    }
    let hours = Hours { week: config.callback.window.clone(), ..Hours::default() };
    let window = Calendar { hours: &hours, zone: config.timezone };
    if let (true, Some(end)) = (open.is_open(), window.open_until(now)) {
        return Openness { closes_at: [open.closes_at, end].into_iter().flatten().min(), ..open };
    }
    let closed = open.closed.unwrap_or(ClosedReason::Hours);
    Openness { closed: Some(closed), next_open: next_callable(config, &window, now), closes_at: None }
}

/// The first instant from `from` on that is within both.
fn next_callable(config: &TenantConfig, window: &Calendar<'_>, from: Timestamp) -> Option<Timestamp> {
    let mut at = from;
    for _ in 0..LONGEST_SEARCH {
        let open = openness(config, at);
        let start = if open.is_open() { at } else { open.next_open? };
        let within = window.next_by_hours(start)?;
        if within == start {
            return Some(start);
        }
        at = within;
    }
    None
}

/// When what is said of being closed may change while nobody opens: on another day, which may be a holiday, at the edges
/// of a closure and of the hours.
pub(crate) fn next_reason(config: &TenantConfig, now: Timestamp) -> Option<Timestamp> {
    let calendar = Calendar { hours: &config.hours, zone: config.timezone };
    let tomorrow = calendar.local_date(now).checked_add_days(Days::new(1));
    let midnight = tomorrow.and_then(|date| calendar.instant(date, NaiveTime::MIN, Edge::Begin));
    let closure = config.hours.closure.as_ref();
    let hours = openness(config, now);
    let edges = [midnight, closure.map(|closure| closure.since), closure.and_then(|closure| closure.until)];
    edges.into_iter().chain([hours.closes_at, hours.next_open]).flatten().filter(|at| *at > now).min()
}

fn covers(closure: &Closure, at: Timestamp) -> bool {
    closure.since <= at && closure.until.is_none_or(|until| at < until)
}

struct Calendar<'a> {
    hours: &'a Hours,
    zone: Tz,
}

impl Calendar<'_> {
    fn local_date(&self, at: Timestamp) -> NaiveDate {
        at.to_utc().with_timezone(&self.zone).date_naive()
    }

    fn holiday(&self, date: NaiveDate) -> Option<&crate::config::Holiday> {
        self.hours.holidays.iter().find(|holiday| holiday.date == date)
    }

    /// The intervals that begin on `date`, as instants.
    fn intervals(&self, date: NaiveDate) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let holiday = self.holiday(date);
        let special = holiday.into_iter().flat_map(|holiday| holiday.open.iter().copied());
        let weekly = self.hours.week.iter().filter(move |interval| holiday.is_none() && interval.day == date.weekday());
        special.chain(weekly.map(|interval| (interval.from, interval.to))).filter_map(move |(from, to)| {
            let last = if to <= from { date.checked_add_days(Days::new(1))? } else { date };
            let span = (self.instant(date, from, Edge::Begin)?, self.instant(last, to, Edge::End)?);
            (span.0 < span.1).then_some(span)
        })
    }

    fn instant(&self, date: NaiveDate, time: NaiveTime, edge: Edge) -> Option<Timestamp> {
        let mut local = NaiveDateTime::new(date, time);
        for _ in 0..LONGEST_GAP_MINUTES {
            match self.zone.from_local_datetime(&local) {
                LocalResult::Single(at) => return Some(at.to_utc().into()),
                LocalResult::Ambiguous(first, second) => {
                    return Some(if edge == Edge::Begin { first } else { second }.to_utc().into());
                }
                LocalResult::None => local = local.checked_add_signed(TimeDelta::minutes(1))?,
            }
        }
        None
    }

    /// Open at `at` by hours and holidays: Some, with the end if it ends in sight.
    fn open_until(&self, at: Timestamp) -> Option<Option<Timestamp>> {
        if self.is_always_open() {
            return Some(None);
        }
        let mut end = self.covering(at)?;
        for _ in 0..LONGEST_CHAIN {
            match self.covering(end) {
                Some(later) => end = later,
                None => return Some(Some(end)),
            }
        }
        Some(None)
    }

    /// Around the clock on each day of the week and on no holiday otherwise: asked before every request, answered
    /// without a calendar.
    fn is_always_open(&self) -> bool {
        let whole = |day: Weekday| {
            let mut week = self.hours.week.iter();
            week.any(|open| open.day == day && (open.from, open.to) == (NaiveTime::MIN, NaiveTime::MIN))
        };
        let monday = Weekday::Mon;
        self.hours.holidays.is_empty()
            && std::iter::successors(Some(monday), |day| Some(day.succ()).filter(|day| *day != monday)).all(whole)
    }

    /// The latest end among the intervals that hold `at`.
    fn covering(&self, at: Timestamp) -> Option<Timestamp> {
        let today = self.local_date(at);
        // Two days back: a skipped day can lie between an interval's beginning and its end.
        (0..=2u64)
            .filter_map(|back| today.checked_sub_days(Days::new(back)))
            .flat_map(|date| self.intervals(date))
            .filter(|(begin, end)| *begin <= at && at < *end)
            .map(|(_, end)| end)
            .max()
    }

    /// The first instant from `at` on that is within hours and outside the closure.
    fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        let mut from = at;
        let closure = self.hours.closure.as_ref();
        if let Some(closure) = closure.filter(|closure| covers(closure, from)) {
            from = closure.until?;
        }
        let open = self.next_by_hours(from)?;
        match closure.filter(|closure| covers(closure, open)) {
            Some(closure) => self.next_by_hours(closure.until?),
            None => Some(open),
        }
    }

    fn next_by_hours(&self, from: Timestamp) -> Option<Timestamp> {
        let first = self.local_date(from).checked_sub_days(Days::new(2))?;
        (0..HORIZON_DAYS).map_while(|day| first.checked_add_days(Days::new(day))).find_map(|date| {
            self.intervals(date).filter(|(_, end)| *end > from).map(|(begin, _)| begin.max(from)).min()
        })
    }
}

#[derive(PartialEq, Clone, Copy)]
enum Edge {
    Begin,
    End,
}
