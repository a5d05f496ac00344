//! Session timers (RFC 4028): who refreshes, and when the session counts as lost.

use std::time::{Duration, Instant};

use super::{Call, Ctx, Purpose, Sent};
use crate::{
    header::lists_option,
    message::{Headers, Request, Response},
    uri::params_of,
};

/// Smallest interval accepted, in seconds (§5).
pub(super) const MIN_SE: u64 = 90;

/// Longest interval honoured, in seconds.
const MAX_SE: u64 = 24 * 3_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresher {
    Us,
    Them,
}

/// A running session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refresh {
    pub(super) interval: Duration,
    pub(super) by: Refresher,
    /// When we refresh, or give the session up.
    pub(super) due: Instant,
}

impl Refresh {
    /// We refresh at half of the interval; they are given until the margin of §10 before its end.
    pub(super) fn new(now: Instant, interval: Duration, by: Refresher) -> Self {
        let due = match by {
            Refresher::Us => now + interval / 2,
            Refresher::Them => now + interval - (interval / 3).min(Duration::from_secs(32)),
        };
        Self { interval, by, due }
    }

    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(now, self.interval, self.by);
    }
}

/// `Session-Expires: seconds;refresher=…`.
fn session_expires(headers: &Headers) -> Option<(u64, Option<String>)> {
    let (seconds, params) = match headers.get("Session-Expires")?.split_once(';') {
        Some((seconds, params)) => (seconds, params_of(params)),
        None => (headers.get("Session-Expires")?, Vec::new()),
    };
    let refresher = params.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("refresher")).and_then(|p| p.1);
    Some((seconds.trim().parse().ok()?, refresher))
}

/// Asks for a timer in a request of ours; the far side may choose a shorter one, not below §5's least.
pub(super) fn ask(request: &mut Request, interval: Duration) {
    request.headers.set("Session-Expires", interval.as_secs().clamp(MIN_SE, MAX_SE).to_string());
    request.headers.set("Min-SE", MIN_SE.to_string());
}

impl Call {
    /// 422 to a request of ours (§6): it is sent again with the interval the far side wants. False when the refusal stands.
    pub(super) fn retry_longer(&mut self, ctx: &mut Ctx<'_>, sent: &Sent, response: &Response) -> bool {
        let least: Option<u64> = response
            .headers
            .get("Min-SE")
            .and_then(|value| value.split(';').next().unwrap_or_default().trim().parse().ok());
        let asked = session_expires(&sent.request.headers).map_or(0, |(seconds, _)| seconds);
        // Only upwards, so that no far side can keep us asking.
        let Some(least) = least.filter(|least| *least > asked && *least <= MAX_SE) else { return false };
        if sent.purpose == Purpose::Invite && !self.is_wanted() {
            return false;
        }
        self.resend(ctx, sent, sent.rounds, |request| {
            let refresher = session_expires(&request.headers).and_then(|(_, refresher)| refresher);
            let refresher = refresher.map(|refresher| format!(";refresher={refresher}")).unwrap_or_default();
            request.headers.set("Session-Expires", format!("{least}{refresher}"));
            request.headers.set("Min-SE", least.to_string());
        });
        true
    }
}

/// What a request asks for, and what the answer has to say about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    TooSmall,
    Timer(Refresh),
}

/// Reads a request of the far side (§9): without a word from it, the far side refreshes.
pub(super) fn asked(now: Instant, request: &Request) -> Asked {
    match session_expires(&request.headers) {
        None => Asked::Nothing,
        Some((seconds, _)) if seconds < MIN_SE => Asked::TooSmall,
        Some((seconds, refresher)) => {
            let theirs = lists_option(&request.headers, "Supported", "timer")
                && !refresher.is_some_and(|refresher| refresher.eq_ignore_ascii_case("uas"));
            let by = if theirs { Refresher::Them } else { Refresher::Us };
            Asked::Timer(Refresh::new(now, Duration::from_secs(seconds.min(MAX_SE)), by))
        }
    }
}

/// Tells the far side in a 2xx to its request what was agreed.
pub(super) fn announce(response: &mut Response, refresh: &Refresh) {
    // The far side sent the request, so it is the "uac" of this exchange.
    let refresher = if refresh.by == Refresher::Them { "uac" } else { "uas" };
    response.headers.write("Session-Expires", format_args!("{};refresher={refresher}", refresh.interval.as_secs()));
    if refresh.by == Refresher::Them {
        response.headers.push("Require", "timer");
    }
}

/// Reads a 2xx to a request of ours (§7.2).
pub(super) fn granted(now: Instant, headers: &Headers) -> Option<Refresh> {
    let (seconds, refresher) = session_expires(headers)?;
    let ours = refresher.is_none_or(|refresher| refresher.eq_ignore_ascii_case("uac"));
    let by = if ours { Refresher::Us } else { Refresher::Them };
    Some(Refresh::new(now, Duration::from_secs(seconds.clamp(MIN_SE, MAX_SE)), by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::new(Method::Update, "sip:x@h");
        headers.iter().for_each(|(name, value)| request.headers.push(name, *value));
        request
    }

    #[test]
    fn the_far_side_refreshes_when_it_can() {
        let now = Instant::now();
        let asked = asked(now, &request(&[("Session-Expires", "1800"), ("Supported", "100rel, timer")]));
        let Asked::Timer(refresh) = asked else { panic!("{asked:?}") };
        assert_eq!((refresh.by, refresh.due), (Refresher::Them, now + Duration::from_secs(1768)));
        let mut response = Response::new(200);
        announce(&mut response, &refresh);
        assert_eq!(response.headers.get("Session-Expires"), Some("1800;refresher=uac"));
    }

    #[test]
    fn we_refresh_when_told_to() {
        let now = Instant::now();
        let asked = asked(now, &request(&[("Session-Expires", "120 ; refresher=uas"), ("Supported", "timer")]));
        assert_eq!(asked, Asked::Timer(Refresh::new(now, Duration::from_secs(120), Refresher::Us)));
        let granted = granted(now, &request(&[("Session-Expires", "120;refresher=uac")]).headers).unwrap();
        assert_eq!((granted.by, granted.due), (Refresher::Us, now + Duration::from_secs(60)));
    }

    #[test]
    fn too_small_and_nonsense() {
        let now = Instant::now();
        assert_eq!(asked(now, &request(&[("Session-Expires", "89")])), Asked::TooSmall);
        assert_eq!(asked(now, &request(&[("Session-Expires", "soon")])), Asked::Nothing);
        assert_eq!(asked(now, &request(&[])), Asked::Nothing);
    }
}
