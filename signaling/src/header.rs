//! Typed readings of the headers this stack acts on, and the checks a message must pass before it is acted on.

use crate::{
    message::{Headers, Method, Request, Response, is_token, strip_prefix_ignore_case},
    uri::{Uri, host_port, params_of},
};

/// Splits a comma-separated header value, leaving commas in quotes and angle brackets alone.
pub fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        loop {
            let (item, tail) = next_item(rest?);
            rest = tail;
            if !item.is_empty() {
                return Some(item);
            }
        }
    })
}

/// The text up to the first comma that divides, and what follows it.
fn next_item(value: &str) -> (&str, Option<&str>) {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_u32);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => depth += 1,
            b'>' if !quoted => depth = depth.saturating_sub(1),
            b',' if !quoted && depth == 0 => return (value[..at].trim(), Some(&value[at + 1..])),
            _ => {}
        }
    }
    (value.trim(), None)
}

/// All items of a list header over all its lines.
pub fn list<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers.all(name).flat_map(split_list)
}

/// Whether a token list such as Require or Supported names an option.
pub fn lists_option(headers: &Headers, name: &str, option: &str) -> bool {
    list(headers, name).any(|item| item.eq_ignore_ascii_case(option))
}

/// One Via (RFC 3261 §20.42).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    pub transport: String,
    pub host: String,
    pub port: Option<u16>,
    pub params: Vec<(String, Option<String>)>,
}

impl Via {
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, '/').map(str::trim);
        if !words.next()?.eq_ignore_ascii_case("SIP") || words.next()? != "2.0" {
            return None;
        }
        let rest = words.next()?;
        let (transport, rest) = rest.split_once([' ', '\t'])?;
        let (sent_by, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = host_port(sent_by)?;
        let host = host.to_owned();
        is_token(transport).then(|| Self { transport: transport.to_owned(), host, port, params: params_of(params) })
    }

    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_deref())
    }

    pub fn branch(&self) -> Option<&str> {
        self.param("branch").flatten().filter(|branch| !branch.is_empty())
    }

    pub fn set_param(&mut self, name: &str, value: Option<String>) {
        self.params.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.params.push((name.to_owned(), value));
    }

    pub fn format(&self) -> String {
        let mut text = format!("SIP/2.0/{} {}", self.transport, crate::uri::bracketed(&self.host));
        if let Some(port) = self.port {
            text.push_str(&format!(":{port}"));
        }
        push_params(&mut text, &self.params);
        text
    }
}

pub(crate) fn push_params(text: &mut String, params: &[(String, Option<String>)]) {
    for (name, value) in params {
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }
}

/// A party or target: `"Display" <uri>;params` or `uri;params` (RFC 3261 §20.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    pub display: Option<String>,
    pub uri: String,
    pub params: Vec<(String, Option<String>)>,
}

impl NameAddr {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some(open) = unquoted(text, '<') else {
            let (uri, params) = text.split_once(';').unwrap_or((text, ""));
            let uri = uri.trim_end();
            let bare = Uri::is_one(uri) && !uri.contains(['"', ',', '>']) && is_one_word(uri);
            return bare.then(|| Self { display: None, uri: uri.to_owned(), params: params_of(params) });
        };
        let (display, rest) = text.split_at(open);
        let (uri, tail) = rest[1..].split_once('>')?;
        let uri = uri.trim();
        if !Uri::is_one(uri) || uri.contains(['<', '"']) || !is_one_word(uri) {
            return None;
        }
        let params = params_of(tail.trim().strip_prefix(';').unwrap_or_default());
        Some(Self { display: display_name(display.trim())?, uri: uri.to_owned(), params })
    }

    pub fn tag(&self) -> Option<&str> {
        self.param("tag").flatten().filter(|tag| !tag.is_empty())
    }

    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_deref())
    }

    /// The value without its tag, as the other side of a dialog writes it.
    pub fn without_tag(&self) -> String {
        let params: Vec<_> = self.params.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("tag")).cloned().collect();
        let mut text = match &self.display {
            Some(display) => format!("{} <{}>", quoted(display), self.uri),
            None => format!("<{}>", self.uri),
        };
        push_params(&mut text, &params);
        text
    }
}

/// What stands in a header here may be the target of a request later, and so a part of its first line.
fn is_one_word(uri: &str) -> bool {
    !uri.chars().any(|c| c.is_control() || c == ' ')
}

/// `None` is a broken quoted string, `Some(None)` no name at all.
fn display_name(text: &str) -> Option<Option<String>> {
    let Some(rest) = text.strip_prefix('"') else {
        return Some((!text.is_empty()).then(|| text.to_owned()));
    };
    let (mut name, mut escaped) = (String::new(), false);
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => {
                name.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => {
                let tail = rest[at + 1..].trim();
                return tail.is_empty().then(|| (!name.is_empty()).then_some(name));
            }
            _ => name.push(c),
        }
    }
    None
}

/// A quoted string (RFC 3261 §25.1).
pub fn quoted(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 2);
    escaped.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { ' ' } else { c });
    }
    escaped.push('"');
    escaped
}

/// Position of the first `wanted` outside quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// CSeq (RFC 3261 §20.16); the number is below 2^31.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

impl CSeq {
    pub fn parse(text: &str) -> Option<Self> {
        let (number, method) = text.trim().split_once([' ', '\t'])?;
        let method = method.trim();
        let number = number.parse::<u32>().ok().filter(|n| *n < 1 << 31)?;
        is_token(method).then(|| Self { number, method: Method::parse(method) })
    }
}

/// Most proxies that may ask to stay on a dialog's way: each is a header of every later request, and far more than any
/// network has.
const MAX_ROUTES: usize = 30;

/// What every message must carry (RFC 3261 §8.1.1), read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Essentials {
    pub via: Via,
    pub from: NameAddr,
    pub to: NameAddr,
    pub call_id: String,
    pub cseq: CSeq,
}

/// A header a message needs is missing, repeated or unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Flaw(pub &'static str);

impl Essentials {
    /// Reads them from a request, whose method must be that of CSeq.
    pub fn of_request(request: &Request) -> Result<Self, Flaw> {
        let essentials = Self::of(&request.headers)?;
        if essentials.cseq.method != request.method {
            return Err(Flaw("CSeq method differs"));
        }
        // A lower Via is not ours to judge, but commas and semicolons alone are none.
        if list(&request.headers, "Via").any(|via| !via.contains('/')) {
            return Err(Flaw("bad Via"));
        }
        if request.headers.get("Max-Forwards").is_some_and(|value| value.parse::<u8>().is_err()) {
            return Err(Flaw("bad Max-Forwards"));
        }
        Ok(essentials)
    }

    pub fn of_response(response: &Response) -> Result<Self, Flaw> {
        Self::of(&response.headers)
    }

    fn of(headers: &Headers) -> Result<Self, Flaw> {
        let one = |name: &'static str, missing: &'static str, twice: &'static str| {
            let mut values = headers.all(name);
            let first = values.next().ok_or(Flaw(missing))?;
            if values.next().is_some() { Err(Flaw(twice)) } else { Ok(first) }
        };
        let via = headers.get("Via").ok_or(Flaw("no Via"))?;
        let via = split_list(via).next().and_then(Via::parse).ok_or(Flaw("bad Via"))?;
        let from = NameAddr::parse(one("From", "no From", "two From")?).ok_or(Flaw("bad From"))?;
        let to = NameAddr::parse(one("To", "no To", "two To")?).ok_or(Flaw("bad To"))?;
        let call_id = one("Call-ID", "no Call-ID", "two Call-ID")?;
        if call_id.is_empty() || call_id.contains(' ') {
            return Err(Flaw("bad Call-ID"));
        }
        let cseq = CSeq::parse(one("CSeq", "no CSeq", "two CSeq")?).ok_or(Flaw("bad CSeq"))?;
        let mut routes = list(headers, "Record-Route");
        if list(headers, "Record-Route").count() > MAX_ROUTES {
            return Err(Flaw("too many Record-Routes"));
        }
        // What stands here would go out with every later request.
        if !routes.all(|route| unquoted(route, '<').is_some() && NameAddr::parse(route).is_some()) {
            return Err(Flaw("bad Record-Route"));
        }
        Ok(Self { via, from, to, call_id: call_id.to_owned(), cseq })
    }
}

/// The body, when it is SDP: `Content-Type: application/sdp`, or SDP inside a multipart (RFC 5621).
pub fn sdp_of(headers: &Headers, body: &[u8]) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let content_type = headers.get("Content-Type").unwrap_or("application/sdp");
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/sdp") {
        return Some(String::from_utf8_lossy(body).into_owned());
    }
    if strip_prefix_ignore_case(media_type, "multipart/").is_some() {
        return sdp_part(content_type, &String::from_utf8_lossy(body));
    }
    None
}

fn sdp_part(content_type: &str, body: &str) -> Option<String> {
    let params = params_of(content_type);
    let boundary = params.iter().find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?.1.as_deref()?;
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    for part in body.split(delimiter.as_str()).skip(1) {
        let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n')).unwrap_or(part);
        let Some((head, content)) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")) else { continue };
        if head.to_ascii_lowercase().contains("application/sdp") {
            return Some(content.trim_end_matches(['\r', '\n']).to_owned() + "\r\n");
        }
    }
    None
}

/// A response to a request with the headers RFC 3261 §8.2.6 copies. `to_tag` is added where To has none.
pub fn reply(request: &Request, status: u16, to_tag: Option<&str>) -> Response {
    let mut response = Response::new(status);
    for via in request.headers.all("Via") {
        response.headers.push("Via", via);
    }
    for name in ["From", "To", "Call-ID", "CSeq"] {
        let Some(value) = request.headers.get(name) else { continue };
        match to_tag.filter(|_| name == "To" && NameAddr::parse(value).is_some_and(|to| to.tag().is_none())) {
            Some(tag) => response.headers.write(name, format_args!("{value};tag={tag}")),
            None => response.headers.push(name, value),
        }
    }
    response
}
