//! Session descriptions of carriers' legs (RFC 4566/8866, RFC 3264): a small tolerant reader and a writer
//! for one audio stream with telephone-event.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

use crate::config::Codecs;
use crate::frame::Codec;
use crate::sdes::{self, Crypto, Stated};

/// Payload type we offer for telephone-event (RFC 4733).
pub(crate) const OFFERED_EVENT: u8 = 101;
/// Media sections read from one description; more are ignored.
const MAX_SECTIONS: usize = 16;
/// Payload types read from one media line.
const MAX_FORMATS: usize = 32;

/// Why a description cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SdpError {
    /// Longer than the limit.
    #[error("the session description is too long")]
    TooLong,
    /// No `m=audio` with a port.
    #[error("the session description has no usable audio stream")]
    NoAudio,
    /// The audio stream has no codec that is spoken here.
    #[error("the far side offers no codec that is spoken here (PCMU, PCMA, G722, opus)")]
    NoCommonCodec,
    /// The answer, or an offer, has only codecs that the trunk does not allow.
    #[error("the far side speaks only codecs that this trunk was not offered")]
    NotOffered,
    /// No `c=` line with an IP address.
    #[error("the session description names no address")]
    NoAddress,
    /// The audio stream demands encryption where there is none, or a profile that is neither RTP/AVP nor RTP/SAVP.
    #[error("the audio stream's transport profile cannot be used")]
    Profile,
    /// Encryption is required, and the far side gave no key that could be used.
    #[error("the far side does not encrypt")]
    Unencrypted,
    /// The system gave no randomness for a key.
    #[error("no key could be made")]
    NoKey,
}

/// Who may send, as the description's author sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    fn parse(name: &str) -> Option<Direction> {
        match name {
            "sendrecv" => Some(Direction::SendRecv),
            "sendonly" => Some(Direction::SendOnly),
            "recvonly" => Some(Direction::RecvOnly),
            "inactive" => Some(Direction::Inactive),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The answer's direction to this offer (RFC 3264 §6.1).
    fn answered(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            other => other,
        }
    }

    /// The author sends.
    pub(crate) fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// The author wants to receive.
    pub(crate) fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// Payload types agreed upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Formats {
    /// What we send.
    pub(crate) codec: Codec,
    /// What the far side listed, in its order, with the payload types.
    listed: [Option<(Codec, u8)>; Codec::ALL.len()],
    /// telephone-event at 8000 Hz.
    pub(crate) event: Option<u8>,
}

impl Formats {
    /// What was listed, in that order; None when nothing was.
    fn of(listed: &[(Codec, u8)], event: Option<u8>) -> Option<Formats> {
        let mut kept = [None; Codec::ALL.len()];
        kept.iter_mut().zip(listed).for_each(|(kept, listed)| *kept = Some(*listed));
        listed.first().map(|(codec, _)| Formats { codec: *codec, listed: kept, event })
    }

    fn listed(&self) -> impl Iterator<Item = (Codec, u8)> {
        self.listed.into_iter().flatten()
    }

    pub(crate) fn payload_type(&self, codec: Codec) -> Option<u8> {
        self.listed().find(|(listed, _)| *listed == codec).map(|(_, payload_type)| payload_type)
    }

    /// The payload type of what we send.
    pub(crate) fn own_type(&self) -> u8 {
        self.payload_type(self.codec).unwrap_or(self.codec.payload_type())
    }

    /// Which codec a received payload type is.
    pub(crate) fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        self.listed().find(|(_, listed)| *listed == payload_type).map(|(codec, _)| codec)
    }

    /// Less what the trunk does not allow. Of what is left the cheapest class that the trunk prefers is sent, in it what the
    /// far side named first (RFC 3264 §6.1).
    fn within(&self, codecs: &Codecs) -> Option<Formats> {
        let allowed: Vec<(Codec, u8)> = self.listed().filter(|(codec, _)| codecs.contains(*codec)).collect();
        let best = allowed.iter().min_by_key(|(codec, _)| codecs.rank(*codec))?.0;
        Formats::of(&allowed, self.event).map(|formats| Formats { codec: best, ..formats })
    }
}

/// What a far side's description says about its audio stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Where it listens; the address 0.0.0.0 is hold in the old style (RFC 3264 §8.4).
    pub(crate) rtp: SocketAddr,
    pub(crate) rtcp: SocketAddr,
    pub(crate) formats: Formats,
    pub(crate) direction: Direction,
    pub(crate) encryption: Stated,
    /// All media sections in order, for the answer: kind, protocol, first format; and which one is used.
    sections: Vec<(String, String, String)>,
    used: usize,
}

impl Remote {
    /// Within what the trunk allows.
    ///
    /// # Errors
    /// [`SdpError::NotOffered`].
    pub(crate) fn within(mut self, codecs: &Codecs) -> Result<Remote, SdpError> {
        self.formats = self.formats.within(codecs).ok_or(SdpError::NotOffered)?;
        Ok(self)
    }
}

/// Identity of our description in `o=`; the version grows with each one sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) id: u64,
    pub(crate) version: u64,
    pub(crate) rtp: SocketAddr,
}

struct Section<'a> {
    kind: &'a str,
    port: u16,
    protocol: &'a str,
    formats: Vec<&'a str>,
    address: Option<IpAddr>,
    direction: Option<Direction>,
    rtpmap: Vec<(u8, &'a str)>,
    rtcp: Option<(u16, Option<IpAddr>)>,
    rtcp_mux: bool,
    crypto: Vec<Crypto>,
}

/// Reads an offer or answer; takes the first audio section that is not rejected.
///
/// # Errors
/// [`SdpError`] when no audio stream is usable; never panics.
pub(crate) fn parse(text: &str, limit: usize) -> Result<Remote, SdpError> {
    if text.len() > limit {
        return Err(SdpError::TooLong);
    }
    let Session { address: session_address, direction: session_direction, sections } = parse_session(text);
    let used =
        sections.iter().position(|s| s.kind.eq_ignore_ascii_case("audio") && s.port != 0).ok_or(SdpError::NoAudio)?;
    let audio = sections.get(used).ok_or(SdpError::NoAudio)?;
    let demanded = match audio.protocol {
        "RTP/AVP" | "RTP/AVPF" => false,
        "RTP/SAVP" | "RTP/SAVPF" => true,
        _ => return Err(SdpError::Profile),
    };
    let address = audio.address.or(session_address).ok_or(SdpError::NoAddress)?;
    let (rtcp_port, rtcp_address) = match audio.rtcp {
        _ if audio.rtcp_mux => (audio.port, None),
        Some((port, address)) => (port, address),
        None => (audio.port.wrapping_add(1), None),
    };
    let mut direction = audio.direction.or(session_direction).unwrap_or(Direction::SendRecv);
    if address.is_unspecified() {
        direction = if direction.sends() { Direction::SendOnly } else { Direction::Inactive };
    }
    Ok(Remote {
        rtp: SocketAddr::new(address, audio.port),
        rtcp: SocketAddr::new(rtcp_address.unwrap_or(address), rtcp_port),
        formats: choose_formats(audio)?,
        direction,
        encryption: Stated { demanded, lines: audio.crypto.clone() },
        sections: sections.iter().map(owned_section).collect(),
        used,
    })
}

/// The formats of the first audio section with a port, whatever its transport profile.
pub(crate) fn audio_formats(text: &str) -> Option<Formats> {
    let session = parse_session(text);
    let audio = session.sections.iter().find(|section| section.kind == "audio" && section.port != 0)?;
    choose_formats(audio).ok()
}

struct Session<'a> {
    address: Option<IpAddr>,
    direction: Option<Direction>,
    sections: Vec<Section<'a>>,
}

fn parse_session(text: &str) -> Session<'_> {
    let mut session = Session { address: None, direction: None, sections: Vec::new() };
    for line in text.lines() {
        let Some((kind, value)) = line.trim_end().split_once('=') else { continue };
        let kind = kind.trim();
        if kind == "m" {
            if session.sections.len() == MAX_SECTIONS {
                break;
            }
            session.sections.extend(parse_media(value));
            continue;
        }
        match (kind, session.sections.last_mut()) {
            ("c", None) => session.address = parse_connection(value),
            ("c", Some(section)) => section.address = parse_connection(value).or(section.address),
            ("a", None) => session.direction = Direction::parse(value).or(session.direction),
            ("a", Some(section)) => parse_attribute(section, value),
            _ => {}
        }
    }
    session
}

fn owned_section(section: &Section<'_>) -> (String, String, String) {
    let format = section.formats.first().copied().unwrap_or("0");
    (section.kind.to_owned(), section.protocol.to_owned(), format.to_owned())
}

fn parse_media(value: &str) -> Option<Section<'_>> {
    let mut words = value.split_ascii_whitespace();
    let kind = words.next()?;
    let port = words.next()?.split('/').next()?.parse().ok()?;
    let protocol = words.next()?;
    Some(Section {
        kind,
        port,
        protocol,
        formats: words.take(MAX_FORMATS).collect(),
        address: None,
        direction: None,
        rtpmap: Vec::new(),
        rtcp: None,
        rtcp_mux: false,
        crypto: Vec::new(),
    })
}

fn parse_connection(value: &str) -> Option<IpAddr> {
    let mut words = value.split_ascii_whitespace();
    let (network, _kind) = (words.next()?, words.next()?);
    let address = words.next()?.split('/').next()?;
    network.eq_ignore_ascii_case("IN").then(|| address.parse().ok())?
}

fn parse_attribute<'a>(section: &mut Section<'a>, value: &'a str) {
    let (name, rest) = value.split_once(':').unwrap_or((value, ""));
    match name.trim() {
        "rtpmap" if section.rtpmap.len() < MAX_FORMATS => {
            let Some((payload_type, encoding)) = rest.trim().split_once(char::is_whitespace) else { return };
            if let Ok(payload_type) = payload_type.parse::<u8>() {
                section.rtpmap.push((payload_type, encoding.trim()));
            }
        }
        "rtcp" => {
            let mut words = rest.split_ascii_whitespace();
            if let Some(port) = words.next().and_then(|port| port.parse().ok()) {
                section.rtcp = Some((port, words.nth(2).and_then(|address| address.parse().ok())));
            }
        }
        "rtcp-mux" => section.rtcp_mux = true,
        "crypto" if section.crypto.len() < sdes::MAX_LINES => section.crypto.extend(Crypto::parse(rest)),
        name => section.direction = Direction::parse(name).or(section.direction),
    }
}

fn choose_formats(audio: &Section<'_>) -> Result<Formats, SdpError> {
    let (mut listed, mut event) = (Vec::<(Codec, u8)>::new(), None);
    for payload_type in
        audio.formats.iter().filter_map(|format| format.parse::<u8>().ok()).filter(|format| *format < 128)
    {
        let mapped = audio.rtpmap.iter().find(|(mapped, _)| *mapped == payload_type).map(|(_, encoding)| *encoding);
        let encoding = match (mapped, payload_type) {
            (Some(encoding), _) => encoding,
            (None, 0) => "PCMU/8000",
            (None, 8) => "PCMA/8000",
            (None, 9) => "G722/8000",
            (None, _) => continue,
        };
        match Codec::encoded(encoding) {
            Some(codec) if listed.iter().all(|(known, _)| *known != codec) => listed.push((codec, payload_type)),
            Some(_) => {}
            // The one at 48 kHz that some offer beside Opus says the same; this one all of them know.
            None if encoding.eq_ignore_ascii_case("telephone-event/8000") => event = event.or(Some(payload_type)),
            None => {}
        }
    }
    Formats::of(&listed, event).ok_or(SdpError::NoCommonCodec)
}

/// Our offer: the trunk's codecs, telephone-event, 20 ms packets; `profile` and `lines` by the leg's encryption.
pub(crate) fn offer(origin: &Origin, codecs: &Codecs, profile: &str, lines: &[Crypto]) -> String {
    let mut text = head(origin);
    let _ = write!(text, "m=audio {} {profile}", origin.rtp.port());
    for codec in codecs.iter() {
        let _ = write!(text, " {}", codec.payload_type());
    }
    let _ = write!(text, " {OFFERED_EVENT}\r\n");
    for line in lines {
        let _ = write!(text, "{}\r\n", line.line());
    }
    for codec in codecs.iter() {
        let _ = write!(text, "a=rtpmap:{} {}\r\n", codec.payload_type(), codec.encoding());
    }
    tail(&mut text, Some(OFFERED_EVENT), Direction::SendRecv, origin);
    text
}

/// Our answer to `remote`: the codec that was chosen, its payload types, every other section rejected; `ours` when
/// the leg is encrypted.
pub(crate) fn answer(origin: &Origin, remote: &Remote, ours: Option<&Crypto>) -> String {
    let mut text = head(origin);
    for (index, (kind, protocol, format)) in remote.sections.iter().enumerate() {
        if index != remote.used {
            let _ = write!(text, "m={kind} 0 {protocol} {format}\r\n");
            continue;
        }
        let codec = remote.formats.codec;
        let payload_type = remote.formats.own_type();
        let _ = write!(text, "m=audio {} {protocol} {payload_type}", origin.rtp.port());
        if let Some(event) = remote.formats.event {
            let _ = write!(text, " {event}");
        }
        if let Some(ours) = ours {
            let _ = write!(text, "\r\n{}", ours.line());
        }
        let _ = write!(text, "\r\na=rtpmap:{payload_type} {}\r\n", codec.encoding());
        tail(&mut text, remote.formats.event, remote.direction.answered(), origin);
    }
    text
}

fn head(origin: &Origin) -> String {
    let address = origin.rtp.ip();
    let family = if address.is_ipv6() { "IP6" } else { "IP4" };
    format!(
        "v=0\r\no=ringback {} {} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n",
        origin.id, origin.version
    )
}

fn tail(text: &mut String, event: Option<u8>, direction: Direction, origin: &Origin) {
    if let Some(event) = event {
        let _ = write!(text, "a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n");
    }
    let rtcp = origin.rtp.port().wrapping_add(1);
    let _ = write!(text, "a=ptime:20\r\na=rtcp:{rtcp}\r\na={}\r\n", direction.name());
}

#[cfg(test)]
mod tests;
