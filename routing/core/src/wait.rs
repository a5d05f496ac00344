//! The expected wait: a range the customer can rely on, or silence when there is no data.
//!
//! Two numbers are given, P50 (half of such waits are over by then) and P90 (nine of ten are). They come from
//!
//! 1. the *queue length*: the time until as many of the busy agents are done as stand before the contact and itself,
//!    by the mean handling time and the number of effective agents, spread like that many departures (Gamma);
//! 2. the *delay of the last contact* to enter service, moved by how much longer or shorter the line is now, blended in
//!    when the last ten minutes hold five answers or more;
//! 3. the *errors of the last waits*: how often longer than predicted the last waits were. Whatever 1 and 2 do not
//!    know (agents shared with other queues, refusals, people who give up) is in there.
//!
//! With an agent free for it, a contact waits only for that agent to accept: the last such delays are the range.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    contact::Channel,
    ids::{QueueId, SubjectId},
    time::{Millis, Timestamp},
};

/// How many past handling times the mean is taken over.
const HANDLED_KEPT: usize = 200;
/// Fewer handling times (or accepted offers) than this are no data.
const NEEDED: usize = 3;
/// How many errors of past waits the correction is taken from, and how few are too few for one.
const ERRORS_KEPT: usize = 200;
const ERRORS_NEEDED: usize = 20;
/// No correction is larger than this, either way.
const LARGEST_CORRECTION: f64 = 5.0;
/// The delay of the last answer is believed when this many answers fell into the window.
const ANSWERS_NEEDED: usize = 5;
const ANSWER_WINDOW: Millis = Millis::from_secs(600);
const ANSWERS_KEPT: usize = 64;
/// The share of the last contact's delay in the blend.
const DELAY_SHARE: f64 = 1.0 / 3.0;
const LONGEST_SPAN: Millis = Millis::from_secs(86_400);
/// The 90th percentile of the standard normal distribution.
const Z90: f64 = 1.281_551_6;
/// So many departures away a contact counts as far back in line.
const FAR: u32 = 8;

/// What can honestly be said about a wait. Milliseconds, at most a day: every contact in line carries some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitRange {
    p50: u32,
    p90: u32,
}

impl WaitRange {
    pub fn new(p50: Millis, p90: Millis) -> Self {
        let short = |span: Millis| u32::try_from(span.0.clamp(0, LONGEST_SPAN.0)).unwrap_or(u32::MAX);
        Self { p50: short(p50), p90: short(p90.max(p50)) }
    }

    /// Half of such waits are over by then.
    pub fn p50(self) -> Millis {
        Millis(i64::from(self.p50))
    }

    /// Nine of ten are. Never less than [`WaitRange::p50`].
    pub fn p90(self) -> Millis {
        Millis(i64::from(self.p90))
    }
}

/// A prediction and what it was made from, kept to be held against the actual wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    pub range: WaitRange,
    /// The range before it was corrected by past errors.
    pub raw: WaitRange,
    pub kind: ForecastKind,
}

/// Errors are told apart by how the prediction was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForecastKind {
    /// An agent was free for it.
    Free,
    /// Fewer than eight departures away.
    Near,
    Far,
}

/// When a contact first came in line, and what was expected then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstWait {
    pub since: Timestamp,
    /// 1 = next.
    pub position: u32,
    /// None: nothing was known.
    pub forecast: Option<Forecast>,
}

/// What of the past the estimates rest on, as the ledger's facts have it; a start is given the latest, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastWait {
    pub at: Timestamp,
    pub queue: QueueId,
    pub subject: SubjectId,
    pub channel: Channel,
    pub seen: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub enum Seen {
    /// A contact entered service for the first time, `waited` after it came in line; the offer stood for `answer`.
    Served { waited: Millis, answer: Millis, position: u32, forecast: Option<Forecast> },
    /// A contact took up an agent for `span`, from the offer on. `served` is false when it stayed in line.
    Handled { span: Millis, served: bool },
}

/// The place an estimate is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) now: Timestamp,
    pub(crate) subject: &'a SubjectId,
    pub(crate) channel: Channel,
    /// 1 = next.
    pub(crate) position: u32,
    /// Agents who could take it at once.
    pub(crate) free: u32,
    /// Contacts that the agents who serve it can have in hand, busy ones included.
    pub(crate) effective: u32,
}

/// What one queue has seen of handling times and waits.
#[derive(Debug, Default)]
pub(crate) struct WaitStats {
    handled: BTreeMap<Channel, Handled>,
    served: BTreeMap<(SubjectId, Channel), Served>,
}

#[derive(Debug, Default)]
struct Handled {
    spans: VecDeque<i64>,
    sum: i64,
    squares: i128,
    /// Time lost on offers that came to nothing since the last that was taken; it belongs to the next.
    lost: i64,
}

#[derive(Debug, Default)]
struct Served {
    /// When, after how long, from which place.
    answers: VecDeque<(Timestamp, Millis, u32)>,
    /// How long offers stood before they were accepted.
    offers: Latest<ANSWERS_KEPT>,
    errors: BTreeMap<ForecastKind, Errors>,
}

/// Actual over predicted, for both ends of the range.
#[derive(Debug, Default)]
struct Errors {
    p50: Latest<ERRORS_KEPT>,
    p90: Latest<ERRORS_KEPT>,
}

/// The latest values, in the order they came and in the order of their size.
#[derive(Debug, Default)]
struct Latest<const MOST: usize> {
    came: VecDeque<f64>,
    sorted: Vec<f64>,
}

impl<const MOST: usize> Latest<MOST> {
    fn push(&mut self, value: f64) {
        if self.came.len() >= MOST
            && let Some(oldest) = self.came.pop_front()
            && let at = self.at(oldest)
            && at < self.sorted.len()
        {
            self.sorted.remove(at);
        }
        self.came.push_back(value);
        self.sorted.insert(self.at(value), value);
    }

    fn at(&self, value: f64) -> usize {
        self.sorted.partition_point(|known| known.total_cmp(&value).is_lt())
    }

    fn len(&self) -> usize {
        self.came.len()
    }

    fn mean(&self) -> f64 {
        self.came.iter().sum::<f64>() / self.came.len().max(1) as f64
    }

    /// Between the order statistics, so that the next of a kind lies below it with the probability `level`.
    fn quantile(&self, level: f64) -> f64 {
        let Some(last) = self.sorted.len().checked_sub(1) else { return 0.0 };
        let at = (level * (self.sorted.len() + 1) as f64 - 1.0).clamp(0.0, last as f64);
        let low = at as usize;
        let (from, to) = (self.sorted[low], self.sorted[(low + 1).min(last)]);
        from + (to - from) * (at - low as f64)
    }
}

impl WaitStats {
    pub(crate) fn see(&mut self, at: Timestamp, subject: &SubjectId, channel: Channel, seen: Seen) {
        match seen {
            // A clock set by years in the middle of a call is no handling time.
            Seen::Handled { span, served } => {
                self.handled.entry(channel).or_default().add(span.0.clamp(0, LONGEST_SPAN.0), served);
            }
            Seen::Served { waited, answer, position, forecast } => {
                let served = self.served.entry((subject.clone(), channel)).or_default();
                push(&mut served.answers, (at, waited, position), ANSWERS_KEPT);
                served.offers.push(answer.0.clamp(0, LONGEST_SPAN.0) as f64);
                if let Some(forecast) = forecast {
                    served.errors.entry(forecast.kind).or_default().add(waited, forecast.raw);
                }
            }
        }
    }

    /// None without data or without agents.
    pub(crate) fn estimate(&self, asked: Asked<'_>) -> Option<Forecast> {
        let served = self.served.get(&(asked.subject.clone(), asked.channel));
        let (raw, kind) = match asked.position <= asked.free {
            true => (served.filter(|served| served.offers.len() >= NEEDED)?.offer_range(), ForecastKind::Free),
            false => self.by_line(asked, served)?,
        };
        let errors = served.and_then(|served| served.errors.get(&kind));
        let (by50, by90) = errors.map_or((1.0, 1.0), Errors::correction);
        let range = WaitRange::new(scaled(raw.p50(), by50), scaled(raw.p90(), by90));
        Some(Forecast { range, raw, kind })
    }

    fn by_line(&self, asked: Asked<'_>, served: Option<&Served>) -> Option<(WaitRange, ForecastKind)> {
        let handled = self.handled.get(&asked.channel).filter(|handled| handled.spans.len() >= NEEDED)?;
        if asked.effective == 0 {
            return None;
        }
        let (mean, variation) = handled.mean_and_variation();
        let agents = f64::from(asked.effective);
        let departures = f64::from(asked.position - asked.free);
        let each = mean / agents;
        let by_length = each * departures;
        let by_delay = served.and_then(|served| served.last_delay(asked, each));
        let blend = by_delay.map_or(by_length, |delay| by_length + (delay - by_length) * DELAY_SHARE);
        let centre = blend.max(each / 4.0);
        // Near departures of many agents come like those of a Poisson process, whatever the handling times look like;
        // far ones vary as much as handling times do.
        let shape = departures / (1.0 + (variation - 1.0) * departures / (departures + agents));
        let answer = served.map_or(0.0, |served| served.offers.mean());
        let end = |z| millis(centre * gamma_quantile(shape, z) / shape + answer);
        let kind = if asked.position - asked.free < FAR { ForecastKind::Near } else { ForecastKind::Far };
        Some((WaitRange::new(end(0.0), end(Z90)), kind))
    }
}

impl Handled {
    fn add(&mut self, span: i64, served: bool) {
        if served {
            let lost = std::mem::take(&mut self.lost);
            let span = (span + lost).min(LONGEST_SPAN.0);
            if self.spans.len() >= HANDLED_KEPT {
                let oldest = self.spans.pop_front().unwrap_or(0);
                self.sum -= oldest;
                self.squares -= i128::from(oldest) * i128::from(oldest);
            }
            self.spans.push_back(span);
            self.sum += span;
            self.squares += i128::from(span) * i128::from(span);
        } else {
            self.lost = (self.lost + span).min(LONGEST_SPAN.0);
        }
    }

    /// In milliseconds; and the squared coefficient of variation, within bounds that a queue can have.
    fn mean_and_variation(&self) -> (f64, f64) {
        let count = self.spans.len() as f64;
        let mean = (self.sum as f64 / count).max(1.0);
        let variance = self.squares as f64 / count - mean * mean;
        (mean, (variance / (mean * mean)).clamp(0.05, 4.0))
    }
}

impl Served {
    fn offer_range(&self) -> WaitRange {
        WaitRange::new(millis(self.offers.quantile(0.5)), millis(self.offers.quantile(0.9)))
    }

    /// The delay of the last contact to enter service, moved by the difference between its place then and this one.
    fn last_delay(&self, asked: Asked<'_>, each: f64) -> Option<f64> {
        let recent = |(at, ..): &&(Timestamp, Millis, u32)| asked.now.since(*at) <= ANSWER_WINDOW;
        let (_, delay, position) = self.answers.back()?;
        let enough = self.answers.iter().filter(recent).count() >= ANSWERS_NEEDED;
        enough.then(|| delay.0 as f64 + (f64::from(asked.position) - f64::from(*position)) * each)
    }
}

impl Errors {
    fn add(&mut self, waited: Millis, raw: WaitRange) {
        let ratio = |predicted: Millis| waited.0.max(0) as f64 / predicted.0.max(1) as f64;
        self.p50.push(ratio(raw.p50()));
        self.p90.push(ratio(raw.p90()));
    }

    /// What the raw ends must be multiplied by so that half, and nine of ten, of the last waits would have been covered.
    fn correction(&self) -> (f64, f64) {
        if self.p50.len() < ERRORS_NEEDED {
            return (1.0, 1.0);
        }
        let at = |errors: &Latest<ERRORS_KEPT>, level| {
            errors.quantile(level).clamp(1.0 / LARGEST_CORRECTION, LARGEST_CORRECTION)
        };
        (at(&self.p50, 0.5), at(&self.p90, 0.9))
    }
}

fn push<T>(kept: &mut VecDeque<T>, new: T, most: usize) {
    if kept.len() >= most {
        kept.pop_front();
    }
    kept.push_back(new);
}

fn millis(span: f64) -> Millis {
    Millis((span.max(0.0) as i64).min(LONGEST_SPAN.0))
}

fn scaled(span: Millis, by: f64) -> Millis {
    millis(span.0 as f64 * by)
}

/// The quantile of a Gamma distribution of scale 1 at the normal quantile `z` (Wilson and Hilferty, 1931). Square roots
/// and products only: the same on every machine.
fn gamma_quantile(shape: f64, z: f64) -> f64 {
    let root = (1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt())).max(0.0);
    shape * root * root * root
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(10_000_000);

    fn place(subject: &SubjectId, position: u32, free: u32, effective: u32) -> Asked<'_> {
        Asked { now: NOW, subject, channel: Channel::Callback, position, free, effective }
    }

    fn served(waited: i64, position: u32, forecast: Option<Forecast>) -> Seen {
        Seen::Served { waited: Millis::from_secs(waited), answer: Millis::from_secs(5), position, forecast }
    }

    fn seconds(forecast: Option<Forecast>) -> (i64, i64) {
        let range = forecast.unwrap().range;
        (range.p50().0 / 1000, range.p90().0 / 1000)
    }

    #[test]
    fn unknown_without_data_then_by_length_then_blended() {
        let subject = SubjectId::new("benefits");
        let mut stats = WaitStats::default();
        let handled = Seen::Handled { span: Millis::from_secs(60), served: true };
        assert_eq!(stats.estimate(place(&subject, 1, 0, 1)), None);
        for _ in 0..3 {
            stats.see(NOW, &subject, Channel::Callback, handled);
        }
        assert_eq!(stats.estimate(place(&subject, 1, 0, 0)), None, "no agents");
        assert_eq!(stats.estimate(place(&subject, 1, 1, 1)), None, "nobody ever accepted an offer");
        // Ten departures of two agents, sixty seconds each.
        let (p50, p90) = seconds(stats.estimate(place(&subject, 10, 0, 2)));
        assert!((280..=300).contains(&p50) && (340..=400).contains(&p90), "{p50} {p90}");
        for _ in 0..5 {
            stats.see(NOW, &subject, Channel::Callback, served(900, 10, None));
        }
        // A third of the way from 300 to 900.
        let (blended, _) = seconds(stats.estimate(place(&subject, 10, 0, 2)));
        assert!((490..=510).contains(&blended), "{blended}");
        let later = Asked { now: NOW + Millis::from_secs(601), ..place(&subject, 10, 0, 2) };
        assert_eq!(seconds(stats.estimate(later)).0, p50 + 5, "the window is over; the offer's time stays");
        assert_eq!(seconds(stats.estimate(place(&subject, 1, 1, 2))), (5, 5), "free: as long as offers stand");
        let chat = Asked { channel: Channel::Chat, ..place(&subject, 10, 0, 2) };
        assert_eq!(stats.estimate(chat), None, "another channel knows nothing of it");
    }

    #[test]
    fn the_last_delay_is_moved_by_the_growth_of_the_line() {
        let subject = SubjectId::new("benefits");
        let mut stats = WaitStats::default();
        for _ in 0..5 {
            stats.see(NOW, &subject, Channel::Callback, Seen::Handled { span: Millis::from_secs(60), served: true });
            stats.see(NOW, &subject, Channel::Callback, served(60, 2, None));
        }
        let seen = &stats.served[&(subject.clone(), Channel::Callback)];
        assert_eq!(seen.last_delay(place(&subject, 12, 0, 2), 30_000.0), Some(360_000.0));
    }

    #[test]
    fn past_errors_correct_both_ends() {
        let subject = SubjectId::new("benefits");
        let mut stats = WaitStats::default();
        for _ in 0..3 {
            stats.see(NOW, &subject, Channel::Callback, Seen::Handled { span: Millis::from_secs(60), served: true });
        }
        let long_ago = Timestamp::from_millis(0);
        let first = stats.estimate(place(&subject, 4, 0, 2)).unwrap();
        for wait in 1..=100 {
            // Twice as long as predicted, give or take.
            let waited = Millis(first.raw.p50().0 * 2 * wait / 50);
            let seen = Seen::Served { waited, answer: Millis(0), position: 4, forecast: Some(first) };
            stats.see(long_ago, &subject, Channel::Callback, seen);
        }
        let range = stats.estimate(place(&subject, 4, 0, 2)).unwrap().range;
        let by = |span: Millis| span.0 as f64 / first.raw.p50().0 as f64;
        assert!((1.9..2.1).contains(&by(range.p50())) && (3.5..3.7).contains(&by(range.p90())), "{range:?}");
        let far = stats.estimate(place(&subject, 9, 0, 2)).unwrap();
        assert_eq!(far.range, far.raw, "errors of near places say nothing of far ones");
    }

    #[test]
    fn offers_that_came_to_nothing_lengthen_the_next_handling_time() {
        let mut handled = Handled::default();
        handled.add(20_000, false);
        handled.add(60_000, true);
        handled.add(60_000, true);
        assert_eq!(handled.spans, [80_000, 60_000]);
    }

    #[test]
    fn mean_and_variation_are_those_of_the_latest_handling_times() {
        let mut handled = Handled::default();
        for _ in 0..HANDLED_KEPT {
            handled.add(999_000, true);
        }
        for _ in 0..HANDLED_KEPT / 2 {
            handled.add(30_000, true);
            handled.add(90_000, true);
        }
        let (mean, variation) = handled.mean_and_variation();
        assert!((mean - 60_000.0).abs() < 1.0, "{mean}");
        assert!((variation - 0.25).abs() < 0.001, "{variation}");
    }

    #[test]
    fn the_eighth_departure_is_the_first_that_is_far() {
        let subject = SubjectId::new("benefits");
        let mut stats = WaitStats::default();
        for _ in 0..3 {
            stats.see(NOW, &subject, Channel::Callback, Seen::Handled { span: Millis::from_secs(60), served: true });
        }
        let kind = |position, free| stats.estimate(place(&subject, position, free, 3)).map(|forecast| forecast.kind);
        assert_eq!(kind(7, 0), Some(ForecastKind::Near));
        assert_eq!(kind(8, 0), Some(ForecastKind::Far));
        assert_eq!(kind(9, 2), Some(ForecastKind::Near));
        assert_eq!(kind(10, 2), Some(ForecastKind::Far));
    }

    #[test]
    fn the_latest_values_are_kept_in_both_orders() {
        let mut latest = Latest::<4>::default();
        for value in [5.0, 1.0, 3.0, 3.0, 2.0, 9.0] {
            latest.push(value);
        }
        assert_eq!((latest.came, latest.sorted), ([3.0, 3.0, 2.0, 9.0].into(), vec![2.0, 3.0, 3.0, 9.0]));
    }

    #[test]
    fn a_quantile_lies_between_the_values_and_never_beyond_them() {
        let mut latest = Latest::<4>::default();
        for value in [10.0, 20.0, 40.0] {
            latest.push(value);
        }
        let at = |level| latest.quantile(level);
        assert!((at(0.375) - 15.0).abs() < 1e-9 && (at(0.625) - 30.0).abs() < 1e-9, "half way");
        assert_eq!((at(0.1), at(0.25), at(0.5), at(0.75), at(0.99)), (10.0, 10.0, 20.0, 40.0, 40.0));
    }

    #[test]
    fn the_gamma_quantiles_are_those_of_the_tables() {
        for (shape, half, ninety) in [(1.0, 0.693, 2.303), (4.0, 3.672, 6.681), (25.0, 24.668, 31.584)] {
            assert!((gamma_quantile(shape, 0.0) / half - 1.0).abs() < 0.02, "{shape}");
            assert!((gamma_quantile(shape, Z90) / ninety - 1.0).abs() < 0.02, "{shape}");
        }
    }
}
