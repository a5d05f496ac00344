//! The messages of each call, kept for a while within a fixed room, for whoever has to find out what went wrong. What is
//! handed out is masked: no secrets, no numbers, no names.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use bytes::Bytes;

use crate::event::CallKey;

/// Messages kept of one call; the first half stays, of the rest the newest.
const MAX_RUNGS: usize = 64;

/// What stands for something left out.
const MASK: &str = "•••";

/// Headers shown as they are: they hold no person and no secret.
const PLAIN: [&str; 32] = [
    "Accept",
    "Allow",
    "Allow-Events",
    "CSeq",
    "Call-ID",
    "Content-Length",
    "Content-Type",
    "Date",
    "Event",
    "Expires",
    "Max-Forwards",
    "Min-Expires",
    "Min-SE",
    "Privacy",
    "Proxy-Require",
    "RAck",
    "RSeq",
    "Reason",
    "Require",
    "Retry-After",
    "Server",
    "Session-Expires",
    "Subscription-State",
    "Supported",
    "Timestamp",
    "Unsupported",
    "User-Agent",
    "Via",
    "Warning",
    "Content-Disposition",
    "Content-Encoding",
    "MIME-Version",
];

/// Headers that are addresses: host and parameters are shown, persons are not.
const ADDRESSES: [&str; 9] = [
    "Contact",
    "From",
    "P-Asserted-Identity",
    "Record-Route",
    "Refer-To",
    "Referred-By",
    "Route",
    "Service-Route",
    "To",
];

/// One message of a call, as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Milliseconds since the first message of the call.
    pub at_ms: u64,
    /// Whether it left here.
    pub out: bool,
    pub text: String,
}

/// The masked messages of a call, and how many more there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    pub rungs: Vec<Rung>,
    pub left_out: u64,
}

#[derive(Debug)]
pub(crate) struct Ladders {
    calls: HashMap<CallKey, Kept>,
    /// Oldest call first.
    order: VecDeque<CallKey>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    begun: Instant,
    messages: Vec<(Instant, bool, Bytes)>,
    left_out: u64,
}

impl Ladders {
    /// `max_bytes`: room for the messages of all calls together; 0 keeps none.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { calls: HashMap::new(), order: VecDeque::new(), bytes: 0, max_bytes }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.max_bytes > 0
    }

    pub(crate) fn keep(&mut self, now: Instant, key: CallKey, out: bool, bytes: Bytes) {
        if !self.is_on() {
            return;
        }
        let order = &mut self.order;
        let kept = self.calls.entry(key).or_insert_with(|| {
            order.push_back(key);
            Kept { begun: now, messages: Vec::new(), left_out: 0 }
        });
        self.bytes += bytes.len();
        kept.messages.push((now, out, bytes));
        if kept.messages.len() > MAX_RUNGS {
            let (.., gone) = kept.messages.remove(MAX_RUNGS / 2);
            self.bytes -= gone.len();
            kept.left_out += 1;
        }
        while self.bytes > self.max_bytes {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.calls.remove(&oldest) {
                self.bytes -= gone.messages.iter().map(|(.., bytes)| bytes.len()).sum::<usize>();
            }
        }
    }

    pub(crate) fn of(&self, key: CallKey) -> Ladder {
        let Some(kept) = self.calls.get(&key) else { return Ladder::default() };
        let rung = |(at, out, bytes): &(Instant, bool, Bytes)| Rung {
            at_ms: u64::try_from(at.saturating_duration_since(kept.begun).as_millis()).unwrap_or(u64::MAX),
            out: *out,
            text: masked(&String::from_utf8_lossy(bytes)),
        };
        Ladder { rungs: kept.messages.iter().map(rung).collect(), left_out: kept.left_out }
    }
}

/// The attributes of a description whose values are shown.
const ATTRIBUTES: [&str; 11] =
    ["rtpmap", "fmtp", "ptime", "maxptime", "minptime", "rtcp", "setup", "mid", "group", "label", "candidate"];

/// A message without secrets and persons.
fn masked(text: &str) -> String {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut shown = lines.next().map(without_users).unwrap_or_default();
    let mut kind = String::new();
    for line in lines {
        let (name, value) = line.split_once(':').map_or((line, ""), |(name, value)| (name, value.trim()));
        if name.eq_ignore_ascii_case("Content-Type") {
            kind = value.to_ascii_lowercase();
        }
        shown.push_str(&format!("\n{name}: {}", header(name, value)));
    }
    if !body.is_empty() {
        shown.push_str("\n\n");
        shown.push_str(&self::body(&kind, body));
    }
    shown
}

fn header(name: &str, value: &str) -> String {
    let among = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if among(&PLAIN) {
        value.to_owned()
    } else if among(&ADDRESSES) {
        without_users(&without_names(value))
    } else if name.to_ascii_lowercase().ends_with("authenticate")
        || name.to_ascii_lowercase().ends_with("authorization")
    {
        without_proof(value)
    } else {
        MASK.to_owned()
    }
}

/// Display names go, up to the address.
fn without_names(value: &str) -> String {
    let nameless = |item: &str| match item.find('<') {
        Some(open) if !item[..open].trim().is_empty() => format!("{MASK} {}", &item[open..]),
        _ => item.to_owned(),
    };
    crate::header::split_list(value).map(nameless).collect::<Vec<_>>().join(", ")
}

/// The user part of every URI, and what hangs behind a question mark, is left out. `tel:` URIs keep their scheme only.
fn without_users(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, scheme)) = next_uri(rest) {
        let begin = at + scheme.len();
        shown.push_str(&rest[..begin]);
        let end = rest[begin..].find([' ', '>', ',']).map_or(rest.len(), |end| begin + end);
        let uri = &rest[begin..end];
        let (user, place) = uri.rfind('@').map_or(("", uri), |at| uri.split_at(at));
        let (place, headers) = place.split_once('?').map_or((place, false), |(place, _)| (place, true));
        match scheme {
            "tel:" => shown.push_str(MASK),
            _ if user.is_empty() => shown.push_str(place),
            _ => shown.push_str(&format!("{MASK}{place}")),
        }
        if headers {
            shown.push_str(&format!("?{MASK}"));
        }
        rest = &rest[end..];
    }
    shown.push_str(rest);
    shown
}

fn next_uri(text: &str) -> Option<(usize, &'static str)> {
    let lower = text.to_ascii_lowercase();
    ["sips:", "sip:", "tel:"].iter().filter_map(|scheme| lower.find(scheme).map(|at| (at, *scheme))).min()
}

/// Of a challenge or its answer only what tells which one it was.
fn without_proof(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let shown = ["realm", "algorithm", "qop", "stale", "nc"];
    let words = crate::header::split_list(rest).map(|item| match item.split_once('=') {
        Some((name, _)) if !shown.contains(&name.trim().to_ascii_lowercase().as_str()) => {
            format!("{}={MASK}", name.trim())
        }
        _ => item.to_owned(),
    });
    format!("{scheme} {}", words.collect::<Vec<_>>().join(", "))
}

/// Of a description's attributes only those are shown whole whose values say nothing of keys or people: a telephone's `ssrc`
/// names its user (RFC 5576).
fn attribute(line: &str) -> String {
    match line.strip_prefix("a=").and_then(|rest| rest.split_once(':')) {
        Some((name, _)) if !ATTRIBUTES.contains(&name) => format!("a={name}:{MASK}"),
        _ => line.to_owned(),
    }
}

fn body(kind: &str, body: &str) -> String {
    if kind.starts_with("message/sipfrag") {
        return without_users(body.lines().next().unwrap_or_default());
    }
    if !kind.starts_with("application/sdp") {
        // Digits somebody typed may be a code.
        return format!("({} bytes)", body.len());
    }
    let line = |line: &str| match line.as_bytes().first() {
        Some(b'o') => line.split_once(' ').map_or(format!("o={MASK}"), |(_, rest)| format!("o={MASK} {rest}")),
        Some(b'v' | b'c' | b't' | b'm' | b'b') => line.to_owned(),
        Some(b'a') => attribute(line),
        _ => format!("{}{MASK}", line.split_inclusive('=').next().filter(|head| head.len() == 2).unwrap_or_default()),
    };
    body.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const INVITE: &str = "INVITE sip:+19165550142@203.0.113.5:5070;user=phone SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n\
        From: \"Rosa Diaz\" <sip:+19165550100@192.0.2.1>;tag=near\r\n\
        To: <sips:+19165550142@203.0.113.5>\r\n\
        Contact: <sip:+19165550100@192.0.2.1:5060>, \"Rosa, again\" <tel:+19165550100>\r\n\
        Refer-To: <sip:secret@h?User-to-User=63617365>\r\n\
        Proxy-Authorization: Digest username=\"ringback\", realm=\"r\", nonce=\"abc\", response=\"def\", nc=00000001\r\n\
        User-to-User: 63617365;encoding=hex\r\n\
        Subject: call Rosa\r\n\
        Content-Type: application/sdp\r\n\r\n\
        v=0\r\no=rosa 1 1 IN IP4 192.0.2.1\r\ns=Rosa\r\nc=IN IP4 192.0.2.1\r\nm=audio 30000 RTP/SAVP 0\r\n\
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\n\
        a=ssrc:1 cname:sip:+19165550100@192.0.2.1\r\na=rtpmap:0 PCMU/8000\r\n";

    #[test]
    fn nothing_personal_or_secret_is_shown() {
        let shown = masked(INVITE);
        for secret in ["916555", "Rosa", "rosa", "63617365", "secret", "c2VjcmV0", "abc", "def", "ringback", "call R"] {
            assert!(!shown.contains(secret), "{secret} in\n{shown}");
        }
        for useful in [
            "INVITE sip:•••@203.0.113.5:5070;user=phone SIP/2.0",
            "branch=z9hG4bK1",
            "tag=near",
            "realm=\"r\"",
            "nc=00000001",
            "m=audio 30000 RTP/SAVP 0",
            "a=rtpmap:0 PCMU/8000",
            "User-to-User: •••",
        ] {
            assert!(shown.contains(useful), "{useful} not in\n{shown}");
        }
    }

    #[test]
    fn digits_by_info_are_a_length() {
        let info = "INFO sip:x@h SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=5\r\nDuration=100\r\n";
        assert!(masked(info).ends_with("(24 bytes)"), "{}", masked(info));
        for nonsense in ["", "\r\n\r\n", "sip:", "From", "INVITE sip:@@?? SIP/2.0\r\nTo: <sip:a@b?c", "é sip:é@é?é>"]
        {
            masked(nonsense);
        }
    }

    #[test]
    fn the_room_is_never_exceeded_and_the_oldest_call_goes_first() {
        let now = Instant::now();
        let mut ladders = Ladders::new(10_000);
        for number in 0..500_u128 {
            ladders.keep(now, CallKey(number), number.is_multiple_of(2), Bytes::from(vec![b'x'; 100]));
            assert!(ladders.bytes <= 10_000 && ladders.calls.len() <= 100);
        }
        assert_eq!(ladders.of(CallKey(0)), Ladder::default());
        assert_eq!(ladders.of(CallKey(499)).rungs.len(), 1);
        for number in 0..100 {
            ladders.keep(now + Duration::from_millis(number), CallKey(1_000), true, Bytes::from_static(b"OPTIONS"));
        }
        let ladder = ladders.of(CallKey(1_000));
        assert_eq!((ladder.rungs.len(), ladder.left_out), (MAX_RUNGS, 100 - MAX_RUNGS as u64));
        assert_eq!(
            (ladder.rungs[0].at_ms, ladder.rungs[MAX_RUNGS - 1].at_ms),
            (0, 99),
            "the beginning and the end stay"
        );
        let held: usize = ladders.calls.values().flat_map(|kept| &kept.messages).map(|(.., bytes)| bytes.len()).sum();
        assert_eq!(held, ladders.bytes);
    }
}
