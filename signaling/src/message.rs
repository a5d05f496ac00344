//! SIP messages: the only file that touches `rsip`.
//!
//! `rsip` knows which methods there are, and a test reads our messages by it. The reader itself is ours, here and in
//! [`crate::head`], [`crate::header`] and [`crate::uri`]: line framing, folded lines, compact names, Latin-1, Content-Length,
//! `tel:` URIs, bracketed IPv6. Nothing in here panics on any input, and nothing written can hold a line break a peer smuggled in.

use std::{borrow::Cow, fmt};

use bytes::Bytes;

pub use crate::head::Headers;

/// A request method. Methods are case-sensitive (RFC 3261 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Info,
    Update,
    Prack,
    Refer,
    Notify,
    Other(Box<str>),
}

/// Bytes of a head there is room for at once.
const USUAL_HEAD: usize = 480;

/// The Allow header of every answer and INVITE.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, NOTIFY";

impl Method {
    pub fn parse(word: &str) -> Self {
        match word {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "INFO" => Self::Info,
            "UPDATE" => Self::Update,
            "PRACK" => Self::Prack,
            "REFER" => Self::Refer,
            "NOTIFY" => Self::Notify,
            other => Self::Other(other.into()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Info => "INFO",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Refer => "REFER",
            Self::Notify => "NOTIFY",
            Self::Other(word) => word,
        }
    }

    /// The status for a method we do not serve: 405 for one that exists, 501 for an unknown one (RFC 3261 §8.2.1).
    pub fn refusal(&self) -> u16 {
        let exists = rsip::Method::all().iter().any(|known| known.to_string() == self.as_str());
        if exists { 405 } else { 501 }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a text is a token of RFC 3261 §25.1.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

/// Compact header names (RFC 3261 §7.3.3 and the IANA registry).
fn full_name(name: &str) -> &str {
    let &[letter] = name.as_bytes() else { return name };
    match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => name,
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// As written; see [`crate::uri::Uri::parse`].
    pub uri: String,
    pub headers: Headers,
    pub body: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100 to 699.
    pub status: u16,
    pub reason: String,
    pub headers: Headers,
    pub body: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

/// Why bytes are no SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("no end of the head")]
    NoHeadEnd,
    #[error("start line")]
    StartLine,
    #[error("SIP version")]
    Version,
    #[error("header line")]
    HeaderLine,
    #[error("too many headers")]
    TooManyHeaders,
    #[error("Content-Length")]
    ContentLength,
    #[error("body shorter than Content-Length")]
    ShortBody,
}

/// A message whose head could be read, with what is wrong with it, if anything.
///
/// A request that is wrong only after its head can still be refused with a status, because its Via is known.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed {
    pub message: Message,
    pub flaw: Option<ParseError>,
}

/// The head of a message: the bytes up to and including the empty line, as `(head, rest)`.
///
/// A bare line feed ends a line too, as many peers' tests send it.
pub fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut line_start = 0;
    while let Some(offset) = bytes.get(line_start..)?.iter().position(|b| *b == b'\n') {
        let line_end = line_start + offset;
        let line = &bytes[line_start..line_end];
        if line_start > 0 && (line.is_empty() || line == b"\r") {
            return Some(bytes.split_at(line_end + 1));
        }
        line_start = line_end + 1;
    }
    None
}

/// Reads a whole datagram (RFC 3261 §18.3): what follows Content-Length is cut off.
pub fn parse_datagram(bytes: &[u8], max_headers: usize) -> Result<Parsed, ParseError> {
    let (head, rest) = split_head(bytes).ok_or(ParseError::NoHeadEnd)?;
    let mut message = parse_head(head, max_headers)?;
    let (body, flaw) = match content_length(headers(&message)) {
        Ok(None) => (rest, None),
        Ok(Some(length)) if length <= rest.len() => (&rest[..length], None),
        Ok(Some(_)) => (rest, Some(ParseError::ShortBody)),
        Err(error) => (&[][..], Some(error)),
    };
    *body_mut(&mut message) = Bytes::copy_from_slice(body);
    Ok(Parsed { message, flaw })
}

/// Reads start line and headers; the body stays empty.
pub fn parse_head(head: &[u8], max_headers: usize) -> Result<Message, ParseError> {
    let text = decoded(head);
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let start = lines.next().ok_or(ParseError::StartLine)?;
    let mut headers = Headers::with_room(head.len());
    let mut unfolded: Option<(&str, Cow<'_, str>)> = None;
    let mut count = 0;
    for line in lines.take_while(|line| !line.is_empty()) {
        if line.bytes().any(|b| b == b'\r' || b == 0) {
            return Err(ParseError::HeaderLine);
        }
        if line.starts_with([' ', '\t']) {
            let (_, value) = unfolded.as_mut().ok_or(ParseError::HeaderLine)?;
            let value = value.to_mut();
            value.push(' ');
            value.push_str(line.trim_matches([' ', '\t']));
            continue;
        }
        count += 1;
        if count > max_headers {
            return Err(ParseError::TooManyHeaders);
        }
        if let Some((name, value)) = unfolded.take() {
            headers.push(name, value.trim());
        }
        let (name, value) = line.split_once(':').ok_or(ParseError::HeaderLine)?;
        let name = name.trim_end_matches([' ', '\t']);
        if !is_token(name) {
            return Err(ParseError::HeaderLine);
        }
        unfolded = Some((full_name(name), Cow::Borrowed(value.trim_matches([' ', '\t']))));
    }
    if let Some((name, value)) = unfolded {
        headers.push(name, value.trim());
    }
    start_line(start, headers)
}

fn start_line(line: &str, headers: Headers) -> Result<Message, ParseError> {
    if line.chars().any(char::is_control) {
        return Err(ParseError::StartLine);
    }
    let body = Bytes::new();
    if let Some(rest) = strip_prefix_ignore_case(line, "SIP/") {
        let (version, rest) = rest.split_once(' ').ok_or(ParseError::StartLine)?;
        if version != "2.0" {
            return Err(ParseError::Version);
        }
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = code.parse::<u16>().map_err(|_| ParseError::StartLine)?;
        if code.len() != 3 || !(100..700).contains(&status) {
            return Err(ParseError::StartLine);
        }
        return Ok(Message::Response(Response { status, reason: reason.trim().to_owned(), headers, body }));
    }
    let (method, rest) = line.split_once(' ').ok_or(ParseError::StartLine)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(ParseError::StartLine)?;
    if !is_token(method) || uri.is_empty() || uri.contains([' ', '\t', '<', '>', '"']) {
        return Err(ParseError::StartLine);
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(ParseError::Version);
    }
    Ok(Message::Request(Request { method: Method::parse(method), uri: uri.to_owned(), headers, body }))
}

pub(crate) fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// UTF-8, or else Latin-1, which every byte string is.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|b| char::from(*b)).collect()),
    }
}

/// The body length a head announces. Repeated headers must agree; signs, spaces inside and overflow are errors.
pub fn content_length(headers: &Headers) -> Result<Option<usize>, ParseError> {
    let mut found = None;
    for value in headers.all("Content-Length") {
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseError::ContentLength);
        }
        let length = value.parse::<usize>().map_err(|_| ParseError::ContentLength)?;
        if found.is_some_and(|known| known != length) {
            return Err(ParseError::ContentLength);
        }
        found = Some(length);
    }
    Ok(found)
}

fn headers(message: &Message) -> &Headers {
    match message {
        Message::Request(request) => &request.headers,
        Message::Response(response) => &response.headers,
    }
}

fn body_mut(message: &mut Message) -> &mut Bytes {
    match message {
        Message::Request(request) => &mut request.body,
        Message::Response(response) => &mut response.body,
    }
}

impl Message {
    pub fn headers(&self) -> &Headers {
        headers(self)
    }

    pub fn set_body(&mut self, body: Bytes) {
        *body_mut(self) = body;
    }
}

impl Request {
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self { method, uri: uri.into(), headers: Headers::with_room(USUAL_HEAD), body: Bytes::new() }
    }

    /// The bytes to send. Content-Length is always ours.
    pub fn encode(&self) -> Bytes {
        encode([self.method.as_str(), &self.uri, VERSION], &self.headers, &self.body)
    }

    /// How many bytes it has when it is sent.
    pub fn size(&self) -> usize {
        let start = self.method.as_str().len() + self.uri.len() + VERSION.len() + 2;
        let other = self.headers.all(LENGTH).map(|value| LENGTH.len() + value.len() + 4).sum::<usize>();
        let length = LENGTH.len() + self.body.len().checked_ilog10().map_or(1, |digits| digits as usize + 1);
        start + length + self.headers.size() - other + self.body.len() + 8
    }
}

impl Response {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            reason: reason_phrase(status).to_owned(),
            headers: Headers::with_room(USUAL_HEAD),
            body: Bytes::new(),
        }
    }

    pub fn encode(&self) -> Bytes {
        encode([VERSION, &self.status.to_string(), &self.reason], &self.headers, &self.body)
    }

    pub fn is_provisional(&self) -> bool {
        self.status < 200
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

const VERSION: &str = "SIP/2.0";
const LENGTH: &str = "Content-Length";

/// A message of start line, headers, Content-Length and body, in exactly as much room as it takes.
fn encode(start: [&str; 3], headers: &Headers, body: &[u8]) -> Bytes {
    let start = start.join(" ");
    let length = body.len().to_string();
    let pieces = [LENGTH, ": ", &length, "\r\n\r\n"];
    let room = start.len() + 2 + headers.size() + pieces.iter().map(|piece| piece.len()).sum::<usize>() + body.len();
    let mut bytes = Vec::with_capacity(room);
    bytes.extend_from_slice(start.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    headers.write_without(LENGTH, &mut bytes);
    pieces.iter().for_each(|piece| bytes.extend_from_slice(piece.as_bytes()));
    bytes.extend_from_slice(body);
    bytes.into()
}

/// Reason phrases of the statuses we send (RFC 3261 §21 and extensions).
fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        607 => "Unwanted",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:100@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1\r\n\
        From: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:100@192.0.2.1>\r\nCall-ID: c@192.0.2.2\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:a@192.0.2.2>\r\nContent-Type: application/sdp\r\nX-Own: one\r\nContent-Length: 5\r\n\r\nv=0\r\n";

    /// A foreign reader finds the same in what we write as our own.
    #[test]
    fn another_library_reads_the_same() {
        let ours = parse_datagram(INVITE.as_bytes(), 100).unwrap().message;
        let Message::Request(request) = &ours else { panic!("a request") };
        assert_eq!((request.encode(), request.size()), (INVITE.into(), INVITE.len()));
        let theirs = rsip::Request::try_from(&request.encode()[..]).unwrap();
        assert_eq!(
            (theirs.method.to_string(), theirs.uri.to_string()),
            (request.method.to_string(), request.uri.clone())
        );
        let lines: Vec<String> = theirs.headers.iter().map(ToString::to_string).collect();
        let own: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!((lines, &theirs.body[..]), (own, &request.body[..]));
    }

    #[test]
    fn methods_that_exist_are_not_allowed_and_others_unknown() {
        for (word, status) in [("REGISTER", 405), ("PUBLISH", 405), ("REFER", 405), ("register", 501), ("DANCE", 501)] {
            assert_eq!(Method::parse(word).refusal(), status, "{word}");
        }
    }
}
