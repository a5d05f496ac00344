//! Opening hours against the zone database: several intervals, past midnight, holidays, closures, and every change
//! of the clocks of every zone in twenty years.

use crate::world::{MORNING, World, config, requested, secs};
use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::{OffsetComponents, TZ_VARIANTS, Tz};
use ringback_routing::{
    config::*,
    event::{Event, Receipt},
    hours::openness,
    reason::ClosedReason,
    time::*,
};

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

const WEEK: [Weekday; 7] = {
    use Weekday::*;
    [Mon, Tue, Wed, Thu, Fri, Sat, Sun]
};

fn daily(zone: Tz, spans: &[(&str, &str)]) -> TenantConfig {
    let mut config = config();
    config.timezone = zone;
    let days = WEEK
        .iter()
        .flat_map(|&day| spans.iter().map(move |(from, to)| OpenInterval { day, from: time(from), to: time(to) }));
    config.hours.week = days.collect();
    config
}

fn local(zone: Tz, text: &str) -> Timestamp {
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    zone.from_local_datetime(&naive).earliest().unwrap().to_utc().into()
}

const ZONE: Tz = chrono_tz::America::Los_Angeles;

#[test]
fn several_intervals_a_day() {
    let config = daily(ZONE, &[("08:00", "12:00"), ("13:00", "17:00")]);
    for (at, open, edge) in [
        ("2026-03-03 07:59", false, "2026-03-03 08:00"),
        ("2026-03-03 08:00", true, "2026-03-03 12:00"),
        ("2026-03-03 12:00", false, "2026-03-03 13:00"),
        ("2026-03-03 16:59", true, "2026-03-03 17:00"),
        ("2026-03-03 17:00", false, "2026-03-04 08:00"),
    ] {
        let found = openness(&config, local(ZONE, at));
        assert_eq!(found.is_open(), open, "{at}");
        assert_eq!(found.closes_at.or(found.next_open), Some(local(ZONE, edge)), "{at}");
    }
}

#[test]
fn a_clock_set_back_into_open_hours_opens() {
    let mut world = World::new(daily(ZONE, &[("08:00", "17:00")]), &[]);
    world.now = local(ZONE, "2026-03-03 17:30");
    world.pass(secs(1));
    assert!(world.take(requested(1)).is_err(), "closed");
    world.now = local(ZONE, "2026-03-03 16:30");
    let Receipt::CallbackQueued { .. } = world.ok(requested(1)) else { panic!("open again") };
    assert!(world.core.knows_the_hours(world.now));
    world.now = local(ZONE, "2026-03-03 07:30");
    world.core.handle_timeout(world.now);
    world.drain();
    assert!(world.core.knows_the_hours(world.now), "and closed again");
}

#[test]
fn past_midnight_and_round_the_clock() {
    let night = daily(ZONE, &[("22:00", "02:00")]);
    let found = openness(&night, local(ZONE, "2026-03-04 01:30"));
    assert_eq!(found.closes_at, Some(local(ZONE, "2026-03-04 02:00")));
    assert!(!openness(&night, local(ZONE, "2026-03-04 02:00")).is_open());
    let always = daily(ZONE, &[("00:00", "00:00")]);
    let found = openness(&always, MORNING);
    assert!(found.is_open() && found.closes_at.is_none(), "no end in sight");
}

#[test]
fn the_weekend_is_skipped() {
    let found = openness(&config(), local(ZONE, "2026-03-06 18:00"));
    assert_eq!(found.next_open, Some(local(ZONE, "2026-03-09 08:00")));
    assert_eq!(found.closed, Some(ClosedReason::Hours));
}

#[test]
fn holidays_full_and_half() {
    let mut config = config();
    let date = NaiveDate::from_ymd_opt(2026, 12, 25).unwrap();
    config.hours.holidays.push(Holiday { date, name: "Christmas".into(), open: vec![] });
    let eve = date.pred_opt().unwrap();
    let open = vec![(time("09:00"), time("12:00"))];
    config.hours.holidays.push(Holiday { date: eve, name: "Christmas Eve".into(), open });
    assert!(!openness(&config, local(ZONE, "2026-12-24 08:30")).is_open());
    assert!(openness(&config, local(ZONE, "2026-12-24 09:30")).is_open());
    let found = openness(&config, local(ZONE, "2026-12-24 12:00"));
    assert_eq!(found.closed, Some(ClosedReason::Holiday { name: "Christmas Eve".into() }));
    assert_eq!(found.next_open, Some(local(ZONE, "2026-12-28 08:00")), "over Christmas and the weekend");
}

#[test]
fn a_closure_begins_ends_and_says_why() {
    let mut config = config();
    let message = "Flood".to_owned();
    let at = |hours: i64| MORNING + secs(hours * 3600);
    let closure = |until| Some(Closure { since: at(1), until, message: message.clone() });
    config.hours.closure = closure(Some(at(2)));
    let before = openness(&config, MORNING);
    assert_eq!((before.is_open(), before.closes_at), (true, Some(at(1))));
    let during = openness(&config, at(1));
    assert_eq!(
        (during.closed, during.next_open),
        (Some(ClosedReason::Closure { message: message.clone() }), Some(at(2)))
    );
    assert!(openness(&config, at(2)).is_open());
    config.hours.closure = closure(Some(at(10)));
    assert_eq!(openness(&config, at(1)).next_open, Some(at(22)), "expires at night");
    config.hours.closure = closure(None);
    assert_eq!(openness(&config, at(500)).next_open, None, "nobody knows");
}

#[test]
fn no_hours_at_all_are_never_open() {
    let mut config = config();
    config.hours = Hours::default();
    let found = openness(&config, MORNING);
    assert_eq!((found.is_open(), found.next_open), (false, None));
}

/// All offset changes of `zone` from 2015 to 2035, found by halving; each as (before, after) instants a second apart.
fn changes(zone: Tz) -> Vec<i64> {
    let offset = |at: i64| {
        let offset = zone.offset_from_utc_datetime(&Utc.timestamp_opt(at, 0).unwrap().naive_utc());
        offset.base_utc_offset() + offset.dst_offset()
    };
    let begin = Utc.with_ymd_and_hms(2015, 1, 1, 0, 0, 0).unwrap().timestamp();
    let step = 20 * 86_400;
    let mut found = Vec::new();
    for at in (begin..begin + 20 * 365 * 86_400).step_by(step) {
        let (mut low, mut high) = (at, at + step as i64);
        if offset(low) == offset(high) {
            continue;
        }
        while high - low > 1 {
            let middle = (low + high) / 2;
            if offset(middle) == offset(low) { low = middle } else { high = middle }
        }
        found.push(high);
    }
    found
}

/// The wall clock decides: open when it shows a time within an interval, closed when it does not; only where the
/// clocks go back may an interval that was begun stay open through the repeated hour.
#[test]
fn the_wall_clock_decides_through_every_change_of_every_zone() {
    let spans = [("00:30", "01:30"), ("02:15", "02:45"), ("23:10", "00:10")];
    let mut seen = 0;
    for zone in TZ_VARIANTS {
        let config = daily(zone, &spans);
        for change in changes(zone) {
            seen += 1;
            for minute in (-180..=180).step_by(15) {
                let at = Utc.timestamp_opt(change + minute * 60, 0).unwrap();
                let wall = at.with_timezone(&zone).naive_local();
                let within = spans.iter().any(|(from, to)| {
                    let (from, to, now) = (time(from), time(to), wall.time());
                    if to > from { from <= now && now < to } else { now >= from || now < to }
                });
                let found = openness(&config, at.into()).is_open();
                assert!(
                    found == within || found && repeats_nearby(zone, wall),
                    "{zone} {at} shows {wall}: open {found}"
                );
            }
        }
    }
    assert!(seen > 1000, "{seen} changes were looked at");
}

/// Whether the wall clock shows times twice within three hours.
fn repeats_nearby(zone: Tz, wall: chrono::NaiveDateTime) -> bool {
    (-180..=180).step_by(5).any(|minutes| {
        let near = wall + TimeDelta::minutes(minutes);
        matches!(zone.from_local_datetime(&near), chrono::LocalResult::Ambiguous(..))
    })
}

#[test]
fn clocks_forward_and_back_by_example() {
    let config = daily(ZONE, &[("02:15", "04:00")]);
    // 2026-03-08: 02:00 becomes 03:00, so opening moves to the first instant there is.
    let night = local(ZONE, "2026-03-08 01:00");
    assert_eq!(openness(&config, night).next_open, Some(local(ZONE, "2026-03-08 03:00")));
    // 2026-11-01: 02:00 becomes 01:00; open from the first half past one to the second.
    let config = daily(ZONE, &[("01:15", "01:30")]);
    let first = local(ZONE, "2026-11-01 01:15");
    assert_eq!(openness(&config, first).closes_at, Some(first + secs(75 * 60)));
}

/// Whatever the hours, the next opening is open and nothing before it is.
#[test]
fn the_next_opening_is_the_first() {
    let mut config = config();
    config.hours.week.truncate(3);
    config.hours.week.push(OpenInterval { day: Weekday::Sat, from: time("22:00"), to: time("03:00") });
    let date = NaiveDate::from_ymd_opt(2026, 3, 9).unwrap();
    config.hours.holidays.push(Holiday { date, name: "A day".into(), open: vec![] });
    assert_eq!(date.weekday(), Weekday::Mon);
    for half_hours in 0..700 {
        let at = MORNING + secs(half_hours * 1800);
        let found = openness(&config, at);
        let Some(next) = found.next_open else { continue };
        assert!(openness(&config, next).is_open() && next > at);
        assert!(!openness(&config, next - Millis(1)).is_open());
        let between = (1..).map(|step| at + secs(step * 1800)).take_while(|between| *between < next);
        assert!(between.into_iter().all(|between| !openness(&config, between).is_open()));
    }
}

/// Every how many zones one is walked in the default run; all of them with RINGBACK_ALL_ZONES=1, as `tests/run full` does.
const ZONE_SAMPLE: usize = 24;

/// Another way to the same answer: walk the instants around every change of the clocks in steps of five minutes, and
/// call an interval's opening whatever lies between the first and the last instant at which the wall clock of its day
/// showed a time within it. It shares nothing with the calendar but the zone database.
#[test]
fn walking_every_instant_gives_the_same_hours() {
    let spans = [("00:30", "01:30"), ("02:15", "02:45"), ("22:50", "00:10")];
    let all = std::env::var_os("RINGBACK_ALL_ZONES").is_some();
    let (mut changes_seen, mut instants) = (0, 0);
    for zone in TZ_VARIANTS.into_iter().step_by(if all { 1 } else { ZONE_SAMPLE }) {
        let config = daily(zone, &spans);
        for change in changes(zone) {
            changes_seen += 1;
            let openings = walked(zone, change, &spans);
            for minute in (-240..=240).step_by(5) {
                instants += 1;
                let at = change + minute * 60;
                let expected = openings.iter().any(|(first, last)| *first <= at && at <= *last);
                let found = openness(&config, Timestamp::from_millis(at * 1000));
                assert_eq!(found.is_open(), expected, "{zone} {:?}", Utc.timestamp_opt(at, 0));
            }
        }
    }
    assert!(changes_seen > 20 && instants > 2_000, "{changes_seen} changes, {instants} instants");
}

/// The first and last instant of every interval's opening within thirty hours of `change`.
fn walked(zone: Tz, change: i64, spans: &[(&str, &str)]) -> Vec<(i64, i64)> {
    let mut found = std::collections::BTreeMap::<(NaiveDate, usize), (i64, i64)>::new();
    for minute in (-1800..=1800).step_by(5) {
        let at = change + minute * 60;
        let wall = Utc.timestamp_opt(at, 0).unwrap().with_timezone(&zone).naive_local();
        for (number, (from, to)) in spans.iter().enumerate() {
            let (from, to, now) = (time(from), time(to), wall.time());
            let day = match to > from {
                true if from <= now && now < to => wall.date(),
                false if now >= from => wall.date(),
                false if now < to => wall.date().pred_opt().unwrap(),
                _ => continue,
            };
            found.entry((day, number)).and_modify(|span| span.1 = at).or_insert((at, at));
        }
    }
    found.into_values().collect()
}

#[test]
fn who_was_told_a_time_is_left_to_it_where_others_are_kept_in_line() {
    let mut config = config();
    config.hours.at_closing = AtClosing { hours: Waiting::Keep, holiday: Waiting::Keep, closure: Waiting::Keep };
    let mut world = World::new(config, &[]);
    world.now = MORNING + secs(10 * 3600);
    let Event::CallbackRequested { mut request } = requested(1) else { panic!() };
    request.when_open = true;
    let Receipt::CallbackScheduled { contact, .. } = world.ok(Event::CallbackRequested { request }) else { panic!() };
    let told = world.row(contact).clone();
    world.ok(Event::ClosureLifted);
    world.pass(secs(1));
    assert_eq!(
        (world.row(contact), world.deeds.len()),
        (&told, 0),
        "looked at the hours again, and nothing new to say"
    );
}

#[test]
fn those_kept_at_night_are_told_when_the_day_becomes_a_holiday() {
    let mut config = config();
    config.hours.at_closing = AtClosing { hours: Waiting::Keep, holiday: Waiting::Tell, closure: Waiting::Keep };
    let date = NaiveDate::from_ymd_opt(2026, 3, 4).unwrap();
    config.hours.holidays = vec![Holiday { date, name: "Day of rest".into(), open: vec![] }];
    let mut world = World::new(config, &[]);
    let contact = world.request(1);
    world.pass(secs(13 * 3600));
    assert!(world.is_queued(contact), "closed by hours since the evening, and kept");
    world.pass(secs(2 * 3600));
    assert!(world.outcome(contact).is_some(), "the holiday has begun at midnight");
}
