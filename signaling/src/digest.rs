//! Digest access authentication as a client (RFC 3261 §22, RFC 7616, RFC 8760): MD5 and SHA-256, `-sess`, qop `auth`
//! and `auth-int`, several challenges, stale nonces.
//!
//! A challenge is answered only when it comes from the trunk the credentials belong to, on a transaction of ours, and at
//! most once per fresh nonce: a refused password is not tried again.

use md5::{Digest, Md5};
use sha2::Sha256;

use crate::{
    config::Secret,
    entropy::Entropy,
    header::{quoted, split_list},
    message::{Headers, Request, Response},
};

/// Answers to `stale=true` in a row within one request.
const MAX_ROUNDS: u8 = 3;

/// In order of strength (RFC 8760 §2.4); others are not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Md5Session,
    Sha256,
    Sha256Session,
}

impl Algorithm {
    fn parse(word: Option<&str>) -> Option<Self> {
        match word.unwrap_or("MD5").to_ascii_uppercase().as_str() {
            "MD5" => Some(Self::Md5),
            "MD5-SESS" => Some(Self::Md5Session),
            "SHA-256" => Some(Self::Sha256),
            "SHA-256-SESS" => Some(Self::Sha256Session),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Session => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Session => "SHA-256-sess",
        }
    }

    fn is_session(self) -> bool {
        matches!(self, Self::Md5Session | Self::Sha256Session)
    }

    fn hash(self, parts: &[&[u8]]) -> String {
        let joined = parts.join(&b':');
        match self {
            Self::Md5 | Self::Md5Session => hex(&Md5::digest(&joined)),
            Self::Sha256 | Self::Sha256Session => hex(&Sha256::digest(&joined)),
        }
    }
}

/// In lower case, as digests and tags are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text
}

/// Quality of protection (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Qop {
    /// RFC 2069: no qop offered.
    Absent,
    Auth,
    AuthInt,
}

/// Who asks: 401 the far end, 407 a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Server,
    Proxy,
}

impl Asker {
    fn of_status(status: u16) -> Option<Self> {
        match status {
            401 => Some(Self::Server),
            407 => Some(Self::Proxy),
            _ => None,
        }
    }

    fn challenge_header(self) -> &'static str {
        match self {
            Self::Server => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    fn answer_header(self) -> &'static str {
        match self {
            Self::Server => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    qop: Qop,
    stale: bool,
}

impl Challenge {
    /// All Digest challenges of a response that can be answered; several may share a header line.
    fn all(headers: &Headers, asker: Asker) -> Vec<Self> {
        let mut found: Vec<Vec<(String, String)>> = Vec::new();
        for value in headers.all(asker.challenge_header()) {
            let mut digest = false;
            for item in split_list(value) {
                let item = match item.split_once([' ', '\t']) {
                    Some((scheme, rest)) if !scheme.contains('=') => {
                        digest = scheme.eq_ignore_ascii_case("Digest");
                        if digest {
                            found.push(Vec::new());
                        }
                        rest
                    }
                    _ => item,
                };
                if let (true, Some((name, value)), Some(last)) = (digest, item.split_once('='), found.last_mut()) {
                    last.push((name.trim().to_ascii_lowercase(), unquoted(value.trim())));
                }
            }
        }
        found.iter().filter_map(|params| Self::of(params)).collect()
    }

    fn of(params: &[(String, String)]) -> Option<Self> {
        let get = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let qop = match get("qop") {
            None => Qop::Absent,
            Some(list) => {
                let offered: Vec<&str> = list.split(',').map(str::trim).collect();
                let has = |word: &str| offered.iter().any(|qop| qop.eq_ignore_ascii_case(word));
                if has("auth") {
                    Qop::Auth
                } else if has("auth-int") {
                    Qop::AuthInt
                } else {
                    return None;
                }
            }
        };
        Some(Self {
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            algorithm: Algorithm::parse(get("algorithm").as_deref())?,
            qop,
            stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    plain
}

/// Name and password for one trunk.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
    /// When set, challenges of other realms are not answered.
    pub realm: Option<String>,
}

/// How often a request has been sent again with an answer, per asker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rounds {
    server: u8,
    proxy: u8,
}

/// The nonces a call or trunk currently holds, with their counts.
#[derive(Debug)]
pub struct AuthSession {
    credentials: Credentials,
    server: Option<(Challenge, u32)>,
    proxy: Option<(Challenge, u32)>,
}

impl AuthSession {
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, server: None, proxy: None }
    }

    /// Takes up the strongest challenge of a 401 or 407. Returns the new count of rounds when the request should be sent
    /// again with [`authorise`](Self::authorise), `None` when the refusal stands.
    pub fn on_challenge(&mut self, response: &Response, rounds: Rounds) -> Option<Rounds> {
        let asker = Asker::of_status(response.status)?;
        let wanted = self.credentials.realm.as_deref();
        let mut challenges = Challenge::all(&response.headers, asker);
        challenges.retain(|challenge| wanted.is_none_or(|realm| realm == challenge.realm));
        // Of equals the first is preferred (RFC 8760 §2.4), so the order is reversed for `max_by_key`.
        let best = challenges.into_iter().rev().max_by_key(|challenge| challenge.algorithm)?;
        let (held, round) = match asker {
            Asker::Server => (&mut self.server, rounds.server),
            Asker::Proxy => (&mut self.proxy, rounds.proxy),
        };
        let used = held.as_ref().is_some_and(|(known, count)| known.nonce == best.nonce && *count > 0);
        if used || (round > 0 && !best.stale) || round >= MAX_ROUNDS {
            return None;
        }
        *held = Some((best, 0));
        let mut rounds = rounds;
        match asker {
            Asker::Server => rounds.server += 1,
            Asker::Proxy => rounds.proxy += 1,
        }
        Some(rounds)
    }

    /// Puts answers to the nonces held into a request; without any, leaves it alone.
    pub fn authorise(&mut self, request: &mut Request, entropy: &mut Entropy) {
        let credentials = &self.credentials;
        for (asker, held) in [(Asker::Server, &mut self.server), (Asker::Proxy, &mut self.proxy)] {
            if let Some((challenge, count)) = held {
                *count += 1;
                let answer = answer(credentials, challenge, *count, request, &entropy.token());
                request.headers.set(asker.answer_header(), answer);
            }
        }
    }
}

/// The value of Authorization or Proxy-Authorization (RFC 7616 §3.4).
fn answer(credentials: &Credentials, challenge: &Challenge, count: u32, request: &Request, cnonce: &str) -> String {
    let algorithm = challenge.algorithm;
    let Challenge { realm, nonce, .. } = challenge;
    let (user, password) = (credentials.username.as_bytes(), credentials.password.reveal().as_bytes());
    let mut a1 = algorithm.hash(&[user, realm.as_bytes(), password]);
    if algorithm.is_session() {
        a1 = algorithm.hash(&[a1.as_bytes(), nonce.as_bytes(), cnonce.as_bytes()]);
    }
    let (method, uri) = (request.method.as_str().as_bytes(), request.uri.as_bytes());
    let nc = format!("{count:08x}");
    let (qop, a2) = match challenge.qop {
        Qop::Absent => (None, algorithm.hash(&[method, uri])),
        Qop::Auth => (Some("auth"), algorithm.hash(&[method, uri])),
        Qop::AuthInt => {
            let body = algorithm.hash(&[&request.body]);
            (Some("auth-int"), algorithm.hash(&[method, uri, body.as_bytes()]))
        }
    };
    let proof = match qop {
        None => algorithm.hash(&[a1.as_bytes(), nonce.as_bytes(), a2.as_bytes()]),
        Some(qop) => {
            let parts = [a1.as_str(), nonce, &nc, cnonce, qop, &a2].map(str::as_bytes);
            algorithm.hash(&parts)
        }
    };
    let mut text = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{proof}\", algorithm={}",
        quoted(&credentials.username),
        quoted(realm),
        quoted(nonce),
        quoted(&request.uri),
        algorithm.as_str(),
    );
    if let Some(opaque) = &challenge.opaque {
        text.push_str(&format!(", opaque={}", quoted(opaque)));
    }
    match qop {
        Some(qop) => text.push_str(&format!(", qop={qop}, nc={nc}, cnonce=\"{cnonce}\"")),
        None if algorithm.is_session() => text.push_str(&format!(", cnonce=\"{cnonce}\"")),
        None => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn credentials() -> Credentials {
        Credentials { username: "Mufasa".into(), password: "Circle of Life".into(), realm: None }
    }

    fn challenge(status: u16, values: &[&str]) -> Response {
        let mut response = Response::new(status);
        let name = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
        for value in values {
            response.headers.push(name, *value);
        }
        response
    }

    fn param(value: &str, name: &str) -> String {
        let mut params = split_list(value.strip_prefix("Digest ").unwrap()).filter_map(|p| p.split_once('='));
        let found = params.find(|(known, _)| *known == name);
        found.map(|(_, value)| unquoted(value)).unwrap_or_default()
    }

    /// The worked example of RFC 7616 §3.9.1.
    #[test]
    fn the_example_of_rfc_7616() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let mut request = Request::new(Method::parse("GET"), "/dir/index.html");
        request.body = "".into();
        for (algorithm, expected) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = Challenge {
                realm: "http-auth@example.org".into(),
                nonce: nonce.into(),
                opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS".into()),
                algorithm,
                qop: Qop::Auth,
                stale: false,
            };
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let value = answer(&credentials(), &challenge, 1, &request, cnonce);
            assert_eq!(param(&value, "response"), expected, "{algorithm:?}");
            assert_eq!((param(&value, "nc"), param(&value, "qop")), ("00000001".into(), "auth".into()));
        }
    }

    /// The worked example of RFC 2617 §3.5 without qop is RFC 2069's.
    #[test]
    fn without_qop() {
        let challenge = Challenge {
            realm: "testrealm@host.com".into(),
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093".into(),
            opaque: None,
            algorithm: Algorithm::Md5,
            qop: Qop::Absent,
            stale: false,
        };
        let credentials = Credentials { password: "CircleOfLife".into(), ..credentials() };
        let value = answer(&credentials, &challenge, 1, &Request::new(Method::parse("GET"), "/dir/index.html"), "x");
        assert_eq!(param(&value, "response"), "1949323746fe6a43ef61f9606e7febea");
        assert!(!value.contains("nc=") && !value.contains("cnonce="), "{value}");
    }

    #[test]
    fn the_strongest_known_challenge_is_answered() {
        let response = challenge(
            401,
            &[
                "Digest realm=\"a\", nonce=\"md5\", qop=\"auth\", Digest realm=\"a\", nonce=\"sha\", algorithm=SHA-256, qop=\"auth-int,auth\"",
                "Digest realm=\"a\", nonce=\"strange\", algorithm=SHA-512-256",
                "Basic realm=\"a\"",
            ],
        );
        let mut session = AuthSession::new(credentials());
        assert!(session.on_challenge(&response, Rounds::default()).is_some());
        let mut request = Request::new(Method::Invite, "sip:100@h");
        session.authorise(&mut request, &mut Entropy::Seeded(1));
        let value = request.headers.get("Authorization").unwrap().to_owned();
        assert_eq!((param(&value, "nonce"), param(&value, "algorithm")), ("sha".into(), "SHA-256".into()));
        assert_eq!(param(&value, "qop"), "auth");
        session.authorise(&mut request, &mut Entropy::Seeded(2));
        assert_eq!(param(request.headers.get("Authorization").unwrap(), "nc"), "00000002", "the nonce is counted on");
    }

    #[test]
    fn a_refused_password_is_not_tried_again() {
        let mut session = AuthSession::new(credentials());
        let mut request = Request::new(Method::Invite, "sip:100@h");
        let first = challenge(407, &["Digest realm=\"a\", nonce=\"n1\", qop=\"auth\""]);
        let rounds = session.on_challenge(&first, Rounds::default()).unwrap();
        session.authorise(&mut request, &mut Entropy::Seeded(1));
        assert!(request.headers.contains("Proxy-Authorization"));
        assert_eq!(session.on_challenge(&first, rounds), None, "the same nonce again");
        let fresh = challenge(407, &["Digest realm=\"a\", nonce=\"n2\", qop=\"auth\""]);
        assert_eq!(session.on_challenge(&fresh, rounds), None, "another nonce, but not stale");
        let stale = challenge(407, &["Digest realm=\"a\", nonce=\"n3\", qop=\"auth\", stale=TRUE"]);
        assert!(session.on_challenge(&stale, rounds).is_some(), "stale means the password was right");
        let server = challenge(401, &["Digest realm=\"b\", nonce=\"n4\""]);
        assert!(session.on_challenge(&server, rounds).is_some(), "another asker has its own count");
    }

    #[test]
    fn stale_answers_end() {
        let mut session = AuthSession::new(credentials());
        let mut rounds = Rounds::default();
        for number in 0..u32::from(MAX_ROUNDS) {
            let value = format!("Digest realm=\"a\", nonce=\"n{number}\", stale=true");
            rounds = session.on_challenge(&challenge(401, &[&value]), rounds).unwrap();
        }
        let last = challenge(401, &["Digest realm=\"a\", nonce=\"last\", stale=true"]);
        assert_eq!(session.on_challenge(&last, rounds), None);
    }

    #[test]
    fn only_the_configured_realm() {
        let mut session = AuthSession::new(Credentials { realm: Some("ours".into()), ..credentials() });
        let other = challenge(401, &["Digest realm=\"theirs\", nonce=\"n\""]);
        assert_eq!(session.on_challenge(&other, Rounds::default()), None);
        let both = challenge(401, &["Digest realm=\"theirs\", nonce=\"n\"", "Digest realm=\"ours\", nonce=\"m\""]);
        assert!(session.on_challenge(&both, Rounds::default()).is_some());
    }

    #[test]
    fn broken_challenges_are_no_challenges() {
        for value in [
            "",
            "Digest",
            "Digest realm=\"a\"",
            "Digest nonce=\"a",
            "Digest ,,,=,\"",
            "Digest qop=\"x\", realm=a, nonce=b",
        ] {
            let mut session = AuthSession::new(credentials());
            assert_eq!(session.on_challenge(&challenge(401, &[value]), Rounds::default()), None, "{value}");
        }
    }
}
